"""Documents of credentials, handed to their person and to owners by this route and not by Streamlit's /media."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api.session import who
from lib import credentials, db
from lib.errors import NotFound
from lib.identity import Identity

router = APIRouter(prefix="/credentials", tags=["credentials"])


@router.get("/{user_id}/document")
def document(user_id: str, identity: Annotated[Identity, Depends(who)]) -> Response:
    """The newest one. Saved, never shown: a file of somebody else's has no business inside this origin."""
    with db.scope(identity) as scope:
        found = credentials.document(scope, _id(user_id))
    # RFC 6266: the name in any script, percent-encoded, so that nothing in it ends the header.
    return Response(found.content, media_type=found.media_type,
                    headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.file_name, safe='')}"})


def _id(text: str) -> UUID:
    """What is no id at all answers like an id that nobody has."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
