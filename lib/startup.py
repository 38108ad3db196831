"""From settings to an open house: the database found or started, its schema current, the articles and prices published."""

import atexit
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from sqlalchemy.pool import NullPool

from lib import answers, archivist, audit, backup, db, disks, embedded, knowledge, migrations, prices, replica, settings
from lib.errors import SetUpError, Unavailable

log = structlog.get_logger()
PATIENCE = 20.0  # seconds for the end of the log when everything stops; a service manager kills after a minute
_stopping = threading.Event()
_server: embedded.Server | None = None
_keepers: list[threading.Thread] = []
_failing: set[str] = set()
_backups_full = 0.0


def start() -> None:
    """Raises SetUpError with the sentence to print."""
    try:
        _open(settings.get())
    except Unavailable as error:
        raise SetUpError(f"The database of DATABASE_URL or DATABASE_OWNER_URL can't be reached. {error.reason}") from None


def start_worker() -> str:
    """For a process that only does jobs: the address of their role, which is all it needs to know."""
    configured = settings.get()
    if configured.database_worker_url is None:
        start()
        url = worker_address()
        if url is None:
            raise SetUpError("DATABASE_WORKER_URL is missing: the address of the database as the role chairside_worker.")
        return url
    url = configured.database_worker_url.get_secret_value()
    try:
        _keep(url, configured.worker_jobs)
    except Unavailable as error:
        raise SetUpError(f"The database of DATABASE_WORKER_URL can't be reached. {error.reason}") from None
    return url


def app_address() -> str:
    """Of the restricted role, for processes that this one starts."""
    configured = settings.get()
    if configured.database_url:
        return configured.database_url.get_secret_value()
    if _server is not None:
        return _server.url("chairside_app")
    assert configured.database_owner_url
    return migrations.make_role(configured.database_owner_url.get_secret_value(), configured.data, "app")


def worker_address() -> str | None:
    """None where nobody gave it: with only the restricted role's address, jobs are other processes' work."""
    configured = settings.get()
    if configured.database_worker_url:
        return configured.database_worker_url.get_secret_value()
    if _server is not None:
        return _server.url("chairside_worker")
    if configured.database_owner_url and not configured.database_url:
        return migrations.make_role(configured.database_owner_url.get_secret_value(), configured.data, "worker")
    return None


def _open(configured: settings.Settings) -> None:
    app_url, owner_url = _addresses(configured)
    if owner_url:
        migrations.bring_up_to_date(owner_url)
        publish(owner_url)
    _keep(app_url, configured.pool_size)


def _keep(url: str, pool_size: int) -> None:
    copy = settings.get().database_replica_url
    if copy:
        replica.connect(copy.get_secret_value(), pool_size)
    db.connect(url, pool_size)
    with db.nobody() as connection:
        migrations.check(connection)
    tidy()
    _stopping.clear()
    for name, chore in (("housekeeper", _keep_house), ("watchman", _keep_watch), ("backups", _keep_backups),
                        ("log", _keep_log), ("archivist", _keep_archives)):
        keeper = threading.Thread(target=chore, daemon=True, name=name)
        _keepers.append(keeper)
        keeper.start()


def stop() -> None:
    global _server
    _stopping.set()
    for keeper in _keepers:  # the housekeeper could revive what is stopped on purpose; a backup ends with its connection
        keeper.join(None if keeper.name == "housekeeper" else 5)
    if _keepers:
        _attempt(seal)  # nothing stays open to changes while nobody is looking
    _keepers.clear()
    keeps_log = _server is not None and db.is_connected() and backup.keeps_log(_server)  # which the database knows
    replica.disconnect()
    db.disconnect()
    if _server is not None and _server.stop() and keeps_log:
        _ship_rest(_server)
    _server = None


def _ship_rest(server: embedded.Server) -> None:
    """By a thread of its own: a folder elsewhere that went away may keep whoever looks at it waiting, and a stop must end."""
    carrier = threading.Thread(target=backup.ship_rest, args=(server,), daemon=True, name="log")
    with suppress(RuntimeError):  # at an interpreter's exit newer Pythons begin no thread
        carrier.start()
        carrier.join(PATIENCE)


def folders() -> list[Path]:
    """Where this installation writes on this machine: secrets, and the embedded database where there is one."""
    return [settings.get().data, *([_server.home] if _server else [])]


def backups_full() -> float:
    """The used share of the disk that this process's backups go to, as it was a minute ago; 0 where it makes none, or where it is
    the disk of `folders`."""
    return _backups_full


def tidy() -> None:
    """Months made ahead, and answers that a crash left open closed: before anybody is served, and then by the worker."""
    with db.nobody() as connection:
        connection.execute(db.statement("select app.make_partitions()"))
    answers.sweep()


def seal() -> None:
    """What was written to the audit log since, in batches; several processes take turns."""
    while audit.seal() and not _stopping.is_set():
        pass


def _keep_house() -> None:
    """Every second the audit log is sealed, every other one a killed embedded server is brought back."""
    beat = 0
    while not _stopping.wait(1):
        beat += 1
        for every, chore in ((2, _revive), (1, seal)):
            if beat % every == 0:
                _attempt(chore)


def _keep_watch() -> None:
    """Every minute it is written down what this process saw, and looked whether a worker lives. By a thread of its own: a mail
    server may take its time."""
    while not _stopping.wait(60):
        for chore in (_note, miss_worker):
            _attempt(chore)


def _keep_backups() -> None:
    """By a thread of its own: a large clinic's backup takes minutes, and all else goes on meanwhile. A folder elsewhere that
    went away may keep whoever looks at it waiting, so its disk is looked at here, too."""
    while not _stopping.wait(60):
        for chore in (measure_backups, back_up):
            _attempt(chore)


def measure_backups() -> None:
    global _backups_full
    folder = settings.get().backups
    _backups_full = disks.full(folder) if backup.is_set_up(_server) and disks.is_apart(folder, folders()) else 0.0


def back_up() -> None:
    backup.run_if_due(_server)


def _keep_log() -> None:
    """By a thread of its own: a backup takes longer than what a lost machine may lose."""
    while not _stopping.wait(60):
        _attempt(ship_log)


def ship_log() -> None:
    backup.ship_log(_server)


def _keep_archives() -> None:
    """Every hour, from a minute after the start on. By a thread of its own, too: backups and the write-ahead log don't wait."""
    pause = 60
    while not _stopping.wait(pause):
        _attempt(archive)
        pause = 3600


def archive() -> None:
    """Where this process has the address of the tables' owner; elsewhere it is `make archive` by cron."""
    owner = _owner_address()
    if owner:
        archivist.run_if_due(owner)


def _owner_address() -> str | None:
    if _server is not None:
        return _server.url("chairside_owner")
    owner = settings.get().database_owner_url
    return owner.get_secret_value() if owner else None


def embedded_server() -> embedded.Server | None:
    """The one this process holds on to, if any."""
    return _server


def _attempt(chore: Callable[[], None]) -> None:
    """The edge of the housekeeper's thread: whatever goes wrong, it looks after the house again in a second. Logged once, or
    a database that is away for an hour would fill the log."""
    name = chore.__name__.strip("_")
    try:
        chore()
        _failing.discard(name)
    except Exception as error:
        if name not in _failing:
            log.error("housekeeping failed", chore=name, reason=type(error).__name__)
        _failing.add(name)


def _revive() -> None:
    if _server is not None:
        _server.revive()


def _note() -> None:
    from lib import watching  # with the HTTP clients of providers, which no start should wait for

    watching.note(folders(), backups_full())


def miss_worker() -> None:
    from lib import alert_news, alerts

    missed = alerts.miss_worker()
    if missed:
        alert_news.tell_at_once(missed)


def publish(owner_url: str) -> None:
    """Without a pool: the owner's connection may not stay behind in a process that serves."""
    with db.translated(), db.open_engine(owner_url, poolclass=NullPool).begin() as connection:
        knowledge.publish(connection, knowledge.read_folder())
        prices.publish(connection)


def _addresses(configured: settings.Settings) -> tuple[str, str | None]:
    """The restricted role's address, and the owner's where this process may have it."""
    app, owner = (url.get_secret_value() if url else None for url in (configured.database_url, configured.database_owner_url))
    if app:
        return app, owner
    if owner:
        return migrations.make_role(owner, configured.data, "app"), owner
    return _start_embedded(configured)


def _start_embedded(configured: settings.Settings) -> tuple[str, str]:
    global _server
    _server = embedded.start(configured.data)
    atexit.register(stop)
    return _server.url("chairside_app"), _server.url("chairside_owner")
