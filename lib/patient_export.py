"""The patients of a filter as a file for a spreadsheet."""

from dataclasses import astuple, dataclass
from datetime import date
from uuid import UUID

from lib import audit, auth, csv_file, replica, search_words
from lib.db import Scope
from lib.texts import _


@dataclass(frozen=True)
class Line:
    external_id: str | None
    full_name: str
    email: str | None
    phone: str | None
    date_of_birth: date | None
    deceased: bool
    deceased_on: date | None
    id: UUID


@dataclass(frozen=True)
class Note:
    patient_id: UUID
    alerts: str
    medical_notes: str


def export(scope: Scope, *, term: str = "", archived: bool = False) -> str:
    """CSV with a heading, newest patient first; notes and alerts only for roles that may read them."""
    auth.require(scope.identity, "patients.export")
    query = search_words.query(term, scope.identity.country)
    with_notes = auth.may(scope.identity, "patients.notes")
    with replica.reading(scope, up_to_now=True) as copy:
        lines = _lines(copy, query, archived)
        found = _notes(copy, query, archived) if with_notes else []
    heading = [_("Record number"), _("Full name"), _("Email"), _("Phone"), _("Date of birth"), _("Deceased"), _("Date of death")]
    rows = [[*astuple(line)[:5], _("yes") if line.deceased else "", line.deceased_on] for line in lines]
    if with_notes:
        notes = {note.patient_id: [note.alerts, note.medical_notes] for note in found}
        heading += [_("Alerts"), _("Medical notes")]
        rows = [row + notes.get(line.id, ["", ""]) for row, line in zip(rows, lines, strict=True)]
    audit.record(scope, "export", "patients", "archived" if archived else "", row_count=len(rows))
    return csv_file.write([heading, *rows])


def _lines(scope: Scope, query: str, archived: bool) -> list[Line]:
    return scope.many(Line, """
        select external_id, full_name, email, phone, date_of_birth, deceased, deceased_on, id
        from patients
        where clinic_id = :clinic_id
          and (archived_at is not null) = cast(:archived as boolean)
          and merged_into is null
          and erased_at is null
          and (:query = '' or search @@ cast(:query as tsquery))
        order by id desc
        """, query=query, archived=archived)


def _notes(scope: Scope, query: str, archived: bool) -> list[Note]:
    return scope.many(Note, """
        select n.patient_id, n.alerts, n.medical_notes
        from patient_notes n
        join patients p on p.clinic_id = n.clinic_id and p.id = n.patient_id
        where n.clinic_id = :clinic_id
          and (p.archived_at is not null) = cast(:archived as boolean)
          and p.merged_into is null
          and p.erased_at is null
          and (:query = '' or p.search @@ cast(:query as tsquery))
        """, query=query, archived=archived)
