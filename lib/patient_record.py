"""Everything that is kept about one patient, as a person may ask for it: for machines and for reading, in one archive."""

import io
import json
import zipfile
from datetime import date
from typing import Any
from uuid import UUID

from lib import archived_months, audit, auth, patients, record_page
from lib.db import Scope
from lib.patients import Patient

Rows = list[dict[str, Any]]


def export(scope: Scope, patient_id: UUID) -> bytes:
    """A zip of record.json and record.html, with whoever was merged into this patient. Who looked at it is in it for those who
    may read the audit log."""
    auth.require(scope.identity, "patients.record")
    record = _collect(scope, patients.read(scope, patient_id))
    audit.record(scope, "export", "patient_record", patient_id, patient_id=patient_id, row_count=len(record["messages"]))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("record.json", json.dumps(record, default=str, ensure_ascii=False, indent=1))
        archive.writestr("record.html", record_page.draw(record, scope.identity))
    return file.getvalue()


def _collect(scope: Scope, patient: Patient) -> dict[str, Any]:
    """Plain values by subject, oldest first. `views`: None where the role may not read the audit log. `archived_months`: of which
    months something may be missing here."""
    of = patients.family(scope, patient.id)
    reads_log = auth.may(scope.identity, "audit.read")
    return {"patients": _patients(scope, of), "notes": _notes(scope, of), "versions": _versions(scope, of),
            "note_versions": _note_versions(scope, of), "messages": _messages(scope, of), "ratings": _ratings(scope, of),
            "emergencies": _emergencies(scope, of), "calls": _calls(scope, of), "merges": _merges(scope, of),
            "views": _views(scope, of) if reads_log else None, "archived_months": _archived_months(scope, patient, reads_log)}


def _archived_months(scope: Scope, patient: Patient, reads_log: bool) -> dict[str, list[date]]:
    """By subject, each as its first day."""
    return {"messages": archived_months.of_thread(scope, patient.id),
            "calls": archived_months.of_thread(scope, patient.id, "ai_calls"),
            "views": archived_months.of_views(scope, patient.id) if reads_log else []}


def _patients(scope: Scope, family: list[UUID]) -> Rows:
    """The patient first."""
    return scope.many(dict, """
        select p.id, p.full_name, p.email, p.phone, p.date_of_birth, p.deceased, p.deceased_on, p.external_id, p.created_at,
               p.updated_at, p.archived_at, p.merged_into, p.erased_at, p.version, a.display_name as added_by,
               c.display_name as changed_by
        from patients p
        left join memberships a on a.clinic_id = p.clinic_id and a.user_id = p.user_id
        left join memberships c on c.clinic_id = p.clinic_id and c.user_id = p.changed_by
        where p.clinic_id = :clinic_id
          and p.id = any(:family)
        order by array_position(cast(:family as uuid[]), p.id)
        """, family=family)


def _notes(scope: Scope, family: list[UUID]) -> Rows:
    return scope.many(dict, """
        select n.patient_id, n.medical_notes, n.alerts, n.updated_at, c.display_name as changed_by
        from patient_notes n
        left join memberships c on c.clinic_id = n.clinic_id and c.user_id = n.changed_by
        where n.clinic_id = :clinic_id
          and n.patient_id = any(:family)
        order by array_position(cast(:family as uuid[]), n.patient_id)
        """, family=family)


def _versions(scope: Scope, family: list[UUID]) -> Rows:
    return scope.many(dict, """
        select v.patient_id, v.version, v.changed_at, c.display_name as changed_by, v.fields, v.data
        from patient_versions v
        left join memberships c on c.clinic_id = v.clinic_id and c.user_id = v.changed_by
        where v.clinic_id = :clinic_id
          and v.patient_id = any(:family)
        order by v.id
        """, family=family)


def _note_versions(scope: Scope, family: list[UUID]) -> Rows:
    return scope.many(dict, """
        select v.patient_id, v.version, v.changed_at, c.display_name as changed_by, v.fields, v.data
        from patient_note_versions v
        left join memberships c on c.clinic_id = v.clinic_id and c.user_id = v.changed_by
        where v.clinic_id = :clinic_id
          and v.patient_id = any(:family)
        order by v.id
        """, family=family)


def _messages(scope: Scope, family: list[UUID]) -> Rows:
    """With what a provider was given, word for word."""
    return scope.many(dict, """
        select m.id, m.created_at, m.role, w.display_name as asked_by, m.question_id, m.attempt, m.status, m.content, m.sent,
               m.metadata
        from chat_messages m
        left join memberships w on w.clinic_id = m.clinic_id and w.user_id = m.user_id
        where m.clinic_id = :clinic_id
          and m.patient_id = any(:family)
        order by m.id
        """, family=family)


def _ratings(scope: Scope, family: list[UUID]) -> Rows:
    return scope.many(dict, """
        select r.message_id, w.display_name as rated_by, r.helpful, r.reason, r.rated_at
        from answer_ratings r
        join chat_messages m on m.clinic_id = r.clinic_id and m.id = r.message_id
        left join memberships w on w.clinic_id = r.clinic_id and w.user_id = r.user_id
        where r.clinic_id = :clinic_id
          and m.patient_id = any(:family)
        order by r.rated_at
        """, family=family)


def _emergencies(scope: Scope, family: list[UUID]) -> Rows:
    return scope.many(dict, """
        select e.id, e.message_id, e.raised_at, r.display_name as raised_by, e.categories, e.rule_set, e.acknowledged_at,
               a.display_name as acknowledged_by, coalesce(d.action_taken, '') as action_taken, e.false_alarm, e.general
        from emergencies e
        left join memberships r on r.clinic_id = e.clinic_id and r.user_id = e.user_id
        left join memberships a on a.clinic_id = e.clinic_id and a.user_id = e.acknowledged_by
        left join emergency_actions d on d.clinic_id = e.clinic_id and d.emergency_id = e.id
        where e.clinic_id = :clinic_id
          and e.patient_id = any(:family)
        order by e.id
        """, family=family)


def _calls(scope: Scope, family: list[UUID]) -> Rows:
    """Who was asked for an answer, and what was masked. A clinician sees those of their own questions."""
    return scope.many(dict, """
        select id, message_id, created_at, route, status, provider, model_used, article, language, redactions, cost_usd,
               cost_source
        from ai_calls
        where clinic_id = :clinic_id
          and patient_id = any(:family)
        order by id
        """, family=family)


def _merges(scope: Scope, family: list[UUID]) -> Rows:
    return scope.many(dict, """
        select m.kept_id, m.merged_id, m.merged_at, w.display_name as merged_by, m.undone_at, u.display_name as undone_by
        from merges m
        left join memberships w on w.clinic_id = m.clinic_id and w.user_id = m.merged_by
        left join memberships u on u.clinic_id = m.clinic_id and u.user_id = m.undone_by
        where m.clinic_id = :clinic_id
          and m.kept_id = any(:family)
        order by m.id
        """, family=family)


def _views(scope: Scope, family: list[UUID]) -> Rows:
    return scope.many(dict, """
        select l.happened_at, w.display_name as person, l.action, l.resource, l.resource_id, l.fields, l.row_count, l.address
        from audit_log l
        left join memberships w on w.clinic_id = l.clinic_id and w.user_id = l.user_id
        where l.clinic_id = :clinic_id
          and l.patient_id = any(:family)
        order by l.id
        """, family=family)
