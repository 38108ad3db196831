"""Figures drawn from lib.analytics, once per data version.

The one place where something made from the database is kept between runs: aggregates only, under a key that names the
clinic, the role, the period and the version of the data, and never more than a few.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from threading import Lock
from typing import Any, Literal
from uuid import UUID

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from babel.numbers import format_compact_decimal, format_currency, format_decimal, format_percent

from lib import analytics
from lib.analytics import Period, Report, Totals, Version
from lib.db import Scope
from lib.texts import _

# At least 3:1 against the light and the dark background (WCAG 1.4.11); the same meaning has the same colour everywhere.
COLOURS = {"provider": "#5272e0", "cache": "#0b93ad", "kb": "#12897f", "fallback": "#7b8794", "emergency": "#d64550",
           "blocked": "#b56d0e", "cost": "#5272e0", "tokens_in": "#5272e0", "tokens_out": "#9277d6", "p50": "#64788c",
           "p95": "#c0609a", "acknowledged": "#c47d83", "people": "#5d8a3a"}
CONFIG = {"displayModeBar": False, "displaylogo": False, "showLink": False, "showEditInChartStudio": False, "plotlyServerURL": "",
          "doubleClick": False, "responsive": True}
HEIGHT, MOST_BOARDS = 250, 64


Number = float | Decimal
Series = tuple[str, "pd.Series[float]", str]  # name, values, colour


@dataclass(frozen=True)
class Chart:
    """`figure` is None where there is nothing to draw; `note` then says so. `table` holds one row per day, or per week."""

    name: str
    title: str
    note: str
    figure: go.Figure | None
    table: pd.DataFrame


@dataclass(frozen=True)
class Card:
    """One figure of the whole period. `change`: against the period before, None where there is nothing to compare with."""

    label: str
    value: str
    change: str | None
    colour: Literal["inverse", "off"]
    help: str | None


@dataclass(frozen=True)
class Board:
    report: Report
    cards: tuple[Card, ...]
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Key:
    clinic_id: UUID
    role: str
    time_zone: str
    language: str
    period: Period
    version: Version


_shelf: OrderedDict[Key, Board] = OrderedDict()
_lock = Lock()


def board(scope: Scope, period: Period) -> Board:
    """Everything the analytics page draws of one period."""
    who = scope.identity
    key = Key(who.clinic_id, who.role, who.time_zone, who.language, period, analytics.data_version(scope, period))
    with _lock:
        found = _shelf.get(key)
    return found or _keep(key, draw(analytics.read(scope, period), who.language))


def _keep(key: Key, drawn: Board) -> Board:
    with _lock:
        _shelf[key] = drawn
        while len(_shelf) > MOST_BOARDS:
            _shelf.popitem(last=False)
    return drawn


def draw(report: Report, language: str) -> Board:
    charts = (_messages, _cost, _times, _tokens, _emergencies, _staff)
    return Board(report, _cards(report, language), tuple(chart(report) for chart in charts))


def route_name(route: str) -> str:
    return {"provider": _("AI provider"), "cache": _("Earlier answer"), "kb": _("Knowledge base"), "fallback": _("No match"),
            "emergency": _("Emergency"), "blocked": _("Blocked")}[route]


# cards ---------------------------------------------------------------------------------------------------------------


def _cards(report: Report, language: str) -> tuple[Card, ...]:
    """More of something is neither good nor bad; dearer and slower is worse."""
    now = report.now

    def card(label: str, value: str, figure: Callable[[Totals], Number | None], *, worse: bool = False, hint: str = "") -> Card:
        change = _change(figure(now), figure(report.before)) if report.comparable else None
        return Card(label, value, change, "inverse" if worse else "off", hint or None)

    def count(n: int) -> str:
        return format_decimal(n, locale=language)

    cost = _("unknown") if now.cost_usd is None else format_currency(now.cost_usd, "USD", locale=language)
    tokens = format_compact_decimal(_tokens_of(now) or 0, locale=language, fraction_digits=1)
    return (
        card(_("Messages"), count(now.messages), lambda totals: totals.messages),
        card(_("AI cost"), cost, lambda totals: totals.cost_usd, worse=True),
        card(_("Tokens"), tokens, _tokens_of),
        card(_("Typical answer"), pace(now.p50_ms), lambda totals: totals.p50_ms, worse=True,
             hint=_("Half of the whole answers came within this time.")),
        card(_("Emergencies"), count(now.emergencies), lambda totals: totals.emergencies),
        card(_("Active staff"), count(now.staff), lambda totals: totals.staff),
    )


def _tokens_of(totals: Totals) -> int | None:
    return None if totals.tokens_in is None and totals.tokens_out is None else (totals.tokens_in or 0) + (totals.tokens_out or 0)


def _change(now: Number | None, before: Number | None) -> str | None:
    if now is None or not before:
        return None
    change = format_percent(float(now) / float(before) - 1, "+0 %;-0 %")
    return _("unchanged") if change in ("+0 %", "-0 %") else change


def pace(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "–"
    return _("{n} ms").format(n=round(milliseconds)) if milliseconds < 1000 else _("{n:.1f} s").format(n=milliseconds / 1000)


# charts --------------------------------------------------------------------------------------------------------------


def _messages(report: Report) -> Chart:
    frame = _by_route(report)
    series = [(route_name(str(route)), frame[route], COLOURS[str(route)]) for route in frame]
    table = frame.rename(columns={route: route_name(str(route)) for route in frame})
    table.insert(0, _("All"), frame.sum(axis=1))
    return Chart("messages", _per(report, _("Messages per day, by route"), _("Messages per week, by route")), "",
                 _bars(report, series, _("messages")), table)


def _cost(report: Report) -> Chart:
    frame = _sums(report, ["cost_usd", "unpriced"])
    note = _("Calls whose price is not known, and which are not in these sums: {n}.").format(n=report.now.unpriced)
    table = frame.set_axis([_("Cost (USD)"), _("Calls without a price")], axis=1)
    return Chart("cost", _per(report, _("AI cost per day"), _("AI cost per week")), note if report.now.unpriced else "",
                 _bars(report, [(_("Cost"), frame["cost_usd"], COLOURS["cost"])], _("US dollars"), whole=False), table)


def _tokens(report: Report) -> Chart:
    frame = _sums(report, ["tokens_in", "tokens_out", "uncounted"])
    note = _("Calls that did not report their tokens: {n}.").format(n=report.now.uncounted)
    table = frame.set_axis([_("Tokens in"), _("Tokens out"), _("Calls without a count")], axis=1)
    series = [(_("Tokens in"), frame["tokens_in"], COLOURS["tokens_in"]),
              (_("Tokens out"), frame["tokens_out"], COLOURS["tokens_out"])]
    return Chart("tokens", _per(report, _("Tokens per day"), _("Tokens per week")), note if report.now.uncounted else "",
                 _bars(report, series, _("tokens")), table)


def _times(report: Report) -> Chart:
    frame = _steps(report, ["p50_ms", "p95_ms"]) / 1000
    table = frame.round(3).set_axis([_("Half within (s)"), _("95 % within (s)")], axis=1)
    series = [(_("95 % within"), frame["p95_ms"], COLOURS["p95"]), (_("Half within"), frame["p50_ms"], COLOURS["p50"])]
    return Chart("times", _per(report, _("Answer times per day"), _("Answer times per week")), _span(report),
                 _lines(report, series, _("seconds")), table)


def _span(report: Report) -> str:
    now, before = report.now, report.before
    note = _("Half within {p50}, 95 % within {p95}.").format(p50=pace(now.p50_ms), p95=pace(now.p95_ms)) if now.p50_ms else ""
    return note + (_(" In the period before: {p50} and {p95}.").format(p50=pace(before.p50_ms), p95=pace(before.p95_ms))
                   if note and before.p50_ms and report.comparable else "")


def _emergencies(report: Report) -> Chart:
    rows = [{**asdict(row), "answered": row.raised - row.unanswered} for row in report.emergencies]
    frame = _daily(report, rows, ["answered", "unanswered", "median_seconds"])
    frame[["answered", "unanswered"]] = frame[["answered", "unanswered"]].fillna(0)
    table = pd.DataFrame({_("Acknowledged"): frame["answered"], _("Open"): frame["unanswered"],
                          _("Median time to acknowledgement (min)"): (frame["median_seconds"] / 60).round(1)})
    series = [(_("Open"), frame["unanswered"], COLOURS["emergency"]),
              (_("Acknowledged"), frame["answered"], COLOURS["acknowledged"])]
    return Chart("emergencies", _per(report, _("Emergencies per day"), _("Emergencies per week")), _urgency(report),
                 _bars(report, series, _("emergencies")), table)


def _urgency(report: Report) -> str:
    if not report.now.emergencies:
        return _("No emergency was raised in this period.")
    parts = [_("Open: {n}.").format(n=report.now.unanswered)]
    if report.now.median_seconds is not None:
        parts.append(_("Half were acknowledged within {time}.").format(time=duration(report.now.median_seconds)))
    if report.before.median_seconds is not None:
        parts.append(_("In the period before: {time}.").format(time=duration(report.before.median_seconds)))
    return " ".join(parts)


def _staff(report: Report) -> Chart:
    frame = _steps(report, ["staff"]).fillna(0)
    title = _per(report, _("Staff who asked something, per day"), _("Staff who asked something, per week"))
    return Chart("staff", title, "", _bars(report, [(_("People"), frame["staff"], COLOURS["people"])], _("people")),
                 frame.set_axis([_("People")], axis=1))


def duration(seconds: float) -> str:
    if seconds < 90:
        return _("{n} s").format(n=round(seconds))
    return _("{n} min").format(n=round(seconds / 60)) if seconds < 5400 else _("{n} h").format(n=round(seconds / 3600, 1))


def to_csv(chart: Chart) -> str:
    """Dates, the project's own headings and numbers that are never negative: nothing a spreadsheet would run."""
    return chart.table.convert_dtypes().to_csv(date_format="%Y-%m-%d", index_label=_("Day"))


# frames --------------------------------------------------------------------------------------------------------------


def _daily(report: Report, rows: list[dict[Any, Any]], columns: list[str]) -> pd.DataFrame:
    """One row per day of the period; NaN where nothing is known."""
    days = pd.date_range(report.period.first, report.period.last, name="day")
    frame = pd.DataFrame(rows, columns=["day", *columns]).set_index("day").astype(float)
    return frame.set_index(pd.DatetimeIndex(frame.index)).reindex(days)


def _sums(report: Report, columns: list[str]) -> pd.DataFrame:
    """Added over the routes. A day without calls cost nothing; a day of which nothing is known stays NaN."""
    rows = pd.DataFrame(map(asdict, report.usage), columns=["day", *columns]).astype(dict.fromkeys(columns, float))
    frame = _daily(report, rows.groupby("day", as_index=False).sum(min_count=1).to_dict("records"), columns)
    quiet = ~frame.index.isin(pd.to_datetime(rows["day"]))
    return frame.mask(np.broadcast_to(quiet[:, None], frame.shape), 0.0)


def _by_route(report: Report) -> pd.DataFrame:
    used = [route for route in analytics.ROUTES if any(row.route == route for row in report.usage)]
    rows = pd.DataFrame([(row.day, row.route, row.messages) for row in report.usage], columns=["day", "route", "messages"])
    wide = rows.pivot_table(index="day", columns="route", values="messages", aggfunc="sum").reset_index()
    return _daily(report, wide.to_dict("records"), used).fillna(0)


def _steps(report: Report, columns: list[str]) -> pd.DataFrame:
    """One row per day, or per week of a long period: percentiles and heads can't be added up from days."""
    steps = pd.DatetimeIndex(report.period.starts, name="day")
    frame = pd.DataFrame(map(asdict, report.pace), columns=["day", *columns]).set_index("day").astype(float)
    return frame.set_index(pd.DatetimeIndex(frame.index)).reindex(steps)


def _added(report: Report, values: "pd.Series[float]") -> "pd.Series[float]":
    """Days added up to the steps of the period, where they are not steps already."""
    if len(values) == len(report.period.starts):
        return values
    return values.resample(f"{report.period.step}D", origin=pd.Timestamp(report.period.starts[0])).sum(min_count=1)


def _per(report: Report, day: str, week: str) -> str:
    return day if report.period.step == 1 else week


# drawing -------------------------------------------------------------------------------------------------------------


def _bars(report: Report, series: Sequence[Series], unit: str, *, whole: bool = True) -> go.Figure | None:
    series = [(name, _added(report, values), colour) for name, values, colour in series]
    if not any(values.sum() > 0 for _name, values, _colour in series):
        return None
    figure = _paper(report, unit, series, whole)
    for name, values, colour in series:
        figure.add_bar(**_along(report, values), name=name, width=0.75 * _milliseconds(report), hovertemplate=_hover(whole),
                       marker={"color": colour, "line": {"width": 0}})
    return figure.update_layout(barmode="stack")


def _lines(report: Report, series: Sequence[Series], unit: str) -> go.Figure | None:
    """A day without answers is bridged: most clinics rest on Sundays."""
    if all(values.isna().all() for _name, values, _colour in series):
        return None
    figure = _paper(report, unit, series, whole=False)
    for name, values, colour in series:
        figure.add_scatter(**_along(report, values), name=name, mode="lines+markers", connectgaps=True, line={"color": colour},
                           marker={"size": 6 if report.period.days <= 31 else 4}, hovertemplate=_hover(whole=False))
    return figure


def _along(report: Report, values: "pd.Series[float]") -> dict[str, object]:
    """Evenly spaced dates travel as a start and a step."""
    return {"x0": str(report.period.starts[0]), "dx": _milliseconds(report), "y": values.to_numpy()}


def _milliseconds(report: Report) -> int:
    return report.period.step * 86_400_000


def _hover(whole: bool) -> str:
    return "%{y:,.0f}" if whole else "%{y:,.2f}"


def _paper(report: Report, unit: str, series: Sequence[Series], whole: bool) -> go.Figure:
    """An empty template: Streamlit's theme gives text, grid and background, light or dark."""
    figure = go.Figure(layout={
        "template": go.layout.Template(), "height": HEIGHT, "margin": {"l": 8, "r": 8, "t": 8, "b": 8}, "dragmode": False,
        "hovermode": "x unified", "showlegend": len(series) > 1,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        "xaxis": _time_axis(report.period),
        "yaxis": {"title": {"text": unit}, "rangemode": "tozero", "fixedrange": True, "automargin": True, "nticks": 5}})
    highest = max(float(pd.concat([values for _name, values, _colour in series], axis=1).sum(axis=1).max()), 0)
    return figure.update_yaxes(dtick=1, tickformat=",d") if whole and highest <= 5 else figure


def _time_axis(period: Period) -> dict[str, object]:
    """At least a week wide, so that one day is not one huge bar; every day named where there are few."""
    margin = timedelta(days=max(0, 7 - period.days)) / 2 + timedelta(hours=14) * period.step
    edges = [pd.Timestamp(period.starts[0]) - margin, pd.Timestamp(period.starts[-1]) + margin]
    axis: dict[str, object] = {"type": "date", "fixedrange": True, "automargin": True, "showgrid": False,
                               "range": [at.isoformat() for at in edges], "nticks": 7, "hoverformat": "%-d %b %Y",
                               "tickformat": "%-d %b" if period.step == 1 else "%b %Y"}
    if period.days <= 7:
        axis |= {"tickmode": "array", "tickvals": list(map(str, period.starts))}
    return axis
