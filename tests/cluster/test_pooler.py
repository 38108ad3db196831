"""The real PgBouncer between the app and a database that takes encrypted connections alone. The embedded PostgreSQL is built without
TLS, so another PgBouncer stands before it and asks for it."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

from lib import embedded, migrations
from scripts import cluster, packages, pooler
from tests.conftest import free_port

pytestmark = pytest.mark.long
STRICT = """
[databases]
* = host={sockets} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
client_tls_sslmode = require
client_tls_key_file = {folder}/server.pem
client_tls_cert_file = {folder}/server.pem
ignore_startup_parameters = extra_float_digits,options
"""


@contextmanager
def bouncing(settings: Path) -> Iterator[None]:
    packages.need({"pgbouncer": "pgbouncer"})
    process = subprocess.Popen(["pgbouncer", "-q", "-u", cluster._user(), str(settings)], env={"PATH": packages.PLACES})
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def folder() -> Iterator[Callable[[], Path]]:
    """For whoever runs PgBouncer, who may not enter the folder of a test."""
    with ExitStack() as stack:
        def make() -> Path:
            made = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chairside-")))
            shutil.chown(made, cluster._user())
            return made
        yield make


@pytest.fixture
def outside(tmp_path, folder, database) -> Iterator[tuple[URL, Path]]:
    """Its address for the app, and the certificate that it shows."""
    server = embedded.start(tmp_path / "data")
    migrations.bring_up_to_date(server.url("chairside_owner"))
    address, port, there = make_url(server.url("chairside_app")), free_port(), folder()
    cluster._write(there / "server.pem", cluster._self_signed())
    cluster._write(there / "users.txt", f'"{address.username}" "{address.password}"\n')
    cluster._write(there / "strict.ini", STRICT.format(sockets=address.query["host"], port=port, folder=there))
    with bouncing(there / "strict.ini"):
        yield address.set(host="localhost", port=port, query={}), there / "server.pem"
    server.stop()


def ask(here: Path, address: URL) -> int:
    """Through a pool that knows this address."""
    pooler.configure(address, here, (cluster.DEPLOY / "pgbouncer.ini").read_text(), cluster._write)
    with bouncing(here / "pgbouncer.ini"):
        assert cluster._await((here / ".s.PGSQL.6432").exists)
        with psycopg.connect(cluster._pooled(address, here), connect_timeout=5) as connection:
            [found] = connection.execute("select 42").fetchone()
    return found


def test_the_pool_speaks_to_the_database_as_the_address_says(outside, folder):
    address, certificate = outside
    assert ask(folder(), address.set(query={"sslmode": "verify-full", "sslrootcert": str(certificate)})) == 42


def test_one_that_asks_for_encryption_is_not_spoken_to_in_clear(outside, folder):
    address, _certificate = outside
    with pytest.raises(psycopg.OperationalError):
        ask(folder(), address.set(query={"sslmode": "disable"}))


def test_a_database_that_shows_another_certificate_is_not_spoken_to(outside, folder, tmp_path):
    address, _certificate = outside
    another = tmp_path / "another.pem"
    another.write_text(cluster._self_signed())
    with pytest.raises(psycopg.OperationalError):
        ask(folder(), address.set(query={"sslmode": "verify-full", "sslrootcert": str(another)}))
