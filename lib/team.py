"""Who works here: members and their roles, and the invitations that make new ones."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from lib import audit, auth, db, jobs, mail, mailbox, passwords, search_words, settings, tokens
from lib.db import Scope
from lib.errors import Conflict, Forbidden, Invalid, NotFound
from lib.identity import Identity
from lib.jobs import Job
from lib.texts import _

ROLES = ("owner", "manager", "clinician", "receptionist")
TOKEN = re.compile(r"([0-9a-f]{32})\.[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Member:
    """`ended_at`: a former colleague, whose name stays on what they wrote. `email`: None for whom this member does not manage."""

    user_id: UUID
    display_name: str
    email: str | None
    role: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Open:
    """An invitation that can still be accepted."""

    id: UUID
    email: str
    role: str
    invited_by: str
    expires_at: datetime


@dataclass(frozen=True)
class Invitation:
    """What the holder of its link may know."""

    clinic_id: UUID
    clinic_name: str
    email: str
    role: str


# members -------------------------------------------------------------------------------------------------------------


def members(scope: Scope) -> list[Member]:
    """Former ones too, by name."""
    auth.require(scope.identity, "team.manage")
    audit.record_view(scope, "list", "team")
    found = scope.many(Member, """
        select m.user_id, m.display_name, e.email, m.role, m.created_at, m.ended_at
        from memberships m
        left join app.member_emails() e on e.user_id = m.user_id
        where m.clinic_id = :clinic_id
        """)
    return sorted(found, key=lambda member: (search_words.fold(member.display_name), member.user_id))


def get(scope: Scope, user_id: UUID) -> Member:
    auth.require(scope.identity, "team.manage")
    return scope.one(Member, """
        select m.user_id, m.display_name, e.email, m.role, m.created_at, m.ended_at
        from memberships m
        left join app.member_emails() e on e.user_id = m.user_id
        where m.clinic_id = :clinic_id and m.user_id = :user_id
        """, user_id=user_id)


def roles(scope: Scope) -> list[str]:
    """Whom this member invites and manages: the schema's own rule, so that no screen needs another one."""
    found: list[str] = scope.value("""
        select array(select role from unnest(cast(:roles as text[])) role where app.may_invite(app.role(), role))
        """, roles=list(ROLES))
    return found


def change_role(scope: Scope, user_id: UUID, role: str) -> None:
    _check_role(scope, role)
    # Before any other statement: the trigger locks the clinic, which an audit row written earlier would hold as well.
    touched = scope.run("""
        update memberships set role = :role
        where clinic_id = :clinic_id and user_id = :user_id and ended_at is null and role <> :role
        """, user_id=user_id, role=role)
    _explain(scope, user_id, touched, _("{name} has this role already, or has left. Nothing was changed."))
    audit.record(scope, "change_role", "membership", user_id, fields=("role",))


def deactivate(scope: Scope, user_id: UUID) -> None:
    """Their sessions in this clinic end with it; what they wrote keeps their name."""
    auth.require(scope.identity, "team.manage")
    touched = scope.run("""
        update memberships set ended_at = now()
        where clinic_id = :clinic_id and user_id = :user_id and ended_at is null
        """, user_id=user_id)
    _explain(scope, user_id, touched, _("{name} has left already. Nothing was changed."))
    audit.record(scope, "deactivate", "membership", user_id, fields=("ended_at",))


def reactivate(scope: Scope, user_id: UUID) -> None:
    """With the role they had. They sign in anew."""
    auth.require(scope.identity, "team.manage")
    touched = scope.run("""
        update memberships set ended_at = null
        where clinic_id = :clinic_id and user_id = :user_id and ended_at is not null
        """, user_id=user_id)
    _explain(scope, user_id, touched, _("{name} works here already. Nothing was changed."))
    audit.record(scope, "reactivate", "membership", user_id, fields=("ended_at",))


def sign_out(scope: Scope, user_id: UUID) -> int:
    """Ends their sessions in this clinic, and tells how many there were."""
    get(scope, user_id)
    ended = scope.value("select app.sign_out_member(:user_id)", user_id=user_id)
    audit.record(scope, "sign_out_member", "membership", user_id)
    return int(ended)


def _check_role(scope: Scope, role: str) -> None:
    """Nobody hands out a role they do not manage, so nobody raises their own."""
    auth.require(scope.identity, "team.manage")
    if role not in ROLES:
        raise Invalid
    if role not in roles(scope):
        raise Forbidden


def _explain(scope: Scope, user_id: UUID, touched: int, sentence: str) -> None:
    """Row-level security leaves alone whom this member may not manage. Raises NotFound, Forbidden or Conflict for nobody."""
    if touched:
        return
    member = get(scope, user_id)
    raise Conflict(sentence.format(name=member.display_name)) if member.role in roles(scope) else Forbidden


# an owner's help -----------------------------------------------------------------------------------------------------


def reset_password_link(scope: Scope, user_id: UUID) -> str:
    """The secret of a link that lets them choose a new password. Raises NoHelp (SECURITY 13)."""
    _check_help(scope, user_id)
    token = secrets.token_urlsafe(32)
    scope.run("select app.issue_member_reset(:user_id, :token)", user_id=user_id, token=tokens.digest(token))
    audit.record(scope, "reset_member_password", "membership", user_id)
    return token


def reset_factor(scope: Scope, user_id: UUID) -> None:
    """Their password alone lets them in again, and every session of theirs is over. Raises NoHelp (SECURITY 13)."""
    _check_help(scope, user_id)
    scope.run("select app.reset_member_factor(:user_id)", user_id=user_id)
    audit.record(scope, "reset_member_factor", "membership", user_id)


def _check_help(scope: Scope, user_id: UUID) -> None:
    """One's own password and factor change on the page Account, which asks for the current password."""
    auth.require(scope.identity, "team.reset")
    get(scope, user_id)
    if user_id == scope.identity.user_id:
        raise Forbidden(_("Change your own password and second factor on the page Account."))


# inviting ------------------------------------------------------------------------------------------------------------


def invite(scope: Scope, email: str, role: str) -> str:
    """The secret of the link, of which only a hash is kept. A former invitation of this address is void."""
    _check_role(scope, role)
    email = mailbox.check(email)
    scope.run("""
        update invitations set withdrawn_at = now()
        where clinic_id = :clinic_id and email_norm = app.fold_email(:email) and accepted_at is null and withdrawn_at is null
        """, email=email)
    invitation_id: UUID = scope.value("select uuidv7()")
    token = _tokens(scope.identity.clinic_id, invitation_id)[0]
    scope.run("""
        insert into invitations (clinic_id, id, email, role, token_hash, invited_by)
        values (:clinic_id, :id, :email, :role, :token, :me)
        """, id=invitation_id, email=email, role=role, token=tokens.digest(token), me=scope.identity.user_id)
    audit.record(scope, "invite", "invitation", invitation_id, fields=("email", "role"))
    if mail.is_on():
        jobs.defer(scope, "mail_invitation", invitation_id)
    return token


def _tokens(clinic_id: UUID, invitation_id: UUID) -> list[str]:
    """Derived from the id, so that a mail can be written when it is sent and no secret waits in the queue."""
    return [f"{clinic_id.hex}.{secret}" for secret in tokens.derive(f"invitation {invitation_id}")]


def invitation_link(token: str, origin: str) -> str:
    """`origin`: scheme and host of the installation. In a mail it is CHAIRSIDE_URL, never what a request claims."""
    return f"{origin}/?invite={token}"


@dataclass(frozen=True)
class Addressed:
    """An invitation that still holds, as its mail tells of it."""

    email: str
    clinic_name: str
    invited_by: str


def mail_invitation(job: Job) -> None:
    """Nothing goes out where the invitation was withdrawn, used or replaced in the meantime."""
    assert job.clinic_id
    for token in _tokens(job.clinic_id, job.id):
        with jobs.scope(job.clinic_id) as scope:
            found = scope.first(Addressed, """
                select f.email, f.clinic_name, m.display_name as invited_by
                from app.find_invitation(:clinic_id, :token) f
                join invitations i on i.clinic_id = :clinic_id and i.id = :id
                join memberships m on m.clinic_id = i.clinic_id and m.user_id = i.invited_by
                """, token=tokens.digest(token), id=job.id)
        if found:
            return mail.send(found.email, _("An invitation to Chairside"), _(
                "{name} invites you to work with {clinic} in Chairside.\n\n{link}\n\nThe link works once, for 72 hours, and only "
                "for this email address.").format(name=found.invited_by, clinic=found.clinic_name,
                                                  link=invitation_link(token, str(settings.get().url))))


def invitations(scope: Scope) -> list[Open]:
    """Those that this member may withdraw, the next to expire first. One whose sender may not invite any more is void."""
    auth.require(scope.identity, "team.manage")
    audit.record_view(scope, "list", "invitations")
    return scope.many(Open, """
        select i.id, i.email, i.role, m.display_name as invited_by, i.expires_at
        from invitations i
        join memberships m on m.clinic_id = i.clinic_id and m.user_id = i.invited_by
        where i.clinic_id = :clinic_id
          and i.accepted_at is null
          and i.withdrawn_at is null
          and i.expires_at > now()
          and m.ended_at is null
          and app.may_invite(m.role, i.role)
        order by i.expires_at
        """)


def withdraw(scope: Scope, invitation_id: UUID) -> None:
    auth.require(scope.identity, "team.manage")
    touched = scope.run("""
        update invitations set withdrawn_at = now()
        where clinic_id = :clinic_id and id = :id and accepted_at is null and withdrawn_at is null
        """, id=invitation_id)
    if not touched:
        raise NotFound
    audit.record(scope, "withdraw_invitation", "invitation", invitation_id, fields=("withdrawn_at",))


# accepting: nobody is a member yet -----------------------------------------------------------------------------------


def find_invitation(token: str) -> Invitation | None:
    """None: used, expired, withdrawn, never sent, or from somebody who may not invite any more."""
    clinic_id = clinic_of(token)
    if clinic_id is None:
        return None
    with db.nobody() as connection:
        row = connection.execute(db.statement("select clinic_name, email, role from app.find_invitation(:clinic, :token)"),
                                 {"clinic": clinic_id, "token": tokens.digest(token)}).first()
    return Invitation(clinic_id, **row._mapping) if row else None


def open_account(token: str, full_name: str, password: str, *, address: str = "") -> None:
    """An account for the invited address, which then signs in and accepts. Raises Invalid or Conflict with the sentence."""
    invitation = find_invitation(token)
    if invitation is None:
        audit.record_security("invitation_refused", address=address)
        raise Invalid(_void())
    full_name = auth.check_name(full_name, _("Full name"))
    passwords.check(password, full_name, invitation.email, invitation.clinic_name)
    password_hash = passwords.make_hash(password)
    try:
        with db.nobody() as connection:
            opened = connection.execute(db.statement("select app.open_account(:clinic, :token, :full_name, :hash)"), {
                "clinic": invitation.clinic_id, "token": tokens.digest(token), "full_name": full_name,
                "hash": password_hash}).scalar()
    except Conflict:
        raise Conflict(_("This email has an account already. Sign in with it.")) from None
    if opened is None:
        raise Invalid(_void())


def accept(token: str, account_id: UUID, *, address: str = "") -> UUID | None:
    """The clinic that the person is a member of now. None: the invitation is void, or for another address than this account's.
    Call it for somebody who has signed in, with password and second factor."""
    clinic_id = clinic_of(token)
    if clinic_id and _join(clinic_id, token, account_id, address):
        return clinic_id
    audit.record_security("invitation_refused", user_id=account_id, address=address)
    return None


def _join(clinic_id: UUID, token: str, account_id: UUID, address: str) -> bool:
    """The membership and its audit row in one transaction, which enters the clinic half-way. Who never left joins nothing."""
    with db.nobody() as connection:
        present = _enter(connection, clinic_id, account_id) is not None
        if not connection.execute(db.statement("select app.accept_invitation(:clinic, :token, :account)"), {
                "clinic": clinic_id, "token": tokens.digest(token), "account": account_id}).scalar():
            return False
        role = _enter(connection, clinic_id, account_id)
        if role and not present:
            newcomer = Identity(account_id, clinic_id, role, email="", full_name="", clinic_name="", country="", time_zone="",
                                currency="", language="", emergency_number="", address=address)
            audit.record(Scope(connection, newcomer), "join", "membership", account_id, fields=("role",))
    return True


def _enter(connection: Connection, clinic_id: UUID, account_id: UUID) -> str | None:
    """The role; None for nobody of this clinic, whose refusal leaves the transaction whole."""
    try:
        with db.translated(), connection.begin_nested():
            return str(connection.execute(db.statement("select app.enter(:clinic, :account)"),
                                          {"clinic": clinic_id, "account": account_id}).scalar_one())
    except Forbidden:
        return None


def clinic_of(token: str) -> UUID | None:
    """The link names its clinic, so that a sharded database knows where to look."""
    found = TOKEN.fullmatch(token)
    return UUID(found[1]) if found else None


def _void() -> str:
    return _("This invitation was used or withdrawn, or is older than 72 hours. Ask whoever sent it for a new one.")
