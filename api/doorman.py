"""What stands in front of Streamlit: identity from the cookie, gated routes, security headers. Pure ASGI."""

import base64
import hashlib
import re
import secrets
from functools import cache
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

import streamlit
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib import auth, settings
from lib.errors import AppError

IDENTITY_HEADER = b"x-chairside-session"  # named in .streamlit/config.toml as server.trustedUserHeaders
GATED = ("/media", "/_stcore/upload_file", "/_stcore/metrics")


def cookie_name() -> str:
    return "__Host-chairside" if settings.get().tls else "chairside"


def read_cookie(headers: Headers) -> str | None:
    try:
        cookie = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return cookie[cookie_name()].value if cookie_name() in cookie else None


class Doorman:
    """Strips any identity a client claims and sets the one its cookie proves; refuses gated paths without one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != IDENTITY_HEADER]}
        if scope["type"] == "websocket":
            return await self.app(await self._identified(scope), receive, send)
        await self._serve(scope, receive, _with_headers(scope, send))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith(GATED) and await run_in_threadpool(_session, Headers(scope=scope)) is None:
            return await JSONResponse({"detail": "Please sign in."}, 401)(scope, receive, send)
        await self.app(scope, receive, send)

    async def _identified(self, scope: Scope) -> Scope:
        token_id = await run_in_threadpool(_session, Headers(scope=scope))
        headers = [*scope["headers"], (IDENTITY_HEADER, token_id.encode())] if token_id else scope["headers"]
        return {**scope, "headers": headers}


def _session(headers: Headers) -> str | None:
    """The token id of a live session, or None. A database that is away means nobody gets in."""
    try:
        token_id = auth.read_token(read_cookie(headers))
        auth.resume(token_id, active=False)
    except AppError:
        return None
    return token_id


def _with_headers(scope: Scope, send: Send) -> Send:
    request_id = secrets.token_hex(8)
    scope.setdefault("state", {})["request_id"] = request_id

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_security_headers())
            headers["X-Request-Id"] = request_id
            if scope["path"].startswith(("/media", "/api")):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return wrapped


@cache
def _security_headers() -> dict[str, str]:
    fixed = {
        "Content-Security-Policy": content_policy(),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }
    return {**fixed, "Strict-Transport-Security": "max-age=31536000"} if settings.get().tls else fixed


def content_policy() -> str:
    """`blob:` is how Streamlit loads the script of an inline component; the hash is its index.html's own script."""
    index = (Path(streamlit.__file__).parent / "static" / "index.html").read_text()
    inline = [script for script in re.findall(r"<script>(.*?)</script>", index, re.DOTALL) if script.strip()]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in inline)
    return (f"default-src 'none'; script-src 'self' blob: {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            "font-src 'self' data:; connect-src 'self'; frame-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
            "form-action 'self'; object-src 'none'; worker-src 'none'; manifest-src 'self'")
