"""The numbers behind each figure of the analytics page, as rows under headings: what is drawn, shown as a table, and exported."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from lib import analytics, audit, csv_file, paces, replica, shares
from lib.analytics import MEASURED, Usage
from lib.db import Scope
from lib.errors import NotFound
from lib.periods import Period
from lib.texts import _


@dataclass(frozen=True)
class Sheet:
    """`keys`: what each column after the first means, in the code's own words. The first column names the row."""

    name: str
    heads: tuple[str, ...]
    keys: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def column(self, key: str) -> list[Any]:
        return [row[1 + self.keys.index(key)] for row in self.rows]

    @property
    def names(self) -> list[Any]:
        return [row[0] for row in self.rows]


def to_csv(sheet: Sheet) -> str:
    """Names that people chose are kept from being taken for formulas; numbers are never negative."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([sheet.heads, *([_plain(cell) for cell in row] for row in sheet.rows)])
    return file.getvalue()


def _plain(cell: Any) -> Any:
    if isinstance(cell, str):
        return csv_file.tame(cell)
    return f"{cell:f}" if isinstance(cell, Decimal) else "" if cell is None else cell


def read(scope: Scope, name: str, period: Period) -> Sheet:
    """One figure. NotFound: there is no such figure."""
    if name not in SHEETS:
        raise NotFound
    with replica.reading(scope) as copy:
        return SHEETS[name](copy, period)


def export(scope: Scope, name: str, period: Period) -> str:
    """The same as CSV, on record."""
    sheet = read(scope, name, period)
    audit.record(scope, "export", "analytics", name, row_count=len(sheet.rows))
    return to_csv(sheet)


# by day or week ------------------------------------------------------------------------------------------------------


def messages(usage: Sequence[Usage], period: Period) -> Sheet:
    used = [route for route in analytics.ROUTES
            if route != analytics.TRIAL and any(row.route == route for row in analytics.current(usage))]
    return _by_step("messages", period, {"all": _("All"), **{route: route_name(route) for route in used}}, [
        (analytics.calls(rows), *(sum(row.calls for row in rows if row.route == route) for route in used))
        for rows in _steps(usage, period)])


def cost(usage: Sequence[Usage], budgets: Sequence[analytics.Budget], period: Period) -> Sheet:
    """Of a step of which no price is known the cost is unknown; without calls it is nothing."""
    limits = {row.day: row.limit_usd for row in budgets}
    heads = {"measured": _("Measured (USD)"), "estimated": _("Estimated (USD)"), "unpriced": _("Calls without a price"),
             "limit": _("Budget (USD)")}
    return _by_step("cost", period, heads, [
        (_known(rows, *MEASURED, "none"), analytics.cost(rows, "estimated") or 0, sum(row.unpriced for row in rows),
         limits.get(day))
        for day, rows in zip(period.starts, _steps(usage, period), strict=True)])


def _known(rows: Sequence[Usage], *sources: str) -> Decimal | int | None:
    if rows and all(row.cost_usd is None for row in rows):
        return None
    return analytics.cost(rows, *sources) or 0


def tokens(usage: Sequence[Usage], period: Period) -> Sheet:
    heads = {"tokens_in": _("Tokens in"), "tokens_out": _("Tokens out"), "uncounted": _("Calls without a count")}
    return _by_step("tokens", period, heads, [
        (analytics.added(row.tokens_in for row in rows), analytics.added(row.tokens_out for row in rows),
         sum(row.uncounted for row in rows)) for rows in _steps(usage, period)])


def times(rows: Sequence[paces.Pace], period: Period, kind: str) -> Sheet:
    found = {row.day: row for row in rows if row.day and row.kind == kind}
    heads = {"p50": _("Half within (s)"), "p95": _("95 % within (s)"), "calls": _("Whole answers")}
    return _by_step({"total": "times", "first": "first_words"}[kind], period, heads, [
        (seconds(found[day].p50), seconds(found[day].p95), found[day].calls) if day in found else (None, None, 0)
        for day in period.starts])


def emergencies(rows: Sequence[paces.Alarms], period: Period) -> Sheet:
    heads = {"open": _("Open"), "acknowledged": _("Acknowledged"), "median": _("Half acknowledged within (min)")}
    steps = [[row for row in rows if row.day == day] for day in period.starts]
    return _by_step("emergencies", period, heads, [
        (sum(row.raised for row in some if row.bucket == paces.OPEN), sum(row.raised for row in some if row.bucket != paces.OPEN),
         _minutes(paces.typical(some))) for some in steps])


def staff(rows: Sequence[shares.Staff], period: Period) -> Sheet:
    found = {row.day: row.people for row in rows}
    return _by_step("staff", period, {"people": _("People")}, [(found.get(day, 0),) for day in period.starts])


def unmatched(rows: Sequence[shares.Without], period: Period) -> Sheet:
    found = {row.day: row.calls for row in rows}
    return _by_step("unmatched", period, {"fallback": _("Without an article")}, [(found.get(day, 0),) for day in period.starts])


def seconds(bucket: int) -> float:
    return round(paces.middle(bucket) / 1000, 3)


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 60, 1)


def _steps(usage: Sequence[Usage], period: Period) -> list[list[Usage]]:
    found: dict[date | None, list[Usage]] = {}
    for row in usage:
        found.setdefault(row.day, []).append(row)
    return [found.get(day, []) for day in period.starts]


def _by_step(name: str, period: Period, heads: dict[str, str], rows: Sequence[tuple[Any, ...]]) -> Sheet:
    first = _("Day") if period.step == 1 else _("Week from")
    return Sheet(name, (first, *heads.values()), tuple(heads),
                 tuple((day, *row) for day, row in zip(period.starts, rows, strict=True)))


# of the whole period -------------------------------------------------------------------------------------------------


def hours(rows: Sequence[analytics.Hour]) -> Sheet:
    """Seven rows of 24."""
    found = {(row.weekday, row.hour): row.calls for row in rows}
    return Sheet("hours", (_("Weekday"), *(f"{hour:02d}" for hour in range(24))), tuple(map(str, range(24))),
                 tuple((name, *(found.get((day, hour), 0) for hour in range(24))) for day, name in enumerate(weekdays(), 1)))


def models(usage: Sequence[Usage]) -> Sheet:
    """Only calls that a provider was asked for, dearest first."""
    asked = [row for row in analytics.current(usage) if row.model]
    groups = {model: [row for row in asked if row.model == model] for model in {row.model for row in asked}}
    rows = [(model, sum(row.calls for row in some), analytics.cost(some, *MEASURED) or 0, analytics.cost(some, "estimated") or 0,
             sum(row.unpriced for row in some)) for model, some in groups.items()]
    return Sheet("models", (_("Model"), _("Calls"), _("Measured (USD)"), _("Estimated (USD)"), _("Calls without a price")),
                 ("calls", "measured", "estimated", "unpriced"), tuple(sorted(rows, key=lambda row: (-row[2] - row[3], row[0]))))


def saved(usage: Sequence[Usage]) -> Sheet:
    """Answers that no provider was paid for. Where an answer does not know what it saved, the average of a paid one stands in."""
    now = analytics.current(usage)
    paid = [row for row in now if row.route == "provider" and row.cost_usd]
    average = (analytics.cost(paid) or Decimal(0)) / analytics.calls(paid) if paid else None
    rows = []
    for route in analytics.FREE_ROUTES:
        some = [row for row in now if row.route == route]
        told = analytics.added(row.saved_usd for row in some if row.saved_usd is not None) if some else None
        guess = average * sum(row.calls for row in some if row.saved_usd is None) if average is not None else None
        rows.append((route_name(route), analytics.calls(some), told or 0, guess))
    return Sheet("saved", (_("Answered by"), _("Answers"), _("Saved, measured (USD)"), _("Saved, at the average price (USD)")),
                 ("answers", "told", "guess"), tuple(rows))


def routes(rows: Sequence[paces.Pace]) -> Sheet:
    found = {(row.route, row.kind): row for row in rows if row.day is None and row.current and row.route}
    table = []
    for route in analytics.ROUTES:
        if (route, "total") in found:
            total, first = found[route, "total"], found.get((route, "first"))
            table.append((route_name(route), total.calls, seconds(total.p50), seconds(total.p95),
                          seconds(first.p50) if first else None, seconds(first.p95) if first else None))
    return Sheet("routes", (_("Answered by"), _("Whole answers"), _("Half within (s)"), _("95 % within (s)"),
                            _("First words: half within (s)"), _("First words: 95 % within (s)")),
                 ("calls", "p50", "p95", "first_p50", "first_p95"), tuple(table))


def errors(usage: Sequence[Usage]) -> Sheet:
    now, before = analytics.failed(analytics.current(usage)), analytics.failed(analytics.former(usage))
    rows = [(status_name(status), sum(row.calls for row in now if row.status == status),
             sum(row.calls for row in before if row.status == status)) for status in {row.status for row in [*now, *before]}]
    return Sheet("errors", (_("What went wrong"), _("Answers"), _("In the period before")), ("now", "before"),
                 tuple(sorted(rows, key=lambda row: (-row[1], -row[2], row[0]))))


def acknowledgements(rows: Sequence[paces.Alarms]) -> Sheet:
    names = [_("within a minute"), _("within 5 minutes"), _("within 15 minutes"), _("within an hour"), _("later"), _("not yet")]
    places = [len(names) - 1 if row.bucket == paces.OPEN else paces.place(row) for row in rows]
    return Sheet("acknowledgements", (_("Acknowledged"), _("Emergencies"), _("In the period before")), ("now", "before"), tuple(
        (name, sum(row.raised for row, at in zip(rows, places, strict=True) if at == place and row.day),
         sum(row.raised for row, at in zip(rows, places, strict=True) if at == place and not row.day))
        for place, name in enumerate(names)))


def people(rows: Sequence[shares.Person]) -> Sheet:
    heads = (_("Person"), _("Questions"), _("In the period before"), _("Days"), _("Cost (USD)"), _("Calls without a price"))
    return Sheet("people", heads, ("calls", "before", "days", "cost", "unpriced"), tuple(
        (row.name, row.calls, row.before, row.days, row.cost_usd, row.unpriced) for row in rows))


def patients(rows: Sequence[shares.Patient]) -> Sheet:
    heads = (_("Patient"), _("Questions"), _("Cost (USD)"), _("Calls without a price"))
    return Sheet("patients", heads, ("calls", "cost", "unpriced"), tuple(
        (row.name, row.calls, row.cost_usd, row.unpriced) for row in rows))


def articles(rows: Sequence[shares.Article]) -> Sheet:
    return Sheet("articles", (_("Article"), _("Answers"), _("In the period before")), ("calls", "before"),
                 tuple((row.title, row.calls, row.before) for row in rows))


# names ---------------------------------------------------------------------------------------------------------------


def route_name(route: str) -> str:
    return {"provider": _("AI provider"), "cache": _("Earlier answer"), "kb": _("Knowledge base"), "fallback": _("No match"),
            "emergency": _("Emergency card"), "blocked": _("Blocked"), "trial": _("Connection test")}[route]


def status_name(status: str) -> str:
    return {"error_before": _("No answer from the provider"), "error_mid": _("Broke off"), "timeout": _("Took too long"),
            "truncated": _("Cut short"), "filtered": _("Withheld by the provider"), "rate_limited": _("Provider busy"),
            "budget_blocked": _("Budget used up"), "abandoned": _("Lost with a crash")}.get(status, status)


def weekdays() -> tuple[str, ...]:
    return (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))


SHEETS: dict[str, Callable[[Scope, Period], Sheet]] = {
    "messages": lambda scope, period: messages(analytics.usage(scope, period), period),
    "hours": lambda scope, period: hours(analytics.hours(scope, period)),
    "cost": lambda scope, period: cost(analytics.usage(scope, period), analytics.budgets(scope, period), period),
    "models": lambda scope, period: models(analytics.usage(scope, period)),
    "saved": lambda scope, period: saved(analytics.usage(scope, period)),
    "tokens": lambda scope, period: tokens(analytics.usage(scope, period), period),
    "times": lambda scope, period: times(paces.answers(scope, period), period, "total"),
    "first_words": lambda scope, period: times(paces.answers(scope, period), period, "first"),
    "routes": lambda scope, period: routes(paces.answers(scope, period)),
    "errors": lambda scope, period: errors(analytics.usage(scope, period)),
    "emergencies": lambda scope, period: emergencies(paces.emergencies(scope, period), period),
    "acknowledgements": lambda scope, period: acknowledgements(paces.emergencies(scope, period)),
    "people": lambda scope, period: people(shares.people(scope, period)),
    "staff": lambda scope, period: staff(shares.staff(scope, period), period),
    "patients": lambda scope, period: patients(shares.patients(scope, period)),
    "articles": lambda scope, period: articles(shares.articles(scope, period)),
    "unmatched": lambda scope, period: unmatched(shares.without_article(scope, period), period),
}
