"""From settings to an open house: the database found or started, its schema current, the articles and prices published."""

import atexit
import threading
from collections.abc import Callable

import structlog
from sqlalchemy.pool import NullPool

from lib import audit, chats, db, embedded, knowledge, migrations, prices, settings
from lib.errors import SetUpError, Unavailable

log = structlog.get_logger()
_stopping = threading.Event()
_server: embedded.Server | None = None
_keeper: threading.Thread | None = None
_failing: set[str] = set()


def start() -> None:
    """Raises SetUpError with the sentence to print."""
    try:
        _open(settings.get())
    except Unavailable as error:
        raise SetUpError(f"The database of DATABASE_URL or DATABASE_OWNER_URL can't be reached. {error.reason}") from None


def _open(configured: settings.Settings) -> None:
    global _keeper
    app_url, owner_url = _addresses(configured)
    if owner_url:
        migrations.bring_up_to_date(owner_url)
        publish(owner_url)
    db.connect(app_url, configured.pool_size)
    with db.nobody() as connection:
        migrations.check(connection)
    tidy()
    _stopping.clear()
    _keeper = threading.Thread(target=_keep_house, daemon=True, name="housekeeper")
    _keeper.start()


def stop() -> None:
    global _server, _keeper
    _stopping.set()
    if _keeper is not None:
        _keeper.join()  # or it could revive what is stopped on purpose
        _attempt(seal)  # nothing stays open to changes while nobody is looking
    _keeper = None
    db.disconnect()
    if _server is not None:
        _server.stop()
    _server = None


def tidy() -> None:
    """Months made ahead, and answers that a crash left open closed."""
    with db.nobody() as connection:
        connection.execute(db.statement("select app.make_partitions()"))
    chats.sweep()


def seal() -> None:
    """What was written to the audit log since, in batches; several processes take turns."""
    while audit.seal() and not _stopping.is_set():
        pass


def _keep_house() -> None:
    """Every second the audit log is sealed, every other one a killed embedded server is brought back, every minute the house
    is tidied."""
    beat = 0
    while not _stopping.wait(1):
        beat += 1
        for every, chore in ((2, _revive), (1, seal), (60, tidy)):
            if beat % every == 0:
                _attempt(chore)


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
        return migrations.make_app_role(owner, configured.data), owner
    return _start_embedded(configured)


def _start_embedded(configured: settings.Settings) -> tuple[str, str]:
    global _server
    _server = embedded.start(configured.data)
    atexit.register(stop)
    return _server.url("chairside_app"), _server.url("chairside_owner")
