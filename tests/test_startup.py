"""Starting against an outside server, as its restricted role or with the owner's address."""

import os
import subprocess
import sys

import psycopg
import pytest

from lib import embedded, migrations
from lib.settings import ROOT

START = """
from lib import db, startup
startup.start()
with db.nobody() as connection:
    print(connection.exec_driver_sql("select current_user").scalar())
startup.stop()
"""


@pytest.fixture
def outside(tmp_path):
    server = embedded.start(tmp_path / "outside")
    yield server
    server.stop()


def start(tmp_path, **environment) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "CHAIRSIDE", "JWT"))}
    return subprocess.run([sys.executable, "-c", START], cwd=ROOT, capture_output=True, text=True,
                          env={**clean, "CHAIRSIDE_DATA": str(tmp_path / "data"), **environment})


def test_an_outside_server_replaces_the_embedded_one(outside, tmp_path):
    migrations.bring_up_to_date(outside.url("chairside_owner"))
    done = start(tmp_path, DATABASE_URL=outside.url("chairside_app"))
    assert done.stdout == "chairside_app\n", done.stderr[-500:]
    assert not (tmp_path / "data").exists()


def test_the_owners_address_alone_is_enough_in_development(outside, tmp_path):
    with psycopg.connect(outside.url("postgres"), autocommit=True) as connection:
        connection.execute("drop role chairside_app")
        connection.execute("alter role chairside_owner createrole")
    done = start(tmp_path, DATABASE_OWNER_URL=outside.url("chairside_owner"))
    assert done.stdout == "chairside_app\n", done.stderr[-500:]


def test_the_owner_is_not_accepted_as_the_app(outside, tmp_path):
    migrations.bring_up_to_date(outside.url("chairside_owner"))
    done = start(tmp_path, DATABASE_URL=outside.url("chairside_owner"))
    assert "restricted" in done.stderr


def test_an_empty_database_is_not_served_by_a_process_that_cannot_fill_it(outside, tmp_path):
    done = start(tmp_path, DATABASE_URL=outside.url("chairside_app"))
    assert "make migrate" in done.stderr


def test_the_owners_connection_does_not_stay_behind(tmp_path):
    code = """
from lib import db, startup
startup.start()
import psycopg
with psycopg.connect(startup._server.url("postgres")) as connection:
    print([row[0] for row in connection.execute(
        "select usename from pg_stat_activity where usename like 'chairside%' group by usename")])
startup.stop()
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "CHAIRSIDE", "JWT"))}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          env={**clean, "CHAIRSIDE_DATA": str(tmp_path / "data")})
    assert done.stdout.strip() == "['chairside_app']", done.stderr[-500:]


def test_a_database_that_is_away_is_named_without_its_password(tmp_path):
    done = start(tmp_path, DATABASE_URL="postgresql://chairside_app:hunter2@127.0.0.1:1/chairside")
    assert "can't be reached" in done.stderr.splitlines()[-1]
    assert "hunter2" not in done.stderr


def test_a_database_of_a_newer_version_is_left_alone(outside, tmp_path):
    migrations.bring_up_to_date(outside.url("chairside_owner"))
    with psycopg.connect(outside.url("chairside_owner")) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    done = start(tmp_path, DATABASE_OWNER_URL=outside.url("chairside_owner"), DATABASE_URL=outside.url("chairside_app"))
    assert "older code does not know" in done.stderr.splitlines()[-1]


def test_a_killed_database_is_back_without_a_restart_and_keeps_what_was_acknowledged(tmp_path):
    """A whole app process; its database killed in mid-flight; within ten seconds it writes again, and nothing is lost."""
    code = """
import os, sys, time
from lib import db, startup
from lib.errors import AppError
startup.start()
server = startup._server
def write(kind):
    with db.nobody() as connection:
        connection.exec_driver_sql("insert into security_events (kind, account_hash) values ('ticket_refused', %s)", (kind,))
write("before")
os.kill(int((server.cluster / "postmaster.pid").read_text().split()[0]), 9)
began = time.monotonic()
import psycopg
while True:  # the killed server's children answer for a moment longer: a new connection tells that it is back
    try:
        psycopg.connect(server.url("chairside_owner")).close()
        write("after")
        break
    except (AppError, psycopg.OperationalError):
        time.sleep(0.2)
print(round(time.monotonic() - began, 1))
with psycopg.connect(server.url("chairside_owner")) as connection:
    print([row[0] for row in connection.execute("select account_hash from security_events order by id")])
startup.stop()
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "CHAIRSIDE", "JWT"))}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          env={**clean, "CHAIRSIDE_DATA": str(tmp_path / "data")})
    assert done.returncode == 0, done.stderr[-900:]
    seconds, written = done.stdout.strip().split("\n")[-2:]  # before them, the log tells that the housekeeper found nobody
    assert float(seconds) < 10
    assert written == "['before', 'after']"


def test_no_thread_outlives_the_house(tmp_path):
    code = """
import threading
from lib import startup
startup.start()
print(sorted(thread.name for thread in threading.enumerate() if thread.name in ("archivist", "housekeeper")))
startup.stop()
print(sorted(thread.name for thread in threading.enumerate() if thread.name in ("archivist", "housekeeper")))
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "CHAIRSIDE", "JWT"))}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          env={**clean, "CHAIRSIDE_DATA": str(tmp_path / "data")})
    assert done.stdout.strip().split("\n")[-2:] == ["['archivist', 'housekeeper']", "[]"], done.stderr[-900:]


def test_the_first_page_imports_only_what_it_shows():
    done = subprocess.run([sys.executable, "-c", "import app, ui.frame, sys; print(*sys.modules)"], cwd=ROOT, capture_output=True,
                          text=True)
    loaded = set(done.stdout.split())
    assert {"sqlalchemy", "streamlit_authenticator"} < loaded, done.stderr[-500:]
    assert not loaded & {"fastapi", "pandas", "alembic", "api.main"}
