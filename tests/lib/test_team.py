"""Who manages whom, invitations, and an owner's help. Rules are tried through lib/team.py and, by raw SQL, below it."""

import threading
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text

from lib import auth, db, mail, settings, team, tokens
from lib.errors import AppError, Conflict, Forbidden, Invalid, LastOwner, NoHelp, NotFound, NotSignedIn
from tests.conftest import PASSWORD


def run(identity, action, *arguments):
    with db.scope(identity) as scope:
        return action(scope, *arguments)


def address() -> str:
    return f"new.{uuid4().hex[:12]}@example.org"


def role_of(identity, user_id):
    with db.scope(identity) as scope:
        member = next(one for one in team.members(scope) if one.user_id == user_id)
    return member.role if member.ended_at is None else "left"


def audited(boss, action) -> list:
    """What stands in the audit log of the boss's clinic about one action."""
    with db.scope(boss) as scope:
        return scope.connection.execute(text("""
            select user_id, resource, resource_id, fields, audit_log::text as whole from audit_log where action = :action
            """), {"action": action}).all()


def join(token, full_name="Nora New"):
    """As the person who got the link: opens an account, accepts, signs in."""
    email = team.find_invitation(token).email
    team.open_account(token, full_name, PASSWORD)
    account = auth.find_account(email)
    assert team.accept(token, account.id)
    return account


@pytest.fixture
def olga(alice, hire):
    """A second owner."""
    return hire(alice, "owner", "Olga Owens")


@pytest.fixture
def rosa(alice, hire):
    return hire(alice, "receptionist", "Rosa Reed")


# members -------------------------------------------------------------------------------------------------------------


def test_the_list_is_by_name_and_keeps_those_who_left(alice, bob, rita):
    run(alice, team.deactivate, rita.user_id)
    found = run(alice, team.members)
    assert [member.display_name for member in found] == ["Alice Adams", "Bob Brown", "Rita Ross"]
    assert [member.ended_at is not None for member in found] == [False, False, True]


def test_whoever_manages_somebody_sees_their_address(alice, bob, mona, rita, hire):
    double = hire(alice, "receptionist", rita.full_name)
    assert {member.user_id: member.email for member in run(alice, team.members)} == {
        who.user_id: who.email for who in (alice, bob, mona, rita, double)}
    assert {member.user_id: member.email for member in run(mona, team.members)} == {
        alice.user_id: None, bob.user_id: None, mona.user_id: None, rita.user_id: rita.email, double.user_id: double.email}
    assert run(mona, team.get, rita.user_id).email == rita.email
    assert run(mona, team.get, bob.user_id).email is None


def test_addresses_stay_with_the_clinic_and_its_managers(alice, bob, rita, charlie):
    """By raw SQL, too: the rule is the schema's."""
    for somebody, seen in ((alice, 3), (bob, 0), (rita, 0), (charlie, 1)):
        assert run(somebody, lambda scope: scope.value("select count(*) from app.member_emails()")) == seen
    with db.nobody() as connection:
        assert connection.execute(text("select count(*) from app.member_emails()")).scalar() == 0


@pytest.mark.parametrize("role", ["clinician", "receptionist"])
def test_only_owners_and_managers_see_the_team(alice, hire, role):
    someone = hire(alice, role, "Some Body")
    for action in (team.members, team.invitations):
        with pytest.raises(Forbidden):
            run(someone, action)


def test_looking_at_the_team_is_on_record(alice):
    run(alice, team.members)
    assert [row.resource for row in audited(alice, "list")] == ["team"]


def test_an_owner_changes_any_role(alice, bob):
    run(alice, team.change_role, bob.user_id, "manager")
    assert role_of(alice, bob.user_id) == "manager"
    assert [(row.resource_id, row.fields) for row in audited(alice, "change_role")] == [(str(bob.user_id), ["role"])]


def test_what_changes_nothing_is_said_and_not_recorded(alice, bob):
    with pytest.raises(Conflict, match="Bob Brown has this role already"):
        run(alice, team.change_role, bob.user_id, "clinician")
    with pytest.raises(Conflict, match="works here already"):
        run(alice, team.reactivate, bob.user_id)
    run(alice, team.deactivate, bob.user_id)
    with pytest.raises(Conflict, match="has left already"):
        run(alice, team.deactivate, bob.user_id)
    assert audited(alice, "change_role") == audited(alice, "reactivate") == []


def test_a_role_that_does_not_exist_is_refused(alice, bob):
    with pytest.raises(Invalid):
        run(alice, team.change_role, bob.user_id, "admin")


@pytest.mark.parametrize("action", [lambda scope, who: team.change_role(scope, who, "receptionist"), team.deactivate,
                                    team.reactivate, team.sign_out, team.reset_password_link, team.reset_factor])
def test_a_foreign_member_answers_like_nobody(alice, bob, charlie, action):
    """SECURITY 17."""
    with pytest.raises(NotFound) as foreign:
        run(charlie, action, bob.user_id)
    with pytest.raises(NotFound) as random:
        run(charlie, action, uuid4())
    assert str(foreign.value) == str(random.value)
    assert role_of(alice, bob.user_id) == "clinician"


# a manager -----------------------------------------------------------------------------------------------------------


def test_a_manager_manages_receptionists(alice, mona, rita):
    run(mona, team.deactivate, rita.user_id)
    assert role_of(alice, rita.user_id) == "left"
    run(mona, team.reactivate, rita.user_id)
    run(mona, team.sign_out, rita.user_id)
    assert role_of(alice, rita.user_id) == "receptionist"


@pytest.mark.parametrize("action", [lambda scope, who: team.change_role(scope, who, "receptionist"), team.deactivate,
                                    team.sign_out, team.reset_password_link, team.reset_factor])
@pytest.mark.parametrize("role", ["owner", "manager", "clinician"])
def test_a_manager_touches_nobody_else(alice, mona, hire, role, action):
    other = hire(alice, role, "Other One")
    with pytest.raises(Forbidden):
        run(mona, action, other.user_id)
    assert role_of(alice, other.user_id) == role


@pytest.mark.parametrize("role", ["owner", "manager", "clinician"])
def test_a_manager_hands_out_no_role_but_receptionist(alice, mona, rita, role):
    for action, subject in ((team.change_role, rita.user_id), (team.change_role, mona.user_id)):
        with pytest.raises(Forbidden):
            run(mona, action, subject, role)
    with pytest.raises(Forbidden):
        run(mona, team.invite, address(), role)
    assert (role_of(alice, rita.user_id), role_of(alice, mona.user_id)) == ("receptionist", "manager")


def test_a_manager_cannot_bring_back_whom_only_an_owner_removes(alice, bob, mona):
    run(alice, team.deactivate, bob.user_id)
    with pytest.raises(Forbidden):
        run(mona, team.reactivate, bob.user_id)
    assert role_of(alice, bob.user_id) == "left"


@pytest.mark.parametrize("statement", [
    "update memberships set role = 'receptionist' where role <> 'receptionist'",
    "update memberships set ended_at = now() where role <> 'receptionist'",
    "update memberships set role = 'owner' where user_id = :me",
    "update invitations set withdrawn_at = now()",
])
def test_raw_sql_under_a_managers_scope_moves_nobody_but_receptionists(alice, bob, mona, statement):
    """What row-level security refuses without an error: nothing is touched."""
    run(alice, team.invite, address(), "clinician")
    with db.scope(mona) as scope:
        assert scope.run(statement, me=mona.user_id) == 0


@pytest.mark.parametrize("statement", [
    "update memberships set role = 'manager' where user_id = :rita",
    "insert into memberships (clinic_id, user_id, role, display_name) values (:clinic_id, :rita, 'owner', 'Rita')",
    "insert into invitations (clinic_id, email, role, token_hash, invited_by) values (:clinic_id, 'x@x.org', 'owner', :hash, :me)",
    "insert into invitations (clinic_id, email, role, token_hash, invited_by) values (:clinic_id, 'x@x.org', 'receptionist', :hash, :alice)",
    "update invitations set role = 'owner'",
    "update invitations set expires_at = now() + interval '1 year'",
    "select token_hash from invitations",
    "delete from memberships",
    "select app.end_sessions(:alice, null)",
])
def test_raw_sql_under_a_managers_scope_is_refused(alice, mona, rita, statement):
    with pytest.raises(Forbidden), db.unwitnessed(mona) as scope:
        scope.run(statement, rita=rita.user_id, me=mona.user_id, alice=alice.user_id, hash=bytes(32))


@pytest.mark.parametrize("role", ["clinician", "receptionist"])
def test_the_others_manage_nobody_not_even_by_raw_sql(alice, hire, rita, role):
    someone = hire(alice, role, "Some Body")
    with db.scope(someone) as scope:
        assert scope.run("update memberships set role = 'owner'") == 0
        assert scope.run("update memberships set ended_at = now()") == 0
    with pytest.raises(Forbidden):
        run(someone, team.invite, address(), "receptionist")


# the last owner ------------------------------------------------------------------------------------------------------


def test_the_last_owner_stays(alice, bob):
    with pytest.raises(LastOwner, match="last owner"):
        run(alice, team.change_role, alice.user_id, "clinician")
    with pytest.raises(LastOwner):
        run(alice, team.deactivate, alice.user_id)
    assert role_of(alice, alice.user_id) == "owner"


def test_one_of_two_owners_may_go(alice, olga):
    run(alice, team.change_role, alice.user_id, "clinician")
    assert role_of(olga, alice.user_id) == "clinician"


def test_a_former_owner_keeps_no_clinic(alice, olga):
    run(alice, team.deactivate, olga.user_id)
    with pytest.raises(LastOwner):
        run(alice, team.deactivate, alice.user_id)


@pytest.mark.parametrize("action", [team.deactivate, lambda scope, who: team.change_role(scope, who, "clinician")])
def test_two_owners_who_remove_each_other_at_once_leave_exactly_one(open_clinic, hire, action):
    for _round in range(5):
        alice = open_clinic()
        olga = hire(alice, "owner", "Olga Owens")
        outcomes, ready = [], threading.Barrier(2)

        def remove(boss, other, outcomes=outcomes, ready=ready):
            try:
                with db.scope(boss) as scope:
                    ready.wait()
                    action(scope, other.user_id)
                outcomes.append("done")
            except AppError as error:
                outcomes.append(type(error).__name__)
        threads = [threading.Thread(target=remove, args=pair) for pair in ((alice, olga), (olga, alice))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["LastOwner", "done"]


# sessions ------------------------------------------------------------------------------------------------------------


def test_deactivation_ends_every_session_and_reactivation_revives_none(alice, bob, token_of):
    devices = [token_of(bob), token_of(bob)]
    run(alice, team.deactivate, bob.user_id)
    for device in devices:
        with pytest.raises(NotSignedIn):
            auth.resume(device)
    run(alice, team.reactivate, bob.user_id)
    for device in devices:
        with pytest.raises(NotSignedIn):
            auth.resume(device)
    assert auth.resume(token_of(bob)).role == "clinician"


def test_whoever_left_is_let_in_nowhere(alice, bob):
    run(alice, team.deactivate, bob.user_id)
    with pytest.raises(Forbidden), db.scope(bob):
        pass
    with pytest.raises(Forbidden, match="not a member of any clinic"):
        auth.issue_ticket(auth.find_account(bob.email), keep=False)


def test_signing_a_member_out_ends_their_sessions_here_and_leaves_the_membership(alice, bob, token_of):
    here = [token_of(bob), token_of(bob)]
    other = token_of(alice)
    assert run(alice, team.sign_out, bob.user_id) == 2
    for device in here:
        with pytest.raises(NotSignedIn):
            auth.resume(device)
    assert auth.resume(other).user_id == alice.user_id
    assert auth.resume(token_of(bob)).role == "clinician"
    assert [row.resource_id for row in audited(alice, "sign_out_member")] == [str(bob.user_id)]


def test_a_session_in_another_clinic_is_not_this_ones_business(alice, bob, charlie, token_of):
    assert team.accept(run(charlie, team.invite, bob.email, "receptionist"), bob.user_id) == charlie.clinic_id
    token = token_of(bob)
    with db.nobody() as connection:
        assert connection.execute(text("select app.switch_clinic(:session, :clinic)"),
                                  {"session": tokens.digest(token), "clinic": charlie.clinic_id}).scalar()
    run(alice, team.sign_out, bob.user_id)
    run(alice, team.deactivate, bob.user_id)
    assert auth.resume(token).clinic_id == charlie.clinic_id


# invitations ---------------------------------------------------------------------------------------------------------


def test_an_invited_person_joins_with_the_role_the_sender_chose(alice):
    email = address()
    token = run(alice, team.invite, email, "clinician")
    found = team.find_invitation(token)
    assert (found.clinic_id, found.clinic_name, found.email, found.role) == (alice.clinic_id, "Adams Dental", email, "clinician")
    account = join(token)
    assert role_of(alice, account.id) == "clinician"
    assert [(row.user_id, row.resource_id) for row in audited(alice, "join")] == [(account.id, str(account.id))]


def test_an_invitation_is_good_once(alice):
    token = run(alice, team.invite, address(), "clinician")
    account = join(token)
    assert team.find_invitation(token) is None
    assert team.accept(token, account.id) is None
    with pytest.raises(Invalid, match="used or withdrawn"):
        team.open_account(token, "Nora New", PASSWORD)


def test_two_tabs_that_accept_at_once_make_one_member(alice, bob, charlie):
    token = run(charlie, team.invite, bob.email, "clinician")
    joined = []
    threads = [threading.Thread(target=lambda: joined.append(team.accept(token, bob.user_id))) for _tab in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(joined) == 4
    assert charlie.clinic_id in joined
    assert role_of(charlie, bob.user_id) == "clinician"


def test_an_expired_invitation_is_void(alice, owner):
    token = run(alice, team.invite, address(), "clinician")
    later(owner, token, "71 hours 59 minutes")
    assert team.find_invitation(token)
    later(owner, token, "2 minutes")
    assert team.find_invitation(token) is None
    assert run(alice, team.invitations) == []


def later(owner, token, interval):
    """As if this much time had passed for an invitation."""
    with owner.begin() as connection:
        connection.execute(text("update invitations set expires_at = expires_at - cast(:interval as interval) where token_hash = :hash"),
                           {"interval": interval, "hash": tokens.digest(token)})


def test_a_withdrawn_invitation_is_void(alice):
    token = run(alice, team.invite, address(), "clinician")
    invitation = run(alice, team.invitations)[0]
    run(alice, team.withdraw, invitation.id)
    assert team.find_invitation(token) is None
    assert run(alice, team.invitations) == []
    with pytest.raises(NotFound):
        run(alice, team.withdraw, invitation.id)
    assert [row.resource_id for row in audited(alice, "withdraw_invitation")] == [str(invitation.id)]


def test_a_foreign_invitation_is_not_withdrawn(alice, charlie, mona):
    token = run(alice, team.invite, address(), "clinician")
    invitation = run(alice, team.invitations)[0]
    for somebody in (charlie, mona):
        with pytest.raises(NotFound):
            run(somebody, team.withdraw, invitation.id)
        assert run(somebody, team.invitations) == []
    assert team.find_invitation(token)


@pytest.mark.parametrize("garbled", ["", "x", "x.y", ".", "0" * 32, "\0", "\ud800", "💥" * 40, "a" * 100_000, "{}." + "a" * 43,
                                     "0" * 32 + "." + "a" * 43, "' or true --"])
def test_a_garbled_token_finds_nothing_and_breaks_nothing(alice, garbled):
    assert team.find_invitation(garbled) is None
    assert team.accept(garbled, alice.user_id) is None
    with pytest.raises(Invalid):
        team.open_account(garbled, "Nora New", PASSWORD)


def test_a_token_under_another_clinics_name_is_void(alice, charlie):
    token = run(alice, team.invite, address(), "clinician")
    assert team.find_invitation(charlie.clinic_id.hex + token[32:]) is None


def test_only_the_invited_address_is_let_in(alice, charlie, owner):
    """SECURITY 13."""
    token = run(alice, team.invite, address(), "owner")
    assert team.accept(token, charlie.user_id) is None
    assert team.accept(token, uuid4()) is None
    assert team.find_invitation(token)
    with pytest.raises(Forbidden), db.unwitnessed(replace(charlie, clinic_id=alice.clinic_id)):
        pass
    with owner.connect() as connection:
        assert connection.execute(text("select count(*) from security_events where kind = 'invitation_refused' and user_id = :user"),
                                  {"user": charlie.user_id}).scalar() == 1


def test_an_address_is_the_same_however_it_is_written(alice, bob, charlie):
    token = run(charlie, team.invite, f"  {bob.email.upper()} ", "manager")
    assert team.accept(token, bob.user_id) == charlie.clinic_id


def test_whoever_has_an_account_is_told_to_sign_in_with_it(alice, bob, charlie):
    token = run(charlie, team.invite, bob.email, "manager")
    with pytest.raises(Conflict, match="has an account already"):
        team.open_account(token, "Bob Brown", PASSWORD)
    assert auth.verify(auth.find_account(bob.email), PASSWORD)
    assert team.find_invitation(token)


@pytest.mark.parametrize(("name", "password"), [("", PASSWORD), ("Nora New", "short"), ("Nora New", "Nora New 1234"), ("x" * 256, PASSWORD)])
def test_a_refused_account_leaves_the_invitation_good(alice, name, password):
    token = run(alice, team.invite, address(), "clinician")
    with pytest.raises(Invalid):
        team.open_account(token, name, password)
    assert join(token).id


def test_the_invitation_of_somebody_who_left_is_void(alice, mona, olga):
    by_mona, by_olga = run(mona, team.invite, address(), "receptionist"), run(olga, team.invite, address(), "clinician")
    run(alice, team.deactivate, mona.user_id)
    run(alice, team.change_role, olga.user_id, "manager")
    assert team.find_invitation(by_mona) is None
    assert team.find_invitation(by_olga) is None
    assert run(alice, team.invitations) == []


def test_an_invitation_demotes_no_active_owner(alice, olga):
    token = run(alice, team.invite, olga.email, "receptionist")
    assert team.accept(token, olga.user_id) == alice.clinic_id
    assert role_of(alice, olga.user_id) == "owner"
    assert audited(alice, "join") == []  # nothing changed


def test_a_former_member_comes_back_by_invitation_with_the_new_role(alice, bob):
    run(alice, team.deactivate, bob.user_id)
    assert team.accept(run(alice, team.invite, bob.email, "receptionist"), bob.user_id) == alice.clinic_id
    assert role_of(alice, bob.user_id) == "receptionist"
    assert [row.user_id for row in audited(alice, "join")] == [bob.user_id]


def test_a_manager_does_not_invite_back_whom_an_owner_removed(alice, bob, mona):
    """SECURITY 13: what a manager may not reactivate, an invitation does not revive either."""
    run(alice, team.deactivate, bob.user_id)
    token = run(mona, team.invite, bob.email, "receptionist")
    assert team.accept(token, bob.user_id) is None
    assert role_of(alice, bob.user_id) == "left"
    assert audited(alice, "join") == []


def test_inviting_again_voids_the_former_link(alice):
    email = address()
    former = run(alice, team.invite, email, "clinician")
    token = run(alice, team.invite, email.upper(), "receptionist")
    assert team.find_invitation(former) is None
    assert team.find_invitation(token).role == "receptionist"
    assert len(run(alice, team.invitations)) == 1


def test_a_manager_voids_no_invitation_of_an_owner(alice, mona):
    email = address()
    token = run(alice, team.invite, email, "clinician")
    with pytest.raises(Conflict):
        run(mona, team.invite, email, "receptionist")
    assert team.find_invitation(token).role == "clinician"


@pytest.mark.parametrize("email", ["", "nobody", "a@b\0.org", "a\ud800@example.org", "x" * 250 + "@example.org", "a@example.org\nBcc: b@example.org"])
def test_what_is_no_address_is_not_invited(alice, email):
    with pytest.raises(Invalid):
        run(alice, team.invite, email, "clinician")


def test_neither_address_nor_secret_is_on_record(alice):
    email = address()
    token = run(alice, team.invite, email, "clinician")
    run(alice, team.withdraw, run(alice, team.invitations)[0].id)
    rows = audited(alice, "invite") + audited(alice, "withdraw_invitation")
    assert len(rows) == 2
    assert rows[0].fields == ["email", "role"]
    for row in rows:
        assert email not in row.whole
        assert token not in row.whole
        assert tokens.digest(token).hex() not in row.whole


def test_an_open_invitation_tells_who_sent_it_and_until_when(alice, mona):
    email = address()
    run(mona, team.invite, email, "receptionist")
    found = run(alice, team.invitations)[0]
    assert (found.email, found.role, found.invited_by) == (email, "receptionist", "Mona Moss")


@pytest.fixture
def sent(monkeypatch):
    """Mails on their way out, before a server would be asked to take them."""
    found = []
    monkeypatch.setattr(mail, "send", lambda *mail: found.append(mail))
    for name, value in {"SMTP_URL": "smtp://localhost:2525", "CHAIRSIDE_URL": "https://clinic.example", "CHAIRSIDE_MAIL_FROM": "c@example.org"}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    yield found
    settings.get.cache_clear()


def test_with_a_mail_server_the_link_goes_out_to_the_configured_address(alice, sent, do_jobs):
    email = address()
    token = run(alice, team.invite, email, "clinician")
    do_jobs()
    [(subject, words)] = [mail[1:] for mail in sent if mail[0] == email]
    assert "Adams" not in subject
    assert f"https://clinic.example/?invite={token}" in words
    assert "Alice Adams" in words


def test_no_mail_goes_out_for_an_invitation_that_is_withdrawn_or_rolled_back(alice, sent, do_jobs):
    run(alice, team.invite, address(), "clinician")
    run(alice, team.withdraw, run(alice, team.invitations)[0].id)
    with pytest.raises(ZeroDivisionError), db.scope(alice) as scope:
        team.invite(scope, address(), "clinician")
        raise ZeroDivisionError
    do_jobs()
    assert sent == []


def test_without_a_mail_server_nothing_is_queued(alice, owner):
    run(alice, team.invite, address(), "clinician")
    with owner.connect() as connection:
        assert connection.execute(text("""
            select count(*) from procrastinate.procrastinate_jobs where args ->> 'clinic_id' = :id
            """), {"id": str(alice.clinic_id)}).scalar() == 0


def test_a_mail_finds_its_link_while_the_signing_secret_is_being_replaced(alice, sent, do_jobs, monkeypatch):
    former = tokens._secrets()
    token = run(alice, team.invite, address(), "clinician")
    monkeypatch.setattr(tokens, "_secrets", lambda: ["n" * 40, *former])
    do_jobs()
    assert token in sent[0][2]


# an owner's help -----------------------------------------------------------------------------------------------------


def factor_of(owner, user_id):
    with owner.begin() as connection:
        return connection.execute(text("select totp_secret from users where id = :id"), {"id": user_id}).scalar_one()


@pytest.fixture
def with_factor(owner):
    def give(identity):
        with owner.begin() as connection:
            connection.execute(text("update users set totp_secret = 'sealed', totp_since = now() where id = :id"), {"id": identity.user_id})
    return give


def test_an_owner_hands_over_a_link_that_sets_a_password(alice, bob, token_of):
    """SECURITY 13."""
    from lib import resets
    device = token_of(bob)
    token = run(alice, team.reset_password_link, bob.user_id)
    assert auth.resume(device)
    resets.choose(token, "another horse battery 7")
    assert auth.verify(auth.find_account(bob.email), "another horse battery 7")
    with pytest.raises(NotSignedIn):
        auth.resume(device)
    rows = audited(alice, "reset_member_password")
    assert [row.resource_id for row in rows] == [str(bob.user_id)]
    assert token not in rows[0].whole


def test_an_owner_takes_a_lost_factor_away(alice, bob, owner, with_factor, token_of):
    with_factor(bob)
    device = token_of(bob)
    run(alice, team.reset_factor, bob.user_id)
    assert factor_of(owner, bob.user_id) is None
    with pytest.raises(NotSignedIn):
        auth.resume(device)
    assert [row.resource_id for row in audited(alice, "reset_member_factor")] == [str(bob.user_id)]


@pytest.mark.parametrize("action", [team.reset_password_link, team.reset_factor])
def test_whoever_works_elsewhere_too_gets_no_help(alice, bob, charlie, owner, with_factor, action):
    """SECURITY 13: an account that opens another clinic's door is not this owner's to take over."""
    with_factor(bob)
    assert team.accept(run(charlie, team.invite, bob.email, "receptionist"), bob.user_id)
    for boss in (alice, charlie):
        with pytest.raises(NoHelp):
            run(boss, action, bob.user_id)
    assert factor_of(owner, bob.user_id) == "sealed"


@pytest.mark.parametrize(("first", "then"), [(team.reset_password_link, team.reset_factor), (team.reset_factor, team.reset_password_link)])
def test_never_password_and_factor_within_a_day(alice, bob, owner, with_factor, first, then):
    """SECURITY 13."""
    with_factor(bob)
    run(alice, first, bob.user_id)
    with pytest.raises(NoHelp):
        run(alice, then, bob.user_id)
    back = text("update users set password_reset_at = password_reset_at - cast(:t as interval), factor_reset_at = factor_reset_at - cast(:t as interval) where id = :id")
    with owner.begin() as connection:
        connection.execute(back, {"id": bob.user_id, "t": "23 hours 59 minutes"})
    with pytest.raises(NoHelp):
        run(alice, then, bob.user_id)
    with owner.begin() as connection:
        connection.execute(back, {"id": bob.user_id, "t": "2 minutes"})
    run(alice, then, bob.user_id)


@pytest.mark.parametrize("action", [team.reset_password_link, team.reset_factor])
def test_nobody_helps_themselves_past_the_current_password(alice, owner, with_factor, action):
    """SECURITY 13: changing a password or factor needs the current password."""
    with_factor(alice)
    with pytest.raises(Forbidden, match="page Account"):
        run(alice, action, alice.user_id)
    assert factor_of(owner, alice.user_id) == "sealed"


@pytest.mark.parametrize("action", [team.reset_password_link, team.reset_factor])
def test_only_owners_help(mona, rita, bob, action):
    for somebody in (mona, bob):
        with pytest.raises(Forbidden):
            run(somebody, action, rita.user_id)
        with pytest.raises(NoHelp), db.unwitnessed(somebody) as scope:
            scope.run("select app.issue_member_reset(:user_id, :token)", user_id=rita.user_id, token=uuid4().bytes * 2)
        with pytest.raises(NoHelp), db.unwitnessed(somebody) as scope:
            scope.run("select app.reset_member_factor(:user_id)", user_id=rita.user_id)


def test_a_former_member_gets_no_help(alice, bob):
    run(alice, team.deactivate, bob.user_id)
    with pytest.raises(NoHelp):
        run(alice, team.reset_password_link, bob.user_id)
