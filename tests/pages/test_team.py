"""The team's page, as owners and managers see it."""

import re

import pytest
from sqlalchemy import text

from lib import auth, credentials, db, team
from tests.conftest import PASSWORD
from tests.pages.conftest import texts
from ui.markdown import JOINER


@pytest.fixture
def visit(open_page):
    return lambda identity: open_page(identity, "team")


def button(at, key):
    return next((button for button in at.button if button.key == key), None)


def press(at, key, *opened_by):
    """AppTest reruns the whole page, so what opened a dialog has to be clicked again with what stands in it."""
    for name in (*opened_by, key):
        found = button(at, name)
        found.click()
    return at.run()


def labels(at) -> list[str]:
    return [button.label for button in at.button]


def plain(at) -> str:
    """As one reads it, without what keeps Markdown from making more of it."""
    return texts(at).replace("\\", "").replace(JOINER, "")


def role_of(boss, user_id):
    with db.scope(boss) as scope:
        member = team.get(scope, user_id)
    return member.role if member.ended_at is None else "left"


def toasts(at) -> str:
    return "".join(toast.value for toast in at.toast)


def submitted(identity, content=b"%PDF-1.7"):
    with db.scope(identity) as scope:
        credentials.submit(scope, "Endodontics *x*", "DE-<b>", credentials.read_document("a.pdf", content))


# members -------------------------------------------------------------------------------------------------------------


def test_an_owner_alone_is_told_to_invite(alice, visit):
    at = visit(alice)
    assert not at.exception
    assert at.title[0].value == "Team"
    assert "Nobody else works here yet" in texts(at)
    assert "Open invitations" not in texts(at)
    assert not at.text_input


def test_an_owner_manages_everybody_a_manager_receptionists(alice, bob, mona, rita, visit):
    assert labels(visit(alice)).count("Manage") == 4
    at = visit(mona)
    assert labels(at).count("Manage") == 1
    assert button(at, f"manage_{rita.user_id}")
    assert "Bob Brown" in texts(at)
    assert "Credentials" not in texts(at)


def test_two_people_of_one_name_are_told_apart_by_their_address(alice, mona, rita, hire, visit):
    double = hire(alice, "receptionist", "Rita Ross")
    shown = plain(visit(mona))
    assert rita.email in shown
    assert double.email in shown
    assert alice.email not in shown
    assert double.email in plain(press(visit(alice), f"manage_{double.user_id}"))
    with db.scope(alice) as scope:
        team.deactivate(scope, double.user_id)
    assert double.email in plain(visit(alice))


def test_a_name_is_only_a_name(alice, hire, visit):
    hire(alice, "clinician", "![x](http://evil.example/p.png) <b>")
    assert not [element for element in visit(alice).markdown if "![x](" in element.value]


def test_a_large_team_is_searched_and_paged(alice, hire, visit):
    for number in range(26):
        hire(alice, "clinician", f"Zoë Member{number:02}")
    at = visit(alice)
    assert labels(at).count("Manage") == 25
    at.text_input(key="team_search").set_value("zoe member07")
    at.run()
    assert labels(at).count("Manage") == 1
    at.text_input(key="team_search").set_value(alice.email)
    at.run()
    assert labels(at).count("Manage") == 1
    at.text_input(key="team_search").set_value("nobody at all")
    at.run()
    assert "Nobody by this name works here" in texts(at)


def test_changing_a_role_tells_what_it_may(alice, bob, visit):
    at = press(visit(alice), f"manage_{bob.user_id}")
    at.selectbox(key=f"role_{bob.user_id}").set_value("manager")
    at = press(at, f"manage_{bob.user_id}")
    assert "No medical notes, no chats" in texts(at)
    at = press(at, f"change_role_{bob.user_id}", f"manage_{bob.user_id}")
    assert not at.exception
    assert role_of(alice, bob.user_id) == "manager"
    assert "Bob Brown is Manager now" in toasts(at)


def test_the_last_owner_is_told_why_they_stay(alice, bob, visit):
    at = press(visit(alice), f"manage_{alice.user_id}")
    at = press(at, f"deactivate_{alice.user_id}", f"manage_{alice.user_id}")
    assert "last owner" in at.error[0].value
    assert role_of(alice, alice.user_id) == "owner"


def test_deactivating_signs_out_and_is_undone_by_one_click(alice, bob, visit, token_of):
    device = token_of(bob)
    at = press(visit(alice), f"manage_{bob.user_id}")
    at = press(at, f"deactivate_{bob.user_id}", f"manage_{bob.user_id}")
    assert role_of(alice, bob.user_id) == "left"
    with pytest.raises(auth.NotSignedIn):
        auth.resume(device)
    at = press(at, f"reactivate_{bob.user_id}")
    assert not at.exception
    assert role_of(alice, bob.user_id) == "clinician"
    assert "works here again" in toasts(at)


def test_a_manager_sees_but_does_not_bring_back_whom_an_owner_removed(alice, bob, mona, visit):
    with db.scope(alice) as scope:
        team.deactivate(scope, bob.user_id)
    at = visit(mona)
    assert "Bob Brown" in texts(at)
    assert "Reactivate" not in labels(at)


def test_signing_a_member_out_promises_this_clinic_alone(alice, bob, visit, token_of):
    device = token_of(bob)
    at = press(visit(alice), f"manage_{bob.user_id}")
    assert button(at, f"sign_out_{bob.user_id}").label == "Sign out of this clinic"
    at = press(at, f"sign_out_{bob.user_id}", f"manage_{bob.user_id}")
    assert "signed out of this clinic on every device" in toasts(at)
    with pytest.raises(auth.NotSignedIn):
        auth.resume(device)


def test_help_is_offered_by_owners_and_not_to_themselves(alice, bob, mona, rita, visit):
    at = press(visit(alice), f"manage_{bob.user_id}")
    assert {"Password link", "Remove second factor"} <= set(labels(at))
    assert "Password link" not in labels(press(visit(alice), f"manage_{alice.user_id}"))
    assert "Password link" not in labels(press(visit(mona), f"manage_{rita.user_id}"))


def test_a_password_link_is_shown_once(alice, bob, visit):
    at = press(visit(alice), f"manage_{bob.user_id}")
    at = press(at, f"password_{bob.user_id}", f"manage_{bob.user_id}")
    assert re.search(r"/\?reset=[\w-]{43}$", at.code[0].value)
    at = press(at, f"manage_{bob.user_id}")
    assert not at.code


def test_taking_a_factor_away_asks_for_the_name_and_says_when_it_may_not(alice, bob, visit, owner):
    """SECURITY 13."""
    with owner.begin() as connection:
        connection.execute(text("update users set totp_secret = 'x', totp_since = now(), password_reset_at = now() where id = :id"),
                           {"id": bob.user_id})
    at = press(visit(alice), f"manage_{bob.user_id}")
    assert button(at, f"factor_{bob.user_id}").disabled
    at.text_input(key=f"confirm_{bob.user_id}").set_value("bob brown")
    at = press(at, f"manage_{bob.user_id}")
    at = press(at, f"factor_{bob.user_id}", f"manage_{bob.user_id}")
    assert "never with password and second factor within 24 hours" in at.error[0].value
    assert button(at, f"deactivate_{bob.user_id}")  # a refusal takes nothing below it away
    with owner.begin() as connection:
        assert connection.execute(text("select totp_secret from users where id = :id"), {"id": bob.user_id}).scalar() == "x"


# invitations ---------------------------------------------------------------------------------------------------------


def invite(at, email, role=None):
    invite = next(button for button in at.button if button.label == "Invite")
    invite.click()
    at = at.run()
    at.text_input[-1].set_value(email)
    if role:
        at.radio[0].set_value(role)
    for button in at.button:
        if button.label in ("Invite", "Make the link"):
            button.click()
    return at.run()


def test_inviting_shows_a_link_that_works(alice, visit):
    at = invite(visit(alice), " nora.new@example.org ", "clinician")
    assert not at.exception
    token = at.code[0].value.partition("/?invite=")[2]
    found = team.find_invitation(token)
    assert (found.email, found.role) == ("nora.new@example.org", "clinician")
    assert "for 72 hours" in texts(at)
    assert token not in texts(visit(alice))


def test_a_refused_address_stays_in_its_field(alice, visit):
    at = invite(visit(alice), "nonsense")
    assert "does not look like an email" in at.error[0].value
    assert at.text_input[-1].value == "nonsense"


def test_a_manager_is_offered_receptionists_alone(mona, visit):
    at = visit(mona)
    next(button for button in at.button if button.label == "Invite").click()
    assert at.run().radio[0].options == ["Receptionist"]


def test_an_open_invitation_is_withdrawn_by_one_click(alice, visit):
    with db.scope(alice) as scope:
        token = team.invite(scope, "nora@example.org", "clinician")
        invitation = team.invitations(scope)[0]
    at = visit(alice)
    assert "nora@" in texts(at)
    at = press(at, f"withdraw_{invitation.id}")
    assert team.find_invitation(token) is None
    assert "nora@" not in texts(at)


def test_what_is_gone_already_is_said(alice, visit):
    with db.scope(alice) as scope:
        team.invite(scope, "nora@example.org", "clinician")
        invitation = team.invitations(scope)[0]
    at = visit(alice)
    with db.scope(alice) as scope:
        team.withdraw(scope, invitation.id)
    at = press(at, f"withdraw_{invitation.id}")
    assert not at.exception
    assert "nothing here by that address" in toasts(at)


def test_a_click_after_losing_the_role_does_nothing(alice, hire, rita, visit):
    olga = hire(alice, "owner", "Olga Owens")
    with db.scope(alice) as scope:
        token = team.invite(scope, "nora@example.org", "clinician")
        invitation = team.invitations(scope)[0]
    at = visit(olga)
    with db.scope(alice) as scope:
        team.change_role(scope, olga.user_id, "receptionist")
    press(at, f"withdraw_{invitation.id}")
    assert team.find_invitation(token)


# credentials ---------------------------------------------------------------------------------------------------------


def review(at, bob, key, reason=None):
    at = press(at, f"review_{bob.user_id}")
    if reason:
        at.text_area(key=f"kept_review_{bob.user_id}").set_value(reason)
    return press(at, key, f"review_{bob.user_id}")


def status(identity):
    with db.scope(identity) as scope:
        return credentials.own(scope).status


def test_an_owner_approves_what_they_looked_at(alice, bob, visit):
    submitted(bob)
    at = press(visit(alice), f"review_{bob.user_id}")
    assert "Endodontics \\*x\\*" in texts(at)
    assert "\\<b\\>" in texts(at)
    assert f"/api/v1/credentials/{bob.user_id}/document" in [link.proto.url for link in at.get("link_button")]
    at = press(at, f"approved_{bob.user_id}", f"review_{bob.user_id}")
    assert not at.exception
    assert status(bob) == "approved"


def test_rejecting_needs_a_reason(alice, bob, visit):
    submitted(bob)
    at = review(visit(alice), bob, f"rejected_{bob.user_id}")
    assert "say why" in at.error[0].value
    assert status(bob) == "pending"
    at = review(visit(alice), bob, f"rejected_{bob.user_id}", "No stamp")
    assert status(bob) == "rejected"


def test_what_changed_while_it_was_open_is_not_approved(alice, bob, visit):
    submitted(bob)
    at = press(visit(alice), f"review_{bob.user_id}")
    submitted(bob, b"%PDF-1.7 another")
    at = press(at, f"approved_{bob.user_id}", f"review_{bob.user_id}")
    assert "changed meanwhile" in at.error[0].value
    assert status(bob) == "pending"


def test_suspending_and_lifting_it(alice, bob, visit):
    submitted(bob)
    review(visit(alice), bob, f"approved_{bob.user_id}")
    review(visit(alice), bob, f"suspended_{bob.user_id}", "Lapsed")
    assert status(bob) == "suspended"
    at = press(visit(alice), f"review_{bob.user_id}")
    assert "Lift the suspension" in labels(at)
    press(at, f"approved_{bob.user_id}", f"review_{bob.user_id}")
    assert status(bob) == "approved"


# the clinician's own form, as the page Account shows it -------------------------------------------------------------


def own_form(identity, token_of):
    from streamlit.testing.v1 import AppTest

    def script():
        from ui import guard, team_credentials
        team_credentials.form(guard.require("account.own"))
    at = AppTest.from_function(script, default_timeout=15)
    at.user = {"session": token_of(identity)}
    return at.run()


def test_a_clinician_submits_with_a_document(bob, token_of):
    at = own_form(bob, token_of)
    at.text_input(key="kept_credentials_specialization").set_value("Orthodontics")
    at.text_input(key="kept_credentials_licence").set_value("DE-1")
    at.file_uploader[0].upload("Lizenz.pdf", b"%PDF-1.7 x", "application/pdf")
    at = at.button[0].click().run()
    assert not at.exception
    assert not at.error
    with db.scope(bob) as scope:
        assert credentials.own(scope).file_name == "Lizenz.pdf"


def test_a_refused_file_costs_nothing_typed(bob, token_of):
    at = own_form(bob, token_of)
    at.text_input(key="kept_credentials_specialization").set_value("Orthodontics")
    at.text_input(key="kept_credentials_licence").set_value("DE-1")
    at.file_uploader[0].upload("Lizenz.pdf", b"<html>", "application/pdf")
    at = at.button[0].click().run()
    assert "no PDF, PNG or JPEG" in at.error[0].value
    assert at.text_input(key="kept_credentials_specialization").value == "Orthodontics"
    with db.scope(bob) as scope:
        assert credentials.own(scope) is None


def test_a_rejection_is_told_with_its_reason(alice, bob, token_of):
    submitted(bob)
    with db.scope(alice) as scope:
        credentials.decide(scope, bob.user_id, "rejected", "No *stamp*", version=1)
    at = own_form(bob, token_of)
    assert "No \\*stamp\\*" in at.info[0].value
    assert "Rejected" in texts(at)


def test_a_suspended_clinician_has_no_form(alice, bob, token_of):
    submitted(bob)
    with db.scope(alice) as scope:
        credentials.decide(scope, bob.user_id, "approved", version=1)
        credentials.decide(scope, bob.user_id, "suspended", "Lapsed", version=2)
    at = own_form(bob, token_of)
    assert not at.text_input
    assert "Lapsed" in at.info[0].value


@pytest.mark.parametrize("role", ["manager", "receptionist"])
def test_who_treats_nobody_has_none(alice, hire, role, token_of):
    at = own_form(hire(alice, role, "Some Body"), token_of)
    assert not at.text_input
    assert not at.subheader


def test_joining_by_the_link_of_the_page(alice, visit):
    """The whole way without mail: link, account, membership, sign-in."""
    token = invite(visit(alice), "nora.whole@example.org", "receptionist") .code[0].value.partition("/?invite=")[2]
    team.open_account(token, "Nora New", PASSWORD)
    account = auth.find_account("nora.whole@example.org")
    assert auth.verify(account, PASSWORD)
    assert team.accept(token, account.id) == alice.clinic_id
    assert auth.find_account("nora.whole@example.org").clinic_id == alice.clinic_id
