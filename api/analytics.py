"""The figures as files."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from api import files
from api.route import OneHop
from api.session import may
from lib import db, periods, sheets
from lib.identity import Identity

router = APIRouter(prefix="/analytics", tags=["analytics"], route_class=OneHop)


class Wanted(BaseModel):
    """`figure`: a name of lib.sheets.SHEETS. A preset, or both ends of a period."""

    figure: Annotated[str, Field(max_length=40, pattern="^[a-z_]+$")] = "messages"
    period: Annotated[str, Field(max_length=10)] = "30d"
    first: date | None = None
    last: date | None = None


@router.post("/export", response_class=Response, responses=files.of("text/csv"))
def export(wanted: Wanted, identity: Annotated[Identity, Depends(may("analytics.read"))]) -> Response:
    today = periods.today(identity)
    with db.scope(identity) as scope:
        chosen = (periods.between(wanted.first, wanted.last, today) if wanted.first and wanted.last
                  else periods.preset(wanted.period, today))
        file = sheets.export(scope, wanted.figure, chosen)
    return files.csv(file, f"{wanted.figure}.csv")
