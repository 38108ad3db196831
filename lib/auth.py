"""Signing up and in, sessions, and the one table that knows what a role may do."""

import hashlib
import os
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import bcrypt
import jwt
from zxcvbn import zxcvbn

from lib import audit, countries, db, mailbox, settings
from lib.errors import Forbidden, Invalid, NotSignedIn
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
    "chat.ask": frozenset({"owner", "clinician", "receptionist"}),
    "chat.patient": frozenset({"owner", "clinician"}),
    "emergencies.read": frozenset({"owner", "clinician", "receptionist"}),
    "analytics.read": frozenset({"owner", "manager"}),
    "clinic.settings": frozenset({"owner"}),
}

KEPT, NORMAL = timedelta(days=7), timedelta(hours=12)
_slots = threading.BoundedSemaphore(2)  # bcrypt takes a core for a quarter of a second: never all of them


@dataclass(frozen=True)
class Account:
    """What signing in needs to know of one address. `id` is None for an address nobody has."""

    id: UUID | None
    email: str
    full_name: str
    password_hash: str
    clinic_id: UUID | None


@dataclass(frozen=True)
class SignedIn:
    """A fresh session: its cookie's value and how long the browser may keep it (None: until it closes)."""

    token: str
    max_age: int | None


# what a role may do --------------------------------------------------------------------------------------------------


def may(identity: Identity, permission: str) -> bool:
    return identity.role in PERMISSIONS[permission]


def require(identity: Identity, permission: str) -> None:
    if not may(identity, permission):
        raise Forbidden


# signing up ----------------------------------------------------------------------------------------------------------


def sign_up_offered() -> bool:
    """Whether the form should be shown at all; `sign_up` checks again."""
    policy = settings.get().sign_up
    return policy == "open" or (policy == "first" and nobody_yet())


def nobody_yet() -> bool:
    with db.nobody() as connection:
        return not connection.execute(db.statement("select app.any_clinic()")).scalar()


def sign_up(*, full_name: str, clinic_name: str, email: str, password: str, country: str = "US", time_zone: str = "",
            only_first: bool | None = None) -> Account:
    """A person, a clinic, and the one owning the other. Raises Invalid with the sentence to show."""
    policy = settings.get().sign_up
    if policy == "closed" and only_first is None:
        audit.record_security("sign_up_refused", account=email)
        raise Forbidden(_("Sign-up is closed. Ask whoever runs this installation to open a clinic for you."))
    values = {"full_name": _name(full_name, _("Full name")), "clinic_name": _name(clinic_name, _("Clinic name")),
              "email": mailbox.check(email)}
    check_password(password, full_name, clinic_name, email)
    place = countries.defaults(country, time_zone)
    password_hash = hash_password(password)  # before the transaction: it takes a quarter of a second, and a place in a queue
    with db.nobody() as connection:
        user_id, clinic_id = connection.execute(db.statement("""
            select user_id, clinic_id
            from app.sign_up(:email, :full_name, :password_hash, :clinic_name, :country, :time_zone, :currency, :language,
                             :emergency_number, :only_first)
            """), {**values, "password_hash": password_hash, "country": place.code, "time_zone": place.time_zone,
                   "currency": place.currency, "language": place.language, "emergency_number": place.emergency_number,
                   "only_first": policy == "first" if only_first is None else only_first}).one()
    return Account(user_id, values["email"], values["full_name"], "", clinic_id)


def check_password(password: str, *known: str) -> None:
    """Length and guessability, no composition rules (NIST 800-63B). `known`: words an attacker would try first."""
    if password != password.strip():
        raise Invalid(_("A password can't begin or end with a space."))
    if len(password) < 12:
        raise Invalid(_("A password needs at least 12 characters; this one has {n}. A few unrelated words work well.").format(
            n=len(password)))
    if len(password.encode("utf-8", "replace")) > 72:
        raise Invalid(_("A password has room for 72 bytes; this one takes {n}. Please shorten it.").format(
            n=len(password.encode("utf-8", "replace"))))
    if "\0" in password or not _encodes(password):
        raise Invalid(_("A password can't contain invisible control characters."))
    words = [word for text in known for word in (text, *text.replace("@", " ").replace(".", " ").split()) if word]
    if zxcvbn(password, user_inputs=[*words, "chairside", "dental", "clinic"])["score"] < 3:
        raise Invalid(_("This password is easy to guess. A few unrelated words work well."))


def hash_password(password: str) -> str:
    with _slots:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(settings.get().bcrypt_rounds)).decode()


def _encodes(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _name(text: str, label: str) -> str:
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
            select id, email, full_name, password_hash, clinic_id
            from app.find_account(:email)
            """), {"email": _clean(email)}).first()
    return Account(**row._mapping) if row else Account(None, email, "", _nobodys_hash(settings.get().bcrypt_rounds), None)


def verify(account: Account, password: str, *, address: str = "") -> bool:
    """Whether this is the account's password. An older, cheaper hash is renewed on the way."""
    secret = password.encode("utf-8", "replace")
    with _slots:
        right = bcrypt.checkpw(secret[:72].replace(b"\0", b"?"), account.password_hash.encode())
    if not right or len(secret) > 72 or b"\0" in secret or account.id is None:
        audit.record_security("sign_in_failed", account=account.email, user_id=account.id, address=address)
        return False
    if int(account.password_hash.split("$")[2]) < settings.get().bcrypt_rounds:
        _renew_hash(account, password)
    return True


def _renew_hash(account: Account, password: str) -> None:
    new_hash = hash_password(password)
    with db.nobody() as connection:
        connection.execute(db.statement("select app.renew_password_hash(:account, :old_hash, :new_hash)"),
                           {"account": account.id, "old_hash": account.password_hash, "new_hash": new_hash})


@cache
def _nobodys_hash(rounds: int) -> str:
    return bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(rounds)).decode()


def _clean(text: str) -> str:
    """PostgreSQL stores no NUL and psycopg sends no lone surrogate; no account has either."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def issue_ticket(account: Account, *, keep: bool) -> str:
    """A secret good for one session within 30 seconds. Call only after `verify` or `sign_up`."""
    ticket = secrets.token_urlsafe(32)
    with db.nobody() as connection:
        connection.execute(db.statement("select app.issue_ticket(:ticket, :account, :clinic, :keep)"),
                           {"ticket": _digest(ticket), "account": account.id, "clinic": account.clinic_id, "keep": keep})
    return ticket


def redeem_ticket(ticket: str, *, device: str, address: str) -> SignedIn:
    """The ticket's session. Raises NotSignedIn for a used, expired or unknown one."""
    token_id = secrets.token_urlsafe(32)
    with db.nobody() as connection:
        row = connection.execute(db.statement("""
            select user_id, clinic_id, email, keep
            from app.redeem_ticket(:ticket, :session, :device, :address)
            """), {"ticket": _digest(ticket), "session": _digest(token_id), "device": _clean(device), "address": address}).first()
    if row is None:
        audit.record_security("ticket_refused", address=address)
        raise NotSignedIn(_("This sign-in took too long. Please sign in again."))
    identity = resume(token_id, address=address)
    with db.scope(identity) as scope:
        audit.record(scope, "sign_in", "session")
    life = KEPT if row.keep else NORMAL
    return SignedIn(_encode(row.user_id, row.email, token_id, life), int(life.total_seconds()) if row.keep else None)


# sessions ------------------------------------------------------------------------------------------------------------


def resume(token_id: str, *, address: str = "", request_id: str = "", active: bool = True) -> Identity:
    """Who this token's session is right now: the row is read every time, so that a revocation holds at once."""
    with db.nobody() as connection:
        row = connection.execute(db.statement("""
            select user_id, clinic_id, role, email, full_name, clinic_name, country, time_zone, currency, language,
                   emergency_number
            from app.resume(:session, :active)
            """), {"session": _digest(token_id), "active": active}).first()
    if row is None:
        raise NotSignedIn
    return Identity(**row._mapping, session=_digest(token_id), address=address, request_id=request_id)


def sign_out(token_id: str) -> None:
    try:
        identity = resume(token_id, active=False)
    except NotSignedIn:
        return
    with db.scope(identity) as scope:
        audit.record(scope, "sign_out", "session")
        scope.connection.execute(db.statement("select app.revoke(:session)"), {"session": identity.session})


def read_token(token: str | None) -> str:
    """The token id inside a cookie. Raises NotSignedIn for anything but our own HS256 signature with all claims in date."""
    try:
        claims: dict[str, Any] = jwt.decode(token or "", secret(), algorithms=["HS256"],
                                            options={"require": ["sub", "email", "iat", "exp", "jti"]})
    except jwt.InvalidTokenError:
        raise NotSignedIn from None
    return str(claims["jti"])


def _encode(user_id: UUID, email: str, token_id: str, life: timedelta) -> str:
    now = datetime.now(UTC)
    return jwt.encode({"sub": str(user_id), "email": email, "iat": now, "exp": now + life, "jti": token_id}, secret(), "HS256")


@cache
def secret() -> str:
    """JWT_SECRET, or, in development, a random one kept in the data folder so that a restart signs nobody out."""
    configured = settings.get()
    if configured.jwt_secret:
        return configured.jwt_secret.get_secret_value()
    path = configured.data / "jwt.secret"
    if not path.exists():
        configured.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(48))
    return path.read_text()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
