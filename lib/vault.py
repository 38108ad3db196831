"""Secrets at rest: sealed with keys from the environment, which the database never sees."""

from functools import cache
from typing import TYPE_CHECKING

from lib import local_secrets, settings
from lib.errors import SetUpError
from lib.texts import _

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def require_keys() -> None:
    """Raises SetUpError where nothing can be sealed, before somebody has done their part of it."""
    _keys()


def seal(text: str) -> str:
    return seal_bytes(text.encode()).decode()


def seal_bytes(data: bytes) -> bytes:
    """One line of base64."""
    return _keys().encrypt(data)


def unseal(sealed: str) -> str:
    """Raises SetUpError when no key fits: the one it was sealed with is no longer in CHAIRSIDE_ENCRYPTION_KEYS."""
    return unseal_bytes(sealed.encode()).decode()


def unseal_bytes(sealed: bytes) -> bytes:
    from cryptography.fernet import InvalidToken

    try:
        return _keys().decrypt(sealed)
    except InvalidToken:
        raise SetUpError(_("A stored secret can't be read with this installation's keys. Please tell whoever runs it.")) from None


def renew(sealed: str) -> str:
    """The same secret under the newest key."""
    return seal(unseal(sealed))


@cache
def _keys() -> "MultiFernet":
    """The first key seals, every key opens (docs/operations.md tells how to change them)."""
    from cryptography.fernet import Fernet, MultiFernet  # what a visitor sees first needs no cryptography

    return MultiFernet([Fernet(key) for key in keys()])


def keys() -> list[str]:
    """The newest first, for files too large for `seal_bytes`."""
    return settings.get().encryption_key_list or [_development_key()]


def _development_key() -> str:
    """Production brings its own."""
    from cryptography.fernet import Fernet

    if settings.get().production:
        raise SetUpError(_("Secrets can't be stored here until whoever runs Chairside sets CHAIRSIDE_ENCRYPTION_KEYS."))
    return local_secrets.keep("encryption.key", lambda: Fernet.generate_key().decode())
