"""A real headless Chromium against the real server."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect, sync_playwright

from lib.identity import Identity
from scripts.chromium import launch
from tests.clusters import serving_cluster
from tests.conftest import PASSWORD, serving

CLUSTER = bool(os.environ.get("CHAIRSIDE_TEST_CLUSTER"))  # `make test-cluster`: the same tests through a cluster's door
expect.set_options(timeout=20_000)  # patience with a busy machine; what must come quickly has a test that says how quickly
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync"]
HARMLESS = ("status of 401",)  # how a tab learns that it is signed out


def served() -> AbstractContextManager[str]:
    """By one process, or by a cluster with the same settings."""
    return serving_cluster() if CLUSTER else serving()


# A data folder has one cluster at a time, and some modules need one with settings of their own.
@pytest.fixture(scope="module" if CLUSTER else "package")
def server(database: None) -> Iterator[str]:
    """One for all that a browser does; gone before other tests ask what the queue holds, for its worker would do their jobs."""
    with served() as address:
        yield address


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright, *FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def rested(chromium: Browser) -> dict[str, list[BrowserContext]]:
    """Browsers that no test uses now, by the server they know: empty, but for the app's scripts, which cost a new one a second."""
    return defaultdict(list)


@pytest.fixture
def new_browser(chromium: Browser, server: str, rested: dict[str, list[BrowserContext]]) -> Iterator[Callable[..., BrowserContext]]:
    """A browser of its own, with its own cookies. What its console complains about fails the test."""
    lent, ended, complaints = [], [], []
    listeners = {
        "console": lambda message: complaints.append(message.text) if message.type == "error" else None,
        "weberror": lambda error: complaints.append(str(error.error)),
        "request": lambda request: complaints.append(f"foreign host: {request.url}")
                   if not request.url.startswith((server, "data:", "blob:")) else None}

    def make(**options) -> BrowserContext:
        context = rested[server].pop() if rested[server] and not options else chromium.new_context(
            base_url=server, viewport={"width": 1440, "height": 900}, timezone_id="Europe/Berlin", locale="en-GB",
            ignore_https_errors=server.startswith("https"), **options)
        for event, listener in listeners.items():
            context.on(event, listener)
        (ended if options else lent).append(context)
        return context
    yield make
    for context in lent:
        empty(context, server)
        for event, listener in listeners.items():
            context.remove_listener(event, listener)
    rested[server] += lent
    for context in ended:
        context.close()
    assert [text for text in complaints if not any(known in text for known in HARMLESS)] == []


def empty(context: BrowserContext, server: str) -> None:
    """Nobody is signed in any more, nothing is stored, allowed or in the way."""
    for page in context.pages:
        page.close()
    context.unroute_all(behavior="ignoreErrors")
    context.clear_cookies()
    context.clear_permissions()
    page = context.new_page()
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", {"origin": server, "storageTypes": "local_storage,indexeddb,cache_storage,service_workers"})
    page.close()


@pytest.fixture
def page(new_browser: Callable[..., BrowserContext]) -> Page:
    return new_browser().new_page()


@pytest.fixture
def signed_in(new_browser: Callable[..., BrowserContext], server: str, cookie_of: Callable[[Identity], str]) -> Callable[..., Page]:
    """Somebody's tab, past the sign-in."""
    def make(who: Identity, path: str = "/", **options) -> Page:
        context = new_browser(**options)
        context.add_cookies([{"name": cookie_name(server), "value": cookie_of(who), "url": server, "httpOnly": True, "sameSite": "Lax",
                              "secure": server.startswith("https")}])
        page = context.new_page()
        page.goto(path)
        settled(page)
        return page
    return make


def cookie_name(address: str) -> str:
    return "__Host-chairside" if address.startswith("https") else "chairside"


def becomes(page: Page, look: Callable[[], object], wanted: object) -> None:
    """What the server is told a moment later, looked for until it is so; a machine may be busy."""
    for _ in range(100):
        if look() == wanted:
            return
        page.wait_for_timeout(200)
    assert look() == wanted


def settled(page: Page) -> None:
    """The page shows its title, or why it has none, no run is going on, and nothing waits for its script to be fetched."""
    title, refusal = page.get_by_role("heading", level=1), page.get_by_text("There is nothing here by that address")
    expect(title.or_(refusal).first).to_be_visible()
    expect(page.locator("[data-testid=stStatusWidget]")).to_have_count(0)
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)


def go(page: Page, path: str) -> None:
    """To another page of the app, as the browser's own buttons do: without loading the app anew, which takes longest of all."""
    page.evaluate("""async path => {
        const app = document.querySelector("[data-testid=stApp]")
        const begun = new Promise(seen => new MutationObserver(seen).observe(app, { attributeFilter: ["data-test-script-state"] }))
        history.pushState({}, "", path)
        dispatchEvent(new PopStateEvent("popstate"))
        await Promise.race([begun, new Promise(later => setTimeout(later, 1000))])  // where it is already, nothing begins
    }""", path)
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")


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


def next_look(page: Page) -> Response:
    """An open page asks every four seconds whether its session still holds."""
    with page.expect_response(lambda answer: answer.request.method == "GET" and answer.url.endswith("/api/v1/session")) as answer:
        pass
    return answer.value
