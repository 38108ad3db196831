"""How the assistant answers somebody without a clinic: the order of the app, without its rows."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any

import structlog
from pydantic import BaseModel, Field, StringConstraints

from lib import advice, ai, articles, knowledge, metrics, prompts, providers, rate_limits, redaction, redflags, service_spend
from lib.ai import Consultation
from lib.errors import TooMany, Unavailable
from lib.events import Delta, Done, Draining, Event
from lib.prompts import Context, Extract, Turn
from lib.redflags import Verdict
from lib.texts import _

log = structlog.get_logger()

EMERGENCY_NUMBER = "112"
LONGEST_MESSAGE, LONGEST_QUESTION = 20_000, 4_000
PLACES = 200  # answers at once; each waits far more than it works
SAID_BY_PROVIDER = ("ok", "truncated", "filtered", "stopped", "error_mid")


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


class Refused(Exception):
    """With its status and its sentence. `seconds`: until another try has a chance."""

    def __init__(self, status: int, reason: str, seconds: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.seconds = status, reason, seconds


@dataclass(frozen=True)
class Caller:
    """`who`: whose limit it is, by the service key or, without one, the address. `counted`: whether there is a database that
    knows what the installation's day has cost."""

    who: str
    counted: bool


@dataclass(frozen=True)
class Prepared:
    request: ai.Request
    held: service_spend.Held | None = None


# before --------------------------------------------------------------------------------------------------------------


def prepare(asked: Chat, caller: Caller) -> Prepared:
    """Red flags on the whole message, then the length and the limit, then whoever answers: the order that the app keeps, too."""
    turns = [turn.content[:LONGEST_QUESTION] for turn in asked.history if turn.role == "user"]
    verdict = redflags.check(asked.message, turns[-3:])
    if verdict.tier == "E":
        categories = sorted({finding.category for finding in verdict.findings if finding.tier == "E"})
        return Prepared(ai.Request(asked.message, None, False, asked.emergency_number, card=advice.emergency_card(
            asked.emergency_number, categories)))
    if len(asked.message) > LONGEST_QUESTION:
        raise Refused(400, _("A question has room for {limit:,} characters; this one has {n:,}.").format(
            limit=LONGEST_QUESTION, n=len(asked.message)))
    article = knowledge.look_up(asked.message, _articles())
    request = ai.Request(asked.message, article, verdict.tier == "U", asked.emergency_number)
    busy = _count(caller, verdict)
    return Prepared(replace(request, why_not="busy")) if busy else _with_provider(asked, article, request, caller)


def _count(caller: Caller, verdict: Verdict) -> bool:
    """Whether this is one too many. Whatever is urgent gets its advice all the same; anything else is refused."""
    try:
        rate_limits.spend("service", caller.who)
    except TooMany as error:
        if verdict.tier:
            return True
        raise Refused(429, str(error), error.seconds) from None
    return False


def _with_provider(asked: Chat, article: articles.Article | None, request: ai.Request, caller: Caller) -> Prepared:
    consultation = _consultation(asked, article)
    if consultation is None or consultation.provider is None:
        return Prepared(request)
    asking = replace(request, consultation=consultation)
    if not caller.counted:
        return Prepared(asking)
    try:
        held = service_spend.hold(consultation.provider, sum(len(message["content"]) for message in consultation.messages))
    except Unavailable:
        return Prepared(replace(request, why_not="unavailable"))
    return Prepared(asking, held) if held else Prepared(replace(request, why_not="budget"))


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


# the answer ----------------------------------------------------------------------------------------------------------


def whole(asked: Chat, caller: Caller) -> dict[str, Any]:
    """Takes its time: reading signs, masking, and waiting for the provider."""
    prepared = prepare(asked, caller)
    text, rest = "", events(prepared)
    for event in rest:
        if isinstance(event, Delta):
            text += event.text
        else:
            if isinstance(event, Done):
                deque(rest, 0)
            else:  # behind an emergency's card, its bill is still to come
                pool().submit(deque, rest, 0)
            return {"reply": text.replace("[patient]", asked.patient.name or _("the patient")), **origin(prepared.request, event)}
    raise AssertionError("an answer ends with Done")


def events(prepared: Prepared) -> Iterator[Event]:
    """What was held is settled, however this ends."""
    done, began, first = Done(status="error_mid"), time.monotonic(), 0.0
    try:
        for event in ai.answer(prepared.request):
            first = first or time.monotonic() - began
            done = event if isinstance(event, Done) else done
            yield event
    finally:
        told = origin(prepared.request, done)
        metrics.endings.labels(told["route"], told["status"]).inc()
        metrics.answers.labels(told["route"]).observe(time.monotonic() - began)
        metrics.first_tokens.labels(told["route"]).observe(first)
        if prepared.held:
            service_spend.settle(prepared.held, done)


def origin(request: ai.Request, end: Done | Draining) -> dict[str, Any]:
    """In the words of the published contract. After `Draining`, only the bill is still to come."""
    done = end if isinstance(end, Done) else Done(raised=end.raised)
    route = "emergency" if done.raised == "E" else ai.route(request)
    outside = route == "provider" and done.status in SAID_BY_PROVIDER and not (done.problem and done.status != "error_mid")
    return {"source": "openrouter" if outside else "mock", "route": route, "status": done.status,
            "tier": "E" if route == "emergency" else "U" if request.urgent else done.raised}


@cache
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PLACES, thread_name_prefix="assistant")
