"""The whole clinic's export as a long job: each page of a table is committed as a sealed part, with the place to go on from, so
that a worker that stops or dies leaves nothing half done and nothing to do twice."""

import json
import re
import zlib
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import tuple_row

from lib import audit, auth, csv_file, db, jobs, long_jobs, replica, vault
from lib.clinic_tables import KEYS, PAGE, STATEMENTS
from lib.db import Scope
from lib.errors import Conflict
from lib.jobs import Job
from lib.long_jobs import Order
from lib.texts import _

TABLES = tuple(STATEMENTS)
DOCUMENTS = len(TABLES)  # the last step, after a step for each table


@dataclass(frozen=True)
class _Place:
    """The number of the next part, and behind which row of its table it begins."""

    seq: int
    after: UUID | None


@dataclass(frozen=True)
class _Page:
    """`last`: the key of its last row, None where the table ends with it."""

    name: str
    row_count: int
    last: UUID | None
    content: bytes


@dataclass(frozen=True)
class _Document:
    id: UUID
    file_name: str
    content: bytes


def begin(scope: Scope) -> UUID:
    """On record at once, so that one that was stopped is there too. Raises Conflict while one is being made."""
    auth.require(scope.identity, "clinic.export")
    vault.require_keys()
    if _is_open(scope):
        raise Conflict(_("An export is being made already."))
    _clear(scope)
    job_id = long_jobs.begin(scope, "export", "clinic.zip", DOCUMENTS + 1)
    audit.record(scope, "export", "clinic", "begun")
    return job_id


def discard(scope: Scope, job_id: UUID) -> None:
    """What was made goes at once. Raises Conflict while one is being made."""
    if _is_open(scope):
        raise Conflict(_("Stop it first."))
    _clear(scope)
    long_jobs.dismiss(scope, job_id)


def _is_open(scope: Scope) -> bool:
    latest = long_jobs.latest(scope, "export")
    return latest is not None and latest.open


def _clear(scope: Scope) -> None:
    """Of all that somebody asked for: a newer export takes the place of the one before."""
    scope.run("""
        delete from export_parts
        where clinic_id = :clinic_id and user_id = :user_id
        """, user_id=scope.identity.user_id)


def run(job: Job) -> None:
    long_jobs.carry_out(job, _go_on)


def _go_on(job: Job, clinic_id: UUID, order: Order) -> bool:
    """Each page is a transaction of its own that asks for the right anew: who loses it meanwhile gets no further."""
    step = order.done
    while step <= DOCUMENTS:
        if job.should_stop():
            raise jobs.Interrupted
        with jobs.on_behalf(clinic_id, order.user_id, f"job {order.id}") as scope:
            auth.require(scope.identity, "clinic.export")
            if not long_jobs.advance(scope, order.id, step, 0):  # from here to its end nobody else works on it
                return False
            ends = _add(scope, order, step)
            long_jobs.advance(scope, order.id, step, ends)
        step += ends
    return True


def _add(scope: Scope, order: Order, step: int) -> int:
    """The next page of this step; 1 where it was the last one."""
    place = _place(scope, order.id)
    if step and not place.seq:
        raise Conflict(_("What was made of this export is gone. Please ask for a new one."))
    page = _page(scope, order, step, place.after)
    if page:
        _keep(scope, order, place.seq, page)
    if page and page.last:
        return 0
    if step == DOCUMENTS:
        audit.record(scope, "export", "clinic", "done", row_count=_rows(scope, order.id))
    return 1


def _place(scope: Scope, job_id: UUID) -> _Place:
    return scope.first(_Place, """
        select seq + 1 as seq, last as after
        from export_parts
        where clinic_id = :clinic_id and job_id = :job_id
        order by seq desc
        limit 1
        """, job_id=job_id) or _Place(0, None)


def _rows(scope: Scope, job_id: UUID) -> int:
    found: int = scope.value("""
        select coalesce(sum(row_count), 0)
        from export_parts
        where clinic_id = :clinic_id and job_id = :job_id
        """, job_id=job_id)
    return found


def _page(scope: Scope, order: Order, step: int, after: UUID | None) -> _Page | None:
    if step == DOCUMENTS:
        return _document(scope, after)
    with replica.reading(scope) as copy:
        source = copy if copy is not scope and _has(copy, order) else scope
        return _page_of(source, TABLES[step], after)


def _has(copy: Scope, order: Order) -> bool:
    """A replica that has heard of the job has heard of all that was before it: of whoever was erased, too."""
    return bool(copy.value("select true from long_jobs where clinic_id = :clinic_id and id = :id", id=order.id))


def _page_of(scope: Scope, table: str, after: UUID | None) -> _Page:
    """Up to 1,000 rows, below the names of the columns where they are the first."""
    found = db.execute(scope.connection, tuple_row, STATEMENTS[table], {"clinic_id": scope.identity.clinic_id, "after": after})
    names, rows = [column.name for column in found.description or ()], found.fetchall()
    cells = [[_cell(value) for value in row] for row in rows]
    last = rows[-1][names.index(KEYS[table])] if table in KEYS and len(rows) == PAGE else None
    text = csv_file.write(cells if after else [names, *cells])
    return _Page(f"{table}.csv", len(rows), last, text.encode())


def _cell(value: object) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def _document(scope: Scope, after: UUID | None) -> _Page | None:
    """The next of the files behind licences. None: there are no more."""
    found = scope.first(_Document, """
        select id, file_name, content
        from credential_documents
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1
        """, after=after)
    if found is None:
        return None
    return _Page(f"documents/{found.id}-{_plain(found.file_name)}", 0, found.id, bytes(found.content))


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def _keep(scope: Scope, order: Order, seq: int, page: _Page) -> None:
    scope.run("""
        insert into export_parts (clinic_id, job_id, user_id, seq, name, row_count, last, content)
        values (:clinic_id, :job_id, :user_id, :seq, :name, :row_count, :last, :content)
        """, job_id=order.id, user_id=order.user_id, seq=seq, name=page.name, row_count=page.row_count, last=page.last,
              content=vault.seal_bytes(zlib.compress(page.content)))
