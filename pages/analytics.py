"""How the assistant is used, what it costs and how fast it answers. Figures of the clinic, never a question or a patient."""

from functools import partial

import streamlit as st

from lib import analytics, audit, auth, db
from lib.analytics import Period, Report
from lib.texts import _
from ui import figures, guard, menu, widgets
from ui import period as periods
from ui.figures import Board, Chart

identity = guard.require("analytics.read")


def show(board: Board) -> None:
    cards = st.grid("auto", min_column_width=140, gap="small", key="cards")
    for card in board.cards:
        cards.metric(card.label, card.value, card.change, card.colour, border=True, height="stretch", help=card.help,
                     delta_arrow="off" if card.change == _("unchanged") else "auto")
    for left in range(0, len(board.charts), 2):
        for column, chart in zip(st.columns(2), board.charts[left:left + 2], strict=False):
            with column.container(border=True, key=f"chart_{chart.name}", height="stretch"):
                show_chart(chart)


def show_chart(chart: Chart) -> None:
    st.markdown(f"##### {chart.title}")
    if chart.figure is not None:
        st.plotly_chart(chart.figure, config=figures.CONFIG, key=f"figure_{chart.name}", alt=chart.title)
    else:
        st.caption(_("Nothing to draw in this period."))
    if chart.note:
        st.caption(chart.note)
    with st.expander(_("Table"), icon=":material/table:", key=f"table_{chart.name}", on_change="rerun", type="compact") as table:
        if table.open:
            show_table(chart)


def show_table(chart: Chart) -> None:
    st.dataframe(chart.table, height=260, column_config={"day": st.column_config.DateColumn(_("Day"), format="D MMM YYYY")})
    st.download_button(_("Download CSV"), partial(export, chart.name, chosen, str(st.user.get("session"))), f"{chart.name}.csv",
                       "text/csv", key=f"csv_{chart.name}", icon=":material/download:", on_click="ignore")


def export(name: str, period: Period, token_id: str) -> str:
    """Runs when somebody clicks, outside any script run: session, role and figures are looked up again."""
    with db.scope(auth.resume(token_id, address=identity.address, request_id=identity.request_id)) as scope:
        chart = next(chart for chart in figures.board(scope, period).charts if chart.name == name)
        audit.record(scope, "export", "analytics", name, row_count=len(chart.table))
    return figures.to_csv(chart)


def compared(report: Report) -> str:
    now, before = (periods.label(one, identity) for one in (report.period, report.period.before))
    words = _("{now} · days of {zone} · compared with {before}").format(now=now, zone=identity.time_zone, before=before)
    return words + (_(" · today is not over yet") if report.period.last == analytics.today(identity) else "")


st.title(_("Analytics"))
chosen = periods.pick(identity)
with db.scope(identity) as scope:
    drawn = figures.board(scope, chosen)
st.caption(compared(drawn.report))
if drawn.report.now.messages or drawn.report.now.emergencies:
    show(drawn)
else:
    with st.container(key="empty_figures", horizontal_alignment="center"):
        widgets.empty(_("No questions in this period."), icon="monitoring",
                      hint=_("Choose a longer period. Figures begin with the first question to the assistant."))
        if auth.may(identity, "chat.ask"):
            st.page_link(menu.page("chat"), label=_("Ask the assistant"), icon=":material/arrow_forward:", icon_position="right")
