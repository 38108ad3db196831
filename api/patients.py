"""Patients: listed, found, read, registered, changed, archived. Their files are api/patient_files.py's."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic.config import JsonDict

from api import conditions, cursor, once, refusals
from api.route import OneHop
from api.session import may
from lib import auth, db, patients
from lib.db import Scope
from lib.errors import Changed, Forbidden
from lib.identity import Identity
from lib.patient_form import PatientForm

router = APIRouter(prefix="/patients", tags=["patients"], route_class=OneHop)

Reader = Annotated[Identity, Depends(may("patients.read"))]
Writer = Annotated[Identity, Depends(may("patients.write"))]
Archivist = Annotated[Identity, Depends(may("patients.archive"))]
EXAMPLE: JsonDict = {"full_name": "Maria Lopez", "email": "maria@example.org", "phone": "+1 555 0100",
                     "date_of_birth": "1980-12-31"}
LISTED: JsonDict = {"id": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10", **EXAMPLE, "deceased": False, "deceased_on": None,
                    "archived_at": None}
NOTES: JsonDict = {"medical_notes": "Sees Dr. Bell for her heart.", "alerts": "Penicillin", "updated_at": "2026-03-01T09:30:00Z",
                   "changed_by": "Ann Adams"}
WHOLE: JsonDict = {**LISTED, "external_id": "4711", "created_at": "2026-03-01T09:30:00Z", "updated_at": "2026-03-01T09:30:00Z",
                   "changed_by": "Ann Adams", "merged_into": None, "erased_at": None, "notes": NOTES}


class NewPatient(PatientForm):
    """The page's own form."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class Listed(BaseModel):
    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [LISTED]})

    id: UUID
    full_name: str
    email: str | None
    phone: str | None
    date_of_birth: date | None
    deceased: bool
    deceased_on: date | None
    archived_at: AwareDatetime | None


class Notes(BaseModel):
    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [NOTES]})

    medical_notes: str
    alerts: str
    updated_at: AwareDatetime | None
    changed_by: str


class Patient(Listed):
    """`notes`: null where the role, or the scopes, have no `patients.notes`. `merged_into`: who this was a duplicate of."""

    model_config = ConfigDict(json_schema_extra={"examples": [WHOLE]})

    external_id: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    changed_by: str
    merged_into: UUID | None
    erased_at: AwareDatetime | None
    notes: Notes | None


class Patients(BaseModel):
    """`next`: the cursor of the page that follows; null at the end."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [LISTED], "next": None}]})

    data: list[Listed]
    next: str | None


class Change(BaseModel):
    """Only what changes. The rules are those of a new patient."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"phone": "+1 555 0199"}]})

    full_name: str = ""
    email: str | None = None
    phone: str | None = None
    date_of_birth: str | None = None
    deceased: bool = False
    deceased_on: str | None = None
    medical_notes: str = ""
    alerts: str = ""
    external_id: str | None = None


# reading -------------------------------------------------------------------------------------------------------------


@router.get("")
def find(identity: Reader, q: Annotated[str, Query(max_length=1000)] = "", archived: bool = False,
         after: Annotated[str | None, Query(alias="cursor", max_length=200)] = None,
         limit: Annotated[int, Query(ge=1, le=200)] = patients.PAGE) -> Patients:
    """Newest first. `q`: starts of words of the name or e-mail, or the end of a phone number."""
    with db.scope(identity) as scope:
        page = patients.find(scope, term=q, archived=archived, after=cursor.read(after), limit=limit)
    return Patients(data=[Listed.model_validate(row) for row in page.rows],
                    next=cursor.after(page))


@router.get("/{patient_id}")
def get(patient_id: UUID, identity: Reader, response: Response) -> Patient:
    with db.scope(identity) as scope:
        return _told(patients.get(scope, patient_id), response)


@router.post("/duplicates")
def likely(form: NewPatient, identity: Reader) -> list[Listed]:
    """Up to five who may be the same person as one that is not registered yet."""
    with db.scope(identity) as scope:
        return [Listed.model_validate(row) for row in patients.duplicates(scope, form)]


@router.get("/{patient_id}/duplicates")
def duplicates(patient_id: UUID, identity: Reader) -> list[Listed]:
    """Up to five who may be the same person."""
    with db.scope(identity) as scope:
        form = PatientForm.model_construct(**patients.get(scope, patient_id).values())
        return [Listed.model_validate(row) for row in patients.duplicates(scope, form, patient_id)]


# writing -------------------------------------------------------------------------------------------------------------


@router.post("", status_code=201, responses=refusals.of(409))
def register(form: NewPatient, identity: Writer, request: Request, response: Response, key: once.Key = None) -> Patient:
    with db.scope(identity) as scope:
        _refuse_notes(identity, form.model_fields_set)
        patient_id = once.make(scope, request, key, form, lambda: patients.register(scope, form))
        response.headers["Location"] = f"/api/v1/patients/{patient_id}"
        return _told(patients.read(scope, patient_id), response)


@router.patch("/{patient_id}", responses=refusals.of(409, 412, 428))
def amend(patient_id: UUID, change: Change, identity: Writer, response: Response,
          if_match: Annotated[str | None, Header(max_length=200)] = None) -> Patient:
    with db.scope(identity) as scope:
        current = patients.read(scope, patient_id)
        _refuse_notes(identity, change.model_fields_set)
        conditions.check(if_match, *current.versions)
        _amend(scope, current, change)
        return _told(patients.read(scope, patient_id), response)


def _amend(scope: Scope, current: patients.Patient, change: Change) -> None:
    form = _form(current.values() | change.model_dump(exclude_unset=True))
    try:
        patients.amend(scope, current.id, form, versions=current.versions)
    except Changed:
        raise conditions.Failed from None


@router.post("/{patient_id}/archive", responses=refusals.of(409))
def archive(patient_id: UUID, identity: Archivist, response: Response) -> Patient:
    """Out of the list, not out of the world. Once more changes nothing."""
    with db.scope(identity) as scope:
        patients.archive(scope, patient_id)
        return _told(patients.read(scope, patient_id), response)


@router.post("/{patient_id}/restore", responses=refusals.of(409))
def restore(patient_id: UUID, identity: Archivist, response: Response) -> Patient:
    with db.scope(identity) as scope:
        patients.restore(scope, patient_id)
        return _told(patients.read(scope, patient_id), response)


def _told(patient: patients.Patient, response: Response) -> Patient:
    response.headers["ETag"] = conditions.etag(*patient.versions)
    return Patient.model_validate(patient)


def _form(values: dict[str, Any]) -> PatientForm:
    """The whole patient has to be one that could be registered."""
    try:
        return PatientForm.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in error.errors()]) from None


def _refuse_notes(identity: Identity, fields: set[str]) -> None:
    """Where the form shows no such field, an API must not swallow it."""
    if fields & set(patients.NOTES) and not auth.may(identity, "patients.notes"):
        raise Forbidden
