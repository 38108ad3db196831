"""Brings a database to the schema this code was written for, and refuses to work with any other."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from sqlalchemy import Connection, make_url, text
from sqlalchemy.pool import NullPool

from lib import db
from lib.errors import SetUpError
from lib.settings import ROOT

if TYPE_CHECKING:
    from alembic.config import Config


def configuration(connection: Connection | None = None) -> "Config":
    from alembic.config import Config  # a third of a second that only a migration has to spend

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


def known() -> list[str]:
    """The versions of this code, oldest first: each migration's file begins with its own."""
    return sorted(path.name.split("_")[0] for path in (ROOT / "migrations" / "versions").glob("[0-9]*.py"))


def head() -> str:
    return known()[-1]


def bring_up_to_date(owner_url: str) -> None:
    """An empty database gets schema.sql, a live one the migrations it lacks. One process at a time."""
    with db.translated(), db.open_engine(owner_url, poolclass=NullPool).begin() as connection:
        _check_server(connection)
        connection.execute(text("set local statement_timeout = 0"))
        connection.execute(text("select pg_advisory_xact_lock(hashtext('chairside.migrate'))"))
        if connection.execute(text("select to_regclass('public.alembic_version')")).scalar() is None:
            load_schema(connection)
        elif version(connection) not in known():
            raise SetUpError(f"The database is at schema version {version(connection)}, which this older code does not know. "
                             "Start the newer version again.")
        elif version(connection) != head():
            upgrade(connection)


def upgrade(connection: Connection, to: str = "head") -> None:
    from alembic import command

    command.upgrade(configuration(connection), to)


def load_version(connection: Connection, wanted: str) -> None:
    """An empty database at that version, which may be an older one."""
    if wanted == head():
        load_schema(connection)
    else:
        upgrade(connection, wanted)


def load_schema(connection: Connection) -> None:
    run_script(connection, ROOT / "schema.sql")


def run_script(connection: Connection, path: Path) -> None:
    """A file of plain SQL in the connection's transaction, as the driver takes it: a `%` is a `%`."""
    driver(connection).execute(path.read_bytes())


def driver(connection: Connection) -> psycopg.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def version(connection: Connection) -> str:
    found = connection.execute(text("select to_regclass('public.alembic_version')")).scalar()
    return str(connection.execute(text("select version_num from alembic_version")).scalar()) if found else ""


def check(connection: Connection) -> None:
    """The database is new enough and at this code's version, and this role can't step over the clinic walls."""
    _check_server(connection)
    if version(connection) != head():
        raise SetUpError(f"The database is at schema version {version(connection) or 'none'}, this code at {head()}. "
                         "Run `make migrate` with DATABASE_OWNER_URL.")
    if connection.execute(text("""
            select r.rolsuper or r.rolbypassrls or exists (
                select from pg_class c
                where c.relnamespace = 'public'::regnamespace and pg_has_role(c.relowner, 'member'))
            from pg_roles r
            where r.rolname = current_user
            """)).scalar():
        raise SetUpError("DATABASE_URL names a role that owns tables or bypasses row-level security. Use the restricted "
                         "role chairside_app, or one that is a member of it.")


def _check_server(connection: Connection) -> None:
    server = int(connection.execute(text("select current_setting('server_version_num')")).scalar_one())
    if server < 180000:
        raise SetUpError(f"Chairside needs PostgreSQL 18 or newer; this server is {server // 10000}.")


def make_role(owner_url: str, data: Path, name: str) -> str:
    """For development with only the owner's address: the role `app` or `worker`, its password kept in the data folder."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    role, path = f"chairside_{name}", data / f"outside_{name}.password"
    if not path.exists():
        with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(32))
    with db.translated(), db.open_engine(owner_url, poolclass=NullPool).begin() as connection:
        known = connection.execute(text("select 1 from pg_roles where rolname = :role"), {"role": role}).scalar()
        driver(connection).execute(sql.SQL("{} role {} login password {}").format(
            sql.SQL("alter" if known else "create"), sql.Identifier(role), sql.Literal(path.read_text())))
    return make_url(owner_url).set(username=role, password=path.read_text()).render_as_string(hide_password=False)
