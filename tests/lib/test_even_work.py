"""Whether an address is known shows in nothing a stranger can time: the same statements, the same hashing, in the same order.

Counted, not timed: a busy machine moves no count. The measured medians are a benchmark's.
"""

import threading
from uuid import uuid4

import bcrypt
import pytest
from sqlalchemy import event

from lib import auth, db, resets
from tests.conftest import PASSWORD


@pytest.fixture
def work(monkeypatch):
    """What was done, in order: each statement, and each bcrypt with its cost."""
    done: list[str] = []
    here = threading.get_ident()  # the thread that seals the audit log works beside this one

    def heard(_connection, _cursor, statement, *_more) -> None:
        if threading.get_ident() == here:
            done.append(" ".join(statement.split()))

    def check(tried: bytes, stored: bytes) -> bool:
        done.append(f"bcrypt {stored.decode().split('$')[2]}")
        return real(tried, stored)
    real, execute = bcrypt.checkpw, db.execute

    def through(connection, rows, sql, values):
        heard(connection, None, sql)
        return execute(connection, rows, sql, values)
    monkeypatch.setattr(bcrypt, "checkpw", check)
    monkeypatch.setattr(db, "execute", through)
    event.listen(db._engine, "before_cursor_execute", heard)
    yield done
    event.remove(db._engine, "before_cursor_execute", heard)


def work_of(work: list[str], act) -> list[str]:
    work.clear()
    act()
    return list(work)


def sign_in(email: str, password: str) -> None:
    auth.verify(auth.find_account(email), password, address="203.0.113.5")


def stranger() -> str:
    return f"{uuid4().hex}@example.org"


def test_a_wrong_password_and_an_unknown_address_cost_the_same_work(work, alice, password_hash):
    known = work_of(work, lambda: sign_in(alice.email, "a wrong password"))
    unknown = work_of(work, lambda: sign_in(stranger(), "a wrong password"))
    assert known == unknown
    rounds = password_hash.split("$")[2]
    assert [step for step in known if step.startswith("bcrypt")] == [f"bcrypt {rounds}"]


@pytest.mark.parametrize("password", ["", "x" * 200, "a\0b", "🦷" * 40])
def test_what_no_password_can_be_costs_the_same_work_too(work, alice, password):
    assert work_of(work, lambda: sign_in(alice.email, password)) == work_of(work, lambda: sign_in(stranger(), "a wrong password"))


def test_somebody_who_works_nowhere_any_more_costs_the_same_work(work, bob, owner):
    with owner.begin() as connection:
        connection.execute(db.statement("update memberships set ended_at = now() where user_id = :id"), {"id": bob.user_id})
    assert work_of(work, lambda: sign_in(bob.email, "a wrong password")) == work_of(work, lambda: sign_in(stranger(), "a wrong password"))


def test_an_account_that_is_locked_out_costs_the_same_work_as_an_unknown_one(work, alice):
    """The sixth try is refused before any hashing, whoever it names."""
    nobody = stranger()
    for email in (alice.email, nobody):
        for _n in range(5):
            sign_in(email, "a wrong password")

    def sixth(email: str):
        with pytest.raises(auth.TooMany):
            sign_in(email, "a wrong password")
    assert work_of(work, lambda: sixth(alice.email)) == work_of(work, lambda: sixth(nobody))


def test_asking_for_a_reset_does_the_same_work_before_it_answers(work, monkeypatch, alice):
    """What differs, the mail, is a job's work."""
    waiting = []
    monkeypatch.setattr(resets._post, "submit", lambda *job: waiting.append(job))
    answered = [work_of(work, lambda email=email: resets.ask(email, address="203.0.113.5")) for email in (alice.email, stranger())]
    assert answered[0] == answered[1]
    afterwards = [work_of(work, lambda job=job: job[0](*job[1:])) for job in waiting]
    assert afterwards[0] == afterwards[1] != []


def test_the_count_notices_a_shortcut(work, alice):
    """The right password does less or more than a wrong one: the lists above are no empty ones."""
    wrong = work_of(work, lambda: sign_in(alice.email, "a wrong password"))
    assert wrong != work_of(work, lambda: sign_in(alice.email, PASSWORD))
    assert len(wrong) > 2
