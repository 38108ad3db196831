"""What members think of answers: one word each, which may change, and why."""

from uuid import UUID

from lib import audit, chats
from lib.db import Scope
from lib.errors import Invalid, NotFound
from lib.texts import _

LONGEST = 1_000


def rate(scope: Scope, answer_id: UUID, *, helpful: bool, reason: str = "") -> None:
    """Of an answer that this member may read; the last word counts."""
    answer = chats.get(scope, answer_id)
    if answer.role != "assistant":
        raise NotFound
    reason = chats.storable(reason).strip()
    if len(reason) > LONGEST:
        raise Invalid(_("A reason has at most 1,000 characters. Please shorten it."))
    scope.run("""
        insert into answer_ratings (clinic_id, message_id, user_id, helpful, reason)
        values (:clinic_id, :message_id, :me, :helpful, :reason)
        on conflict (clinic_id, message_id, user_id) do update
        set helpful = excluded.helpful, reason = excluded.reason, rated_at = excluded.rated_at
        """, message_id=answer_id, me=scope.identity.user_id, helpful=helpful, reason=reason)
    audit.record(scope, "rate", "chat_message", answer_id, patient_id=answer.patient_id,
                 fields=["helpful", "reason"] if reason else ["helpful"])


def my_reason(scope: Scope, answer_id: UUID) -> str:
    """What this member said of the answer before; "" for nothing."""
    return scope.value("""
        select reason
        from answer_ratings
        where clinic_id = :clinic_id
          and message_id = :message_id
          and user_id = :me
        """, message_id=answer_id, me=scope.identity.user_id) or ""
