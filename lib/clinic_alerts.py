"""Alerts as a clinic's owners and managers see them; an owner whose clinic is the only one sees the installation's, too."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from lib import alert_words, audit, auth
from lib.db import Scope
from lib.errors import Invalid


@dataclass(frozen=True)
class Alert:
    """`mail_problem`, `post_problem`: why a mail or the webhook failed last; "" where it did not."""

    id: UUID
    installation: bool
    kind: str
    level: int
    amount: float
    most: float
    raised_at: datetime
    cleared_at: datetime | None
    mailed_at: datetime | None
    posted_at: datetime | None
    mail_problem: str
    post_problem: str
    subject: str
    """The id of an emergency, the day of a budget; "" of a provider and of the installation's."""


@dataclass(frozen=True)
class Watched:
    """A kind of alert, and until when nobody is told of it."""

    kind: str
    installation: bool
    muted_until: datetime | None


def view(scope: Scope, *, limit: int = 20) -> tuple[list[Alert], list[Alert]]:
    """What stands, the newest first, and the last ones that are over."""
    auth.require(scope.identity, "alerts.read")
    found = [*_of_the_clinic(scope), *_of_the_installation(scope)]
    found.sort(key=lambda one: one.raised_at, reverse=True)
    return [one for one in found if not one.cleared_at], [one for one in found if one.cleared_at][:limit]


def _of_the_clinic(scope: Scope) -> list[Alert]:
    return scope.many(Alert, """
        select id, false as installation, kind, level, amount::float as amount, most::float as most, raised_at, cleared_at,
               mailed_at, posted_at, mail_problem, post_problem, subject
        from clinic_alerts
        where clinic_id = :clinic_id
          and kind <> 'test'
          and (cleared_at is null or cleared_at > now() - interval '30 days')
        order by raised_at desc
        limit 200
        """)


def _of_the_installation(scope: Scope) -> list[Alert]:
    """Asked apart: these lie where no clinic's rows do, once there are several machines (deploy/citus.sql)."""
    return scope.many(Alert, """
        select id, true as installation, kind, level, amount::float as amount, most::float as most, raised_at, cleared_at,
               mailed_at, posted_at, mail_problem, post_problem, '' as subject
        from app.installation_alerts()
        where cleared_at is null or cleared_at > now() - interval '30 days'
        order by raised_at desc
        limit 200
        """)


def watched(scope: Scope) -> list[Watched]:
    """Everything that is looked at for this person."""
    auth.require(scope.identity, "alerts.read")
    ours = scope.many(Watched, """
        select kind, false as installation,
               (select m.until from (select until from clinic_alert_mutes
                                     where clinic_id = :clinic_id and kind = k.kind order by id desc limit 1) m
                where m.until > now()) as muted_until
        from unnest(cast(:ours as text[])) k (kind)
        """, ours=list(alert_words.OF_CLINICS))
    return ours + scope.many(Watched, """
        select kind, true as installation, app.muted_until(kind) as muted_until
        from unnest(cast(:all as text[])) kind
        where app.alone()
        """, all=list(alert_words.OF_THE_INSTALLATION))


def mute(scope: Scope, kind: str, hours: int, *, installation: bool = False) -> None:
    """Nobody is told for so long; 0: told of again from now on. What stands stays to be seen, and is told of when the time is
    over, if it still stands then."""
    auth.require(scope.identity, "alerts.mute")
    if kind not in (alert_words.OF_THE_INSTALLATION if installation else alert_words.OF_CLINICS) or not 0 <= hours <= 168:
        raise Invalid
    if installation:
        scope.run("select app.mute_installation(:kind, now() + cast(:time as interval))", kind=kind, time=timedelta(hours=hours))
    else:
        scope.run("""
            insert into clinic_alert_mutes (clinic_id, kind, until, user_id)
            values (:clinic_id, :kind, now() + cast(:time as interval), :me)
            """, kind=kind, time=timedelta(hours=hours), me=scope.identity.user_id)
    audit.record(scope, "mute_alert" if hours else "unmute_alert", "alert", f"installation:{kind}" if installation else kind)


def test(scope: Scope) -> UUID:
    """Begins a test, on the way that every alert goes."""
    auth.require(scope.identity, "alerts.mute")
    alert_id: UUID = scope.value("select app.test_alert()")
    audit.record(scope, "test_alert", "alert", alert_id)
    return alert_id


@dataclass(frozen=True)
class Outcome:
    """`done`: the job was there. Neither sent nor a problem: that way is not configured."""

    done: bool
    mailed: bool
    posted: bool
    mail_problem: str
    post_problem: str


def outcome(scope: Scope, alert_id: UUID) -> Outcome:
    auth.require(scope.identity, "alerts.read")
    return scope.one(Outcome, """
        select told_at is not null as done, mailed_at is not null as mailed, posted_at is not null as posted, mail_problem,
               post_problem
        from clinic_alerts
        where clinic_id = :clinic_id
          and id = :id
        """, id=alert_id)
