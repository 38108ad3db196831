"""Reading the audit log: its rows by filter, as a file, and whether its chain of seals is whole. For owners."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from lib import audit, auth, csv_file, replica
from lib.db import Page, Scope
from lib.errors import Invalid
from lib.texts import _

PAGE = 50
BATCH = 5_000
MOST = 100_000  # rows of an export

Why = Literal["changed", "missing_row", "missing_seal", "broken_chain", "unsealed"]


@dataclass(frozen=True)
class Filter:
    """What is asked for. None and "": all of it."""

    person: UUID | None = None
    patient: UUID | None = None
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def subject(self) -> str:
        """Whom it is about, for the row that tells of this very look."""
        return " ".join(str(one) for one in (self.person, self.patient) if one)


@dataclass(frozen=True)
class Entry:
    id: UUID
    happened_at: datetime
    user_id: UUID
    person: str
    action: str
    resource: str
    resource_id: str
    patient_id: UUID | None
    patient: str | None
    fields: list[str]
    row_count: int | None
    address: str
    request_id: str
    about: str
    """The colleague whose membership or credentials it touched."""


@dataclass(frozen=True)
class Person:
    user_id: UUID
    name: str


@dataclass(frozen=True)
class Break:
    """The first place where the chain does not hold. `happened_at`: None where the row is gone.

    `why`: changed, the row is not what was sealed; missing_row, its seal stands alone; missing_seal, one or more rows before
    this one are gone with their seals, or it has another's number; broken_chain, its seal was rewritten or exchanged;
    unsealed, the row came past the app, or nobody seals.
    """

    why: Why
    audit_id: UUID
    number: int | None
    happened_at: datetime | None


@dataclass(frozen=True)
class Verdict:
    """`rows`: how many are proved whole, from the first one on. `head`: the last proved link. Who cuts off the chain's end leaves
    a whole chain behind, so only a head that was noted elsewhere shows it: `passed` tells whether the chain went through it.
    `archived`: of how many the seals alone were looked at, because their month is in an archive (lib/archives.py)."""

    rows: int
    head: str
    broken: Break | None
    passed: bool
    archived: int = 0


@dataclass(frozen=True)
class _Seal:
    seq: int
    audit_id: UUID
    row_hash: bytes
    chain_hash: bytes


@dataclass(frozen=True)
class _Row:
    """`digest`: of the row as it is now."""

    id: UUID
    happened_at: datetime
    digest: bytes


@dataclass(frozen=True)
class _Away:
    since: UUID
    until: UUID


FIRST = _Seal(0, UUID(int=0), b"", b"")  # stands before every chain


# reading -------------------------------------------------------------------------------------------------------------


def find(scope: Scope, chosen: Filter, *, before: UUID | None = None, limit: int = PAGE) -> Page[Entry]:
    """Newest first. Looking into the log is a look like any other, and stands in it."""
    auth.require(scope.identity, "audit.read")
    audit.record_view(scope, "list", "audit_log", chosen.subject, patient_id=chosen.patient)
    return _find(scope, chosen, before, limit)


def people(scope: Scope) -> list[Person]:
    """Everybody who works or worked here."""
    auth.require(scope.identity, "audit.read")
    return scope.many(Person, """
        select user_id, display_name as name
        from memberships
        where clinic_id = :clinic_id
        order by ended_at is not null, display_name, user_id
        """)


def export(scope: Scope, chosen: Filter) -> str:
    """CSV with a heading, newest first. Raises Invalid above 100,000 rows: half a record would pass for a whole one."""
    auth.require(scope.identity, "audit.read")
    with replica.reading(scope, up_to_now=True) as copy:
        if _has_more_than(copy, chosen, MOST):
            raise Invalid(_("This selection has more than {most:,} rows. Choose a shorter period, and export in parts.").format(
                most=MOST))
        found = list(_all(copy, chosen))
    zone = scope.identity.time_zone
    heading = [_("Time (UTC)"), _("Time ({zone})").format(zone=zone), _("Person"), _("Person reference"), _("Action"),
               _("Subject"), _("Reference"), _("Colleague"), _("Patient"), _("Patient reference"), _("Fields"), _("Rows"),
               _("Address"), _("Request"), _("Entry")]
    lines = [_line(entry, ZoneInfo(zone)) for entry in found]
    audit.record(scope, "export", "audit_log", chosen.subject, patient_id=chosen.patient, row_count=len(lines))
    return csv_file.write([heading, *lines])


def _line(entry: Entry, zone: ZoneInfo) -> list[object]:
    utc, local = (entry.happened_at.astimezone(at).isoformat(" ", "seconds") for at in (UTC, zone))
    return [utc, local, entry.person, entry.user_id, entry.action, entry.resource, entry.resource_id, entry.about, entry.patient,
            entry.patient_id, " ".join(entry.fields), entry.row_count, entry.address, entry.request_id, entry.id]


def _all(scope: Scope, chosen: Filter) -> Iterator[Entry]:
    before = None
    while True:
        page = _find(scope, chosen, before, BATCH)
        yield from page.rows
        if not page.more:
            return
        before = page.rows[-1].id


def _find(scope: Scope, chosen: Filter, before: UUID | None, limit: int) -> Page[Entry]:
    return scope.page(Entry, """
        select l.id, l.happened_at, l.user_id, coalesce(m.display_name, '') as person, l.action, l.resource, l.resource_id,
               l.patient_id, p.full_name as patient, l.fields, l.row_count, l.address, l.request_id,
               coalesce(o.display_name, '') as about
        from (select id, happened_at, user_id, action, resource, resource_id, patient_id, fields, row_count, address, request_id
              from audit_log
              where clinic_id = :clinic_id
                and (cast(:person as uuid) is null or user_id = cast(:person as uuid))
                and (cast(:patient as uuid) is null or patient_id = cast(:patient as uuid))
                and (:action = '' or action = :action)
                and (cast(:since as timestamptz) is null or id >= app.uuid_floor(cast(:since as timestamptz)))
                and (cast(:until as timestamptz) is null or id < app.uuid_floor(cast(:until as timestamptz)))
                and (cast(:before as uuid) is null or id < cast(:before as uuid))
              order by id desc
              limit :limit + 1) l
        left join memberships m on m.clinic_id = :clinic_id and m.user_id = l.user_id
        left join memberships o on o.clinic_id = :clinic_id and cast(o.user_id as text) = l.resource_id
            and l.resource in ('membership', 'credentials', 'credential_document')
        left join patients p on p.clinic_id = :clinic_id and p.id = l.patient_id
        order by l.id desc
        """, limit=limit, before=before, **vars(chosen))


def _has_more_than(scope: Scope, chosen: Filter, most: int) -> bool:
    return bool(scope.value("""
        select count(*) > :most
        from (select id
              from audit_log
              where clinic_id = :clinic_id
                and (cast(:person as uuid) is null or user_id = cast(:person as uuid))
                and (cast(:patient as uuid) is null or patient_id = cast(:patient as uuid))
                and (:action = '' or action = :action)
                and (cast(:since as timestamptz) is null or id >= app.uuid_floor(cast(:since as timestamptz)))
                and (cast(:until as timestamptz) is null or id < app.uuid_floor(cast(:until as timestamptz)))
              limit :most + 1) chosen
        """, most=most, **vars(chosen)))


# the chain -----------------------------------------------------------------------------------------------------------


def verify(scope: Scope, noted: str = "", *, watch: Callable[[int, int], object] = lambda _done, _all: None) -> Verdict:
    """Every row digested anew by the database, every link of the chain computed here. `noted`: a former verdict's head.
    `watch`: is told the rows done and the rows in all."""
    auth.require(scope.identity, "audit.read")
    total, last, broken, passed = _length(scope), FIRST, None, False
    away, archived = _away(scope), 0
    while not broken and (seals := _seals(scope, last)):
        rows = _rows(scope, seals)
        for seal in seals:
            row, left = rows.get(seal.audit_id), any(month.since <= seal.audit_id < month.until for month in away)
            broken = _examine(seal, last, row, left=left)
            if broken:
                break
            archived += row is None
            last, passed = seal, passed or seal.chain_hash.hex() == noted
        watch(last.seq, max(total, last.seq, 1))
    audit.record(scope, "verify", "audit_log", row_count=last.seq)
    return Verdict(last.seq, last.chain_hash.hex(), broken or _find_unsealed(scope), passed, archived)


def _examine(seal: _Seal, former: _Seal, row: _Row | None, *, left: bool) -> Break | None:
    """`left`: its month is in an archive, so that it may be missing here."""
    checks: list[tuple[Why, bool]] = [
        ("missing_seal", seal.seq != former.seq + 1),
        ("missing_row", row is None and not left),
        ("changed", row is not None and row.digest != seal.row_hash),
        ("broken_chain", hashlib.sha256(former.chain_hash + seal.row_hash).digest() != seal.chain_hash)]
    why = next((why for why, failed in checks if failed), None)
    return Break(why, seal.audit_id, seal.seq, row.happened_at if row else None) if why else None


def _away(scope: Scope) -> list[_Away]:
    """Months of the log that are in archives, as bounds of their rows' ids."""
    return scope.many(_Away, """
        select app.uuid_floor(cast(month as timestamp) at time zone 'UTC') as since,
               app.uuid_floor((cast(month as timestamp) + interval '1 month') at time zone 'UTC') as until
        from archives
        where parent = :parent
          and restored_at is null
        """, parent="audit_log")


def _length(scope: Scope) -> int:
    return int(scope.value("select coalesce(max(seq), 0) from audit_seals where clinic_id = :clinic_id"))


def _seals(scope: Scope, after: _Seal) -> list[_Seal]:
    """The next ones by number; two with the same number both come."""
    return scope.many(_Seal, """
        select seq, audit_id, row_hash, chain_hash
        from audit_seals
        where clinic_id = :clinic_id
          and seq >= :seq
          and (seq, audit_id) > (:seq, cast(:audit_id as uuid))
        order by seq, audit_id
        limit :batch
        """, seq=after.seq, audit_id=after.audit_id, batch=BATCH)


def _rows(scope: Scope, seals: list[_Seal]) -> dict[UUID, _Row]:
    """As they are now; what is gone is missing. Asked for by their ids: a join with the seals would read the whole log."""
    return {row.id: row for row in scope.many(_Row, """
        select entry.id, entry.happened_at, app.audit_digest(entry) as digest
        from audit_log entry
        where entry.clinic_id = :clinic_id
          and entry.id = any(:ids)
        """, ids=[seal.audit_id for seal in seals])}


def _find_unsealed(scope: Scope) -> Break | None:
    """The first row that has stood for a minute without a seal: sealing takes a second. Looked for month by month."""
    since, now = _beginning(scope), datetime.now(UTC)
    while since and since < now:
        until = since + timedelta(days=30)
        found = _unsealed(scope, since, until)
        if found:
            return found
        since = until
    return None


def _beginning(scope: Scope) -> datetime | None:
    """Of the clinic's log."""
    beginning: datetime | None = scope.value("""
        select app.uuid_time(id)
        from audit_log
        where clinic_id = :clinic_id
        order by id
        limit 1
        """)
    return beginning


def _unsealed(scope: Scope, since: datetime, until: datetime) -> Break | None:
    return scope.first(Break, """
        select 'unsealed' as why, l.id as audit_id, null as number, l.happened_at
        from audit_log l
        where l.clinic_id = :clinic_id
          and l.id >= app.uuid_floor(:since)
          and l.id < app.uuid_floor(least(:until, now() - interval '1 minute'))
          and not exists (select from audit_seals s
                          where s.clinic_id = :clinic_id
                            and s.audit_id = l.id
                            and s.audit_id >= app.uuid_floor(:since)
                            and s.audit_id < app.uuid_floor(:until))
        order by l.id
        limit 1
        """, since=since, until=until)
