"""Links that people are handed: an invitation, a new password."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from lib import db, team
from tests.browser.conftest import settled, sign_in
from tests.conftest import PASSWORD

NEW = "umbrella saxophone 71 lantern"


@pytest.fixture
def invite(alice):
    def make(email: str, role: str = "receptionist") -> str:
        with db.scope(alice) as scope:
            return "/?invite=" + team.invite(scope, email, role)
    return make


def test_a_new_person_joins_with_the_senders_role(page, invite):
    email = f"nova.{uuid4().hex[:8]}@example.org"
    page.goto(invite(email, "clinician"))
    expect(page.get_by_text("Adams Dental invites you to join as Clinician")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value(email)
    page.get_by_label("Full name").fill("Nova Nguyễn")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("needs at least 12 characters")).to_be_visible()
    expect(page.get_by_label("Full name")).to_have_value("Nova Nguyễn")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("Nova Nguyễn · Clinician")).to_be_visible()
    expect(page.get_by_text("Adams Dental", exact=True)).to_be_visible()


def test_a_person_of_another_clinic_joins_by_signing_in_as_the_invited_address(page, invite, charlie, bob):
    address = invite(charlie.email)
    page.goto(address)
    page.get_by_text("I have an account").click()
    sign_in(page, bob.email)
    expect(page.get_by_text("is for another email")).to_be_visible()
    sign_in(page, charlie.email)
    expect(page.get_by_text("Charlie Clark · Receptionist")).to_be_visible()
    page.get_by_role("button", name="Clark Dental").click()
    expect(page.get_by_text("Charlie Clark · Owner")).to_be_visible()
    page.goto(address)
    settled(page)
    expect(page.get_by_role("button", name="Join")).to_have_count(0)


def test_somebody_who_is_signed_in_joins_by_one_click(signed_in, invite, charlie, bob):
    address = invite(charlie.email)
    stranger = signed_in(bob, address)
    expect(stranger.get_by_text("Sign out to use it")).to_be_visible()
    expect(stranger.get_by_role("button", name="Join")).to_have_count(0)
    page = signed_in(charlie, address)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("Charlie Clark · Receptionist")).to_be_visible()


def test_a_dead_link_says_so_and_leads_on(page, invite, alice):
    for dead in ("/?invite=x", "/?reset=x", "/?invite=" + "0" * 32 + ".x"):
        page.goto(dead)
        expect(page.get_by_text("Ask for a new one").or_(page.get_by_text("ask for a new one"))).to_be_visible()
        page.get_by_role("button", name="sign-in").click()
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_a_forgotten_password_is_replaced_by_an_owners_link(page, alice, bob):
    with db.scope(alice) as scope:
        token = team.reset_password_link(scope, bob.user_id)
    page.goto(f"/?reset={token}")
    expect(page.get_by_label("Email")).to_have_value(bob.email)
    page.get_by_label("New password", exact=True).fill("bob brown bob brown")
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_text("easy to guess")).to_be_visible()
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_text("Your password is changed")).to_be_visible()
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("Type your email and your password")).to_be_visible()
    sign_in(page, bob.email, NEW)
    expect(page.get_by_text("Bob Brown · Clinician")).to_be_visible()


def test_without_a_mail_server_the_form_says_who_can_help(page, alice):
    page.goto("/")
    page.get_by_role("button", name="Forgot your password?").click()
    expect(page.get_by_text("An owner of your clinic can give you a link")).to_be_visible()
