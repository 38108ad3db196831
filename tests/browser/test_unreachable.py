"""The network is cut: a provider is switched on and can't be reached, and the browser reaches nothing but the app."""

import re
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from lib import assistant_settings, db, patients
from lib.patient_form import PatientForm
from tests.browser.conftest import served, settled
from tests.browser.test_sign_in import PAGES

QUESTION = "What is a root canal?"


@pytest.fixture(scope="module")
def refusing() -> Iterator[int]:
    """A port of this machine that nobody listens on, and nobody else can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="module")
def silent() -> Iterator[int]:
    """A black hole: whoever connects waits for an answer that never comes."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        yield hole.getsockname()[1]


@pytest.fixture(scope="module")
def server(database: None) -> Iterator[str]:
    patch = pytest.MonkeyPatch()
    patch.setenv("AI_ALLOWED_HOSTS", "127.0.0.1")
    with served() as address:
        yield address
    patch.undo()


@pytest.fixture
def switch_on(monkeypatch):
    def decide(owner, port: int) -> None:
        from lib import settings
        monkeypatch.setenv("AI_ALLOWED_HOSTS", "127.0.0.1")
        settings.get.cache_clear()
        with db.scope(owner) as scope:
            version = assistant_settings.get(scope).version
            assistant_settings.amend(scope, assistant_settings.AssistantSettings(
                True, True, f"http://127.0.0.1:{port}/v1", "m-1", "sk-test", version=version))
    yield decide
    from lib import settings
    settings.get.cache_clear()


@pytest.fixture
def offline(signed_in, server):
    """Somebody's tab that can ask nobody but the app, and what it tried to ask."""
    def make(who) -> tuple[Page, list[str]]:
        page, tried = signed_in(who), []

        def gate(route: Route) -> None:
            if route.request.url.startswith((server, "data:", "blob:")):
                route.continue_()
            else:
                tried.append(route.request.url)
                route.abort()
        page.context.route("**/*", gate)
        page.context.on("request", lambda request: tried.append(request.url)
                        if not request.url.startswith((server, "data:", "blob:")) else None)
        page.on("websocket", lambda socket: tried.append(socket.url)
                if not socket.url.replace("ws", "http", 1).startswith(server) else None)
        return page, tried
    return make


def ask(page: Page, question: str = QUESTION) -> None:
    page.get_by_role("textbox", name=re.compile("Ask")).fill(question)
    page.keyboard.press("Enter")


@pytest.mark.long
def test_every_page_opens_and_asks_nobody_but_the_app(offline, switch_on, refusing, alice):
    switch_on(alice, refusing)
    with db.scope(alice) as scope:
        patient = patients.register(scope, PatientForm(full_name="Ann Lee"))
    page, tried = offline(alice)
    for path in [*PAGES, f"patient?patient={patient}", f"chat?patient={patient}"]:
        page.goto(f"/{path}")
        settled(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        expect(page.get_by_text("Something went wrong")).to_have_count(0)
    assert tried == []


@pytest.mark.parametrize(("end", "why"), [("refusing", "Cannot connect to the AI service."), pytest.param("silent", "The request timed out.", marks=pytest.mark.long)])
def test_a_question_is_answered_from_the_knowledge_base_and_says_why(offline, switch_on, request, alice, end, why):
    switch_on(alice, request.getfixturevalue(end))
    with db.scope(alice) as scope:
        patient = patients.register(scope, PatientForm(full_name="Ann Lee"))
    page, tried = offline(alice)
    page.goto(f"/chat?patient={patient}")
    settled(page)
    ask(page)
    expect(page.get_by_text("This is general information")).to_be_visible(timeout=25_000)
    answer = page.locator("[data-testid=stChatMessage]").last
    expect(answer).to_contain_text(why)
    expect(answer).to_contain_text("Root canal treatment")
    expect(answer).not_to_contain_text(re.compile("interrupted|what had come is kept"))
    assert tried == []
