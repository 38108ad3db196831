"""Beside a thread: the checklist of red flags, a search in it, and all of it as a file."""

from uuid import UUID

import streamlit as st

from lib import advice, chats, db, workflows
from lib.errors import AppError
from lib.texts import _
from ui import download, guard, state, widgets
from ui.markdown import escape
from ui.today_cards import shorten


def place(patient_id: UUID | None) -> str:
    """Under which name the thread's page is kept."""
    return f"thread_{patient_id}"


def checklist(patient_id: UUID | None) -> None:
    if st.button(_("Checklist"), icon=":material/checklist:", key=f"checklist_{patient_id}",
                 help=_("Seven danger signs to ask for, with yes or no.")):
        _tick_off(patient_id)


@st.dialog(_("Danger signs"), on_dismiss="rerun")
def _tick_off(patient_id: UUID | None) -> None:
    guard.require(_permission(patient_id))
    st.markdown(_("Ask for each. Tick what is the case **now**."))
    with st.form(f"checklist_form_{patient_id}", border=False):
        signs = [sign for sign, label in advice.checklist().items() if st.checkbox(label, key=f"sign_{sign}")]
        if not st.form_submit_button(_("Done"), type="primary"):
            return
    try:
        asked = workflows.tick_off(guard.act(_permission(patient_id)), patient_id, signs)
    except AppError as error:
        st.error(escape(str(error)), icon=":material/info:")
        return
    state.first_page(place(patient_id))
    if asked is None:
        state.notify(_("None of the danger signs: recorded."))
    st.rerun()


def search(patient_id: UUID | None) -> None:
    with st.popover(_("Search"), icon=":material/search:", key=f"search_{patient_id}", on_change="rerun") as opened:
        if not opened.open:
            return
        identity = guard.require(_permission(patient_id))
        term = st.text_input(_("Find in this thread"), type="search", live=True, key=f"thread_term_{patient_id}", width=340) or ""
        with db.scope(identity) as scope:
            thread_id = chats.find_thread(scope, patient_id)
            found = chats.search(scope, thread_id, term) if thread_id and term.strip() else []
        for message in found:
            label = f"**{widgets.moment(message.created_at, identity)}** {escape(shorten(message.content, 70))}"
            if st.button(label, key=f"hit_{message.id}", type="tertiary", width="stretch"):
                state.open_page(place(patient_id), UUID(int=message.id.int + 1))
                st.rerun()
        if term.strip() and not found:
            st.caption(_("Nothing in this thread matches."))
        if thread_id:
            download.button(_("Export thread"), "/api/v1/chats/export", {"patient": str(patient_id) if patient_id else None},
                            "thread.md", help=_("Everything that was asked and answered here, as a text."))


def _permission(patient_id: UUID | None) -> str:
    return "chat.patient" if patient_id else "chat.ask"
