"""What a clinic day looks like right now. Read-only; row-level security decides how much of it a role sees."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lib import audit
from lib.db import Scope


@dataclass(frozen=True)
class Counts:
    """`questions`, `spend`: the clinic's for owners and managers, one's own for everybody else. `spend` in USD; unpriced calls
    are counted apart, because their cost is unknown and not zero."""

    patients: int
    added_this_week: int
    questions: int
    questions_yesterday: int
    open_emergencies: int
    oldest_emergency: datetime | None
    spend: Decimal
    unpriced: int
    alerts: int
    """That stand and show nowhere else on Today: that the clinic's own provider is away; the installation's, for the owner of its
    only clinic; and for managers those of emergencies."""


@dataclass(frozen=True)
class Known:
    """A patient somebody was just working on."""

    id: UUID
    full_name: str
    date_of_birth: date | None
    at: datetime


@dataclass(frozen=True)
class Question:
    id: UUID
    patient_id: UUID | None
    full_name: str | None
    asked_by: str
    content: str
    created_at: datetime


def count(scope: Scope) -> Counts:
    """Days begin at midnight of the clinic's time zone."""
    counted = _count(scope)
    if scope.identity.role != "owner":
        return counted
    # Asked apart: these lie where no clinic's rows do.
    more: int = scope.value("select count(*) from app.installation_alerts() where cleared_at is null")
    return replace(counted, alerts=counted.alerts + more)


def _count(scope: Scope) -> Counts:
    return scope.one(Counts, """
        with bounds as (
            select date_trunc('day', now() at time zone :zone) at time zone :zone as today,
                   (date_trunc('day', now() at time zone :zone) - interval '1 day') at time zone :zone as yesterday
        ), calls as (
            select count(*) filter (where id >= app.uuid_floor(b.today)) as questions,
                   count(*) filter (where id < app.uuid_floor(b.today)) as questions_yesterday,
                   coalesce(sum(cost_usd) filter (where id >= app.uuid_floor(b.today)), 0) as spend,
                   count(*) filter (where id >= app.uuid_floor(b.today) and cost_usd is null and status <> 'started') as unpriced
            from bounds b
            join ai_calls c on c.clinic_id = :clinic_id and c.id >= app.uuid_floor(b.yesterday)
        ), alarms as (
            select count(*) as open_emergencies, min(raised_at) as oldest_emergency
            from emergencies
            where clinic_id = :clinic_id and acknowledged_at is null
        ), people as (
            select (select count(*) from patients where clinic_id = :clinic_id and archived_at is null) as patients,
                   (select count(*) from patients where clinic_id = :clinic_id and archived_at is null
                       and id > app.uuid_floor(now() - interval '7 days')) as added_this_week
        ), watched as (
            select count(*) as alerts
            from clinic_alerts
            where clinic_id = :clinic_id
              and cleared_at is null
              and (kind = 'own_provider' or kind = 'emergency' and app.role() = 'manager')
        )
        select patients, added_this_week, questions, questions_yesterday, open_emergencies, oldest_emergency, spend, unpriced,
               alerts
        from people, calls, alarms, watched
        """, zone=scope.identity.time_zone)


def recently_opened(scope: Scope, limit: int = 6) -> list[Known]:
    """The patients this person last looked at or changed, from their own audit rows of the past two weeks."""
    audit.record_view(scope, "list", "recent_patients")
    return scope.many(Known, """
        with looks as (
            select patient_id, max(happened_at) as at
            from audit_log
            where clinic_id = :clinic_id
              and user_id = :me
              and patient_id is not null
              and resource <> 'audit_log'
              and id > app.uuid_floor(now() - interval '14 days')
            group by patient_id
            order by max(happened_at) desc
            limit :limit
        )
        select p.id, p.full_name, p.date_of_birth, l.at
        from looks l
        join patients p on p.clinic_id = :clinic_id and p.id = l.patient_id and p.merged_into is null and p.erased_at is null
        order by l.at desc
        """, me=scope.identity.user_id, limit=limit)


def questions(scope: Scope, limit: int = 6) -> list[Question]:
    """The last questions of the past day, as far as this person may read them: newest first, their first 200 characters."""
    audit.record_view(scope, "list", "recent_questions")
    return scope.many(Question, """
        select m.id, m.patient_id, p.full_name, w.display_name as asked_by, left(m.content, 200) as content, m.created_at
        from chat_messages m
        join memberships w on w.clinic_id = :clinic_id and w.user_id = m.user_id
        left join patients p on p.clinic_id = :clinic_id and p.id = m.patient_id
        where m.clinic_id = :clinic_id
          and m.role = 'user'
          and m.id > app.uuid_floor(now() - interval '1 day')
        order by m.id desc
        limit :limit
        """, limit=limit)
