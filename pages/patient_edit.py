"""Add a patient, or edit one. Nothing typed is lost: not by a reload, not by a mistake, not by a colleague."""

from uuid import UUID

import streamlit as st

from lib import db, drafts, patient_form, patients
from lib.errors import AppError, Changed
from lib.identity import Identity
from lib.patient_form import PatientForm
from lib.patients import Patient
from lib.texts import _
from ui import (
    focus,
    form_draft,
    guard,
    markdown,
    patient_card,
    patient_fields,
    patient_more,
    patient_problems,
    state,
    widgets,
)
from ui.state import Editing


def save(identity: Identity, form: PatientForm, patient: Patient | None, editing: Editing) -> None:
    try:
        with db.scope(guard.act("patients.write")) as scope:
            saved = patient.id if patient else patients.register(scope, form, patient_id=editing.new_id)
            if patient:
                patients.amend(scope, patient.id, form, versions=patient.versions)
            drafts.discard(scope, editing.form, editing.tab)
    except Changed:
        st.rerun()
    except AppError as error:
        st.error(markdown.escape(str(error)), icon=":material/error:")
        return
    state.close_form()
    state.notify(" ".join([_("Saved."), *patient_form.warnings(form, identity.country)]))
    leave(saved)


def leave(to: UUID | None) -> None:
    if to:
        st.switch_page("../pages/patient.py", query_params={"patient": str(to)})
    st.switch_page("../pages/patients.py")


def buttons(identity: Identity, editing: Editing) -> bool:
    """Whether Save was pressed. It stands first, so that nothing beside it can push it away."""
    with st.container(horizontal=True, key="form_actions"):
        pressed = st.button(_("Save"), type="primary", icon=":material/check:", on_click=state.mark_asked)
        if st.button(_("Cancel")):
            leave(patient_id)
        if (editing.restored or editing.kept) and st.button(_("Discard draft"), icon=":material/delete:", type="tertiary"):
            form_draft.discard(identity, editing)
            st.rerun()
    return pressed


identity = guard.require("patients.write")
patient_id = state.patient_in_address()
with db.scope(identity) as scope:
    patient = patients.get(scope, patient_id) if patient_id else None
    if patient:
        patient_more.lead_on(patient)
    name = f"patient:{patient_id or 'new'}"
    editing = state.editing(name) or form_draft.begin(
        scope, name, patient_fields.as_typed(patient, identity), patient.versions if patient else (0, 0))
typed = state.field_values(patient_fields.names(identity))
form, errors = patient_fields.read(typed, identity)
if editing.typed:
    form_draft.keep(identity, editing, typed)

with st.container(key="in_sight_card", gap=None):
    st.title(markdown.escape(patient.full_name) if patient else _("Add patient"), anchor=False)
    if patient:
        st.html(patient_card.marks(patient, identity))
if editing.restored:
    st.info(_("Your draft of {moment} is back. It is not saved yet.").format(moment=widgets.moment(editing.restored, identity)))
patient_fields.draw(typed, errors if editing.asked else {}, identity)
if not patient:
    focus.begin("field_full_name", str(editing.new_id))
differences, doubles = patient_problems.find(identity, form, patient, editing) if editing.asked and form else ([], [])
chosen = patient_problems.compare(differences, patient, identity) if patient and differences else {}
anyway = bool(doubles) and patient_problems.doubles(doubles, identity)
pressed = buttons(identity, editing)
if editing.asked and errors:
    st.error(_("Not saved yet. Please check: {fields}.").format(
        fields=", ".join(patient_fields.labels().get(field, field) for field in errors)), icon=":material/error:")
elif None in chosen.values() and pressed:
    st.error(_("Not saved yet. Please choose which value to keep for each field."), icon=":material/error:")
elif form and (anyway if doubles else pressed and editing.asked and all(chosen.values())):
    theirs = {difference.field: difference.theirs for difference in differences if chosen[difference.field] == "theirs"}
    save(identity, form.model_copy(update=theirs), patient, editing)
