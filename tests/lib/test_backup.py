"""Backups: a drill from a filled clinic to an empty machine and back, and everything that may be wrong with a file."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.pool import NullPool
from structlog.testing import capture_logs

from lib import (
    audit_trail,
    auth,
    backup,
    db,
    demo,
    dump,
    embedded,
    export_jobs,
    mail,
    migrations,
    providers,
    quarantine,
    remote,
    sealed_file,
    settings,
    startup,
    wal,
)
from lib.errors import Forbidden, SetUpError, Unavailable, Undelivered
from lib.events import Done, Stop
from lib.prompts import Context
from lib.settings import ROOT
from tests.test_migrations import catalogue

KEY = Fernet.generate_key().decode()
ROLES = """
    select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin from pg_roles
    where rolname !~ '^pg_' order by 1"""


@dataclass
class Machine:
    """A data folder and what the operator types there."""

    data: Path
    environment: dict[str, str]

    def type(self, *command: str, fails: bool = False) -> str:
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=self.environment | {"CHAIRSIDE_DATA": str(self.data)},
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        assert bool(done.returncode) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def server(self) -> Iterator[embedded.Server]:
        server = embedded.start(self.data)
        try:
            yield server
        finally:
            server.stop()

    def destroy(self) -> None:
        if (self.data / "cluster.id").exists():
            shutil.rmtree(embedded.STATE / (self.data / "cluster.id").read_text())
        shutil.rmtree(self.data)


@pytest.fixture
def configured(monkeypatch, tmp_path):
    """This process's own settings name the key and the folder, too."""
    monkeypatch.setenv("CHAIRSIDE_BACKUP_KEYS", KEY)
    monkeypatch.setenv("CHAIRSIDE_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setattr(startup, "back_up", lambda: None)  # the archivist of these tests looks once a minute what is due
    settings.get.cache_clear()
    yield tmp_path / "backups"
    monkeypatch.undo()
    settings.get.cache_clear()


@pytest.fixture
def machine(configured, tmp_path) -> Callable[[str], Machine]:
    return lambda name: Machine(tmp_path / name, {**os.environ})


@contextmanager
def serving_from(server: embedded.Server, role: str = "chairside_app") -> Iterator[None]:
    """The app's pool on another server, or as another role, for a while."""
    before = db._engine
    db.connect(server.url(role), 2)
    try:
        yield
    finally:
        db.disconnect()
        db._engine = before


def counts(server: embedded.Server) -> dict[str, int]:
    with psycopg.connect(server.url("postgres")) as connection:
        return {table.name: table.rows for table in dump.describe(connection).tables} | {"chains": dump.chains(connection)}


def state(server: embedded.Server) -> tuple:
    with psycopg.connect(server.url("postgres")) as connection:
        return catalogue(server.url("chairside_owner")), connection.execute(ROLES).fetchall()


# the drill -----------------------------------------------------------------------------------------------------------


def test_a_destroyed_clinic_comes_back_on_an_empty_machine(machine, configured, capsys):
    first, second = machine("first"), machine("second")
    first.type("lib.demo")
    with first.server() as server:
        with psycopg.connect(server.url("postgres")) as connection:  # somebody who is signed in, asks and invites
            [person, clinic] = connection.execute("select user_id, clinic_id from memberships limit 1").fetchone()
            connection.execute("insert into sessions (id, user_id, clinic_id) values (sha256('a'), %s, %s)", [person, clinic])
            connection.execute("select app.issue_ticket(sha256('b'), %s, %s, false)", [person, clinic])
            connection.execute("select app.issue_reset((select email from users limit 1), sha256('c'))")
            connection.execute("insert into invitations (clinic_id, email, role, token_hash, invited_by) values (%s, 'n@example.org', 'owner', sha256('d'), %s)", [clinic, person])
        before, shape = counts(server), state(server)
    printed = first.type("lib.operator", "backup")
    path = Path(re.search(r"(\S+\.backup) is whole", printed)[1])
    first.destroy()

    began = time.monotonic()
    printed = second.type("lib.operator", "restore")
    took = time.monotonic() - began
    assert "rows of" in printed
    with second.server() as server:
        after = counts(server)
        assert {name: after[name] for name in before if name not in ("tickets", "password_resets", "restores")} == {
            name: before[name] for name in before if name not in ("tickets", "password_resets", "restores")}
        assert state(server) == shape
        with psycopg.connect(server.url("postgres")) as connection:
            assert connection.execute("""
                select (select count(*) from sessions where revoked_at is null), (select count(*) from tickets),
                       (select count(*) from password_resets),
                       (select count(*) from invitations where accepted_at is null and withdrawn_at is null)
                """).fetchone() == (0, 0, 0, 0)
        with serving_from(server):
            account = auth.find_account(demo.staff()[demo.OWNER].email)
            assert auth.verify(account, demo.staff()[demo.OWNER].password)
            with psycopg.connect(server.url("chairside_owner")) as connection:
                zone = connection.execute("select time_zone from clinics where id = %s", [account.clinic_id]).fetchone()[0]
            identity = auth.Identity(account.id, account.clinic_id, "owner", account.email, "", "", "DE", zone, "EUR", "en", "112", session=b"0" * 32)
            with db.scope(identity) as scope:
                verdict = audit_trail.verify(scope)
            assert verdict.broken is None
            assert verdict.rows == before["chains"][str(account.clinic_id)][0] > 0
            assert quarantine.is_on()
            with db.nobody() as connection:
                migrations.check(connection)
    assert "from now on" in second.type("lib.operator", "release")
    with second.server() as server, serving_from(server):
        assert not quarantine.is_on()
    with capsys.disabled():
        print(f"\nrestored {sum(before[name] for name in before if name != 'chains'):,} rows of {path.stat().st_size / 1e6:.1f} MB in {took:.1f} s, the empty server's start included")


# a server of somebody else's -----------------------------------------------------------------------------------------


@pytest.fixture
def outside(configured, database, monkeypatch):
    """Databases as on a server that is given by addresses alone: one that serves this test, and empty ones to restore to."""
    server = startup._server
    names = []

    def make() -> str:
        names.append(f"outside_{secrets.token_hex(6)}")
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {names[-1]} owner chairside_owner")
        return server.url("chairside_owner").replace(f"/{embedded.DATABASE}?", f"/{names[-1]}?")

    monkeypatch.setenv("DATABASE_BACKUP_URL", server.url("postgres"))
    settings.get.cache_clear()
    yield make
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for name in names:
            connection.execute(f"drop database {name} with (force)")


def rows_of(address: str, statement: str) -> list:
    with psycopg.connect(address) as connection:
        return connection.execute(statement).fetchall()


def test_a_role_that_bypasses_the_policies_backs_up_an_outside_server(outside, alice, monkeypatch):
    """The role of docs/operations.md: it reads everything and writes nothing."""
    server = startup._server
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create role chairside_backup login bypassrls password 'p' in role pg_read_all_data")
    try:
        address = re.sub(r"//.*@", "//chairside_backup:p@", server.url("postgres"))
        monkeypatch.setenv("DATABASE_BACKUP_URL", address)
        settings.get.cache_clear()
        path = backup.make(None)
        empty = outside()
        manifest = backup.restore(path, empty)
        assert rows_of(empty, "select name from clinics") == rows_of(server.url("chairside_owner"), "select name from clinics")
        assert manifest.row_count > 100
        assert catalogue(empty)["policies"] == catalogue(server.url("chairside_owner"))["policies"]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows_of(address, "delete from users returning id")
    finally:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("drop role chairside_backup")


def test_the_worker_of_the_containers_backs_up_by_the_role_that_their_database_makes(outside, alice, configured, monkeypatch):
    server = startup._server
    made = re.search(r"create role chairside_backup .*;", (ROOT / "deploy" / "roles.sh").read_text())[0].replace(":'password'", "'p'")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(made)
    try:
        monkeypatch.setenv("DATABASE_BACKUP_URL", re.sub(r"//.*@", "//chairside_backup:p@", server.url("postgres")))
        settings.get.cache_clear()
        with serving_from(server, "chairside_worker"):
            path = backup.run_if_due(None, datetime.now(UTC) + timedelta(days=2))
            assert backup.last().file == path.name
        assert backup.restore(path, outside()).row_count > 100
    finally:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("drop role chairside_backup")


def test_the_owners_own_backup_is_refused_because_it_would_be_empty_security_21(outside, alice, configured, monkeypatch):
    monkeypatch.setenv("DATABASE_BACKUP_URL", startup._server.url("chairside_owner"))
    settings.get.cache_clear()
    with pytest.raises(SetUpError, match="chairside_owner, so its backup would be empty"):
        backup.make(None)
    assert not list(configured.glob('*.backup'))


def test_a_restore_makes_the_roles_that_are_missing(configured, alice, outside, tmp_path):
    path = backup.make(startup._server)
    server = embedded.start(tmp_path / "other")
    try:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for role in ("chairside_app", "chairside_worker"):
                connection.execute(f"drop role {role}")
            connection.execute("alter role chairside_owner createrole")
        backup.restore(path, server.url("chairside_owner"))
        assert rows_of(server.url("postgres"), ROLES)[0] == ("chairside_app", False, False, False, False, False)
        assert catalogue(server.url("chairside_owner"))["grants"] == catalogue(startup._server.url("chairside_owner"))["grants"]
    finally:
        server.stop()


def test_a_backup_of_an_older_version_is_restored_and_brought_up_to_date(outside, configured, alice, monkeypatch):
    """As the older code wrote it: the same dump from a database at the former version."""
    from alembic import command
    old = outside()
    with db.open_engine(old, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), migrations.known()[-2])
        connection.execute(text("""
            select app.sign_up('a@example.org', 'A', 'x', 'A Dental', 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)
            """))
    path = configured / "old.backup"
    configured.mkdir()
    superuser = re.sub(r"//.*@", "//postgres:" + (startup._server.data / "postgres.password").read_text() + "@", old)
    with sealed_file.create(path, KEY) as file, psycopg.connect(superuser) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        dump.write(connection, file.write)
    empty = outside()
    backup.restore(path, empty)
    assert rows_of(empty, "select name from clinics") == [("A Dental",)]
    never = outside()  # other tests have made months of their own in theirs
    migrations.bring_up_to_date(never)
    assert catalogue(empty) == catalogue(never)


def test_months_of_long_ago_come_back_too(outside, alice, owner):
    """app.make_partitions goes back thirteen months."""
    for parent in ("audit_log", "audit_seals", "chat_messages", "ai_calls"):
        with owner.begin() as connection:  # one table at a time: others read and write them meanwhile
            if not connection.execute(text(f"select to_regclass('{parent}_2019_05')")).scalar():
                connection.execute(text(f"""create table {parent}_2019_05 partition of {parent}
                    for values from ('016a6f3c-0400-0000-0000-000000000000') to ('016b0ee1-9000-0000-0000-000000000000')"""))
                connection.execute(text(f"alter table {parent}_2019_05 enable row level security, force row level security"))
                if parent.startswith("audit"):
                    connection.execute(text(f"create trigger keep_whole before truncate on {parent}_2019_05 execute function app.refuse()"))
    with owner.begin() as connection:
        connection.execute(text("insert into audit_log (clinic_id, id, user_id, action, resource) "
                                "values (:clinic, '016a6f3c-0400-7000-8000-000000000001', :user, 'view', 'patient') on conflict do nothing"),
                           {"clinic": alice.clinic_id, "user": alice.user_id})
    empty = outside()
    backup.restore(backup.make(None), empty)
    assert rows_of(empty, "select count(*) from audit_log where id < '01700000-0000-0000-0000-000000000000'")[0][0] > 0
    assert catalogue(empty) == catalogue(startup._server.url("chairside_owner"))


# what may be wrong ---------------------------------------------------------------------------------------------------


def tables_of(address: str) -> list:
    return rows_of(address, "select relname from pg_class where relnamespace = 'public'::regnamespace")


@pytest.mark.parametrize("place", [3, 40, 100, 0.5, -40, -5])
def test_a_flipped_byte_is_found_before_anything_is_restored(outside, alice, place):
    path = backup.make(None)
    content = bytearray(path.read_bytes())
    content[place if isinstance(place, int) else int(len(content) * place)] ^= 4
    path.write_bytes(content)
    empty = outside()
    with pytest.raises(sealed_file.Damaged, match="Nothing was restored"):
        backup.restore(path, empty)
    assert tables_of(empty) == []


def test_an_export_that_was_being_made_is_no_job_of_the_copy(outside, alice, do_jobs):
    """Its parts are in no backup, and without them it would go on behind its first tables."""
    with db.scope(alice) as scope:
        job_id = export_jobs.begin(scope)
    path, empty = backup.make(None), outside()
    do_jobs()
    backup.restore(path, empty)
    assert rows_of(empty, f"select id from long_jobs where id = '{job_id}'") == []


def test_a_truncated_backup_is_said_to_be(outside, alice):
    path = backup.make(None)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(sealed_file.Damaged, match="was cut off: its end is missing"):
        backup.restore(path, outside())


def test_a_wrong_key_is_said_to_be_and_none_asked_for(outside, alice, monkeypatch):
    path = backup.make(None)
    for keys, sentence in ((Fernet.generate_key().decode(), "a key that is not in CHAIRSIDE_BACKUP_KEYS"), ("", "needs CHAIRSIDE_BACKUP_KEYS")):
        monkeypatch.setenv("CHAIRSIDE_BACKUP_KEYS", keys)
        settings.get.cache_clear()
        with pytest.raises(SetUpError, match=sentence):
            backup.restore(path, "postgresql://never.asked/")


def test_a_former_key_still_opens(outside, alice, monkeypatch):
    path = backup.make(None)
    monkeypatch.setenv("CHAIRSIDE_BACKUP_KEYS", f"{Fernet.generate_key().decode()}, {KEY}")
    settings.get.cache_clear()
    assert backup.restore(path, outside()).row_count > 100


def test_a_backup_of_a_newer_version_is_refused(outside, alice, monkeypatch):
    path = backup.make(None)
    monkeypatch.setattr(migrations, "known", lambda: ["0001"])
    with pytest.raises(SetUpError, match="newer version"):
        backup.restore(path, outside())


def test_data_is_not_overwritten_unless_told(outside, alice):
    path = backup.make(None)
    target = outside()
    backup.restore(path, target)
    with psycopg.connect(target) as connection:
        connection.execute("update users set full_name = 'Written since'")
    with pytest.raises(SetUpError, match=r"holds data already. Nothing was restored.*OVER_DATA=1"):
        backup.restore(path, target)
    assert rows_of(target, "select distinct full_name from users") == [("Written since",)]
    backup.restore(path, target, over_data=True)
    assert rows_of(target, "select count(*) from users where full_name = 'Written since'") == [(0,)]
    assert catalogue(target) == catalogue(startup._server.url("chairside_owner"))


def test_a_restore_that_fails_half_way_leaves_what_was_there(outside, alice, monkeypatch):
    path = backup.make(None)
    target = outside()
    backup.restore(path, target)
    monkeypatch.setattr(dump, "chains", lambda _connection: {})
    with pytest.raises(SetUpError, match="chains do not end"):
        backup.restore(path, target, over_data=True)
    assert rows_of(target, "select count(*) > 0 from clinics") == [(True,)]


def test_a_database_that_somebody_works_with_is_left_alone(outside, alice):
    path = backup.make(None)
    target = outside()
    migrations.bring_up_to_date(target)
    with psycopg.connect(target), pytest.raises(SetUpError, match="Stop Chairside"):
        backup.restore(path, target)


def test_a_backup_that_reads_back_otherwise_does_not_count(outside, alice, configured, monkeypatch):
    honest = dump.write

    def forgetful(connection, put):
        """As a disk that loses a row."""
        return honest(connection, lambda data: put(data) if b"Adams Dental" not in data or data.startswith(b"--") else None)
    monkeypatch.setattr(dump, "write", forgetful)
    with pytest.raises(SetUpError, match="clinics has"):
        backup.make(None)
    assert not list(configured.glob("*.backup"))


def test_two_processes_make_one_backup(outside, alice):
    with backup._snapshot(startup._server.url("postgres")) as connection:
        assert backup._take_turn(connection)
        assert backup.make(None) is None


def test_without_a_key_nothing_is_written(database, monkeypatch, tmp_path):
    monkeypatch.setenv("CHAIRSIDE_BACKUPS", str(tmp_path))
    settings.get.cache_clear()
    with pytest.raises(SetUpError, match="needs CHAIRSIDE_BACKUP_KEYS"):
        backup.make(startup._server)
    assert backup.run_if_due(startup._server) is None
    settings.get.cache_clear()


# every day -----------------------------------------------------------------------------------------------------------


def test_it_runs_once_a_day_and_says_when_it_last_did(outside, alice, owner):
    forget_backups(owner)
    path = backup.run_if_due(None)
    assert path
    made = backup.last()
    assert (made.file, made.bytes) == (path.name, path.stat().st_size)
    assert abs(made.finished_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert backup.run_if_due(None) is None
    assert backup.run_if_due(None, datetime.now(UTC) + timedelta(hours=23)) is None


def test_the_app_makes_it_by_itself(outside, alice, configured, monkeypatch):
    """The thread that startup begins does nothing but this, once a minute."""
    monkeypatch.setattr(backup, "_is_due", lambda *_whatever: True)
    backup.run_if_due(startup.embedded_server())
    assert len(list(configured.glob("*.backup"))) == 1


def test_the_log_is_carried_off_while_a_backup_is_being_made(configured, alice, monkeypatch):
    """However long that takes: a lost machine loses three minutes at most."""
    began, ended, server = threading.Event(), threading.Event(), startup.embedded_server()
    monkeypatch.setattr(backup, "_is_due", lambda *_whatever: True)
    monkeypatch.setattr(backup, "make", lambda *_whatever, **_options: began.set() or ended.wait(60))
    making = threading.Thread(target=backup.run_if_due, args=(server,))
    making.start()
    assert began.wait(10)
    server.archive.mkdir(exist_ok=True)  # the server makes it where it was started with a key
    (server.archive / ("0" * 24)).write_bytes(b"what was written since")
    startup.ship_log()
    [kept] = configured.glob("wal/*/*.sealed")
    assert b"".join(sealed_file.read(kept, [KEY])) == b"what was written since"
    assert {"backups", "log"} <= {keeper.name for keeper in startup._keepers}
    ended.set()
    making.join()
    shutil.rmtree(server.archive)


def forget_backups(owner) -> None:
    with owner.begin() as connection:
        connection.execute(text("alter table backups no force row level security"))
        connection.execute(text("delete from backups"))
        connection.execute(text("alter table backups force row level security"))


def kinds_made(owner) -> list[str]:
    with owner.connect() as connection:
        return connection.execute(text("select kind from backups order by finished_at")).scalars().all()


def test_a_copy_of_the_cluster_that_failed_is_tried_again_without_all_tables(configured, alice, owner, monkeypatch):
    def fail(*_whatever):
        raise SetUpError("the disk is full")

    def copy(_server, folder, _key):
        path = folder / datetime.now(UTC).strftime(wal.NAME)
        path.touch()
        return path
    forget_backups(owner)
    server, now = startup.embedded_server(), datetime.now(UTC)
    monkeypatch.setattr(backup, "_failed_at", None)
    monkeypatch.setattr(wal, "is_archiving", lambda _server: True)
    monkeypatch.setattr(wal, "copy_cluster", fail)
    for minutes in (0, 16):
        with pytest.raises(SetUpError, match="full"):
            backup.run_if_due(server, now + timedelta(minutes=minutes))
    assert kinds_made(owner) == ["tables"]
    assert backup.run_if_due(server, now + timedelta(minutes=30)) is None
    monkeypatch.setattr(wal, "copy_cluster", copy)
    assert backup.run_if_due(server, now + timedelta(minutes=32)).name.startswith("cluster-")
    assert backup.run_if_due(server, now + timedelta(hours=23)) is None
    assert kinds_made(owner) == ["tables", "cluster"]
    backup.run_if_due(server, now + timedelta(hours=25))
    assert kinds_made(owner) == ["tables", "cluster"] * 2


def test_where_the_log_is_not_kept_each_backup_warns(configured, alice, owner, monkeypatch):
    """The server of these tests was started without a key."""
    forget_backups(owner)
    monkeypatch.setattr(backup, "_failed_at", None)
    with capture_logs() as lines:
        backup.run_if_due(startup.embedded_server())
        backup.run_if_due(startup.embedded_server())
    assert [line["log_level"] for line in lines if "CHAIRSIDE_BACKUP_KEYS" in line["event"]] == ["warning"]
    assert kinds_made(owner) == ["tables"]


def test_after_a_failure_it_waits_a_quarter_of_an_hour(outside, alice, monkeypatch):
    tries = []

    def fail(_server, **_options):
        tries.append(1)
        raise SetUpError("the disk is full")
    monkeypatch.setattr(backup, "make", fail)
    monkeypatch.setattr(backup, "_failed_at", None)
    tomorrow = datetime.now(UTC) + timedelta(hours=25)
    for minutes, tried in ((0, 1), (10, 1), (16, 2)):
        now = tomorrow + timedelta(minutes=minutes)
        if tried > len(tries):
            with pytest.raises(SetUpError, match="full"):
                backup.run_if_due(None, now)
        else:
            assert backup.run_if_due(None, now) is None
    assert len(tries) == 2


def test_every_backup_of_a_week_is_kept_then_one_a_week_for_a_month(tmp_path):
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    for days in range(60):
        (tmp_path / (now - timedelta(days=days, hours=1)).strftime(backup.NAME)).touch()
    backup.forget_old(tmp_path, now)
    kept = [(now - datetime.strptime(path.name, backup.NAME).replace(tzinfo=UTC)).days for path in sorted(tmp_path.glob("*"), reverse=True)]
    assert kept[:7] == list(range(7))
    assert kept[7:] == [13 - 6, 13, 20, 27] or (len(kept[7:]) in (3, 4) and max(kept) < 30), kept
    (tmp_path / "other").touch()
    backup.forget_old(tmp_path, now + timedelta(days=365))
    assert sorted(path.name for path in tmp_path.glob("*")) == [(now - timedelta(hours=1)).strftime(backup.NAME), "other"]


# a restored copy -----------------------------------------------------------------------------------------------------


@pytest.fixture
def restored(database, owner):
    """This run's database as a copy that waits for its release."""
    with owner.begin() as connection:
        connection.execute(text("insert into restores (source, taken_at) values ('test', now())"))
    yield
    with owner.begin() as connection:
        quarantine.end(connection)


@pytest.fixture
def letters(monkeypatch):
    """What would go to the mail server."""
    sent = []

    class Server:
        def __enter__(self): return self
        def __exit__(self, *_how): return None
        def send_message(self, message, to_addrs): sent.extend(to_addrs)
    for name, value in {"SMTP_URL": "smtp://localhost", "CHAIRSIDE_URL": "https://c.example", "CHAIRSIDE_MAIL_FROM": "c@c.example"}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    monkeypatch.setattr(mail, "_connect", Server)
    yield sent
    monkeypatch.undo()
    settings.get.cache_clear()


def test_it_sends_no_mail_until_released(restored, letters, owner):
    with pytest.raises(Undelivered):  # so that its job tries again
        mail.send("jo@example.org", "s", "t")
    assert not mail.is_on()
    assert letters == []
    with owner.begin() as connection:
        assert quarantine.end(connection) == 1
    mail.send("jo@example.org", "s", "t")
    assert mail.is_on()
    assert letters == ["jo@example.org"]


def test_it_calls_no_provider_until_released(restored, owner, monkeypatch):
    asked = []
    monkeypatch.setattr(providers, "_listen", lambda *_what: asked.append(1) or (yield from ()) or (Done(), True))
    provider = providers.Provider("https://llm.example.org/v1", "k", "m")
    [done] = providers.converse(provider, [], Stop())
    assert (done.problem, done.billed, asked) == ("unavailable", False, [])
    [done] = remote.converse("?", Context(), Stop())
    assert (done.problem, done.billed) == ("unavailable", False)
    with owner.begin() as connection:
        quarantine.end(connection)
    list(providers.converse(provider, [], Stop()))
    assert asked == [1]


def test_it_makes_no_backups_until_released(restored, outside, alice):
    assert backup.run_if_due(None, datetime.now(UTC) + timedelta(days=2)) is None


def test_a_process_that_serves_cannot_release_itself(restored):
    with pytest.raises(Forbidden), db.nobody() as connection:
        connection.execute(text("update restores set released_at = now()"))


def test_while_the_database_is_away_the_last_word_counts(database, monkeypatch):
    assert not quarantine.is_on()
    monkeypatch.setattr(db, "ask", lambda *_what: (_ for _ in ()).throw(Unavailable()))
    assert not quarantine.is_on()
    monkeypatch.setattr(quarantine, "_last_known", True)
    assert quarantine.is_on()
