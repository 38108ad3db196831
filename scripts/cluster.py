"""Several processes on one machine: two of the app, a worker, PgBouncer, Redis and HAProxy. docs/scale.md says how they fit.

    python -m scripts.cluster [--bind 127.0.0.1] [--port 8501]    # serves until Ctrl-C
    python -m scripts.cluster restart          # one app process after the other; nobody's request is dropped

This process holds the embedded PostgreSQL, or names the one of DATABASE_URL; supervisord looks after the others.
"""

import argparse
import csv
import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import URL, make_url

from lib import programs, settings, startup
from lib.errors import SetUpError
from lib.settings import ROOT
from scripts import packages, pooler

PROGRAMS = {"haproxy": "haproxy", "pgbouncer": "pgbouncer", "redis-server": "redis-server"}
DEPLOY = ROOT / "deploy"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - when it is asked for
PATIENCE = 60  # seconds until a started process must answer


def main() -> None:
    parser = argparse.ArgumentParser(description="Several processes on one machine")
    parser.add_argument("what", nargs="?", choices=["serve", "restart"], default="serve")
    parser.add_argument("--bind", default="127.0.0.1", help="the address of this machine to serve at; 0.0.0.0: every one")
    parser.add_argument("--port", type=int, default=8501)
    options = parser.parse_args()
    try:
        restart() if options.what == "restart" else serve(options.bind, options.port)
    except SetUpError as error:
        sys.exit(f"\n  {error}\n")


def serve(bind: str, port: int) -> None:
    packages.need(PROGRAMS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    data = settings.get().data.resolve()
    with _database(), _alone(data), _run_folder(data) as run:
        environment = _environment(run, data, bind, port)
        pooler.configure(_address("app"), run, (DEPLOY / "pgbouncer.ini").read_text(), _write)
        _write_certificate(run, data)
        for page in ("503.http", "leaving.acl"):
            _write(run / page, (DEPLOY / page).read_bytes().decode())
        supervisor = subprocess.Popen([sys.executable, "-m", "supervisor.supervisord", "-c", DEPLOY / "supervisord.conf"],
                                      env=environment)
        try:
            _await_ready(run, "127.0.0.1" if bind == EVERYWHERE else bind, port, supervisor)
            sys.stdout.write(f"\n  Chairside: https://localhost:{port}\n\n")
            sys.stdout.flush()
            supervisor.wait()
        except KeyboardInterrupt:
            sys.stdout.write("  Stopping …\n")
        finally:
            supervisor.terminate()
            supervisor.wait(90)


@contextmanager
def _database() -> Iterator[None]:
    startup.start()
    try:
        yield
    finally:
        startup.stop()


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    with (data / "cluster.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetUpError(f"A cluster runs on the data folder {data} already. Stop it first, or choose another folder with "
                             "CHAIRSIDE_DATA.") from None
        yield


@contextmanager
def _run_folder(data: Path) -> Iterator[Path]:
    """For sockets and what the programs are told; outside the data folder, whose path may be too long for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="chairside-") as name:
        shutil.chown(name, _user())
        pointer = data / "run"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(name)
        try:
            yield Path(name)
        finally:
            pointer.unlink(missing_ok=True)


def _user() -> str:
    """PgBouncer refuses to run as root, and the other two need not."""
    if os.geteuid() == 0:
        programs.ensure_system_user()
        return programs.SYSTEM_USER
    return pwd.getpwuid(os.geteuid()).pw_name


def _environment(run: Path, data: Path, bind: str, port: int) -> dict[str, str]:
    logs = data / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    app, worker = _address("app"), _address("worker")
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("DATABASE_") or name.startswith("DATABASE_REPLICA_")}
    return {
        **kept, "RUN": str(run), "LOGS": str(logs), "RUN_USER": _user(), "PYTHON": sys.executable, "PATH": packages.PLACES,
        "CERTIFICATE": f"{run}/chairside.pem", "PAGES": str(run), "BIND": bind, "PORT": str(port),
        "HOST_A": "127.0.0.1", "HOST_B": "127.0.0.1", "WORKERS": str(settings.get().workers),
        **{f"PORT_{name.upper()}": _take_port(run / name) for name in ("a", "b")},
        "CHAIRSIDE_DATA": str(data), "CHAIRSIDE_WORKER": "false", "CHAIRSIDE_TLS": "true",
        "CHAIRSIDE_TRUSTED_PROXIES": "127.0.0.1", **_hosts(), "REDIS_URL": f"redis+unix://{run}/redis.sock",
        "DATABASE_URL": _pooled(app, run) if pooler.can_pool(app) else app.render_as_string(hide_password=False),
        "WORKER_URL": worker.render_as_string(hide_password=False),
    }


def _hosts() -> dict[str, str]:
    """Once a name is given, no other is answered; the door and `restart` look after each process by this one."""
    given = settings.get()
    return {"CHAIRSIDE_HOSTS": ",".join([*given.hosts, "localhost"])} if given.hosts or given.url else {}


def _address(role: str) -> URL:
    address = startup.app_address() if role == "app" else startup.worker_address()
    if address is None:
        raise SetUpError("DATABASE_WORKER_URL is missing: the address of the database as the role chairside_worker.")
    try:
        return make_url(address)
    except ValueError:
        raise SetUpError("The address of the database can't be read. Several hosts are named like this: "
                         "postgresql://…@/chairside?host=db1:5432&host=db2:5432") from None


def _pooled(app: URL, run: Path) -> str:
    pooled = URL.create("postgresql", app.username, app.password, database="chairside", query={"host": str(run), "port": "6432"})
    return pooled.render_as_string(hide_password=False)


def _take_port(note: Path) -> str:
    """A free one, written down for `restart`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        note.write_text(str(probe.getsockname()[1]))
    return note.read_text()


# what the programs are told ------------------------------------------------------------------------------------------


def _write(path: Path, text: str) -> None:
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    shutil.chown(path, _user())


def _write_certificate(run: Path, data: Path) -> None:
    """This machine's own, signed by itself, unless somebody put a real one (and its key) in its place."""
    kept = data / "chairside.pem"
    if not kept.exists():
        _write(kept, _self_signed())
    _write(run / "chairside.pem", kept.read_text())


def _self_signed() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=825))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256()))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()


# starting and restarting ---------------------------------------------------------------------------------------------


def _await_ready(run: Path, host: str, port: int, supervisor: "subprocess.Popen[bytes]") -> None:
    def ready() -> bool:
        return supervisor.poll() is not None or (_listens(host, port) and all(_is_up(run, name) for name in "ab"))
    if not _await(ready) or supervisor.poll() is not None:
        raise SetUpError(f"The processes don't answer. {_where_they_tell()}")


def _listens(host: str, port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex((host, port)) == 0


def restart() -> None:
    """One after the other, so that somebody always serves. Streams and screens reconnect to the other one meanwhile."""
    run = settings.get().data.resolve() / "run"
    if not run.exists():
        raise SetUpError("No cluster runs on this data folder. `make cluster` starts one.")
    for name in ("a", "b"):
        with _leaving(run, name):
            time.sleep(1)  # whatever was on its way is in the app's hands by then, and the app ends what it has begun
            _supervise(run, "restart", f"app_{name}")
            came_back = _await(partial(_serves, run / name))
        if not came_back or not _await(partial(_is_up, run, name)):
            raise SetUpError(f"app_{name} does not come back; the other one serves. {_where_they_tell()}")


@contextmanager
def _leaving(run: Path, name: str) -> Iterator[None]:
    """The door gives it nothing new, from nobody, and cuts off nothing."""
    _tell_door(run, f"set server app/{name} state drain")
    _tell_door(run, f"add acl {run.resolve()}/leaving.acl {name}")
    try:
        yield
    finally:
        _tell_door(run, f"del acl {run.resolve()}/leaving.acl {name}")
        _tell_door(run, f"set server app/{name} state ready")


def _is_up(run: Path, name: str) -> bool:
    """Whether the door has seen that it answers."""
    rows = csv.DictReader(_ask_door(run, "show stat app 4 -1").removeprefix("# ").splitlines())
    return any(row["svname"] == name and row["status"].startswith("UP") for row in rows)


def _tell_door(run: Path, command: str) -> None:
    said = _ask_door(run, command)
    if said:
        raise SetUpError(f"HAProxy refused: {said}")


def _ask_door(run: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(run.resolve() / "haproxy.sock"))
        line.sendall(f"{command}\n".encode())
        return line.makefile().read().strip()


def _supervise(run: Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", "supervisor.supervisorctl", "-s", f"unix://{run.resolve()}/supervisor.sock", *command],
                   check=True, stdout=subprocess.DEVNULL)


def _await(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.2)
    return False


def _serves(note: Path) -> bool:
    try:
        return httpx.get(f"http://localhost:{note.read_text()}/api/v1/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _where_they_tell() -> str:
    return f"What each process says stands in {settings.get().data}/logs."


if __name__ == "__main__":
    main()
