"""Emergencies: who waits, and who answered for it."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api import cursor, refusals
from api.route import OneHop
from api.session import may
from lib import audit, db, emergencies
from lib.identity import Identity

router = APIRouter(prefix="/emergencies", tags=["emergencies"], route_class=OneHop)
Reader = Annotated[Identity, Depends(may("emergencies.read"))]


EMERGENCY: JsonDict = {
    "id": "01932c07-2c3e-7c51-b4d3-7e9f1a2c3d80", "message_id": "01932c07-2c3e-7e12-a7d1-9c8b6a5f4e30",
    "patient_id": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10", "patient_name": "Maria Lopez", "raised_by": "Bob Brown",
    "raised_at": "2026-03-01T09:30:00Z", "categories": ["airway"], "acknowledged_by": "Ann Adams",
    "acknowledged_at": "2026-03-01T09:31:00Z", "action_taken": "Called 112, patient handed over.", "false_alarm": False,
    "general": False}


class Emergency(BaseModel):
    """`general`: who asked stated that no patient is in danger now."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [EMERGENCY]})

    id: UUID
    message_id: UUID
    patient_id: UUID | None
    patient_name: str | None
    raised_by: str
    raised_at: AwareDatetime
    categories: list[str]
    acknowledged_by: str | None
    acknowledged_at: AwareDatetime | None
    action_taken: str
    false_alarm: bool
    general: bool


class Emergencies(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [EMERGENCY], "next": None}]})

    data: list[Emergency]
    next: str | None


class Acknowledgement(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{
        "action_taken": "Called 112, patient handed over.", "false_alarm": False}]})

    action_taken: Annotated[str, Field(max_length=4000)] = ""
    false_alarm: bool = False


@router.get("")
def find(identity: Reader, state: Literal["waiting", "answered"] = "waiting",
         after: Annotated[str | None, Query(alias="cursor", max_length=200)] = None,
         limit: Annotated[int, Query(ge=1, le=100)] = 50) -> Emergencies:
    """Those that wait, the longest waiting first; those that were answered for, the newest first."""
    last = cursor.read(after)
    with db.scope(identity) as scope:
        audit.record_view(scope, "list", "emergencies")
        page = (emergencies.waiting(scope, after=last, limit=limit) if state == "waiting"
                else emergencies.answered(scope, before=last, limit=limit))
    return Emergencies(data=[Emergency.model_validate(row) for row in page.rows], next=cursor.after(page))


@router.post("/{emergency_id}/acknowledge", responses=refusals.of(409))
def acknowledge(emergency_id: UUID, done: Acknowledgement, identity: Reader) -> Emergency:
    """409 names who was first."""
    with db.scope(identity) as scope:
        emergencies.acknowledge(scope, emergency_id, action_taken=done.action_taken, false_alarm=done.false_alarm)
        return Emergency.model_validate(emergencies.get(scope, emergency_id))
