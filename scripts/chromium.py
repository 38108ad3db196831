"""The Chromium of tests, pictures and benchmarks: Playwright's own, or Debian's where one is root. Run, it makes sure of one."""

import os
import subprocess
import sys

from playwright.sync_api import Browser, Playwright, sync_playwright

from lib.errors import SetUpError
from scripts import packages

DEBIANS = ("chromium-headless-shell", "chromium")


def main() -> None:
    if usable():
        return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, check=False)
    try:
        if not usable():
            packages.need({DEBIANS[0]: DEBIANS[0]})
    except SetUpError as error:
        sys.exit(f"The browser tests need Chromium. {error}\n  Or: python -m playwright install --with-deps chromium")


def usable() -> bool:
    with sync_playwright() as playwright:
        return _program(playwright) is not None


def launch(playwright: Playwright, *flags: str) -> Browser:
    return playwright.chromium.launch(executable_path=_program(playwright),
                                      args=[*flags, *(["--no-sandbox"] if os.geteuid() == 0 else [])])


def _program(playwright: Playwright) -> str | None:
    own = playwright.chromium.executable_path
    return own if os.path.exists(own) else packages.find(*DEBIANS)


if __name__ == "__main__":
    main()
