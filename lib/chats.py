"""Threads, and the questions and answers in them. What writes an answer is lib/answers.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lib import audit, auth
from lib.db import Page, Scope
from lib.errors import NotFound
from lib.redaction_reading import is_invisible
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

    @property
    def cut_off(self) -> bool:
        """Ended by the database, in the middle: whoever wrote it is gone."""
        return self.stale or self.status == "abandoned" or self.metadata.get("problem") == "left"


@dataclass(frozen=True)
class Thread:
    """`patient_id`: None for the reading member's own general questions."""

    id: UUID
    patient_id: UUID | None
    patient: str | None
    created_at: datetime


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


def threads(scope: Scope, *, before: UUID | None = None, limit: int = 50) -> Page[Thread]:
    """Those that this member may read, the newest first."""
    audit.record_view(scope, "list", "chat_threads")
    return scope.page(Thread, """
        select t.id, t.patient_id, p.full_name as patient, t.created_at
        from chat_threads t
        left join patients p on p.clinic_id = t.clinic_id and p.id = t.patient_id
        where t.clinic_id = :clinic_id
          and (t.patient_id is null or cast(:patients as boolean))
          and (t.patient_id is not null or t.user_id = :user_id)
          and (cast(:before as uuid) is null or t.id < cast(:before as uuid))
        order by t.id desc
        limit :limit + 1
        """, before=before, patients=auth.may(scope.identity, "chat.patient"), user_id=scope.identity.user_id, limit=limit)


def thread(scope: Scope, thread_id: UUID) -> Thread:
    """For somebody who is going to read it."""
    found = scope.one(Thread, """
        select t.id, t.patient_id, p.full_name as patient, t.created_at
        from chat_threads t
        left join patients p on p.clinic_id = t.clinic_id and p.id = t.patient_id
        where t.clinic_id = :clinic_id
          and t.id = :thread_id
        """, thread_id=thread_id)
    if found.patient_id:
        auth.require(scope.identity, "chat.patient")
    audit.record_view(scope, "view", "chat_thread", thread_id, patient_id=found.patient_id)
    return found


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
               c.status = 'started' and c.id < app.uuid_floor(now() - interval '2 minutes') as stale, c.attempt
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


def highest_tier(scope: Scope, thread_id: UUID, question_id: UUID) -> str | None:
    """Of all answers to this question, however they ended: what one of them saw holds for the next."""
    tier: str | None = scope.value("""
        select min(metadata ->> 'tier')  -- E before U
        from chat_messages
        where clinic_id = :clinic_id
          and thread_id = :thread_id
          and question_id = :question_id
          and id > :question_id
        """, thread_id=thread_id, question_id=question_id)
    return tier


@dataclass(frozen=True)
class _Attempt:
    question_id: UUID
    attempt: int


def last_attempts(scope: Scope, thread_id: UUID, question_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How often each of these questions of one thread was answered by now, by question."""
    if not question_ids:
        return {}
    return {row.question_id: row.attempt for row in scope.many(_Attempt, """
        select question_id, max(attempt) as attempt
        from chat_messages
        where clinic_id = :clinic_id
          and thread_id = :thread_id
          and question_id = any(:question_ids)
          and id > :earliest
        group by question_id
        """, thread_id=thread_id, question_ids=list(question_ids), earliest=min(question_ids))}


def turns_before(scope: Scope, thread_id: UUID, question_id: UUID, *, limit: int) -> list[Message]:
    """What was said last before this question, oldest first: what a provider may know of the conversation. Emergencies and what
    was said to them stay out: nothing of theirs is sent anywhere."""
    said = history(scope, thread_id, before=question_id, limit=limit).rows[::-1]
    alarming = {message.question_id for message in said if message.metadata.get("emergency")}
    return [message for message in said if message.id not in alarming and message.question_id not in alarming - {None}]


def find_running(scope: Scope, thread_id: UUID, question_id: UUID) -> UUID | None:
    """An answer to this question that is being written now, or was begun while this transaction waited: of two who want another
    one at once, the second waits here."""
    scope.run("select pg_advisory_xact_lock(hashtextextended(:key, 0))", key=f"again {question_id}")
    running: UUID | None = scope.value("""
        select id
        from chat_messages
        where clinic_id = :clinic_id
          and thread_id = :thread_id
          and question_id = :question_id
          and id > :question_id
          and id > app.uuid_floor(now() - interval '2 minutes')
          and (status = 'started' or id > app.uuid_floor(now()))
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
          and coalesce(cast(metadata ->> 'left' as boolean), true)
        """, answer_id=answer_id) or []


# writing -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    question_id: UUID
    answer_id: UUID


def find_repeated(scope: Scope, thread_id: UUID, text: str, tier: str | None, ways: Sequence[str] = ("started",)) -> Pair | None:
    """The same words of the same member a moment ago: a double Enter, a second tab. Of two at once, the second waits here.
    `ways`: "started" finds it while the answer is being written; where it comes whole at once, its route does. Never one that was
    stopped, or one for another tier, which words before it may have raised."""
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
          and coalesce(a.metadata ->> 'route', a.status) = any(:ways)
          and a.status <> 'stopped'
          and a.metadata ->> 'tier' is not distinct from :tier
        order by q.id desc
        limit 1
        """, thread_id=thread_id, user_id=scope.identity.user_id, content=text, tier=tier, ways=list(ways))


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


def storable(text: str) -> str:
    """PostgreSQL keeps no NUL and the driver sends no half of a surrogate pair; everything else stays as it is."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def is_blank(text: str) -> bool:
    """Nothing in it is seen: blanks, or signs that no screen shows."""
    return all(sign.isspace() or not sign.isprintable() or is_invisible(sign) for sign in set(text))


def marked(text: str) -> str:
    """As much of a question as a message can be, with a visible mark where its end is missing."""
    if len(text) <= LONGEST:
        return text
    mark = "\n\n" + _("[This message has {n:,} characters. Its end was too long to be kept.]").format(n=len(text))
    return text[:LONGEST - len(mark)] + mark
