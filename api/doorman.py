"""What stands in front of Streamlit: identity from the cookie, gated routes, security headers. Pure ASGI."""

import base64
import hashlib
import re
import secrets
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import streamlit
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.ownership import owns_media, owns_upload
from lib import auth, settings
from lib.errors import AppError

IDENTITY_HEADER = b"x-chairside-session"  # named in .streamlit/config.toml as server.trustedUserHeaders
MOST_BYTES = 64 * 1024
GATED = ("/media", "/_stcore/upload_file", "/_stcore/metrics")


def cookie_name() -> str:
    return "__Host-chairside" if settings.get().tls else "chairside"


def read_cookie(headers: Headers) -> str | None:
    return cookie_parser(headers.get("cookie", "")).get(cookie_name())


def same_host(headers: Headers) -> bool:
    """The Origin header names the host that is asked. Ports count: another program on this machine is another site."""
    try:
        origin = urlsplit(headers.get("origin", "")).netloc
    except ValueError:
        return False
    return bool(origin) and origin == headers.get("host")


class Doorman:
    """Strips any identity a client claims and sets the one its cookie proves; refuses what is not that identity's own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != IDENTITY_HEADER]}
        serve = self._connect if scope["type"] == "websocket" else self._serve
        await serve(scope, receive, _with_headers(scope, send))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = await run_in_threadpool(_refusal, scope["path"], Headers(scope=scope))
        await (refusal or self.app)(scope, receive, send)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A browser always sends Origin; without one it is no browser, and carries no cookie that it should not have."""
        headers = Headers(scope=scope)
        if "origin" in headers and not same_host(headers):
            return await PlainTextResponse("Forbidden", 403)(scope, receive, send)
        token_id = await run_in_threadpool(_session, headers)
        await self.app(_known(scope, token_id) if token_id else _unknown(scope), receive, send)


def _refusal(path: str, headers: Headers) -> JSONResponse | None:
    if path.startswith("/api") and not _is_small(headers):
        return JSONResponse({"detail": "This request is too large."}, 413)
    if not path.startswith(GATED):
        return None
    token_id = _session(headers)
    if token_id is None:
        return JSONResponse({"detail": "Please sign in."}, 401)
    owned = ((not path.startswith("/media") or owns_media(token_id, path))
             and (not path.startswith("/_stcore/upload_file") or owns_upload(token_id, path)))
    return None if owned else JSONResponse({"detail": "Not found."}, 404)


def _is_small(headers: Headers) -> bool:
    """Before anything is read: no route takes more, and none takes a body of unknown length."""
    length = headers.get("content-length", "0")
    return "transfer-encoding" not in headers and length.isdecimal() and int(length) <= MOST_BYTES


def _known(scope: Scope, token_id: str) -> Scope:
    return {**scope, "headers": [*scope["headers"], (IDENTITY_HEADER, token_id.encode())]}


def _unknown(scope: Scope) -> Scope:
    """Two strangers look alike to Streamlit, so none of them resumes a session: another's may hold a ticket."""
    headers = [(name, b", ".join(value.split(b",")[:2]) if name.lower() == b"sec-websocket-protocol" else value)
               for name, value in scope["headers"]]
    return {**scope, "headers": headers, "subprotocols": scope.get("subprotocols", [])[:2]}


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
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
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
