"""The whole clinic as a file, for its owner when it leaves."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse

from api import files
from api.route import OneHop
from api.session import may
from lib import clinic_export
from lib.identity import Identity

router = APIRouter(prefix="/clinic", tags=["clinic"], route_class=OneHop)


@router.post("/export", response_class=Response, responses=files.of("application/zip"))
def export(identity: Annotated[Identity, Depends(may("clinic.export"))]) -> StreamingResponse:
    """A zip, sent while it is made. One without its end was broken off, and no program opens it."""
    return StreamingResponse(clinic_export.begin(identity), media_type="application/zip",
                             headers={"Content-Disposition": 'attachment; filename="clinic.zip"'})
