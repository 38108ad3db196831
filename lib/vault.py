"""Secrets at rest: sealed with keys from the environment, which the database never sees."""

import contextlib
import os
import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lib import settings
from lib.errors import SetUpError
from lib.texts import _

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def require_keys() -> None:
    """Raises SetUpError where nothing can be sealed, before somebody has done their part of it."""
    _keys()


def seal(text: str) -> str:
    return _keys().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises SetUpError when no key fits: the one it was sealed with is no longer in CHAIRSIDE_ENCRYPTION_KEYS."""
    from cryptography.fernet import InvalidToken

    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SetUpError(_("A stored secret can't be read with this installation's keys. Please tell whoever runs it.")) from None


def renew(sealed: str) -> str:
    """The same secret under the newest key."""
    return seal(unseal(sealed))


@cache
def _keys() -> "MultiFernet":
    """The first key seals, every key opens (docs/operating.md tells how to change them)."""
    from cryptography.fernet import Fernet, MultiFernet  # what a visitor sees first needs no cryptography

    return MultiFernet([Fernet(key) for key in settings.get().encryption_key_list or [_development_key()]])


def _development_key() -> str:
    """Kept in the data folder, so that a restart can read what was sealed before. Production brings its own."""
    from cryptography.fernet import Fernet

    if settings.get().production:
        raise SetUpError(_("Secrets can't be stored here until whoever runs Chairside sets CHAIRSIDE_ENCRYPTION_KEYS."))
    path = settings.get().data / "encryption.key"
    if not path.exists():
        _write_once(path, Fernet.generate_key().decode())
    return path.read_text()


def _write_once(path: Path, text: str) -> None:
    """Whole and under its name, or not at all: of two processes that start at once, both go on with the same key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
