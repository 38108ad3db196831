"""Threads, questions and answers, and what each answer took. An answer is saved exactly once."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lib import audit, db
from lib.ai import Done
from lib.db import Page, Scope
from lib.errors import NotFound
from lib.texts import _

LONGEST = 20_000  # chat_messages.content


@dataclass(frozen=True)
class Message:
    """`asked_by`: who asked, on the answer too. `stale`: still started although every deadline has passed."""

    id: UUID
    thread_id: UUID
    patient_id: UUID | None
    user_id: UUID
    asked_by: str
    question_id: UUID | None
    role: str
    status: str
    content: str
    metadata: dict[str, Any]
    created_at: datetime
    stale: bool

    @property
    def running(self) -> bool:
        """Being written, here or in another process."""
        return self.status == "started" and not self.stale


@dataclass(frozen=True)
class Call:
    """How an answer was come by, known before it begins."""

    route: str
    tier: str | None
    rule_set: str
    article: str | None
    language: str


@dataclass(frozen=True)
class Ending:
    """How an answer ended, to be written once."""

    done: Done
    content: str
    latency_ms: int
    first_token_ms: int | None = None


# threads -------------------------------------------------------------------------------------------------------------


def find_thread(scope: Scope, patient_id: UUID | None) -> UUID | None:
    """The patient's thread, or the asking member's own general one; None before the first question."""
    thread: UUID | None = scope.value("""
        select id
        from chat_threads
        where clinic_id = :clinic_id
          and (patient_id = cast(:patient_id as uuid)
               or (cast(:patient_id as uuid) is null and patient_id is null and user_id = :user_id))
        """, patient_id=patient_id, user_id=scope.identity.user_id)
    return thread


def open_thread(scope: Scope, patient_id: UUID | None) -> UUID:
    """The same, made if need be. Of two who open one at the same moment, the second waits and finds the first's."""
    thread = find_thread(scope, patient_id)
    if thread is None:
        scope.run("""
            insert into chat_threads (clinic_id, patient_id, user_id)
            values (:clinic_id, :patient_id, :user_id)
            on conflict do nothing
            """, patient_id=patient_id, user_id=scope.identity.user_id)
        thread = find_thread(scope, patient_id)
    assert thread
    return thread


def view(scope: Scope, patient_id: UUID | None) -> UUID | None:
    """`find_thread` for somebody who is going to read it, with the patient in sight: the one row in the audit log for both."""
    thread = find_thread(scope, patient_id)
    audit.record_view(scope, "view", "chat_thread", thread or "", patient_id=patient_id)
    return thread


# reading -------------------------------------------------------------------------------------------------------------


def history(scope: Scope, thread_id: UUID, *, before: UUID | None = None, limit: int = 20) -> Page[Message]:
    """The thread's messages, newest first; `before`: only what is older than this message. No message is older than its
    thread, so no month before that is read."""
    return scope.page(Message, """
        select c.id, c.thread_id, c.patient_id, c.user_id, m.display_name as asked_by, c.question_id, c.role, c.status,
               c.content, c.metadata, c.created_at,
               c.status = 'started' and c.id < app.uuid_floor(now() - interval '2 minutes') as stale
        from chat_messages c
        join memberships m on m.clinic_id = c.clinic_id and m.user_id = c.user_id
        where c.clinic_id = :clinic_id
          and c.thread_id = :thread_id
          and c.id >= :thread_id
          and (cast(:before as uuid) is null or c.id < cast(:before as uuid))
        order by c.id desc
        limit :limit + 1
        """, thread_id=thread_id, before=before, limit=limit)


def get(scope: Scope, message_id: UUID) -> Message:
    return scope.one(Message, """
        select c.id, c.thread_id, c.patient_id, c.user_id, m.display_name as asked_by, c.question_id, c.role, c.status,
               c.content, c.metadata, c.created_at,
               c.status = 'started' and c.id < app.uuid_floor(now() - interval '2 minutes') as stale
        from chat_messages c
        join memberships m on m.clinic_id = c.clinic_id and m.user_id = c.user_id
        where c.clinic_id = :clinic_id
          and c.id = :message_id
        """, message_id=message_id)


def recent_questions(scope: Scope, thread_id: UUID) -> list[str]:
    """What this member asked here in the last half hour, up to three, oldest first; without what somebody has answered for."""
    return [row.content for row in scope.many(_Question, """
        select c.content
        from chat_messages c
        where c.clinic_id = :clinic_id
          and c.thread_id = :thread_id
          and c.user_id = :user_id
          and c.role = 'user'
          and c.id > app.uuid_floor(now() - interval '30 minutes')
          and not exists (
              select from emergencies e
              where e.clinic_id = :clinic_id
                and e.id > app.uuid_floor(now() - interval '31 minutes')
                and e.message_id = c.id
                and e.acknowledged_at is not null)
        order by c.id desc
        limit 3
        """, thread_id=thread_id, user_id=scope.identity.user_id)][::-1]


@dataclass(frozen=True)
class _Question:
    content: str


# writing -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    question_id: UUID
    answer_id: UUID


def find_repeated(scope: Scope, thread_id: UUID, text: str, whole: str = "") -> Pair | None:
    """The same words of the same member a moment ago: a double Enter, a second tab. Of two at once, the second waits here.
    Found while the answer is being written, or, where it comes whole at once, by its route: `whole`."""
    scope.run("select pg_advisory_xact_lock(hashtextextended(:key, 0))", key=f"{thread_id} {scope.identity.user_id}")
    return scope.first(Pair, """
        select q.id as question_id, a.id as answer_id
        from chat_messages q
        join chat_messages a on a.clinic_id = q.clinic_id and a.thread_id = q.thread_id and a.question_id = q.id
        where q.clinic_id = :clinic_id
          and q.thread_id = :thread_id
          and q.id > app.uuid_floor(now() - interval '5 seconds')
          and a.id > app.uuid_floor(now() - interval '5 seconds')
          and q.user_id = :user_id
          and q.content = :content
          and case when cast(:whole as text) = '' then a.status = 'started' else a.metadata ->> 'route' = :whole end
        order by q.id desc
        limit 1
        """, thread_id=thread_id, user_id=scope.identity.user_id, content=text, whole=whole)


def post_question(scope: Scope, thread_id: UUID, text: str) -> UUID:
    """About the thread's patient, if it has one."""
    question: UUID | None = scope.value("""
        insert into chat_messages (clinic_id, thread_id, patient_id, user_id, role, status, content, finished_at)
        select t.clinic_id, t.id, t.patient_id, :user_id, 'user', 'ok', :content, now()
        from chat_threads t
        where t.clinic_id = :clinic_id
          and t.id = :thread_id
        returning id
        """, thread_id=thread_id, user_id=scope.identity.user_id, content=text)
    if question is None:
        raise NotFound
    return question


def start_answer(scope: Scope, question_id: UUID, call: Call) -> UUID:
    """The answer's row and its call's, both `started`, before anything runs. Thread and patient are the question's."""
    answer: UUID | None = scope.value("""
        insert into chat_messages (clinic_id, thread_id, patient_id, user_id, question_id, role, status, content)
        select q.clinic_id, q.thread_id, q.patient_id, :user_id, q.id, 'assistant', 'started', ''
        from chat_messages q
        where q.clinic_id = :clinic_id
          and q.id = :question_id
          and q.role = 'user'
        returning id
        """, question_id=question_id, user_id=scope.identity.user_id)
    if answer is None:
        raise NotFound
    scope.run("""
        insert into ai_calls (clinic_id, message_id, patient_id, user_id, route, status, tier, rule_set, article, language)
        select a.clinic_id, a.id, a.patient_id, a.user_id, :route, 'started', :tier, :rule_set, :article, :language
        from chat_messages a
        where a.clinic_id = :clinic_id
          and a.id = :message_id
        """, message_id=answer, route=call.route, tier=call.tier, rule_set=call.rule_set, article=call.article,
              language=call.language)
    return answer


def finish(scope: Scope, answer_id: UUID, call: Call, ending: Ending, facts: dict[str, Any]) -> bool:
    """Whether this was the one time. `facts`: what the page shows beside the call's own figures."""
    ending = _fitted(ending)
    first = scope.run("""
        update chat_messages
        set status = :status, content = :content, metadata = cast(:metadata as jsonb), finished_at = now()
        where clinic_id = :clinic_id
          and id = :id
          and status = 'started'
        """, id=answer_id, status=ending.done.status, content=ending.content,
                      metadata=json.dumps(_metadata(call, ending) | facts)) == 1
    if first:
        _finish_call(scope, answer_id, ending)
    return first


def _fitted(ending: Ending) -> Ending:
    """An answer longer than a message can be is cut, and its status says so."""
    content = storable(ending.content)
    if len(content) > LONGEST and ending.done.status == "ok":
        ending = replace(ending, done=replace(ending.done, status="truncated"))
    return replace(ending, content=content[:LONGEST])


def _finish_call(scope: Scope, answer_id: UUID, ending: Ending) -> None:
    """The call's id was made right after its message's, so no month before that is read."""
    done = ending.done
    scope.run("""
        update ai_calls
        set status = :status, model_used = :model, tokens_in = :tokens_in, tokens_cached = :tokens_cached,
            tokens_out = :tokens_out, tokens_reasoning = :tokens_reasoning, cost_usd = :cost_usd, cost_source = :cost_source,
            first_token_ms = :first_token_ms, latency_ms = :latency_ms, finished_at = now()
        where clinic_id = :clinic_id
          and id >= :message_id
          and message_id = :message_id
          and status = 'started'
        """, message_id=answer_id, status=done.status, model=done.model, tokens_in=done.tokens_in,
              tokens_cached=done.tokens_cached, tokens_out=done.tokens_out, tokens_reasoning=done.tokens_reasoning,
              cost_usd=done.cost_usd, cost_source=done.cost_source, first_token_ms=ending.first_token_ms,
              latency_ms=ending.latency_ms)


def _metadata(call: Call, ending: Ending) -> dict[str, Any]:
    """What the message copies from its call, so that a thread is read without the bill."""
    done = ending.done
    return {"route": call.route, "tier": call.tier, "emergency": call.tier == "E", "article": call.article, "model": done.model,
            "tokens_in": done.tokens_in, "tokens_cached": done.tokens_cached, "tokens_out": done.tokens_out,
            "tokens_reasoning": done.tokens_reasoning, "cost_usd": _plain(done.cost_usd), "cost_source": done.cost_source}


def _plain(money: Decimal | None) -> str | None:
    return None if money is None else format(money, "f")


def storable(text: str) -> str:
    """PostgreSQL keeps no NUL and the driver sends no half of a surrogate pair; everything else stays as it is."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def marked(text: str) -> str:
    """As much of a question as a message can be, with a visible mark where its end is missing."""
    if len(text) <= LONGEST:
        return text
    mark = "\n\n" + _("[This message has {n:,} characters. Its end was too long to be kept.]").format(n=len(text))
    return text[:LONGEST - len(mark)] + mark


def sweep() -> int:
    """End what a crash left open, in every clinic. How many answers that were."""
    with db.nobody() as connection:
        return int(connection.execute(db.statement("select app.sweep_started()")).scalar_one())
