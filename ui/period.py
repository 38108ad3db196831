"""Choosing a period. The URL holds it, so that it can be linked to; the widgets show and change the URL."""

from datetime import date

import streamlit as st

from lib import periods
from lib.errors import Invalid
from lib.identity import Identity
from lib.periods import Period
from lib.texts import _
from ui import state, widgets

USUAL = "30d"


def pick(identity: Identity) -> Period:
    today = periods.today(identity)
    period, choice, problem = _from_url(today)
    state.show("period", choice)
    with st.container(key="period_bar", horizontal=True, vertical_alignment="center"):
        st.segmented_control(_("Period"), _labels(), key="period", required=True, format_func=lambda name: _labels()[name],
                             on_change=_take_choice, args=(period,), label_visibility="collapsed", wrap=True)
        if choice == "dates":
            _pick_dates(period, today)
    if problem:
        st.info(_("{problem} These are the last 30 days.").format(problem=problem), icon=":material/info:")
    return period


def _labels() -> dict[str, str]:
    return {"today": _("Today"), "7d": _("7 days"), "30d": _("30 days"), "90d": _("90 days"), "12m": _("12 months"),
            "dates": _("Dates")}


def _pick_dates(period: Period, today: date) -> None:
    """The key follows the URL: between the first and the second click the widget keeps its half of an answer."""
    key = f"dates {period.first} {period.last}"
    st.date_input(_("From and to"), (period.first, period.last), key=key, min_value=periods.EARLIEST, max_value=today,
                  format="DD/MM/YYYY", on_change=_take_dates, args=(key,), label_visibility="collapsed", width=260)


def _from_url(today: date) -> tuple[Period, str, str]:
    """The period, its place in the bar, and what is wrong with the address."""
    asked = st.query_params
    try:
        if "from" in asked or "to" in asked:
            return periods.parse(asked.get("from", ""), asked.get("to", ""), today), "dates", ""
        return periods.preset(asked.get("period", USUAL), today), asked.get("period", USUAL), ""
    except Invalid as error:
        return periods.preset(USUAL, today), USUAL, str(error)


def _take_choice(shown: Period) -> None:
    """Free dates begin with what is on the screen."""
    choice = state.shown("period")
    _put({"from": str(shown.first), "to": str(shown.last)} if choice == "dates" else {"period": choice})


def _take_dates(key: str) -> None:
    if len(state.shown(key)) == 2:
        first, last = state.shown(key)
        _put({"from": str(first), "to": str(last)})


def _put(period: dict[str, str]) -> None:
    """Beside what else the address holds."""
    rest = {name: value for name, value in st.query_params.items() if name not in ("period", "from", "to")}
    st.query_params.from_dict({**rest, **period})


def label(period: Period, identity: Identity) -> str:
    """In words, with the zone whose midnights divide the days."""
    first, last = widgets.day(period.first, identity), widgets.day(period.last, identity)
    return first if first == last else f"{first} – {last}"
