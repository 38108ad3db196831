"""What somebody who left, lost a role or was signed out may not take along. Each of these worked once."""

from uuid import UUID

import pytest

from lib import auth, db, resets, team
from lib.errors import Invalid, NoHelp, NotFound, NotSignedIn

NEW = "umbrella saxophone 71 lantern"


@pytest.fixture
def join():
    def make(boss, who, role: str) -> None:
        with db.scope(boss) as scope:
            token = team.invite(scope, who.email, role)
        assert team.accept(token, who.user_id) == boss.clinic_id
    return make


@pytest.fixture
def link_for(alice):
    def make(who, by=alice) -> str:
        with db.scope(by) as scope:
            return team.reset_password_link(scope, who.user_id)
    return make


def act(boss, name: str, user_id: UUID) -> None:
    with db.scope(boss) as scope:
        getattr(team, name)(scope, user_id)


@pytest.mark.parametrize("acts", [["sign_out"], ["deactivate", "reactivate"]], ids="-".join)
def test_a_session_that_was_elsewhere_at_that_moment_does_not_come_back(alice, bob, charlie, join, token_of, acts):
    join(charlie, bob, "receptionist")
    token = token_of(bob)
    auth.switch_clinic(auth.resume(token), charlie.clinic_id)
    for name in acts:
        act(alice, name, bob.user_id)
    assert auth.resume(token).clinic_id == charlie.clinic_id
    with pytest.raises(NotFound):
        auth.switch_clinic(auth.resume(token), alice.clinic_id)
    auth.switch_clinic(auth.resume(token_of(bob)), alice.clinic_id)


def test_a_session_from_before_a_sign_out_is_dead_even_where_it_was_not_revoked(alice, bob, owner, token_of):
    from sqlalchemy import text
    token = token_of(bob)
    act(alice, "sign_out", bob.user_id)
    with owner.begin() as connection:
        connection.execute(text("update sessions set revoked_at = null where user_id = :id"), {"id": bob.user_id})
    with pytest.raises(NotSignedIn):
        auth.resume(token)


@pytest.mark.parametrize("then", ["joins elsewhere", "owner leaves", "owner is demoted", "member leaves"])
def test_a_link_from_an_owner_is_void_once_they_could_not_hand_it_out_any_more(alice, bob, charlie, hire, join, link_for, then):
    olga = hire(alice, "owner", "Olga Owen")
    token = link_for(bob, by=olga)
    assert resets.find(token)
    if then == "joins elsewhere":
        join(charlie, bob, "receptionist")
    elif then == "owner leaves":
        act(alice, "deactivate", olga.user_id)
    elif then == "owner is demoted":
        with db.scope(alice) as scope:
            team.change_role(scope, olga.user_id, "manager")
    else:
        act(alice, "deactivate", bob.user_id)
    assert resets.find(token) is None
    with pytest.raises(Invalid):
        resets.choose(token, NEW)


def test_a_pause_elsewhere_makes_nobody_this_clinics_alone(alice, bob, charlie, join, link_for):
    join(charlie, bob, "owner")
    act(charlie, "deactivate", bob.user_id)
    with pytest.raises(NoHelp):
        link_for(bob)
