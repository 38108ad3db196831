"""The engine, the transaction with its identity, and the one place where driver errors become the project's own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, CursorResult, Engine, Row, TextClause, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from lib import errors
from lib.identity import Identity
from lib.texts import _

T = TypeVar("T")
OPTIONS = "-c timezone=UTC -c statement_timeout=20s -c idle_in_transaction_session_timeout=60s"
_engine: Engine | None = None
_witness: Callable[[Identity], None] | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """Up to `limit` rows, and whether there are more behind the last one."""

    rows: list[T]
    more: bool


class Scope:
    """An open transaction inside one clinic. Every statement gets `:clinic_id`; it commits when its `with` ends."""

    def __init__(self, connection: Connection, identity: Identity) -> None:
        self.connection = connection
        self.identity = identity

    def run(self, sql: str, **values: Any) -> int:
        """Rows touched."""
        return self._execute(sql, values).rowcount

    def run_many(self, sql: str, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self.connection.execute(statement(sql), [{"clinic_id": self.identity.clinic_id, **row} for row in rows])

    def value(self, sql: str, **values: Any) -> Any:
        """The first column of the first row, or None."""
        return self._execute(sql, values).scalar()

    def many(self, cls: type[T], sql: str, **values: Any) -> list[T]:
        return [cls(**row._mapping) for row in self._execute(sql, values)]

    def first(self, cls: type[T], sql: str, **values: Any) -> T | None:
        row = self._execute(sql, values).first()
        return None if row is None else cls(**row._mapping)

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

    def _execute(self, sql: str, values: dict[str, Any]) -> CursorResult[Any]:
        return self.connection.execute(statement(sql), {"clinic_id": self.identity.clinic_id, **values})


@lru_cache(maxsize=1000)
def statement(sql: str) -> TextClause:
    return text(sql)


def connect(url: str, pool_size: int) -> None:
    """Open the pool of the restricted role. A dead connection is noticed before it is handed out."""
    global _engine
    _engine = open_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_timeout=10, pool_pre_ping=True)


def open_engine(url: str, **pool: Any) -> Engine:
    arguments = {"prepare_threshold": None, "options": OPTIONS, "connect_timeout": 5}
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), connect_args=arguments, hide_parameters=True, **pool)


def disconnect() -> None:
    global _engine
    if _engine is not None:
        _engine.dispose()
    _engine = None


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
        connection.execute(statement("select app.enter(:clinic_id, :user_id)"),
                           {"clinic_id": identity.clinic_id, "user_id": identity.user_id})
        yield Scope(connection, identity)


@contextmanager
def nobody() -> Iterator[Connection]:
    """A transaction in no clinic: row-level security shows it no tenant's row. For sign-in and health checks."""
    if _engine is None:
        raise errors.Unavailable
    with translated(), _engine.begin() as connection:
        yield connection


def ask(sql: str, **values: Any) -> Row[Any] | None:
    """The first row of one statement in no clinic that is a transaction by itself: no trips to begin and commit it."""
    if _engine is None:
        raise errors.Unavailable
    with translated(), _engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        return connection.execute(statement(sql), values).first()


@contextmanager
def translated() -> Iterator[None]:
    """Driver errors become the project's own. Their chain ends here: they carry statements and values into any log."""
    try:
        yield
    except PoolTimeout:
        raise errors.Unavailable(reason="no connection is free") from None
    except DBAPIError as error:
        raise _translate(error) from None


def _translate(error: DBAPIError) -> errors.AppError:
    code = getattr(error.orig, "sqlstate", None) or ""
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
    if constraint in _sentences():
        return errors.Conflict(_sentences()[constraint]) if code == "23505" else errors.Invalid(_sentences()[constraint])
    if error.connection_invalidated or (isinstance(error, OperationalError) and code[:2] in ("", "08", "57")):
        return errors.Unavailable(reason=str(error.orig).strip().partition("\n")[0])
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
    "22": errors.Invalid,
    "23": errors.Invalid,
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
