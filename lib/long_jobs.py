"""What somebody asked for that takes longer than a page: how far it is, and the wish to stop it. Each sees their own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lib import jobs
from lib.db import Page, Scope
from lib.errors import AppError, Conflict, Unavailable
from lib.jobs import Job
from lib.texts import _

TASKS = {"import": "import_patients", "export": "export_clinic"}


@dataclass(frozen=True)
class LongJob:
    """`status`: waiting, running, done, stopped or failed. `done` of `total` rows (of an export: tables) are committed."""

    id: UUID
    kind: str
    name: str
    status: str
    done: int
    total: int
    problem: str
    created_at: datetime
    finished_at: datetime | None
    cancelled: bool

    @property
    def open(self) -> bool:
        return self.status in ("waiting", "running")


@dataclass(frozen=True)
class Order:
    """The job as the worker reads it."""

    id: UUID
    user_id: UUID
    name: str
    choices: dict[str, Any]
    input: bytes | None
    status: str
    done: int


def begin(scope: Scope, kind: str, name: str, total: int, data: bytes | None = None,
          choices: dict[str, Any] | None = None) -> UUID:
    job_id: UUID = scope.value("""
        insert into long_jobs (clinic_id, user_id, kind, name, choices, input, total)
        values (:clinic_id, :user_id, :kind, :name, cast(:choices as jsonb), :data, :total)
        returning id
        """, user_id=scope.identity.user_id, kind=kind, name=name[:255], total=total, data=data,
                                 choices=json.dumps(choices or {}))
    jobs.defer(scope, TASKS[kind], job_id)
    return job_id


def mine(scope: Scope, limit: int = 20) -> list[LongJob]:
    """The newest of every kind. Each is kept for a week."""
    return scope.many(LongJob, """
        select id, kind, name, status, done, total, problem, created_at, finished_at, cancelled_at is not null as cancelled
        from long_jobs
        where clinic_id = :clinic_id and user_id = :user_id
        order by id desc
        limit :limit
        """, user_id=scope.identity.user_id, limit=limit)


def find(scope: Scope, kind: str, *, before: UUID | None = None, limit: int = 20) -> Page[LongJob]:
    """Those of one kind, newest first."""
    return scope.page(LongJob, """
        select id, kind, name, status, done, total, problem, created_at, finished_at, cancelled_at is not null as cancelled
        from long_jobs
        where clinic_id = :clinic_id
          and user_id = :user_id
          and kind = :kind
          and (cast(:before as uuid) is null or id < cast(:before as uuid))
        order by id desc
        limit :limit + 1
        """, user_id=scope.identity.user_id, kind=kind, before=before, limit=limit)


def latest(scope: Scope, kind: str) -> LongJob | None:
    """The newest of its kind, unless its asker has put it away."""
    return scope.first(LongJob, """
        select id, kind, name, status, done, total, problem, created_at, finished_at, cancelled_at is not null as cancelled
        from (select id, kind, name, status, done, total, problem, created_at, finished_at, cancelled_at, dismissed_at
              from long_jobs
              where clinic_id = :clinic_id and user_id = :user_id and kind = :kind
              order by id desc
              limit 1) newest
        where dismissed_at is null
        """, user_id=scope.identity.user_id, kind=kind)


def get(scope: Scope, job_id: UUID) -> LongJob:
    """Raises NotFound, for a colleague's as well."""
    return scope.one(LongJob, """
        select id, kind, name, status, done, total, problem, created_at, finished_at, cancelled_at is not null as cancelled
        from long_jobs
        where clinic_id = :clinic_id and user_id = :user_id and id = :id
        """, user_id=scope.identity.user_id, id=job_id)


def cancel(scope: Scope, job_id: UUID) -> None:
    """One that runs stops after the rows it is at; what is done by then stays."""
    get(scope, job_id)
    scope.run("""
        update long_jobs
        set cancelled_at = now(), status = case status when 'waiting' then 'stopped' else status end
        where clinic_id = :clinic_id and user_id = :user_id and id = :id and status in ('waiting', 'running')
        """, user_id=scope.identity.user_id, id=job_id)


def go_on(scope: Scope, job_id: UUID) -> None:
    job = get(scope, job_id)
    touched = scope.run("""
        update long_jobs set status = 'waiting', cancelled_at = null, dismissed_at = null
        where clinic_id = :clinic_id and user_id = :user_id and id = :id and status in ('stopped', 'failed')
          and (dismissed_at is null or kind <> 'export')
        """, user_id=scope.identity.user_id, id=job_id)
    if not touched:
        raise Conflict(_("This is running, done, or deleted already."))
    jobs.defer(scope, TASKS[job.kind], job_id)


def dismiss(scope: Scope, job_id: UUID) -> None:
    get(scope, job_id)
    scope.run("""
        update long_jobs set dismissed_at = now()
        where clinic_id = :clinic_id and user_id = :user_id and id = :id and status in ('done', 'stopped', 'failed')
        """, user_id=scope.identity.user_id, id=job_id)


# the worker's --------------------------------------------------------------------------------------------------------


def carry_out(job: Job, work: Callable[[Job, UUID, Order], bool]) -> None:
    """`work` on behalf of whoever asked; what it has committed when the worker stops (Interrupted) is not done again. It says
    False where it was told to stop before its end."""
    assert job.clinic_id
    with jobs.scope(job.clinic_id) as scope:
        order = take(scope, job.id)
    if order is None:
        return
    try:
        whole = work(job, job.clinic_id, order)
    except (Unavailable, jobs.Interrupted):
        raise
    except AppError as error:  # they left, or their role changed: no further try makes that better
        with jobs.scope(job.clinic_id) as scope:
            settle(scope, order.id, "failed", str(error))
        return
    with jobs.scope(job.clinic_id) as scope:
        if whole:
            settle(scope, order.id, "done")
        else:
            stop(scope, order.id)


def take(scope: Scope, job_id: UUID) -> Order | None:
    """None: it was stopped before it began, or it is done, or gone."""
    order = scope.first(Order, """
        select id, user_id, name, choices, input, status, done
        from long_jobs
        where clinic_id = :clinic_id and id = :id
        """, id=job_id)
    if order is None or order.status not in ("waiting", "running", "failed"):
        return None
    settle(scope, job_id, "running")
    return order


def advance(scope: Scope, job_id: UUID, done: int, rows: int) -> bool:
    """`rows` more than `done`, in the transaction that writes them. False: somebody else did, or its asker wants it to stop."""
    return scope.run("""
        update long_jobs set done = done + :rows
        where clinic_id = :clinic_id and id = :id and done = :done and status = 'running' and cancelled_at is null
        """, id=job_id, done=done, rows=rows) == 1


def stop(scope: Scope, job_id: UUID) -> None:
    """Where its asker wants that; otherwise another worker has the job, and it is theirs."""
    scope.run("""
        update long_jobs set status = 'stopped'
        where clinic_id = :clinic_id and id = :id and status = 'running' and cancelled_at is not null
        """, id=job_id)


def settle(scope: Scope, job_id: UUID, status: str, problem: str = "") -> None:
    scope.run("""
        update long_jobs set status = :status, problem = :problem
        where clinic_id = :clinic_id and id = :id and status <> 'done'
        """, id=job_id, status=status, problem=problem)
