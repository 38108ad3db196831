"""What takes longer than a request, such as an import: how far it came, and its report. Exports have routes of their own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.config import JsonDict

from api import cursor, files, refusals
from api.route import OneHop
from api.session import may
from lib import db, import_jobs, long_jobs
from lib.db import Scope
from lib.errors import NotFound
from lib.identity import Identity

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=OneHop)
Asker = Annotated[Identity, Depends(may("patients.import"))]


JOB: JsonDict = {
    "id": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10", "kind": "import", "name": "patients.csv", "status": "running", "done": 500,
    "total": 1200, "problem": "", "created_at": "2026-03-01T09:30:00Z", "finished_at": None, "cancelled": False,
    "counts": {"created": 480, "updated": 12, "duplicate": 6, "rejected": 2}}


class LongJob(BaseModel):
    """`status`: waiting, running, done, stopped or failed. `done` of `total` rows (of an export: tables) are committed; `counts`:
    what became of an import's rows (null in the list)."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [JOB]})

    id: UUID
    kind: str
    name: str
    status: str
    done: int
    total: int
    problem: str
    created_at: AwareDatetime
    finished_at: AwareDatetime | None
    cancelled: bool
    counts: dict[str, int] | None = None


class LongJobs(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [{**JOB, "counts": None}], "next": None}]})

    data: list[LongJob]
    next: str | None


@router.get("")
def mine(identity: Asker, after: Annotated[str | None, Query(alias="cursor", max_length=200)] = None,
         limit: Annotated[int, Query(ge=1, le=100)] = 20) -> LongJobs:
    """One's own imports, the newest first. Each is kept for a week."""
    last = cursor.read(after)
    with db.scope(identity) as scope:
        page = long_jobs.find(scope, "import", before=last, limit=limit)
    return LongJobs(data=[LongJob.model_validate(job) for job in page.rows], next=cursor.after(page))


@router.get("/{job_id}")
def get(job_id: UUID, identity: Asker) -> LongJob:
    with db.scope(identity) as scope:
        return told(scope, _import(scope, job_id))


@router.get("/{job_id}/report", response_class=Response, responses=files.of("text/csv"))
def report(job_id: UUID, identity: Asker) -> Response:
    """What became of each row so far, as CSV: line, result, name, reason."""
    with db.scope(identity) as scope:
        job = _import(scope, job_id)
        file = import_jobs.report(scope, job).csv(stopped=job.status in ("stopped", "failed"))
    return files.csv(file, "import-report.csv")


@router.post("/{job_id}/cancel")
def cancel(job_id: UUID, identity: Asker) -> LongJob:
    """What is done by then stays."""
    with db.scope(identity) as scope:
        long_jobs.cancel(scope, _import(scope, job_id).id)
        return told(scope, _import(scope, job_id))


@router.post("/{job_id}/continue", responses=refusals.of(409))
def go_on(job_id: UUID, identity: Asker) -> LongJob:
    """409: it is running, or done, already."""
    with db.scope(identity) as scope:
        long_jobs.go_on(scope, _import(scope, job_id).id)
        return told(scope, _import(scope, job_id))


def _import(scope: Scope, job_id: UUID) -> long_jobs.LongJob:
    """An export has routes and a permission of its own."""
    job = long_jobs.get(scope, job_id)
    if job.kind != "import":
        raise NotFound
    return job


def told(scope: Scope, job: long_jobs.LongJob) -> LongJob:
    return LongJob(**vars(job), counts=import_jobs.counts(scope, job) if job.kind == "import" else None)
