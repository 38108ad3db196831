"""Makes sure that there is a Chromium for the browser tests: Playwright's own, or Debian's where one is root."""

import os
import subprocess
import sys

from playwright.sync_api import sync_playwright

from lib.errors import SetUpError
from scripts import packages


def main() -> None:
    if usable():
        return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, check=False)
    try:
        if not usable():
            packages.need({"chromium-headless-shell": "chromium-headless-shell"})
    except SetUpError as error:
        sys.exit(f"The browser tests need Chromium. {error}\n  Or: python -m playwright install --with-deps chromium")


def usable() -> bool:
    return packages.find("chromium-headless-shell", "chromium") is not None or _playwrights_own()


def _playwrights_own() -> bool:
    with sync_playwright() as playwright:
        return os.path.exists(playwright.chromium.executable_path)


if __name__ == "__main__":
    main()
