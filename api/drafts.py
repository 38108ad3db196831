"""What stands in a field and was not saved yet, kept while it is typed: the tab sends it by itself (kept.js)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api import refusals
from api.route import OneHop
from api.session import same_origin, watcher
from lib import db, drafts
from lib.errors import Conflict
from lib.identity import Identity
from lib.texts import _

router = APIRouter(prefix="/drafts", tags=["drafts"], route_class=OneHop)
Words = Annotated[str, Field(max_length=20_000)]


class Typed(BaseModel):
    """`clinic`: the one that the tab shows. `before`: what of it is kept already; an empty `text` takes that away, and with
    `late` only where the form that it was handed in with was not refused."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "clinic": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10", "field": "question", "text": "How long should", "before": "How long",
        "late": False}]})

    clinic: UUID
    field: Annotated[str, Field(max_length=60)]
    text: Words
    before: Words
    late: bool = False


@router.put("", status_code=204, dependencies=[Depends(same_origin)], responses=refusals.of(409))
def keep(typed: Typed, identity: Annotated[Identity, Depends(watcher)]) -> None:
    """The newest text of this person in this field. 409 once the session works in another clinic."""
    if typed.clinic != identity.clinic_id:
        raise Conflict(_("You changed to another clinic in another tab. Nothing was done here."))
    with db.scope(identity) as scope:
        if typed.text:
            drafts.keep_text(scope, typed.field, typed.text)
        else:
            drafts.discard_text(scope, typed.field, typed.before, late=typed.late)
