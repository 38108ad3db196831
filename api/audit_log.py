"""The audit log, row by row."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.config import JsonDict

from api import cursor
from api.audit import Filter
from api.route import OneHop
from api.session import may
from lib import audit_trail, db
from lib.identity import Identity

router = APIRouter(prefix="/audit", tags=["audit"], route_class=OneHop)


class Wanted(Filter):
    cursor: Annotated[str | None, Query(max_length=200)] = None


ENTRY: JsonDict = {
    "id": "01932c07-2c3e-7c40-9e11-6d2f8a3b5c70", "happened_at": "2026-03-01T09:30:00Z",
    "user_id": "01932c07-2c3e-7d02-8b6a-5f1e3c9a4b21", "person": "Ann Adams", "action": "amend", "resource": "patient",
    "resource_id": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10", "patient_id": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10",
    "patient": "Maria Lopez", "fields": ["phone"], "row_count": None, "address": "203.0.113.7",
    "request_id": "6f2d0c1b9a8e7f35", "about": ""}


class Entry(BaseModel):
    """`fields`: names of what changed, never values. `about`: the colleague whose membership or credentials it touched."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [ENTRY]})

    id: UUID
    happened_at: AwareDatetime
    user_id: UUID
    person: str
    action: str
    resource: str
    resource_id: str
    patient_id: UUID | None
    patient: str | None
    fields: list[str]
    row_count: int | None
    address: str
    request_id: str
    about: str


class Entries(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [ENTRY], "next": None}]})

    data: list[Entry]
    next: str | None


@router.get("")
def find(wanted: Annotated[Wanted, Query()], identity: Annotated[Identity, Depends(may("audit.read"))]) -> Entries:
    """Newest first. This look stands in it too."""
    chosen = audit_trail.Filter(**wanted.model_dump(exclude={"cursor"}))
    with db.scope(identity) as scope:
        page = audit_trail.find(scope, chosen, before=cursor.read(wanted.cursor))
    return Entries(data=[Entry.model_validate(row) for row in page.rows], next=cursor.after(page))
