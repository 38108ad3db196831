"""Jobs that tell of an alert, by mail and by the operator's webhook, each once; what failed is tried again, and can be seen."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from sqlalchemy import Connection

from lib import alert_words, db, jobs, mail, quarantine, settings, webhooks
from lib.errors import Undelivered
from lib.jobs import Job
from lib.texts import _


@dataclass(frozen=True)
class Alert:
    id: UUID
    kind: str
    level: int
    amount: float
    most: float
    raised_at: datetime
    cleared_at: datetime | None
    mailed_at: datetime | None
    posted_at: datetime | None
    muted: bool
    subject: str = ""
    """The id of an emergency, the day of a clinic's budget; "" of anything else."""

    @property
    def status(self) -> str:
        return "test" if self.kind == "test" else "cleared" if self.cleared_at else "raised"

    @property
    def wants_mail(self) -> bool:
        """Only its beginning: whoever looks after it sees the end."""
        return self.mailed_at is None and self.status != "cleared"

    @property
    def wants_post(self) -> bool:
        """Its end too, as what keeps incidents closes them by it."""
        ended = self.cleared_at if self.status == "cleared" else None
        return self.posted_at is None or (ended is not None and self.posted_at < ended)


Begin = Callable[[], AbstractContextManager[Connection]]


def tell(job: Job) -> None:
    """One of the installation's."""
    _tell(job.id, jobs.transaction)


def tell_at_once(alert_id: UUID) -> None:
    """That no worker lives, from a process that serves."""
    _tell(alert_id, db.nobody)


def _tell(alert_id: UUID, begin: Begin) -> None:
    with begin() as connection:
        alert = db.execute(connection, class_row(Alert), """
            select id, kind, level, amount::float as amount, most::float as most, raised_at, cleared_at, mailed_at, posted_at,
                   app.muted_until(kind) is not null as muted
            from alerts
            where id = :id
            """, {"id": alert_id}).fetchone()
    if alert is None:  # forgotten, ninety days after its end
        return
    if _is_held_back(alert):
        with begin() as connection:
            db.execute(connection, class_row(Alert), "update alerts set queued_at = null where id = :id and cleared_at is null",
                       {"id": alert_id})
        return
    to = settings.get().alert_mail
    text = _("{sentence}\n\nSeen at {time} UTC. `make alerts` shows and mutes what stands.").format(
        sentence=_sentence(alert), time=f"{alert.raised_at:%Y-%m-%d %H:%M}")
    _deliver(alert, [to] if to else [], text, None, _keep_by(begin))


def tell_clinic(job: Job) -> None:
    """One of a clinic's: its own people are mailed, the operator's webhook learns its id."""
    assert job.clinic_id
    with jobs.scope(job.clinic_id) as scope:
        alert = scope.one(Alert, """
            select id, kind, level, amount::float as amount, most::float as most, raised_at, cleared_at, mailed_at, posted_at,
                   app.clinic_muted_until(clinic_id, kind) is not null as muted, subject
            from clinic_alerts
            where clinic_id = :clinic_id
              and id = :id
            """, id=job.id)
        name = scope.value("select name from clinics where id = :clinic_id")
        to = scope.value("select array(select app.alert_mailboxes(:kind))", kind=alert.kind)
        if _is_held_back(alert):
            scope.run("""
                update clinic_alerts set queued_at = null where clinic_id = :clinic_id and id = :id and cleared_at is null
                """, id=job.id)
            return
    text = _("{sentence}\n\n{clinic}: {link}").format(sentence=_sentence(alert), clinic=name, link=_link(alert))
    _deliver(alert, to, text, job.clinic_id, _keep_of(job.clinic_id))


def _is_held_back(alert: Alert) -> bool:
    """It waits, and is queued anew once nothing holds it back any more. What was begun before goes to its end."""
    return quarantine.is_on() or (alert.muted and alert.mailed_at is None and alert.posted_at is None)


def _link(alert: Alert) -> str | None:
    """Where somebody of the clinic can look after it. Holds an id and nothing else about anybody."""
    page = f"emergencies?emergency={alert.subject}" if alert.kind == "emergency" else "alerts"
    return f"{settings.get().url}/{page}" if settings.get().url else None


def _sentence(alert: Alert) -> str:
    return alert_words.sentence(alert.kind, alert.level, alert.amount, alert.most)


# the two ways --------------------------------------------------------------------------------------------------------


Keep = Callable[[UUID, str | None, str | None], None]


def _deliver(alert: Alert, to: Sequence[str], text: str, clinic_id: UUID | None, keep: Keep) -> None:
    """Both are tried before either fails the job: a webhook that hangs keeps no mail back."""
    subject = f"Chairside: {alert_words.title(alert.kind, installation=clinic_id is None)}"
    mailed = _try(lambda: mail.send_to_all(to, subject, text)) if to and mail.is_on() and alert.wants_mail else None
    posted = _try(lambda: webhooks.post(body(alert, clinic_id))) if webhooks.is_on() and alert.wants_post else None
    keep(alert.id, mailed, posted)
    if mailed or posted:
        raise Undelivered(reason=mailed or posted or "")


def _try(send: Callable[[], None]) -> str:
    """What kept it from arriving; "" for nothing."""
    try:
        send()
    except Undelivered as error:
        return error.reason[:200] or type(error).__name__
    return ""


def body(alert: Alert, clinic_id: UUID | None) -> dict[str, Any]:
    """Stays the same for the same alert and status, so that who gets it twice can tell. Holds ids and figures, nobody's name."""
    return {"id": str(alert.id), "status": alert.status, "kind": alert.kind, "level": alert.level, "text": _sentence(alert),
            "amount": alert.amount, "limit": alert.most, "raised_at": alert.raised_at.isoformat(),
            "cleared_at": alert.cleared_at.isoformat() if alert.status == "cleared" and alert.cleared_at else None,
            "clinic": str(clinic_id) if clinic_id else None, "link": _link(alert) if clinic_id else None,
            "installation": settings.get().url}


def _keep_by(begin: Begin) -> Keep:
    """None: not tried; "": arrived; otherwise why not."""
    def keep(alert_id: UUID, mailed: str | None, posted: str | None) -> None:
        with begin() as connection:
            connection.execute(db.statement("""
                update alerts
                set mailed_at = case when cast(:mailed as text) = '' then now() else mailed_at end,
                    mail_problem = coalesce(cast(:mailed as text), mail_problem),
                    posted_at = case when cast(:posted as text) = '' then now() else posted_at end,
                    post_problem = coalesce(cast(:posted as text), post_problem),
                    told_at = now()
                where id = :id
                """), {"id": alert_id, "mailed": mailed, "posted": posted})
    return keep


def _keep_of(clinic_id: UUID) -> Keep:
    def keep(alert_id: UUID, mailed: str | None, posted: str | None) -> None:
        with jobs.scope(clinic_id) as scope:
            scope.run("""
                update clinic_alerts
                set mailed_at = case when cast(:mailed as text) = '' then now() else mailed_at end,
                    mail_problem = coalesce(cast(:mailed as text), mail_problem),
                    posted_at = case when cast(:posted as text) = '' then now() else posted_at end,
                    post_problem = coalesce(cast(:posted as text), post_problem),
                    told_at = now()
                where clinic_id = :clinic_id
                  and id = :id
                """, id=alert_id, mailed=mailed, posted=posted)
    return keep
