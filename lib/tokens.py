"""The value of the session cookie: an HS256 JWT whose id is the secret behind a session row."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import jwt

from lib import local_secrets, settings
from lib.errors import NotSignedIn


@dataclass(frozen=True)
class Token:
    """What a cookie claims. `id` is a secret; the session row is found by its hash."""

    id: str
    user_id: str


def read(cookie: str | None) -> Token:
    """Raises NotSignedIn for anything but our own HS256 signature with all claims in date. While a secret is being replaced,
    what the former one signed stays good until it expires (docs/operating.md)."""
    for secret in _secrets():
        try:
            claims: dict[str, Any] = jwt.decode(cookie or "", secret, algorithms=["HS256"],
                                                options={"require": ["sub", "email", "iat", "exp", "jti"]})
            return Token(str(claims["jti"]), str(claims["sub"]))
        except jwt.InvalidTokenError:
            continue
    raise NotSignedIn


def make(user_id: UUID, email: str, token_id: str, life: timedelta) -> str:
    now = datetime.now(UTC)
    claims = {"sub": str(user_id), "email": email, "iat": now, "exp": now + life, "jti": token_id}
    return jwt.encode(claims, _secrets()[0], "HS256")


@cache
def _secrets() -> list[str]:
    """The one that signs, and the former one, which only reads."""
    configured = settings.get()
    given = [secret.get_secret_value() for secret in (configured.jwt_secret, configured.jwt_secret_previous) if secret]
    return given if configured.jwt_secret else [local_secrets.keep("jwt.secret", lambda: secrets.token_urlsafe(48)), *given]


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
