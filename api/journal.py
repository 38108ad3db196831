"""One line in the log and one duration for each HTTP request. Of its address only what is ours is kept: the route."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from starlette.routing import Mount
from starlette.types import Scope

from api.answer import Answer, is_api
from lib import logs, metrics

log = structlog.get_logger()

OF_STREAMLIT = ("/media", "/component", "/_stcore/upload_file", "/_stcore")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@contextmanager
def kept(scope: Scope, answer: Answer) -> Iterator[None]:
    """A page loads some seventy files that are the same for everybody: those leave no line, nor do websockets, whose runs do."""
    if scope["type"] != "http" or scope["path"].startswith("/static/"):
        yield
        return
    began = time.perf_counter()
    logs.begin(request_id=answer.request_id)
    try:
        yield
    finally:
        _write(scope, answer.status or 500, time.perf_counter() - began)
        logs.end()


def _write(scope: Scope, status: int, took: float) -> None:
    method = scope["method"] if scope["method"] in METHODS else "other"
    metrics.requests.labels(route(scope), method, str(status)).observe(took)
    if "identity" in scope["state"]:
        logs.know(scope["state"]["identity"])
    log.info("request", route=route(scope), method=method, status=status, duration_ms=round(took * 1000, 1))


def route(scope: Scope) -> str:
    """The address as our code spells it. What matched no route is somebody's own words, and counts as "other"."""
    path: str = scope["path"]
    found = scope.get("route")
    if not is_api(path):
        return next((prefix for prefix in OF_STREAMLIT if path.startswith(prefix)), "page")
    if found is None or isinstance(found, Mount):
        return "other"
    names = {str(scope["path_params"][name]): f"{{{name}}}" for name in found.param_convertors}
    if any("/" in value for value in names):
        return "other"
    return "/".join(names.get(part, part) for part in path.split("/"))
