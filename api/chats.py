"""Conversations with the assistant: threads, messages, questions and what becomes of their answers."""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from starlette.concurrency import run_in_threadpool

from api import answering, cursor, once, refusals
from api.route import OneHop
from api.session import may
from lib import advice, answer_ratings, auth, chats, db, emergencies, workflows
from lib.db import Scope
from lib.errors import NotFound
from lib.identity import Identity

router = APIRouter(prefix="/chats", tags=["chats"], route_class=OneHop)
Asker = Annotated[Identity, Depends(may("chat.ask"))]
Before = Annotated[str | None, Query(alias="cursor", max_length=200)]
Limit = Annotated[int, Query(ge=1, le=100)]
Sign = Literal["airway", "bleeding", "infection", "trauma", "heart", "allergy", "self_harm"]
# How it is told, not what is asked: one key stands for both ways (api/once.py).
Stream = Annotated[bool, Field(exclude=True)]
THREAD: JsonDict = {"id": "01932c07-2c3e-7a05-b3c4-1e7d9f0a2b60", "patient_id": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10",
                    "patient": "Maria Lopez", "created_at": "2026-03-01T09:30:00Z"}
MESSAGE: JsonDict = {
    "id": "01932c07-2c3e-7e13-8f20-3b5a7c9d1e40", "thread_id": "01932c07-2c3e-7a05-b3c4-1e7d9f0a2b60",
    "patient_id": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10", "question_id": "01932c07-2c3e-7e12-a7d1-9c8b6a5f4e30",
    "asked_by": "Ann Adams", "role": "assistant", "status": "ok", "content": "Firm pressure on gauze for 30 minutes.",
    "metadata": {"route": "kb"}, "created_at": "2026-03-01T09:30:00Z", "attempt": 1, "helpful": None}


class Thread(BaseModel):
    """`patient_id`: null for one's own general questions."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [THREAD]})

    id: UUID
    patient_id: UUID | None
    patient: str | None
    created_at: AwareDatetime


class Threads(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [THREAD], "next": None}]})

    data: list[Thread]
    next: str | None


class Message(BaseModel):
    """`status` "started": the answer is being written. `metadata`: route, tier, sources, tokens and cost, as far as known."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [MESSAGE]})

    id: UUID
    thread_id: UUID
    patient_id: UUID | None
    question_id: UUID | None
    asked_by: str
    role: str
    status: str
    content: str
    metadata: dict[str, Any]
    created_at: AwareDatetime
    attempt: int
    helpful: bool | None


class Messages(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [MESSAGE], "next": None}]})

    data: list[Message]
    next: str | None


class Question(BaseModel):
    """`patient_id`: null for a general question. `stream`: server-sent events `asked`, `delta`, `done` instead of JSON."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "patient_id": None, "text": "How long should a patient bite on gauze after an extraction?", "stream": False}]})

    patient_id: UUID | None = None
    text: Annotated[str, Field(min_length=1, max_length=40_000)]
    stream: Stream = False


class Again(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"stream": False}]})

    stream: Stream = False


class Sheet(BaseModel):
    """What to ask a patient, so that a danger depends on nobody's wording: by sign, in the clinic's language."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "data": {"airway": "Trouble breathing or swallowing, drooling, or a tongue that is pushed up"}}]})

    data: dict[Sign, str]


class Ticked(BaseModel):
    """`signs`: those that were answered with yes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"patient_id": None, "signs": ["airway"], "stream": False}]})

    patient_id: UUID | None = None
    signs: Annotated[list[Sign], Field(max_length=7)]
    stream: Stream = False


class Feedback(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"helpful": False, "reason": "The dose is missing."}]})

    helpful: bool
    reason: Annotated[str, Field(max_length=answer_ratings.LONGEST)] = ""


ANSWERED: dict[int | str, dict[str, Any]] = {
    201: {"description": "The answer, whole; or as it is written, by server-sent events", "content": {"text/event-stream": {}}},
    **refusals.of(409)}


# reading -------------------------------------------------------------------------------------------------------------


@router.get("/threads")
def threads(identity: Asker, after: Before = None, limit: Limit = 50) -> Threads:
    """Of patients, where the role has `chat.patient`, and one's own general one. Newest first."""
    with db.scope(identity) as scope:
        page = chats.threads(scope, before=cursor.read(after), limit=limit)
    return Threads(data=[Thread.model_validate(row) for row in page.rows], next=cursor.after(page))


@router.get("/threads/{thread_id}/messages")
def messages(thread_id: UUID, identity: Asker, after: Before = None, limit: Limit = 20) -> Messages:
    """Newest first."""
    with db.scope(identity) as scope:
        thread = chats.thread(scope, thread_id)
        page = chats.history(scope, thread.id, before=cursor.read(after), limit=limit)
    return Messages(data=[Message.model_validate(row) for row in page.rows], next=cursor.after(page))


@router.get("/messages/{message_id}")
def message(message_id: UUID, identity: Asker) -> Message:
    with db.scope(identity) as scope:
        found = _readable(scope, message_id)
        chats.thread(scope, found.thread_id)
        return Message.model_validate(found)


# asking --------------------------------------------------------------------------------------------------------------


@router.post("/messages", status_code=201, response_model=Message, responses=ANSWERED)
async def ask(question: Question, identity: Asker, request: Request, key: once.Key = None) -> Any:
    """Red flags come first, as in the app: an emergency is answered by the card, at once. The answer is written to its end even
    if nobody waits for it."""
    def create() -> UUID:
        return workflows.ask(identity, question.patient_id, question.text, at_once=not _streams(question, request)).answer_id
    return await _answered(identity, request, key, question, create)


@router.post("/messages/{message_id}/regenerate", status_code=201, response_model=Message, responses=ANSWERED)
async def regenerate(message_id: UUID, again: Again, identity: Asker, request: Request, key: once.Key = None) -> Any:
    """Another answer to the same question, beside the one there is."""
    def create() -> UUID:
        return workflows.ask_again(identity, message_id, at_once=not _streams(again, request)).answer_id
    return await _answered(identity, request, key, again, create)


@router.post("/messages/{message_id}/general", status_code=201, response_model=Message, responses=ANSWERED)
async def declare_general(message_id: UUID, again: Again, identity: Asker, request: Request, key: once.Key = None) -> Any:
    """Who asked states that no patient is in danger now, by the card that the question was answered with. On record, and then
    the question is answered. 404 where there is no emergency."""
    def create() -> UUID:
        with db.scope(identity) as scope:
            raised = _emergency_of(scope, _readable(scope, message_id))
        return workflows.declare_general(identity, raised, at_once=not _streams(again, request)).answer_id
    return await _answered(identity, request, key, again, create)


@router.get("/checklist")
def checklist(identity: Asker) -> Sheet:
    with db.scope(identity):
        return Sheet.model_validate({"data": advice.checklist()})


@router.post("/checklist", status_code=201, response_model=Message, responses={
    **ANSWERED, 204: {"description": "No sign was answered with yes; that is on record, and there is nothing to answer"}})
async def tick_off(ticked: Ticked, identity: Asker, request: Request, key: once.Key = None) -> Any:
    """Any sign that is answered with yes is an emergency, answered by the card at once."""
    if not ticked.signs:
        await run_in_threadpool(workflows.tick_off, identity, ticked.patient_id, ())
        return Response(status_code=204)

    def create() -> UUID:
        asked = workflows.tick_off(identity, ticked.patient_id, set(ticked.signs))
        assert asked
        return asked.answer_id
    return await _answered(identity, request, key, ticked, create)


@router.post("/messages/{message_id}/stop", status_code=204)
def stop(message_id: UUID, identity: Asker) -> Response:
    """One's own running answer ends with what is there. One that is not running stays as it is."""
    with db.scope(identity) as scope:
        _readable(scope, message_id)
    workflows.stop(identity, message_id)
    return Response(status_code=204)


@router.put("/messages/{message_id}/feedback", status_code=204)
def rate(message_id: UUID, feedback: Feedback, identity: Asker) -> Response:
    """The last word counts."""
    with db.scope(identity) as scope:
        _readable(scope, message_id)
        answer_ratings.rate(scope, message_id, helpful=feedback.helpful, reason=feedback.reason)
    return Response(status_code=204)


async def _answered(identity: Identity, request: Request, key: str | None, body: Question | Again | Ticked,
                    create: Callable[[], UUID]) -> Any:
    answer_id = await run_in_threadpool(once.act, identity, request, key, body, create)
    read = _reader(identity, answer_id)
    if _streams(body, request):
        return StreamingResponse(answering.events(answer_id, read), 201, media_type="text/event-stream")
    return await answering.finished(answer_id, read)


def _streams(body: Question | Again | Ticked, request: Request) -> bool:
    return body.stream or "text/event-stream" in request.headers.get("accept", "")


def _reader(identity: Identity, answer_id: UUID) -> Callable[[], Message]:
    def read() -> Message:
        with db.scope(identity) as scope:
            return Message.model_validate(chats.get(scope, answer_id))
    return read


def _readable(scope: Scope, message_id: UUID) -> chats.Message:
    found = chats.get(scope, message_id)
    if found.patient_id:
        auth.require(scope.identity, "chat.patient")
    return found


def _emergency_of(scope: Scope, card: chats.Message) -> UUID:
    question_id = card.question_id or card.id
    raised = emergencies.of_questions(scope, card.thread_id, [question_id]).get(question_id)
    if raised is None:
        raise NotFound
    return raised.id
