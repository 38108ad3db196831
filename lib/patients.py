"""The people a clinic cares for: found, read, registered, amended, archived. History and export have modules of their own."""

import secrets
import time
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import phonenumbers

from lib import audit, auth, search_words
from lib.db import Page, Scope
from lib.errors import Changed
from lib.patient_form import PatientForm

PAGE = 50
CONTACT = ("full_name", "email", "phone", "date_of_birth", "deceased", "deceased_on", "external_id")
NOTES = ("medical_notes", "alerts")
TOLD_BY = ("full_name", "date_of_birth", "phone", "email")  # what `duplicates` compares
Chosen = Literal["yours", "theirs"]


@dataclass(frozen=True)
class Listed:
    """A patient as a list shows one: nothing medical."""

    id: UUID
    full_name: str
    email: str | None
    phone: str | None
    date_of_birth: date | None
    deceased: bool
    deceased_on: date | None
    archived_at: datetime | None


@dataclass(frozen=True)
class Notes:
    """What only those who treat patients may read. Version 0: nothing was ever written."""

    medical_notes: str = ""
    alerts: str = ""
    version: int = 0
    updated_at: datetime | None = None
    changed_by: str = ""


@dataclass(frozen=True)
class Patient(Listed):
    external_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    changed_by: str
    merged_into: UUID | None = None
    erased_at: datetime | None = None
    notes: Notes | None = None
    """None: the role may not read them."""

    @property
    def versions(self) -> tuple[int, int]:
        """Of the patient and of the notes: what an editor has seen, so that nobody overwrites what they have not."""
        return self.version, self.notes.version if self.notes else 0

    def values(self) -> dict[str, Any]:
        """The fields of a PatientForm, as they stand."""
        notes = {field: getattr(self.notes, field) for field in NOTES} if self.notes else {}
        return {field: getattr(self, field) for field in CONTACT} | notes


@dataclass(frozen=True)
class Difference:
    """One field that two people left differently."""

    field: str
    before: Any
    yours: Any
    theirs: Any

    @property
    def proposed(self) -> Chosen | None:
        """The only value somebody changed; None when both did, and a person has to choose."""
        if self.yours == self.before:
            return "theirs"
        return "yours" if self.theirs == self.before else None


# finding and reading -------------------------------------------------------------------------------------------------


def find(scope: Scope, *, term: str = "", archived: bool = False, after: UUID | None = None, limit: int = PAGE) -> Page[Listed]:
    """Newest first. `term`: starts of words of the name or e-mail, or the end of a phone number. `after`: the last id seen."""
    audit.record_view(scope, "search" if term.strip() else "list", "patients", "archived" if archived else "", term=term)
    return scope.page(Listed, """
        select id, full_name, email, phone, date_of_birth, deceased, deceased_on, archived_at
        from patients
        where clinic_id = :clinic_id
          and (archived_at is not null) = cast(:archived as boolean)
          and merged_into is null
          and erased_at is null
          and (:query = '' or search @@ cast(:query as tsquery))
          and (cast(:after as uuid) is null or id < cast(:after as uuid))
        order by id desc
        limit :limit + 1
        """, query=_query(scope, term), archived=archived, after=after, limit=limit)


def count(scope: Scope, *, term: str = "", archived: bool = False) -> int:
    return int(scope.value("""
        select count(*)
        from patients
        where clinic_id = :clinic_id
          and (archived_at is not null) = cast(:archived as boolean)
          and merged_into is null
          and erased_at is null
          and (:query = '' or search @@ cast(:query as tsquery))
        """, query=_query(scope, term), archived=archived))


def get(scope: Scope, patient_id: UUID) -> Patient:
    audit.record_view(scope, "view", "patient", patient_id, patient_id=patient_id)
    return read(scope, patient_id)


def read(scope: Scope, patient_id: UUID) -> Patient:
    """`get` without its row in the audit log: for the middle of an act that writes its own."""
    patient = scope.one(Patient, """
        select p.id, p.external_id, p.full_name, p.email, p.phone, p.date_of_birth, p.deceased, p.deceased_on, p.version,
               p.archived_at, p.created_at, p.updated_at, coalesce(m.display_name, '') as changed_by, p.merged_into, p.erased_at
        from patients p
        left join memberships m on m.clinic_id = p.clinic_id and m.user_id = p.changed_by
        where p.clinic_id = :clinic_id
          and p.id = :id
        """, id=patient_id)
    return replace(patient, notes=_notes(scope, patient_id)) if _may_read_notes(scope) else patient


def family(scope: Scope, patient_id: UUID) -> list[UUID]:
    """The patient, and whoever was merged into them."""
    merged: list[UUID] = scope.value("""
        select array_agg(f.id)
        from app.merged_family(:id) as f (id)
        where f.id <> :id
        """, id=patient_id) or []
    return [patient_id, *merged]


def _notes(scope: Scope, patient_id: UUID) -> Notes:
    return scope.first(Notes, """
        select n.medical_notes, n.alerts, n.version, n.updated_at, coalesce(m.display_name, '') as changed_by
        from patient_notes n
        left join memberships m on m.clinic_id = n.clinic_id and m.user_id = n.changed_by
        where n.clinic_id = :clinic_id
          and n.patient_id = :id
        """, id=patient_id) or Notes()


def duplicates(scope: Scope, form: PatientForm, except_id: UUID | None = None) -> list[Listed]:
    """Up to five who may be the same person: same name and birth date, or same phone, or same e-mail. Archived ones too."""
    return scope.many(Listed, """
        select id, full_name, email, phone, date_of_birth, deceased, deceased_on, archived_at
        from patients
        where clinic_id = :clinic_id
          and (name_key = :name_key and date_of_birth = cast(:date_of_birth as date)
               or phone_key = cast(:phone_key as text)
               or email_norm = app.fold_email(cast(:email as text)))
          and id is distinct from cast(:except_id as uuid)
          and merged_into is null
        order by id desc
        limit 5
        """, name_key=name_key(form.full_name), phone_key=phone_key(form.phone, scope.identity.country), email=form.email,
             date_of_birth=form.date_of_birth, except_id=except_id)


# writing -------------------------------------------------------------------------------------------------------------


def register(scope: Scope, form: PatientForm, *, patient_id: UUID | None = None) -> UUID:
    """The new patient's id. With `patient_id` (from `new_id`) a second call with the same one adds nobody."""
    auth.require(scope.identity, "patients.write")
    patient_id = patient_id or new_id()
    added = scope.run("""
        insert into patients (clinic_id, id, user_id, changed_by, external_id, full_name, email, phone, date_of_birth, deceased,
                              deceased_on, name_key, phone_key, search)
        values (:clinic_id, :id, :user_id, :user_id, :external_id, :full_name, :email, :phone, :date_of_birth, :deceased,
                :deceased_on, :name_key, :phone_key, array_to_tsvector(cast(:search_words as text[])))
        on conflict (clinic_id, id) do nothing
        """, id=patient_id, user_id=scope.identity.user_id, **contact(form), **keys(form, scope.identity.country))
    if added:
        notes = _may_read_notes(scope) and bool(form.medical_notes or form.alerts)
        if notes:
            _write_notes(scope, patient_id, form, 0)
        audit.record(scope, "register", "patient", patient_id, patient_id=patient_id,
                     fields=[field for field in (*CONTACT, *(NOTES if notes else ())) if getattr(form, field)])
    return patient_id


def amend(scope: Scope, patient_id: UUID, form: PatientForm, *, versions: tuple[int, int]) -> list[str]:
    """The fields that changed. `versions`: those the editor has seen. Raises Changed, with both values, if they are older."""
    auth.require(scope.identity, "patients.write")
    current = read(scope, patient_id)
    before = current.values()
    changed = [field for field in before if getattr(form, field) != before[field]]
    if current.versions != versions and changed:
        raise Changed(differences=differences(scope, current, form, versions))
    if not write(scope, current, form, changed):  # somebody saved within this millisecond
        raise Changed(differences=differences(scope, read(scope, patient_id), form, versions))
    if changed:
        audit.record(scope, "amend", "patient", patient_id, patient_id=patient_id, fields=changed)
    return changed


def differences(scope: Scope, current: Patient, form: PatientForm, versions: tuple[int, int]) -> list[Difference]:
    """What an editor who began with `versions` would overwrite now; empty when nobody else saved."""
    if current.versions == versions:
        return []
    before, theirs = as_of(scope, current.id, versions), current.values()
    return [Difference(field, before.get(field), getattr(form, field), theirs[field])
            for field in theirs if getattr(form, field) != theirs[field]]


def archive(scope: Scope, patient_id: UUID) -> None:
    """Out of the list, not out of the world: `restore` brings it back."""
    auth.require(scope.identity, "patients.archive")
    read(scope, patient_id)
    if scope.run("""
            update patients
            set archived_at = transaction_timestamp()
            where clinic_id = :clinic_id
              and id = :id
              and archived_at is null
            """, id=patient_id):
        audit.record(scope, "archive", "patient", patient_id, patient_id=patient_id, fields=["archived_at"])


def restore(scope: Scope, patient_id: UUID) -> None:
    auth.require(scope.identity, "patients.archive")
    read(scope, patient_id)
    if scope.run("""
            update patients
            set archived_at = null
            where clinic_id = :clinic_id
              and id = :id
              and archived_at is not null
            """, id=patient_id):
        audit.record(scope, "restore", "patient", patient_id, patient_id=patient_id, fields=["archived_at"])


def write(scope: Scope, current: Patient, form: PatientForm, changed: list[str]) -> bool:
    """Only what changed: a receptionist's hand never reaches the notes, and no history row tells of nothing."""
    contact_stands = set(changed).isdisjoint(CONTACT) or _write_contact(scope, current.id, form, current.version)
    notes_stand = set(changed).isdisjoint(NOTES) or _write_notes(scope, current.id, form, current.versions[1])
    return bool(contact_stands and notes_stand)


def _write_contact(scope: Scope, patient_id: UUID, form: PatientForm, version: int) -> int:
    return scope.run("""
        update patients
        set external_id = :external_id, full_name = :full_name, email = :email, phone = :phone,
            date_of_birth = :date_of_birth, deceased = :deceased, deceased_on = :deceased_on,
            name_key = :name_key, phone_key = :phone_key, search = array_to_tsvector(cast(:search_words as text[]))
        where clinic_id = :clinic_id
          and id = :id
          and version = :version
        """, id=patient_id, version=version, **contact(form), **keys(form, scope.identity.country))


def _write_notes(scope: Scope, patient_id: UUID, form: PatientForm, version: int) -> int:
    """Version 0 means that there is no row yet; if there is one by now, nothing is written."""
    return scope.run("""
        insert into patient_notes as n (clinic_id, patient_id, medical_notes, alerts, changed_by)
        values (:clinic_id, :id, :medical_notes, :alerts, :user_id)
        on conflict (clinic_id, patient_id) do update
        set medical_notes = excluded.medical_notes, alerts = excluded.alerts
        where n.version = :version
        """, id=patient_id, version=version, medical_notes=form.medical_notes, alerts=form.alerts,
             user_id=scope.identity.user_id)


def as_of(scope: Scope, patient_id: UUID, versions: tuple[int, int]) -> dict[str, Any]:
    """What the editor saw when they began, in the types of a PatientForm."""
    data: dict[str, Any] = scope.value("""
        select coalesce((select data from patient_versions
                         where clinic_id = :clinic_id and patient_id = :id and version = :version), '{}')
            || coalesce((select data from patient_note_versions
                         where clinic_id = :clinic_id and patient_id = :id and version = :notes_version), '{}')
        """, id=patient_id, version=versions[0], notes_version=versions[1])
    days = {field: date.fromisoformat(data[field]) for field in ("date_of_birth", "deceased_on") if data.get(field)}
    return dict.fromkeys(NOTES, "") | data | days


def _may_read_notes(scope: Scope) -> bool:
    return auth.may(scope.identity, "patients.notes")


# what is stored beside the fields, so that a person is found again ----------------------------------------------------


def contact(form: PatientForm) -> dict[str, Any]:
    return {field: getattr(form, field) for field in CONTACT}


def keys(form: PatientForm, country: str) -> dict[str, Any]:
    """The columns that finding and comparing need; whoever writes a patient writes them too."""
    return {"name_key": name_key(form.full_name), "phone_key": phone_key(form.phone, country),
            "search_words": search_words.words(form.full_name, form.email, form.phone, country)}


def name_key(full_name: str) -> str:
    return " ".join(search_words.fold(full_name).split())


def phone_key(phone: str | None, country: str) -> str | None:
    """The last nine digits, without country and trunk prefix where they can be told; None below six digits."""
    try:
        digits = phonenumbers.national_significant_number(phonenumbers.parse(phone or "", country))
    except phonenumbers.NumberParseException:
        digits = "".join(filter(str.isdecimal, phone or ""))
    return digits[-9:] if len(digits) >= 6 else None


def new_id() -> UUID:
    """A uuid of version 7, as PostgreSQL makes them, for what is registered once however often Save is pressed. Its first twelve
    random bits are the part of the millisecond: of two in one, the later is the greater."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    return UUID(int=milliseconds << 80 | 7 << 76 | (rest * 4096 // 1_000_000) << 64 | 2 << 62 | secrets.randbits(62))


def _query(scope: Scope, term: str) -> str:
    return search_words.query(term, scope.identity.country)
