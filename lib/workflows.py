"""Actions that span domains. The only module that may; nothing in lib imports it."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from lib import ai, audit, auth, chats, db, emergencies, knowledge, rate_limits, redflags, workers
from lib.chats import Call, Ending
from lib.db import Scope
from lib.errors import AppError, Invalid, TooMany, Unavailable
from lib.identity import Identity
from lib.redflags import Verdict
from lib.texts import _

log = structlog.get_logger()

LONGEST_QUESTION = 4_000
PATIENCE = (0.2, 1.0, 3.0)  # seconds between tries to save an answer while the database is away


@dataclass(frozen=True)
class Asked:
    """The rows of a question just asked. `tier` "E": the card stands there already; otherwise the answer is being written.
    `refusal`: why an urgent question got its advice and no answer."""

    thread_id: UUID
    question_id: UUID
    answer_id: UUID
    tier: str | None
    refusal: str = ""


def ask(identity: Identity, patient_id: UUID | None, text: str) -> Asked:
    """Red flags, then the length and the limit, then knowledge, then the answer, in this order. Raises Invalid or TooMany with
    nothing saved."""
    began = time.monotonic()
    text = chats.storable(text)
    if not text.strip():
        raise Invalid(_("There is no question yet. Type one and send it again."))
    with db.scope(identity) as scope:
        auth.require(identity, "chat.patient" if patient_id else "chat.ask")
        thread_id = chats.open_thread(scope, patient_id)
        verdict = redflags.check(text[:chats.LONGEST], chats.recent_questions(scope, thread_id))
        refused = None if verdict.tier == "E" else _refuse(identity, text)
        if refused and not verdict.tier:
            raise refused
        refusal = str(refused or "")
        route = "emergency" if verdict.tier == "E" else "blocked" if refusal else ""
        text = chats.marked(text)
        repeated = chats.find_repeated(scope, thread_id, text, route)
        if repeated:
            return Asked(thread_id, repeated.question_id, repeated.answer_id, verdict.tier, refusal)
        question_id = chats.post_question(scope, thread_id, text)
        audit.record(scope, "ask", "chat_thread", thread_id, patient_id=patient_id)
        if route:
            answer_at_once = _alarm if route == "emergency" else _advise
            return Asked(thread_id, question_id, answer_at_once(scope, question_id, verdict, began), verdict.tier, refusal)
        job = _prepare(scope, question_id, text, verdict, began)
    workers.start(job)
    return Asked(thread_id, question_id, job.message_id, verdict.tier)


def watch(answer_id: UUID) -> workers.Answering | None:
    """The answer in the making, to be read as it grows, if this process makes it."""
    return workers.find(answer_id)


def stop(identity: Identity, answer_id: UUID) -> None:
    """End one's own running answer with what is there. Nothing happens to one that is not running, or a colleague's."""
    job = workers.find(answer_id)
    if job and job.user_id == identity.user_id:
        job.stop("stopped")


def shutdown() -> None:
    workers.shutdown()


def _refuse(identity: Identity, text: str) -> AppError | None:
    """Why this question gets no answer, if so: it is too long, or one too many."""
    if len(text) > LONGEST_QUESTION:
        return Invalid(_("A question has room for {limit:,} characters; this one has {n:,}. Nothing was sent and nothing was "
                         "lost: shorten it and send it again.").format(limit=LONGEST_QUESTION, n=len(text)))
    try:
        rate_limits.spend("chats", identity.user_id)
    except TooMany as error:
        return error
    return None


def _alarm(scope: Scope, question_id: UUID, verdict: Verdict, began: float) -> UUID:
    """The fixed card, at once: no look-up and no worker stand between the sign and the number to call."""
    categories = sorted({finding.category for finding in verdict.findings if finding.tier == "E"})
    emergency_id = emergencies.raise_alarm(scope, question_id, categories=categories, rule_set=verdict.version)
    call = Call("emergency", "E", verdict.version, None, scope.identity.language)
    return _answer_whole(scope, question_id, call, ai.emergency_card(scope.identity.emergency_number, categories), began,
                         {"emergency_id": str(emergency_id), "categories": categories})


def _advise(scope: Scope, question_id: UUID, verdict: Verdict, began: float) -> UUID:
    """The urgent advice alone, to a question that is too long to be answered."""
    call = Call("blocked", "U", verdict.version, None, scope.identity.language)
    return _answer_whole(scope, question_id, call, ai.urgent_advice(scope.identity.emergency_number), began, {})


def _answer_whole(scope: Scope, question_id: UUID, call: Call, words: str, began: float, facts: dict[str, Any]) -> UUID:
    answer_id = chats.start_answer(scope, question_id, call)
    took = round((time.monotonic() - began) * 1000)
    chats.finish(scope, answer_id, call, Ending(ai.FREE, words, took, took), facts)
    return answer_id


def _prepare(scope: Scope, question_id: UUID, text: str, verdict: Verdict, began: float) -> workers.Answering:
    article = knowledge.find(scope, text)
    request = ai.Request(text, article, verdict.tier == "U", scope.identity.emergency_number)
    call = Call(ai.route(request), verdict.tier, verdict.version, article.slug if article else None, scope.identity.language)
    answer_id = chats.start_answer(scope, question_id, call)
    settle = partial(_settle, scope.identity, answer_id, call, provenance(article) if article else {})
    return workers.Answering(answer_id, scope.identity.user_id, ai.answer(request), settle, ai.known(call.route), began)


def provenance(article: knowledge.Article) -> dict[str, Any]:
    """What the answer says about where it comes from, as it stood when it was given."""
    return {"title": article.title, "source_note": article.source_note,
            "drafted_on": article.drafted_on.isoformat(),
            "reviewed_on": article.reviewed_on.isoformat() if article.reviewed_on else None,
            "reviewed_by": article.reviewed_by,
            "sources": [{"organisation": source.organisation, "title": source.title, "url": source.url,
                         "read_on": str(source.read_on)} for source in article.sources]}


def _settle(identity: Identity, answer_id: UUID, call: Call, facts: dict[str, Any], ending: Ending) -> None:
    """Write the answer, waiting out a database that is away for a moment; what stays open is the sweep's."""
    for pause in (*PATIENCE, None):
        try:
            with db.scope(identity) as scope:
                chats.finish(scope, answer_id, call, ending, facts)
            return
        except Unavailable:
            if pause is None:
                break
            time.sleep(pause)
        except AppError as error:
            log.error("answer not saved", message_id=str(answer_id), error=type(error).__name__)
            return
    log.error("answer not saved", message_id=str(answer_id), error="Unavailable")
