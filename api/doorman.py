"""What stands in front of Streamlit: whom it serves, identity from the cookie, gated routes. Pure ASGI."""

import traceback
from functools import partial
from urllib.parse import urlsplit

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from api import caller, frontends, journal
from api.answer import Answer, is_api, refusal
from api.limits import is_small
from api.ownership import owns_media, owns_upload
from lib import auth, settings, tokens
from lib.errors import AppError

log = structlog.get_logger()

IDENTITY_HEADER = b"x-chairside-session"  # named in .streamlit/config.toml as server.trustedUserHeaders
CONDITIONS = (b"if-none-match", b"if-modified-since")
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
        scope = caller.introduce(scope)
        scope["headers"] = [pair for pair in scope["headers"] if pair[0].lower() != IDENTITY_HEADER]
        answer = Answer(scope, send)
        with journal.kept(scope, answer):
            await frontends.let_in(partial(self._serve, answer), scope["path"])(scope, receive, answer.send)

    async def _serve(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._admit(answer, scope, receive, send)
        except Exception as error:
            if answer.started:
                raise
            _report(error, scope["path"], answer.request_id)
            await refusal(scope["path"], 500, answer.request_id)(scope, receive, send)

    async def _admit(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        """Every decision is made on the scope's path; the Host header decides nothing but this."""
        headers = Headers(scope=scope)
        if not caller.means_us(headers):
            status, served = 400, scope
        elif scope["type"] == "websocket":
            status, served = await self._connect(scope, headers)
        else:
            status, served = await _refused(scope, headers), _whole(scope)
        await (refusal(scope["path"], status, answer.request_id) if status else self.app)(served, receive, send)

    async def _connect(self, scope: Scope, headers: Headers) -> tuple[int, Scope]:
        """A browser always sends Origin; without one it is no browser, and carries no cookie that it should not have."""
        if "origin" in headers and not same_host(headers):
            return 403, scope
        token_id = await run_in_threadpool(_session, scope, headers)
        return 0, _known(scope, token_id) if token_id else _unknown(scope)


async def _refused(scope: Scope, headers: Headers) -> int:
    """The status to refuse with, or 0. What is not gated takes no way to a thread and back."""
    path = scope["path"]
    if is_api(path) and not is_small(path, headers):
        return 413
    return await run_in_threadpool(_not_theirs, scope, headers) if path.startswith(GATED) else 0


def _not_theirs(scope: Scope, headers: Headers) -> int:
    path, token_id = scope["path"], _session(scope, headers)
    if token_id is None:
        return 401
    if path.startswith("/_stcore/metrics"):
        return 404  # they count what every clinic does
    owned = ((not path.startswith("/media") or owns_media(token_id, path))
             and (not path.startswith("/_stcore/upload_file") or owns_upload(token_id, path)))
    return 0 if owned else 404


def _whole(scope: Scope) -> Scope:
    """Streamlit would answer /api itself with its page; and "not modified" to whoever holds that page without our sheet."""
    if scope["path"] == "/api":
        return {**scope, "path": "/api/", "raw_path": b"/api/"}
    if is_api(scope["path"]) or scope["path"].startswith("/static/"):
        return scope
    return {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in CONDITIONS]}


def _known(scope: Scope, token_id: str) -> Scope:
    return {**scope, "headers": [*scope["headers"], (IDENTITY_HEADER, token_id.encode())]}


def _unknown(scope: Scope) -> Scope:
    """Two strangers look alike to Streamlit, so none of them resumes a session: another's may hold a ticket."""
    headers = [(name, b", ".join(value.split(b",")[:2]) if name.lower() == b"sec-websocket-protocol" else value)
               for name, value in scope["headers"]]
    return {**scope, "headers": headers, "subprotocols": scope.get("subprotocols", [])[:2]}


def _session(scope: Scope, headers: Headers) -> str | None:
    """The token id of a live session, or None. A database that is away means nobody gets in."""
    cookie = read_cookie(headers)
    try:
        scope["state"]["identity"] = auth.recognise(cookie, active=False)
        return tokens.read(cookie).id
    except AppError:
        return None


def _report(error: Exception, path: str, request_id: str) -> None:
    """Its type and its place. What it says may hold anything, and the end of an upload's path names a session."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error("request failed", route="/".join(path.split("/")[:3]), request_id=request_id, error=type(error).__name__,
              file=frame.filename, line=frame.lineno)
