"""The assistant as a service: `uvicorn api.assistant:app` answers by itself, without a database; the app serves the same routes,
but not the one by which an app asks its service.

`/generate` keeps a published contract: `source` is "mock" for what is answered here and "openrouter" for what a provider said.
"""

import asyncio
import hmac
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, TypeAdapter
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api import asking, generating, metrics
from api.asking import LONGEST_MESSAGE, Caller, Chat, Message, Prepared, Refused
from api.generating import place, pool
from api.limits import MOST_BYTES_OF_A_CHAT, is_small
from api.problems import problem, sentence
from lib import ai, crash_reports, logs, prompts, providers, settings
from lib.errors import SetUpError
from lib.events import Delta, Done, Draining, Event, Stop
from lib.prompts import Context
from lib.texts import _

log = structlog.get_logger()
T = TypeVar("T")

DOORS = {401: {"WWW-Authenticate": "Bearer"}}


class Guarded(APIRoute):
    """Looks at the key before the body is read: what a stranger sends is not."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def admit(request: Request) -> Response:
            request.state.caller = admitted(request, request.headers.get("authorization", ""))
            return await handle(request)
        return admit


router = APIRouter(tags=["assistant"], route_class=Guarded)
by_itself = APIRouter(tags=["assistant"], route_class=Guarded)


class Asked(BaseModel):
    """What an app of ours asks: masked already, and past its own red flags, limits and budget."""

    message: Annotated[str, Field(max_length=LONGEST_MESSAGE)]
    context: Context


def admitted(request: Request, authorization: str) -> Caller:
    """The service key; without one configured, only a developer's machine is open."""
    key = settings.get().ai_service_key
    counted: bool = request.app.state.counted
    if key is None and not settings.get().production:
        return Caller(request.client.host if request.client else "", counted)
    scheme, _space, shown = authorization.partition(" ")
    if key is None or scheme.lower() != "bearer" or not hmac.compare_digest(shown.encode(), key.get_secret_value().encode()):
        raise Refused(401, _("This needs the service key, as Authorization: Bearer …"))
    return Caller(key.get_secret_value(), counted)


# routes --------------------------------------------------------------------------------------------------------------


def check_health() -> dict[str, str]:
    """Alive, whatever else is away."""
    return {"status": "ok"}


@router.post("/generate")
async def generate(message: Message, request: Request) -> Any:
    return await _whole(Chat(**message.model_dump()), request)


@router.post("/api/chat/generate")
async def chat(asked: Chat, request: Request) -> Any:
    if not asked.stream and "text/event-stream" not in request.headers.get("accept", ""):
        return await _whole(asked, request)
    prepared = await _prepared(asked, request.state.caller)
    logs.note(source=ai.route(prepared.request))
    return _streamed(_Lines(_told(prepared), place(prepared)), prepared.request.stop)


@by_itself.post("/api/chat/converse")
async def converse(asked: Asked) -> StreamingResponse:
    """A provider's bare reply, for lib/remote.py. The app itself has no such route: it would spend past every budget."""
    provider = providers.installed()
    if provider is None:
        raise Refused(503, _("This service has no provider."))
    stop = Stop()
    events = providers.converse(provider, prompts.build(asked.message, asked.context), stop)
    lines = (_line(event) for event in events if not isinstance(event, Draining))
    return _streamed(_Lines(lines, pool("apps")), stop)


async def _whole(asked: Chat, request: Request) -> Any:
    prepared = await _prepared(asked, request.state.caller)
    heeding = asyncio.create_task(_heed(request, prepared.request.stop))
    try:
        told = await _aside(place(prepared), generating.whole, prepared)
    finally:
        heeding.cancel()
    logs.note(source=told["route"])
    return told


async def _heed(request: Request, stop: Stop) -> None:
    """A caller who hangs up ends the answer. The body has been read: nothing else is still to come from there."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stop.ask()


async def _prepared(asked: Chat, caller: Caller) -> Prepared:
    """Danger first: nothing before it waits or refuses, and what it says waits for nothing."""
    verdict = await _aside(pool("danger"), asking.judge, asked)
    at_once = asking.warn(asked, verdict)
    if at_once:
        return at_once
    return await _aside(pool("assistant"), asking.prepare, asked, verdict, caller)


async def _aside(place: ThreadPoolExecutor, work: Callable[..., T], *arguments: Any) -> T:
    """In a thread: the loop may be the whole app's."""
    return await asyncio.get_running_loop().run_in_executor(place, work, *arguments)


# streaming -----------------------------------------------------------------------------------------------------------


def _told(prepared: Prepared) -> Iterator[bytes]:
    ended = False
    for event in generating.events(prepared):
        if isinstance(event, Delta):
            yield _event("delta", {"text": event.text})
        elif not ended:
            ended = True
            yield _event("done", generating.told(prepared, event))


def _line(event: Event) -> bytes:
    if isinstance(event, Done):
        return _event("done", DONE.dump_python(event, mode="json"))
    return _event("delta", {"text": event.text if isinstance(event, Delta) else ""})


def _event(kind: str, data: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


DONE = TypeAdapter(Done)


def _streamed(lines: "_Lines", stop: Stop) -> StreamingResponse:
    return StreamingResponse(_paced(lines, stop), media_type="text/event-stream",
                             headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


class _Lines:
    """Read by one thread at a time, at `place`: whoever leaves may do so while the next line is waited for."""

    def __init__(self, lines: Iterator[bytes], place: ThreadPoolExecutor) -> None:
        self.place, self._lines, self._turn = place, lines, threading.Lock()

    def next(self) -> bytes:
        with self._turn:
            return next(self._lines, b"")

    def end(self) -> None:
        while self.next():
            pass


async def _paced(lines: _Lines, stop: Stop) -> AsyncIterator[bytes]:
    """A caller who leaves ends the answer. What it cost is settled all the same: exactly, where the bill runs on and is read."""
    try:
        while line := await _aside(lines.place, lines.next):
            yield line
    finally:
        stop.ask()
        lines.place.submit(lines.end)


# refusals ------------------------------------------------------------------------------------------------------------


async def refuse(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    headers = {"Retry-After": str(error.seconds)} if error.seconds else DOORS.get(error.status)
    return _problem(request, error.status, error.reason, headers)


async def explain(request: Request, error: Exception) -> JSONResponse:
    """400 with what is wrong where, and never with what was sent."""
    assert isinstance(error, RequestValidationError)
    return _problem(request, 400, "; ".join(_reason(item) for item in error.errors()))


def _reason(wrong: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in wrong["loc"][1:])
    if wrong["type"] == "json_invalid":
        return _unreadable()
    return f"{place}: {wrong['msg']}" if place else _("The body must be a JSON object, sent with Content-Type: application/json.")


def _unreadable() -> str:
    return _("The body can't be read as JSON.")


async def tell(request: Request, error: Exception) -> JSONResponse:
    """What meets no route, comes to too much, or is bytes that no text and no number can be made of."""
    assert isinstance(error, HTTPException)
    detail = _unreadable() if error.status_code == 400 else sentence(error.status_code)
    return _problem(request, error.status_code, detail, error.headers)


def _problem(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """With the request's id in the app, whose log knows it."""
    return problem(status, detail, getattr(request.state, "request_id", ""), headers)


class Measured:
    """Refuses what tells of being too large before it is read. In the app, api/doorman.py does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_too_large = scope["type"] == "http" and not is_small(scope["path"], Headers(scope=scope))
        await (problem(413, sentence(413)) if is_too_large else self.app)(scope, receive, send)


# by itself -----------------------------------------------------------------------------------------------------------


def make(*, alone: bool = False) -> FastAPI:
    """`alone`: without a database, and so without the installation's total."""
    service = FastAPI(title="Chairside's assistant", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    service.state.counted = not alone
    service.add_api_route("/health", check_health)
    service.include_router(router)
    service.add_middleware(RequestBodyLimitMiddleware, max_body_size=MOST_BYTES_OF_A_CHAT)
    if alone:
        service.include_router(by_itself)
        service.add_api_route("/metrics", metrics.show)
        service.add_middleware(Measured)  # the outer one: the other knows no form of ours for a length that was told
    service.add_exception_handler(Refused, refuse)
    service.add_exception_handler(RequestValidationError, explain)
    service.add_exception_handler(HTTPException, tell)
    return service


def __getattr__(name: str) -> FastAPI:
    """`app`, made when somebody serves it: an app of its own must not start without a key."""
    if name != "app":
        raise AttributeError(name)
    logs.configure()
    crash_reports.configure()
    if settings.get().production and settings.get().ai_service_key is None:
        raise SetUpError("AI_SERVICE_KEY must be set in production.")
    return make(alone=True)
