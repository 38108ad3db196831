"""SECURITY 14 at the door: five wrong passwords of one account, thirty of one address, whoever tries and how many at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from lib import auth, passwords, workflows
from lib.errors import Invalid, TooMany
from tests.conftest import PASSWORD


def attempt(email: str, password: str, address: str = "10.0.0.1") -> object:
    try:
        return auth.verify(auth.find_account(email), password, address=address)
    except TooMany as refused:
        return refused


def test_of_forty_wrong_passwords_at_once_five_are_looked_at(monkeypatch, alice):
    looked = []
    monkeypatch.setattr(passwords, "matches", lambda password, _hash: bool(looked.append(password)))
    with ThreadPoolExecutor(40) as crowd:
        answers = list(crowd.map(lambda n: attempt(alice.email, f"wrong password {n}"), range(40)))
    assert len(looked) == 5
    assert answers.count(False) == 5
    assert sum(isinstance(answer, TooMany) for answer in answers) == 35


def test_a_locked_account_does_not_open_to_its_right_password_and_says_how_long(alice):
    for _try in range(5):
        assert attempt(alice.email, "wrong password here") is False
    refused = attempt(alice.email, PASSWORD)
    assert isinstance(refused, TooMany)
    assert 0 < refused.seconds <= 900
    assert "minute" in str(refused)


def test_spelling_an_address_differently_brings_no_more_tries(alice):
    spellings = [alice.email, alice.email.upper(), f" {alice.email} ", alice.email.replace("a", "ａ"), alice.email.title()]
    for spelling in spellings:
        attempt(spelling, "wrong password here")
    assert isinstance(attempt(alice.email, "wrong password here"), TooMany)


def test_right_passwords_are_never_counted(alice):
    for _day in range(8):
        assert attempt(alice.email, PASSWORD) is True
    for _try in range(4):
        assert attempt(alice.email, "wrong password here") is False
    assert attempt(alice.email, PASSWORD) is True


def test_one_address_has_thirty_wrong_passwords_and_a_colleagues_lock_costs_it_none(monkeypatch, open_clinic):
    monkeypatch.setattr(passwords, "matches", lambda _password, _hash: False)
    for n in range(30):
        assert attempt(f"stranger{n}@example.org", "wrong password here") is False
    assert isinstance(attempt("one.more@example.org", "wrong password here"), TooMany)
    assert attempt("one.more@example.org", "wrong password here", address="10.0.0.2") is False


def test_a_flood_of_refusals_is_one_security_event(alice, owner):
    for _try in range(12):
        attempt(alice.email, "wrong password here")
    with owner.connect() as connection:
        kinds = connection.execute(text("""
            select kind, count(*) from security_events
            where account_hash = encode(sha256(convert_to(:email, 'UTF8')), 'hex')
            group by kind order by kind
            """), {"email": alice.email}).all()
    assert kinds == [("sign_in_failed", 5), ("sign_in_limited", 1)]


def test_the_twenty_first_question_waits_and_an_emergency_does_not(alice):
    for n in range(20):
        workflows.ask(alice, None, f"How often should teeth be cleaned, number {n}?")
    with pytest.raises(TooMany):
        workflows.ask(alice, None, "And how often should one more be cleaned?")
    assert workflows.ask(alice, None, "My face is swelling and I can't breathe").tier == "E"


def test_the_eleventh_sign_up_of_one_address_waits(monkeypatch, database):
    from lib import settings
    configured = settings.get().model_copy(update={"limit_sign_up": 10})
    monkeypatch.setattr(settings, "get", lambda: configured)
    monkeypatch.setattr(passwords, "make_hash", lambda _password: "x")
    def sign_up(n: int) -> None:
        auth.sign_up(full_name="Ann Onym", clinic_name="Flood Dental", email=f"flood{n}.{id(monkeypatch)}@example.org",
                     password=PASSWORD, address="10.0.0.9")
    for n in range(10):
        sign_up(n)
    with pytest.raises(TooMany):
        sign_up(10)
    with pytest.raises(Invalid):
        auth.sign_up(full_name="", clinic_name="x", email="x", password="x", address="10.0.0.9")
