"""A page that is left open tells of emergencies that came since, to whoever may read them."""

from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from lib import db, emergencies, workflows
from tests.pages.conftest import texts

ALARM = "can't breathe after the injection"


def page(since):
    from ui import emergency_news
    emergency_news._tell(since)


@pytest.fixture
def told(token_of):
    def run(who, since: datetime) -> AppTest:
        at = AppTest.from_function(page, args=(since,), default_timeout=15)
        at.user = {"session": token_of(who)}
        return at.run()
    return run


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def test_it_tells_of_what_came_since(told, alice, bob):
    workflows.ask(alice, None, ALARM)
    assert "**1 emergency** was raised" in texts(told(bob, ago(60)))
    workflows.ask(alice, None, ALARM + " and is swelling")
    assert "**2 emergencies** were raised" in texts(told(bob, ago(60)))


def test_it_tells_neither_of_what_was_there_nor_of_what_is_answered_nor_of_another_clinics(told, alice, bob, charlie):
    asked = workflows.ask(alice, None, ALARM)
    workflows.ask(charlie, None, ALARM)
    with db.scope(alice) as scope:
        raised = emergencies.waiting(scope).rows[0]
    assert asked.tier == "E"
    with db.scope(alice) as scope:
        assert emergencies.raised_since(scope, raised.raised_at) == 0
        emergencies.acknowledge(scope, raised.id, action_taken="Ambulance called")
    assert "emergency" not in texts(told(bob, ago(60)))


def test_the_pages_own_run_asks_nothing(told, alice, bob):
    before = ago(1)
    workflows.ask(alice, None, ALARM)
    assert texts(told(bob, before)) == ""
    assert texts(told(bob, ago(40))) != ""


def test_who_may_see_only_their_own_is_told_of_no_other(told, alice, rita):
    workflows.ask(alice, None, ALARM)
    assert "emergency" not in texts(told(rita, ago(60)))
