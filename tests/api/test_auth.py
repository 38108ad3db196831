"""Signing in by a program: tokens, their end, and the form's own rules."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from functools import partial
from uuid import uuid4

import bcrypt
import pyotp
import pytest
from sqlalchemy import text

from lib import account, auth, factors, grants, passwords, settings, tokens
from tests.conftest import PASSWORD


@pytest.fixture
def login(api):
    return lambda who, **more: api.post("auth/login", json={"email": who.email, "password": PASSWORD, **more})


def bearer(told: dict) -> dict[str, str]:
    return {"Authorization": f"Bearer {told['access_token']}"}


def kinds(owner, user_id) -> set[str]:
    with owner.connect() as connection:
        return set(connection.execute(text("select kind from security_events where user_id = :user"), {"user": user_id}).scalars())


def test_a_person_signs_in_and_is_known(api, login, alice):
    told = login(alice).json()
    me = api.get("auth/me", headers=bearer(told)).json()
    assert (me["email"], me["role"], me["clinic_id"], me["client"]) == (alice.email, "owner", str(alice.clinic_id), None)
    assert "audit.read" in me["permissions"]
    assert told["expires_in"] == 900


def test_somebody_opens_a_clinic(api):
    new = {"full_name": "Nora North", "clinic_name": "North Dental", "email": f"nora.{uuid4().hex[:12]}@example.org",
           "password": PASSWORD, "country": "DE"}
    answer = api.post("auth/register", json=new)
    assert answer.status_code == 201
    assert api.get("auth/me", headers=bearer(answer.json())).json()["role"] == "owner"
    assert api.post("auth/register", json=new).status_code == 409
    assert api.post("auth/register", json={**new, "password": "short"}).status_code == 422


@pytest.mark.one_process
@pytest.mark.parametrize("policy", ["first", "closed"])
def test_where_sign_up_is_closed_a_program_is_told_whom_to_ask(api, alice, monkeypatch, policy):
    monkeypatch.setenv("CHAIRSIDE_SIGNUP", policy)
    settings.get.cache_clear()
    new = {"full_name": "Nora North", "clinic_name": "North Dental", "email": f"nora.{uuid4().hex[:12]}@example.org", "password": PASSWORD}
    answer = api.post("auth/register", json=new)
    monkeypatch.undo()
    settings.get.cache_clear()
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Sign-up is closed. Ask whoever runs this installation to open a clinic for you."


def test_a_wrong_password_and_an_unknown_person_look_alike(api, alice):
    wrong, unknown = (api.post("auth/login", json={"email": email, "password": "wrong"})
                      for email in (alice.email, "nobody@example.org"))
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]
    assert wrong.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.one_process
def test_an_unknown_person_costs_as_much_hashing_as_a_known_one(api, alice, monkeypatch):
    """Counted, since a clock would not tell on a busy machine. From the first stranger of a process on."""
    passwords._nobodys_hash.cache_clear()
    asked, work, answers = [], [], []
    for name in ("checkpw", "hashpw"):
        def note(secret, known, do):
            asked.append((do.__name__, known[:7]))  # b"$2b$12$": twelve rounds
            return do(secret, known)
        monkeypatch.setattr(bcrypt, name, partial(note, do=getattr(bcrypt, name)))
    for email in (alice.email, f"{uuid4().hex}@example.org", "no address", alice.email.upper()):
        asked.clear()
        answers.append(api.post("auth/login", json={"email": email, "password": "wrong"}))
        work.append(list(asked))
    assert [one.status_code for one in answers] == [401] * 4
    assert len({one.json()["detail"] for one in answers}) == 1
    assert len({tuple(sorted(set(one.headers) - {"x-request-id"})) for one in answers}) == 1
    assert len(work[0]) == 1
    assert work == [work[0]] * 4


@pytest.mark.one_process
def test_the_sixth_wrong_password_waits(api, login, alice):
    """The form's own counter: what fails there counts here."""
    for _try in range(3):
        auth.verify(auth.find_account(alice.email), "wrong", address="127.0.0.1")
    for _try in range(2):
        api.post("auth/login", json={"email": alice.email, "password": "wrong"})
    refused = login(alice)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


def test_the_second_factor_comes_before_any_token(api, login, alice, cookie_of):
    who = auth.recognise(cookie_of(alice))
    secret = factors.begin(who).secret
    codes = factors.set_up(who, PASSWORD, secret, pyotp.TOTP(secret).now())
    told = login(alice).json()
    assert told["access_token"] is None
    shown = {"mfa_token": told["mfa_token"], "code": "000000"}
    assert api.post("auth/mfa/verify", json=shown).status_code == 401
    answer = api.post("auth/mfa/verify", json={**shown, "code": codes[0]})
    assert api.get("auth/me", headers=bearer(answer.json())).status_code == 200
    assert api.post("auth/mfa/verify", json={**shown, "code": codes[0]}).status_code == 401


def test_the_word_between_opens_nothing_and_ends_with_the_password(api, login, alice, cookie_of):
    who = auth.recognise(cookie_of(alice))
    secret = factors.begin(who).secret
    codes = factors.set_up(who, PASSWORD, secret, pyotp.TOTP(secret).now())
    between = login(alice).json()["mfa_token"]
    assert api.get("auth/me", headers={"Authorization": f"Bearer {between}"}).status_code == 401
    account.change_password(who, PASSWORD, "another horse staple 7")
    assert api.post("auth/mfa/verify", json={"mfa_token": between, "code": codes[0]}).status_code == 401


def test_a_refresh_token_is_good_once_and_used_again_ends_all(api, login, owner, alice):
    first = login(alice).json()
    second = api.post("auth/refresh", json={"refresh_token": first["refresh_token"]}).json()
    assert api.get("auth/me", headers=bearer(second)).status_code == 200
    assert api.post("auth/refresh", json={"refresh_token": first["refresh_token"]}).status_code == 401
    assert api.get("auth/me", headers=bearer(second)).status_code == 401
    assert api.post("auth/refresh", json={"refresh_token": second["refresh_token"]}).status_code == 401
    assert "refresh_reused" in kinds(owner, alice.user_id)


def test_another_sessions_end_is_its_own(api, login, alice):
    stolen, other = login(alice).json(), login(alice).json()
    for _time in range(2):
        api.post("auth/refresh", json={"refresh_token": stolen["refresh_token"]})
    assert api.get("auth/me", headers=bearer(other)).status_code == 200


def test_of_two_refreshes_at_once_one_wins_and_the_session_lives(alice, owner, database):
    """The second began before the first was through: it waits at the row, and is told so."""
    grant = grants.issue(auth.find_account(alice.email), keep=False, device="test", address="127.0.0.1")
    session = tokens.digest(grant.refresh.partition(".")[0])
    ask = "select app.rotate_refresh(:session, :old, :new)"
    with owner.connect() as first, owner.connect() as second, ThreadPoolExecutor() as threads:
        values = {"session": session, "old": tokens.digest(grant.refresh)}
        second.execute(text("select now()"))
        assert first.execute(text(ask), {**values, "new": uuid4().bytes * 2}).scalar_one() == "rotated"
        late = threads.submit(lambda: second.execute(text(ask), {**values, "new": uuid4().bytes * 2}).scalar_one())
        first.commit()
        assert late.result(10) == "met"
    assert auth.resume(grant.refresh.partition(".")[0]).user_id == alice.user_id


def test_a_refresh_token_of_nobody_is_refused(api, login, alice):
    told = login(alice).json()
    session = told["refresh_token"].partition(".")[0]
    for token in ("x", f"{session}.wrong", told["access_token"]):
        assert api.post("auth/refresh", json={"refresh_token": token[:200]}).status_code == 401
    assert api.get("auth/me", headers=bearer(told)).status_code == 200


def test_signing_out_ends_every_token_of_the_session(api, login, alice):
    told = login(alice).json()
    assert api.post("auth/logout", headers=bearer(told)).status_code == 204
    assert api.get("auth/me", headers=bearer(told)).status_code == 401
    assert api.post("auth/refresh", json={"refresh_token": told["refresh_token"]}).status_code == 401


def test_an_access_token_is_no_cookie_and_a_cookie_no_access_token(api, login, alice, cookie_of):
    told = login(alice).json()
    assert api.get("session", headers={"Cookie": f"chairside={told['access_token']}"}).status_code == 401
    assert api.get("auth/me", headers={"Authorization": f"Bearer {cookie_of(alice)}"}).status_code == 401


def test_an_access_token_lasts_a_quarter_of_an_hour(api, token_of, alice):
    old = tokens.make(alice.user_id, alice.email, token_of(alice), timedelta(seconds=-1), grants.AUDIENCE)
    assert api.get("auth/me", headers={"Authorization": f"Bearer {old}"}).status_code == 401


def test_with_a_token_no_cookie_is_looked_at(api, alice, cookie_of):
    answer = api.get("auth/me", headers={"Authorization": "Bearer wrong", "Cookie": f"chairside={cookie_of(alice)}"})
    assert answer.status_code == 401


def test_a_cookie_changes_nothing_from_another_site(api, origin, alice, cookie_of):
    name = "__Host-chairside" if origin.startswith("https") else "chairside"
    cookie = {"Cookie": f"{name}={cookie_of(alice)}"}
    assert api.post("patients", json={"full_name": "Ann"}, headers=cookie).status_code == 403
    assert api.post("patients", json={"full_name": "Ann"}, headers={**cookie, "Origin": origin}).status_code == 201


def test_a_session_changes_its_clinic(api, login, alice, charlie, owner):
    with owner.begin() as connection:
        connection.execute(text("""
            insert into memberships (clinic_id, user_id, role, display_name) values (:clinic, :user, 'manager', 'Alice Adams')
            """), {"clinic": charlie.clinic_id, "user": alice.user_id})
    told = login(alice).json()
    places = {place["id"] for place in api.get("clinics", headers=bearer(told)).json()}
    assert places == {str(alice.clinic_id), str(charlie.clinic_id)}
    here = api.get("auth/me", headers=bearer(told)).json()["clinic_id"]
    there = next(place for place in places if place != here)
    assert api.post(f"clinics/{there}/switch", headers=bearer(told)).status_code == 204
    assert api.get("auth/me", headers=bearer(told)).json()["clinic_id"] == there
    assert api.post(f"clinics/{uuid4()}/switch", headers=bearer(told)).status_code == 404


@pytest.mark.one_process
def test_nobody_waits_for_those_who_come_to_work_all_at_once(api, alice, login, monkeypatch):
    """More sign-ins than there are threads, and each of them stuck at the password."""
    headers, looked_at = bearer(login(alice).json()), threading.Event()
    monkeypatch.setattr(auth, "verify", lambda *_who, **_about: looked_at.wait(20) and False)
    with ThreadPoolExecutor(50) as people:
        coming = [people.submit(login, alice) for _person in range(50)]
        try:
            assert not wait(coming, timeout=0.5).done
            assert api.get("auth/me", headers=headers).status_code == 200
            assert not wait(coming, timeout=0).done
        finally:
            looked_at.set()
    assert {answer.result().status_code for answer in coming} == {401}
