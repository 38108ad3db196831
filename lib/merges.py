"""Two records of one person become one, and can become two again: what each field would be is seen before it is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from lib import audit, auth, patients
from lib.db import Scope
from lib.errors import Changed, Conflict, Gone, Invalid
from lib.patient_form import PatientForm
from lib.patients import CONTACT, NOTES, Patient
from lib.texts import _

Side = Literal["kept", "merged"]
LONGEST = {"medical_notes": 20_000, "alerts": 2_000}


@dataclass(frozen=True)
class Moves:
    """What goes along."""

    messages: int
    emergencies: int
    versions: int


@dataclass(frozen=True)
class Preview:
    """`kept` stays, `merged` goes. `wins`: whose value each differing field would get; notes and alerts are put together."""

    kept: Patient
    merged: Patient
    wins: dict[str, Side]
    moves: Moves

    @property
    def versions(self) -> tuple[int, int, int, int]:
        """Of what somebody has seen here, so that they merge nothing else."""
        return (*self.kept.versions, *self.merged.versions)

    def values(self, wins: Mapping[str, Side]) -> dict[str, Any]:
        """The fields of the patient that would be left."""
        kept, merged = self.kept.values(), self.merged.values()
        chosen = {field: merged[field] if wins.get(field) == "merged" else kept[field] for field in CONTACT}
        return chosen | {field: _together(kept[field], merged[field]) for field in NOTES}


@dataclass(frozen=True)
class Merged:
    """Somebody who was merged into this patient, and by whom."""

    merged_id: UUID
    full_name: str
    merged_by: str
    messages: int


def preview(scope: Scope, kept_id: UUID, merged_id: UUID) -> Preview:
    """Where one side knows nothing the other wins; else who stays does."""
    auth.require(scope.identity, "patients.merge")
    kept, merged = patients.read(scope, kept_id), patients.read(scope, merged_id)
    if kept.id == merged.id:
        raise Invalid(_("That is the same patient. Choose another one."))
    if any(one.merged_into or one.erased_at for one in (kept, merged)):
        raise Gone
    ours, theirs = kept.values(), merged.values()
    wins: dict[str, Side] = {field: "kept" if ours[field] else "merged" for field in CONTACT if ours[field] != theirs[field]}
    return Preview(kept, merged, wins, _moves(scope, merged.id))


def merge(scope: Scope, kept_id: UUID, merged_id: UUID, *, versions: tuple[int, int, int, int], wins: Mapping[str, Side]) -> None:
    """`versions`, `wins`: of the preview that somebody agreed to. Raises Changed where either record is another by now."""
    _hold(scope, kept_id, merged_id)
    seen = preview(scope, kept_id, merged_id)
    if seen.versions != versions:
        raise Changed(_("Somebody changed one of the two in the meantime. Look again before you merge. Nothing was merged."))
    before, values = seen.kept, seen.values(wins)
    if any(len(values[field]) > most for field, most in LONGEST.items()):
        raise Invalid(_("The notes of both are too long for one record. Shorten them first. Nothing was merged."))
    if wins.get("external_id") == "merged":
        _give_up_number(scope, seen.merged)
    changed = _rewrite(scope, before, values)
    after = patients.read(scope, kept_id)
    scope.run("select app.merge_patients(:kept, :merged, :versions, :notes_versions, :merged_version)",
              kept=kept_id, merged=merged_id, versions=[before.version, after.version],
              notes_versions=[before.versions[1], after.versions[1]], merged_version=seen.merged.version)
    audit.record(scope, "merge", "patient", merged_id, patient_id=kept_id, fields=changed, row_count=seen.moves.messages)
    audit.record(scope, "merge", "patient", kept_id, patient_id=merged_id)


def found(scope: Scope, kept_id: UUID) -> list[Merged]:
    """Who was merged into this patient and could be told apart again, the latest first."""
    return scope.many(Merged, """
        select m.merged_id, p.full_name, coalesce(w.display_name, '') as merged_by, cardinality(m.messages) as messages
        from merges m
        join patients p on p.clinic_id = m.clinic_id and p.id = m.merged_id
        left join memberships w on w.clinic_id = m.clinic_id and w.user_id = m.merged_by
        where m.clinic_id = :clinic_id
          and m.kept_id = :kept_id
          and m.undone_at is null
        order by m.id desc
        """, kept_id=kept_id)


def unmerge(scope: Scope, kept_id: UUID, merged_id: UUID, *, versions: tuple[int, int]) -> list[str]:
    """Two patients again: each field that the merge changed becomes what the history says it was, unless somebody has changed it
    since. Returns the fields that went back. `versions`: of the surviving patient, as somebody has seen them."""
    auth.require(scope.identity, "patients.merge")
    _hold(scope, kept_id, merged_id)
    kept = patients.read(scope, kept_id)
    if kept.versions != versions:
        raise Changed(_("Somebody changed this patient in the meantime. Look again before you undo it. Nothing was undone."))
    was = scope.first(_Was, """
        select kept_versions, notes_versions
        from merges
        where clinic_id = :clinic_id
          and kept_id = :kept_id
          and merged_id = :merged_id
          and undone_at is null
        """, kept_id=kept_id, merged_id=merged_id)
    if was is None:
        raise Conflict(_("This merge was undone already."))
    changed = _rewrite(scope, kept, _as_before(scope, kept, was))
    moved = scope.value("select app.unmerge_patient(:merged)", merged=merged_id)
    audit.record(scope, "unmerge", "patient", merged_id, patient_id=kept_id, fields=changed, row_count=moved)
    audit.record(scope, "unmerge", "patient", kept_id, patient_id=merged_id)
    return changed


@dataclass(frozen=True)
class _Was:
    kept_versions: list[int]
    notes_versions: list[int]


def _as_before(scope: Scope, kept: Patient, was: _Was) -> dict[str, Any]:
    before = patients.as_of(scope, kept.id, (was.kept_versions[0], was.notes_versions[0]))
    after = patients.as_of(scope, kept.id, (was.kept_versions[1], was.notes_versions[1]))
    return {field: before.get(field) if value == after.get(field) else value for field, value in kept.values().items()}


def _rewrite(scope: Scope, patient: Patient, values: dict[str, Any]) -> list[str]:
    """The fields that changed."""
    before = patient.values()
    changed = [field for field in before if values[field] != before[field]]
    form = PatientForm.model_construct(**values)
    if not patients.write(scope, patient, form, changed):
        raise Changed(_("Somebody changed this patient in the meantime. Look again. Nothing was changed."))
    return changed


def _hold(scope: Scope, *ids: UUID) -> None:
    """Whoever else wants to write these two waits, and then sees what was done."""
    scope.run("select 1 from patients where clinic_id = :clinic_id and id = any(:ids) order by id for update", ids=list(ids))


def _give_up_number(scope: Scope, merged: Patient) -> None:
    """No two patients have one record number; `unmerge` gives it back."""
    scope.run("update patients set external_id = null where clinic_id = :clinic_id and id = :id", id=merged.id)


def _together(kept: str, merged: str) -> str:
    """Both texts, each once."""
    if not merged or merged in kept:
        return kept
    return f"{kept}\n\n{merged}" if kept and kept not in merged else merged


def _moves(scope: Scope, merged_id: UUID) -> Moves:
    return scope.one(Moves, """
        select (select count(*) from chat_messages where clinic_id = :clinic_id and patient_id = :id) as messages,
               (select count(*) from emergencies where clinic_id = :clinic_id and patient_id = :id) as emergencies,
               (select count(*) from patient_versions where clinic_id = :clinic_id and patient_id = :id)
               + (select count(*) from patient_note_versions where clinic_id = :clinic_id and patient_id = :id) as versions
        """, id=merged_id)
