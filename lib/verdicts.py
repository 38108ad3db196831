"""What becomes of an import's rows: each is somebody new, somebody there already, a repetition, or refused with its reason."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import ValidationError

from lib import likeness, patient_form
from lib.db import Scope
from lib.intake import Row
from lib.likeness import Mark, Marked, Someone
from lib.patient_form import PatientForm
from lib.texts import _

FIELDS = ("full_name", "date_of_birth", "phone", "email", "external_id", "alerts", "medical_notes", "deceased", "deceased_on")
Kind = Literal["created", "updated", "duplicate", "rejected"]
KINDS: tuple[Kind, ...] = ("created", "updated", "duplicate", "rejected")


@dataclass(frozen=True)
class Outcome:
    line: int
    kind: Kind
    name: str
    reason: str = ""
    patient_id: UUID | None = None
    """Whom it became, or whom it repeats."""


@dataclass(frozen=True)
class Current:
    """A patient whom a row names by number, as they stand."""

    id: UUID
    external_id: str
    full_name: str
    email: str | None
    phone: str | None
    date_of_birth: date | None
    deceased: bool
    deceased_on: date | None
    medical_notes: str
    alerts: str
    merged_into: UUID | None


@dataclass(frozen=True)
class Decision:
    """What becomes of one row. `form` and `changed`: what is to be written; nothing for a duplicate or a rejected row."""

    outcome: Outcome
    form: PatientForm | None = None
    changed: Sequence[str] = ()


def label(kind: Kind) -> str:
    return {"created": _("Created"), "updated": _("Updated"), "duplicate": _("Duplicate"), "rejected": _("Rejected")}[kind]


def decide(scope: Scope, batch: list[Row], met: MutableMapping[Mark, Marked]) -> list[Decision]:
    """In the order of the file. `met`: the rows before, to which these are added."""
    people = likeness.of_rows(scope, batch)
    known = {one.external_id: one for one in _known(scope, people)}
    there: dict[Mark, Marked] = {}
    for one in likeness.find(scope, people):
        likeness.remember(there, one)
    decisions = []
    for row, someone in zip(batch, people, strict=True):
        decisions.append(_verdict(row, someone, known.get(someone.external_id or ""), met, there))
        if row.form:
            likeness.remember(met, someone)
    return decisions


def _verdict(row: Row, someone: Someone, current: Current | None, met: Mapping[Mark, Marked],
             there: Mapping[Mark, Marked]) -> Decision:
    if row.form is None:
        return reach(row, "rejected", row.problem)
    if current and current.merged_into:
        return reach(row, "duplicate", _("Merged into another patient here."), current.merged_into)
    if current and likeness.marks(someone)[0] not in met:
        return _compare(row, row.form, current)
    sharing = list(likeness.sharing(someone, met, there))
    for mark, other in sharing:
        if likeness.is_same(mark, someone, other):
            return reach(row, "duplicate", likeness.reason(mark, other), other.id)
    note = likeness.shared(*sharing[0]) if sharing else ""
    return reach(row, "created", note, form=row.form, changed=[name for name in FIELDS if getattr(row.form, name)])


def _compare(row: Row, form: PatientForm, current: Current) -> Decision:
    """An empty cell wipes nothing, and nobody comes back to life by an import."""
    values = {name: getattr(current, name) for name in FIELDS}
    changes = {name: getattr(form, name) for name in FIELDS if getattr(form, name) and getattr(form, name) != values[name]}
    if not changes:
        return reach(row, "duplicate", _("Already there, unchanged."), current.id)
    try:
        merged = PatientForm.model_validate(values | changes)
    except ValidationError as error:
        return reach(row, "rejected", " ".join(patient_form.explain(error).values()), current.id)
    names = [patient_form.label(name) for name in changes]
    reason = _("Changed: {fields}.").format(fields=", ".join(name[:1].lower() + name[1:] for name in names))
    return reach(row, "updated", reason, current.id, merged, [*changes])


def reach(row: Row, kind: Kind, reason: str = "", patient_id: UUID | None = None, form: PatientForm | None = None,
          changed: Sequence[str] = ()) -> Decision:
    name = row.form.full_name if row.form else row.name
    return Decision(Outcome(row.line, kind, name, " ".join(filter(None, [reason, row.note])), patient_id), form, changed)


def _known(scope: Scope, people: list[Someone]) -> list[Current]:
    """Locked, so that nobody's change of this second is written over."""
    return scope.many(Current, """
        select p.id, p.external_id, p.full_name, p.email, p.phone, p.date_of_birth, p.deceased, p.deceased_on,
               coalesce(n.medical_notes, '') as medical_notes, coalesce(n.alerts, '') as alerts, p.merged_into
        from patients p
        left join patient_notes n on n.clinic_id = p.clinic_id and n.patient_id = p.id
        where p.clinic_id = :clinic_id
          and p.external_id = any(:numbers)
        for update of p
        """, numbers=[one.external_id for one in people if one.external_id])
