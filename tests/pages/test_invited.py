"""An invitation's link in the tab of somebody who is signed in."""

import pytest

from lib import db, rate_limits, team
from lib.errors import TooMany
from tests.pages.conftest import texts

VOID = "used already, was withdrawn"


@pytest.fixture
def invite():
    def make(boss, email: str, role: str = "receptionist") -> str:
        with db.scope(boss) as scope:
            return team.invite(scope, email, role)
    return make


def button(at, label: str):
    return next((button for button in at.button if button.label == label), None)


def members(boss) -> set:
    with db.scope(boss) as scope:
        return {one.user_id for one in team.members(scope)}


def test_the_invited_person_joins_by_one_click(open_page, alice, charlie, invite):
    at = open_page(charlie, "today", invite=invite(alice, f" {charlie.email.upper()}"))
    at = button(at, "Join").click().run()
    assert not at.exception
    assert charlie.user_id in members(alice)
    assert "invite" not in at.query_params


def test_a_click_on_join_counts_as_a_change(open_page, alice, charlie, invite, monkeypatch):
    def refuse(kind: str, *_subject: object) -> None:
        if kind == "changes":
            raise TooMany(60)
    at = open_page(charlie, "today", invite=invite(alice, charlie.email))
    monkeypatch.setattr(rate_limits, "spend", refuse)
    button(at, "Join").click().run()
    assert charlie.user_id not in members(alice)


def test_somebody_else_is_told_whose_it_is_and_offered_nothing(open_page, alice, bob, charlie, invite):
    token = invite(charlie, "nora@example.org")
    at = open_page(bob, "today", invite=token)
    assert "This invitation is for nora@" in texts(at).replace("\\", "")
    assert "Sign out to use it" in texts(at)
    assert button(at, "Join") is None
    at = button(at, "Dismiss").click().run()
    assert "invite" not in at.query_params
    assert "This invitation" not in texts(at)
    assert team.find_invitation(token)


@pytest.mark.parametrize("token", ["x", "0" * 32 + ".x", "0" * 32 + "." + "a" * 43])
def test_a_dead_link_says_so_until_it_is_dismissed(open_page, alice, token):
    at = open_page(alice, "today", invite=token)
    assert VOID in texts(at)
    at = button(at, "Dismiss").click().run()
    assert "invite" not in at.query_params
    assert VOID not in texts(at)


def test_the_link_that_has_just_let_somebody_in_says_nothing(open_page, alice, bob, invite):
    token = invite(alice, bob.email)
    assert team.accept(token, bob.user_id)
    at = open_page(bob, "today", invite=token)
    assert not at.exception
    assert VOID not in texts(at)
    assert "invite" not in at.query_params


def test_signed_out_a_button_leads_on_without_the_invitation(open_page, alice, invite):
    at = open_page(None, "today", invite=invite(alice, "nora@example.org"))
    assert button(at, "Continue without the invitation")
    at = button(at, "Continue without the invitation").click().run()
    assert "invite" not in at.query_params
    assert "invites you" not in texts(at)
