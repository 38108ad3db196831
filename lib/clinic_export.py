"""The whole clinic as an archive that is made while it is sent: never all of it in memory, and no transaction kept open."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import tuple_row

from lib import audit, auth, csv_file, db, replica
from lib.clinic_tables import KEYS, LEFT_OUT, OMITTED, PAGE, STATEMENTS
from lib.identity import Identity


@dataclass(frozen=True)
class _Document:
    file_name: str
    content: bytes


def begin(identity: Identity) -> Iterator[bytes]:
    """On record before the first byte leaves, so that one that was broken off is there too. Raises Forbidden at once."""
    with db.scope(identity) as scope:
        auth.require(identity, "clinic.export")
        audit.record(scope, "export", "clinic", "begun")
    return _stream(identity)


class _Outlet(io.RawIOBase):
    """Where the archive is written to and taken from as it grows. It can't go back, so zipfile puts sizes behind each file."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.waiting += data
        return len(data)

    def take(self) -> bytes:
        taken, self.waiting = bytes(self.waiting), bytearray()
        return taken


def _stream(identity: Identity) -> Iterator[bytes]:
    outlet, counts = _Outlet(), {}
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in STATEMENTS:
            counts[table] = 0
            with archive.open(_entry(f"{table}.csv"), "w", force_zip64=True) as file:
                for heading, page in _pages(identity, table):
                    file.write(csv_file.write([heading, *page] if not counts[table] else page).encode())
                    counts[table] += len(page)
                    yield outlet.take()
        for place, document in _documents(identity):
            archive.writestr(_entry(f"documents/{place}"), document)
            yield outlet.take()
        archive.writestr(_entry("manifest.json"), _manifest(identity, counts))
    with db.scope(identity) as scope:
        audit.record(scope, "export", "clinic", "done", row_count=sum(counts.values()))
    yield outlet.take()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _pages(identity: Identity, table: str) -> Iterator[tuple[list[str], list[list[object]]]]:
    """The names of the columns and up to 1,000 rows, each page in a transaction of its own: who loses the right meanwhile gets no
    further."""
    after, full = None, True
    while full:
        with db.scope(identity) as scope, replica.reading(scope) as copy:
            auth.require(identity, "clinic.export")
            found = db.execute(copy.connection, tuple_row, STATEMENTS[table], {"clinic_id": identity.clinic_id, "after": after})
            names, page = [column.name for column in found.description or ()], found.fetchall()
        yield names, [[_cell(value) for value in row] for row in page]
        full = table in KEYS and len(page) == PAGE
        after = page[-1][names.index(KEYS[table])] if full else None


def _cell(value: object) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def _documents(identity: Identity) -> Iterator[tuple[str, bytes]]:
    """The files behind licences, one at a time."""
    with db.scope(identity) as scope:
        ids = [row["id"] for row in scope.many(dict[str, Any], STATEMENTS["credential_documents"])]
    for one in ids:
        with db.scope(identity) as scope:
            document = _read(scope, one)
        yield f"{one}-{re.sub(r'[^A-Za-z0-9._-]', '_', document.file_name)}", document.content


def _read(scope: db.Scope, document_id: UUID) -> _Document:
    return scope.one(_Document, """
        select file_name, content
        from credential_documents
        where clinic_id = :clinic_id
          and id = :id
        """, id=document_id)


def _manifest(identity: Identity, counts: dict[str, int]) -> str:
    return json.dumps({
        "clinic": str(identity.clinic_id), "name": identity.clinic_name, "exported_by": identity.full_name,
        "exported_at": datetime.now(UTC).isoformat(), "rows": counts,
        "format": "CSV, UTF-8. A quote before = + - @ at the beginning of a cell keeps a spreadsheet from running it, and is no "
                  "part of the value. Lists and structures are JSON. Each row stands as it was when it was read.",
        "left_out": LEFT_OUT | {f"{table}.{column}": "a secret, or computed from the rest" for table, columns in OMITTED.items()
                                for column in sorted(columns)},
        "not_yours": "General questions that colleagues asked are theirs alone and are not here; of archived months neither.",
    }, ensure_ascii=False, indent=1)
