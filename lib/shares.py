"""Who asked, about whom, and what answered: figures by person, patient and article."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lib import audit, auth
from lib.db import Scope
from lib.periods import Period


@dataclass(frozen=True)
class Person:
    """`before`: questions in the period before."""

    name: str
    role: str
    calls: int
    before: int
    days: int
    cost_usd: Decimal | None
    unpriced: int


@dataclass(frozen=True)
class Staff:
    """How many asked something in the step that begins on `day`, or, where that is None, in a whole period."""

    day: date | None
    current: bool
    people: int


@dataclass(frozen=True)
class Patient:
    id: UUID
    name: str
    calls: int
    cost_usd: Decimal | None
    unpriced: int


@dataclass(frozen=True)
class Article:
    """`title` is the slug where the article is gone."""

    title: str
    own: bool
    calls: int
    before: int


@dataclass(frozen=True)
class Without:
    """Questions without an article in the step that begins on `day`; None: in the period before."""

    day: date | None
    calls: int


@dataclass(frozen=True)
class Unmatched:
    asked_at: datetime
    text: str


def people(scope: Scope, period: Period) -> list[Person]:
    auth.require(scope.identity, "analytics.read")
    return scope.many(Person, """
        select w.display_name as name, w.role, m.calls, m.before, m.days, m.cost_usd, m.unpriced
        from (select user_id, cast(coalesce(sum(calls) filter (where day >= :first), 0) as bigint) as calls,
                     cast(coalesce(sum(calls) filter (where day < :first), 0) as bigint) as before,
                     count(distinct day) filter (where day >= :first and calls > 0) as days,
                     sum(cost_usd) filter (where day >= :first) as cost_usd,
                     cast(coalesce(sum(unpriced) filter (where day >= :first), 0) as bigint) as unpriced
              from member_now
              where clinic_id = :clinic_id
                and day >= :since
                and day <= :last
              group by user_id) m
        join memberships w on w.clinic_id = :clinic_id and w.user_id = m.user_id
        order by m.calls desc, w.display_name
        """, since=period.before.first, first=period.first, last=period.last)


def staff(scope: Scope, period: Period) -> list[Staff]:
    """Heads can't be added up: somebody who asks on two days is one person."""
    auth.require(scope.identity, "analytics.read")
    return scope.many(Staff, """
        with askers as (
            select distinct app.step_start(day, :first, :last, :step) as day, user_id
            from member_now
            where clinic_id = :clinic_id
              and day >= :since
              and day <= :last
              and calls > 0
        )
        select day, true as current, count(*) as people
        from askers
        where day is not null
        group by day
        union all
        select cast(null as date), day is not null, count(distinct user_id)
        from askers
        group by 2
        order by 1, 2
        """, **period.bounds)


def patients(scope: Scope, period: Period) -> list[Patient]:
    """Dearest first, for who may see patients; read anew each time and kept nowhere."""
    auth.require(scope.identity, "analytics.read")
    auth.require(scope.identity, "patients.read")
    audit.record_view(scope, "list", "patient_costs")
    return scope.many(Patient, """
        select p.id, p.full_name as name, d.calls, d.cost_usd, d.unpriced
        from (select patient_id, cast(sum(calls) as bigint) as calls, sum(cost_usd) as cost_usd,
                     cast(sum(unpriced) as bigint) as unpriced
              from patient_now
              where clinic_id = :clinic_id
                and day >= :first
                and day <= :last
              group by patient_id) d
        join patients p on p.clinic_id = :clinic_id and p.id = d.patient_id
        order by d.cost_usd desc nulls last, d.calls desc, p.id
        """, first=period.first, last=period.last)


def articles(scope: Scope, period: Period) -> list[Article]:
    """Those of the period, most used first."""
    auth.require(scope.identity, "analytics.read")
    return scope.many(Article, """
        select coalesce(own.title, a.title, u.article) as title, own.title is not null as own, u.calls, u.before
        from (select article, cast(coalesce(sum(calls) filter (where day >= :first), 0) as bigint) as calls,
                     cast(coalesce(sum(calls) filter (where day < :first), 0) as bigint) as before
              from article_now
              where clinic_id = :clinic_id
                and day >= :since
                and day <= :last
              group by article) u
        left join articles a on a.slug = u.article
        left join clinic_articles own on own.clinic_id = :clinic_id and u.article = 'own:' || cast(own.id as text)
        where u.calls > 0
        order by u.calls desc, 1
        """, since=period.before.first, first=period.first, last=period.last)


def without_article(scope: Scope, period: Period) -> list[Without]:
    """However they were answered: one that finds no article goes to the provider where one is on. An emergency or a blocked
    question looks for none, so all the calls with an article are among these routes'."""
    auth.require(scope.identity, "analytics.read")
    return scope.many(Without, """
        select app.step_start(day, :first, :last, :step) as day, cast(sum(calls) as bigint) as calls
        from (select day, calls
              from usage_by_day_now
              where clinic_id = :clinic_id
                and route in ('provider', 'cache', 'kb', 'fallback')
                and day >= :since
                and day <= :last
              union all
              select day, -calls
              from article_now
              where clinic_id = :clinic_id
                and day >= :since
                and day <= :last) c
        group by 1
        order by 1
        """, **period.bounds)


def unmatched(scope: Scope, period: Period, limit: int = 10) -> list[Unmatched]:
    """The newest questions for which there was no article: as far as this person may read them, and on record."""
    auth.require(scope.identity, "analytics.read")
    auth.require(scope.identity, "chat.patient")
    audit.record_view(scope, "list", "unmatched_questions")
    return scope.many(Unmatched, """
        select q.created_at as asked_at, left(q.content, 200) as text
        from ai_calls c
        join chat_messages a on a.clinic_id = :clinic_id and a.id = c.message_id
        join chat_messages q on q.clinic_id = :clinic_id and q.id = a.question_id
        where c.clinic_id = :clinic_id
          and c.route in ('provider', 'cache', 'fallback')
          and c.article is null
          and c.id >= app.uuid_floor(cast(:first as timestamp) at time zone :zone)
          and c.id < app.uuid_floor((cast(:last as timestamp) + interval '1 day') at time zone :zone)
        order by c.id desc
        limit :limit
        """, first=period.first, last=period.last, zone=scope.identity.time_zone, limit=limit)
