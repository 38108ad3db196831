"""Makes sure that there is a Chromium for the browser tests: Playwright's own, or Debian's where one is root."""

import os
import shutil
import subprocess
import sys

from playwright.sync_api import sync_playwright


def main() -> None:
    if usable():
        return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, check=False)
    if usable():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-noto-core"], check=False,
                       stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if not usable():
        sys.exit("The browser tests need Chromium, and it could not be installed.\n"
                 "Run `python -m playwright install --with-deps chromium`, or as root `apt-get install chromium`.")


def usable() -> bool:
    with sync_playwright() as playwright:
        return os.path.exists(playwright.chromium.executable_path) or shutil.which("chromium") is not None


if __name__ == "__main__":
    main()
