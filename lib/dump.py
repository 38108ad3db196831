"""Every row of Chairside's tables as text, in one snapshot, and back into empty tables.

The text is what psql reads: a first line of comment with the manifest, then `copy … from stdin;`, the rows, `\\.` for each
table. Roles, policies and grants are not in it: they come from schema.sql and the migrations. Nor are the parts of exports,
which are kept for a day, and a backup for a month.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any

import psycopg
from psycopg import sql
from pydantic import TypeAdapter

from lib.errors import SetUpError

END = b"\\.\n"

# Not those of extensions or neighbours, who may share the database.
OURS = "n.nspname !~ '^pg_' and c.relowner = (select relowner from pg_class where oid = to_regclass('public.alembic_version'))"


@dataclass(frozen=True)
class Table:
    schema: str
    name: str
    columns: list[str]
    rows: int

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True)
class Partition:
    """`bound`: as `create table … partition of …` takes it."""

    parent: str
    name: str
    bound: str


@dataclass(frozen=True)
class Manifest:
    """What a dump holds. `tables`: each after those its foreign keys point at. `chains`: by clinic, how many rows of the audit
    log are sealed, and the last link in hex."""

    schema_version: str
    taken_at: datetime
    tables: list[Table]
    partitions: list[Partition]
    sequences: dict[str, int]
    chains: dict[str, tuple[int, str]]

    @property
    def row_count(self) -> int:
        return sum(table.rows for table in self.tables)


MANIFEST = TypeAdapter(Manifest)


# out -----------------------------------------------------------------------------------------------------------------


def write(connection: psycopg.Connection[Any], put: Callable[[bytes], None]) -> Manifest:
    """`connection`: a repeatable-read transaction of a role that row-level security hides nothing from."""
    manifest = describe(connection)
    put(b"-- " + json.dumps(asdict(manifest), default=str).encode() + b"\n")
    for table in manifest.tables:
        put(_copy_in(table).as_bytes(connection) + b";\n")
        with connection.cursor() as cursor, cursor.copy(sql.SQL("copy (select {} from {}) to stdout").format(
                _columns(table), table.identifier)) as rows:
            for row in rows:
                put(bytes(row))
        put(END)
    return manifest


def describe(connection: psycopg.Connection[Any]) -> Manifest:
    _refuse_blinkers(connection)
    [[version, now]] = connection.execute("select version_num, now() from alembic_version").fetchall()
    return Manifest(version, now, _tables(connection), _partitions(connection), _sequences(connection), chains(connection))


def chains(connection: psycopg.Connection[Any]) -> dict[str, tuple[int, str]]:
    """The head of each clinic's audit chain."""
    return {str(clinic): (seq, head) for clinic, seq, head in connection.execute("""
        select c.id, s.seq, encode(s.chain_hash, 'hex')
        from clinics c
        cross join lateral (select seq, chain_hash from audit_seals where clinic_id = c.id order by seq desc limit 1) s
        order by c.id
        """)}


def _refuse_blinkers(connection: psycopg.Connection[Any]) -> None:
    """Under policies a dump would be empty and look whole."""
    blind = connection.execute(f"""
        select current_user, exists (
            select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where {OURS} and c.relkind in ('r', 'p') and row_security_active(c.oid))
        """).fetchone()  # noqa: S608 - a constant
    assert blind
    if blind[1]:
        raise SetUpError(f"Row-level security hides rows from the role {blind[0]}, so its backup would be empty. Give the "
                         "address of a role that bypasses it as DATABASE_BACKUP_URL: create role chairside_backup login "
                         "bypassrls password '…' in role pg_read_all_data")


def _tables(connection: psycopg.Connection[Any]) -> list[Table]:
    found = {oid: (needs, Table(schema, name, columns, _count(connection, schema, name)))
             for oid, schema, name, columns, needs in connection.execute(f"""
        select c.oid, n.nspname, c.relname,
               array(select a.attname::text from pg_attribute a
                     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum),
               array(select f.confrelid from pg_constraint f
                     where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid)
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where {OURS} and c.relkind in ('r', 'p') and not c.relispartition and c.relname not in ('alembic_version', 'export_parts')
        order by n.nspname, c.relname
        """).fetchall()}  # noqa: S608
    order = TopologicalSorter({oid: needs for oid, (needs, _table) in found.items()}).static_order()
    return [found[oid][1] for oid in order]


def _count(connection: psycopg.Connection[Any], schema: str, name: str) -> int:
    row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name))).fetchone()
    assert row
    return int(row[0])


def _partitions(connection: psycopg.Connection[Any]) -> list[Partition]:
    return [Partition(*row) for row in connection.execute(f"""
        select p.relname, c.relname, pg_get_expr(c.relpartbound, c.oid)
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_inherits i on i.inhrelid = c.oid
        join pg_class p on p.oid = i.inhparent
        where {OURS} and c.relispartition and c.relkind = 'r'
        order by c.relname
        """)]  # noqa: S608


def _sequences(connection: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(connection.execute("""
        select quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value
        from pg_sequences
        where last_value is not null
          and sequenceowner = (select relowner::regrole::name from pg_class where oid = to_regclass('public.alembic_version'))
        """).fetchall())


def _columns(table: Table) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, table.columns))


def _copy_in(table: Table) -> sql.Composed:
    return sql.SQL("copy {} ({}) from stdin").format(table.identifier, _columns(table))


# reading back --------------------------------------------------------------------------------------------------------


class Reader:
    """A dump's text, in pieces of any size, by its lines and tables."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""
        self.manifest: Manifest = MANIFEST.validate_json(self._line().removeprefix(b"-- "))

    def tables(self) -> Iterator[tuple[Table, Iterator[bytes]]]:
        """Each with its rows, whole lines of them, to be read to their end before the next."""
        for table in self.manifest.tables:
            self._line()
            yield table, self._rows()
        for piece in self._pieces:  # to the file's very end, where its last chunk proves that nothing is missing
            self._held += piece
        if self._held:
            raise SetUpError("The backup holds more than its manifest says. Nothing was restored.")

    def _line(self) -> bytes:
        while b"\n" not in self._held:
            self._more()
        line, _newline, self._held = self._held.partition(b"\n")
        return line

    def _rows(self) -> Iterator[bytes]:
        while not self._held.startswith(END):
            end = self._held.find(b"\n" + END) + 1 or self._held.rfind(b"\n") + 1
            if end:
                yield self._held[:end]
                self._held = self._held[end:]
            else:
                self._more()
        self._held = self._held[len(END):]

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise SetUpError("The backup ends before its manifest does. Nothing was restored.")
        self._held += piece


def check(pieces: Iterator[bytes]) -> Manifest:
    """Reads a whole dump. Raises SetUpError where a table has not as many rows as the database counted in the same snapshot."""
    reader = Reader(pieces)
    for table, rows in reader.tables():
        _compare(table, sum(piece.count(b"\n") for piece in rows))
    return reader.manifest


def _compare(table: Table, rows: int) -> None:
    if rows != table.rows:
        raise SetUpError(f"The table {table.name} has {rows:,} rows, and should have {table.rows:,}. Nothing was restored.")


# in ------------------------------------------------------------------------------------------------------------------


def load(connection: psycopg.Connection[Any], reader: Reader) -> None:
    """Into the empty tables of that schema version, as their owner, who sets aside the policies and triggers for as long as this
    transaction lasts. Compares the rows and the audit chains."""
    manifest = reader.manifest
    _make_partitions(connection, manifest)
    with _set_aside(connection, manifest.tables):
        for table, rows in reader.tables():
            with connection.cursor() as cursor, cursor.copy(_copy_in(table)) as copy:
                for piece in rows:
                    copy.write(piece)
            _compare(table, _count(connection, table.schema, table.name))
        if chains(connection) != manifest.chains:
            raise SetUpError("The audit log's chains do not end where the manifest says. Nothing was restored.")
    for name, value in manifest.sequences.items():
        connection.execute("select setval(%s::regclass, %s)", [name, value])
    connection.execute("analyze")


def _make_partitions(connection: psycopg.Connection[Any], manifest: Manifest) -> None:
    """Also months that app.make_partitions would not make any more, as it makes them."""
    for one in manifest.partitions:
        if connection.execute("select to_regclass(%s)", [f"public.{one.name}"]).fetchone() == (None,):
            child, parent = sql.Identifier("public", one.name), sql.Identifier("public", one.parent)
            connection.execute(sql.SQL("create table {} partition of {} {}").format(child, parent, sql.SQL(one.bound)))
            connection.execute(sql.SQL("alter table {} enable row level security, force row level security").format(child))
            if one.parent in ("audit_log", "audit_seals"):
                keep = "create trigger keep_whole before truncate on {} execute function app.refuse()"
                connection.execute(sql.SQL(keep).format(child))


@contextmanager
def _set_aside(connection: psycopg.Connection[Any], tables: list[Table]) -> Iterator[None]:
    """A trigger would write a second history; `copy` refuses to work under policies."""
    forced = set(connection.execute("""
        select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relforcerowsecurity
        """).fetchall())
    for table in tables:
        connection.execute(sql.SQL("alter table {} disable trigger user, no force row level security").format(table.identifier))
    yield
    for table in tables:
        connection.execute(sql.SQL("alter table {} enable trigger user").format(table.identifier))
        if (table.schema, table.name) in forced:
            connection.execute(sql.SQL("alter table {} force row level security").format(table.identifier))
