"""How the assistant is used, what it costs, how fast and how safely it answers, and for whom: figures of the clinic."""

import streamlit as st

from lib import auth, db, periods, replica
from lib.texts import _
from ui import analytics_section, figures, guard, menu, sections, widgets
from ui import period as picker

identity = guard.require("analytics.read")
with st.container(key="analytics_head", horizontal=True, vertical_alignment="center"):
    st.title(_("Analytics"), anchor=False)
    st.button(_("Print"), key="print_page", icon=":material/print:", type="tertiary")  # what it does stands in keys.js
chosen = picker.pick(identity)
section = analytics_section.pick()
with db.scope(identity) as scope, replica.reading(scope) as scope:
    drawn = figures.board(scope, chosen, periods.today(identity), section, sections.painter(section))
st.caption(analytics_section.compared(drawn.data, identity))
if drawn.empty:
    with st.container(key="empty_figures", horizontal_alignment="center"):
        widgets.empty(_("No questions in this period."), icon="monitoring",
                      hint=_("Choose a longer period. Figures begin with the first question to the assistant."))
        if auth.may(identity, "chat.ask"):
            st.page_link(menu.page("chat"), label=_("Ask the assistant"), icon=":material/arrow_forward:", icon_position="right")
else:
    analytics_section.show(drawn, identity, section)
