"""Whether this process can do its work, part by part, in words that name no host and no secret: anybody may ask."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from lib import backup, breakers, db, disks, jobs, migrations, providers, remote, settings, startup
from lib.errors import AppError

OK = "ok"
ROOM = 500 * 1024 * 1024  # bytes: with less, PostgreSQL soon refuses to write


@dataclass(frozen=True)
class Report:
    """`parts`: what is well says "ok", the others say why not. `vital`: without these nobody can work here."""

    parts: dict[str, str]
    backup_hours: float | None = None
    """Since the last backup; None where there is none, or nobody can tell."""
    vital: tuple[str, ...] = ("database", "migrations", "worker", "disk")

    @property
    def failing(self) -> dict[str, str]:
        return {name: said for name, said in self.parts.items() if said != OK and name in self.vital}

    @property
    def status(self) -> str:
        """"down"; "degraded" where only an AI provider or the assistant's service is away; "ok"."""
        if self.failing:
            return "down"
        return OK if all(said == OK for said in self.parts.values()) else "degraded"


def check() -> Report:
    return Report({**_of_the_database(), "disk": disk(startup.folders()), "provider": provider(), "service": service()},
                  backup_age())


def _of_the_database() -> dict[str, str]:
    try:
        with db.nobody() as connection:
            migrated = schema(connection)
        return {"database": OK, "migrations": migrated, "worker": worker()}
    except AppError:  # its words name the host
        return {"database": "does not answer"}


def backup_age() -> float | None:
    """In hours. Not a part: an installation without backups works, and whoever watches it decides when to be woken."""
    try:
        made = backup.last()
    except AppError:
        return None
    return round((datetime.now(UTC) - made.finished_at).total_seconds() / 3600, 1) if made else None


def schema(connection: Connection) -> str:
    found, wanted = migrations.version(connection), migrations.head()
    return OK if found == wanted else f"the database is at {found}, this code at {wanted}"


def worker() -> str:
    """Somebody must live to do what waits."""
    queue = jobs.state()
    return OK if queue.workers or not queue.waiting else "jobs wait and no worker lives"


def disk(folders: list[Path]) -> str:
    return OK if all(disks.free(folder) > ROOM for folder in folders) else f"less than {ROOM // 1024 ** 2} MB are free"


def provider() -> str:
    """Of the installation, not of a clinic: after five failures in a row it is left alone for half a minute at a time."""
    offered = providers.installed()
    return "does not answer" if offered and breakers.is_resting(providers.breaker(offered)) else OK


def service() -> str:
    """The assistant's, where it is one of its own."""
    return OK if settings.get().ai_service_url is None or remote.is_up() else "does not answer"
