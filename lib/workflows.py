"""Actions that span domains. The only module that may, with lib/assistant.py; nothing in lib imports it."""

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from lib import (
    advice,
    ai,
    answers,
    assistant,
    audit,
    auth,
    calls,
    chats,
    db,
    emergencies,
    patient_notes,
    patients,
    rate_limits,
    redflags,
    workers,
)
from lib.answering import Answering
from lib.assistant import Question
from lib.calls import Call, Ending
from lib.chats import Message
from lib.db import Scope
from lib.errors import AppError, Conflict, Invalid, NotFound, TooMany
from lib.events import FREE
from lib.identity import Identity
from lib.redflags import Verdict
from lib.texts import _

LONGEST_QUESTION = 4_000
PLACEHOLDER = "[patient]"  # what a provider knows instead of a name
CHECKLIST = "checklist"  # in place of a rule set
HEARD, LOOK = 3.0, 0.1  # seconds in which a process that lives ends what it was asked to, and between two looks


@dataclass(frozen=True)
class Asked:
    """The rows of a question just asked. `tier` "E": the card stands there already; otherwise the answer is being written.
    `refusal`: why an urgent question got its advice and no answer."""

    thread_id: UUID
    question_id: UUID
    answer_id: UUID
    tier: str | None
    refusal: str = ""


# asking --------------------------------------------------------------------------------------------------------------


def ask(identity: Identity, patient_id: UUID | None, text: str, *, at_once: bool = False) -> Asked:
    """Red flags, then the length and the limit, then whoever answers, in this order. Raises Invalid or TooMany with nothing
    saved. `at_once`: nobody watches the answer being written."""
    began = time.monotonic()
    text = chats.storable(text)
    if chats.is_blank(text):
        raise Invalid(_("There is no question yet. Type one and send it again."))
    verdict = _check(identity, patient_id, text)
    refused = None if verdict.tier == "E" else _refuse(identity, text)
    if refused and not verdict.tier:
        raise refused
    return _post(identity, patient_id, chats.marked(text), verdict, refused, began, at_once)


def _check(identity: Identity, patient_id: UUID | None, text: str) -> Verdict:
    """Together with what the same person asked here a moment ago."""
    with db.scope(identity) as scope:
        auth.require(identity, "chat.patient" if patient_id else "chat.ask")
        thread_id = chats.find_thread(scope, patient_id)
        recent = chats.recent_questions(scope, thread_id) if thread_id else []
    return redflags.check(text[:chats.LONGEST], recent)


def _post(identity: Identity, patient_id: UUID | None, text: str, verdict: Verdict, refused: AppError | None,
          began: float, at_once: bool) -> Asked:
    route, refusal = "emergency" if verdict.tier == "E" else "blocked" if refused else "", str(refused or "")
    ways = [route] if route else ["started", *(ai.BUILT_IN if at_once else ())]
    with db.scope(identity) as scope:
        thread_id = chats.open_thread(scope, patient_id)
        repeated = chats.find_repeated(scope, thread_id, text, verdict.tier, ways)
        if repeated:
            return Asked(thread_id, repeated.question_id, repeated.answer_id, verdict.tier, refusal)
        question_id = chats.post_question(scope, thread_id, text)
        audit.record(scope, "ask", "chat_thread", thread_id, patient_id=patient_id)
        if route:
            answer_at_once = partial(_advise, refused) if refused else _alarm
            return Asked(thread_id, question_id, answer_at_once(scope, question_id, verdict, began), verdict.tier, refusal)
        question = Question(question_id, thread_id, patient_id, text, verdict.tier, verdict.version, at_once=at_once)
        job = assistant.begin(scope, question, began)
    workers.start(job)
    return Asked(thread_id, question_id, job.message_id, verdict.tier)


def ask_again(identity: Identity, answer_id: UUID, *, at_once: bool = False) -> Asked:
    """Another answer to the same question, beside the one there is. An emergency stays one: `declare_general` is its way on."""
    with db.scope(identity) as scope:
        question = _question_of(scope, answer_id)
        auth.require(identity, "chat.patient" if question.patient_id else "chat.ask")
        if question.tier == "E":
            raise Invalid(_("This message was taken for an emergency. State first that no patient is in danger now."))
    return _answer_again(identity, replace(question, at_once=at_once))


def declare_general(identity: Identity, emergency_id: UUID, *, at_once: bool = False) -> Asked:
    """"General question, not a patient now": on record in the name of who says so, and then the question is answered. Raises
    Invalid or TooMany with the statement saved, where it is too long or one too many."""
    with db.scope(identity) as scope:
        emergency = emergencies.get(scope, emergency_id)
        question = chats.get(scope, emergency.message_id)
        if question.user_id != identity.user_id:
            raise Conflict(_("Only who asked can say what was meant."))
        emergencies.declare_general(scope, emergency_id)
    return _answer_again(identity, Question(question.id, question.thread_id, question.patient_id, question.content, None,
                                            emergency.rule_set, declared=True, signs=tuple(emergency.categories),
                                            at_once=at_once))


def _answer_again(identity: Identity, question: Question) -> Asked:
    began = time.monotonic()
    refused = _refuse(identity, question.text)
    if refused:
        raise refused
    with db.scope(identity) as scope:
        auth.require(identity, "chat.patient" if question.patient_id else "chat.ask")
        running = chats.find_running(scope, question.thread_id, question.id)
        if running:
            return Asked(question.thread_id, question.id, running, question.tier)
        audit.record(scope, "ask_again", "chat_thread", question.thread_id, patient_id=question.patient_id)
        job = assistant.begin(scope, question, began)
    workers.start(job)
    return Asked(question.thread_id, question.id, job.message_id, question.tier)


def _question_of(scope: Scope, answer_id: UUID) -> Question:
    """With the tier it has by now, whichever of its answers raised it, unless somebody stated that it was a general one."""
    answer = chats.get(scope, answer_id)
    if answer.question_id is None or answer.running:
        raise NotFound
    question = chats.get(scope, answer.question_id)
    raised = emergencies.of_questions(scope, question.thread_id, [question.id]).get(question.id)
    declared = bool(raised and raised.general)
    signs = tuple(raised.categories) if raised else ()
    tier = None if declared else "E" if raised else chats.highest_tier(scope, question.thread_id, question.id)
    return Question(question.id, question.thread_id, question.patient_id, question.content, tier,
                    calls.rule_set_of(scope, answer.id), again=True, declared=declared, signs=signs)


def tick_off(identity: Identity, patient_id: UUID | None, signs: Collection[str]) -> Asked | None:
    """The checklist of red flags, which depends on nobody's wording. `signs`: the categories that were answered with yes."""
    began = time.monotonic()
    with db.scope(identity) as scope:
        auth.require(identity, "chat.patient" if patient_id else "chat.ask")
        thread_id = chats.open_thread(scope, patient_id)
        audit.record(scope, "tick_off", "chat_thread", thread_id, patient_id=patient_id)
        if not signs:
            return None
        named = [label for sign, label in advice.checklist().items() if sign in signs]
        if len(named) != len(set(signs)):
            raise Invalid
        text = _("Red-flag checklist, answered with yes:") + "\n" + "\n".join(f"• {label}" for label in named)
        repeated = chats.find_repeated(scope, thread_id, text, "E", ["emergency"])
        if repeated:
            return Asked(thread_id, repeated.question_id, repeated.answer_id, "E")
        question_id = chats.post_question(scope, thread_id, text)
        answer_id = _card(scope, question_id, sorted(signs), CHECKLIST, began)
    return Asked(thread_id, question_id, answer_id, "E")


def watch(answer_id: UUID) -> Answering | None:
    """The answer in the making, to be read as it grows, if this process makes it."""
    return workers.find(answer_id)


def stop(identity: Identity, answer_id: UUID) -> None:
    """End one's own running answer with what is there: at once, or within half a second where another process writes it. Nothing
    happens to one that is not running, or a colleague's."""
    job = workers.find(answer_id)
    if job is None:
        with db.scope(identity) as scope:
            answers.ask_to_stop(scope, answer_id)
    elif job.user_id == identity.user_id:
        job.stop("stopped")


def is_heard(identity: Identity, answer_id: UUID) -> bool:
    """False: one's own answer that another process writes, and that was asked to stop, still runs after three seconds. Who wrote
    it may be gone."""
    deadline = time.monotonic() + HEARD
    while runs := workers.find(answer_id) is None and _runs(identity, answer_id):
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK)
    return not runs


def _runs(identity: Identity, answer_id: UUID) -> bool:
    with db.scope(identity) as scope:
        return answers.is_running(scope, answer_id)


def shutdown() -> None:
    workers.shutdown()


def _refuse(identity: Identity, text: str) -> AppError | None:
    """Why this question gets no answer, if so: it is too long, or one too many. Outside of any transaction: the counter may be
    another machine's, and no connection waits for it."""
    if len(text) > LONGEST_QUESTION:
        return Invalid(_("A question has room for {limit:,} characters; this one has {n:,}. Nothing was sent and nothing was "
                         "lost: shorten it and send it again.").format(limit=LONGEST_QUESTION, n=len(text)))
    if identity.client:  # has a limit of its own, and takes none of its owner's questions
        return None
    try:
        rate_limits.spend("chats", identity.user_id)
    except TooMany as error:
        return error
    return None


def _alarm(scope: Scope, question_id: UUID, verdict: Verdict, began: float) -> UUID:
    categories = sorted({finding.category for finding in verdict.findings if finding.tier == "E"})
    return _card(scope, question_id, categories, verdict.version, began)


def _card(scope: Scope, question_id: UUID, categories: list[str], rule_set: str, began: float) -> UUID:
    """The fixed card, at once: no look-up and no worker stand between the sign and the number to call."""
    emergency_id = emergencies.raise_alarm(scope, question_id, categories=categories, rule_set=rule_set)
    call = Call("emergency", "E", rule_set, None, scope.identity.language)
    return _answer_whole(scope, question_id, call, advice.emergency_card(scope.identity.emergency_number, categories), began,
                         {"emergency_id": str(emergency_id), "categories": categories})


def _advise(refused: AppError, scope: Scope, question_id: UUID, verdict: Verdict, began: float) -> UUID:
    """The urgent advice alone, to a question that is too long to be answered, or one too many."""
    call, number = Call("blocked", "U", verdict.version, None, scope.identity.language), scope.identity.emergency_number
    words = f"{advice.urgent_advice(number)}\n\n{advice.safety_net(number)}"
    why = "limit" if isinstance(refused, TooMany) else "length"
    return _answer_whole(scope, question_id, call, words, began, {"refused": why})


def _answer_whole(scope: Scope, question_id: UUID, call: Call, words: str, began: float, facts: dict[str, Any]) -> UUID:
    answer_id = answers.start(scope, question_id, call)
    took = round((time.monotonic() - began) * 1000)
    answers.finish(scope, answer_id, call, Ending(FREE, words, took, took), facts)
    return answer_id


# working with an answer ----------------------------------------------------------------------------------------------


def save_to_notes(identity: Identity, answer_id: UUID) -> None:
    """Appended to the patient's medical notes, with its author and where it comes from."""
    with db.scope(identity) as scope:
        auth.require(identity, "patients.notes")
        answer = _finished(scope, answer_id)
        if answer.patient_id is None:
            raise Invalid(_("This answer is about no patient."))
        if chats.is_blank(answer.content):
            raise Invalid(_("There is nothing in this answer. Nothing was added."))
        name = patients.read(scope, answer.patient_id).full_name
        patient_notes.append(scope, answer.patient_id, _("from the assistant"), answer.content.replace(PLACEHOLDER, name))


def _finished(scope: Scope, answer_id: UUID) -> Message:
    answer = chats.get(scope, answer_id)
    if answer.role != "assistant" or answer.running:
        raise NotFound
    return answer
