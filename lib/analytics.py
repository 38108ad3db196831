"""Read-only figures of a clinic's assistant: how much, how fast, how dear, by whom. Never a question, never a patient.

Days are those of the clinic's wall clock. Rows are counted by when they began; ids carry nearly the same moment and let
PostgreSQL skip the months outside a period.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from lib import auth
from lib.db import Scope
from lib.errors import Invalid
from lib.identity import Identity
from lib.texts import _

ROUTES = ("provider", "cache", "kb", "fallback", "emergency", "blocked")
PRESETS = {"today": 1, "7d": 7, "30d": 30, "90d": 90, "12m": 365}
LONGEST = timedelta(days=3 * 366)
EARLIEST = date(2000, 1, 1)


@dataclass(frozen=True)
class Period:
    """Whole days in the clinic's time zone, the last one included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    @property
    def step(self) -> int:
        """Days that are measured together where they can't be added up later: a quarter by days, a year by weeks."""
        return 1 if self.days <= 92 else 7

    @property
    def starts(self) -> list[date]:
        """The first day of each step, counted back from the last day, so that the newest week is whole."""
        return [self.last - timedelta(days=n - 1) for n in range(-(-self.days // self.step) * self.step, 0, -self.step)]


@dataclass(frozen=True)
class Usage:
    """One route's calls on one day. `cost_usd` and tokens add what is known; None: nothing of it is known."""

    day: date
    route: str
    messages: int
    cost_usd: Decimal | None
    unpriced: int
    tokens_in: int | None
    tokens_out: int | None
    uncounted: int


@dataclass(frozen=True)
class Pace:
    """Answer times and who asked, of the step that begins on `day`, or, where that is None, of a whole period."""

    day: date | None
    current: bool
    p50_ms: float | None
    p95_ms: float | None
    staff: int


@dataclass(frozen=True)
class Urgency:
    """Emergencies of one day, or, where `day` is None, of a whole period."""

    day: date | None
    current: bool
    raised: int
    unanswered: int
    median_seconds: float | None


@dataclass(frozen=True)
class Totals:
    """A whole period. None: not known, or nothing to measure."""

    messages: int
    cost_usd: Decimal | None
    unpriced: int
    tokens_in: int | None
    tokens_out: int | None
    uncounted: int
    p50_ms: float | None
    p95_ms: float | None
    staff: int
    emergencies: int
    unanswered: int
    median_seconds: float | None


@dataclass(frozen=True)
class Report:
    """Days on which nothing happened have no rows."""

    period: Period
    now: Totals
    before: Totals
    usage: list[Usage]
    pace: list[Pace]
    emergencies: list[Urgency]

    @property
    def comparable(self) -> bool:
        """A tenth of the messages or less: the period before was hardly begun, and comparing with it says nothing."""
        return self.before.messages * 10 > self.now.messages


@dataclass(frozen=True)
class Version:
    """Rows are never removed and end once, so these four counts tell whether anything moved."""

    calls: int
    finished: int
    raised: int
    acknowledged: int


# periods -------------------------------------------------------------------------------------------------------------


def today(identity: Identity) -> date:
    return datetime.now(ZoneInfo(identity.time_zone)).date()


def preset(name: str, last: date) -> Period:
    if name not in PRESETS:
        raise Invalid(_("There is no such period."))
    return Period(last - timedelta(days=PRESETS[name] - 1), last)


def parse(first: str, last: str, latest: date) -> Period:
    """The period between two ISO dates."""
    try:
        return between(date.fromisoformat(first), date.fromisoformat(last), latest)
    except ValueError:
        raise Invalid(_("The period has no readable beginning and end.")) from None


def between(first: date, last: date, latest: date) -> Period:
    """Raises Invalid with the sentence to show."""
    if first > last:
        raise Invalid(_("The period ends before it begins."))
    if last > latest:
        raise Invalid(_("The period ends in the future."))
    if last - first > LONGEST or first < EARLIEST:
        raise Invalid(_("A period has at most three years."))
    return Period(first, last)


# figures -------------------------------------------------------------------------------------------------------------


def read(scope: Scope, period: Period) -> Report:
    auth.require(scope.identity, "analytics.read")
    usage, pace, emergencies = _usage(scope, period), _pace(scope, period), _emergencies(scope, period)
    now, before = (_total([row for row in usage if (row.day >= period.first) == current],
                          next((row for row in pace if row.day is None and row.current == current), None),
                          next((row for row in emergencies if row.day is None and row.current == current), None))
                   for current in (True, False))
    return Report(period, now, before, [row for row in usage if row.day >= period.first], [row for row in pace if row.day],
                  [row for row in emergencies if row.day])


def data_version(scope: Scope, period: Period) -> Version:
    """What a drawing of this period and the one before was made from."""
    auth.require(scope.identity, "analytics.read")
    return scope.one(Version, """
        select count(*) as calls, count(finished_at) as finished,
               (select count(*)
                from emergencies
                where clinic_id = :clinic_id
                  and id >= app.uuid_floor(cast(:since as timestamp) at time zone :zone)
                  and id < app.uuid_floor((cast(:until as timestamp) + interval '1 hour') at time zone :zone)) as raised,
               (select count(acknowledged_at)
                from emergencies
                where clinic_id = :clinic_id
                  and id >= app.uuid_floor(cast(:since as timestamp) at time zone :zone)
                  and id < app.uuid_floor((cast(:until as timestamp) + interval '1 hour') at time zone :zone)) as acknowledged
        from ai_calls
        where clinic_id = :clinic_id
          and id >= app.uuid_floor(cast(:since as timestamp) at time zone :zone)
          and id < app.uuid_floor((cast(:until as timestamp) + interval '1 hour') at time zone :zone)
        """, **_bounds(scope, period))


# An id is made a moment after its row's transaction began, hence the hour beyond the end: a call just before midnight
# may bear the next day's id, and created_at decides.
def _usage(scope: Scope, period: Period) -> list[Usage]:
    return scope.many(Usage, """
        select cast(created_at at time zone :zone as date) as day, route, count(*) as messages,
               sum(cost_usd) as cost_usd,
               count(*) filter (where cost_usd is null and cost_source is distinct from 'none'
                                and status <> 'started') as unpriced,
               sum(tokens_in) as tokens_in, sum(tokens_out) as tokens_out,
               count(*) filter (where (tokens_in is null or tokens_out is null) and cost_source is distinct from 'none'
                                and status <> 'started') as uncounted
        from ai_calls
        where clinic_id = :clinic_id
          and id >= app.uuid_floor(cast(:since as timestamp) at time zone :zone)
          and id < app.uuid_floor((cast(:until as timestamp) + interval '1 hour') at time zone :zone)
          and created_at >= cast(:since as timestamp) at time zone :zone
          and created_at < cast(:until as timestamp) at time zone :zone
        group by 1, 2
        order by 1, 2
        """, **_bounds(scope, period))


def _pace(scope: Scope, period: Period) -> list[Pace]:
    """The times of answers that were given whole: a stopped or failed one tells nothing of how long an answer takes."""
    return scope.many(Pace, """
        with calls as (
            select cast(created_at at time zone :zone as date) as day, user_id,
                   case when status = 'ok' then latency_ms end as latency_ms
            from ai_calls
            where clinic_id = :clinic_id
              and id >= app.uuid_floor(cast(:since as timestamp) at time zone :zone)
              and id < app.uuid_floor((cast(:until as timestamp) + interval '1 hour') at time zone :zone)
              and created_at >= cast(:since as timestamp) at time zone :zone
              and created_at < cast(:until as timestamp) at time zone :zone
        )
        select cast(:until as date) - ((cast(:until as date) - day - 1) / :step + 1) * :step as day, true as current,
               percentile_cont(0.5) within group (order by latency_ms) as p50_ms,
               percentile_cont(0.95) within group (order by latency_ms) as p95_ms, count(distinct user_id) as staff
        from calls
        where day >= :first
        group by 1
        union all
        select cast(null as date), day >= :first, percentile_cont(0.5) within group (order by latency_ms),
               percentile_cont(0.95) within group (order by latency_ms), count(distinct user_id)
        from calls
        group by day >= :first
        order by 1, 2
        """, first=period.first, step=period.step, **_bounds(scope, period))


def _emergencies(scope: Scope, period: Period) -> list[Urgency]:
    return scope.many(Urgency, """
        with raised as (
            select cast(raised_at at time zone :zone as date) as day, acknowledged_at,
                   extract(epoch from acknowledged_at - raised_at)::float as seconds
            from emergencies
            where clinic_id = :clinic_id
              and id >= app.uuid_floor(cast(:since as timestamp) at time zone :zone)
              and id < app.uuid_floor((cast(:until as timestamp) + interval '1 hour') at time zone :zone)
              and raised_at >= cast(:since as timestamp) at time zone :zone
              and raised_at < cast(:until as timestamp) at time zone :zone
        )
        select day, true as current, count(*) as raised, count(*) - count(acknowledged_at) as unanswered,
               percentile_cont(0.5) within group (order by seconds) as median_seconds
        from raised
        where day >= :first
        group by day
        union all
        select cast(null as date), day >= :first, count(*), count(*) - count(acknowledged_at),
               percentile_cont(0.5) within group (order by seconds)
        from raised
        group by day >= :first
        order by 1, 2
        """, first=period.first, **_bounds(scope, period))


def _bounds(scope: Scope, period: Period) -> dict[str, Any]:
    """From the first day of the period before to the end of this one, as midnights of the clinic's wall clock."""
    return {"since": period.before.first, "until": period.last + timedelta(days=1), "zone": scope.identity.time_zone}


def _total(usage: Sequence[Usage], pace: Pace | None, emergencies: Urgency | None) -> Totals:
    return Totals(
        messages=sum(row.messages for row in usage),
        cost_usd=_add([row.cost_usd for row in usage]),
        unpriced=sum(row.unpriced for row in usage),
        tokens_in=_add([row.tokens_in for row in usage]),
        tokens_out=_add([row.tokens_out for row in usage]),
        uncounted=sum(row.uncounted for row in usage),
        p50_ms=pace.p50_ms if pace else None,
        p95_ms=pace.p95_ms if pace else None,
        staff=pace.staff if pace else 0,
        emergencies=emergencies.raised if emergencies else 0,
        unanswered=emergencies.unanswered if emergencies else 0,
        median_seconds=emergencies.median_seconds if emergencies else None,
    )


def _add(values: Sequence[Any]) -> Any:
    """What is known, added up. None where there were calls and nothing of them is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known or not values else None
