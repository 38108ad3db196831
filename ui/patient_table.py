"""The list of patients as one element: a real table, two-line cards on a phone, opened by click or Enter."""

from datetime import date
from pathlib import Path
from uuid import UUID

import streamlit as st

from lib.db import Page
from lib.identity import Identity
from lib.patients import PAGE, Listed
from lib.texts import _
from ui import state, widgets

_files = Path(__file__).parent / "components"
_component = st.components.v2.component("patient_table", js=(_files / "patient_table.js").read_text(),
                                        css=(_files / "patient_table.css").read_text())


def show(patients: list[Listed], identity: Identity, *, today: date) -> UUID | None:
    """The id of the patient somebody just opened."""
    data = {"label": _("Patients"), "heading": [_("Name"), _("Date of birth"), _("Phone"), _("Email")],
            "page": state.page_number("patients"),  # turning it scrolls to the top
            "rows": [_row(patient, identity, today) for patient in patients]}
    opened = _component(key="patient_table", data=data, on_opened_change=_listen).opened
    return UUID(opened) if opened in {str(patient.id) for patient in patients} else None


def _listen() -> None:
    """Streamlit reports a trigger only to a component that has a callback for it."""


def _row(patient: Listed, identity: Identity, today: date) -> dict[str, object]:
    marks = [_("deceased")] * patient.deceased + [_("archived")] * (patient.archived_at is not None)
    return {"id": str(patient.id), "name": patient.full_name, "born": widgets.born(patient, identity, today),
            "phone": patient.phone or "", "email": patient.email or "", "marks": marks}


def pager(page: Page[Listed], total: int | None) -> None:
    """Where one is in the list, and the way on. `total`: None while a search has more than this page."""
    first = (state.page_number("patients") - 1) * PAGE + 1
    last = first + len(page.rows) - 1
    known = total if total is not None or page.more else last
    span = _("{first}–{last} of {total}") if known is not None else _("{first}–{last}")
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="pager"):
        if page.rows:
            st.caption(span.format(first=f"{first:,}", last=f"{last:,}", total=f"{known or 0:,}"), width="content")
        if state.page_number("patients") > 1:
            st.button(_("Newer"), icon=":material/chevron_left:", on_click=state.turn_back, args=("patients",))
        if page.more:
            st.button(_("Older"), icon=":material/chevron_right:", icon_position="right", on_click=state.turn_page,
                      args=("patients", page.rows[-1].id))
