"""Commands of whoever runs the installation: `python -m lib.operator --help`."""

import argparse
import getpass
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.pool import NullPool

from lib import auth, db, embedded, migrations, resets, settings, startup, tokens, vault
from lib.errors import AppError, SetUpError


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
    commands.add_parser("key", help="print a new key for CHAIRSIDE_ENCRYPTION_KEYS").set_defaults(run=print_key)
    commands.add_parser("rotate-keys", help="seal what is stored with the newest key").set_defaults(run=rotate_keys)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except AppError as error:
        sys.exit(str(error))


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
        account = auth.sign_up(full_name=input("Full name of the owner: "), clinic_name=input("Clinic name: "),
                               country=re.sub(r"\W", "", input("Country (two letters): ")).upper() or "US",
                               email=input("Email: "), password=getpass.getpass("Password: "), only_first=False)
        say(f"{account.email} can sign in now.")
    finally:
        startup.stop()


def reset_user(arguments: argparse.Namespace) -> None:
    """Through the owner role, because the app may not. It rescues a lone owner, too."""
    email = input("Email: ")
    with as_owner() as connection:
        person = connection.execute(text("select id, email from users where email_norm = app.fold_email(:email)"),
                                    {"email": auth.clean(email)}).first()
        if person is None:
            raise SetUpError("Nobody has this address.")
        help_out = _drop_factor if arguments.factor else _open_everywhere if arguments.networks else _issue_link
        told = help_out(connection, person.id, person.email)
        connection.execute(text("insert into security_events (kind, user_id) values ('reset_asked', :id)"), {"id": person.id})
    say(told)


def _issue_link(connection: Connection, _person: UUID, email: str) -> str:
    token = secrets.token_urlsafe(32)
    connection.execute(text("select id from app.issue_reset(:email, :token)"), {"email": email, "token": tokens.digest(token)})
    return (f"{resets.link(token, settings.get().url or 'http://localhost:8501')}\nGood for one new password of {email}, for 30 "
            "minutes. A second factor stays as it is.")


def _drop_factor(connection: Connection, person: UUID, email: str) -> str:
    who = {"id": person}
    connection.execute(text("""
        update users set totp_secret = null, totp_since = null, factor_reset_at = now() where id = :id
        """), who)
    connection.execute(text("delete from recovery_codes where user_id = :id"), who)
    connection.execute(text("select app.end_sessions(:id, null)"), who)
    return f"{email} has no second factor any more and is signed out everywhere."


def _open_everywhere(connection: Connection, person: UUID, email: str) -> str:
    owned = connection.execute(text("""
        select clinic_id from memberships where user_id = :id and role = 'owner' and ended_at is null
        """), {"id": person}).scalars().all()
    for clinic_id in owned:
        connection.execute(text("select app.enter_job(:id)"), {"id": clinic_id})  # the policies bind the tables' owner, too
        connection.execute(text("update clinics set owner_networks = '{}' where id = :id"), {"id": clinic_id})
    return f"Owner pages open from everywhere again in the clinics that {email} owns: {len(owned)}."


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
        renewed += _rotate_provider_keys(connection)
    say(f"{len(renewed)} stored secrets are sealed with the newest key now. The older keys are not needed any more.")


def _rotate_provider_keys(connection: Connection) -> list[dict[str, object]]:
    """Those of clinics with an AI provider of their own."""
    sealed = connection.execute(text("""
        select clinic_id, api_key from assistant_settings where api_key is not null for update
        """)).all()
    renewed: list[dict[str, object]] = [{"id": row.clinic_id, "secret": vault.renew(row.api_key)} for row in sealed]
    if renewed:
        connection.execute(text("update assistant_settings set api_key = :secret where clinic_id = :id"), renewed)
    return renewed


@contextmanager
def as_owner() -> Iterator[Connection]:
    """A transaction as the role that owns the tables: of DATABASE_OWNER_URL, or of the embedded server."""
    with _owner_address() as url, db.translated(), db.open_engine(url, poolclass=NullPool).begin() as connection:
        if migrations.version(connection) != migrations.head():
            raise SetUpError("The database is not at this code's schema version. Run `make migrate` first.")
        yield connection


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
