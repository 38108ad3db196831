"""Commands of whoever runs the installation: `python -m lib.operator --help`."""

import argparse
import getpass
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from sqlalchemy.pool import NullPool

from lib import alerts, archives, archivist, auth, backup, db, embedded, migrations, quarantine, rescue, settings, startup, vault
from lib.errors import AppError, SetUpError, Unavailable


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lib.operator", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("migrate", help="bring the database up to date").set_defaults(run=migrate)
    draft = commands.add_parser("draft-migration", help="write the next migration's file, apply nothing")
    draft.add_argument("title")
    draft.set_defaults(run=draft_migration)
    commands.add_parser("open-clinic", help="open a clinic where sign-up is closed").set_defaults(run=open_clinic)
    reset = commands.add_parser("reset-user", help="print a link to a new password for somebody whom nobody else can help")
    instead = reset.add_mutually_exclusive_group()
    instead.add_argument("--factor", action="store_true", help="take the second factor away instead")
    instead.add_argument("--networks", action="store_true", help="open the owner's pages from everywhere again instead")
    reset.set_defaults(run=reset_user)
    commands.add_parser("jobs", help="show the queue of background jobs and what failed").set_defaults(run=show_jobs)
    watch = commands.add_parser("alerts", help="show the installation's alerts, and mute or test them")
    watch.add_argument("--mute", metavar="KIND", help="tell nobody of this kind")
    watch.add_argument("--hours", type=float, default=24, help="for so long; 0: tell of it again")
    watch.add_argument("--test", action="store_true", help="send one to CHAIRSIDE_ALERT_MAIL and CHAIRSIDE_ALERT_WEBHOOK")
    watch.set_defaults(run=show_alerts)
    retry = commands.add_parser("retry", help="let a failed job run again")
    retry.add_argument("id", nargs="?", default="")
    retry.set_defaults(run=retry_job)
    commands.add_parser("key", help="print a new key for CHAIRSIDE_ENCRYPTION_KEYS").set_defaults(run=print_key)
    commands.add_parser("rotate-keys", help="seal what is stored with the newest key").set_defaults(run=rotate_keys)
    out = commands.add_parser("archive", help="move closed months older than CHAIRSIDE_ARCHIVE_AFTER months into sealed files")
    out.add_argument("--months", type=int, help="older than so many months instead")
    out.set_defaults(run=archive)
    back = commands.add_parser("unarchive", help="read archived months back into the database")
    back.add_argument("month", nargs="?", help="one of them, such as 2026-01; without it, what is archived is listed")
    back.set_defaults(run=unarchive)

    commands.add_parser("backup", help="back the database up and read the backup back").set_defaults(run=make_backup)
    back = commands.add_parser("restore", help="bring a backup back into an empty database")
    back.add_argument("file", nargs="?", type=Path, help="the newest in CHAIRSIDE_BACKUPS, if none is named")
    back.add_argument("--over-data", action="store_true", help="throw away what the database holds")
    back.add_argument("--until", help="instead: the embedded server at that moment (2026-11-28T09:30Z) or at the log's end (end)")
    back.set_defaults(run=restore)
    commands.add_parser("release", help="let a restored copy send mail and call providers").set_defaults(run=release)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except Unavailable as error:  # of a password with an @ that was not written %40 the rest counts as the host
        sys.exit(f"{error}\n{re.sub(r'[^ ]*@', '…@', error.reason)}".strip())
    except AppError as error:
        sys.exit(str(error))
    except OSError as error:  # a full disk, a folder of somebody else's
        sys.exit(f"{error.strerror}: {error.filename}" if error.filename else str(error))


def migrate(_arguments: argparse.Namespace) -> None:
    """As the owner, who is never given to a production app; the articles go along."""
    owner = settings.owner_url()
    if owner is None:
        startup.start()
        startup.stop()
    else:
        migrations.bring_up_to_date(owner)
        startup.publish(owner)
    say(f"The database is at schema version {migrations.head()}.")


def draft_migration(arguments: argparse.Namespace) -> None:
    title = arguments.title.strip()
    if not title:
        raise SetUpError('Name it: make migration NAME="Add the diary"')
    from alembic import command

    number = f"{int(migrations.head()) + 1:04d}"
    script = command.revision(migrations.configuration(), message=title, rev_id=number)
    assert not isinstance(script, list | None)
    say(f"{script.path}\nPut the SQL there and in schema.sql (its last lines name the version too); tests compare both.")


def open_clinic(_arguments: argparse.Namespace) -> None:
    startup.start()
    try:
        with _asking():
            told = {"full_name": input("Full name of the owner: "), "clinic_name": input("Clinic name: "),
                    "country": re.sub(r"\W", "", input("Country (two letters): ")).upper() or "US",
                    "email": input("Email: "), "password": getpass.getpass("Password: ")}
        account = auth.sign_up(**told, only_first=False)
        say(f"{account.email} can sign in now.")
    finally:
        startup.stop()


def reset_user(arguments: argparse.Namespace) -> None:
    """Through the owner role, because the app may not. It rescues a lone owner, too."""
    with _asking():
        email = input("Email: ")
    with as_owner() as connection:
        person = connection.execute(text("select id, email from users where email_norm = app.fold_email(:email)"),
                                    {"email": auth.clean(email)}).first()
        if person is None:
            raise SetUpError("Nobody has this address.")
        help_out = rescue.drop_factor if arguments.factor else rescue.open_everywhere if arguments.networks else rescue.issue_link
        told = help_out(connection, person.id, person.email)
        connection.execute(text("insert into security_events (kind, user_id) values ('reset_asked', :id)"), {"id": person.id})
    say(told)


@contextmanager
def _asking() -> Iterator[None]:
    """At a terminal: somebody may end it instead, and a script may have no answers."""
    try:
        yield
    except (EOFError, KeyboardInterrupt):
        say("")  # ends the question's line
        raise SetUpError("Nothing was changed: a question was left without an answer. Type the command at a terminal.") from None


def show_jobs(_arguments: argparse.Namespace) -> None:
    with as_owner() as connection:
        queue = connection.execute(text("select waiting, running, failed, workers, oldest_waiting from app.queue_state()")).one()
        tasks = connection.execute(text("""
            select task_name, status, count(*) as jobs
            from procrastinate.procrastinate_jobs
            group by task_name, status
            order by task_name, status
            """)).all()
        failures = connection.execute(text("""
            select j.id, j.task_name, j.attempts, j.args ->> 'id' as subject, max(e.at) as at
            from procrastinate.procrastinate_jobs j
            left join procrastinate.procrastinate_events e on e.job_id = j.id and e.type = 'failed'
            where j.status = 'failed'
            group by j.id
            order by j.id desc
            limit 50
            """)).all()
    waiting = f" (the oldest since {queue.oldest_waiting:%Y-%m-%d %H:%M:%S} UTC)" if queue.oldest_waiting else ""
    say(f"{queue.waiting} waiting{waiting}, {queue.running} running, {queue.failed} failed; {queue.workers} workers")
    for task in tasks:
        say(f"  {task.task_name:<20} {task.status:<10} {task.jobs:>8,}")
    for job in failures:
        when = f"{job.at:%Y-%m-%d %H:%M:%S} UTC" if job.at else "killed"
        say(f"failed: {job.id} {job.task_name} about {job.subject or '-'}, {job.attempts} tries, {when}")


def retry_job(arguments: argparse.Namespace) -> None:
    if not arguments.id.isdecimal():
        raise SetUpError("Say which: make retry JOB=4711. `make jobs` lists those that failed.")
    with as_owner() as connection:
        connection.execute(text("set local search_path = procrastinate, public"))
        failed = connection.execute(text("select 1 from procrastinate_jobs where id = :id and status = 'failed'"),
                                    {"id": int(arguments.id)}).scalar()
        if not failed:
            raise SetUpError("No job of this number has failed. `make jobs` lists those that did.")
        connection.execute(text("select procrastinate_retry_job_v2(:id, now(), null, null, null)"), {"id": int(arguments.id)})
    say(f"Job {arguments.id} waits for a worker.")


def show_alerts(arguments: argparse.Namespace) -> None:
    """A test goes the way of all others, so a worker has to live."""
    with _owner_engine() as engine:
        with engine.begin() as connection:
            if arguments.mute:
                alerts.mute(connection, arguments.mute, arguments.hours, getpass.getuser())
            tested = alerts.test(connection) if arguments.test else None
        if tested:
            say(alerts.await_outcome(engine, tested))
        with engine.begin() as connection:
            say("\n".join(alerts.told(connection)))


def print_key(_arguments: argparse.Namespace) -> None:
    from cryptography.fernet import Fernet

    say(Fernet.generate_key().decode())


def rotate_keys(_arguments: argparse.Namespace) -> None:
    """All or nothing: a secret that no key opens stops it, and every other one stays as it was."""
    with as_owner() as connection:
        sealed = connection.execute(text("select id, totp_secret from users where totp_secret is not null for update")).all()
        renewed = [{"id": row.id, "secret": vault.renew(row.totp_secret)} for row in sealed]
        if renewed:
            connection.execute(text("update users set totp_secret = :secret where id = :id"), renewed)
        count = len(renewed) + _rotate_provider_keys(connection)
        archived = len(archives.away(connection))
        connection.execute(text("delete from long_jobs where kind = 'export'"))  # kept for a day, and soon made anew
    files = f" {archived} archived files may need them, too." if archived else ""
    say(f"{count} stored secrets are sealed with the newest key now. Keep the older keys: backups made before need them.{files} "
        "Exports that were kept for their owners are gone: they are made anew when somebody asks.")


def _rotate_provider_keys(connection: Connection) -> int:
    """Those of clinics with an AI provider of their own. One by one: a distributed engine locks no rows of several clinics."""
    clinics = connection.execute(text("select clinic_id from assistant_settings where api_key is not null")).scalars().all()
    return sum(_rotate_provider_key(connection, clinic) for clinic in clinics)


def _rotate_provider_key(connection: Connection, clinic: UUID) -> bool:
    """False where it was taken away meanwhile."""
    sealed = connection.execute(text("select api_key from assistant_settings where clinic_id = :clinic for update"),
                                {"clinic": clinic}).scalar()
    if sealed:
        connection.execute(text("update assistant_settings set api_key = :secret where clinic_id = :clinic"),
                           {"clinic": clinic, "secret": vault.renew(sealed)})
    return bool(sealed)


def archive(arguments: argparse.Namespace) -> None:
    """Also what was read back: whoever types this wants it away."""
    count = 0
    with _owner_engine() as engine:
        months = settings.get().archive_after if arguments.months is None else arguments.months
        if months < 1:
            raise SetUpError("Nothing was archived: CHAIRSIDE_ARCHIVE_AFTER says after how many months, or MONTHS=… for once.")
        for done in archivist.put_away(engine, months, read_back=True):
            say(f"{done.child}: {done.rows} rows are in {done.file}")
            count += 1
    say(f"{count} tables of a month were archived.")


def unarchive(arguments: argparse.Namespace) -> None:
    with as_owner() as connection:
        away = archives.away(connection)
        if not arguments.month:
            say("\n".join(f"{month:%Y-%m} {parent}" for parent, month in away) or "Nothing is archived.")
            return
        wanted = [(parent, month) for parent, month in away if f"{month:%Y-%m}" == arguments.month]
        if not wanted:
            raise SetUpError(f"Nothing of {arguments.month} is archived.")
        connection.execute(text("set local statement_timeout = 0"))
        for parent, month in wanted:
            done = archives.unarchive(connection, parent, month, archivist.folder())
            say(f"{done.child}: {done.rows} rows are back.")


def make_backup(_arguments: argparse.Namespace) -> None:
    startup.start()
    try:
        path = backup.make(startup.embedded_server())
    finally:
        startup.stop()
    say(f"{path} is whole." if path else "Another process is making a backup just now.")


def restore(arguments: argparse.Namespace) -> None:
    began = datetime.now(UTC)
    if arguments.until:
        found = backup.restore_until(_moment(arguments.until))
        when = "at the end of its log" if arguments.until == "end" else "then"
        told = (f"The database is as it was {when}, from the copy of {found.copied:%Y-%m-%d %H:%M:%S} UTC on. It holds "
                f"{found.clinics:,} clinics and {found.patients:,} patients.{_others(found)}")
    else:
        with _owner_address() as url:
            path = arguments.file or backup.newest(settings.get().backups)
            manifest = backup.restore(path, url, over_data=arguments.over_data)
        told = f"{path}: {manifest.row_count:,} rows of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC are back."
    say(f"{told} It took {(datetime.now(UTC) - began).total_seconds():.0f} seconds. Everybody is signed out, no mail is sent and "
        "no provider called until `make release`.")


def _others(found: backup.Recovered) -> str:
    """A Chairside that was started by mistake on an empty folder copies itself, too, and later than the one that was lost."""
    if found.clusters < 2:
        return ""
    return (f" {found.clusters} databases left their logs in {settings.get().backups}; this is the one that was copied at "
            f"{found.copied:%H:%M:%S} UTC on {found.copied:%Y-%m-%d}. If you want another, move {found.file} out of that folder "
            "and restore to an empty data folder once more.")


def _moment(text: str) -> datetime | None:
    if text == "end":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SetUpError(f"{text} is no moment. Write it like 2026-11-28T09:30Z, or end.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def release(_arguments: argparse.Namespace) -> None:
    with as_owner() as connection:
        ended = quarantine.end(connection)
    say("Mail is sent and providers are called from now on." if ended else "This is no restored copy that waits for its release.")


@contextmanager
def as_owner() -> Iterator[Connection]:
    """A transaction as the role that owns the tables: of DATABASE_OWNER_URL, or of the embedded server."""
    with _owner_engine() as engine, engine.begin() as connection:
        yield connection


@contextmanager
def _owner_engine() -> Iterator[Engine]:
    """For several of them."""
    with _owner_address() as url, db.translated():
        engine = db.open_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            if migrations.version(connection) != migrations.head():
                raise SetUpError("The database is not at this code's schema version. Run `make migrate` first.")
        yield engine


@contextmanager
def _owner_address() -> Iterator[str]:
    owner = settings.owner_url()
    for name in ("DATABASE_OWNER_URL", "DATABASE_OWNER_URL_FILE"):  # settings that hold it are refused in production
        environ.pop(name, None)
    if owner:
        yield owner
        return
    if settings.get().database_url:
        raise SetUpError("Only the owner of the tables may do this: give DATABASE_OWNER_URL.")
    server = embedded.start(settings.get().data)
    try:
        yield server.url("chairside_owner")
    finally:
        server.stop()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
