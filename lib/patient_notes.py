"""Adding to a patient's medical notes without having read them: nothing that stands there is touched."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from lib import audit, auth
from lib.db import Scope
from lib.errors import Conflict, Invalid, NotFound
from lib.texts import _

LONGEST = 20_000  # characters, as the form has it


def append(scope: Scope, patient_id: UUID, origin: str, text: str) -> None:
    """In the name of who is asking, with the clinic's time. Adds nothing, and raises Conflict where the notes have this very text
    already (a second click), Invalid where they are full."""
    auth.require(scope.identity, "patients.notes")
    if not scope.value("select 1 from patients where clinic_id = :clinic_id and id = :id", id=patient_id):
        raise NotFound
    added = scope.run("""
        insert into patient_notes as n (clinic_id, patient_id, medical_notes, alerts)
        values (:clinic_id, :patient_id, :entry, '')
        on conflict (clinic_id, patient_id) do update
        set medical_notes = ltrim(n.medical_notes || E'\\n\\n' || excluded.medical_notes, E'\\n')
        where strpos(n.medical_notes, :text) = 0
          and length(n.medical_notes) + length(excluded.medical_notes) + 2 <= :longest
        """, patient_id=patient_id, entry=_entry(scope, origin, text), text=text.strip(), longest=LONGEST)
    if not added and _holds(scope, patient_id, text.strip()):
        raise Conflict(_("This stands in the patient's notes already. Nothing was added."))
    if not added:
        raise Invalid(_("The notes have room for {n:,} characters, and this would be more. Nothing was added.").format(n=LONGEST))
    audit.record(scope, "amend", "patient", patient_id, patient_id=patient_id, fields=["medical_notes"])


def _holds(scope: Scope, patient_id: UUID, text: str) -> bool:
    return bool(scope.value("""
        select 1
        from patient_notes
        where clinic_id = :clinic_id
          and patient_id = :patient_id
          and strpos(medical_notes, :text) > 0
        """, patient_id=patient_id, text=text))


def _entry(scope: Scope, origin: str, text: str) -> str:
    identity = scope.identity
    now = format_datetime(datetime.now(UTC), "d MMM y, HH:mm", tzinfo=ZoneInfo(identity.time_zone), locale=identity.language)
    return f"{now}, {identity.full_name} ({origin}):\n{text.strip()}"
