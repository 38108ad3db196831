"""Each figure of the page Analytics, as numbers, and what the clinic's days had to spend."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from api.route import OneHop
from api.session import may
from lib import analytics, db, periods, replica, sheets
from lib.errors import Invalid
from lib.identity import Identity
from lib.texts import _

router = APIRouter(tags=["analytics"], route_class=OneHop)
Reader = Annotated[Identity, Depends(may("analytics.read"))]
Preset = Literal["today", "7d", "30d", "90d", "12m"]
Cell = date | int | float | Decimal | str | None


class Wanted(BaseModel):
    """A preset, or both ends of a period, the last day included. One end alone is refused."""

    model_config = ConfigDict(extra="forbid")

    period: Preset = "30d"
    first: date | None = None
    last: date | None = None


class Figure(BaseModel):
    """`keys`: what each column after the first means. The first names the row: a day, or who or what was counted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "figure": "messages", "first": "2026-03-01", "last": "2026-03-07", "heads": ["Day", "Knowledge base"], "keys": ["kb"],
        "rows": [["2026-03-01", 12]]}]})

    figure: str
    first: date
    last: date
    heads: list[str]
    keys: list[str]
    rows: list[list[Cell]]


class Budget(BaseModel):
    """From `day` on; `used_up`: on how many days of this step nothing was left."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [{
        "day": "2026-03-01", "limit_usd": "5.00", "used_up": 0}]})

    day: date
    limit_usd: Decimal
    used_up: int


@router.get("/analytics/{figure}")
def figure(figure: str, wanted: Annotated[Wanted, Query()], identity: Reader) -> Figure:
    """`figure`: messages, hours, cost, models, saved, tokens, times, first_words, routes, errors, emergencies,
    acknowledgements, people, staff, patients, articles, unmatched."""
    period = between(identity, wanted.period, wanted.first, wanted.last)
    with db.scope(identity) as scope:
        sheet = sheets.read(scope, figure, period)
    return Figure(figure=figure, first=period.first, last=period.last, heads=list(sheet.heads), keys=list(sheet.keys),
                  rows=[list(row) for row in sheet.rows])


@router.get("/budgets")
def budgets(wanted: Annotated[Wanted, Query()], identity: Reader) -> list[Budget]:
    """By day, from three months on by week. Only where somebody asked something."""
    period = between(identity, wanted.period, wanted.first, wanted.last)
    with db.scope(identity) as scope, replica.reading(scope) as copy:
        return [Budget.model_validate(row) for row in analytics.budgets(copy, period)]


def between(identity: Identity, preset: str, first: date | None, last: date | None) -> periods.Period:
    """Where no ends are named, the preset's."""
    today = periods.today(identity)
    if first and last:
        return periods.between(first, last, today)
    if first or last:
        raise Invalid(_("A period needs both of its ends: first and last."))
    return periods.preset(preset, today)
