"""Drawing a sheet over time with plotly, in the same colours, axes and sizes everywhere."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

import plotly.graph_objects as go

from lib.periods import Period
from lib.sheets import Sheet

# At least 3:1 against the light and the dark background (WCAG 1.4.11); the same meaning has the same colour everywhere.
COLOURS = {"provider": "#5272e0", "cache": "#0b93ad", "kb": "#12897f", "fallback": "#7b8794", "emergency": "#d64550",
           "blocked": "#b56d0e", "trial": "#8a8a3a", "measured": "#5272e0", "estimated": "#9277d6", "limit": "#b56d0e",
           "tokens_in": "#5272e0", "tokens_out": "#9277d6", "p50": "#64788c", "p95": "#c0609a", "open": "#d64550",
           "acknowledged": "#c47d83", "people": "#5d8a3a", "error": "#b56d0e"}
CONFIG = {"displayModeBar": False, "displaylogo": False, "showLink": False, "showEditInChartStudio": False, "plotlyServerURL": "",
          "doubleClick": False, "responsive": True}
HEIGHT = 250

Series = tuple[str, str]  # a sheet's column, its name in the legend


class Drawing(go.Figure):
    """Shown far more often than drawn, and plotly's way from a figure to plain values takes longer than the rest of showing it.

    Nothing changes a drawing after it was shown first.
    """

    _plain: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        if self._plain is None:
            self._plain = super().to_dict()
        return self._plain


def bars(sheet: Sheet, period: Period, series: Sequence[Series], unit: str, *, whole: bool = True,
         line: Series | None = None) -> Drawing | None:
    """Stacked. None where there is nothing to draw."""
    drawn = [(key, name) for key, name in series if any(_numbers(sheet, key))]
    if not drawn:
        return None
    figure = _paper(period, unit, legend=len(drawn) > 1 or line is not None)
    for key, name in drawn:
        figure.add_bar(**_along(period, sheet, key), name=name, width=0.75 * _milliseconds(period), hovertemplate=_hover(whole),
                       marker={"color": COLOURS[key], "line": {"width": 0}})
    if line and any(_numbers(sheet, line[0])):
        figure.add_scatter(**_along(period, sheet, line[0]), name=line[1], mode="lines", connectgaps=True,
                           hovertemplate=_hover(whole), line={"color": COLOURS[line[0]], "dash": "dot", "shape": "hvh"})
    stacks = zip(*(_numbers(sheet, key) for key, _name in drawn), strict=True)
    highest = max(sum(value or 0 for value in stack) for stack in stacks)
    figure.update_layout(barmode="stack")
    return figure.update_yaxes(dtick=1, tickformat=",d") if whole and highest <= 5 else figure


def lines(sheet: Sheet, period: Period, series: Sequence[Series], unit: str) -> Drawing | None:
    """A day without a value is bridged: most clinics rest on Sundays."""
    if not any(any(value is not None for value in _numbers(sheet, key)) for key, _name in series):
        return None
    figure = _paper(period, unit, legend=len(series) > 1)
    for key, name in series:
        figure.add_scatter(**_along(period, sheet, key), name=name, mode="lines+markers", connectgaps=True,
                           line={"color": COLOURS[key]}, marker={"size": 6 if period.days <= 31 else 4},
                           hovertemplate=_hover(whole=False))
    return figure


def _numbers(sheet: Sheet, key: str) -> list[float | None]:
    return [None if value is None else float(value) for value in sheet.column(key)]


def _along(period: Period, sheet: Sheet, key: str) -> dict[str, Any]:
    """Evenly spaced dates travel as a start and a step."""
    return {"x0": str(period.starts[0]), "dx": _milliseconds(period), "y": _numbers(sheet, key)}


def _milliseconds(period: Period) -> int:
    return period.step * 86_400_000


def _hover(whole: bool) -> str:
    return "%{y:,.0f}" if whole else "%{y:,.2f}"


def _paper(period: Period, unit: str, *, legend: bool) -> Drawing:
    """An empty template: Streamlit's theme gives text, grid and background, light or dark."""
    return Drawing(layout={
        "template": go.layout.Template(), "height": HEIGHT, "margin": {"l": 8, "r": 8, "t": 8, "b": 8}, "dragmode": False,
        "hovermode": "x unified", "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        "xaxis": _time_axis(period),
        "yaxis": {"title": {"text": unit}, "rangemode": "tozero", "fixedrange": True, "automargin": True, "nticks": 5}})


def _time_axis(period: Period) -> dict[str, Any]:
    """At least a week wide, so that one day is not one huge bar; every day named where there are few."""
    margin = timedelta(days=max(0, 7 - period.days)) / 2 + timedelta(hours=14) * period.step
    edges = [datetime.combine(period.starts[0], time()) - margin, datetime.combine(period.starts[-1], time()) + margin]
    axis: dict[str, Any] = {"type": "date", "fixedrange": True, "automargin": True, "showgrid": False,
                            "range": [at.isoformat() for at in edges], "nticks": 7, "hoverformat": "%-d %b %Y",
                            "tickformat": "%-d %b" if period.step == 1 else "%b %Y"}
    if period.days <= 7:
        axis |= {"tickmode": "array", "tickvals": list(map(str, period.starts))}
    return axis
