"""What the installation's operator has to hear of: looked at each minute, raised once, cleared when it was calm for a while.

Any number of processes may look at once: the database lets one raise (`one_open_alert`), and calm is measured in time, not in
looks, so more of them clear nothing sooner.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine, Row

from lib import alert_words, archivist, backup, db, jobs, quarantine, settings
from lib.errors import SetUpError

log = structlog.get_logger()

WINDOW = timedelta(minutes=10)  # of what processes count
MOMENT = timedelta(minutes=3)  # in which a living process has written its state
REST = timedelta(minutes=5)  # below the lower limit until an alert is over
FEWEST = 3  # slow or failed ones: less is chance
KEPT = timedelta(days=90)
STATES = {"backups": ("disk", alert_words.OF_BACKUPS), "disk": ("disk", 0), "provider": ("provider", 0)}
PATIENCE = 30  # seconds for a test, which a mail server and a webhook may take
BEGAN = datetime.now(UTC)  # of this process
SETTLED = timedelta(hours=2)  # after which what is done every hour was tried


@dataclass(frozen=True)
class Limit:
    """Raised above the upper one, calm at the lower one, and in between it stays as it is. `sample`: with fewer events, nobody
    can say, which counts as calm."""

    upper: float
    lower: float
    sample: int = 0


LIMITS = {
    "reruns": Limit(5, 3, 30), "requests": Limit(5, 3, 30), "answers": Limit(5, 3, 20),  # percent that are too slow: a p95
    "errors": Limit(1, 0.5, 100),  # percent
    "connections": Limit(80, 70), "disk": Limit(80, 75),  # percent
    "backup": Limit(26, 26),  # hours
    "archive": Limit(2, 0),  # days
    "provider": Limit(0, 0),  # whether a breaker is open
    "worker": Limit(5, 0),  # minutes
}


@dataclass(frozen=True)
class Reading:
    kind: str
    level: int
    amount: float
    most: float
    over: bool
    calm: bool


def look() -> None:
    """A job of every minute. Sending is left to jobs of their own; a restored copy looks, and sends nothing."""
    with jobs.transaction() as connection:
        for reading in list(readings(connection)):
            judge(connection, reading)
        for row in connection.execute(db.statement("select clinic_id, kind, level, cleared from app.watch_clinics()")):
            _log(row.kind, row.level, "cleared" if row.cleared else "raised", clinic_id=str(row.clinic_id))
        _forget(connection)
    if not quarantine.is_on():
        with jobs.transaction() as connection:
            connection.execute(db.statement("select app.queue_alerts()"))


# measuring -----------------------------------------------------------------------------------------------------------


def readings(connection: Connection) -> Iterator[Reading]:
    """What nobody wrote down, such as a disk that no process could look at, has none, and changes nothing."""
    yield from _budget(connection)
    yield from _counted(connection)
    yield from _states(connection)
    yield _measured("connections", *connection.execute(db.statement("""
        select 100.0 * sum(numbackends) / current_setting('max_connections')::int as share
        from pg_stat_database
        """)).one())
    yield from _backup(connection)
    yield from _archive(connection)
    yield _worker(connection)


def _measured(kind: str, amount: float, level: int = 0) -> Reading:
    limit = LIMITS[kind]
    return Reading(kind, level, float(amount), limit.upper, amount > limit.upper, amount <= limit.lower)


def _budget(connection: Connection) -> Iterator[Reading]:
    """Of the day in UTC. It stops no clinic: those have budgets of their own."""
    most = settings.get().ai_installation_budget
    spent = float(connection.execute(db.statement("select app.installation_spend(:day)"),
                                     {"day": datetime.now(UTC).date()}).scalar_one())
    for level in (80, 100):
        yield Reading("budget", level, spent, most, spent >= most * level / 100, spent < most * (level - 10) / 100)


def _counted(connection: Connection) -> Iterator[Reading]:
    for kind, events, over in connection.execute(db.statement("""
            select kind, sum(events), sum(over)
            from process_minutes
            where noted_at > now() - cast(:window as interval)
              and kind in ('reruns', 'requests', 'answers', 'errors')
            group by kind
            order by kind
            """), {"window": WINDOW}):
        enough = events >= LIMITS[kind].sample and over >= FEWEST
        yield _measured(kind, 100 * over / events if enough else 0)


def _states(connection: Connection) -> Iterator[Reading]:
    """The worst that any process sees in its last look."""
    for kind, share in connection.execute(db.statement("""
            select kind, max(100.0 * over / events)
            from (select distinct on (process, kind) kind, over, events
                  from process_minutes
                  where noted_at > now() - cast(:moment as interval)
                    and kind = any(:kinds)
                  order by process, kind, noted_at desc) latest
            group by kind
            order by kind
            """), {"moment": MOMENT, "kinds": list(STATES)}):
        name, level = STATES[kind]
        yield _measured(name, share, level)


def _backup(connection: Connection) -> Iterator[Reading]:
    """Where none was ever made, since the first clinic came."""
    newest = backup.last()
    since = newest.finished_at if newest else connection.execute(db.statement("select app.opened_at()")).scalar()
    if since:
        yield _measured("backup", (datetime.now(UTC) - since) / timedelta(hours=1))


def _archive(connection: Connection) -> Iterator[Reading]:
    """By what is still in the database, so that a forgotten `make archive` is missed as well as one that fails."""
    months = settings.get().archive_after
    if months and datetime.now(UTC) - BEGAN > SETTLED:
        yield _measured("archive", archivist.days_late(connection, months))


def _worker(connection: Connection) -> Reading:
    """For how long jobs have been waiting for one."""
    return _measured("worker", connection.execute(db.statement("""
        select case when workers = 0 then coalesce(extract(epoch from now() - oldest_waiting) / 60, 0) else 0 end as minutes
        from app.queue_state()
        """)).scalar_one())


# raising and clearing ------------------------------------------------------------------------------------------------


def judge(connection: Connection, reading: Reading) -> None:
    """In the order of `readings` in every process, so that two never wait for each other."""
    if reading.over:
        _raise(connection, reading)
    else:
        _calm(connection, reading)


def _raise(connection: Connection, reading: Reading) -> None:
    """Again above the limit, it is calm no longer; one that is not there yet is raised, by the first who does."""
    facts = {"kind": reading.kind, "level": reading.level, "amount": reading.amount, "most": reading.most}
    standing = connection.execute(db.statement("""
        update alerts
        set amount = :amount, calm_since = null
        where kind = :kind and level = :level and cleared_at is null
        """), facts).rowcount
    if not standing and connection.execute(db.statement("""
            insert into alerts (kind, level, amount, most) values (:kind, :level, :amount, :most) on conflict do nothing
            """), facts).rowcount:
        _log(reading.kind, reading.level, "raised", amount=round(reading.amount, 2))


def _calm(connection: Connection, reading: Reading) -> None:
    facts = {"kind": reading.kind, "level": reading.level, "calm": reading.calm, "rest": REST}
    connection.execute(db.statement("""
        update alerts
        set calm_since = case when :calm then coalesce(calm_since, now()) end
        where kind = :kind and level = :level and cleared_at is null
        """), facts)
    if connection.execute(db.statement("""
            update alerts
            set cleared_at = now()
            where kind = :kind and level = :level and cleared_at is null and calm_since <= now() - cast(:rest as interval)
            """), facts).rowcount:
        _log(reading.kind, reading.level, "cleared")


def _log(kind: str, level: int, change: str, **facts: object) -> None:
    log.warning("alert", kind=kind, level=level, change=change, **facts)


def _forget(connection: Connection) -> None:
    connection.execute(db.statement("delete from process_minutes where noted_at < now() - interval '1 hour'"))
    connection.execute(db.statement("delete from alerts where cleared_at < now() - cast(:kept as interval)"), {"kept": KEPT})


# where no worker lives -----------------------------------------------------------------------------------------------


def miss_worker() -> UUID | None:
    """By the clock of every process, for no worker notices that there is none. The alert that this process has to tell of itself:
    each is told by one, and what failed is tried again after five minutes."""
    with db.nobody() as connection:
        judge(connection, _worker(connection))
        if quarantine.is_on():
            return None
        found: UUID | None = connection.execute(db.statement("""
            update alerts
            set queued_at = now()
            where kind = 'worker'
              and cleared_at is null
              and app.muted_until(kind) is null
              and (queued_at is null or queued_at < now() - interval '5 minutes'
                                        and (told_at is null or mail_problem <> '' or post_problem <> ''))
            returning id
            """)).scalar()
        return found


# the operator's commands ---------------------------------------------------------------------------------------------


def told(connection: Connection) -> list[str]:
    """Lines for `make alerts`, as the owner of the tables: what stands, what was over lately, what is muted."""
    rows = connection.execute(db.statement("""
        select kind, level, amount, most, raised_at, cleared_at, mailed_at, posted_at, mail_problem, post_problem
        from alerts
        where cleared_at is null or cleared_at > now() - interval '7 days'
        order by cleared_at desc nulls first, raised_at desc
        limit 50
        """)).all()
    muted = connection.execute(db.statement("""
        select distinct on (kind) kind, until, muted_by from alert_mutes order by kind, id desc
        """)).all()
    lines = [_line(row) for row in rows] or ["No alert stands."]
    return lines + [f"muted: {row.kind} until {row.until:%Y-%m-%d %H:%M} UTC by {row.muted_by}"
                    for row in muted if row.until > datetime.now(UTC)]


def _line(one: Row[Any]) -> str:
    state = f"over since {one.cleared_at:%Y-%m-%d %H:%M} UTC" if one.cleared_at else "stands"
    ways = [f"mailed {one.mailed_at:%H:%M}" if one.mailed_at else f"mail: {one.mail_problem}" if one.mail_problem else "",
            f"posted {one.posted_at:%H:%M}" if one.posted_at else f"webhook: {one.post_problem}" if one.post_problem else ""]
    words = alert_words.sentence(one.kind, one.level, float(one.amount), float(one.most))
    return "; ".join(part for part in (f"{one.raised_at:%Y-%m-%d %H:%M} UTC {one.kind}: {words} {state}", *ways) if part)


def mute(connection: Connection, kind: str, hours: float, by: str) -> None:
    """0 hours: told of again."""
    if kind not in alert_words.OF_THE_INSTALLATION:
        raise SetUpError(f"Nothing of this name is watched, but these are: {', '.join(alert_words.OF_THE_INSTALLATION)}.")
    connection.execute(db.statement("""
        insert into alert_mutes (kind, until, muted_by) values (:kind, now() + cast(:time as interval), :by)
        """), {"kind": kind, "time": timedelta(hours=hours), "by": by[:200]})


def test(connection: Connection) -> UUID:
    """An alert that says it is none, on the way that all go."""
    made: UUID = connection.execute(db.statement("""
        insert into alerts (kind, amount, most, cleared_at, queued_at) values ('test', 0, 0, now(), now()) returning id
        """)).scalar_one()
    connection.execute(db.statement("select app.defer_alert(null, :id)"), {"id": made})
    return made


def await_outcome(engine: Engine, alert_id: UUID) -> str:
    """What became of a test, in words."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with engine.begin() as connection:
            row = connection.execute(db.statement("""
                select told_at, mailed_at, posted_at, mail_problem, post_problem from alerts where id = :id
                """), {"id": alert_id}).one()
        if row.told_at:
            return f"Mail: {_way(row.mailed_at, row.mail_problem)}. Webhook: {_way(row.posted_at, row.post_problem)}."
        time.sleep(0.5)
    return "No worker took the test up. `make jobs` tells whether one lives; a restored copy sends nothing until `make release`."


def _way(at: datetime | None, problem: str) -> str:
    return "sent" if at else problem or "not configured"
