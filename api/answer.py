"""What goes back: our headers on everything, and in place of any error's own page one sentence and the request id."""

import base64
import hashlib
import re
import secrets
from functools import cache

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from api.page import page
from api.problems import PROBLEM, problem, sentence
from lib import settings
from lib.texts import _

NEVER_KEPT = ("/api", "/generate", "/metrics", "/media", "/_stcore/upload_file", "/_stcore/metrics")
STARTS = ("http.response.start", "websocket.http.response.start")


def is_api(path: str) -> bool:
    """What programs ask, and not browsers."""
    return path in ("/api", "/health", "/generate", "/metrics") or path.startswith("/api/")


def refusal(path: str, status: int, request_id: str) -> Response:
    """Outside /api, `Answer` writes the words."""
    return problem(status, sentence(status), request_id) if is_api(path) else Response(status_code=status)


class Answer:
    """One request's way back. `started`: too late to say anything else. `status`: what was answered."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.path: str = scope["path"]
        self.request_id = secrets.token_hex(8)
        self.status = 0
        self.started = False
        self._send = send
        self._is_said = False
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def send(self, message: Message) -> None:
        self.started = True
        if message["type"] in STARTS:
            await self._start(message)
        elif not self._is_said:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        self.status = message["status"]
        headers = MutableHeaders(scope=message)
        headers.update(security_headers())
        headers["X-Request-Id"] = self.request_id
        if self.path.startswith(NEVER_KEPT):
            headers["Cache-Control"] = "no-store"
        kind = headers.get("content-type", "")
        explained = is_api(self.path) and kind == PROBLEM
        is_page = message["status"] == 200 and kind.startswith("text/html") and not is_api(self.path)
        self._is_said = is_page or (message["status"] >= 400 and not explained)
        words = self._words(message["status"], headers) if self._is_said else b""
        await self._send(message)
        if self._is_said:
            await self._send({"type": message["type"].replace("start", "body"), "body": words})

    def _words(self, status: int, headers: MutableHeaders) -> bytes:
        for name in ("content-encoding", "etag", "last-modified"):
            del headers[name]
        kind, words = ("text/html; charset=utf-8", page().encode()) if status == 200 else self._refusal(status)
        headers.update({"Content-Type": kind, "Content-Length": str(len(words))})
        return words

    def _refusal(self, status: int) -> tuple[str, bytes]:
        if is_api(self.path):
            return PROBLEM, bytes(problem(status, sentence(status), self.request_id).body)
        reference = _("Reference: {request_id}").format(request_id=self.request_id)
        return "text/plain; charset=utf-8", f"{sentence(status)}\n\n{reference}\n".encode()


@cache
def security_headers() -> dict[str, str]:
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
    """`blob:` is how Streamlit loads the script of an inline component; the hashes are those of the page's own scripts."""
    inline = [script for script in re.findall(r"<script>(.*?)</script>", page(), re.DOTALL) if script.strip()]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in inline)
    return (f"default-src 'none'; script-src 'self' blob: {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            "font-src 'self' data:; connect-src 'self'; frame-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
            "form-action 'self'; object-src 'none'; worker-src 'none'; manifest-src 'self'")
