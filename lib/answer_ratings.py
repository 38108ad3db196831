"""What members think of answers: one word each, which may change, and why."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lib import audit, auth, chats
from lib.db import Scope
from lib.errors import Invalid, NotFound
from lib.periods import Period
from lib.texts import _

LONGEST = 1_000


@dataclass(frozen=True)
class Complaint:
    """`route`: what answered, None where that lies in the archive. `question`: None where this person may not read it."""

    rated_at: datetime
    rated_by: str
    reason: str
    route: str | None
    question: str | None


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


def find_complaints(scope: Scope, period: Period, limit: int = 20) -> list[Complaint]:
    """Why answers of this period were not helpful, the newest answer first: on record, and for who treats patients, as a reason
    may speak of one. The question beside it only as far as this person may read it."""
    auth.require(scope.identity, "analytics.read")
    auth.require(scope.identity, "chat.patient")
    audit.record_view(scope, "list", "answer_reasons")
    return scope.many(Complaint, """
        select r.rated_at, w.display_name as rated_by, r.reason, c.route, left(q.content, 200) as question
        from (select message_id, user_id, reason, rated_at
              from answer_ratings
              where clinic_id = :clinic_id
                and not helpful
                and reason <> ''
                and message_id >= app.uuid_floor(cast(:first as timestamp) at time zone :zone)
                and message_id < app.uuid_floor((cast(:last as timestamp) + interval '1 day') at time zone :zone)
              order by message_id desc
              limit :limit) r
        join memberships w on w.clinic_id = :clinic_id and w.user_id = r.user_id
        left join ai_calls c on c.clinic_id = :clinic_id and c.message_id = r.message_id
            and c.id >= app.uuid_floor(cast(:first as timestamp) at time zone :zone)
        left join chat_messages a on a.clinic_id = :clinic_id and a.id = r.message_id
        left join chat_messages q on q.clinic_id = :clinic_id and q.id = a.question_id
        order by r.message_id desc
        """, first=period.first, last=period.last, zone=scope.identity.time_zone, limit=limit)
