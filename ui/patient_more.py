"""What is rarely done to a patient: all of it as a file, two records made one or two again, erasing. One menu, a dialog each."""

from uuid import UUID

import streamlit as st

from lib import auth, db, erasures, merges, patients
from lib.errors import AppError, NotFound
from lib.identity import Identity
from lib.merges import Merged, Preview, Side
from lib.patient_form import PatientForm
from lib.patients import Listed, Patient
from lib.texts import _
from ui import download, guard, patient_fields, state, widgets
from ui.markdown import escape


def menu(patient: Patient, identity: Identity) -> None:
    """Nothing for those who may do none of it."""
    offered = {"record": "patients.record"} if patient.erased_at else {
        "record": "patients.record", "merge": "patients.merge", "erase": "patients.erase"}
    options = [option for option, permission in offered.items() if auth.may(identity, permission)]
    if not options:
        return
    labels = {"record": _("Export everything"), "merge": _("Merge with…"), "erase": _("Erase…")}
    icons = {"record": "download", "merge": "merge", "erase": "person_remove"}
    chosen = st.menu_button(_("More"), options, key="more", icon=":material/more_horiz:",
                            format_func=lambda option: f":material/{icons[option]}: {labels[option]}")
    if chosen:
        state.look_anew()
        {"record": _export, "merge": _merge, "erase": _erase}[chosen](patient.id)


def lead_on(patient: Patient) -> None:
    """From the address of somebody who was merged to whom they are now."""
    if patient.merged_into:
        state.notify(_("{name} was merged into this patient.").format(name=patient.full_name), ":material/merge:")
        st.switch_page("../pages/patient.py", query_params={"patient": str(patient.merged_into)})


@st.dialog(_("Export everything"))
def _export(patient_id: UUID) -> None:
    identity = guard.require("patients.record")
    st.markdown(_("One archive with all that is kept about this patient: to read (record.html) and for machines "
                  "(record.json). The export is recorded."))
    if not auth.may(identity, "audit.read"):
        st.caption(_("Who looked at it is not in it: only an owner can export that."))
    download.button(_("Download"), "/api/v1/patients/record", {"patient": str(patient_id)}, "record.zip")


# two records of one person -------------------------------------------------------------------------------------------


@st.dialog(_("Merge with another patient"), width="medium")
def _merge(patient_id: UUID) -> None:
    identity = guard.require("patients.merge")
    with db.scope(identity) as scope:
        patient, former = patients.read(scope, patient_id), merges.found(scope, patient_id)
    for merged in former:
        _offer_undo(patient, merged)
    other = _choose(patient, identity)
    if other is None:
        return
    try:
        with db.scope(identity) as scope:
            seen = merges.preview(scope, patient_id, other)
    except AppError as error:
        st.error(escape(str(error)), icon=":material/info:")
        return
    wins = _decide(seen, identity)
    _agree(seen, wins)


def _choose(patient: Patient, identity: Identity) -> UUID | None:
    """Who may be the same person; after a search, whom it finds."""
    term = st.text_input(_("Find the other record"), type="search", live=True, key="merge_term",
                         placeholder=_("Name, email or end of phone number")) or ""
    with db.scope(identity) as scope:
        found = (patients.find(scope, term=term, limit=8).rows if term.strip()
                 else patients.duplicates(scope, PatientForm.model_construct(**patient.values()), patient.id))
    others = {row.id: row for row in found if row.id != patient.id}
    if not others:
        st.caption(_("No patient matches.") if term.strip() else _("Nobody looks like the same person. Search for them."))
        return None
    chosen: UUID | None = st.radio(_("The same person as"), list(others), index=None, key="merge_other",
                                   format_func=lambda one: _told_apart(others[one], identity))
    return chosen


def _told_apart(row: Listed, identity: Identity) -> str:
    born, archived = widgets.born(row, identity, widgets.today(identity)), _("archived") if row.archived_at else None
    facts = [born, row.phone, row.email, archived]
    return " · ".join([f"**{escape(row.full_name)}**", *(escape(fact) for fact in facts if fact)])


def _decide(seen: Preview, identity: Identity) -> dict[str, Side]:
    """Which value each differing field gets; where one side has none, the other's is proposed."""
    st.markdown(_("**{kept}** stays. **{merged}** becomes part of it, and their address leads here.").format(
        kept=escape(seen.kept.full_name), merged=escape(seen.merged.full_name)))
    values: dict[Side, dict[str, object]] = {"kept": seen.kept.values(), "merged": seen.merged.values()}
    sides: list[Side] = ["kept", "merged"]
    return {field: st.radio(patient_fields.labels()[field], sides, sides.index(proposed), horizontal=True,
                            key=f"wins_{seen.merged.id}_{field}",
                            format_func=lambda side, field=field: escape(patient_fields.say(values[side][field], identity)))
            for field, proposed in seen.wins.items()}


def _agree(seen: Preview, wins: dict[str, Side]) -> None:
    left = seen.values(wins)
    for field in patients.NOTES:
        if left[field] and left[field] != getattr(seen.kept.notes, field):
            st.text_area(_("{field}, of both").format(field=patient_fields.labels()[field]), left[field], disabled=True,
                         key=f"both_{field}_{seen.versions}")
    st.caption(_("Along go {messages} messages, {emergencies} emergencies and {versions} entries of the history. "
                 "It can be undone here.").format(**vars(seen.moves)))
    agreed = state.seen(f"merge {seen.merged.id}", seen.versions)
    if st.button(_("Merge"), type="primary", icon=":material/merge:", key=f"merge_{seen.merged.id}"):
        try:
            with db.scope(guard.act("patients.merge")) as scope:
                merges.merge(scope, seen.kept.id, seen.merged.id, versions=agreed, wins=wins)
        except AppError as error:
            state.look_anew()
            st.error(escape(str(error)), icon=":material/info:")
            return
        state.notify(_("{name} is part of this patient now.").format(name=seen.merged.full_name), ":material/merge:")
        st.rerun()


def _offer_undo(patient: Patient, merged: Merged) -> None:
    """What the merge changed goes back to what the history says, unless somebody has changed it since."""
    agreed = state.seen(f"unmerge {merged.merged_id}", patient.versions)
    with st.container(horizontal=True, vertical_alignment="center", key=f"merged_{merged.merged_id}"):
        st.markdown(_("**{name}** was merged into this record by {person}.").format(
            name=escape(merged.full_name), person=escape(merged.merged_by)), width="stretch")
        pressed = st.button(_("Undo the merge"), icon=":material/call_split:", key=f"unmerge_{merged.merged_id}")
    if pressed:
        try:
            with db.scope(guard.act("patients.merge")) as scope:
                merges.unmerge(scope, patient.id, merged.merged_id, versions=agreed)
        except AppError as error:
            state.look_anew()
            st.error(escape(str(error)), icon=":material/info:")
            return
        state.notify(_("{name} has a record of their own again.").format(name=merged.full_name), ":material/call_split:")
        st.rerun()


# erasing -------------------------------------------------------------------------------------------------------------


@st.dialog(_("Erase a patient"))
def _erase(patient_id: UUID) -> None:
    identity = guard.require("patients.erase")
    with db.scope(identity) as scope:
        patient = patients.read(scope, patient_id)
    if patient.erased_at:
        raise NotFound
    version = state.seen(f"erase {patient_id}", patient.version)
    st.markdown(_("Name, contact data, notes, history, and the text of every question and answer about **{name}** are removed "
                  "for good, and of whoever was merged into them. **This can't be undone.**").format(
                      name=escape(patient.full_name)))
    st.caption(_("What stays: that there was a patient, counts, costs, and the audit log, which holds no names. Backups and "
                 "archived months keep their copy until they expire."))
    reason = st.text_input(_("Reason, without a name: it is kept"), key="erase_reason", max_chars=erasures.LONGEST,
                           placeholder=_("e.g. Asked for by letter of 12 May")) or ""
    typed = st.text_input(_("Type the full name to confirm"), key="erase_name") or ""
    ready = bool(reason.strip()) and erasures.is_name(typed, patient.full_name)
    if st.button(_("Erase for good"), type="primary", icon=":material/person_remove:", key="erase_now", disabled=not ready):
        _go_through(patient_id, version, typed, reason)


def _go_through(patient_id: UUID, version: int, typed: str, reason: str) -> None:
    try:
        with db.scope(guard.act("patients.erase")) as scope:
            erasures.erase(scope, patient_id, version=version, name=typed, reason=reason)
    except AppError as error:
        state.look_anew()
        st.error(escape(str(error)), icon=":material/info:")
        return
    state.notify(_("This patient was erased."), ":material/person_remove:")
    st.rerun()
