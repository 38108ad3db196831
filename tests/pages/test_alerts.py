"""The alerts page, as each role sees it."""

import re

import pytest
from sqlalchemy import text
from streamlit.runtime.context import ContextProxy

from lib import db
from tests.pages import conftest


def texts(at) -> str:
    """As it reads, without what keeps Markdown from taking a sign for its own."""
    return re.sub(r"\\(.)", r"\1", conftest.texts(at))


@pytest.fixture(autouse=True)
def address(monkeypatch):
    """AppTest's own is a mock, which no database takes."""
    monkeypatch.setattr(ContextProxy, "ip_address", "127.0.0.1")


@pytest.fixture
def raised(alice, owner):
    """A budget alert in Alice's clinic, of which the webhook did not hear."""
    with owner.begin() as connection:
        connection.execute(text("""
            insert into clinic_alerts (clinic_id, kind, level, subject, amount, most, queued_at, mailed_at, post_problem)
            values (:clinic, 'budget', 80, '2026-01-01', 81, 100, now(), now(), 'HTTP *500*')
            """), {"clinic": alice.clinic_id})


def press(at, label: str):
    next(button for button in at.button if button.label == label).click()
    return at.run()


def test_a_quiet_clinic_reads_that_all_is_well_and_what_is_watched(alice, charlie, open_page):
    at = open_page(alice, "alerts")
    assert not at.exception
    assert "All is well." in texts(at)
    assert "80 and 100 % of the day's budget" in texts(at)
    assert "Disk" not in texts(at)  # of an installation with several clinics, nobody but its operator


def test_what_stands_says_since_when_and_who_heard_of_it(raised, mona, charlie, open_page):
    at = open_page(mona, "alerts")
    assert "80 % of the day's AI budget is spent: $81.00 of $100.00." in texts(at)
    assert "webhook failed: HTTP *500*" in texts(at)
    assert [button.label for button in at.button if button.label in ("Mute", "Send a test")] == []
    assert "81.00" not in texts(open_page(charlie, "alerts"))


def test_an_owner_mutes_and_unmutes(raised, alice, open_page):
    at = press(open_page(alice, "alerts"), "Mute")
    at.button("mute_now").click()
    next(button for button in at.button if button.label == "Mute").click()  # AppTest reruns the page that opened the dialog
    at.run()
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from clinic_alert_mutes where clinic_id = :clinic_id and until > now() + interval '7 hours'") == 1
    at = open_page(alice, "alerts")
    assert "muted until" in texts(at)
    press(at, "Unmute")
    assert "muted until" not in texts(open_page(alice, "alerts"))


def test_a_test_says_what_became_of_it(alice, working, open_page):
    at = press(open_page(alice, "alerts"), "Send a test")
    assert "Mail: not set up" in texts(at)
    assert "Webhook: not set up" in texts(at)


def test_the_owner_of_the_only_clinic_sees_the_installations_too(alice, owner, open_page, monkeypatch):
    """The rule is the schema's; the test's database has many clinics, so it is told otherwise in a transaction that is undone."""
    with owner.begin() as connection:
        connection.execute(text("insert into alerts (kind, amount, most) values ('disk', 91, 80) on conflict do nothing"))
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from app.installation_alerts()") == 0
    with owner.connect() as connection:
        connection.execute(text("""
            create or replace function app.alone() returns boolean language sql stable security definer
            set search_path = pg_catalog, public, pg_temp begin atomic select coalesce(app.role() = 'owner', false); end
            """))
        seen = {}
        for role in ("owner", "manager"):
            connection.execute(text(f"set local app.role = '{role}'"))
            seen[role] = connection.execute(text("select count(*) from app.installation_alerts() where kind = 'disk'")).scalar_one()
        connection.rollback()
        connection.execute(text("delete from alerts"))
        connection.commit()
    assert seen == {"owner": 1, "manager": 0}
