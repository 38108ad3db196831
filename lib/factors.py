"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and ten recovery codes for the day the phone is lost."""

import re
import secrets
import time
from dataclasses import dataclass
from uuid import UUID

import pyotp

from lib import audit, auth, db, passwords, rate_limits, tokens, vault
from lib.auth import Account
from lib.db import Scope
from lib.errors import Invalid
from lib.identity import Identity
from lib.texts import _

STEP = 30  # seconds
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's 32, five bits each
ALIKE = str.maketrans("oil", "011")


@dataclass(frozen=True)
class Enrolment:
    """A factor somebody is setting up. `address` is what the QR code holds."""

    secret: str
    address: str


def begin(identity: Identity) -> Enrolment:
    """Nothing is stored until a first code proves that the app has the secret."""
    vault.require_keys()
    secret = pyotp.random_base32()
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=identity.email, issuer_name="Chairside"))


def set_up(identity: Identity, password: str, secret: str, code: str) -> list[str]:
    """The recovery codes, to be shown this once. Ends every other session. Raises Invalid for a wrong password or code."""
    step = find_step(secret, code)  # first: comparing passwords takes long enough for a code to grow old
    account = confirm(identity, password)
    if step is None:
        raise Invalid(_("This code doesn't match. Check that the clock of your phone is right, and type the newest one. "
                        "If you reloaded this page, scan the new picture."))
    codes = _make_codes()
    with db.scope(identity) as scope:
        _set(scope, account, vault.seal(secret), step, codes)
        audit.record(scope, "set_factor", "account")
    return codes


def drop(identity: Identity, password: str) -> None:
    """Raises FactorRequired where any clinic of this person asks for one."""
    account = confirm(identity, password)
    with db.scope(identity) as scope:
        _set(scope, account, None, 0, [])
        audit.record(scope, "drop_factor", "account")


def renew_codes(identity: Identity, password: str) -> list[str]:
    account, codes = confirm(identity, password), _make_codes()
    with db.scope(identity) as scope:
        if not scope.value("select app.set_recovery_codes(:session, :old_hash, :codes)", session=identity.session,
                           old_hash=account.password_hash, codes=_hashes(codes)):
            raise Invalid(_("There is no second factor to have recovery codes for."))
        audit.record(scope, "renew_recovery_codes", "account")
    return codes


def confirm(identity: Identity, password: str) -> Account:
    """Whoever changes a password or a factor is asked for the current password first, a limited number of times."""
    account = auth.find_account(identity.email)
    if not auth.verify(account, password, address=identity.address, request_id=identity.request_id, kind="confirm_failed"):
        raise Invalid(_("This is not your current password."))
    if passwords.is_cheap(account.password_hash):  # it was, until `verify` renewed it: the change needs the new one
        return confirm(identity, password)
    return account


def check(account_id: UUID, code: str, *, email: str, address: str = "", request_id: str = "") -> bool:
    """Whether this code, of the app or a recovery code, lets its person in. Each works once."""
    auth.limited("factor_limited", email, address, lambda: rate_limits.begin_factor(account_id))
    if not (_use_app if _is_of_the_app(code) else _use_recovery)(account_id, code):
        audit.record_failed_sign_in("factor_failed", email, account_id, address=address, request_id=request_id)
        return False
    rate_limits.forgive_factor(account_id)
    return True


def find_step(secret: str, code: str, *, now: float | None = None) -> int | None:
    """Which 30-second step a code is of: this one, the one before or the one after; None for any other."""
    if not _is_of_the_app(code):
        return None
    typed = _close_up(code)
    current = int((time.time() if now is None else now) // STEP)
    app = pyotp.TOTP(secret, interval=STEP)
    return next((step for step in (current, current - 1, current + 1)
                 if secrets.compare_digest(app.at(step * STEP), typed)), None)


def _is_of_the_app(code: str) -> bool:
    """Six digits. A recovery code is tried without unsealing anything: it opens when the keys are lost, too."""
    return bool(re.fullmatch(r"[0-9]{6}", _close_up(code)))


def _close_up(code: str) -> str:
    return re.sub(r"\s", "", code)


def _use_app(account_id: UUID, code: str) -> bool:
    with db.nobody() as connection:
        sealed = connection.execute(db.statement("select secret from app.find_factor(:account)"),
                                    {"account": account_id}).scalar()
        step = find_step(vault.unseal(sealed), code) if sealed else None
        if step is None:
            return False
        return bool(connection.execute(db.statement("select app.use_step(:account, :step)"),
                                       {"account": account_id, "step": step}).scalar())


def _use_recovery(account_id: UUID, code: str) -> bool:
    with db.nobody() as connection:
        return bool(connection.execute(db.statement("select app.use_recovery_code(:account, :code)"),
                                       {"account": account_id, "code": _hash(code)}).scalar())


def _set(scope: Scope, account: Account, sealed: str | None, step: int, codes: list[str]) -> None:
    if not scope.value("select app.set_factor(:session, :old_hash, :secret, :step, :codes)", session=scope.identity.session,
                       old_hash=account.password_hash, secret=sealed, step=step, codes=_hashes(codes)):
        raise Invalid(_("Your password was changed somewhere else meanwhile. Nothing was changed here."))


def _make_codes() -> list[str]:
    """Ten of 80 random bits each, in groups of four."""
    return ["-".join("".join(secrets.choice(LETTERS) for _letter in range(4)) for _group in range(4)) for _code in range(10)]


def _hashes(codes: list[str]) -> list[bytes]:
    return [_hash(code) for code in codes]


def _hash(code: str) -> bytes:
    """However it is typed: capitals, blanks and dashes of any kind do not count, nor does O for 0 or I for 1."""
    return tokens.digest(re.sub(r"[^a-z0-9]", "", code.lower()).translate(ALIKE))
