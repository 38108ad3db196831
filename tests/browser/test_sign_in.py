"""Signing up, in and out, in a real browser."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from lib import auth
from tests.browser.conftest import cookie_name, go, next_look, settled, sign_in, sign_up

PAGES = ["", "patients", "patient", "patient_edit", "patient_import", "chat", "emergencies", "analytics", "clinic", "knowledge",
         "article_edit"]


def test_a_newcomer_signs_up_reloads_and_opens_another_tab(page):
    sign_up(page)
    page.reload()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    other = page.context.new_page()
    other.goto("/patients")
    expect(other.get_by_role("heading", name="Patients")).to_be_visible()
    cookie = next(cookie for cookie in page.context.cookies() if cookie["name"] == cookie_name(page.url))
    assert cookie["httpOnly"]
    assert page.evaluate("document.cookie.includes('chairside')") is False


def test_a_deep_link_shows_the_form_and_survives_the_sign_in(page, alice):
    page.goto("/patients?archived=1")
    sign_in(page, alice.email)
    expect(page.get_by_role("heading", name="Patients")).to_be_visible()
    assert "/patients" in page.url


def test_every_address_shows_the_form_to_a_stranger(page, alice):
    for path in PAGES:
        page.goto(f"/{path}")
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_count(0)


def test_a_wrong_password_gets_the_same_words_as_an_unknown_address(page, alice):
    page.goto("/")
    sign_in(page, alice.email, "wrong password here")
    expect(page.get_by_text("don't match an account")).to_be_visible()
    sign_in(page, "nobody@example.org", "wrong password here")
    expect(page.get_by_text("don't match an account")).to_be_visible()
    sign_in(page, alice.email.upper())
    expect(page.get_by_role("heading", name="Today")).to_be_visible()


def test_signing_out_ends_every_tab(page, alice):
    page.goto("/")
    sign_in(page, alice.email)
    settled(page)
    other = page.context.new_page()
    other.goto("/patients")
    settled(other)
    page.get_by_role("button", name="Sign out").click()
    for tab in (page, other):
        expect(tab.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        expect(tab.get_by_role("heading", level=1)).to_have_count(0)


def test_a_session_revoked_elsewhere_clears_the_open_page_at_its_next_look(signed_in, alice, owner):
    page = signed_in(alice)
    next_look(page)
    with owner.begin() as connection:
        connection.execute(text("update sessions set revoked_at = now() where user_id = :id"), {"id": alice.user_id})
    assert next_look(page).status == 401
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    assert page.get_by_role("heading", level=1).count() == 0


def test_a_former_member_is_out_too(signed_in, bob, owner):
    page = signed_in(bob, "/patients")
    next_look(page)
    with owner.begin() as connection:
        connection.execute(text("update memberships set ended_at = now() where user_id = :id"), {"id": bob.user_id})
    assert next_look(page).status == 401
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_a_weak_password_is_refused_and_nothing_typed_is_lost(page, alice):
    page.goto("/?form=sign-up")
    page.get_by_label("Full name").fill("José Müller-Nguyễn")
    page.get_by_label("Clinic name").fill("Park Dental")
    page.get_by_label("Email").fill("jose@example.org")
    page.get_by_label("Password", exact=True).fill("password123456")
    page.get_by_role("button", name="Create clinic").click()
    expect(page.get_by_text("easy to guess")).to_be_visible()
    expect(page.get_by_label("Full name")).to_have_value("José Müller-Nguyễn")


def test_no_page_breaks_the_content_policy_or_calls_another_host(signed_in, alice):
    """The fixture fails on any complaint of the console and any foreign request."""
    page = signed_in(alice)
    for path in PAGES:
        go(page, f"/{path}")
        settled(page)
        page.wait_for_timeout(300)


def test_the_ticket_is_in_no_address_and_works_once(page, alice):
    seen = []
    page.on("request", lambda request: seen.append((request.method, request.url, request.post_data)))
    page.goto("/")
    sign_in(page, alice.email)
    settled(page)
    bodies = [body for method, url, body in seen if method == "POST" and url.endswith("/api/v1/session")]
    assert len(bodies) == 1
    ticket = bodies[0].split('"')[3]
    assert not [url for _method, url, _body in seen if ticket in url]
    with pytest.raises(auth.NotSignedIn):
        auth.redeem_ticket(ticket, device="thief", address="127.0.0.1")
