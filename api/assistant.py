"""The assistant as a service: `uvicorn api.assistant:app` answers by itself, without a database; the app serves the same routes.

`/generate` keeps a published contract: `source` is "mock" for what is answered here and "openrouter" for what a provider said.
"""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter

from api.limits import MOST_BYTES_OF_A_CHAT
from lib import advice, ai, articles, knowledge, logs, prompts, providers, redaction, redflags, settings
from lib.ai import Consultation
from lib.errors import SetUpError
from lib.events import Delta, Done, Draining, Event, Stop
from lib.prompts import Context, Extract, Turn
from lib.texts import _

log = structlog.get_logger()

EMERGENCY_NUMBER = "112"
LONGEST_MESSAGE, LONGEST_QUESTION = 20_000, 4_000
PLACES = 200  # answers at once; each waits far more than it works
SAID_BY_PROVIDER = ("ok", "truncated", "filtered", "stopped", "error_mid")

router = APIRouter(tags=["assistant"])


class Patient(BaseModel):
    name: Annotated[str, Field(max_length=255)] = ""


class Message(BaseModel):
    """`message`: what a patient or a colleague asks."""

    message: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_MESSAGE, pattern=r"\S")]
    patient: Patient = Patient()


class Said(BaseModel):
    role: Annotated[str, Field(pattern="^(user|assistant)$")]
    content: Annotated[str, Field(max_length=LONGEST_MESSAGE)]


class Chat(Message):
    """`stream`: the answer as server-sent events, as with `Accept: text/event-stream`."""

    history: Annotated[list[Said], Field(max_length=50)] = []
    notes: Annotated[str, Field(max_length=LONGEST_MESSAGE)] = ""
    emergency_number: Annotated[str, Field(pattern=r"^[0-9 ]{2,12}$")] = EMERGENCY_NUMBER
    stream: bool = False


class Asked(BaseModel):
    """What an app of ours asks: masked already, and past its own red flags."""

    message: Annotated[str, Field(max_length=LONGEST_MESSAGE)]
    context: Context


class Refused(Exception):
    """With its status and its sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def admitted(authorization: Annotated[str, Header()] = "") -> None:
    """The service key; without one configured, only a developer's machine is open."""
    key = settings.get().ai_service_key
    if key is None and not settings.get().production:
        return
    if key is None or not hmac.compare_digest(authorization.encode(), f"Bearer {key.get_secret_value()}".encode()):
        raise Refused(401, _("This needs the service key, as Authorization: Bearer …"))


# routes --------------------------------------------------------------------------------------------------------------


@router.get("/health")
def check_health() -> dict[str, str]:
    """Alive, whatever else is away."""
    return {"status": "ok"}


@router.post("/generate", dependencies=[Depends(admitted)])
async def generate(message: Message) -> dict[str, Any]:
    return await _whole(Chat(**message.model_dump()))


@router.post("/api/chat/generate", dependencies=[Depends(admitted)])
async def chat(asked: Chat, request: Request) -> Any:
    if not asked.stream and "text/event-stream" not in request.headers.get("accept", ""):
        return await _whole(asked)
    prepared = await asyncio.get_running_loop().run_in_executor(_pool(), _prepare, asked)
    return _streamed(_told(prepared), prepared.stop)


@router.post("/api/chat/converse", dependencies=[Depends(admitted)])
async def converse(asked: Asked) -> StreamingResponse:
    """A provider's bare reply, for lib/remote.py."""
    provider = providers.installed()
    if provider is None:
        raise Refused(503, _("This service has no provider."))
    stop = Stop()
    events = providers.converse(provider, prompts.build(asked.message, asked.context), stop)
    return _streamed((_line(event) for event in events if not isinstance(event, Draining)), stop)


# answering -----------------------------------------------------------------------------------------------------------


def _prepare(asked: Chat) -> ai.Request:
    """Red flags on the whole message, then the length, then whoever answers: the order that the app keeps, too."""
    turns = [turn.content[:LONGEST_QUESTION] for turn in asked.history if turn.role == "user"]
    verdict = redflags.check(asked.message, turns[-3:])
    if verdict.tier == "E":
        categories = sorted({finding.category for finding in verdict.findings if finding.tier == "E"})
        return ai.Request(asked.message, None, False, asked.emergency_number, card=advice.emergency_card(
            asked.emergency_number, categories))
    if len(asked.message) > LONGEST_QUESTION:
        raise Refused(400, _("A question has room for {limit:,} characters; this one has {n:,}.").format(
            limit=LONGEST_QUESTION, n=len(asked.message)))
    article = knowledge.look_up(asked.message, _articles())
    return ai.Request(asked.message, article, verdict.tier == "U", asked.emergency_number, _consultation(asked, article))


def _consultation(asked: Chat, article: articles.Article | None) -> Consultation | None:
    """None: what an article answers about nobody in particular, and everything where there is no provider, is answered here."""
    provider = providers.installed()
    alone = not (asked.patient.name or asked.history or asked.notes)
    if provider is None or (article and alone):
        return None
    redactor = redaction.Redactor(redaction.Subject(asked.patient.name) if asked.patient.name else None)
    said = asked.history[-prompts.HISTORY:]
    history = tuple(Turn(turn.role, redactor.redact(turn.content[:LONGEST_QUESTION])) for turn in said)
    extracts = (Extract(article.title, article.body),) if article else ()
    return Consultation(provider, redactor.redact(asked.message),
                        Context(redactor.redact(asked.notes[:LONGEST_QUESTION]), history, extracts, asked.emergency_number))


@cache
def _articles() -> tuple[articles.Article, ...]:
    return tuple(articles.read_folder())


async def _whole(asked: Chat) -> dict[str, Any]:
    request, events = await asyncio.get_running_loop().run_in_executor(_pool(), _answered, asked)
    text = "".join(event.text for event in events if isinstance(event, Delta))
    done = next(event for event in events if isinstance(event, Done))
    name = asked.patient.name or _("the patient")
    return {"reply": text.replace("[patient]", name), **_origin(request, done)}


def _answered(asked: Chat) -> tuple[ai.Request, list[Event]]:
    """In a thread: reading signs and masking take their time, and the loop may be the whole app's."""
    request = _prepare(asked)
    return request, list(ai.answer(request))


def _origin(request: ai.Request, done: Done) -> dict[str, Any]:
    route = "emergency" if done.raised == "E" else ai.route(request)
    outside = route == "provider" and done.status in SAID_BY_PROVIDER and not (done.problem and done.status != "error_mid")
    return {"source": "openrouter" if outside else "mock", "route": route, "status": done.status,
            "tier": "E" if route == "emergency" else "U" if request.urgent else done.raised}


def _told(request: ai.Request) -> Iterator[bytes]:
    for event in ai.answer(request):
        if isinstance(event, Delta):
            yield _event("delta", {"text": event.text})
        elif isinstance(event, Done):
            yield _event("done", _origin(request, event))


def _line(event: Event) -> bytes:
    if isinstance(event, Done):
        return _event("done", DONE.dump_python(event, mode="json"))
    return _event("delta", {"text": event.text if isinstance(event, Delta) else ""})


def _event(kind: str, data: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


DONE = TypeAdapter(Done)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PLACES, thread_name_prefix="assistant")


def _streamed(lines: Iterator[bytes], stop: Stop) -> StreamingResponse:
    return StreamingResponse(_paced(lines, stop), media_type="text/event-stream",
                             headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def _paced(lines: Iterator[bytes], stop: Stop) -> AsyncIterator[bytes]:
    """A caller who leaves ends the answer."""
    try:
        while line := await asyncio.get_running_loop().run_in_executor(_pool(), next, lines, b""):
            yield line
    finally:
        stop.ask(final=True)


# by itself -----------------------------------------------------------------------------------------------------------


async def refuse(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return _problem(request, error.status, error.reason)


async def explain(request: Request, error: Exception) -> JSONResponse:
    """400 with what is wrong where, and never with what was sent."""
    assert isinstance(error, RequestValidationError)
    places = [(".".join(str(part) for part in item["loc"][1:]) or _("the body"), item["msg"]) for item in error.errors()]
    return _problem(request, 400, "; ".join(f"{place}: {reason}" for place, reason in places))


def _problem(request: Request, status: int, detail: str) -> JSONResponse:
    """RFC 9457, as everywhere under /api."""
    body = {"status": status, "detail": detail, "request_id": getattr(request.state, "request_id", "")}
    return JSONResponse(body, status, media_type="application/problem+json")


def make() -> FastAPI:
    service = FastAPI(title="Chairside's assistant", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
                      max_body_size=MOST_BYTES_OF_A_CHAT)
    service.include_router(router)
    service.add_exception_handler(Refused, refuse)
    service.add_exception_handler(RequestValidationError, explain)
    return service


def __getattr__(name: str) -> FastAPI:
    """`app`, made when somebody serves it: an app of its own must not start without a key."""
    if name != "app":
        raise AttributeError(name)
    logs.configure()
    if settings.get().production and settings.get().ai_service_key is None:
        raise SetUpError("AI_SERVICE_KEY must be set in production.")
    return make()
