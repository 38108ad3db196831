"""Who did what with whose data, and whether the record of it is whole."""

import streamlit as st

from lib import audit_trail, db
from lib.audit_trail import Entry, Filter
from lib.db import Page
from lib.identity import Identity
from lib.texts import _
from ui import audit_chain, audit_filters, audit_table, download, guard, state, widgets


def actions(chosen: Filter) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="audit_actions"):
        download.button(_("Export"), "/api/v1/audit/export", {name: value and str(value) for name, value in vars(chosen).items()},
                        "audit.csv", help=_("The rows of this selection, for a spreadsheet."))
        if st.button(_("Verify chain"), icon=":material/verified_user:"):
            audit_chain.verify()


def show(page: Page[Entry], identity: Identity, name: str) -> None:
    if not page.rows:
        widgets.empty(_("Nothing was recorded for this selection."), icon="history",
                      hint=_("Choose a longer period, or fewer filters."))
    else:
        st.html(audit_table.table(page.rows, identity))
    with st.container(horizontal=True, horizontal_alignment="right", key="pager"):
        if state.cursor(name):
            st.button(_("Newer"), icon=":material/chevron_left:", on_click=state.turn_back, args=(name,))
        if page.more:
            st.button(_("Older"), icon=":material/chevron_right:", icon_position="right", on_click=state.turn_page,
                      args=(name, page.rows[-1].id))


identity = guard.require("audit.read")
st.title(_("Audit"), anchor=False)
with db.scope(identity) as scope:
    chosen = audit_filters.pick(scope)
    name = f"audit {chosen}"  # another selection begins at its first page
    page = audit_trail.find(scope, chosen, before=state.cursor(name))
actions(chosen)
show(page, identity, name)
