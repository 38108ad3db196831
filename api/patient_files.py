"""Files of patients, handed to the one who asks by this route and not by Streamlit's /media, which knows no owner."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from api import files
from api.route import OneHop
from api.session import may
from lib import db, patient_export, patient_record
from lib.identity import Identity

router = APIRouter(prefix="/patients", tags=["patients"], route_class=OneHop)


class Filter(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"term": "lopez", "archived": False}]})

    term: Annotated[str, Field(max_length=1000)] = ""
    archived: bool = False


class Chosen(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"patient": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10"}]})

    patient: UUID


@router.post("/export", response_class=Response, responses=files.of("text/csv"))
def export(chosen: Filter, identity: Annotated[Identity, Depends(may("patients.export"))]) -> Response:
    with db.scope(identity) as scope:
        file = patient_export.export(scope, term=chosen.term, archived=chosen.archived)
    return files.csv(file, "patients.csv")


@router.post("/record", response_class=Response, responses=files.of("application/zip"))
def record(chosen: Chosen, identity: Annotated[Identity, Depends(may("patients.record"))]) -> Response:
    """All there is about one patient."""
    with db.scope(identity) as scope:
        file = patient_record.export(scope, chosen.patient)
    return Response(file, media_type="application/zip", headers={"Content-Disposition": 'attachment; filename="record.zip"'})
