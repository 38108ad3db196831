"""Actions that span domains. The only module that may; nothing in lib imports it."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from lib import ai, audit, auth, chats, db, emergencies, knowledge, redflags, workers
from lib.chats import Call, Ending
from lib.db import Scope
from lib.errors import AppError, Invalid, Unavailable
from lib.identity import Identity
from lib.redflags import Verdict
from lib.texts import _

log = structlog.get_logger()

LONGEST_QUESTION = 4_000
PATIENCE = (0.2, 1.0, 3.0)  # seconds between tries to save an answer while the database is away


@dataclass(frozen=True)
class Asked:
    """The rows of a question just asked. `tier` "E": the card stands there already; otherwise the answer is being written."""

    thread_id: UUID
    question_id: UUID
    answer_id: UUID
    tier: str | None


def ask(identity: Identity, patient_id: UUID | None, text: str) -> Asked:
    """Red flags, then the length, then knowledge, then the answer, in this order. Raises Invalid with nothing saved."""
    began = time.monotonic()
    auth.require(identity, "chat.patient" if patient_id else "chat.ask")
    text = chats.storable(text)
    if not text.strip():
        raise Invalid(_("There is no question yet. Type one and send it again."))
    with db.scope(identity) as scope:
        thread_id = chats.open_thread(scope, patient_id)
        verdict = redflags.check(text[:chats.LONGEST], chats.recent_questions(scope, thread_id))
        _check_length(identity, text, verdict)
        question_id = chats.post_question(scope, thread_id, patient_id, text)
        audit.record(scope, "ask", "chat_thread", thread_id, patient_id=patient_id)
        asked = partial(Asked, thread_id, question_id)
        if verdict.tier == "E":
            return asked(_alarm(scope, thread_id, patient_id, question_id, verdict, began), "E")
        job = _prepare(scope, thread_id, patient_id, question_id, text, verdict, began)
    workers.start(job)
    return asked(job.message_id, verdict.tier)


def stop(identity: Identity, answer_id: UUID) -> None:
    """End one's own running answer with what is there. Nothing happens to one that is not running, or a colleague's."""
    job = workers.find(answer_id)
    if job and job.user_id == identity.user_id:
        job.stop("stopped")


def shutdown() -> None:
    workers.shutdown()


def _check_length(identity: Identity, text: str, verdict: Verdict) -> None:
    """An emergency may be as long as a message can be; what is to be answered may not."""
    limit = chats.LONGEST if verdict.tier == "E" else LONGEST_QUESTION
    if len(text) <= limit:
        return
    advice = {"E": ai.emergency_card, "U": ai.urgent_advice}.get(verdict.tier or "")
    sentence = _("A question has room for {limit:,} characters; this one has {n:,}. Nothing was sent and nothing was lost: "
                 "shorten it and send it again.").format(limit=limit, n=len(text))
    raise Invalid(f"{advice(identity.emergency_number)}\n\n{sentence}" if advice else sentence)


def _alarm(scope: Scope, thread_id: UUID, patient_id: UUID | None, question_id: UUID, verdict: Verdict, began: float) -> UUID:
    """The fixed card, at once: no look-up and no worker stand between the sign and the number to call."""
    categories = sorted({finding.category for finding in verdict.findings if finding.tier == "E"})
    emergency_id = emergencies.open(scope, message_id=question_id, thread_id=thread_id, patient_id=patient_id,
                                    categories=categories, rule_set=verdict.version)
    call = Call("emergency", "E", verdict.version, None, scope.identity.language)
    answer_id = chats.start_answer(scope, thread_id, patient_id, question_id, call)
    took = round((time.monotonic() - began) * 1000)
    card = ai.emergency_card(scope.identity.emergency_number)
    chats.finish(scope, answer_id, call, Ending(ai.FREE, card, took, took),
                 {"emergency_id": str(emergency_id), "categories": categories})
    return answer_id


def _prepare(scope: Scope, thread_id: UUID, patient_id: UUID | None, question_id: UUID, text: str, verdict: Verdict,
             began: float) -> workers.Answering:
    article = knowledge.find(scope, text)
    request = ai.Request(text, article, verdict.tier == "U", scope.identity.emergency_number)
    call = Call(ai.route(request), verdict.tier, verdict.version, article.slug if article else None, scope.identity.language)
    answer_id = chats.start_answer(scope, thread_id, patient_id, question_id, call)
    settle = partial(_settle, scope.identity, answer_id, call, _cite(article) if article else {})
    return workers.Answering(answer_id, scope.identity.user_id, ai.answer(request), settle, ai.known(call.route), began)


def _cite(article: knowledge.Article) -> dict[str, Any]:
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


