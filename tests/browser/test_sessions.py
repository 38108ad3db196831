"""Sessions as people meet them: ended from elsewhere, gone idle, moved to another clinic, guarded by a second factor."""

import re
import time
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from lib import auth, db, factors, team, tokens
from tests.browser.conftest import next_look, sign_in
from tests.conftest import PASSWORD

BRIDGE = Path(__file__).parents[2] / "ui" / "components" / "bridge.js"


@pytest.fixture
def age(owner):
    """Let somebody's sessions have sat idle for that long."""
    def make(who, interval: str) -> None:
        with owner.begin() as connection:
            connection.execute(text("update sessions set seen_at = now() - cast(:age as interval) where user_id = :id"),
                               {"age": interval, "id": who.user_id})
    return make


def test_of_two_windows_the_revoked_one_stops_within_five_seconds(signed_in, owner, alice):
    """SECURITY 3 and 12: revocation holds on an open page, and for that session alone. The page looks every so often, and its
    first look ends it."""
    first, second = signed_in(alice, "/patients"), signed_in(alice, "/patients")
    for window in (first, second):
        expect(window.get_by_role("heading", name="Patients")).to_be_visible()
    cookie = second.context.cookies()[0]["value"]
    next_look(second)  # the one after it begins when the session has ended
    with owner.begin() as connection:
        connection.execute(text("update sessions set revoked_at = now() where id = :id"),
                           {"id": tokens.digest(tokens.read(cookie).id)})
    assert next_look(second).status == 401
    assert int(re.search(r"CHECK_EVERY = ([\d_]+)", BRIDGE.read_text())[1]) < 5_000
    expect(second.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(second.get_by_role("heading", name="Patients")).to_be_hidden()
    first.get_by_role("button", name="Add patient").click()
    expect(first.get_by_label("Full name")).to_be_visible()


def test_an_idle_tab_warns_keeps_what_was_typed_and_signs_out(signed_in, age, alice):
    """The text is still in the field, not committed by leaving it, when the warning comes."""
    page = signed_in(alice, "/patient_edit")
    page.get_by_label("Full name").fill("José Müller-Nguyễn")
    page.get_by_label("Phone").press_sequentially("+49 30 123")
    page.wait_for_timeout(1500)  # the run that the name began is over
    age(alice, "29 minutes 15 seconds")
    warning = page.get_by_role("alertdialog")
    expect(warning).to_contain_text("signed out in")
    page.wait_for_timeout(2500)
    with db.scope(alice) as scope:
        draft = scope.value("select data from drafts where clinic_id = :clinic_id and user_id = :me", me=alice.user_id)
    assert draft["values"]["phone"] == "+49 30 123"
    age(alice, "31 minutes")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    sign_in(page, alice.email)
    expect(page.get_by_label("Phone")).to_have_value("+49 30 123")


def test_saving_a_draft_by_itself_keeps_no_idle_session_alive(signed_in, age, owner, alice):
    page = signed_in(alice, "/patient_edit")
    page.get_by_label("Full name").press_sequentially("Ann")
    page.wait_for_timeout(1500)
    age(alice, "29 minutes 15 seconds")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    page.wait_for_timeout(2500)
    with owner.connect() as connection:
        idle = connection.execute(text("select extract(epoch from now() - max(seen_at)) from sessions where user_id = :id"),
                                  {"id": alice.user_id}).scalar()
    assert idle > 29 * 60


def test_staying_signed_in_takes_one_click(signed_in, age, alice):
    page = signed_in(alice, "/patients")
    expect(page.get_by_role("heading", name="Patients")).to_be_visible()
    age(alice, "29 minutes 15 seconds")
    page.get_by_role("button", name="Stay signed in").click()
    expect(page.get_by_role("alertdialog")).to_be_hidden()
    page.get_by_role("button", name="Add patient").click()
    expect(page.get_by_label("Full name")).to_be_visible()


def test_another_tab_follows_into_the_other_clinic_and_writes_nothing_there(signed_in, alice, charlie):
    """A form opened in one clinic must never be saved into another."""
    with db.scope(charlie) as scope:
        token = team.invite(scope, alice.email, "clinician")
    team.accept(token, alice.user_id)
    first = signed_in(alice, "/patients")
    second = first.context.new_page()
    second.goto("/patient_edit")
    second.get_by_label("Full name").fill("Belongs to Adams")
    first.get_by_role("button", name="Clark Dental").click()
    expect(first.get_by_text("Alice Adams · Clinician")).to_be_visible()
    expect(second.get_by_text("Alice Adams · Clinician")).to_be_visible()
    with db.scope(charlie) as scope:
        assert scope.value("select count(*) from patients where clinic_id = :clinic_id") == 0
        assert scope.value("select count(*) from audit_log where clinic_id = :clinic_id and action = 'enter_clinic'") == 1


def test_a_second_factor_stands_behind_the_password(page, token_of, alice):
    """SECURITY 13: a wrong code, the right one, and the right one once more."""
    secret = factors.begin(alice).secret
    codes = factors.set_up(auth.resume(token_of(alice)), PASSWORD, secret, pyotp.TOTP(secret).now())
    page.goto("/patients")
    sign_in(page, alice.email)
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("This code doesn't match")).to_be_visible()
    code = pyotp.TOTP(secret).at(time.time() + 30)  # the one of setting it up is used already
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Patients")).to_be_visible()
    assert not factors.check(alice.user_id, code, email=alice.email)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, alice.email)
    page.get_by_label("Code", exact=True).fill(codes[0].upper().replace("-", " "))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
