"""An answer is saved exactly once, whatever somebody does while it is being written."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from lib import db
from tests.browser.conftest import settled
from tests.conftest import serving

QUESTION = "What is a root canal?"


@pytest.fixture(scope="module")
def server(database: None) -> Iterator[str]:
    with serving("uvicorn", "tests.browser.slow_app:app", "--log-level", "error", "--port") as address:
        yield address


def ask(page: Page, question: str = QUESTION) -> None:
    page.get_by_role("textbox", name=re.compile("Ask")).fill(question)
    page.keyboard.press("Enter")


def begun(page: Page) -> None:
    """The first words of the answer stand there, and the last ones do not."""
    expect(page.get_by_text("It is natural to feel uneasy")).to_be_visible()
    expect(page.get_by_text("This is general information")).to_have_count(0)


def saved(identity, *, within: float = 30) -> list[tuple[str, int, int, list[str]]]:
    """Each question, how many answers and calls it has, and their statuses, once nothing is being written any more."""
    until = time.monotonic() + within
    while True:
        found = _saved(identity)
        if found and not any("started" in statuses for _question, _answers, _calls, statuses in found):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.2)


def _saved(identity) -> list[tuple[str, int, int, list[str]]]:
    with db.scope(identity) as scope:
        return [tuple(row) for row in scope.connection.execute(text("""
            select q.content, count(distinct a.id), count(distinct c.id), array_agg(distinct a.status) || array_agg(distinct c.status)
            from chat_messages q
            left join chat_messages a on a.clinic_id = q.clinic_id and a.question_id = q.id
            left join ai_calls c on c.clinic_id = a.clinic_id and c.message_id = a.id
            where q.clinic_id = :clinic_id and q.role = 'user'
            group by q.id, q.content
            order by q.id
            """), {"clinic_id": identity.clinic_id})]


def test_stop_ends_the_answer_with_what_is_there(signed_in, alice):
    page = signed_in(alice, "/chat")
    ask(page)
    begun(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped before the end.").first).to_be_visible()
    assert saved(alice, within=5) == [(QUESTION, 1, 1, ["stopped", "stopped"])]
    page.reload()
    settled(page)
    expect(page.get_by_text("Stopped before the end.")).to_have_count(1)
    assert saved(alice) == [(QUESTION, 1, 1, ["stopped", "stopped"])]


def test_a_closed_tab_does_not_cost_the_answer(signed_in, alice):
    page = signed_in(alice, "/chat")
    ask(page)
    begun(page)
    page.close()
    assert saved(alice) == [(QUESTION, 1, 1, ["ok", "ok"])]


def test_another_page_does_not_cost_the_answer_which_is_there_on_coming_back(signed_in, alice):
    page = signed_in(alice, "/chat")
    ask(page)
    begun(page)
    page.get_by_role("link", name="Patients").first.click()
    expect(page.get_by_role("heading", level=1, name="Patients")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("This is general information")).to_have_count(1, timeout=30_000)
    assert saved(alice) == [(QUESTION, 1, 1, ["ok", "ok"])]


def test_a_second_question_in_the_middle_of_an_answer_gets_its_own(signed_in, alice):
    page = signed_in(alice, "/chat")
    ask(page)
    begun(page)
    other = page.context.new_page()
    other.goto("/chat")
    ask(other, "What is a dental bridge?")
    expect(other.get_by_text("This is general information")).to_have_count(2, timeout=60_000)
    assert saved(alice) == [(QUESTION, 1, 1, ["ok", "ok"]), ("What is a dental bridge?", 1, 1, ["ok", "ok"])]


def test_leaving_and_asking_again_leaves_one_answer_and_one_call_to_each_question(signed_in, alice):
    page = signed_in(alice, "/chat")
    ask(page)
    begun(page)
    page.get_by_role("link", name="Patients").first.click()
    expect(page.get_by_role("heading", level=1, name="Patients")).to_be_visible()
    page.goto("/chat")
    ask(page, "What is a dental bridge?")
    expect(page.get_by_text("What is a dental bridge?").first).to_be_visible()
    found = saved(alice)
    assert [(answers, calls) for _question, answers, calls, _statuses in found] == [(1, 1), (1, 1)]
    assert all(answer == call for _question, _answers, _calls, (answer, call) in found)
