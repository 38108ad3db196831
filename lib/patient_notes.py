"""Adding to a patient's medical notes without having read them: nothing that stands there is touched."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from lib import audit, auth
from lib.db import Scope
from lib.errors import Invalid, NotFound
from lib.texts import _

LONGEST = 20_000  # characters, as the form has it


def append(scope: Scope, patient_id: UUID, origin: str, text: str) -> None:
    """In the name of who is asking, with the clinic's time. Raises Invalid, and adds nothing, where the notes are full."""
    auth.require(scope.identity, "patients.notes")
    if not scope.value("select 1 from patients where clinic_id = :clinic_id and id = :id", id=patient_id):
        raise NotFound
    added = scope.run("""
        insert into patient_notes as n (clinic_id, patient_id, medical_notes, alerts)
        values (:clinic_id, :patient_id, :entry, '')
        on conflict (clinic_id, patient_id) do update
        set medical_notes = ltrim(n.medical_notes || E'\\n\\n' || excluded.medical_notes, E'\\n')
        where length(n.medical_notes) + length(excluded.medical_notes) + 2 <= :longest
        """, patient_id=patient_id, entry=_entry(scope, origin, text), longest=LONGEST)
    if not added:
        raise Invalid(_("The notes have room for {n:,} characters, and this would be more. Nothing was added.").format(n=LONGEST))
    audit.record(scope, "amend", "patient", patient_id, patient_id=patient_id, fields=["medical_notes"])


def _entry(scope: Scope, origin: str, text: str) -> str:
    identity = scope.identity
    now = format_datetime(datetime.now(UTC), "d MMM y, HH:mm", tzinfo=ZoneInfo(identity.time_zone), locale=identity.language)
    return f"{now}, {identity.full_name} ({origin}):\n{text.strip()}"
