"""An emergencies page that is left open: what waits grows older, and nobody loses what they are writing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from lib import chats, db, emergencies
from tests.conftest import serving


@pytest.fixture(scope="module")
def server(database: None) -> Iterator[str]:
    with serving("uvicorn", "tests.browser.quick_app:app", "--log-level", "error", "--port") as address:
        yield address


def raise_alarm(who, seconds_ago: int, category: str) -> None:
    with db.scope(who) as scope:
        thread = chats.open_thread(scope, None)
        scope.run("""
            insert into emergencies (clinic_id, message_id, thread_id, user_id, categories, rule_set, raised_at)
            values (:clinic_id, :message, :thread, :me, array[:category], 'test', now() - :seconds * interval '1 second')
            """, message=chats.post_question(scope, thread, "?"), thread=thread, me=who.user_id, category=category,
                  seconds=seconds_ago)


def test_the_ages_of_what_waits_grow_while_somebody_writes_what_was_done(signed_in, alice):
    raise_alarm(alice, 52, "airway")
    raise_alarm(alice, 3600, "bleeding")
    page = signed_in(alice, "/emergencies")
    expect(page.get_by_text("Breathing or swallowing · just now")).to_be_visible()
    page.get_by_role("button", name="Acknowledge").first.click()
    page.get_by_label("What was done").fill("Called 112")

    expect(page.get_by_text("Breathing or swallowing · 1 min ago")).to_be_visible()
    page.wait_for_timeout(5000)

    for words in ("Breathing or swallowing · 1 min ago", "Bleeding · 1 hr ago"):
        expect(page.get_by_text(words)).to_have_count(1)
    expect(page.get_by_label("What was done")).to_have_value("Called 112")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(3)  # two, and the dialog's


def test_what_somebody_else_has_acknowledged_grows_no_older(signed_in, alice, bob):
    raise_alarm(alice, 3600, "bleeding")
    page = signed_in(alice, "/emergencies")
    expect(page.get_by_text("Bleeding · 1 hr ago")).to_be_visible()
    with db.scope(bob) as scope:
        emergencies.acknowledge(scope, emergencies.waiting(scope).rows[0].id, action_taken="Called 112")

    expect(page.get_by_text("Bleeding · acknowledged meanwhile")).to_be_visible()


def test_a_page_without_one_tells_of_the_first(signed_in, alice):
    page = signed_in(alice, "/emergencies")
    expect(page.get_by_text("No emergency was ever raised")).to_be_visible()
    raise_alarm(alice, 0, "airway")

    expect(page.get_by_text("1 emergency was raised since this page was opened.")).to_be_visible()
    page.get_by_role("button", name="Show").click()

    expect(page.get_by_text("Breathing or swallowing · just now")).to_be_visible()
