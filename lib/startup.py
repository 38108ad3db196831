"""From settings to an open house: the database found or started, its schema current, the articles published."""

import atexit
import threading

import structlog

from lib import chats, db, embedded, knowledge, migrations, settings
from lib.errors import SetUpError

log = structlog.get_logger()
_stopping = threading.Event()
_server: embedded.Server | None = None
_keeper: threading.Thread | None = None


def start() -> None:
    configured = settings.get()
    app_url, owner_url = _addresses(configured)
    if owner_url:
        migrations.bring_up_to_date(owner_url)
        publish(owner_url)
    db.connect(app_url, configured.pool_size)
    with db.nobody() as connection:
        migrations.check(connection)
        connection.execute(db.statement("select app.make_partitions()"))
    chats.sweep()


def stop() -> None:
    global _server, _keeper
    _stopping.set()
    if _keeper is not None:
        _keeper.join()  # or it could revive what is stopped on purpose
    _keeper = None
    db.disconnect()
    if _server is not None:
        _server.stop()
    _server = None


def _keep(server: embedded.Server) -> None:
    """A server that was killed is back within seconds, and nobody has to restart the app."""
    while not _stopping.wait(2):
        try:
            server.revive()
        except SetUpError as error:
            log.error("the embedded database does not start", reason=str(error))


def publish(owner_url: str) -> None:
    with db.translated(), db.open_engine(owner_url).begin() as connection:
        knowledge.publish(connection, knowledge.read_folder())


def _addresses(configured: settings.Settings) -> tuple[str, str | None]:
    """The restricted role's address, and the owner's where this process may have it."""
    app, owner = (url.get_secret_value() if url else None for url in (configured.database_url, configured.database_owner_url))
    if app:
        return app, owner
    if owner:
        return migrations.make_app_role(owner, configured.data), owner
    return _start_embedded(configured)


def _start_embedded(configured: settings.Settings) -> tuple[str, str]:
    global _server, _keeper
    _server = embedded.start(configured.data)
    atexit.register(stop)
    _stopping.clear()
    _keeper = threading.Thread(target=_keep, args=(_server,), daemon=True, name="keep-postgresql")
    _keeper.start()
    return _server.url("chairside_app"), _server.url("chairside_owner")
