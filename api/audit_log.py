"""The audit log, row by row."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict

from api import cursor
from api.audit import Filter
from api.route import OneHop
from api.session import may
from lib import audit_trail, db
from lib.identity import Identity

router = APIRouter(prefix="/audit", tags=["audit"], route_class=OneHop)


class Wanted(Filter):
    cursor: Annotated[str | None, Query(max_length=200)] = None


class Entry(BaseModel):
    """`fields`: names of what changed, never values. `about`: the colleague whose membership or credentials it touched."""

    model_config = ConfigDict(from_attributes=True)

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
    data: list[Entry]
    next: str | None


@router.get("")
def find(wanted: Annotated[Wanted, Query()], identity: Annotated[Identity, Depends(may("audit.read"))]) -> Entries:
    """Newest first. This look stands in it too."""
    chosen = audit_trail.Filter(**wanted.model_dump(exclude={"cursor"}))
    with db.scope(identity) as scope:
        page = audit_trail.find(scope, chosen, before=cursor.read(wanted.cursor))
    return Entries(data=[Entry.model_validate(row) for row in page.rows], next=cursor.after(page))
