"""The embedded server: shared, kept, never loosened, never corrupted."""

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from lib import embedded, programs
from lib.errors import SetUpError
from lib.settings import ROOT

HOLD = "import sys, time; from pathlib import Path; from lib import embedded; server = embedded.start(Path(sys.argv[1])); print('up', flush=True); time.sleep(60)"


def holder(data: Path) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    return process


def test_the_last_one_out_stops_the_server(tmp_path):
    first, second = embedded.start(tmp_path), embedded.start(tmp_path)
    assert not first.stop()
    assert embedded._running(second.cluster)
    assert second.stop()
    assert not embedded._running(second.cluster)


def test_data_survives_a_killed_app_and_the_next_one_attaches(tmp_path):
    process = holder(tmp_path)
    process.kill()
    process.wait()
    server = embedded.start(tmp_path)
    try:
        assert psycopg.connect(server.url("chairside_owner")).execute("select 1").fetchone() == (1,)
    finally:
        server.stop()
    assert not embedded._running(server.cluster)


def test_a_second_process_attaches_to_a_running_server(tmp_path):
    process = holder(tmp_path)
    server = embedded.start(tmp_path)
    server.stop()
    assert embedded._running(server.cluster)
    process.terminate()
    process.wait()
    embedded.start(tmp_path).stop()


def test_starting_at_the_same_moment_makes_one_cluster(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(lambda _: embedded.start(tmp_path), range(4)))
    assert len({server.url("chairside_app") for server in servers}) == 1
    for server in servers:
        server.stop()


def test_a_killed_database_comes_back(tmp_path):
    server = embedded.start(tmp_path)
    pid = int(subprocess.run(["head", "-1", server.cluster / "postmaster.pid"], capture_output=True, text=True).stdout)
    os.kill(pid, 9)
    time.sleep(0.5)
    again = embedded.start(tmp_path)
    assert psycopg.connect(again.url("chairside_app")).execute("select 1").fetchone() == (1,)
    again.stop()
    server.stop()


def test_nobody_else_can_read_the_data_folder(tmp_path):
    home = tmp_path.parent
    before = home.stat().st_mode
    server = embedded.start(tmp_path / "data")
    server.stop()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    assert server.sockets.stat().st_mode & 0o077 == 0
    for secret in (tmp_path / "data").glob("*.password"):
        assert secret.stat().st_mode & 0o077 == 0
    assert home.stat().st_mode == before


def test_every_connection_needs_its_password(tmp_path):
    server = embedded.start(tmp_path)
    try:
        wrong = server.url("chairside_app").split(":")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(":".join([wrong[0], wrong[1], "guess@" + wrong[2].split("@", 1)[1]]))
    finally:
        server.stop()


def test_a_long_path_still_gets_a_socket(tmp_path):
    server = embedded.start(tmp_path / ("long" * 30))
    try:
        assert len(str(server.sockets)) < 100
    finally:
        server.stop()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetUpError, match="file"):
        embedded.start(tmp_path / "file" / "data")


def readable_python() -> str | None:
    """An interpreter of this version that other users may run: root's own often lies in root's home."""
    candidates = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
    return next((path for path in candidates if programs.reachable(Path(path).resolve())), None)


@pytest.mark.skipif(os.geteuid() != 0 or readable_python() is None, reason="needs root, and a Python that others may run")
def test_an_ordinary_user_can_run_it_and_root_is_sent_away():
    home = Path(tempfile.mkdtemp(prefix="chairside-nobody-", dir="/tmp"))
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(home, nobody, -1)
    before = home.stat().st_mode
    code = ("import sys; from pathlib import Path; from lib import embedded; "
            "server = embedded.start(Path(sys.argv[1])); print(server.cluster); server.stop()")
    try:
        done = subprocess.run([str(readable_python()), "-c", code, str(home / "data")], capture_output=True, text=True, user=nobody,
                              cwd="/", env={"PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])})
        assert done.stdout.strip() == str(home / "data" / "cluster"), done.stderr[-500:]
        assert home.stat().st_mode == before
        with pytest.raises(SetUpError, match="belongs to nobody"):
            embedded.start(home / "data")
    finally:
        shutil.rmtree(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone makes users")
def test_the_system_user_keeps_its_number_when_several_make_it_at_once(tmp_path):
    """Databases belong to that number: a second one would lock the first out of its own files."""
    name = f"chairside-{secrets.token_hex(4)}"
    code = ("import pathlib, pwd, sys; from lib import programs; sys.stdin.read(); programs.SYSTEM_USER = sys.argv[1]; "
            "programs.STATE = pathlib.Path(sys.argv[2]); programs.ensure_system_user(); print(pwd.getpwnam(sys.argv[1]).pw_uid)")
    starters = [subprocess.Popen([sys.executable, "-c", code, name, str(tmp_path)], cwd=ROOT, text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    try:
        time.sleep(1)  # so that all of them wait for the word to begin
        for starter in starters:
            starter.stdin.close()
        assert len({starter.stdout.read() for starter in starters}) == 1
        assert [(starter.wait(), starter.stderr.read()) for starter in starters] == [(0, "")] * 4
    finally:
        subprocess.run(["userdel", name], check=True)
