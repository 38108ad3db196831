"""The whole clinic as an archive, put together from its parts while it is sent: never all of it in memory, and no transaction
kept open."""

import io
import json
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from lib import archived_months, audit, auth, db, long_jobs, vault
from lib.clinic_tables import LEFT_OUT, OMITTED
from lib.db import Scope
from lib.errors import Conflict, NotFound
from lib.identity import Identity
from lib.long_jobs import LongJob
from lib.texts import _


@dataclass(frozen=True)
class _Part:
    seq: int
    name: str
    row_count: int


def send(identity: Identity) -> Iterator[bytes]:
    """One's newest export. On record before its first byte leaves. Raises Forbidden, NotFound and Conflict (not made yet) at
    once."""
    with db.scope(identity) as scope:
        auth.require(identity, "clinic.export")
        job = long_jobs.latest(scope, "export")
        if job is None:
            raise NotFound
        if job.status != "done":
            raise Conflict(_("This export is not made yet."))
        parts, away = _parts(scope, job), archived_months.of_clinic(scope, job.created_at)
        audit.record(scope, "export", "clinic", "fetched")
    _content(identity, job.id, parts[0].seq)  # a key that opens nothing is told in words, and not by a file that breaks off
    return _stream(identity, job, parts, away)


def _parts(scope: Scope, job: LongJob) -> list[_Part]:
    found = scope.many(_Part, """
        select seq, name, row_count
        from export_parts
        where clinic_id = :clinic_id and user_id = :user_id and job_id = :job_id
        order by seq
        """, user_id=scope.identity.user_id, job_id=job.id)
    if not found:
        raise NotFound
    return found


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


def _stream(identity: Identity, job: LongJob, parts: Sequence[_Part], away: dict[str, list[date]]) -> Iterator[bytes]:
    outlet, made_at = _Outlet(), _made_at(job)
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, of_file in groupby(parts, key=lambda part: part.name):
            with archive.open(_entry(name, made_at), "w", force_zip64=True) as file:
                for part in of_file:
                    file.write(_content(identity, job.id, part.seq))
                    yield outlet.take()
        archive.writestr(_entry("manifest.json", made_at), _manifest(identity, made_at, parts, away))
    yield outlet.take()


def _made_at(job: LongJob) -> datetime:
    assert job.finished_at
    return job.finished_at


def _entry(name: str, at: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, at.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _content(identity: Identity, job_id: UUID, seq: int) -> bytes:
    """In a transaction of its own: the policy asks for the role anew, and who loses it meanwhile gets no further."""
    with db.scope(identity) as scope:
        sealed = scope.value("""
            select content
            from export_parts
            where clinic_id = :clinic_id and user_id = :user_id and job_id = :job_id and seq = :seq
            """, user_id=identity.user_id, job_id=job_id, seq=seq)
    if sealed is None:  # no owner any more; or somebody was erased, or it was put away, meanwhile
        raise NotFound
    return zlib.decompress(vault.unseal_bytes(bytes(sealed)))


def _manifest(identity: Identity, made_at: datetime, parts: Sequence[_Part], away: dict[str, list[date]]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for part in parts:
        if part.name.endswith(".csv"):
            counts[part.name.removesuffix(".csv")] += part.row_count
    return json.dumps({
        "clinic": str(identity.clinic_id), "name": identity.clinic_name, "exported_by": identity.full_name,
        "exported_at": made_at.isoformat(), "rows": counts,
        "format": "CSV, UTF-8. A quote before = + - @ at the beginning of a cell keeps a spreadsheet from running it, and is no "
                  "part of the value. Lists and structures are JSON. Each row stands as it was when it was read.",
        "left_out": LEFT_OUT | {f"{table}.{column}": "a secret, or computed from the rest" for table, columns in OMITTED.items()
                                for column in sorted(columns)},
        "archived_months": {table: [str(month) for month in months] for table, months in away.items()},
        "archived": "What a table holds of its archived_months, conversations too, may lie in the archive of old months "
                    "and not be here. An operator can read a month back; an export that is made afterwards has it.",
        "not_yours": "General questions that colleagues asked are theirs alone and are not here.",
    }, ensure_ascii=False, indent=1)
