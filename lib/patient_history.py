"""Who changed what in a patient's record, and what stood there before."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from lib import audit, auth, patients
from lib.db import Scope

MOST = 200


@dataclass(frozen=True)
class Change:
    """One saved version. `before` is None for the first, and both are empty once the patient was erased."""

    version: int
    changed_at: datetime
    changed_by: str
    fields: list[str]
    before: dict[str, Any] | None
    after: dict[str, Any]
    duplicate: bool = False
    """Of somebody who was merged into this patient."""


@dataclass(frozen=True)
class Known:
    """Under what somebody is, or once was, to be found."""

    id: UUID
    full_name: str
    date_of_birth: date | None
    phone: str | None
    email: str | None
    external_id: str | None


def known_as(scope: Scope, patient_id: UUID) -> list[Known]:
    """Every name, number and birth date that was ever saved of the patient and of whoever was merged into them. No look
    of anybody's: for masking."""
    return scope.many(Known, """
        select patient_id as id, data ->> 'full_name' as full_name, cast(data ->> 'date_of_birth' as date) as date_of_birth,
               data ->> 'phone' as phone, data ->> 'email' as email, data ->> 'external_id' as external_id
        from patient_versions
        where clinic_id = :clinic_id
          and patient_id = any(:family)
          and data <> '{}'
        group by 1, 2, 3, 4, 5, 6
        """, family=patients.family(scope, patient_id))


def read(scope: Scope, patient_id: UUID) -> list[Change]:
    """The newest 200 changes, newest first; those of notes and alerts only for roles that may read these."""
    audit.record_view(scope, "view", "history", patient_id, patient_id=patient_id)
    return scope.many(Change, """
        select v.version, v.changed_at, coalesce(m.display_name, '') as changed_by, v.fields, v.before, v.after,
               v.patient_id <> :patient_id as duplicate
        from (select clinic_id, id, patient_id, version, changed_at, changed_by, fields, data as after,
                     lag(data) over (partition by patient_id order by version) as before
              from patient_versions
              where clinic_id = :clinic_id
                and patient_id = any(:family)
              union all
              select clinic_id, id, patient_id, version, changed_at, changed_by, fields, data,
                     coalesce(lag(data) over (partition by patient_id order by version), '{"medical_notes": "", "alerts": ""}')
              from patient_note_versions
              where clinic_id = :clinic_id
                and patient_id = any(:family)
                and :notes) v
        left join memberships m on m.clinic_id = v.clinic_id and m.user_id = v.changed_by
        where v.clinic_id = :clinic_id
        order by v.changed_at desc, v.id desc
        limit :most
        """, patient_id=patient_id, family=patients.family(scope, patient_id), most=MOST,
             notes=auth.may(scope.identity, "patients.notes"))
