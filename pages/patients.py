"""The clinic's patients: search, filter, pages of fifty; add, import, export."""

import streamlit as st

from lib import auth, db, patients
from lib.identity import Identity
from lib.texts import _
from ui import download, guard, markdown, patient_table, state, widgets


@st.fragment
def browse() -> None:
    identity = guard.require("patients.read")
    term, archived = filters(identity)
    with db.scope(identity) as scope:
        page = patients.find(scope, term=term, archived=archived, after=state.cursor("patients"))
        # Only the page of a search is read: counting all it finds would take longer than finding it.
        total = None if term.strip() else patients.count(scope, archived=archived)
    if not page.rows:
        nobody(identity, term, archived)
    opened = patient_table.show(page.rows, identity, today=widgets.today(identity))
    if opened:
        st.switch_page("../pages/patient.py", query_params={"patient": str(opened)})
    patient_table.pager(page, total)


def filters(identity: Identity) -> tuple[str, bool]:
    with st.container(horizontal=True, vertical_alignment="center", key="filters"):
        term = st.text_input(_("Search"), key="patients_search", type="search", live=True, label_visibility="collapsed",
                             placeholder=_("Search name, phone or e-mail"), on_change=state.first_page, args=("patients",),
                             persist_state="session") or ""
        choice = st.segmented_control(_("Show"), ["active", "archived"], key="patients_filter", required=True, default="active",
                                      format_func={"active": _("Active"), "archived": _("Archived")}.__getitem__,
                                      label_visibility="collapsed", on_change=state.first_page, args=("patients",))
        actions(identity, term, choice == "archived")
    return term, choice == "archived"


def actions(identity: Identity, term: str, archived: bool) -> None:
    if auth.may(identity, "patients.export"):
        download.button(_("Export"), "/api/v1/patients/export", {"term": term, "archived": archived}, "patients.csv",
                        help=_("The patients of this search and filter, for a spreadsheet."))
    if auth.may(identity, "patients.import") and st.button(_("Import"), icon=":material/upload:"):
        st.switch_page("../pages/patient_import.py")
    if st.button(_("Add patient"), icon=":material/add:", type="primary", shortcut="n"):
        st.switch_page("../pages/patient_edit.py")


def nobody(identity: Identity, term: str, archived: bool) -> None:
    if term.strip():
        widgets.empty(_("No patient matches “{term}”.").format(term=markdown.escape(term.strip())), icon="person_off",
                      hint=_("Search finds the start of a name or e-mail and the end of a phone number. Archived patients "
                             "have a list of their own."))
    elif archived:
        widgets.empty(_("Nobody is archived."), hint=_("Patients you archive are kept here and can be restored."))
    elif auth.may(identity, "patients.import"):
        widgets.empty(_("No patients yet."), hint=_("Add the first one, or import a list from a file."), icon="person_add")
    else:
        widgets.empty(_("No patients yet."), hint=_("Add the first one."), icon="person_add")


guard.require("patients.read")
st.title(_("Patients"))
browse()
