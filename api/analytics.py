"""The figures as files."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from api import figures, files
from api.route import OneHop
from api.session import may
from lib import db, sheets
from lib.identity import Identity

router = APIRouter(prefix="/analytics", tags=["analytics"], route_class=OneHop)


class Wanted(BaseModel):
    """`figure`: a name of lib.sheets.SHEETS. A preset, or both ends of a period; one end alone is refused."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "figure": "messages", "period": "30d", "first": "2026-03-01", "last": "2026-03-07"}]})

    figure: Annotated[str, Field(max_length=40, pattern="^[a-z_]+$")] = "messages"
    period: Annotated[str, Field(max_length=10)] = "30d"
    first: date | None = None
    last: date | None = None


@router.post("/export", response_class=Response, responses=files.of("text/csv"))
def export(wanted: Wanted, identity: Annotated[Identity, Depends(may("analytics.read"))]) -> Response:
    period = figures.between(identity, wanted.period, wanted.first, wanted.last)
    with db.scope(identity) as scope:
        file = sheets.export(scope, wanted.figure, period)
    return files.csv(file, f"{wanted.figure}.csv")
