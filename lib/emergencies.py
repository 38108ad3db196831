"""Red flags that a named person has to answer for. Acknowledged once; the acknowledgement is then final."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lib import audit, auth
from lib.db import Page, Scope
from lib.errors import Conflict, Invalid
from lib.texts import _


@dataclass(frozen=True)
class Emergency:
    id: UUID
    message_id: UUID
    user_id: UUID
    patient_id: UUID | None
    patient_name: str | None
    raised_by: str
    categories: list[str]
    rule_set: str
    raised_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    action_taken: str
    false_alarm: bool
    general: bool
    """Who asked stated that no patient is in danger now."""


@dataclass(frozen=True)
class _Raised:
    id: UUID
    patient_id: UUID | None


def raise_alarm(scope: Scope, question_id: UUID, *, categories: Sequence[str], rule_set: str) -> UUID:
    """About the question's patient, if it has one."""
    raised = scope.one(_Raised, """
        insert into emergencies (clinic_id, message_id, thread_id, patient_id, user_id, categories, rule_set)
        select q.clinic_id, q.id, q.thread_id, q.patient_id, :user_id, :categories, :rule_set
        from chat_messages q
        where q.clinic_id = :clinic_id
          and q.id = :question_id
        returning id, patient_id
        """, question_id=question_id, user_id=scope.identity.user_id, categories=list(categories), rule_set=rule_set)
    audit.record(scope, "raise_emergency", "emergency", raised.id, patient_id=raised.patient_id)
    return raised.id


def view(scope: Scope, *, after: UUID | None = None, before: UUID | None = None) -> tuple[Page[Emergency], Page[Emergency]]:
    """`waiting` and `answered` for somebody who is going to read them: the one row in the audit log for both."""
    audit.record_view(scope, "list", "emergencies")
    return waiting(scope, after=after), answered(scope, before=before)


def waiting(scope: Scope, *, after: UUID | None = None, limit: int = 50) -> Page[Emergency]:
    """What nobody has answered for yet, the longest waiting first."""
    return scope.page(Emergency, """
        select e.id, e.message_id, e.user_id, e.patient_id, p.full_name as patient_name, r.display_name as raised_by,
               e.categories, e.rule_set, e.raised_at, null as acknowledged_by, e.acknowledged_at, '' as action_taken,
               e.false_alarm, e.general
        from emergencies e
        join memberships r on r.clinic_id = e.clinic_id and r.user_id = e.user_id
        left join patients p on p.clinic_id = e.clinic_id and p.id = e.patient_id
        where e.clinic_id = :clinic_id
          and e.acknowledged_at is null
          and (cast(:after as uuid) is null or e.id > cast(:after as uuid))
        order by e.id
        limit :limit + 1
        """, after=after, limit=limit)


def raised_since(scope: Scope, since: datetime) -> int:
    """How many came after `since` and wait for somebody."""
    return int(scope.value("""
        select count(*)
        from emergencies
        where clinic_id = :clinic_id
          and acknowledged_at is null
          and id >= app.uuid_floor(:since)
          and raised_at > :since
        """, since=since))


def still_waiting(scope: Scope, ids: Sequence[UUID]) -> set[UUID]:
    """Those that nobody has answered for."""
    return set(scope.value("""
        select coalesce(array_agg(id), '{}')
        from emergencies
        where clinic_id = :clinic_id
          and acknowledged_at is null
          and id = any(:ids)
        """, ids=list(ids)))


def answered(scope: Scope, *, before: UUID | None = None, limit: int = 10) -> Page[Emergency]:
    """What somebody has answered for, newest first."""
    return scope.page(Emergency, """
        select e.id, e.message_id, e.user_id, e.patient_id, p.full_name as patient_name, r.display_name as raised_by,
               e.categories, e.rule_set, e.raised_at, a.display_name as acknowledged_by, e.acknowledged_at,
               coalesce(d.action_taken, '') as action_taken, e.false_alarm, e.general
        from emergencies e
        join memberships r on r.clinic_id = e.clinic_id and r.user_id = e.user_id
        join memberships a on a.clinic_id = e.clinic_id and a.user_id = e.acknowledged_by
        left join emergency_actions d on d.clinic_id = e.clinic_id and d.emergency_id = e.id
        left join patients p on p.clinic_id = e.clinic_id and p.id = e.patient_id
        where e.clinic_id = :clinic_id
          and e.acknowledged_at is not null
          and (cast(:before as uuid) is null or e.id < cast(:before as uuid))
        order by e.id desc
        limit :limit + 1
        """, before=before, limit=limit)


def of_questions(scope: Scope, thread_id: UUID, question_ids: Sequence[UUID]) -> dict[UUID, Emergency]:
    """The emergencies that these questions of one thread raised, by question."""
    if not question_ids:
        return {}
    return {found.message_id: found for found in scope.many(Emergency, """
        select e.id, e.message_id, e.user_id, e.patient_id, null as patient_name, r.display_name as raised_by,
               e.categories, e.rule_set, e.raised_at, a.display_name as acknowledged_by, e.acknowledged_at,
               coalesce(d.action_taken, '') as action_taken, e.false_alarm, e.general
        from emergencies e
        join memberships r on r.clinic_id = e.clinic_id and r.user_id = e.user_id
        left join memberships a on a.clinic_id = e.clinic_id and a.user_id = e.acknowledged_by
        left join emergency_actions d on d.clinic_id = e.clinic_id and d.emergency_id = e.id
        where e.clinic_id = :clinic_id
          and e.thread_id = :thread_id
          and e.message_id = any(:question_ids)
        """, thread_id=thread_id, question_ids=list(question_ids))}


def get(scope: Scope, emergency_id: UUID) -> Emergency:
    return scope.one(Emergency, """
        select e.id, e.message_id, e.user_id, e.patient_id, p.full_name as patient_name, r.display_name as raised_by,
               e.categories, e.rule_set, e.raised_at, a.display_name as acknowledged_by, e.acknowledged_at,
               coalesce(d.action_taken, '') as action_taken, e.false_alarm, e.general
        from emergencies e
        join memberships r on r.clinic_id = e.clinic_id and r.user_id = e.user_id
        left join memberships a on a.clinic_id = e.clinic_id and a.user_id = e.acknowledged_by
        left join emergency_actions d on d.clinic_id = e.clinic_id and d.emergency_id = e.id
        left join patients p on p.clinic_id = e.clinic_id and p.id = e.patient_id
        where e.clinic_id = :clinic_id
          and e.id = :emergency_id
        """, emergency_id=emergency_id)


def acknowledge(scope: Scope, emergency_id: UUID, *, action_taken: str, false_alarm: bool = False) -> None:
    """In the name of who is asking. Raises Conflict, naming who was first, when somebody else has done it."""
    auth.require(scope.identity, "emergencies.read")
    action_taken = _checked(action_taken, false_alarm)
    first = scope.run("""
        update emergencies
        set false_alarm = :false_alarm
        where clinic_id = :clinic_id
          and id = :emergency_id
          and acknowledged_at is null
        """, emergency_id=emergency_id, false_alarm=false_alarm)
    found = get(scope, emergency_id)
    if not first:
        raise Conflict(_("{name} has acknowledged this already. Nothing was changed.").format(name=found.acknowledged_by))
    _say(scope, emergency_id, action_taken)
    audit.record(scope, "acknowledge_emergency", "emergency", emergency_id, patient_id=found.patient_id,
                 fields=("action_taken", "false_alarm"))


def declare_general(scope: Scope, emergency_id: UUID) -> None:
    """Whoever asked says that it was a general question: acknowledged by that, and on the list of what was."""
    first = scope.run("""
        update emergencies
        set general = true
        where clinic_id = :clinic_id
          and id = :emergency_id
          and user_id = :user_id
          and acknowledged_at is null
        """, emergency_id=emergency_id, user_id=scope.identity.user_id)
    found = get(scope, emergency_id)
    if not first and not found.general:
        raise Conflict(_("{name} has acknowledged this already. Nothing was changed.").format(name=found.acknowledged_by))
    if first:
        _say(scope, emergency_id, _("General question, not a patient now"))
        audit.record(scope, "declare_general", "emergency", emergency_id, patient_id=found.patient_id, fields=("general",))


def _say(scope: Scope, emergency_id: UUID, action_taken: str) -> None:
    """In a table of its own, which no manager reads."""
    if action_taken:
        scope.run("""
            insert into emergency_actions (clinic_id, emergency_id, action_taken)
            values (:clinic_id, :emergency_id, :action_taken)
            """, emergency_id=emergency_id, action_taken=action_taken)


def _checked(action_taken: str, false_alarm: bool) -> str:
    action_taken = action_taken.replace("\0", "").encode("utf-8", "replace").decode().strip()
    if not action_taken and not false_alarm:
        raise Invalid(_("Please say what was done, or mark this as a false alarm."))
    if len(action_taken) > 2000:
        raise Invalid(_("What was done has at most 2,000 characters; this one has {n}. Please shorten it.").format(
            n=len(action_taken)))
    return action_taken
