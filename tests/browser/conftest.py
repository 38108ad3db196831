"""A real headless Chromium against the real server."""

import os
import shutil
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from lib.identity import Identity
from tests.conftest import PASSWORD

expect.set_options(timeout=10_000)
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync"]
# 404: on a deep link Streamlit's front end looks for its server at that path first. 401: how a tab learns that it is signed out.
HARMLESS = ("status of 404", "status of 401")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
        browser = playwright.chromium.launch(executable_path=own if os.path.exists(own) else shutil.which("chromium"), args=flags)
        yield browser
        browser.close()


@pytest.fixture
def new_browser(chromium: Browser, server: str) -> Iterator[Callable[..., BrowserContext]]:
    """A browser of its own, with its own cookies. What its console complains about fails the test."""
    contexts, complaints = [], []

    def make(**options) -> BrowserContext:
        context = chromium.new_context(base_url=server, viewport={"width": 1440, "height": 900}, timezone_id="Europe/Berlin",
                                       locale="en-GB", **options)
        context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("request", lambda request: complaints.append(f"foreign host: {request.url}")
                   if not request.url.startswith((server, "data:", "blob:")) else None)
        contexts.append(context)
        return context
    yield make
    for context in contexts:
        context.close()
    assert [text for text in complaints if not any(known in text for known in HARMLESS)] == []


@pytest.fixture
def page(new_browser: Callable[..., BrowserContext]) -> Page:
    return new_browser().new_page()


@pytest.fixture
def signed_in(new_browser: Callable[..., BrowserContext], server: str, cookie_of: Callable[[Identity], str]) -> Callable[..., Page]:
    """Somebody's tab, past the sign-in."""
    def make(who: Identity, path: str = "/", **options) -> Page:
        context = new_browser(**options)
        context.add_cookies([{"name": "chairside", "value": cookie_of(who), "url": server, "httpOnly": True, "sameSite": "Lax"}])
        page = context.new_page()
        page.goto(path)
        settled(page)
        return page
    return make


def settled(page: Page) -> None:
    """The page shows its title, or why it has none, and no run is going on."""
    title, refusal = page.get_by_role("heading", level=1), page.get_by_text("There is nothing here by that address")
    expect(title.or_(refusal).first).to_be_visible()
    expect(page.locator("[data-testid=stStatusWidget]")).to_have_count(0)


def sign_up(page: Page, *, clinic: str = "Park Dental", name: str = "José Müller-Nguyễn") -> str:
    """Through the form, as a newcomer; the address they can sign in with."""
    email = f"{uuid4().hex[:12]}@example.org"
    page.goto("/?form=sign-up")
    page.get_by_label("Full name").fill(name)
    page.get_by_label("Clinic name").fill(clinic)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create clinic").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    settled(page)
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
