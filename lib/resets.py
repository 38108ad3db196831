"""Forgotten passwords: a link that works once, for half an hour, and leaves the second factor as it is."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from lib import audit, auth, db, jobs, mail, passwords, rate_limits, settings, tokens
from lib.errors import AppError, Invalid
from lib.jobs import Job
from lib.texts import _

log = structlog.get_logger()
_post = ThreadPoolExecutor(1, thread_name_prefix="resets")


@dataclass(frozen=True)
class Reset:
    """Whose password the holder of a link may choose."""

    email: str
    full_name: str


def ask(email: str, *, address: str = "", request_id: str = "") -> None:
    """Queues the mail to a known address, in the background: an unknown one gets the same answer, at the same pace."""
    auth.limited("reset_limited", "", address, lambda: rate_limits.spend("reset", address))
    _post.submit(_queue, email, address, request_id)


def _queue(email: str, address: str, request_id: str) -> None:
    try:
        with db.nobody() as connection:
            known = connection.execute(db.statement("select app.ask_reset(:email)"), {"email": auth.clean(email)}).scalar()
        audit.record_security("reset_asked", account=email, user_id=known, address=address, request_id=request_id)
    except AppError as error:
        log.error("a reset was not queued", error=type(error).__name__)


def mail_link(job: Job) -> None:
    """Each try has a token of its own: none waits in the queue."""
    token = secrets.token_urlsafe(32)
    with jobs.transaction() as connection:
        email = connection.execute(db.statement("select app.issue_reset_of(:person, :token)"),
                                   {"person": job.id, "token": tokens.digest(token)}).scalar()
    if email:
        mail.send(email, _("A new password for Chairside"), _(
            "Somebody, hopefully you, asked for a new password.\n\n{link}\n\nThe link works once, for 30 minutes. "
            "If it was not you, do nothing: your password stays as it is.").format(link=link(token, str(settings.get().url))))


def link(token: str, origin: str) -> str:
    """`origin`: scheme and host of the installation. In a mail it is CHAIRSIDE_URL, never what a request claims."""
    return f"{origin}/?reset={token}"


def find(token: str) -> Reset | None:
    """None: used, expired, or never issued."""
    with db.nobody() as connection:
        row = connection.execute(db.statement("select email, full_name from app.find_reset(:token)"),
                                 {"token": tokens.digest(token)}).first()
    return Reset(**row._mapping) if row else None


def choose(token: str, password: str, *, address: str = "") -> None:
    """Sets the password and signs its person out everywhere. Raises Invalid; a refused password leaves the link good."""
    reset = find(token)
    if reset is not None:
        passwords.check(password, reset.full_name, reset.email)
        new_hash = passwords.make_hash(password)
        with db.nobody() as connection:
            person = connection.execute(db.statement("select app.reset_password(:token, :hash)"),
                                        {"token": tokens.digest(token), "hash": new_hash}).scalar()
        if person is not None:
            audit.record_security("reset_done", user_id=person, address=address)
            return
    audit.record_security("reset_refused", address=address)
    raise Invalid(_("This link was used already or is older than 30 minutes. Please ask for a new one."))
