"""The engine, the transaction with its identity, and the one place where driver errors become the project's own."""

import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

import psycopg
import structlog
from psycopg.rows import RowMaker, class_row, kwargs_row, scalar_row, tuple_row
from sqlalchemy import Connection, Engine, TextClause, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from lib import errors
from lib.identity import Identity
from lib.texts import _

log = structlog.get_logger()
T = TypeVar("T")
OPTIONS = "-c timezone=UTC -c statement_timeout=20s -c idle_in_transaction_session_timeout=60s"
DIALECT = make_url("postgresql+psycopg://").get_dialect()()
# Who falls silent without hanging up, as a machine without power does, is given up after some 20 seconds, not after the system's
# quarter of an hour.
SILENCE = {"keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 20_000}
ALIVE = 1.0  # seconds after its last use in which a silent connection is taken for alive without being asked
_engine: Engine | None = None
_witness: Callable[[Identity], None] | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """Up to `limit` rows, and whether there are more behind the last one."""

    rows: list[T]
    more: bool


class Scope:
    """An open transaction inside one clinic. Every statement gets `:clinic_id`; it commits when its `with` ends.

    `primary`: where it is put on record what is read here; another one on a replica, which takes no rows. `afterwards`: called
    once a member's transaction is committed, for what must not be told twice where it is tried again.
    """

    def __init__(self, connection: Connection, identity: Identity, primary: "Scope | None" = None) -> None:
        self.connection = connection
        self.identity = identity
        self.primary = primary or self
        self.afterwards: list[Callable[[], None]] = []

    def run(self, sql: str, **values: Any) -> int:
        """Rows touched."""
        return self._execute(tuple_row, sql, values).rowcount

    def run_many(self, sql: str, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self.connection.execute(statement(sql), [{"clinic_id": self.identity.clinic_id, **row} for row in rows])

    def value(self, sql: str, **values: Any) -> Any:
        """The first column of the first row, or None."""
        return self._execute(scalar_row, sql, values).fetchone()

    def many(self, cls: type[T], sql: str, **values: Any) -> list[T]:
        return self._execute(rows_of(cls), sql, values).fetchall()

    def first(self, cls: type[T], sql: str, **values: Any) -> T | None:
        return self._execute(class_row(cls), sql, values).fetchone()

    def one(self, cls: type[T], sql: str, **values: Any) -> T:
        """The row, or NotFound: a foreign id answers like a random one."""
        row = self.first(cls, sql, **values)
        if row is None:
            raise errors.NotFound
        return row

    def page(self, cls: type[T], sql: str, *, limit: int, **values: Any) -> Page[T]:
        """`sql` ends in `limit :limit + 1`: the row too many tells that there is a next page."""
        rows = self.many(cls, sql, limit=limit, **values)
        return Page(rows[:limit], len(rows) > limit)

    def _execute(self, rows: Any, sql: str, values: dict[str, Any]) -> psycopg.Cursor[Any]:
        return execute(self.connection, rows, sql, {"clinic_id": self.identity.clinic_id, **values})


def rows_of(cls: type[T]) -> Callable[[psycopg.Cursor[Any]], RowMaker[T]]:
    """By the columns' names; a NamedTuple whose fields are the columns in their order needs no names, and a tenth of the time."""
    def make(cursor: psycopg.Cursor[Any]) -> RowMaker[T]:
        columns = tuple(column.name for column in cursor.description or ())
        if issubclass(cls, tuple) and getattr(cls, "_fields", ()) == columns:
            return partial(tuple.__new__, cls)
        return class_row(cls)(cursor)
    return make


def execute(connection: Connection, rows: Any, sql: str, values: dict[str, Any]) -> psycopg.Cursor[Any]:
    """By the driver itself, which takes a third of the CPU of SQLAlchemy's way to a text statement and its rows (ADR 006).

    `rows`: one of psycopg's row factories.
    """
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return driver.cursor(row_factory=rows).execute(_in_driver_style(sql), values)


@lru_cache(maxsize=1000)
def statement(sql: str) -> TextClause:
    return text(sql)


@lru_cache(maxsize=1000)
def _in_driver_style(sql: str) -> bytes:
    """With `%(name)s` for `:name`."""
    return str(text(sql).compile(dialect=DIALECT)).encode()


def connect(url: str, pool_size: int) -> None:
    """Open the pool of the restricted role. A connection that died while it rested is noticed before it is handed out."""
    global _engine
    engine = open_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_timeout=10)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _look_alive)
    _engine = engine


def _note_use(_driver: Any, entry: ConnectionPoolEntry) -> None:
    entry.info["used"] = time.monotonic()


def _look_alive(driver: psycopg.Connection[Any], entry: ConnectionPoolEntry, _borrowed: Any) -> None:
    """The pool's own look costs a trip each time, and a page borrows a connection two or three times in a few milliseconds."""
    rested = time.monotonic() - entry.info.get("used", 0.0)
    if driver.closed or ((rested > ALIVE or _has_news(driver)) and not _answers(driver)):
        raise InvalidatePoolError


def _has_news(driver: psycopg.Connection[Any]) -> bool:
    """A server that closes a connection says so; one at rest has nothing else to say. Costs no trip."""
    line = select.poll()
    line.register(driver.fileno(), select.POLLIN)
    return bool(line.poll(0))


def _answers(driver: psycopg.Connection[Any]) -> bool:
    try:
        driver.execute("")
        driver.rollback()
    except psycopg.Error:
        return False
    return True


def open_engine(url: str, **pool: Any) -> Engine:
    arguments = {"prepare_threshold": None, "options": OPTIONS, "connect_timeout": 5, **SILENCE}
    try:
        address = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):  # its own words may repeat the password
        raise errors.SetUpError("The address of a database can't be read. It is written like this: postgresql://role:password@host:5432/"
                                "chairside?sslmode=verify-full. A password's @ is %40, its / is %2F.") from None
    return create_engine(address, connect_args=arguments, hide_parameters=True, **pool)


def is_connected() -> bool:
    return _engine is not None


def disconnect() -> None:
    global _engine
    if _engine is not None:
        _engine.dispose()
    _engine = None


def pool_use() -> tuple[int, int]:
    """Connections lent out by this process's pool, and how many it lends at most."""
    pool = _engine.pool if _engine is not None else None
    if not isinstance(pool, QueuePool):
        return 0, 0
    return pool.checkedout(), pool.size() + pool._max_overflow


def call_witness(witness: Callable[[Identity], None]) -> None:
    """Who is told of every refusal: lib/audit.py, which stands above this module."""
    global _witness
    _witness = witness


@contextmanager
def scope(identity: Identity) -> Iterator[Scope]:
    """A transaction in the identity's clinic, let in by `app.enter` only while the membership lasts.

    What is refused inside, or not there, is put on record once the transaction has been undone.
    """
    try:
        with unwitnessed(identity) as scope:
            yield scope
    except (errors.Forbidden, errors.NotFound):
        if _witness:
            _witness(identity)
        raise


@contextmanager
def unwitnessed(identity: Identity) -> Iterator[Scope]:
    """For the record itself."""
    with nobody() as connection:
        enter(connection, identity)
        scope = Scope(connection, identity)
        yield scope
    for tell in scope.afterwards:
        try:
            tell()
        except Exception as error:  # what is committed has been done, whatever becomes of the word on it
            log.error("not told", error=type(error).__name__)


def enter(connection: Connection, identity: Identity) -> None:
    """An API client comes in with its own role, whatever its owner's is."""
    door = "select app.enter_client(:clinic_id, :member)" if identity.client else "select app.enter(:clinic_id, :member)"
    execute(connection, tuple_row, door, {"clinic_id": identity.clinic_id, "member": identity.client or identity.user_id})


@contextmanager
def nobody() -> Iterator[Connection]:
    """A transaction in no clinic: row-level security shows it no tenant's row. For sign-in and health checks."""
    if _engine is None:
        raise errors.Unavailable
    with translated(), _engine.begin() as connection:
        yield connection


def ask(cls: Callable[..., T], sql: str, **values: Any) -> T | None:
    """The first row of one statement in no clinic that is a transaction by itself: no trips to begin and commit it.

    Every request and every rerun begins with one, and by the driver it takes 0.7 of the CPU (ADR 022).
    """
    if _engine is None:
        raise errors.Unavailable
    with translated(), closing(_engine.raw_connection()) as borrowed:
        driver: psycopg.Connection[Any] = borrowed.driver_connection  # type: ignore[assignment]
        with _committing(driver):
            return driver.cursor(row_factory=kwargs_row(cls)).execute(_in_driver_style(sql), values).fetchone()


@contextmanager
def _committing(driver: psycopg.Connection[Any]) -> Iterator[None]:
    """Each statement by itself. A driver that is broken can't be told, and is not lent again."""
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False


@contextmanager
def translated() -> Iterator[None]:
    """Driver errors become the project's own. Their chain ends here: they carry statements and values into any log."""
    try:
        yield
    except PoolTimeout:
        raise errors.Unavailable(reason="no connection is free") from None
    except (DBAPIError, psycopg.Error) as error:
        raise _translate(error.orig if isinstance(error, DBAPIError) else error) from None


def _translate(error: BaseException | None) -> errors.AppError:
    code = getattr(error, "sqlstate", None) or ""
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None) or ""
    if constraint in _sentences():
        return errors.Conflict(_sentences()[constraint]) if code == "23505" else errors.Invalid(_sentences()[constraint])
    if isinstance(error, psycopg.OperationalError) and code[:2] in ("", "08", "57"):
        return errors.Unavailable(reason=str(error).strip().partition("\n")[0])
    return _BY_CODE.get(code, _BY_CODE.get(code[:2], errors.AppError))()


_BY_CODE: dict[str, type[errors.AppError]] = {
    "42501": errors.Forbidden,
    "23505": errors.Conflict,
    "23503": errors.NotFound,
    "CS001": errors.Forbidden,
    "CS002": errors.Conflict,
    "CS004": errors.LastOwner,
    "CS005": errors.NoHelp,
    "CS006": errors.Conflict,
    "CS007": errors.FactorRequired,
    "CS008": errors.Gone,
    "CS009": errors.Changed,
    "CS010": errors.EmergencyOpen,
    "CS011": errors.AnswerRunning,
    "CS012": errors.ImportRunning,
    "25006": errors.Unavailable,  # not the primary, or no more
    "55P03": errors.Busy,
    "22": errors.Invalid,
    "23": errors.Invalid,
    "40": errors.Busy,  # of two that wait for each other, one is undone; so is who reads on a replica what is being taken away
    "57": errors.Unavailable,
    "53": errors.Unavailable,
}


def _sentences() -> dict[str, str]:
    return {
        "one_patient_per_external_id": _("Another patient of this clinic has this record number already."),
        "one_account_per_mailbox": _("This email can't be used to sign up. If it is yours, sign in instead."),
        "one_open_invitation_per_mailbox": _("Somebody invited this address a moment ago."),
        "death_follows_birth": _("The date of death lies before the date of birth."),
        "emergency_number_is_dialable": _("An emergency number has 2 to 12 digits."),
    }
