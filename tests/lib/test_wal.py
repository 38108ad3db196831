"""The embedded server's log: any moment since the last copy comes back on an empty machine."""

import os
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from lib import backup, embedded, migrations, quarantine, sealed_file, settings, wal
from lib.errors import SetUpError
from lib.settings import ROOT
from tests.lib.test_backup import KEY, Machine, configured, machine, serving_from  # noqa: F401 - fixtures


def open_clinic(server: embedded.Server, name: str) -> datetime:
    """The moment after it was committed."""
    with psycopg.connect(server.url("chairside_app")) as connection:
        connection.execute("select app.sign_up(%s, 'A', 'x', %s, 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)", [f"{name}@example.org", name])
    time.sleep(0.2)
    return datetime.now(UTC)


def clinics(server: embedded.Server) -> list[str]:
    with psycopg.connect(server.url("chairside_owner")) as connection:
        return [name for (name,) in connection.execute("select name from clinics order by name")]


def ship_all(server: embedded.Server) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        [last] = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
    while not (server.archive / last).exists():
        time.sleep(0.1)
    wal.ship(server)


@pytest.fixture(scope="module")
def left(tmp_path_factory) -> tuple[Path, dict[str, datetime]]:
    """The folder of backups that a destroyed machine left behind, and the moments after each clinic: a, (the copy) b, c in
    one piece of the log, d and e each in one of its own."""
    home = tmp_path_factory.mktemp("left")
    folder = home / "backups"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAIRSIDE_BACKUP_KEYS", KEY)
        patch.setenv("CHAIRSIDE_BACKUPS", str(folder))
        settings.get.cache_clear()
        first = Machine(home / "first", {})
        folder.mkdir()
        with first.server() as server:
            migrations.bring_up_to_date(server.url("chairside_owner"))
            moments = {"a": open_clinic(server, "a")}
            wal.copy_cluster(server, folder, KEY)
            time.sleep(1.1)  # a copy's name has whole seconds
            for names in ("bc", "d", "e"):
                moments |= {name: open_clinic(server, name) for name in names}
                ship_all(server)
        first.destroy()
    settings.get.cache_clear()
    return folder, moments


@pytest.fixture
def archive(left, configured):  # noqa: F811
    """The moments; their files are this test's own."""
    shutil.copytree(left[0], configured)
    return left[1]


def test_any_moment_since_the_copy_comes_back(archive, machine, capsys):  # noqa: F811
    for name, until, found in (("second", f"{archive['b']:%Y-%m-%dT%H:%M:%S.%fZ}", ["a", "b"]), ("third", "end", ["a", "b", "c", "d", "e"])):
        new = machine(name)
        began = time.monotonic()
        told = new.type("lib.operator", "restore", "--until", until)
        assert f"It holds {len(found)} clinics and 0 patients. It took" in told
        assert "no mail is sent" in told
        with capsys.disabled():
            print(f"\nback at {until} in {time.monotonic() - began:.1f} s")
        with new.server() as server:
            assert clinics(server) == found
            with serving_from(server):
                assert quarantine.is_on()
            assert not (server.home / "wal-back").exists()
            with psycopg.connect(server.url("postgres")) as connection:
                assert connection.execute("select count(*) from sessions where revoked_at is null").fetchone() == (0,)
                [[taken_at]] = connection.execute("select taken_at from restores")
                assert taken_at == archive["b"] if until != "end" else archive["d"] < taken_at < archive["e"]
                assert connection.execute("select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'").fetchone() == (0,)


WRITE = """
import os, time, psycopg
from datetime import UTC, datetime
from lib import startup
startup.start()
with psycopg.connect(startup._server.url("chairside_app"), autocommit=True) as connection:
    for name in os.environ.get("NAMES", "ab"):
        connection.execute("select app.sign_up(%s, 'A', 'x', %s, 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)", [name + "@example.org", name])
        time.sleep(0.2)
        print(datetime.now(UTC).isoformat(), flush=True)
"""
STOP = "startup.stop()"
STOP_BESIDE_ANOTHER = """
from lib import embedded
other = embedded.start(startup._server.data)
(other.archive / ("0" * 24)).write_bytes(b"the other process carries it off in its minute")
startup.stop()
other.stop()
"""
CRASH = "import os; os.kill(int((startup._server.cluster / 'postmaster.pid').read_text().split()[0]), 9); os._exit(1)"


def write(machine: Machine, end: str, **environment: str) -> subprocess.CompletedProcess:  # noqa: F811
    """A process of Chairside that opens two clinics and ends so. It prints the moments after each."""
    return subprocess.run([sys.executable, "-c", WRITE + end], cwd=ROOT, capture_output=True, text=True, timeout=120,
                          env=machine.environment | {"CHAIRSIDE_DATA": str(machine.data)} | environment)


def left_behind(machine: Machine) -> list[str]:  # noqa: F811
    """The pieces of its log that nobody has carried off."""
    name = machine.data / "cluster.id"
    home = embedded.STATE / name.read_text() if name.exists() else machine.data
    return [path.name for path in (home / "wal").iterdir() if wal.SEGMENT.fullmatch(path.name)]


@pytest.mark.parametrize("end", [STOP, CRASH], ids=["stopped", "crashed"])
def test_what_was_written_just_before_the_stop_is_in_the_folder_of_backups(configured, machine, end):  # noqa: F811
    first, second = machine("first"), machine("second")
    first.type("lib.operator", "backup")
    done = write(first, end)
    assert done.returncode == (end == CRASH), done.stderr
    if end == CRASH:
        first.type("lib.operator", "migrate")  # starts once more, and stops
    assert left_behind(first) == []
    first.destroy()
    second.type("lib.operator", "restore", "--until", done.stdout.split()[0])
    with second.server() as server:
        assert clinics(server) == ["a"]


def test_a_stop_beside_another_process_carries_nothing_off(configured, machine):  # noqa: F811
    first = machine("first")
    done = write(first, STOP_BESIDE_ANOTHER)
    assert done.returncode == 0, done.stderr
    assert left_behind(first)
    assert not list(configured.glob("wal/*/*"))


def test_a_stop_succeeds_where_the_folder_of_backups_is_away(configured, machine, tmp_path):  # noqa: F811
    (tmp_path / "file").touch()
    first = machine("first")
    done = write(first, STOP, CHAIRSIDE_BACKUPS=str(tmp_path / "file" / "backups"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("could not be carried off") + done.stderr.count("could not be carried off") == 1
    assert "Traceback" not in done.stderr
    assert left_behind(first)


def test_a_stop_ends_where_the_folder_of_backups_answers_nobody(configured, machine):  # noqa: F811
    hang = "import time; from lib import wal; startup.PATIENCE = 1; wal.ship = lambda _server: time.sleep(999); "
    assert write(machine("first"), hang + STOP).returncode == 0


def test_a_copy_that_is_not_released_adds_nothing_to_the_log_it_came_from(archive, configured, machine):  # noqa: F811
    """PostgreSQL would follow its timeline from then on, and not that of the installation which lives."""
    drill = machine("drill")
    drill.type("lib.operator", "restore", "--until", f"{archive['b']:%Y-%m-%dT%H:%M:%S.%fZ}")
    before = sorted(configured.glob("wal/*/*"))
    assert write(drill, STOP, NAMES="xy").returncode == 0
    assert left_behind(drill)
    assert sorted(configured.glob("wal/*/*")) == before


@pytest.mark.parametrize("pattern", ["cluster-*.backup", "wal/*/*.sealed"])
def test_what_is_no_backup_of_the_tables_says_how_it_is_brought_back(archive, configured, pattern):  # noqa: F811
    path = sorted(configured.glob(pattern))[-1]
    with pytest.raises(SetUpError, match=r"is a copy of the cluster, .*`make restore UNTIL=…` brings it back"):
        backup.restore(path, "postgresql://never.asked/", over_data=True)


def test_where_several_databases_left_their_logs_it_is_said_which_one_came_back(archive, configured, machine):  # noqa: F811
    """Somebody started Chairside on an empty folder, and its copy is the newest."""
    (configured / "wal" / "1").mkdir()
    (configured / "wal" / "1" / f"{'0' * 24}.sealed").touch()
    [copy] = configured.glob("cluster-*")
    told = machine("second").type("lib.operator", "restore", "--until", "end")
    assert "2 databases left their logs in" in told
    assert f"copied at {wal._moment(copy):%H:%M:%S} UTC on {wal._moment(copy):%Y-%m-%d}." in told
    assert f"move {copy.name} out of that folder" in told


def test_a_data_folder_with_a_database_is_left_alone(archive, configured, machine):  # noqa: F811
    new = machine("second")
    with new.server() as server:
        migrations.bring_up_to_date(server.url("chairside_owner"))
        open_clinic(server, "mine")
        with pytest.raises(SetUpError, match="holds a database already"):
            wal.recover(configured, new.data, None)
        assert clinics(server) == ["mine"]


def test_moments_outside_of_what_was_kept_are_said_to_be(archive, configured, tmp_path):  # noqa: F811
    with pytest.raises(SetUpError, match="no copy of the cluster from before"):
        wal.recover(configured, tmp_path / "early", archive["a"] - timedelta(hours=1))
    with pytest.raises(SetUpError, match="ends before that moment"):
        wal.recover(configured, tmp_path / "late", datetime.now(UTC) + timedelta(hours=1))
    for name in ("early", "late"):
        assert not list((tmp_path / name).glob("**/PG_VERSION"))


@pytest.mark.parametrize("pattern", ["cluster-*.backup", "wal/*/*.sealed"])
def test_a_flipped_byte_is_found_before_postgresql_sees_any(archive, configured, tmp_path, pattern):  # noqa: F811
    path = sorted(configured.glob(pattern))[-1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(sealed_file.Damaged, match="Nothing was restored"):
        wal.recover(configured, tmp_path / "new", None)
    embedded.start(tmp_path / "new").stop()  # the folder is as good as new


def test_the_log_is_carried_off_sealed_and_nothing_stays(archive, configured):  # noqa: F811
    kept = sorted(configured.glob("wal/*/*"))
    assert len(kept) >= 2
    for path in kept:
        assert path.suffix == ".sealed"
        assert b"example.org" not in path.read_bytes()
    last = [path for path in kept if len(path.stem) == 24][-1]
    assert last.stat().st_size < 1_000_000  # of 16 MB, most of it empty
    assert sum(len(piece) for piece in sealed_file.read(last, [KEY])) == 16 << 20


def test_a_copy_with_a_changed_file_does_not_count(archive, configured):  # noqa: F811
    [path] = configured.glob("cluster-*.backup")
    text = b"".join(sealed_file.read(path, [KEY]))
    place = text.index(b"a@example.org") if b"a@example.org" in text else text.index(b"PG_VERSION") + 512
    with pytest.raises(SetUpError, match="not what its manifest says"):
        wal.check_cluster(iter([text[:place] + b"X" + text[place + 1:]]))
    wal.check_cluster(iter([text]))


def test_an_unsent_change_waits_three_minutes_at_most(configured, machine):  # noqa: F811
    """RPO: the server closes a piece every two minutes, and a minute later it is carried off."""
    with machine("first").server() as server, psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("show archive_timeout").fetchone() == ("2min",)
        assert wal.is_archiving(server)


@pytest.mark.long
def test_another_cluster_writes_over_nothing(archive, configured, machine):  # noqa: F811
    """A backup of the tables was restored to a new one, which counts from 1 again and keeps its log in the same folder."""
    before = {path: path.read_bytes() for path in configured.glob("wal/*/*")}
    with machine("other").server() as server:
        ship_all(server)
    assert {path: path.read_bytes() for path in before} == before
    assert len({path.parent for path in configured.glob("wal/*/*")}) == 2
    new = machine("second")
    new.type("lib.operator", "restore", "--until", "end")
    with new.server() as server:
        assert clinics(server) == ["a", "b", "c", "d", "e"]


def pieces(folder: Path) -> list[Path]:
    """Oldest first: of the copy, of b and c, of d, of e."""
    return sorted(path for path in folder.glob("wal/*/*") if wal.SEGMENT.fullmatch(path.stem))[-4:]


def test_a_missing_piece_is_said_with_the_latest_moment_before_it(archive, configured, machine):  # noqa: F811
    missing = pieces(configured)[2]
    missing.unlink()
    new = machine("second")
    told = new.type("lib.operator", "restore", "--until", "end", fails=True)
    assert f"{missing} is missing" in told
    assert "Nothing was restored" in told
    assert "as it was then" not in told
    [until] = re.findall(r"UNTIL=(\S+) is the latest moment", told)
    assert archive["b"] < datetime.fromisoformat(until) < archive["c"]
    assert f"UNTIL={until}" in new.type("lib.operator", "restore", "--until", f"{archive['d']:%Y-%m-%dT%H:%M:%S.%fZ}", fails=True)
    new.type("lib.operator", "restore", "--until", until)
    with new.server() as server:
        assert clinics(server) == ["a", "b"]


@pytest.mark.parametrize("number", [0, 1])
def test_a_piece_that_the_copy_itself_needs_is_missed_too(archive, configured, tmp_path, number):  # noqa: F811
    pieces(configured)[number].unlink()
    with pytest.raises(SetUpError, match="without UNTIL brings the newest daily backup"):
        wal.recover(configured, tmp_path / "new", None)


def test_a_restored_cluster_goes_on_with_a_timeline_of_its_own(archive, configured, machine):  # noqa: F811
    """The old one's pieces after the moment it went back to lead nowhere any more, so none of them is missed."""
    forsaken = pieces(configured)[2]
    new = machine("second")
    new.type("lib.operator", "restore", "--until", f"{archive['b']:%Y-%m-%dT%H:%M:%S.%fZ}")
    with new.server() as server:
        for name in ("f", "g"):
            open_clinic(server, name)
            ship_all(server)
    forsaken.unlink()
    another = machine("third")
    another.type("lib.operator", "restore", "--until", "end")
    with another.server() as server:
        assert clinics(server) == ["a", "b", "f", "g"]
    sorted(configured.glob("wal/*/00000002*[0-9A-F].sealed"))[-2].unlink()
    assert "is missing" in machine("fourth").type("lib.operator", "restore", "--until", "end", fails=True)


def test_old_copies_go_with_the_log_that_leads_from_them(tmp_path):
    now = datetime.now(UTC)
    (tmp_path / "wal" / "1").mkdir(parents=True)
    for days in (20, 10, 6, 1):
        for path in (tmp_path / (now - timedelta(days=days)).strftime(wal.NAME), tmp_path / "wal" / "1" / f"{days:024}{wal.SUFFIX}"):
            path.touch()
            os.utime(path, ((now - timedelta(days=days)).timestamp(),) * 2)
    wal.forget_old(tmp_path, now - timedelta(days=7))
    assert len(list(tmp_path.glob("cluster-*"))) == 2
    assert sorted(int(path.name.split(".")[0]) for path in (tmp_path / "wal" / "1").iterdir()) == [1, 6]
    wal.forget_old(tmp_path, now + timedelta(days=7))
    assert len(list(tmp_path.glob("cluster-*"))) == 1
