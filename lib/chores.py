"""What the worker knows to do: by name what people and their clicks cause, and by the clock what keeps the house."""

from collections.abc import Callable

from lib import alert_news, alerts, answers, audit, db, export_jobs, import_jobs, jobs, resets, rollups, team
from lib.jobs import Job

ASKED: dict[str, Callable[[Job], None]] = {
    "export_clinic": export_jobs.run,
    "import_patients": import_jobs.run,
    "mail_invitation": team.mail_invitation,
    "mail_reset": resets.mail_link,
    "tell_alert": alert_news.tell,
    "tell_clinic_alert": alert_news.tell_clinic,
}


def seal() -> None:
    """What was written to the audit log since, in batches; several processes take turns. The housekeeper does it every
    second (ADR 015); as a job it also happens where only workers run."""
    while audit.seal():
        pass


def sweep() -> None:
    """Answers that a crash left open are closed."""
    answers.sweep()


def count_figures() -> None:
    """Figures of what has changed since, in batches; several processes take turns."""
    while rollups.refresh():
        pass


def make_partitions() -> None:
    with db.nobody() as connection:
        connection.execute(db.statement("select app.make_partitions()"))


def forget() -> None:
    """Drafts and reports of imports after a week, exports and idempotency keys after a day."""
    with jobs.transaction() as connection:
        connection.execute(db.statement("select app.forget_repeats()"))
        connection.execute(db.statement("select app.forget_drafts()"))
        connection.execute(db.statement("select app.forget_long_jobs()"))


BY_THE_CLOCK: dict[str, tuple[str, Callable[[], None]]] = {
    "seal": ("* * * * *", seal),
    "sweep": ("* * * * *", sweep),
    "count_figures": ("* * * * *", count_figures),
    "look_for_alerts": ("* * * * *", alerts.look),
    "make_partitions": ("17 * * * *", make_partitions),
    "forget": ("47 * * * *", forget),
}
