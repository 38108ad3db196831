"""A provider on this machine that misbehaves on demand: what it does is written as a script of (seconds, bytes)."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lib.providers import Provider


def chunk(text: str | None = None, **more: Any) -> bytes:
    """One event as OpenAI sends it."""
    choice: dict[str, Any] = {"index": 0, "delta": {} if text is None else {"content": text}}
    if "finish" in more:
        choice["finish_reason"] = more.pop("finish")
    return event({"id": "gen-1", "model": "test-model-1", "choices": [choice], **more})


def event(data: object) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def usage(tokens_in: int, tokens_out: int, **more: Any) -> bytes:
    return event({"id": "gen-1", "choices": [], "usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, **more}})


END = b"data: [DONE]\n\n"
WHOLE = [chunk("Hello "), chunk("there."), chunk(finish="stop"), usage(300, 150), END]


class FakeProvider:
    """`script`: what the next requests get, in turn; the last one for all others. A number in it is a pause in seconds."""

    def __init__(self) -> None:
        self.scripts: list[list[bytes | float]] = [list(WHOLE)]
        self.status, self.content_type, self.headers = 200, "text/event-stream", {}
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.cut: list[float] = []
        self.open = 0
        self._lock = threading.Lock()

    def says(self, *pieces: bytes | float, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
        self.scripts, self.status, self.content_type, self.headers = [list(pieces)], status, content_type, headers

    def then(self, *pieces: bytes | float) -> None:
        self.scripts.append(list(pieces))

    def turn(self) -> list[bytes | float]:
        with self._lock:
            return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length", 0))
        self.requests.append(json.loads(handler.rfile.read(length) or b"{}") | {"authorization": handler.headers.get("authorization")})
        self.paths.append(handler.path)
        script = self.turn()
        status = script.pop(0) if script and isinstance(script[0], int) and script[0] >= 100 else self.status
        handler.send_response(int(status))
        handler.send_header("content-type", self.content_type)
        for name, value in self.headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("connection", "close")
        handler.end_headers()
        self.open += 1
        try:
            for piece in script:
                if isinstance(piece, bytes):
                    handler.wfile.write(piece)
                    handler.wfile.flush()
                else:
                    time.sleep(piece)
        except OSError:
            self.cut.append(time.monotonic())
        finally:
            self.open -= 1
            handler.close_connection = True


@contextmanager
def serving() -> Iterator[tuple[FakeProvider, Provider]]:
    fake = FakeProvider()

    class Handler(BaseHTTPRequestHandler):
        do_POST = do_GET = lambda self: fake.answer(self)

        def log_message(self, *_: object) -> None:
            """Quiet."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield fake, Provider(f"http://127.0.0.1:{server.server_port}/v1", "sk-test", "test-model")
    finally:
        server.shutdown()
        server.server_close()
