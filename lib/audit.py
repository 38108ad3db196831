"""The append-only record of every look and every change, written in the transaction of what it tells of."""

import hashlib
from collections.abc import Sequence
from uuid import UUID

from lib import db
from lib.db import Scope


def record(scope: Scope, action: str, resource: str, resource_id: object = "", *, patient_id: UUID | None = None,
           fields: Sequence[str] = (), row_count: int | None = None) -> None:
    """`fields`: names of what changed, never values. If this can't be written, the caller's transaction fails with it."""
    scope.run("""
        insert into audit_log (clinic_id, user_id, session_id, action, resource, resource_id, patient_id, fields, row_count,
                               address, request_id)
        values (:clinic_id, :user_id, :session, :action, :resource, :resource_id, :patient_id, :fields, :row_count,
                :address, :request_id)
        """, action=action, resource=resource, resource_id=str(resource_id), patient_id=patient_id, fields=list(fields),
              row_count=row_count, **_who(scope))


def record_view(scope: Scope, action: str, resource: str, resource_id: object = "", *, patient_id: UUID | None = None,
                term: str = "") -> None:
    """One row per session, action, resource and search term in five minutes: a rerun is not another look."""
    scope.run("""
        insert into audit_log (clinic_id, user_id, session_id, action, resource, resource_id, patient_id, term_hash, address,
                               request_id)
        select :clinic_id, :user_id, :session, :action, :resource, :resource_id, :patient_id, :term_hash, :address, :request_id
        where not exists (
            select from audit_log
            where clinic_id = :clinic_id
              and id > app.uuid_floor(now() - interval '5 minutes')
              and session_id = :session
              and user_id = :user_id
              and action = :action
              and resource = :resource
              and resource_id = :resource_id
              and term_hash = :term_hash)
        """, action=action, resource=resource, resource_id=str(resource_id), patient_id=patient_id, term_hash=_digest(term),
              **_who(scope))


def record_security(kind: str, *, account: str = "", user_id: UUID | None = None, address: str = "") -> None:
    """What happens outside any clinic, in a transaction of its own so that a refusal can't roll it back."""
    with db.nobody() as connection:
        connection.execute(db.statement("""
            insert into security_events (kind, user_id, account_hash, address)
            values (:kind, :user_id, :account_hash, :address)
            """), {"kind": kind, "user_id": user_id, "account_hash": _digest(account.strip().casefold()),
                   "address": address[:60]})


def _who(scope: Scope) -> dict[str, object]:
    identity = scope.identity
    return {"user_id": identity.user_id, "session": identity.session, "address": identity.address[:60],
            "request_id": identity.request_id}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else ""
