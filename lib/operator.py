"""Commands of whoever runs the installation: `python -m lib.operator --help`."""

import argparse
import getpass
import re
import sys

from lib import auth, migrations, settings, startup
from lib.errors import AppError, SetUpError


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lib.operator", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("migrate", help="bring the database up to date").set_defaults(run=migrate)
    draft = commands.add_parser("draft-migration", help="write the next migration's file, apply nothing")
    draft.add_argument("title")
    draft.set_defaults(run=draft_migration)
    commands.add_parser("open-clinic", help="open a clinic where sign-up is closed").set_defaults(run=open_clinic)
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


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
