"""The audit log as a file."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api import files
from api.route import OneHop
from api.session import may
from lib import audit_trail, db
from lib.identity import Identity

router = APIRouter(prefix="/audit", tags=["audit"], route_class=OneHop)


class Filter(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{
        "person": None, "patient": None, "action": "amend", "since": "2026-03-01T00:00:00Z", "until": None}]})

    person: UUID | None = None
    patient: UUID | None = None
    action: Annotated[str, Field(max_length=60, pattern="^[a-z_]*$")] = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


@router.post("/export", response_class=Response, responses=files.of("text/csv"))
def export(chosen: Filter, identity: Annotated[Identity, Depends(may("audit.read"))]) -> Response:
    """Newest first, at most 100,000 rows: 422 above that."""
    with db.scope(identity) as scope:
        file = audit_trail.export(scope, audit_trail.Filter(**dict(chosen)))
    return files.csv(file, "audit.csv")
