"""From settings to an open house: the database found or started, its schema current, the articles published."""

import atexit

from lib import chats, db, embedded, knowledge, migrations, settings

_server: embedded.Server | None = None


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
    global _server
    db.disconnect()
    if _server is not None:
        _server.stop()
    _server = None


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
    global _server
    _server = embedded.start(configured.data)
    atexit.register(stop)
    return _server.url("chairside_app"), _server.url("chairside_owner")
