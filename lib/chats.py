"""Threads, questions and answers, and what each answer took. An answer is saved exactly once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from lib import audit, calls, db
from lib.calls import Call, Ending
from lib.db import Page, Scope
from lib.errors import NotFound
from lib.texts import _

LONGEST = 20_000  # chat_messages.content


@dataclass(frozen=True)
class Message:
    """`asked_by`: who asked, on the answer too. `stale`: still started although every deadline has passed. `helpful`: what the
    reading member thought of it."""

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
    attempt: int = 1
    helpful: bool | None = None

    @property
    def running(self) -> bool:
        """Being written, here or in another process."""
        return self.status == "started" and not self.stale


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


def history(scope: Scope, thread_id: UUID, *, before: UUID | None = None, limit: int = 10) -> Page[Message]:
    """The thread's messages, newest first; `before`: only what is older than this message. No message is older than its
    thread, so no month before that is read."""
    return scope.page(Message, """
        select c.id, c.thread_id, c.patient_id, c.user_id, m.display_name as asked_by, c.question_id, c.role, c.status,
               c.content, c.metadata, c.created_at,
               c.status = 'started' and c.id < app.uuid_floor(now() - interval '2 minutes') as stale, c.attempt, r.helpful
        from chat_messages c
        join memberships m on m.clinic_id = c.clinic_id and m.user_id = c.user_id
        left join answer_ratings r on r.clinic_id = c.clinic_id and r.message_id = c.id and r.user_id = :me
        where c.clinic_id = :clinic_id
          and c.thread_id = :thread_id
          and c.id >= :thread_id
          and (cast(:before as uuid) is null or c.id < cast(:before as uuid))
        order by c.id desc
        limit :limit + 1
        """, thread_id=thread_id, before=before, me=scope.identity.user_id, limit=limit)


def search(scope: Scope, thread_id: UUID, term: str, *, limit: int = 20) -> list[Message]:
    """The thread's messages that hold this text, newest first."""
    audit.record_view(scope, "search", "chat_thread", thread_id, term=term)
    pattern = term.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return scope.many(Message, """
        select c.id, c.thread_id, c.patient_id, c.user_id, m.display_name as asked_by, c.question_id, c.role, c.status,
               c.content, c.metadata, c.created_at, false as stale, c.attempt
        from chat_messages c
        join memberships m on m.clinic_id = c.clinic_id and m.user_id = c.user_id
        where c.clinic_id = :clinic_id
          and c.thread_id = :thread_id
          and c.id >= :thread_id
          and c.content ilike '%' || :pattern || '%'
        order by c.id desc
        limit :limit
        """, thread_id=thread_id, pattern=storable(pattern), limit=limit)


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


def turns_before(scope: Scope, thread_id: UUID, question_id: UUID, *, limit: int) -> list[Message]:
    """What was said last before this question, oldest first: what a provider may know of the conversation. Emergencies and what
    was said to them stay out: nothing of theirs is sent anywhere."""
    said = history(scope, thread_id, before=question_id, limit=limit).rows[::-1]
    alarming = {message.question_id for message in said if message.metadata.get("emergency")}
    return [message for message in said if message.id not in alarming and message.question_id not in alarming - {None}]


def find_running(scope: Scope, thread_id: UUID, question_id: UUID) -> UUID | None:
    """An answer to this question that is being written now. Of two who want another one at once, the second waits here."""
    scope.run("select pg_advisory_xact_lock(hashtextextended(:key, 0))", key=f"again {question_id}")
    running: UUID | None = scope.value("""
        select id
        from chat_messages
        where clinic_id = :clinic_id
          and thread_id = :thread_id
          and question_id = :question_id
          and id > :question_id
          and id > app.uuid_floor(now() - interval '2 minutes')
          and status = 'started'
        order by id desc
        limit 1
        """, thread_id=thread_id, question_id=question_id)
    return running


def sent(scope: Scope, answer_id: UUID) -> list[dict[str, str]]:
    """What a provider was given for this answer, word for word; empty where nothing left the clinic."""
    get(scope, answer_id)
    return scope.value("""
        select sent
        from chat_messages
        where clinic_id = :clinic_id
          and id = :answer_id
        """, answer_id=answer_id) or []


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


def start_answer(scope: Scope, question_id: UUID, call: Call, sent: Sequence[dict[str, str]] | None = None) -> UUID:
    """The answer's row and its call's, both `started`, before anything runs: the next attempt at this question. Thread and
    patient are the question's. `sent`: what a provider is given."""
    answer: UUID | None = scope.value("""
        insert into chat_messages (clinic_id, thread_id, patient_id, user_id, question_id, attempt, role, status, content, sent)
        select q.clinic_id, q.thread_id, q.patient_id, :user_id, q.id,
               1 + (select count(*) from chat_messages a
                    where a.clinic_id = :clinic_id and a.thread_id = q.thread_id and a.id > q.id and a.question_id = q.id),
               'assistant', 'started', '', cast(:sent as jsonb)
        from chat_messages q
        where q.clinic_id = :clinic_id
          and q.id = :question_id
          and q.role = 'user'
        returning id
        """, question_id=question_id, user_id=scope.identity.user_id, sent=None if sent is None else json.dumps(list(sent)))
    if answer is None:
        raise NotFound
    calls.begin(scope, answer, call)
    return answer


@dataclass(frozen=True)
class Written:
    """What a `finish` was the first to write."""

    message: bool
    bill: bool


def finish(scope: Scope, answer_id: UUID, call: Call, ending: Ending, facts: dict[str, Any]) -> Written:
    """Each of the two rows once. `facts`: what the page shows beside the call's own figures."""
    ending = _fitted(ending)
    first = scope.run("""
        update chat_messages
        set status = :status, content = :content, metadata = cast(:metadata as jsonb), finished_at = now()
        where clinic_id = :clinic_id
          and id = :id
          and status = 'started'
        """, id=answer_id, status=ending.done.status, content=ending.content,
                      metadata=json.dumps(_metadata(call, ending) | facts)) == 1
    return Written(first, ending.billed and calls.finish(scope, answer_id, ending))


def _fitted(ending: Ending) -> Ending:
    """An answer longer than a message can be is cut, and its status says so."""
    content = storable(ending.content)
    if len(content) > LONGEST and ending.done.status == "ok":
        ending = replace(ending, done=replace(ending.done, status="truncated"))
    return replace(ending, content=content[:LONGEST])


def _metadata(call: Call, ending: Ending) -> dict[str, Any]:
    """What the message copies from its call, so that a thread is read without the bill."""
    done = ending.done
    return {"route": call.route, "tier": done.raised or call.tier, "emergency": "E" in (done.raised, call.tier),
            "article": call.article, "model": done.model,
            "tokens_in": done.tokens_in, "tokens_cached": done.tokens_cached, "tokens_out": done.tokens_out,
            "tokens_reasoning": done.tokens_reasoning, "cost_usd": _plain(done.cost_usd), "cost_source": done.cost_source,
            "saved_usd": _plain(done.saved_usd), "problem": done.problem, "finish": done.finish, "billed": ending.billed,
            "redactions": dict(call.redactions)}


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
