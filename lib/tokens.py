"""The value of the session cookie: an HS256 JWT whose id is the secret behind a session row."""

import base64
import hashlib
import hmac
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import jwt

from lib import local_secrets, metrics, settings
from lib.errors import NotSignedIn


@dataclass(frozen=True)
class Token:
    """What a cookie claims. `id` is a secret; the session row is found by its hash."""

    id: str
    user_id: str
    email: str


def read(cookie: str | None, audience: str | None = None) -> Token:
    """Raises NotSignedIn for anything but our own HS256 signature with all claims in date. While a secret is being replaced,
    what the former one signed stays good until it expires (docs/operations.md). `audience`: None for cookies, "api" for access
    tokens; neither passes for the other."""
    for secret in _secrets():
        with suppress(jwt.InvalidTokenError):
            token, expires = _verified(cookie or "", secret, audience)
            if expires > time.time():
                return token
    if cookie:  # a visitor without one has shown nothing that could be wrong
        metrics.token_failures.labels("token").inc()
    raise NotSignedIn


@lru_cache(maxsize=1000)
def _verified(cookie: str, secret: str, audience: str | None) -> tuple[Token, float]:
    """And when it expires. A signature that was right stays right, and a browser or program shows the same one each time."""
    claims: dict[str, Any] = jwt.decode(cookie, secret, algorithms=["HS256"], audience=audience,
                                        options={"require": ["sub", "email", "iat", "exp", "jti"]})
    return Token(str(claims["jti"]), str(claims["sub"]), str(claims["email"])), float(claims["exp"])


def make(user_id: UUID, email: str, token_id: str, life: timedelta, audience: str | None = None) -> str:
    now = datetime.now(UTC)
    claims = {"sub": str(user_id), "email": email, "iat": now, "exp": now + life, "jti": token_id}
    return jwt.encode(claims | ({"aud": audience} if audience else {}), _secrets()[0], "HS256")


@cache
def _secrets() -> list[str]:
    """The one that signs, and the former one, which only reads."""
    configured = settings.get()
    given = [secret.get_secret_value() for secret in (configured.jwt_secret, configured.jwt_secret_previous) if secret]
    return given if configured.jwt_secret else [local_secrets.keep("jwt.secret", lambda: secrets.token_urlsafe(48)), *given]


def derive(subject: str) -> list[str]:
    """The secret of a link about `subject`, which need not be kept to be written again: under the secret that signs, and, while
    that is being replaced, under the former one."""
    return [base64.urlsafe_b64encode(hmac.digest(secret.encode(), b"link " + subject.encode(), "sha256")).rstrip(b"=").decode()
            for secret in _secrets()]


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
