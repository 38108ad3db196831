"""Signing up and in, sessions, and the one table that knows what a role may do."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from ipaddress import ip_address, ip_network
from uuid import UUID

from lib import audit, countries, db, mailbox, metrics, passwords, rate_limits, settings, tokens
from lib.errors import Forbidden, Invalid, NotFound, NotSignedIn, TooMany
from lib.identity import Identity
from lib.texts import _

PERMISSIONS: dict[str, frozenset[str]] = {
    "today.read": frozenset({"owner", "manager", "clinician", "receptionist"}),
    "patients.read": frozenset({"owner", "manager", "clinician", "receptionist"}),
    "patients.write": frozenset({"owner", "manager", "clinician", "receptionist"}),
    "patients.archive": frozenset({"owner", "manager", "clinician"}),
    "patients.notes": frozenset({"owner", "clinician"}),
    "patients.import": frozenset({"owner", "clinician"}),
    "patients.export": frozenset({"owner", "manager", "clinician"}),
    "patients.record": frozenset({"owner", "clinician"}),
    "patients.merge": frozenset({"owner", "clinician"}),
    "patients.erase": frozenset({"owner"}),
    "chat.ask": frozenset({"owner", "clinician", "receptionist"}),
    "chat.patient": frozenset({"owner", "clinician"}),
    "knowledge.read": frozenset({"owner", "manager", "clinician", "receptionist"}),
    "knowledge.write": frozenset({"owner"}),
    "knowledge.review": frozenset({"owner", "clinician"}),
    "emergencies.read": frozenset({"owner", "clinician", "receptionist"}),
    "analytics.read": frozenset({"owner", "manager"}),
    "alerts.read": frozenset({"owner", "manager"}),
    "alerts.mute": frozenset({"owner"}),
    "account.own": frozenset({"owner", "manager", "clinician", "receptionist"}),
    "team.manage": frozenset({"owner", "manager"}),
    "team.reset": frozenset({"owner"}),
    "credentials.submit": frozenset({"owner", "clinician"}),
    "credentials.decide": frozenset({"owner"}),
    "audit.read": frozenset({"owner"}),
    "clinic.settings": frozenset({"owner"}),
    "clinic.export": frozenset({"owner"}),
}
# What an owner may do only from the clinic's own network, where the clinic has named one.
AT_THE_CLINIC = frozenset({"team.manage", "team.reset", "credentials.decide", "audit.read", "patients.erase", "clinic.settings",
                           "clinic.export"})

KEPT, NORMAL = timedelta(days=7), timedelta(hours=12)


@dataclass(frozen=True)
class Account:
    """What signing in needs to know of one address. `id` is None for an address nobody has, `clinic_id` for a person who
    works nowhere any more. `factor`: a second one is asked for."""

    id: UUID | None
    email: str
    full_name: str
    password_hash: str
    clinic_id: UUID | None
    factor: bool


@dataclass(frozen=True)
class SignedIn:
    """A fresh session: its cookie's value and how long the browser may keep it (None: until it closes)."""

    token: str
    max_age: int | None


# what a role may do --------------------------------------------------------------------------------------------------


def may(identity: Identity, permission: str) -> bool:
    """Without the second factor that the clinic asks for, nobody gets further than their own account."""
    if identity.must_enrol and permission != "account.own":
        return False
    if identity.scopes is not None and permission not in identity.scopes:
        return False
    return identity.role in PERMISSIONS[permission] and (permission not in AT_THE_CLINIC or _is_at_the_clinic(identity))


def require(identity: Identity, permission: str) -> None:
    if may(identity, permission):
        return
    if identity.must_enrol:
        raise Forbidden(_("This clinic asks for a second factor. Set yours up on the page Account."))
    if identity.scopes is not None and permission not in identity.scopes:
        raise Forbidden(_("This API client has no scope “{scope}”.").format(scope=permission))
    if identity.role in PERMISSIONS[permission]:
        raise Forbidden(_("This opens only from the clinic's own network."))
    raise Forbidden


def within(address: str, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of these (CIDR)."""
    try:
        return any(ip_address(address) in ip_network(network) for network in networks)
    except ValueError:
        return False


def _is_at_the_clinic(identity: Identity) -> bool:
    return identity.role != "owner" or not identity.networks or within(identity.address, identity.networks)


# signing up ----------------------------------------------------------------------------------------------------------


def sign_up_offered() -> bool:
    """Whether the form should be shown at all; `sign_up` checks again."""
    policy = settings.get().sign_up
    return policy == "open" or (policy == "first" and nobody_yet())


def nobody_yet() -> bool:
    with db.nobody() as connection:
        return not connection.execute(db.statement("select app.any_clinic()")).scalar()


def sign_up(*, full_name: str, clinic_name: str, email: str, password: str, country: str = "US", time_zone: str = "",
            only_first: bool | None = None, address: str = "") -> Account:
    """A person, a clinic, and the one owning the other. Raises Invalid with the sentence to show. `address`: whence somebody
    signs themselves up; the operator's command has none, and no limit."""
    policy = settings.get().sign_up
    if policy == "closed" and only_first is None:
        raise _closed(email)
    values = {"full_name": check_name(full_name, _("Full name")), "clinic_name": check_name(clinic_name, _("Clinic name")),
              "email": mailbox.check(email)}
    passwords.check(password, full_name, clinic_name, email)
    if address:
        limited("sign_up_limited", email, address, lambda: rate_limits.spend("sign_up", address))
    place = countries.defaults(country, time_zone)
    password_hash = passwords.make_hash(password)  # before the transaction: it takes a quarter of a second, and waits its turn
    try:
        user_id, clinic_id = _open_clinic(place, **values, password_hash=password_hash,
                                          only_first=policy == "first" if only_first is None else only_first)
    except Forbidden:  # the database's word for it: somebody was first
        raise _closed(email) from None
    return Account(user_id, values["email"], values["full_name"], "", clinic_id, False)


def _closed(email: str) -> Forbidden:
    audit.record_security("sign_up_refused", account=email)
    return Forbidden(_("Sign-up is closed. Ask whoever runs this installation to open a clinic for you."))


def _open_clinic(place: countries.Country, **values: object) -> tuple[UUID, UUID]:
    with db.nobody() as connection:
        user_id, clinic_id = connection.execute(db.statement("""
            select user_id, clinic_id
            from app.sign_up(:email, :full_name, :password_hash, :clinic_name, :country, :time_zone, :currency, :language,
                             :emergency_number, :only_first)
            """), {**values, "country": place.code, "time_zone": place.time_zone, "currency": place.currency,
                   "language": place.language, "emergency_number": place.emergency_number}).one()
    return user_id, clinic_id


def check_name(text: str, label: str) -> str:
    text = " ".join(text.split())
    if not any(letter.isalpha() for letter in text) or not text.isprintable():
        raise Invalid(_("{label} is missing.").format(label=label))
    if len(text) > 255:
        raise Invalid(_("{label} has at most 255 characters; this one has {n}.").format(label=label, n=len(text)))
    return text


# signing in ----------------------------------------------------------------------------------------------------------


def find_account(email: str) -> Account:
    """The account, or a stand-in whose hash costs the same to check, so that time tells nothing."""
    with db.nobody() as connection:
        row = connection.execute(db.statement("""
            select id, email, full_name, password_hash, clinic_id, factor
            from app.find_account(:email)
            """), {"email": clean(email)}).first()
    return Account(**row._mapping) if row else Account(None, email, "", passwords.nobodys_hash(), None, False)


def verify(account: Account, password: str, *, address: str = "", request_id: str = "", kind: str = "sign_in_failed") -> bool:
    """Whether this is the account's password. Counted as failed before it is looked at, and forgiven when it was right:
    forty tries at once get no further than five in a row. An older, cheaper hash is renewed on the way."""
    limited("sign_in_limited", account.email, address, lambda: rate_limits.begin_sign_in(account.email, address))
    if not passwords.matches(password, account.password_hash) or account.id is None:
        audit.record_failed_sign_in(kind, account.email, account.id, address=address, request_id=request_id)
        return False
    rate_limits.forgive_sign_in(account.email, address)
    if passwords.is_cheap(account.password_hash):
        _renew_hash(account, password)
    return True


def limited(kind: str, account: str, address: str, take: Callable[[], None]) -> None:
    """Take one of a limited number of tries. The first refusal goes on record; a flood of them would fill it."""
    try:
        take()
    except TooMany as refusal:
        metrics.sign_in_failures.labels(kind).inc()
        if rate_limits.first_refusal(kind, address if refusal.counter == "sign_in_address" else account or address):
            audit.record_security(kind, account=account, address=address)
        raise


def _renew_hash(account: Account, password: str) -> None:
    new_hash = passwords.make_hash(password)
    with db.nobody() as connection:
        connection.execute(db.statement("select app.renew_password_hash(:account, :old_hash, :new_hash)"),
                           {"account": account.id, "old_hash": account.password_hash, "new_hash": new_hash})


def clean(text: str) -> str:
    """PostgreSQL stores no NUL and psycopg sends no lone surrogate; no account has either."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def issue_ticket(account: Account, *, keep: bool) -> str:
    """A secret good for one session within 30 seconds. Call only after `verify`, and the second factor where there is one, or
    after `sign_up`."""
    if account.clinic_id is None:
        raise Forbidden(_("You are not a member of any clinic any more. Ask an owner to invite you again."))
    ticket = secrets.token_urlsafe(32)
    with db.nobody() as connection:
        connection.execute(db.statement("select app.issue_ticket(:ticket, :account, :clinic, :keep)"),
                           {"ticket": tokens.digest(ticket), "account": account.id, "clinic": account.clinic_id, "keep": keep})
    return ticket


def redeem_ticket(ticket: str, *, device: str, address: str, request_id: str = "") -> SignedIn:
    """The ticket's session. Raises NotSignedIn for a used, expired or unknown one."""
    token_id = secrets.token_urlsafe(32)
    with db.nobody() as connection:
        row = connection.execute(db.statement("""
            select user_id, clinic_id, email, keep
            from app.redeem_ticket(:ticket, :session, :device, :address)
            """), {"ticket": tokens.digest(ticket), "session": tokens.digest(token_id), "device": clean(device),
                   "address": address}).first()
    if row is None:
        audit.record_security("ticket_refused", address=address, request_id=request_id)
        raise NotSignedIn(_("This sign-in took too long. Please sign in again."))
    identity = resume(token_id, address=address, request_id=request_id)
    with db.scope(identity) as scope:
        audit.record(scope, "sign_in", "session")
    life = KEPT if row.keep else NORMAL
    return SignedIn(tokens.make(row.user_id, row.email, token_id, life), int(life.total_seconds()) if row.keep else None)


# sessions ------------------------------------------------------------------------------------------------------------


def resume(token_id: str, *, address: str = "", request_id: str = "", place: str = "", active: bool = True) -> Identity:
    """Who this token's session is right now: the row is read every time, so that a revocation holds at once."""
    session = tokens.digest(token_id)
    known = partial(Identity, session=session, address=address, request_id=request_id, place=place)
    identity = db.ask(known, """
        select user_id, clinic_id, role, email, full_name, clinic_name, country, time_zone, currency, language,
               emergency_number, networks, must_enrol, clinics, ends_in
        from app.resume(:session, :active)
        """, session=session, active=active)
    if identity is None:
        metrics.token_failures.labels("session").inc()
        raise NotSignedIn
    return identity


def recognise(cookie: str | None, *, audience: str | None = None, address: str = "", request_id: str = "", place: str = "",
              active: bool = True) -> Identity:
    """Whose cookie, or with `audience` "api" whose access token, this is. It must name the very person whose session it is."""
    token = tokens.read(cookie, audience)
    identity = resume(token.id, address=address, request_id=request_id, place=place, active=active)
    if str(identity.user_id) != token.user_id:
        metrics.token_failures.labels("person").inc()
        raise NotSignedIn
    return identity


def sign_out(identity: Identity) -> None:
    with db.scope(identity) as scope:
        audit.record(scope, "sign_out", "session")
        scope.connection.execute(db.statement("select app.revoke(:session)"), {"session": identity.session})


# several clinics -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Workplace:
    """A clinic this person works in."""

    id: UUID
    name: str
    role: str
    current: bool


def workplaces(identity: Identity) -> list[Workplace]:
    with db.nobody() as connection:
        rows = connection.execute(db.statement("select id, name, role, current from app.my_clinics(:session)"),
                                  {"session": identity.session})
        return [Workplace(**row._mapping) for row in rows]


def switch_clinic(identity: Identity, clinic_id: UUID) -> None:
    """This device works there from now on, in all its tabs. On record in both clinics. Raises NotFound for any other clinic."""
    with db.scope(identity) as scope:
        audit.record(scope, "leave_clinic", "session")
        if not scope.value("select app.switch_clinic(:session, :target)", session=identity.session, target=clinic_id):
            raise NotFound
    with db.scope(replace(identity, clinic_id=clinic_id)) as scope:
        audit.record(scope, "enter_clinic", "session")
