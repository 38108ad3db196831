"""Secrets that a development set-up makes for itself and keeps in its data folder, so that a restart knows them again."""

import contextlib
import os
import secrets
from collections.abc import Callable

from lib import settings


def keep(name: str, make: Callable[[], str]) -> str:
    """The secret of that file. Written whole or not at all: of two processes that start at once, both go on with the same."""
    path = settings.get().data / name
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{name}.{secrets.token_hex(8)}")
        with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(make())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()
