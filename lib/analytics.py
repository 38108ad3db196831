"""Read-only figures of a clinic's assistant: how much, how dear, how well, when. Never a question, never a patient.

Everything is read from the roll-ups' …_now views, which count a day that has changed since from its rows, so that sums are exact.
Days are those of the clinic's wall clock; where a period is long, they come as weeks (periods.Period.step).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from lib import auth, periods
from lib.db import Scope
from lib.periods import Period

ROUTES = ("provider", "trial", "cache", "kb", "fallback", "emergency", "blocked")
TRIAL = "trial"
"""A test of the connection: on the bill, and nobody's question."""
FREE_ROUTES = ("kb", "cache", "emergency")
MEASURED = ("provider", "price_table")
STOPPED = ("stopped",)
"""A person's own decision: no error."""
FINE = ("ok", "started", *STOPPED)


class Usage(NamedTuple):  # hundreds for each figure; a frozen dataclass takes nearly twice as long to make
    """Calls alike in the step that begins on `day`; None: in the period before. Sums add what is known; None: nothing is."""

    day: date | None
    route: str
    model: str
    status: str
    cost_source: str
    calls: int
    tokens_in: int | None
    tokens_out: int | None
    uncounted: int
    cost_usd: Decimal | None
    unpriced: int
    saved_usd: Decimal | None


@dataclass(frozen=True)
class Hour:
    """Questions of one hour of the wall clock on one weekday (Monday is 1), added over the period."""

    weekday: int
    hour: int
    calls: int


@dataclass(frozen=True)
class Budget:
    """What the days of the step that begins on `day` had to spend, and on how many of them it was used up."""

    day: date
    limit_usd: Decimal
    used_up: int


@dataclass(frozen=True)
class Busy:
    """Questions of one day, for telling a quiet day from one that is missing."""

    day: date
    calls: int


def version(scope: Scope) -> str:
    """Of what figures are made of: how many changes to calls and emergencies there ever were, the budget, and the names of
    people and articles. With the same version, every figure is the same."""
    auth.require(scope.identity, "analytics.read")
    return str(scope.value("""
        select concat_ws(' ',
            coalesce((select marks from figure_changes where clinic_id = :clinic_id), 0)
                + (select count(*) from figure_marks where clinic_id = :clinic_id),
            (select daily_budget_usd from assistant_settings where clinic_id = :clinic_id),
            (select count(*) from budget_days where clinic_id = :clinic_id),
            (select md5(string_agg(display_name, ' ' order by user_id)) from memberships where clinic_id = :clinic_id),
            (select md5(string_agg(title, ' ' order by id)) from clinic_articles where clinic_id = :clinic_id))
        """))


def usage(scope: Scope, period: Period) -> list[Usage]:
    """Of the period and, added up, of the one before."""
    auth.require(scope.identity, "analytics.read")
    return scope.many(Usage, """
        select app.step_start(day, :first, :last, :step) as day,
               route, model, status, cost_source, cast(sum(calls) as bigint) as calls,
               cast(sum(tokens_in) as bigint) as tokens_in, cast(sum(tokens_out) as bigint) as tokens_out,
               cast(sum(uncounted) as bigint) as uncounted, sum(cost_usd) as cost_usd,
               cast(sum(unpriced) as bigint) as unpriced, sum(saved_usd) as saved_usd
        from usage_by_day_now
        where clinic_id = :clinic_id
          and day >= :since
          and day <= :last
        group by 1, 2, 3, 4, 5
        order by 1, 2, 3, 4, 5
        """, **period.bounds)


def hours(scope: Scope, period: Period) -> list[Hour]:
    auth.require(scope.identity, "analytics.read")
    return scope.many(Hour, """
        select cast(extract(isodow from day) as integer) as weekday, hour, cast(sum(calls) as bigint) as calls
        from usage_now
        where clinic_id = :clinic_id
          and day >= :first
          and day <= :last
          and route <> 'trial'
        group by 1, 2
        order by 1, 2
        """, first=period.first, last=period.last)


def budgets(scope: Scope, period: Period) -> list[Budget]:
    """Of days with questions, as it last stood on each, and of today as it stands now."""
    auth.require(scope.identity, "analytics.read")
    return scope.many(Budget, """
        select app.step_start(d.day, :first, :last, :step) as day,
               avg(d.limit_usd) * :step as limit_usd, count(b.stopped_at) as used_up
        from (select day, limit_usd
              from budget_days
              where clinic_id = :clinic_id
                and day <> :today
              union all
              select cast(:today as date), daily_budget_usd
              from assistant_settings
              where clinic_id = :clinic_id) d
        left join ai_budgets b on b.clinic_id = :clinic_id and b.day = d.day
        where d.day >= :first
          and d.day <= :last
        group by 1
        order by 1
        """, first=period.first, last=period.last, step=period.step, today=periods.today(scope.identity))


def busy(scope: Scope, period: Period) -> list[Busy]:
    auth.require(scope.identity, "analytics.read")
    return scope.many(Busy, """
        select day, cast(sum(calls) as bigint) as calls
        from usage_by_day_now
        where clinic_id = :clinic_id
          and day >= :first
          and day <= :last
          and route <> 'trial'
        group by day
        order by day
        """, first=period.first, last=period.last)


def missing(rows: Iterable[Busy], period: Period, today: date) -> list[date]:
    """Days without a question although most such weekdays have some: the practice was closed, or nothing was recorded."""
    asked = {row.day for row in rows if row.calls}
    days = [day for day in period.days_of if asked and min(asked) <= day < today]
    alike = {day: [other for other in days if other.weekday() == day.weekday()] for day in days}
    return [day for day in days if day not in asked and len(alike[day]) >= 4
            and 4 * sum(other in asked for other in alike[day]) >= 3 * len(alike[day])]


# sums ----------------------------------------------------------------------------------------------------------------


def added(values: Iterable[Any]) -> Any:
    """What is known, added up. None where there is something and nothing of it is known."""
    given = list(values)
    known = [value for value in given if value is not None]
    return sum(known) if known or not given else None


def cost(rows: Iterable[Usage], *sources: str) -> Decimal | None:
    """Of these sources, or of all."""
    total: Decimal | None = added(row.cost_usd for row in rows if not sources or row.cost_source in sources)
    return total


def calls(rows: Iterable[Usage]) -> int:
    """Questions: a test of the connection is none."""
    return sum(row.calls for row in rows if row.route != TRIAL)


def current(rows: Iterable[Usage]) -> list[Usage]:
    return [row for row in rows if row.day is not None]


def former(rows: Iterable[Usage]) -> list[Usage]:
    return [row for row in rows if row.day is None]


def failed(rows: Iterable[Usage]) -> list[Usage]:
    """Answers that went wrong; who stopped one wanted it so."""
    return [row for row in rows if row.status not in FINE and row.route != TRIAL]
