"""A copy of the database that streams behind it, for what may be some seconds old: figures and exports. Rights are always read
where they are written."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import structlog
from psycopg.rows import scalar_row
from sqlalchemy import Engine

from lib import db, settings
from lib.db import Scope
from lib.errors import AppError

log = structlog.get_logger()
PATIENCE = 1.0  # seconds for it to catch up with what is written by now
LOOK_EVERY = 5.0  # seconds between two looks at how far behind it is
_engine: Engine | None = None
_looking = threading.Lock()
_looked_at = float("-inf")
_keeps_up = False


def connect(url: str, pool_size: int) -> None:
    global _engine, _looked_at
    _engine = db.open_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_timeout=10, pool_pre_ping=True)
    _looked_at = float("-inf")


def disconnect() -> None:
    global _engine
    if _engine is not None:
        _engine.dispose()
    _engine = None


@contextmanager
def reading(scope: Scope, *, up_to_now: bool = False) -> Iterator[Scope]:
    """The same person in the same clinic on the replica; `scope` itself where there is none that keeps up, or none that has
    heard of this person yet. `up_to_now`: or none that soon has all that is written by now, so that who was erased is gone."""
    with ExitStack() as stack:
        yield _enter(stack, scope, up_to_now)


def _enter(stack: ExitStack, scope: Scope, up_to_now: bool) -> Scope:
    if _engine is None or not keeps_up():
        return scope
    try:
        copy = stack.enter_context(_inside(_engine, scope))
        return copy if not up_to_now or _catches_up(copy, scope.value("select cast(pg_current_wal_lsn() as text)")) else scope
    except AppError:
        return scope


def _catches_up(copy: Scope, written: str) -> bool:
    until = time.monotonic() + PATIENCE
    while not copy.value("select pg_last_wal_replay_lsn() >= cast(:written as pg_lsn)", written=written):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def _inside(engine: Engine, scope: Scope) -> Iterator[Scope]:
    with db.translated(), engine.begin() as connection:
        db.enter(connection, scope.identity)
        yield Scope(connection, scope.identity, primary=scope)


def keeps_up() -> bool:
    """Asked of it every few seconds at most; while one thread looks, the others go by what was seen last."""
    global _keeps_up, _looked_at
    if time.monotonic() - _looked_at > LOOK_EVERY and _looking.acquire(blocking=False):
        try:
            found = _look()
            if found != _keeps_up:
                log.warning("the read replica is used" if found else "the read replica is not used")
            _keeps_up, _looked_at = found, time.monotonic()
        finally:
            _looking.release()
    return _keeps_up


def _look() -> bool:
    """A worker writes every few seconds, so the age of what was replayed last is how far behind it is. What was promoted
    meanwhile streams behind nobody."""
    try:
        assert _engine
        with db.translated(), _engine.begin() as connection:
            behind = db.execute(connection, scalar_row, """
                select case when pg_is_in_recovery() then extract(epoch from now() - pg_last_xact_replay_timestamp()) end
                """, {}).fetchone()
    except AppError:
        return False
    return behind is not None and behind <= settings.get().database_replica_lag
