"""One patient: who they are, what to mind, what was written, who changed it."""

import streamlit as st

from lib import archived_months, auth, db, patient_history, patients
from lib.errors import NotFound
from lib.identity import Identity
from lib.patients import Patient
from lib.texts import _
from ui import guard, markdown, menu, patient_card, patient_more, state, widgets


def banner(patient: Patient, identity: Identity) -> None:
    """An archived patient says so, and how to get them back; an erased one says that too."""
    if patient.erased_at:
        erased = widgets.moment(patient.erased_at, identity)
        st.info(_("Erased on {day}. What stands here is all that is left.").format(day=erased), icon=":material/person_remove:")
    if patient.archived_at is None or patient.erased_at:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="archived_banner"):
        st.markdown(_(":material/inventory_2: Archived on {day}. Not in the list of active patients.").format(
            day=widgets.moment(patient.archived_at, identity)), width="stretch")
        label = _("Undo") if state.undoing(patient.id) else _("Restore")
        if auth.may(identity, "patients.archive") and st.button(label, icon=":material/undo:", key="restore"):
            with db.scope(guard.act("patients.archive")) as scope:
                patients.restore(scope, patient.id)
            state.take_undo()
            state.notify(_("{name} is back in the list.").format(name=patient.full_name))
            st.rerun()


def actions(patient: Patient, identity: Identity) -> None:
    address = {"patient": str(patient.id)}
    with st.container(horizontal=True, key="actions"):
        if patient.erased_at:
            patient_more.menu(patient, identity)
            return
        if st.button(_("Edit"), icon=":material/edit:", type="primary", shortcut="e"):
            st.switch_page("../pages/patient_edit.py", query_params=address)
        if auth.may(identity, "chat.patient") and st.button(_("Ask the assistant"), icon=":material/forum:"):
            st.switch_page("../pages/chat.py", query_params=address)
        if (patient.archived_at is None and auth.may(identity, "patients.archive")
                and st.button(_("Archive"), icon=":material/inventory_2:")):
            with db.scope(guard.act("patients.archive")) as scope:
                patients.archive(scope, patient.id)
            state.set_undo(patient.id)
            state.notify(_("{name} is archived. Undo brings them back.").format(name=patient.full_name), ":material/inventory_2:")
            st.rerun()
        patient_more.menu(patient, identity)


def history(patient: Patient, identity: Identity) -> None:
    drawer = st.expander(_("History"), icon=":material/history:", on_change="rerun", key=f"history_{patient.id}")
    if drawer.open:
        with db.scope(identity) as scope:
            changes = patient_history.read(scope, patient.id)
        drawer.html(patient_card.history(changes, identity))


identity = guard.require("patients.read")
patient_id = state.patient_in_address()
if patient_id is None:
    raise NotFound
with db.scope(identity) as scope:
    patient = patients.get(scope, patient_id)
    away = archived_months.of_thread(scope, patient_id) if auth.may(identity, "chat.patient") else []
patient_more.lead_on(patient)
st.page_link(menu.page("patients"), label=_("Patients"), icon=":material/arrow_back:")
with st.container(key="in_sight_card", gap=None):
    st.title(markdown.escape(patient.full_name), anchor=False)
    st.html(patient_card.marks(patient, identity))
banner(patient, identity)
actions(patient, identity)
if patient.notes is None:
    st.html(patient_card.contact(patient, identity))
else:
    left, right = st.columns(2, gap="large")
    left.html(patient_card.contact(patient, identity))
    right.html(patient_card.notes(patient.notes))
st.caption(patient_card.changed(patient, identity))
if away:
    st.caption(archived_months.messages_missing(away, identity))
history(patient, identity)
