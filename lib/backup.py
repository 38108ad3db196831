"""Backups: made in one snapshot, encrypted, read back before they count, kept for a while; and brought back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import structlog
from psycopg.conninfo import make_conninfo
from psycopg.rows import tuple_row
from sqlalchemy import Connection, text
from sqlalchemy.pool import NullPool

from lib import db, dump, embedded, migrations, quarantine, sealed_file, settings, vault, wal
from lib.dump import Manifest
from lib.errors import SetUpError

log = structlog.get_logger()

EVERY = timedelta(hours=24)
AFTER_FAILURE = timedelta(minutes=15)
DAYS, WEEKS_OF_DAYS = 7, 30  # every backup of the last 7 days, then one a week until it is 30 days old
KINDS = ("tables", "cluster")
NAME = "chairside-%Y%m%dT%H%M%SZ.backup"
_failed_at: datetime | None = None


@dataclass(frozen=True)
class Made:
    """The newest file of its kind that was read back whole. `row_count`: of the tables."""

    file: str
    bytes: int
    row_count: int | None
    finished_at: datetime


@dataclass(frozen=True)
class Recovered:
    """`copied`: when the copy of the cluster was made that it went on from. `clusters`: how many have left a log in the folder of
    backups."""

    copied: datetime
    clinics: int
    patients: int
    clusters: int

    @property
    def file(self) -> str:
        return self.copied.strftime(wal.NAME)


def last() -> Made | None:
    """For whoever watches the installation: older than 26 hours is a reason to wake somebody."""
    return _newest("tables")


def _newest(kind: str) -> Made | None:
    return db.ask(Made, """
        select file, bytes, row_count, finished_at from backups where kind = :kind order by finished_at desc limit 1
        """, kind=kind)


# making --------------------------------------------------------------------------------------------------------------


def run_if_due(server: embedded.Server | None, now: datetime | None = None) -> Path | None:
    """Once a day, by whichever process comes first. Nothing where nobody gave a key, or in a restored copy that is not released.
    `server`: the embedded one; without it DATABASE_BACKUP_URL says where to read. After a failure it waits a quarter of an
    hour."""
    global _failed_at
    now = now or datetime.now(UTC)
    if not is_set_up(server) or quarantine.is_on():
        return None
    if (_failed_at and now < _failed_at + AFTER_FAILURE) or not _due(server, now):
        return None
    try:
        return make(server, kinds=lambda: _due(server, now))
    except BaseException:
        _failed_at = now
        raise


def ship_log(server: embedded.Server | None) -> None:
    """What the embedded server left of its log since, under the same conditions. Not a part of a backup, which takes minutes."""
    if server and keeps_log(server):
        wal.ship(server)


def keeps_log(server: embedded.Server) -> bool:
    """A restored copy's log may not follow that of the cluster it was copied from: both count as one until it is released."""
    return is_set_up(server) and not quarantine.is_on()


def ship_rest(server: embedded.Server) -> None:
    """What it left when it was stopped. A stop succeeds without it."""
    try:
        wal.ship(server)
    except OSError as error:
        log.warning("the end of the write-ahead log could not be carried off; it will be when Chairside runs again",
                    folder=str(settings.get().backups), reason=error.strerror)


def is_set_up(server: embedded.Server | None) -> bool:
    """Whether somebody gave a key, and this process a way to read everything."""
    configured = settings.get()
    return bool(configured.backup_key_list and (server or configured.database_backup_url))


def _due(server: embedded.Server | None, now: datetime) -> tuple[str, ...]:
    """The cluster goes with the tables; where its copy failed it is due alone, or each try would leave all tables once more."""
    if _is_due("tables", now):
        return KINDS
    return ("cluster",) if server and _is_due("cluster", now) and wal.is_archiving(server) else ()


def _is_due(kind: str, now: datetime) -> bool:
    newest = _newest(kind)
    return newest is None or newest.finished_at < now - EVERY


def make(server: embedded.Server | None, *, kinds: Callable[[], tuple[str, ...]] = lambda: KINDS) -> Path | None:
    """The new file; None where another process is making one, or no `kinds` are left to make once this process has its turn. On
    the embedded server the cluster too, from which the write-ahead log leads to any later moment."""
    key, folder = _newest_key(), settings.get().backups
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _snapshot(_address(server)) as connection:
        wanted = kinds() if _take_turn(connection) else ()
        tables = _save_tables(connection, folder, key) if "tables" in wanted else None
        cluster = _save_cluster(server, folder, key) if server and "cluster" in wanted else None
    if wanted:
        forget_old(folder, datetime.now(UTC))
    return tables or cluster


def _save_tables(connection: psycopg.Connection[Any], folder: Path, key: str) -> Path:
    began = datetime.now(UTC)
    path = folder / began.strftime(NAME)
    manifest = _write(connection, path, key)
    _record("tables", path, began, manifest.row_count)
    log.info("backup made", file=path.name, rows=manifest.row_count)
    return path


def _save_cluster(server: embedded.Server, folder: Path, key: str) -> Path | None:
    if not wal.is_archiving(server):
        log.warning("no moment between backups is kept: the database was started without CHAIRSIDE_BACKUP_KEYS; stop every "
                    "process of Chairside and start again")
        return None
    began = datetime.now(UTC)
    path = wal.copy_cluster(server, folder, key)
    _record("cluster", path, began, None)
    wal.ship(server)
    return path


def _write(connection: psycopg.Connection[Any], path: Path, key: str) -> Manifest:
    """Under its name only once it was read back and compared."""
    draft = path.with_name("tables.part")
    with sealed_file.create(draft, key) as file:
        manifest = dump.write(connection, file.write)
    if dump.check(sealed_file.read(draft, [key])) != manifest:
        raise SetUpError(f"{draft} does not hold what was written to it. Is the disk in order?")
    draft.rename(path)
    return manifest


def _address(server: embedded.Server | None) -> str:
    outside = settings.get().database_backup_url or settings.get().database_owner_url
    if server:
        return server.url("postgres")
    if outside is None:
        raise SetUpError("DATABASE_BACKUP_URL is missing: the database's address as a role that may read everything.")
    return outside.get_secret_value()


@contextmanager
def _snapshot(address: str) -> Iterator[psycopg.Connection[Any]]:
    """Everything read in it is of one moment."""
    watched = make_conninfo(address, **db.SILENCE)
    with db.translated(), psycopg.connect(watched, options="-c timezone=UTC", connect_timeout=5) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("set local statement_timeout = 0")
        connection.execute("set local idle_in_transaction_session_timeout = 0")
        yield connection


def _take_turn(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("select pg_try_advisory_xact_lock(hashtext('chairside.backup'))").fetchone() == (True,)


def _record(kind: str, path: Path, began: datetime, row_count: int | None) -> None:
    """As the restricted role: who may only read can't write that down."""
    with db.nobody() as connection:
        db.execute(connection, tuple_row, """
            insert into backups (kind, file, bytes, row_count, began_at) values (:kind, :file, :bytes, :row_count, :began)
            """, {"kind": kind, "file": path.name, "bytes": path.stat().st_size, "row_count": row_count, "began": began})


def _newest_key() -> str:
    keys = settings.get().backup_key_list
    if not keys:
        raise SetUpError("A backup needs CHAIRSIDE_BACKUP_KEYS. `make key` prints one; keep it apart from the backups: nothing "
                         "else opens them.")
    return keys[0]


def forget_old(folder: Path, now: datetime) -> None:
    """Every backup of the last 7 days stays, and of each week before that the newest, until it is 30 days old. The newest of all
    stays in any case: after a month of failures it is what there is."""
    weeks = set()
    found = sorted(folder.glob("chairside-*.backup"), reverse=True)
    for number, path in enumerate(found):
        made = datetime.strptime(path.name, NAME).replace(tzinfo=UTC)
        week, age = made.isocalendar()[:2], now - made
        is_kept = age < timedelta(days=DAYS) or (age < timedelta(days=WEEKS_OF_DAYS) and week not in weeks)
        if age >= timedelta(days=DAYS):
            weeks.add(week)
        if number and not is_kept:
            path.unlink()
    wal.forget_old(folder, now - timedelta(days=DAYS))


# bringing back -------------------------------------------------------------------------------------------------------


def newest(folder: Path) -> Path:
    found = sorted(folder.glob("chairside-*.backup"))
    if not found:
        raise SetUpError(f"There is no backup in {folder}. Name one, or the folder with CHAIRSIDE_BACKUPS.")
    return found[-1]


def restore(path: Path, owner_url: str, *, over_data: bool = False) -> Manifest:
    """Into an empty database, or with `over_data` in place of what is there; all of it or nothing. Read to its end first."""
    keys = _keys_to_read()
    _refuse_cluster(path, keys)
    manifest = dump.check(sealed_file.read(path, keys))
    if manifest.schema_version not in migrations.known():
        raise SetUpError(f"{path} is of schema version {manifest.schema_version}, which this older code does not know. "
                         "Restore it with the newer version.")
    with db.translated(), db.open_engine(owner_url, poolclass=NullPool).begin() as connection:
        connection.execute(text("set local statement_timeout = 0"))
        connection.execute(text("set local idle_in_transaction_session_timeout = 0"))
        _make_room(connection, over_data)
        migrations.load_version(connection, manifest.schema_version)
        dump.load(migrations.driver(connection), dump.Reader(sealed_file.read(path, keys)))
        _settle(connection, path.name, manifest.taken_at)
    return manifest


def _refuse_cluster(path: Path, keys: list[str]) -> None:
    """A dump begins with its manifest, as a comment."""
    if not next(sealed_file.read(path, keys)).startswith(b"-- {"):
        raise SetUpError(f"{path} is a copy of the cluster, or a piece of its log, and not of the tables: `make restore UNTIL=…` "
                         "brings it back. Nothing was restored.")


def restore_until(until: datetime | None) -> Recovered:
    """The embedded server's data folder, which must be empty, as it was at that moment; None: as late as the log goes, if
    none of it is missing."""
    _keys_to_read()
    configured = settings.get()
    copied = wal.recover(configured.backups, configured.data, until)
    server = embedded.start(configured.data)
    try:
        with db.translated(), db.open_engine(server.url("chairside_owner"), poolclass=NullPool).begin() as connection:
            _settle(connection, "write-ahead log", until or wal.reached(server.cluster) or copied)
        return Recovered(copied, *_count(server), wal.clusters(configured.backups))
    finally:
        server.stop()


def _count(server: embedded.Server) -> tuple[int, int]:
    """Clinics and patients, past the walls that bind the tables' owner."""
    with psycopg.connect(server.url("postgres"), row_factory=tuple_row) as connection:
        found = connection.execute("select (select count(*) from clinics), (select count(*) from patients)").fetchone()
    assert found
    return found


def _settle(connection: Connection, source: str, taken_at: datetime) -> None:
    """The schema of this code, nobody signed in, silence to the outside; and a word where stored secrets stay closed."""
    migrations.upgrade(connection)
    quarantine.begin(connection, source, taken_at)
    connection.execute(text("delete from long_jobs where kind = 'export'"))  # what was made of them is in no backup
    sealed = connection.execute(text("select totp_secret from users where totp_secret is not null limit 1")).scalar()
    try:
        vault.unseal(sealed) if sealed else None
    except SetUpError:
        log.warning("second factors can't be read: give CHAIRSIDE_ENCRYPTION_KEYS of the installation that was backed up")


def _keys_to_read() -> list[str]:
    if not settings.get().backup_key_list:
        raise SetUpError("Opening a backup needs CHAIRSIDE_BACKUP_KEYS, the key that it was made with.")
    return settings.get().backup_key_list


def _make_room(connection: Connection, over_data: bool) -> None:
    if connection.execute(text("select to_regclass('public.alembic_version')")).scalar() is None:
        return
    others = connection.execute(text("""
        select count(*) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and usename is not null
        """)).scalar()
    if others:
        raise SetUpError("Somebody is working with this database. Stop Chairside, then restore.")
    if connection.execute(text("select exists (select from clinics) or exists (select from users)")).scalar() and not over_data:
        raise SetUpError("This database holds data already. Nothing was restored. Restore to an empty one, or say OVER_DATA=1 to "
                         "throw away what is there.")
    connection.execute(text("drop owned by current_user"))  # in this database; undone with the transaction if anything fails
