"""A thread as a file, handed to the one who asks by this route and not by Streamlit's /media, which knows no owner."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from api import files
from api.route import OneHop
from api.session import may
from lib import auth, db, thread_export
from lib.identity import Identity

router = APIRouter(prefix="/chats", tags=["chats"], route_class=OneHop)


class Thread(BaseModel):
    """`patient`: None for one's own general questions."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"patient": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10"}]})

    patient: UUID | None = None


@router.post("/export", response_class=Response, responses=files.of("text/markdown"))
def export(thread: Thread, identity: Annotated[Identity, Depends(may("chat.ask"))]) -> Response:
    with db.scope(identity) as scope:
        if thread.patient:
            auth.require(identity, "chat.patient")
        text = thread_export.export(scope, thread.patient)
    return Response(text.encode(), media_type="text/markdown; charset=utf-8",
                    headers={"Content-Disposition": 'attachment; filename="thread.md"'})
