"""A restored copy harms nobody by being there: until it is released it sends no mail, calls no provider and lets in no API
client, and whoever was signed in is not. What speaks to the outside asks `is_on` first."""

import time
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, text

from lib import db
from lib.errors import Unavailable

log = structlog.get_logger()
KNOWN = 30.0  # seconds for which a page takes what was last told
_last_known = True
_taken: tuple[float, datetime | None] = (0.0, None)


@dataclass(frozen=True)
class _State:
    is_on: bool


def is_on() -> bool:
    """While the database is away, what it said last: an alert that it is away has to get out. Never asked: held back."""
    global _last_known
    if not db.is_connected():  # the assistant as a service of its own has no database, so it is no copy of one
        return False
    try:
        state = db.ask(_State, "select exists (select from restores where released_at is null) as is_on")
        _last_known = state is None or state.is_on
    except Unavailable:
        log.warning("quarantine is not known", assumed=_last_known)
    return _last_known


@dataclass(frozen=True)
class _Copy:
    taken_at: datetime | None


def copied() -> datetime | None:
    """The moment whose state this copy shows, until it is released; None where this is none. For every page, so the database is
    asked twice a minute and not in every run."""
    global _taken
    if time.monotonic() > _taken[0]:
        state = db.ask(_Copy, "select max(taken_at) as taken_at from restores where released_at is null")
        _taken = (time.monotonic() + KNOWN, state.taken_at if state else None)
    return _taken[1]


def begin(connection: Connection, source: str, taken_at: datetime) -> None:
    """As the owner of the tables, in the transaction that restores. `taken_at`: the moment whose state came back."""
    for statement in ("update sessions set revoked_at = now() where revoked_at is null",
                      "delete from tickets",
                      "delete from password_resets",
                      "update invitations set withdrawn_at = now() where accepted_at is null and withdrawn_at is null"):
        connection.execute(text(statement))
    connection.execute(text("insert into restores (source, taken_at) values (:source, :taken_at)"),
                       {"source": source, "taken_at": taken_at})


def end(connection: Connection) -> int:
    """Rows released: none where this was no restored copy, or was released before."""
    return connection.execute(text("update restores set released_at = now() where released_at is null")).rowcount
