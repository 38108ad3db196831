"""Idempotency keys: whose they are, and how long they are remembered."""

import pytest
from sqlalchemy import text

from lib import chores, db, jobs, repeats, startup
from lib.errors import Invalid


@pytest.fixture
def by_the_clock(database):
    """A chore of the worker's, done once with the worker's own role."""
    jobs.connect(startup.worker_address(), 2)
    yield lambda name: chores.BY_THE_CLOCK[name][1]()
    jobs.disconnect()


def keep(who, key: str, made: str) -> None:
    with db.scope(who) as scope:
        assert repeats.find(scope, "POST /x", key, b"body") is None
        repeats.keep(scope, "POST /x", key, made)


def find(who, key: str, body: bytes = b"body") -> str | None:
    with db.scope(who) as scope:
        return repeats.find(scope, "POST /x", key, body)


def age(owner, who, hours: str) -> None:
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic, :user)"), {"clinic": who.clinic_id, "user": who.user_id})
        connection.execute(text("update repeats set created_at = now() - cast(:age as interval) where user_id = :me"),
                           {"age": hours, "me": who.user_id})


def how_many(who) -> int:
    """One's own: nobody sees a colleague's."""
    with db.scope(who) as scope:
        return scope.value("select count(*) from repeats where clinic_id = :clinic_id")


def test_a_key_is_its_persons_and_its_bodys(alice, bob):
    keep(alice, "k", "first")
    assert find(alice, "k") == "first"
    assert find(bob, "k") is None
    with pytest.raises(Invalid, match="another request"):
        find(alice, "k", b"another body")


def test_the_clock_forgets_a_day_old_key_and_keeps_the_younger(alice, bob, charlie, owner, by_the_clock):
    for who in (alice, bob, charlie):
        keep(who, "k", "made")
    age(owner, alice, "24 hours 1 minute")
    age(owner, charlie, "30 hours")
    age(owner, bob, "23 hours 50 minutes")
    by_the_clock("forget")
    assert [how_many(who) for who in (alice, bob, charlie)] == [0, 1, 0]
    assert find(bob, "k") == "made"


def test_an_old_key_is_new_even_before_the_clock_comes(alice, owner):
    keep(alice, "k", "made")
    age(owner, alice, "25 hours")
    assert find(alice, "k", b"another body") is None
