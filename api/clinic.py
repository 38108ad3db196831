"""The whole clinic as a file, for its owner when it leaves: made by a job, fetched when that is done, gone within a day."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api import files, long_jobs, once, refusals
from api.route import OneHop
from api.session import may
from lib import clinic_export, db, export_jobs
from lib import long_jobs as jobs
from lib.db import Scope
from lib.errors import NotFound
from lib.identity import Identity

router = APIRouter(prefix="/clinic", tags=["clinic"], route_class=OneHop)
Leaver = Annotated[Identity, Depends(may("clinic.export"))]


class Nothing(BaseModel):
    """There is nothing to say beside the key."""


@router.post("/export", status_code=202, responses=refusals.of(409))
def begin(identity: Leaver, request: Request, response: Response, key: once.Key = None) -> long_jobs.LongJob:
    """409: one is being made. `done` of `total` tables are read."""
    with db.scope(identity) as scope:
        job_id = once.make(scope, request, key, Nothing(), lambda: export_jobs.begin(scope))
        response.headers["Location"] = "/api/v1/clinic/export"
        return long_jobs.told(scope, jobs.get(scope, job_id))


@router.get("/export")
def state(identity: Leaver) -> long_jobs.LongJob:
    """One's newest."""
    with db.scope(identity) as scope:
        return long_jobs.told(scope, _newest(scope))


@router.post("/export/cancel")
def cancel(identity: Leaver) -> long_jobs.LongJob:
    with db.scope(identity) as scope:
        jobs.cancel(scope, _newest(scope).id)
        return long_jobs.told(scope, _newest(scope))


@router.post("/export/continue", responses=refusals.of(409))
def go_on(identity: Leaver) -> long_jobs.LongJob:
    """409: it is running, or done, already."""
    with db.scope(identity) as scope:
        jobs.go_on(scope, _newest(scope).id)
        return long_jobs.told(scope, _newest(scope))


@router.post("/export/file", response_class=Response, responses=files.of("application/zip") | refusals.of(409))
def fetch(identity: Leaver) -> StreamingResponse:
    """409: it is not made yet. A zip without its end was broken off, and no program opens it."""
    return StreamingResponse(clinic_export.send(identity), media_type="application/zip",
                             headers={"Content-Disposition": 'attachment; filename="clinic.zip"'})


@router.delete("/export", status_code=204, responses=refusals.of(409))
def discard(identity: Leaver) -> Response:
    """What was made of it goes at once. 409: it is being made."""
    with db.scope(identity) as scope:
        export_jobs.discard(scope, _newest(scope).id)
    return Response(status_code=204)


def _newest(scope: Scope) -> jobs.LongJob:
    found = jobs.latest(scope, "export")
    if found is None:
        raise NotFound
    return found
