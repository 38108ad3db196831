"""One's own account: name, language, password, and the devices that are signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from lib import audit, auth, db, devices, factors, passwords
from lib.auth import Workplace
from lib.db import Scope
from lib.errors import Invalid, NotFound
from lib.identity import Identity
from lib.texts import _

LANGUAGES = {"en": "English", "es": "Español", "fr": "Français", "de": "Deutsch"}


@dataclass(frozen=True)
class Profile:
    """`language` None: the clinic's. `factor_since` None: there is no second factor; `factor_required`: a clinic that
    this person works in asks everybody for one. `recovery_codes`: how many are left."""

    email: str
    full_name: str
    language: str | None
    factor_since: datetime | None
    factor_required: bool
    recovery_codes: int


@dataclass(frozen=True)
class Device:
    """A living session. `id` never leaves this process as text; `key` stands for it where a widget needs a name."""

    id: bytes
    device: str
    address: str
    clinic_name: str
    keep: bool
    created_at: datetime
    seen_at: datetime
    current: bool

    @property
    def name(self) -> str:
        return devices.name(self.device)

    @property
    def key(self) -> str:
        return sha256(self.id).hexdigest()[:16]


def get(identity: Identity) -> Profile:
    with _own(identity) as scope:
        return _profile(scope)


def amend(identity: Identity, full_name: str, language: str | None) -> None:
    """The name follows into every clinic, and is on record in each. `language` None: as the clinic has it."""
    full_name = auth.check_name(full_name, _("Full name"))
    if language is not None and language not in LANGUAGES:
        raise Invalid(_("This language is not known."))
    wanted, places = {"full_name": full_name, "language": language}, auth.workplaces(identity)
    with _own(identity) as scope:
        before = _profile(scope)
        changed = [field for field, value in wanted.items() if getattr(before, field) != value]
        if changed:
            scope.run("select app.amend_account(:session, :full_name, :language)", session=identity.session, **wanted)
            audit.record(scope, "change", "account", fields=changed)
        if "full_name" in changed:
            _record_elsewhere(scope, [place for place in places if not place.current])


def _record_elsewhere(scope: Scope, places: list[Workplace]) -> None:
    """In the same transaction, which leaves the current clinic by it: call last."""
    for place in places:
        there = Scope(scope.connection, replace(scope.identity, clinic_id=place.id, role=place.role))
        there.run("select app.enter(:clinic_id, :user_id)", user_id=scope.identity.user_id)
        audit.record(there, "change", "account", fields=["full_name"])


def change_password(identity: Identity, current: str, new: str) -> None:
    """Ends every other session. Raises Invalid with the sentence to show, TooMany after a few wrong ones."""
    passwords.check(new, identity.full_name, identity.clinic_name, identity.email)
    account = factors.confirm(identity, current)
    if new == current:
        raise Invalid(_("This is the password you have already. Please choose another one."))
    new_hash = passwords.make_hash(new)
    with _own(identity) as scope:
        if not scope.value("select app.set_password(:session, :old_hash, :new_hash)", session=identity.session,
                           old_hash=account.password_hash, new_hash=new_hash):
            raise Invalid(_("Your password was changed somewhere else meanwhile. Nothing was changed here."))
        audit.record(scope, "change_password", "account")


def sessions(identity: Identity) -> list[Device]:
    """Those that are alive, the last used first."""
    with _own(identity) as scope:
        return _sessions(scope)


def sign_out(identity: Identity, session_id: bytes) -> None:
    """Somebody else's session answers like one that is over."""
    with _own(identity) as scope:
        if session_id not in {device.id for device in _sessions(scope)}:
            raise NotFound(_("This device is signed out already."))
        scope.run("select app.revoke_mine(:session, :other)", session=identity.session, other=session_id)
        audit.record(scope, "sign_out_device", "session", row_count=1)


def sign_out_others(identity: Identity) -> int:
    """How many."""
    with _own(identity) as scope:
        ended = sum(not device.current for device in _sessions(scope))
        scope.run("select app.revoke_mine(:session, null)", session=identity.session)
        audit.record(scope, "sign_out_devices", "session", row_count=ended)
        return ended


@contextmanager
def _own(identity: Identity) -> Iterator[Scope]:
    with db.scope(identity) as scope:
        auth.require(identity, "account.own")
        yield scope


def _profile(scope: Scope) -> Profile:
    return scope.one(Profile, """
        select email, full_name, language, factor_since, app.factor_required(:session) as factor_required, recovery_codes
        from app.account(:session)
        """, session=scope.identity.session)


def _sessions(scope: Scope) -> list[Device]:
    return scope.many(Device, """
        select id, device, address, clinic_name, keep, created_at, seen_at, current
        from app.my_sessions(:session)
        """, session=scope.identity.session)
