"""What stands between a form and its saving: a colleague's newer version, or somebody who may be the same person."""

from html import escape

import streamlit as st

from lib import db, patients
from lib.identity import Identity
from lib.patient_form import PatientForm
from lib.patients import Chosen, Difference, Listed, Patient
from lib.texts import _
from ui import markdown, patient_fields, widgets
from ui.state import Editing


def find(identity: Identity, form: PatientForm, patient: Patient | None,
         editing: Editing) -> tuple[list[Difference], list[Listed]]:
    """What a colleague saved since, and who may be the same person: asked where an edit touches what tells people apart."""
    told_apart = patient is None or any(getattr(form, field) != getattr(patient, field) for field in patients.TOLD_BY)
    with db.scope(identity) as scope:
        differences = patients.differences(scope, patient, form, editing.versions) if patient else []
        return differences, patients.duplicates(scope, form, patient.id if patient else editing.new_id) if told_apart else []


def compare(differences: list[Difference], patient: Patient, identity: Identity) -> dict[str, Chosen | None]:
    """Both values of every field side by side; which one the person keeps, None while they have not chosen."""
    st.warning(_("{name} saved this patient in the meantime. Nothing of yours was lost: choose what to keep, then save again.")
               .format(name=markdown.escape(patient.changed_by)), icon=":material/compare_arrows:")
    return {difference.field: _choose(difference, patient, identity) for difference in differences}


def _choose(difference: Difference, patient: Patient, identity: Identity) -> Chosen | None:
    label = patient_fields.labels()[difference.field]
    with st.container(border=True, key=f"difference_{difference.field}"):
        for side, title, value in zip(st.columns(2), (_("Yours"), _("Saved meanwhile")), (difference.yours, difference.theirs),
                                      strict=True):
            side.html(f"<h3 class='label'>{label} · {title}</h3><div class='notes'>"
                      f"{escape(patient_fields.say(value, identity))}</div>")
        options: list[Chosen] = ["yours", "theirs"]
        return st.radio(_("Keep for “{field}”").format(field=label), options, horizontal=True,
                        format_func={"yours": _("Mine"), "theirs": _("The saved one")}.__getitem__,
                        index=options.index(difference.proposed) if difference.proposed else None,
                        key=f"keep_{difference.field}_{patient.versions}")


def doubles(found: list[Listed], identity: Identity) -> bool:
    """Whoever may be the same person, each a link; True when the form shall be saved all the same."""
    with st.container(border=True, key="doubles"):
        st.markdown(_(":material/group: **This may be somebody you already have:**"))
        for patient in found:
            facts = [widgets.born(patient, identity, widgets.today(identity)), patient.phone, patient.email,
                     _("archived") if patient.archived_at else None]
            st.markdown(f"[{markdown.escape(patient.full_name)}](/patient?patient={patient.id})")
            st.text(" · ".join(fact for fact in facts if fact))
        return st.button(_("Save anyway"), key="save_anyway")
