"""Takes the pictures of README and guide from a fresh demo clinic: `.venv/bin/python -m scripts.pictures`.

For names in every script: apt-get install fonts-noto-core fonts-noto-cjk.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from scripts.chromium import launch

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
PORT = 8699
PAGES = ["today", "patients", "patient", "patient_edit", "patient_import", "chat", "knowledge", "provider", "emergencies",
         "analytics", "alerts", "team", "account", "audit", "clinic"]


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        environment = {**os.environ, "CHAIRSIDE_DATA": data, "PYTHONPATH": str(ROOT)}
        filled = subprocess.run([sys.executable, "-m", "lib.demo"], cwd=ROOT, env=environment, capture_output=True, text=True,
                                check=True)
        server = subprocess.Popen([sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(PORT)], cwd=ROOT,
                                  env=environment, stdout=subprocess.DEVNULL)
        try:
            wait()
            owner = next(line.split() for line in filled.stdout.splitlines() if line.split()[:1] == ["owner"])
            take(owner[1], " ".join(owner[2:]))
        finally:
            server.terminate()
            server.wait(20)


def wait() -> None:
    for _attempt in range(100):
        try:
            urllib.request.urlopen(f"http://localhost:{PORT}/api/v1/health")
            return
        except OSError:
            time.sleep(0.2)
    sys.exit("The server did not start.")


def take(email: str, password: str) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(base_url=f"http://localhost:{PORT}", viewport={"width": 1280, "height": 800},
                                timezone_id="Europe/London", locale="en-GB")
        page.goto("/")
        shoot(page, "sign_in")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("heading", name="Today").wait_for()
        link = page.locator("a[href*='chat?patient=']").first.get_attribute("href")
        patient = str(link).partition("?")[2]  # somebody with a thread
        queries = {**dict.fromkeys(("patient", "patient_edit", "chat"), patient), "knowledge": "article=crowns"}
        for name in PAGES:
            page.goto("/" if name == "today" else f"/{name}?{queries.get(name, '')}")
            shoot(page, name)
        browser.close()


def shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(2_500)
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
