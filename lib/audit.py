"""The append-only record of every look and every change, written in the transaction of what it tells of."""

import hashlib
import time
import unicodedata
from collections.abc import Sequence
from uuid import UUID

from lib import db, metrics
from lib.db import Scope
from lib.errors import Forbidden
from lib.identity import Identity

BATCH = 5000  # of app.seal_audit
DAY = 86_400.0  # seconds


def record(scope: Scope, action: str, resource: str, resource_id: object = "", *, patient_id: UUID | None = None,
           fields: Sequence[str] = (), row_count: int | None = None) -> None:
    """`fields`: names of what changed, never values. If this can't be written, the caller's transaction fails with it."""
    scope.primary.run("""
        insert into audit_log (clinic_id, user_id, session_id, action, resource, resource_id, patient_id, fields, row_count,
                               address, request_id)
        values (:clinic_id, :user_id, :session, :action, :resource, :resource_id, :patient_id, :fields, :row_count,
                :address, :request_id)
        """, action=action, resource=resource, resource_id=str(resource_id), patient_id=patient_id, fields=list(fields),
              row_count=row_count, **_who(scope))


def record_view(scope: Scope, action: str, resource: str, resource_id: object = "", *, patient_id: UUID | None = None,
                term: str = "") -> None:
    """One row per session, action, resource and search term in five minutes: a rerun is not another look.

    The bounds in days let the planner leave out all other months, which took it longer than anything else a page or a request
    asks for (ADR 022). Where this clock is wrong by more than a day, rows become more, never fewer.
    """
    scope.primary.run("""
        insert into audit_log (clinic_id, user_id, session_id, action, resource, resource_id, patient_id, term_hash, address,
                               request_id)
        select :clinic_id, :user_id, :session, :action, :resource, :resource_id, :patient_id, :term_hash, :address, :request_id
        where not exists (
            select from audit_log
            where clinic_id = :clinic_id
              and id > app.uuid_floor(now() - interval '5 minutes')
              and id > :yesterday
              and id < :tomorrow
              and session_id = :session
              and user_id = :user_id
              and action = :action
              and resource = :resource
              and resource_id = :resource_id
              and term_hash = :term_hash)
        """, action=action, resource=resource, resource_id=str(resource_id), patient_id=patient_id, term_hash=_digest(term),
              yesterday=_bound(-DAY), tomorrow=_bound(DAY), **_who(scope))


def record_security(kind: str, *, account: str = "", user_id: UUID | None = None, address: str = "",
                    request_id: str = "") -> None:
    """What happens outside any clinic, in a transaction of its own so that a refusal can't roll it back."""
    with db.nobody() as connection:
        connection.execute(db.statement("""
            insert into security_events (kind, user_id, account_hash, address, request_id)
            values (:kind, :user_id, :account_hash, :address, :request_id)
            """), {"kind": kind, "user_id": user_id, "account_hash": _digest(_fold(account)), "address": address[:60],
                   "request_id": request_id})


def record_failed_sign_in(kind: str, account: str, user_id: UUID | None, *, address: str = "", request_id: str = "") -> None:
    """For the operator, and for the owners of each clinic where this person works; a stranger costs the same statements, or one
    could tell by the time. `kind`: of the password or of the factor."""
    metrics.sign_in_failures.labels(kind).inc()
    record_security(kind, account=account, user_id=user_id, address=address, request_id=request_id)
    with db.nobody() as connection:
        connection.execute(db.statement("select app.record_failed_sign_in(:account, :kind, :address, :request_id)"),
                           {"account": user_id, "kind": kind, "address": address[:60], "request_id": request_id})


def record_refusal(identity: Identity) -> None:
    """Somebody asked for what they may not have, or for what is not there; one row per place in five minutes."""
    try:
        with db.unwitnessed(identity) as scope:
            record_view(scope, "refused", "access", identity.place)
    except Forbidden:  # not even a member any more: there is no clinic whose log this could stand in
        record_security("membership_refused", user_id=identity.user_id, address=identity.address,
                        request_id=identity.request_id)


def seal() -> bool:
    """Close what is new into each clinic's hash chain, which lib/audit_trail.py can verify. Whether there is more to seal."""
    with db.nobody() as connection:
        return bool(connection.execute(db.statement("select app.seal_audit()")).scalar_one() == BATCH)


def _who(scope: Scope) -> dict[str, object]:
    identity = scope.identity
    return {"user_id": identity.user_id, "session": identity.session, "address": identity.address[:60],
            "request_id": identity.request_id}


def _bound(seconds: float) -> UUID:
    """As `app.uuid_floor` makes them, so many seconds from now by this machine's clock."""
    return UUID(int=int((time.time() + seconds) * 1000) << 80)


def _fold(account: str) -> str:
    """As `app.fold_email` does, so that an operator finds a person's rows."""
    return unicodedata.normalize("NFKC", account.strip()).lower()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else ""


db.call_witness(record_refusal)
