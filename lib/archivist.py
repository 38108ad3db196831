"""Which months leave for an archive, and when: by the clock and by the operator's command. As the owner."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.pool import NullPool

from lib import archives, db, quarantine, settings, vault
from lib.archives import Month

log = structlog.get_logger()


def folder() -> Path:
    """A volume of its own, if there is one, is mounted there."""
    return settings.get().data / "archives"


def run_if_due(owner_url: str) -> None:
    """What is older than CHAIRSIDE_ARCHIVE_AFTER months, by the clock of a process that may have the owner's address. Not in a
    restored copy: its folder may be the other one's. What somebody read back stays until they archive it themselves."""
    if not settings.get().archive_after or quarantine.is_on():
        return
    engine = db.open_engine(owner_url, poolclass=NullPool)
    for month in put_away(engine, settings.get().archive_after):
        log.info("month archived", table=month.child, rows=month.rows)


def put_away(engine: Engine, months: int, *, read_back: bool = False) -> Iterator[Month]:
    """Closed months older than so many, each in its own transaction: what is done stays done. Whichever process is at one, the
    others leave it alone. `read_back`: also those that came back before."""
    vault.require_keys()
    while True:
        with db.translated(), engine.begin() as connection:
            connection.execute(text("set local statement_timeout = 0"))
            connection.execute(text("set local idle_in_transaction_session_timeout = 0"))
            connection.execute(text("set local lock_timeout = '5s'"))  # whoever works waits behind it, say while a backup runs
            waiting = due(connection, months, read_back=read_back) if _take_turn(connection) else []
            if not waiting:
                return
            done = archives.archive(connection, *waiting[0], folder())
        yield done


def _take_turn(connection: Connection) -> bool:
    return bool(connection.execute(text("select pg_try_advisory_xact_lock(hashtext('chairside.archive'))")).scalar())


def due(connection: Connection, months: int, *, read_back: bool = False) -> list[tuple[str, date]]:
    before = connection.execute(text("select cast(now() - make_interval(months => :n) as date)"), {"n": months}).scalar_one()
    kept = set() if read_back else set(_read_back(connection))
    return [one for one in closed(connection, before) if one not in kept]


def days_late(connection: Connection, months: int) -> int:
    """For how long the oldest month that is still here should be away."""
    waiting = due(connection, months)
    return connection.execute(text("""
        select current_date - cast(cast(:month as timestamp) + make_interval(months => :n + 1) as date)
        """), {"month": waiting[0][1], "n": months}).scalar_one() if waiting else 0


def _read_back(connection: Connection) -> list[tuple[str, date]]:
    rows = connection.execute(text("select parent, month from archives where restored_at is not null"))
    return [(parent, month) for parent, month in rows]


def closed(connection: Connection, before: date) -> list[tuple[str, date]]:
    """The months in the database that ended by then, oldest first, by table."""
    found = connection.execute(text("""
        select p.relname, to_date(right(c.relname, 7), 'YYYY_MM')
        from pg_inherits i
        join pg_class p on p.oid = i.inhparent
        join pg_class c on c.oid = i.inhrelid
        where p.relnamespace = 'public'::regnamespace
          and p.relkind = 'p'
          and p.relname = any(:parents)
          and to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= cast(:before as date)
        order by 2, 1
        """), {"parents": list(archives.PARENTS), "before": min(before, datetime.now(UTC).date().replace(day=1))})
    return [(parent, month) for parent, month in found]
