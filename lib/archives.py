"""Closed months leave the database for sealed files, and come back: conversations, bills, the audit log. As the owner."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

from lib import sealed_file, vault
from lib.errors import SetUpError

PARENTS = ("chat_messages", "ai_calls", "audit_log")


@dataclass(frozen=True)
class Month:
    """One month of one table. `rows`: of all clinics."""

    parent: str
    month: date
    rows: int
    file: Path

    @property
    def child(self) -> str:
        return f"{self.parent}_{self.month:%Y_%m}"


def archive(connection: Connection, parent: str, month: date, folder: Path) -> Month:
    """Written, read back and compared before the month is taken out of the database, in the transaction of the caller."""
    child = f"{parent}_{month:%Y_%m}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, draft = folder / f"{child}.archive", folder / f"{child}.part"
    driver = _driver(connection)
    connection.execute(text("select app.refresh_rollups(100000)"))
    driver.execute(sql.SQL("lock table {} in share mode").format(sql.Identifier(child)))
    _refuse_uncounted(connection, parent, month)
    rows = _count(connection, parent, month)
    digest = _write(draft, _rows_out(connection, parent, month))
    if _digest_of(draft) != digest:
        raise SetUpError(f"{draft} does not read back as it was written. Nothing was taken out of the database.")
    draft.replace(path)
    driver.execute(sql.SQL("alter table {} detach partition {}").format(sql.Identifier(parent), sql.Identifier(child)))
    driver.execute(sql.SQL("drop table {}").format(sql.Identifier(child)))
    connection.execute(text("""
        insert into archives (parent, month, file, rows, digest)
        values (:parent, :month, :file, :rows, :digest)
        on conflict (parent, month) do update
        set file = excluded.file, rows = excluded.rows, digest = excluded.digest, archived_at = excluded.archived_at,
            restored_at = null
        """), {"parent": parent, "month": month, "file": path.name, "rows": rows, "digest": digest})
    return Month(parent, month, rows, path)


def unarchive(connection: Connection, parent: str, month: date, folder: Path) -> Month:
    """The month is part of its table again; of whoever was erased since nothing comes back, and of whoever was merged since all
    comes to whom they are now."""
    kept = connection.execute(text("""
        select file, rows, digest from archives where parent = :parent and month = :month and restored_at is null
        """), {"parent": parent, "month": month}).first()
    if kept is None:
        raise SetUpError(f"{month:%Y-%m} of {parent} is not in an archive.")
    found = Month(parent, month, kept.rows, folder / kept.file)
    if not found.file.exists():
        raise SetUpError(f"{found.file} is missing. Put it back there; nothing was changed.")
    _make(connection, found)
    try:
        digest = _rows_in(connection, found)
    except sealed_file.Damaged as error:
        raise SetUpError(f"{error.found} Nothing was read back.") from None
    if digest != bytes(kept.digest) or _count_all(connection, found.child) != found.rows:
        raise SetUpError(f"{found.file} is not what was archived. Nothing was put back.")
    if parent != "audit_log":
        _bring_up_to_date(connection, found)
    _attach(connection, found)
    connection.execute(text("update archives set restored_at = now() where parent = :parent and month = :month"),
                       {"parent": parent, "month": month})
    if parent == "ai_calls":
        _count_anew(connection, month)
    return found


def away(connection: Connection) -> list[tuple[str, date]]:
    """What is in archives now, oldest first."""
    rows = connection.execute(text("select parent, month from archives where restored_at is null order by month, parent"))
    return [(parent, month) for parent, month in rows]


# what was counted of them --------------------------------------------------------------------------------------------


def _refuse_uncounted(connection: Connection, parent: str, month: date) -> None:
    """Nobody can count them when they are away."""
    if parent == "ai_calls" and connection.execute(text("""
            select exists (select
                           from figure_marks
                           where of_calls
                             and at >= cast(:month as timestamp) at time zone 'UTC' - interval '1 day'
                             and at < (cast(:month as timestamp) + interval '1 month') at time zone 'UTC' + interval '1 day')
            """), {"month": month}).scalar():
        raise SetUpError(f"The figures of {month:%Y-%m} are being counted. Nothing was taken out of the database; try again in a "
                         "minute.")


def _count_anew(connection: Connection, month: date) -> None:
    """Who was erased or merged since, and a clinic in another time zone, changed what there is to count; where nobody asked and
    nothing was counted, there is nothing to count anew."""
    connection.execute(text("""
        insert into figure_marks (clinic_id, at)
        select c.id, at.hour
        from (select cast(:month as timestamp) at time zone 'UTC' - interval '1 day' as since,
                     (cast(:month as timestamp) + interval '1 month') at time zone 'UTC' + interval '1 day' as until) m
        cross join clinics c
        cross join lateral generate_series(m.since, m.until, interval '12 hours') at (hour)
        where not app.is_put_away(c.id, at.hour)
          and (exists (select
                       from ai_calls a
                       where a.clinic_id = c.id and a.id >= app.uuid_floor(m.since) and a.id < app.uuid_floor(m.until))
               or exists (select from usage_days u where u.clinic_id = c.id and u.day between m.since and m.until))
        """), {"month": month})


# moving rows ---------------------------------------------------------------------------------------------------------


def _write(path: Path, pieces: Iterator[bytes]) -> bytes:
    """The digest of what went in."""
    digest = hashlib.sha256()
    with sealed_file.create(path, vault.keys()[0]) as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
    return digest.digest()


def _digest_of(path: Path) -> bytes:
    digest = hashlib.sha256()
    for piece in sealed_file.read(path, vault.keys()):
        digest.update(piece)
    return digest.digest()


def _rows_out(connection: Connection, parent: str, month: date) -> Iterator[bytes]:
    """Through the parent, whose policies let the owner see every clinic's rows."""
    since, until = _bounds(connection, month)
    order = sql.SQL("copy (select * from {} where id >= {} and id < {} order by id) to stdout with (header)").format(
        sql.Identifier(parent), sql.Literal(since), sql.Literal(until))
    with _driver(connection).cursor() as cursor, cursor.copy(order) as copy:
        yield from (bytes(piece) for piece in copy)


def _make(connection: Connection, month: Month) -> None:
    """A table like the others, which is no part of the parent yet. An empty partition may stand in its place."""
    if connection.execute(text("select to_regclass(:name)"), {"name": f"public.{month.child}"}).scalar():
        if _count(connection, month.parent, month.month):
            raise SetUpError(f"{month.child} is in the database already, with rows in it.")
        _driver(connection).execute(sql.SQL("drop table {}").format(sql.Identifier(month.child)))
    _driver(connection).execute(sql.SQL("create table {} (like {} including all)").format(
        sql.Identifier(month.child), sql.Identifier(month.parent)))


def _rows_in(connection: Connection, month: Month) -> bytes:
    """Their digest. Into the columns that the file names: the table may have got more since."""
    pieces, digest = sealed_file.read(month.file, vault.keys()), hashlib.sha256()
    first = _first_line(pieces)
    names = [sql.Identifier(name) for name in first.partition(b"\n")[0].decode().split("\t")]
    order = sql.SQL("copy {} ({}) from stdin with (header)").format(sql.Identifier(month.child), sql.SQL(", ").join(names))
    with _driver(connection).cursor() as cursor, cursor.copy(order) as copy:
        for piece in chain([first], pieces):
            copy.write(piece)
            digest.update(piece)
    return digest.digest()


def _first_line(pieces: Iterator[bytes]) -> bytes:
    """And whatever came with it."""
    found = b""
    while b"\n" not in found:
        found += next(pieces)
    return found


def _attach(connection: Connection, month: Month) -> None:
    since, until = _bounds(connection, month.month)
    child = sql.Identifier(month.child)
    driver = _driver(connection)
    for order in ("alter table {} enable row level security", "alter table {} force row level security"):
        driver.execute(sql.SQL(order).format(child))
    if month.parent == "audit_log":
        driver.execute(sql.SQL("create trigger keep_whole before truncate on {} execute function app.refuse()").format(child))
    driver.execute(sql.SQL("alter table {} attach partition {} for values from ({}) to ({})").format(
        sql.Identifier(month.parent), child, sql.Literal(since), sql.Literal(until)))


# what happened while it was away -------------------------------------------------------------------------------------


def _bring_up_to_date(connection: Connection, month: Month) -> None:
    """Clinic by clinic, because the policies bind the tables' owner, too."""
    child = sql.Identifier(month.child)
    driver = _driver(connection)
    clinics = driver.execute(sql.SQL("select distinct clinic_id from {}").format(child)).fetchall()
    orders = [FOLLOW_UNDONE, FOLLOW_MERGED] + ([ERASE, MAKE_THREADS, FIND_THREADS] if month.parent == "chat_messages" else [])
    own = sql.Identifier("id" if month.parent == "chat_messages" else "message_id")
    for (clinic,) in clinics:
        driver.execute("select app.enter_job(%s)", [clinic])
        for order in orders:
            driver.execute(sql.SQL(order).format(child=child, own=own))


FOLLOW_UNDONE = """
    update {child} c set patient_id = m.merged_id
    from merges m
    join patients p on p.clinic_id = m.clinic_id and p.id = m.merged_id
    where m.clinic_id = app.clinic() and m.undone_at is not null and p.merged_into is null
      and c.clinic_id = m.clinic_id and c.patient_id = m.kept_id and c.{own} = any (m.messages)
    """
FOLLOW_MERGED = """
    with recursive now (former, id) as (
        select p.id, p.merged_into from patients p where p.clinic_id = app.clinic() and p.merged_into is not null
        union all
        select n.former, p.merged_into
        from now n
        join patients p on p.clinic_id = app.clinic() and p.id = n.id and p.merged_into is not null
    )
    update {child} c set patient_id = n.id
    from now n
    where c.clinic_id = app.clinic() and c.patient_id = n.former
      and not exists (select from patients p where p.clinic_id = app.clinic() and p.id = n.id and p.merged_into is not null)
    """
ERASE = """
    update {child} c set content = '[erased]', sent = null, metadata = app.figures_of(c.metadata)
    from patients p
    where p.clinic_id = app.clinic() and p.erased_at is not null and c.clinic_id = p.clinic_id and c.patient_id = p.id
    """
MAKE_THREADS = """
    insert into chat_threads (clinic_id, id, patient_id, user_id, created_at)
    select distinct on (c.patient_id) c.clinic_id, c.id, c.patient_id, c.user_id, c.created_at
    from {child} c
    where c.clinic_id = app.clinic() and c.patient_id is not null
      and not exists (select from chat_threads t where t.clinic_id = c.clinic_id and t.patient_id = c.patient_id)
    order by c.patient_id, c.id
    """
FIND_THREADS = """
    update {child} c set thread_id = t.id
    from chat_threads t
    where t.clinic_id = app.clinic() and c.clinic_id = t.clinic_id and c.patient_id = t.patient_id and c.thread_id <> t.id
    """


def _count(connection: Connection, parent: str, month: date) -> int:
    since, until = _bounds(connection, month)
    order = sql.SQL("select count(*) from {} where id >= {} and id < {}").format(
        sql.Identifier(parent), sql.Literal(since), sql.Literal(until))
    return _number(connection, order)


def _count_all(connection: Connection, child: str) -> int:
    return _number(connection, sql.SQL("select count(*) from {}").format(sql.Identifier(child)))


def _number(connection: Connection, order: sql.Composed) -> int:
    row = _driver(connection).execute(order).fetchone()
    assert row
    return int(row[0])


def _bounds(connection: Connection, month: date) -> tuple[str, str]:
    """As app.make_partitions cuts them."""
    row = connection.execute(text("""
        select cast(app.uuid_floor(cast(:month as timestamp) at time zone 'UTC') as text),
               cast(app.uuid_floor((cast(:month as timestamp) + interval '1 month') at time zone 'UTC') as text)
        """), {"month": month}).one()
    return row[0], row[1]


def _driver(connection: Connection) -> "psycopg.Connection[Any]":
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver
