"""An answer as it is written: begun before anything runs, its text kept while it comes, and saved exactly once at its end."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from lib import calls, chats, db
from lib.calls import Call, Ending
from lib.db import Scope
from lib.errors import NotFound


def start(scope: Scope, question_id: UUID, call: Call, sent: Sequence[dict[str, str]] | None = None) -> UUID:
    """The answer's row and its call's, both `started`, before anything runs: the next attempt at this question. Thread and
    patient are the question's. `sent`: what a provider is given."""
    answer: UUID | None = scope.value("""
        insert into chat_messages (clinic_id, thread_id, patient_id, user_id, question_id, attempt, role, status, content,
                                   metadata, sent)
        select q.clinic_id, q.thread_id, q.patient_id, :user_id, q.id,
               1 + (select count(*) from chat_messages a
                    where a.clinic_id = :clinic_id and a.thread_id = q.thread_id and a.id > q.id and a.question_id = q.id),
               'assistant', 'started', '', jsonb_build_object('tier', cast(:tier as text)), cast(:sent as jsonb)
        from chat_messages q
        where q.clinic_id = :clinic_id
          and q.id = :question_id
          and q.role = 'user'
        returning id
        """, question_id=question_id, user_id=scope.identity.user_id, tier=call.tier,
                                 sent=None if sent is None else json.dumps(list(sent)))
    if answer is None:
        raise NotFound
    calls.begin(scope, answer, call)
    return answer


def keep(scope: Scope, answer_id: UUID, text: str) -> str:
    """The text so far of an answer that is still being written, should its process die. "" to go on; "stop": whoever asked wants
    it to end, or it has been ended."""
    asked: bool | None = scope.value("""
        update chat_messages
        set content = :content
        where clinic_id = :clinic_id
          and id = :id
          and status = 'started'
        returning stop_asked
        """, id=answer_id, content=chats.storable(text)[:chats.LONGEST])
    return "" if asked is False else "stop"


@dataclass(frozen=True)
class _GoingOn:
    ids: list[UUID]


def wanted_to_end(answer_ids: Collection[UUID]) -> set[UUID]:
    """Of answers that this process writes, whichever clinics', those that somebody wants to end, or that have been ended. One
    statement for all of them, which writes nothing: it is asked three times a second."""
    going_on = db.ask(_GoingOn, "select app.going_on(cast(:answers as uuid[])) as ids", answers=list(answer_ids))
    assert going_on
    return {*answer_ids} - {*going_on.ids}


def ask_to_stop(scope: Scope, answer_id: UUID) -> None:
    """One's own running answer, whichever process writes it. Nothing happens to one that is not running, or a colleague's."""
    scope.run("""
        update chat_messages
        set stop_asked = true
        where clinic_id = :clinic_id
          and id = :id
          and user_id = :me
          and status = 'started'
        """, id=answer_id, me=scope.identity.user_id)


def is_running(scope: Scope, answer_id: UUID) -> bool:
    """One's own, and no other."""
    return scope.value("""
        select true
        from chat_messages
        where clinic_id = :clinic_id
          and id = :id
          and user_id = :me
          and status = 'started'
        """, id=answer_id, me=scope.identity.user_id) is True


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
    content = chats.storable(ending.content)
    if len(content) > chats.LONGEST and ending.done.status == "ok":
        ending = replace(ending, done=replace(ending.done, status="truncated"))
    return replace(ending, content=content[:chats.LONGEST])


def _metadata(call: Call, ending: Ending) -> dict[str, Any]:
    """What the message copies from its call, so that a thread is read without the bill."""
    done = ending.done
    return {"route": call.route, "tier": done.raised or call.tier, "emergency": "E" in (done.raised, call.tier),
            "article": call.article, "model": done.model,
            "tokens_in": done.tokens_in, "tokens_cached": done.tokens_cached, "tokens_out": done.tokens_out,
            "tokens_reasoning": done.tokens_reasoning, "cost_usd": _plain(done.cost_usd), "cost_source": done.cost_source,
            "saved_usd": _plain(done.saved_usd), "problem": done.problem, "finish": done.finish, "billed": ending.billed,
            "redactions": dict(call.redactions), "left": done.left, "instead": done.instead}


def _plain(money: Decimal | None) -> str | None:
    return None if money is None else format(money, "f")


def sweep() -> int:
    """End what a crash left open, in every clinic. How many answers that were."""
    with db.nobody() as connection:
        return int(connection.execute(db.statement("select app.sweep_started()")).scalar_one())
