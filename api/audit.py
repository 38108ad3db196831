"""The audit log as a file, by the cookie's person alone."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.session import same_origin, who
from lib import audit_trail, db
from lib.identity import Identity

router = APIRouter(prefix="/audit", tags=["audit"])


class Filter(BaseModel):
    person: UUID | None = None
    patient: UUID | None = None
    action: Annotated[str, Field(max_length=60, pattern="^[a-z_]*$")] = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


@router.post("/export", dependencies=[Depends(same_origin)])
def export(chosen: Filter, identity: Annotated[Identity, Depends(who)]) -> Response:
    """CSV, UTF-8 with the mark that makes a spreadsheet read it so."""
    with db.scope(identity) as scope:
        file = audit_trail.export(scope, audit_trail.Filter(**dict(chosen)))
    return Response(file.encode("utf-8-sig"), media_type="text/csv",
                    headers={"Content-Disposition": 'attachment; filename="audit.csv"'})
