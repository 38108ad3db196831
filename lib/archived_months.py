"""Months that lie in archives (lib/archives.py) and may hold something of a patient. What shows their record says so, because
nobody could tell them from months in which nothing was written.

That a month is away is true of all clinics alike. Whether there was anything to put away is asked of the clinic's own rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from babel.dates import format_date

from lib.archives import PARENTS
from lib.db import Scope
from lib.identity import Identity
from lib.texts import _


@dataclass(frozen=True)
class _Away:
    parent: str
    month: date


def of_thread(scope: Scope, patient_id: UUID | None, parent: str = "chat_messages") -> list[date]:
    """Those that ended after the thread began, the oldest first. None: one's own general questions. Of two who were told apart,
    the thread may have gone to the other, so for them it is from when they were added. `parent`: the messages, or `ai_calls`,
    the calls behind the answers."""
    found: list[date] = scope.value("""
        select array(
            select a.month
            from archives a
            where a.parent = :parent
              and a.restored_at is null
              and (exists (select
                           from chat_threads t
                           where t.clinic_id = :clinic_id
                             and (t.patient_id in (select app.merged_family(cast(:patient_id as uuid)))
                                  or (cast(:patient_id as uuid) is null and t.patient_id is null and t.user_id = :me))
                             and t.id < app.uuid_floor((a.month + interval '1 month') at time zone 'UTC'))
                   or exists (select
                              from merges m
                              join patients p on p.clinic_id = m.clinic_id and p.id in (m.kept_id, m.merged_id)
                              where m.clinic_id = :clinic_id
                                and m.undone_at is not null
                                and p.id in (select app.merged_family(cast(:patient_id as uuid)))
                                and p.created_at < (a.month + interval '1 month') at time zone 'UTC'))
            order by a.month)
        """, parent=parent, patient_id=patient_id, me=scope.identity.user_id)
    return found


def of_views(scope: Scope, patient_id: UUID) -> list[date]:
    """Those of the audit log that ended after the patient was added, or somebody who was merged into them."""
    found: list[date] = scope.value("""
        select array(
            select a.month
            from archives a
            where a.parent = 'audit_log'
              and a.restored_at is null
              and exists (select
                          from patients p
                          where p.clinic_id = :clinic_id
                            and p.id in (select app.merged_family(:patient_id))
                            and p.created_at < (a.month + interval '1 month') at time zone 'UTC')
            order by a.month)
        """, patient_id=patient_id)
    return found


def of_clinic(scope: Scope, since: datetime | None = None) -> dict[str, list[date]]:
    """By table, those that ended after the clinic was opened. `since`: also what came back after that moment."""
    found = scope.many(_Away, """
        select a.parent, a.month
        from archives a
        where (a.restored_at is null or a.restored_at > cast(:since as timestamptz))
          and exists (select
                      from clinics c
                      where c.id = :clinic_id
                        and c.created_at < (a.month + interval '1 month') at time zone 'UTC')
        order by a.month
        """, since=since)
    return {parent: [row.month for row in found if row.parent == parent] for parent in PARENTS}


def messages_missing(months: Sequence[date], identity: Identity) -> str:
    return _("Messages of {months} may lie in the archive of old months. An operator can read a month back.").format(
        months=_named(months, identity))


def views_missing(months: Sequence[date], identity: Identity) -> str:
    return _("Entries of {months} may lie in the archive of old months. An operator can read a month back.").format(
        months=_named(months, identity))


def rows_missing(away: dict[str, list[date]], identity: Identity) -> str:
    months = sorted({month for found in away.values() for month in found})
    return _("The export may lack conversations, calls and audit entries of {months}, which lie in the archive of old months. An "
             "operator can read a month back.").format(months=_named(months, identity))


def _named(months: Sequence[date], identity: Identity) -> str:
    """Those that follow one another as one: "November 2024 – January 2025, March 2025"."""
    spans: list[list[date]] = []
    for month in months:
        if spans and _number(month) == _number(spans[-1][-1]) + 1:
            spans[-1].append(month)
        else:
            spans.append([month])
    return ", ".join(" – ".join(_name(one, identity) for one in sorted({span[0], span[-1]})) for span in spans)


def _number(month: date) -> int:
    return month.year * 12 + month.month


def _name(month: date, identity: Identity) -> str:
    return format_date(month, "LLLL y", locale=identity.language)
