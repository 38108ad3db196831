"""Files of patients, handed to the one who asks by this route and not by Streamlit's /media, which knows no owner."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from api.session import same_origin, who
from lib import db, patient_export
from lib.identity import Identity

router = APIRouter(prefix="/patients", tags=["patients"])


class Filter(BaseModel):
    term: Annotated[str, Field(max_length=1000)] = ""
    archived: bool = False


@router.post("/export", dependencies=[Depends(same_origin)])
def export(chosen: Filter, identity: Annotated[Identity, Depends(who)]) -> Response:
    """CSV, UTF-8 with the mark that makes a spreadsheet read it so."""
    with db.scope(identity) as scope:
        file = patient_export.export(scope, term=chosen.term, archived=chosen.archived)
    return Response(file.encode("utf-8-sig"), media_type="text/csv",
                    headers={"Content-Disposition": 'attachment; filename="patients.csv"'})
