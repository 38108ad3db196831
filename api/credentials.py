"""Documents of credentials, handed to their person and to owners by this route and not by Streamlit's /media."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api import files
from api.route import OneHop
from api.session import may
from lib import credentials, db
from lib.identity import Identity

router = APIRouter(prefix="/credentials", tags=["credentials"], route_class=OneHop)


@router.get("/{user_id}/document", response_class=Response, responses=files.of(*credentials.KINDS.values()))
def document(user_id: UUID, identity: Annotated[Identity, Depends(may("credentials.submit"))]) -> Response:
    """The newest one. Saved, never shown: a file of somebody else's has no business inside this origin."""
    with db.scope(identity) as scope:
        found = credentials.document(scope, user_id)
    # RFC 6266: the name in any script, percent-encoded, so that nothing in it ends the header.
    return Response(found.content, media_type=found.media_type,
                    headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.file_name, safe='')}"})
