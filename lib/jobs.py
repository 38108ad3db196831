"""The job queue as the rest of lib sees it: putting a job in, and the transactions a running job works in (ADR 015)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import kwargs_row, tuple_row
from sqlalchemy import Connection, Engine

from lib import db
from lib.db import Scope
from lib.errors import AppError, Unavailable
from lib.identity import Identity

_engine: Engine | None = None


class Interrupted(AppError):
    """The worker stops. The job waits for the next one and goes on where it stands."""


@dataclass(frozen=True)
class Job:
    """What a running job knows: what it is about, and whether its worker wants to stop."""

    id: UUID
    clinic_id: UUID | None
    should_stop: Callable[[], bool]


@dataclass(frozen=True)
class Queue:
    """Counts for whoever watches the installation."""

    waiting: int
    running: int
    failed: int
    workers: int


def defer(scope: Scope, task: str, subject: UUID) -> None:
    """The job exists once the scope's transaction commits."""
    scope.run("select app.defer_job(:task, :subject)", task=task, subject=subject)


def state() -> Queue:
    queue = db.ask(Queue, "select waiting, running, failed, workers from app.queue_state()")
    assert queue
    return queue


# inside a job, as the worker's role ----------------------------------------------------------------------------------


def connect(url: str, size: int) -> None:
    global _engine
    _engine = db.open_engine(url, pool_size=size, max_overflow=size, pool_timeout=10, pool_pre_ping=True)


def disconnect() -> None:
    global _engine
    if _engine is not None:
        _engine.dispose()
    _engine = None


@contextmanager
def transaction() -> Iterator[Connection]:
    """In no clinic."""
    if _engine is None:
        raise Unavailable
    with db.translated(), _engine.begin() as connection:
        yield connection


@contextmanager
def scope(clinic_id: UUID) -> Iterator[Scope]:
    """In a clinic on nobody's behalf: its audit log takes no row from here."""
    with transaction() as connection:
        db.execute(connection, tuple_row, "select app.enter_job(:clinic_id)", {"clinic_id": clinic_id})
        yield Scope(connection, _nobody(clinic_id))


@contextmanager
def on_behalf(clinic_id: UUID, user_id: UUID, request_id: str = "") -> Iterator[Scope]:
    """As the member who asked, with the role they have by now. Raises Forbidden once they left."""
    with transaction() as connection:
        who = {"clinic_id": clinic_id, "user_id": user_id, "request_id": request_id}
        db.execute(connection, tuple_row, "select app.enter(:clinic_id, :user_id)", who)
        identity = db.execute(connection, kwargs_row(Identity), """
            select m.user_id, m.clinic_id, m.role, '' as email, m.display_name as full_name, c.name as clinic_name, c.country,
                   c.time_zone, c.currency, c.language, c.emergency_number, cast(:request_id as text) as request_id
            from memberships m
            join clinics c on c.id = m.clinic_id
            where m.clinic_id = :clinic_id and m.user_id = :user_id
            """, who).fetchone()
        assert identity
        yield Scope(connection, identity)


def _nobody(clinic_id: UUID) -> Identity:
    return Identity(UUID(int=0), clinic_id, "", "", "", "", "", "UTC", "", "en", "")
