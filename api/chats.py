"""A thread as a file, handed to the one who asks by this route and not by Streamlit's /media, which knows no owner."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from api.session import same_origin, who
from lib import db, thread_export
from lib.identity import Identity

router = APIRouter(prefix="/chats", tags=["chats"])


class Thread(BaseModel):
    """`patient`: None for one's own general questions."""

    patient: UUID | None = None


@router.post("/export", dependencies=[Depends(same_origin)])
def export(thread: Thread, identity: Annotated[Identity, Depends(who)]) -> Response:
    with db.scope(identity) as scope:
        text = thread_export.export(scope, thread.patient)
    return Response(text.encode(), media_type="text/markdown; charset=utf-8",
                    headers={"Content-Disposition": 'attachment; filename="thread.md"'})
