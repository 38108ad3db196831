"""One section of the analytics page on the screen: its cards, its figures, the rows behind them."""

from functools import partial
from html import escape

import streamlit as st

from lib import answer_ratings, auth, db, periods, replica, shares, sheets
from lib.answer_ratings import Complaint
from lib.identity import Identity
from lib.periods import Period
from lib.sheets import Sheet
from lib.texts import _
from ui import bars, charts, figures, sections, state, widgets
from ui import period as picker
from ui.bars import Bar
from ui.charts import COLOURS
from ui.figures import Board, Chart, Data
from ui.today_cards import shorten

MOST_MISSING = 5


def pick() -> str:
    """The URL holds it. What is no section is the first one."""
    names = sections.names()
    asked = st.query_params.get("section", "")
    chosen = asked if asked in names else next(iter(names))
    state.show("section", chosen)
    st.segmented_control(_("Section"), list(names), key="section", required=True, format_func=lambda name: names[name],
                         on_change=_take, label_visibility="collapsed", wrap=True)
    return chosen


def _take() -> None:
    st.query_params["section"] = state.shown("section")


def compared(data: Data, identity: Identity) -> str:
    """The days, whose days they are, and what keeps them from being compared blindly."""
    now, before = (picker.label(one, identity) for one in (data.period, data.period.before))
    parts = [_("{now} · days of {zone}").format(now=now, zone=identity.time_zone)]
    if data.comparable:
        parts.append(_("compared with {before}").format(before=before))
    if data.period.last == periods.today(identity):
        parts.append(_("today is not over yet"))
    if data.few:
        parts.append(_("only a few questions, so shares and times say little"))
    if data.missing:
        days = ", ".join(widgets.day(day, identity) for day in data.missing[:MOST_MISSING])
        more = _(" and {n} more").format(n=len(data.missing) - MOST_MISSING) if len(data.missing) > MOST_MISSING else ""
        parts.append(_("nothing on {days}, unlike other such weekdays").format(days=days + more))
    return " · ".join(parts)


def show(board: Board, identity: Identity, section: str) -> None:
    cards = st.grid("auto", min_column_width=150, gap="small", key="cards")
    for card in board.cards:
        cards.metric(card.label, card.value, card.change, card.colour, border=True, height="stretch", help=card.help,
                     delta_arrow="off" if card.change == _("unchanged") else "auto")
    export = partial(_export, identity=identity, period=board.data.period)
    for row in _rows(board.charts):
        for column, chart in zip(st.columns(len(row)) if len(row) > 1 else [st.container()], row, strict=True):
            with column.container(border=True, key=f"chart_{chart.sheet.name}", height="stretch"):
                _show_chart(chart, export)
    if section == "people" and auth.may(identity, "patients.read"):
        _show_patients(board.data, identity, export)
    if section == "knowledge" and auth.may(identity, "chat.patient"):
        _show_unmatched(board.data.period, identity)
        _show_complaints(board.data.period, identity)


def _rows(drawn: tuple[Chart, ...]) -> list[tuple[Chart, ...]]:
    """Wide ones alone, the others in twos."""
    if all(chart.wide for chart in drawn):
        return [(chart,) for chart in drawn]
    return [drawn[at:at + 2] for at in range(0, len(drawn), 2)]


def _show_chart(chart: Chart, export: "partial[str]") -> None:
    if chart.drawing is not None:
        st.markdown(f"##### {chart.title}")
        st.plotly_chart(chart.drawing, config=charts.CONFIG, key=f"figure_{chart.sheet.name}", alt=chart.title)
        if chart.note:
            st.caption(chart.note)
    else:  # in one piece: each element costs
        note = chart.note or ("" if chart.html else _("Nothing to draw in this period."))
        st.html(f"<h5 class='figure'>{escape(chart.title)}</h5>{chart.html}<p class='figure'>{escape(note)}</p>")
    key = f"table_{chart.sheet.name}"
    with st.expander(_("Table"), icon=":material/table:", key=key, on_change="rerun", type="compact") as table:
        if table.open:
            _show_table(chart.sheet, export)


def _show_table(sheet: Sheet, export: "partial[str]") -> None:
    st.dataframe([dict(zip(sheet.heads, row, strict=True)) for row in sheet.rows], height=260, hide_index=True)
    _offer(sheet.name, export)


def _offer(name: str, export: "partial[str]") -> None:
    st.download_button(_("Download CSV"), partial(export, name, str(st.user.get("session"))), f"{name}.csv", "text/csv",
                       key=f"csv_{name}", icon=":material/download:", on_click="ignore")


def _export(name: str, token_id: str, *, identity: Identity, period: Period) -> str:
    """Runs when somebody clicks, outside any script run: session, role and figures are looked up again."""
    with db.scope(auth.resume(token_id, address=identity.address, request_id=identity.request_id)) as scope:
        return sheets.export(scope, name, period)


# read anew each time, and only when somebody opens it ------------------------------------------------------------------


def _show_patients(data: Data, identity: Identity, export: "partial[str]") -> None:
    with st.expander(_("Cost per patient"), icon=":material/groups:", key="table_patients", on_change="rerun") as shown:
        if not shown.open:
            return
        with db.scope(identity) as scope, replica.reading(scope) as scope:
            rows = shares.patients(scope, data.period)
        if not rows:
            st.caption(_("No question of this period was about a patient."))
            return
        most = max(float(row.cost_usd or 0) for row in rows) or 1
        st.html(bars.listed((_("Patient"), _("Cost")), [
            Bar(row.name, float(row.cost_usd or 0) / most, figures.money(data, row.cost_usd), COLOURS["measured"],
                _("{n} questions").format(n=figures.count(data, row.calls))) for row in rows]))
        _show_table(sheets.patients(rows), export)


def _show_unmatched(period: Period, identity: Identity) -> None:
    title = _("The newest questions without a match")
    with st.expander(title, icon=":material/help:", key="table_texts", on_change="rerun") as shown:
        if not shown.open:
            return
        with db.scope(identity) as scope, replica.reading(scope) as scope:
            rows = shares.unmatched(scope, period)
        if not rows:
            st.caption(_("None that you may read."))
        st.html("".join(f"<p class='asked typed'>{escape(row.text)}<br><span class='quiet'>"
                        f"{widgets.moment(row.asked_at, identity)}</span></p>" for row in rows))


def _show_complaints(period: Period, identity: Identity) -> None:
    title = _("Why answers were not helpful")
    with st.expander(title, icon=":material/thumb_down:", key="table_reasons", on_change="rerun") as shown:
        if not shown.open:
            return
        with db.scope(identity) as scope, replica.reading(scope) as scope:
            rows = answer_ratings.find_complaints(scope, period)
        if not rows:
            st.caption(_("Nobody gave a reason in this period."))
        st.html("".join(_complaint(row, identity) for row in rows))


def _complaint(row: Complaint, identity: Identity) -> str:
    """What somebody wrote, and below it what it is about."""
    asked = [_("To: {question}").format(question=f"“{escape(shorten(row.question))}”")] if row.question else []
    told = [sheets.route_name(row.route)] if row.route else []
    about = " · ".join([*asked, *told, escape(row.rated_by), widgets.moment(row.rated_at, identity)])
    return f"<p class='asked typed'>{escape(row.reason)}<br><span class='quiet'>{about}</span></p>"
