"""An import as a long job: the uploaded file waits in the database, and every batch is committed with its outcomes, so that a
worker that stops or dies leaves nothing half done and nothing to do twice."""

import json
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from lib import audit, auth, imports, jobs, long_jobs
from lib.db import Scope
from lib.imports import File, Report
from lib.intake import Row
from lib.jobs import Job
from lib.long_jobs import LongJob, Order
from lib.verdicts import KINDS, Outcome


@dataclass(frozen=True)
class Batch:
    outcomes: list[dict[str, Any]]


@dataclass(frozen=True)
class Count:
    kind: str
    rows: int


def begin(scope: Scope, file: File, data: bytes, mapping: dict[str, list[str]], date_order: str) -> UUID:
    """`data`: what `file` was read from. The other two: as for `imports.rows`."""
    auth.require(scope.identity, "patients.import")
    auth.require(scope.identity, "patients.notes")
    choices = {"mapping": mapping, "date_order": date_order, "encoding": file.table.encoding if file.table else "",
               "headless": file.table.headless if file.table else None}
    job_id = long_jobs.begin(scope, "import", file.name, len(file), data, choices)
    audit.record(scope, "import_begin", "patients", job_id, row_count=len(file))
    return job_id


def report(scope: Scope, job: LongJob) -> Report:
    """What became of the rows so far. Its `rest` is empty: whether rows are left is the job's to say."""
    found = scope.many(Batch, """
        select outcomes from import_outcomes
        where clinic_id = :clinic_id and user_id = :user_id and job_id = :job_id
        order by seq
        """, user_id=scope.identity.user_id, job_id=job.id)
    return Report([], id=job.id, outcomes=[_outcome(one) for batch in found for one in batch.outcomes])


def counts(scope: Scope, job: LongJob) -> dict[str, int]:
    """How many rows became what so far. The database counts: the rows of a large import need not travel for four numbers."""
    found = scope.many(Count, """
        select one ->> 'kind' as kind, count(*) as rows
        from import_outcomes
        cross join lateral jsonb_array_elements(outcomes) one
        where clinic_id = :clinic_id and user_id = :user_id and job_id = :job_id
        group by one ->> 'kind'
        """, user_id=scope.identity.user_id, job_id=job.id)
    return dict.fromkeys(KINDS, 0) | {each.kind: each.rows for each in found}


def run(job: Job) -> None:
    long_jobs.carry_out(job, _go_on)


def _go_on(job: Job, clinic_id: UUID, order: Order) -> bool:
    with jobs.on_behalf(clinic_id, order.user_id) as scope:
        report = Report(_rows(order, scope.identity.country)[order.done:], id=order.id)
    done = order.done
    while report.rest:
        if job.should_stop():
            raise jobs.Interrupted
        with jobs.on_behalf(clinic_id, order.user_id, f"job {order.id}") as scope:
            rows = len(report.rest[:imports.BATCH])
            if not long_jobs.advance(scope, order.id, done, rows):
                return False
            step = imports.write(scope, report)
            _keep(scope, order, done, step.outcomes)
        report.add(step)
        done += rows
    return True


def _rows(order: Order, country: str) -> list[Row]:
    file = imports.read(order.input or b"", order.name, order.choices["encoding"], country, order.choices["headless"])
    return list(imports.rows(file, order.choices["mapping"], order.choices["date_order"]))


def _keep(scope: Scope, order: Order, done: int, outcomes: list[Outcome]) -> None:
    scope.run("""
        insert into import_outcomes (clinic_id, job_id, user_id, seq, outcomes)
        values (:clinic_id, :job_id, :user_id, :seq, cast(:outcomes as jsonb))
        """, job_id=order.id, user_id=order.user_id, seq=done,
              outcomes=json.dumps([asdict(one) for one in outcomes], default=str))


def _outcome(kept: dict[str, Any]) -> Outcome:
    return Outcome(**kept | {"patient_id": UUID(kept["patient_id"]) if kept["patient_id"] else None})
