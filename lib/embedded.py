"""The PostgreSQL 18 that comes with the Python packages: made, started, shared between processes, stopped.

Every app process holds a shared lock on `users.lock` while it runs; whoever leaves last stops the server. A killed
process drops its lock with its life, so nothing has to be cleaned up after it.
"""

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from lib import programs, settings
from lib.errors import SetUpError
from lib.programs import STATE, SYSTEM_USER

DATABASE = "chairside"
ROLES = ("postgres", "chairside_owner", "chairside_app", "chairside_worker")


@dataclass
class Server:
    """A running server and this process's hold on it."""

    home: Path
    sockets: Path
    data: Path
    lock: TextIOWrapper

    @property
    def cluster(self) -> Path:
        return self.home / "cluster"

    @property
    def archive(self) -> Path:
        """Where the server leaves finished pieces of its write-ahead log, for lib/wal.py to seal and carry off."""
        return self.home / "wal"

    def url(self, role: str) -> str:
        password = _password(self.data, role)
        return f"postgresql://{role}:{password}@/{DATABASE}?host={self.sockets}"

    def revive(self) -> None:
        """Start it again if it died. Cheap while it lives, so that it can be asked every other second."""
        if _alive(self.cluster):
            return
        with _starting(self.home):
            if not _running(self.cluster):
                _launch(self)

    def stop(self) -> bool:
        """Let go, and stop the server when nobody else holds it. True if so: then the end of its log lies in `archive`."""
        with _starting(self.home), self.lock:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if _running(self.cluster):
                programs.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.cluster))
            return True


def start(data: Path) -> Server:
    """The server of this data folder: attached to when it runs, started when it does not, made when it is new."""
    data = data.resolve()
    _make_private(data)
    home = _home(data)
    with _starting(home):
        server = Server(home, _sockets(data, home), data, (home / "users.lock").open("a"))
        fcntl.flock(server.lock, fcntl.LOCK_SH)
        if not (server.cluster / "PG_VERSION").exists():
            _initialise(server)
        if not _running(server.cluster):
            _launch(server)
    return server


@contextmanager
def _starting(home: Path) -> Iterator[None]:
    with (home / "start.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_private(data: Path) -> None:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = data.stat().st_uid
    except OSError as error:
        raise SetUpError(f"The data folder {data} can't be made: {error.strerror}.") from None
    if owner != os.geteuid():
        holder = pwd.getpwuid(owner).pw_name
        raise SetUpError(f"The data folder {data} belongs to {holder}. Start Chairside as {holder}, or choose another "
                         "folder with CHAIRSIDE_DATA.")


def _home(data: Path) -> Path:
    """Where the cluster lives: beside the secrets, or, for root, in the system user's own folder."""
    if os.geteuid() != 0:
        return data
    programs.ensure_system_user()
    home = STATE / _identify(data)
    for folder in (STATE, home):
        folder.mkdir(mode=0o711 if folder is STATE else 0o700, parents=True, exist_ok=True)
    shutil.chown(home, SYSTEM_USER, SYSTEM_USER)
    return home


def _identify(data: Path) -> str:
    """A name of the folder's own, not its path's: a new folder gets a new cluster, a moved one finds its own again."""
    name, draft = data / "cluster.id", data / f"cluster.id.{secrets.token_hex(8)}"
    if not name.exists():
        draft.write_text(secrets.token_hex(8))
        with contextlib.suppress(FileExistsError):  # somebody else was first, and theirs counts
            os.link(draft, name)
        draft.unlink()
    return name.read_text()


def _sockets(data: Path, home: Path) -> Path:
    """A 0700 folder for the socket. A socket's path holds 107 bytes at most, so a long data path gets a short one."""
    folder = home / "sockets"
    if len(str(folder)) > 80:
        folder = Path(f"/tmp/chairside-{os.geteuid()}-{_identify(data)}")  # noqa: S108 - 0700, and its owner is checked
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid not in (os.geteuid(), home.stat().st_uid):
        raise SetUpError(f"{folder} belongs to somebody else. Remove it, or choose a shorter CHAIRSIDE_DATA.")
    shutil.chown(folder, home.stat().st_uid, home.stat().st_gid)
    return folder


@contextmanager
def reading(server: Server, program: str, *arguments: str) -> Iterator[IO[bytes]]:
    """What a client program, as the superuser, writes to its standard output."""
    environment = {"LC_ALL": "C.UTF-8", "PGPASSWORD": _password(server.data, "postgres")}
    command = [str(programs.binaries() / program), "-h", str(server.sockets), "-U", "postgres", "-w", *arguments]
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        yield process.stdout
        told = process.stderr.read().decode().strip()
    if process.returncode:
        raise SetUpError(f"The embedded PostgreSQL failed ({program}): {told[-800:]}")


def adopt(data: Path, fill: Callable[[Path, Path], None], options: str) -> None:
    """A new data folder's cluster, from a copy of another one. `fill`: given the folder to copy it into and one for its
    write-ahead log; `options`: how PostgreSQL goes on from there. Ends with the server stopped, and passwords of this
    folder's own."""
    data = data.resolve()
    _make_private(data)
    home = _home(data)
    with _starting(home), (home / "users.lock").open("a") as lock:
        server = Server(home, _sockets(data, home), data, lock)
        if server.cluster.exists():
            raise SetUpError(f"The data folder {data} holds a database already. Nothing was restored. Name a new folder with "
                             "CHAIRSIDE_DATA, or move that one away.")
        log = home / "wal-back"
        try:
            fill(server.cluster, log)
            for folder in (server.cluster, log):
                _give_to_system_user(folder, home)
            _settle(server, options)
        except BaseException:
            shutil.rmtree(server.cluster, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(log, ignore_errors=True)


def _give_to_system_user(folder: Path, home: Path) -> None:
    folder.chmod(0o700)
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, home.stat().st_uid, home.stat().st_gid)


def _settle(server: Server, options: str) -> None:
    """The superuser's old password is unknown here, so for this one start the socket's folder, which is 0700, is the lock."""
    door = server.sockets / "recovery.conf"
    door.write_text("local all postgres trust\n")
    shutil.chown(door, server.home.stat().st_uid)
    _write_password(server.data, "postgres")
    try:
        started = _start(server, f"{_options(server)} -c logging_collector=off -c hba_file='{door}' {options}", patience=86_400)
        if not started or not _recovered(server):
            raise SetUpError(_reason(server))
        _ensure_roles(server)
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("alter role postgres password {}").format(sql.Literal(_password(server.data, "postgres"))))
    finally:
        door.unlink()
        programs.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(server.cluster), check=False)


def _recovered(server: Server) -> bool:
    """False where it gave up on the way."""
    while _alive(server.cluster):
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(server.url("postgres")) as connection:
            if connection.execute("select pg_is_in_recovery()").fetchone() == (False,):
                return True
        time.sleep(0.2)
    return False


def _reason(server: Server) -> str:
    told = (server.cluster / "start.log").read_text(errors="replace")
    if "before configured recovery target was reached" in told:
        return ("The write-ahead log that was kept ends before that moment. Nothing was restored. Choose an earlier one, or "
                "UNTIL=end.")
    fatal = [line for line in told.splitlines() if "FATAL" in line] or told.splitlines()
    return f"PostgreSQL could not go on from the copy: {' '.join(fatal)[-500:]}"


def _initialise(server: Server) -> None:
    """A cluster whose every connection needs a scram password; made aside and moved, so that half of one never stays."""
    partial = server.cluster.with_name(f"cluster.{os.getpid()}")
    secret = server.sockets / "superuser"
    _write_password(server.data, "postgres")
    secret.write_text(_password(server.data, "postgres"))
    shutil.chown(secret, server.sockets.stat().st_uid)
    try:
        programs.run("initdb", "-D", str(partial), "-U", "postgres", "--pwfile", str(secret), "--auth=scram-sha-256",
             "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums", "--no-instructions")
    finally:
        secret.unlink()
    partial.rename(server.cluster)


def _launch(server: Server) -> None:
    for _attempt in range(10):  # a killed server's children hold its memory for a moment longer
        if _start(server, _options(server)):
            break
        time.sleep(0.5)
    else:
        _start(server, _options(server), check=True)
    _ensure_roles(server)


def _start(server: Server, options: str, *, patience: int = 60, check: bool = False) -> bool:
    log = str(server.cluster / "start.log")
    return programs.run("pg_ctl", "start", "-w", "-t", str(patience), "-D", str(server.cluster), "-l", log, "-o", options,
                        check=check).returncode == 0


def _options(server: Server) -> str:
    options = (f"-c listen_addresses='' -c unix_socket_directories='{server.sockets}' -c unix_socket_permissions=0700 "
               "-c max_connections=60 -c timezone=UTC -c logging_collector=on "
               # An error's words repeat the value that was wrong, and its detail the row: the app logs what it met, by kind.
               "-c log_min_messages=log -c log_error_verbosity=terse -c log_min_error_statement=panic")
    return options + _archiving(server) if settings.get().backup_key_list else options


def _archiving(server: Server) -> str:
    """At least every two minutes, if anything was written. The command runs in the cluster's folder; under its own name a file is
    whole and on the disk."""
    server.archive.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(server.archive, server.home.stat().st_uid, server.home.stat().st_gid)
    keep = "cp %p ../wal/%f.part && sync ../wal/%f.part && mv ../wal/%f.part ../wal/%f"
    return f" -c archive_mode=on -c archive_timeout=120 -c archive_command='{keep}'"


def _running(cluster: Path) -> bool:
    if programs.run("pg_ctl", "status", "-D", str(cluster), check=False).returncode:
        return False
    if _is_zombie(cluster):
        (cluster / "postmaster.pid").unlink()  # or PostgreSQL takes the dead process for a living one, and won't start
        return False
    return True


def _alive(cluster: Path) -> bool:
    try:
        os.kill(int((cluster / "postmaster.pid").read_text().split()[0]), 0)
    except (OSError, ValueError, IndexError):
        return False
    return not _is_zombie(cluster)


def _is_zombie(cluster: Path) -> bool:
    """Killed, but not yet buried by its parent: where nobody reaps orphans, as in many containers, for ever."""
    try:
        process = Path("/proc") / (cluster / "postmaster.pid").read_text().split()[0] / "stat"
        return process.read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):  # gone, and buried, while we looked
        return False


def _ensure_roles(server: Server) -> None:
    """The owner makes tables and is no superuser; the app and the worker own nothing."""
    superuser = server.url("postgres").replace(f"/{DATABASE}?", "/postgres?")
    with psycopg.connect(superuser, autocommit=True) as connection:
        known = {name for (name,) in connection.execute("select rolname from pg_roles")}
        for role in ROLES[1:]:
            if not (server.data / f"{role}.password").exists():
                _write_password(server.data, role)
            verb = sql.SQL("alter" if role in known else "create")
            connection.execute(sql.SQL("{} role {} login nosuperuser nobypassrls nocreatedb nocreaterole password {}").format(
                verb, sql.Identifier(role), sql.Literal(_password(server.data, role))))
        if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("create database {} owner chairside_owner").format(sql.Identifier(DATABASE)))


def _write_password(data: Path, role: str) -> None:
    with open(data / f"{role}.password", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(secrets.token_urlsafe(32))


def _password(data: Path, role: str) -> str:
    return (data / f"{role}.password").read_text()
