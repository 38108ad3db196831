"""One person in several clinics: what the session may change to, and what it leaves behind."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from lib import auth, db, team
from lib.errors import NotFound, NotSignedIn


@pytest.fixture
def in_both(alice, charlie):
    """Alice, who owns her clinic and is a manager in Charlie's."""
    with db.scope(charlie) as scope:
        token = team.invite(scope, alice.email, "manager")
    assert team.accept(token, alice.user_id) == charlie.clinic_id
    return alice


def actions(who) -> list[str]:
    with db.scope(who) as scope:
        return [row[0] for row in scope.connection.execute(text("select action from audit_log where clinic_id = :clinic order by id"),
                                                           {"clinic": who.clinic_id})]


def test_a_session_changes_to_another_clinic_with_the_role_of_there(in_both, charlie, token_of):
    token = token_of(in_both)
    here = auth.resume(token)
    assert here.clinics == 2
    assert {(place.name, place.role, place.current) for place in auth.workplaces(here)} == {
        ("Adams Dental", "owner", True), ("Clark Dental", "manager", False)}
    auth.switch_clinic(here, charlie.clinic_id)
    there = auth.resume(token)
    assert (there.clinic_id, there.role) == (charlie.clinic_id, "manager")
    assert "leave_clinic" in actions(in_both)
    assert "enter_clinic" in actions(charlie)


def test_another_device_stays_where_it_is(in_both, charlie, token_of):
    first, second = token_of(in_both), token_of(in_both)
    auth.switch_clinic(auth.resume(first), charlie.clinic_id)
    assert auth.resume(second).clinic_id == in_both.clinic_id


@pytest.mark.parametrize("ended", [False, True])
def test_a_clinic_one_does_not_work_in_is_like_none(in_both, charlie, open_clinic, owner, token_of, ended):
    """SECURITY 17, and a clinic id of a membership that is over."""
    token, foreign = token_of(in_both), open_clinic("Dora Dent", "Dent Dental")
    target = charlie.clinic_id if ended else foreign.clinic_id
    if ended:
        with owner.begin() as connection:
            connection.execute(text("update memberships set ended_at = now() where clinic_id = :clinic and user_id = :user"),
                               {"clinic": target, "user": in_both.user_id})
    for clinic in (target, uuid4()):
        with pytest.raises(NotFound):
            auth.switch_clinic(auth.resume(token), clinic)
    assert auth.resume(token).clinic_id == in_both.clinic_id
    assert "leave_clinic" not in actions(in_both)


def test_whoever_is_removed_from_the_clinic_they_work_in_is_out_and_back_in_the_other(in_both, charlie, token_of):
    token = token_of(in_both)
    auth.switch_clinic(auth.resume(token), charlie.clinic_id)
    with db.scope(charlie) as scope:
        team.deactivate(scope, in_both.user_id)
    with pytest.raises(NotSignedIn):
        auth.resume(token)
    assert auth.find_account(in_both.email).clinic_id == in_both.clinic_id


def test_signing_in_leads_to_the_clinic_used_last(in_both, charlie, token_of):
    token = token_of(in_both)
    assert auth.find_account(in_both.email).clinic_id == in_both.clinic_id
    auth.switch_clinic(auth.resume(token), charlie.clinic_id)
    assert auth.find_account(in_both.email).clinic_id == charlie.clinic_id
