"""What stands in the chat box and was not asked yet, kept while it is typed: the tab sends it by itself (question.js)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.session import same_origin, watcher
from lib import db, drafts
from lib.errors import Conflict
from lib.identity import Identity
from lib.texts import _

router = APIRouter(prefix="/drafts", tags=["drafts"])
Text = Annotated[str, Field(max_length=20_000)]


class Question(BaseModel):
    """`clinic`: the one whose thread the tab shows. `before`: what of it is kept already; an empty `text` takes that away."""

    clinic: UUID
    patient: UUID | None
    text: Text
    before: Text


@router.put("/question", status_code=204, dependencies=[Depends(same_origin)])
def keep(question: Question, identity: Annotated[Identity, Depends(watcher)]) -> None:
    """The newest text of this person for this thread. 409 once the session works in another clinic."""
    if question.clinic != identity.clinic_id:
        raise Conflict(_("You changed to another clinic in another tab. Nothing was done here."))
    with db.scope(identity) as scope:
        if question.text:
            drafts.keep_question(scope, question.patient, question.text)
        else:
            drafts.discard_question(scope, question.patient, question.before)
