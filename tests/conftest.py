"""One cast for every test. Alice owns a clinic; Bob (clinician), Mona (manager) and Rita (receptionist) work in it.
Charlie owns another clinic and exists to be refused. The database is the real one, as the restricted role."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import hypothesis
import pytest
import structlog
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.pool import NullPool
from streamlit.components.v2.component_manager import BidiComponentManager

os.environ["CHAIRSIDE_DATA"] = tempfile.mkdtemp(prefix="chairside-test-")
os.environ["LIMIT_SIGN_UP"] = "1000"  # every test signs up from this one machine
os.environ.pop("DATABASE_URL", None)
os.environ.pop("DATABASE_OWNER_URL", None)

from lib import auth, db, embedded, jobs, logs, passwords, providers, rate_limits, settings, startup, tokens, worker
from lib.identity import Identity
from lib.settings import ROOT
from tests.lib import fake_provider
from tests.statements import asked_by_a_test, check_of_the_house, check_once

SHARED = Path(os.environ.get("CHAIRSIDE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
PASSWORD = "correct horse staple 9"
# The machine is shared: how long one example takes there says nothing of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def clean_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run by root, clusters lie outside the tests' folders; each folder names its own."""
    yield
    folders = [Path(os.environ["CHAIRSIDE_DATA"]), tmp_path_factory.getbasetemp()]
    for name in [name for folder in folders for name in folder.rglob("cluster.id")]:
        shutil.rmtree(embedded.STATE / name.read_text(), ignore_errors=True)


def pytest_unconfigure() -> None:
    """At the very end, and also where no test ran: of several workers' controller, too."""
    shutil.rmtree(os.environ["CHAIRSIDE_DATA"], ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def portable() -> Iterator[None]:
    """Each statement that a test makes the app run must be one that a distributed engine takes; it fails where it is run."""
    prepare, make = db._in_driver_style, db.statement
    patch = pytest.MonkeyPatch()
    patch.setattr(db, "_in_driver_style", lambda sql: (check_once(sql), prepare(sql))[1])
    patch.setattr(db, "statement", lambda sql: (check_once(sql), make(sql))[1])
    event.listen(Engine, "before_cursor_execute", look_at)
    yield
    event.remove(Engine, "before_cursor_execute", look_at)
    patch.undo()


def look_at(_connection: object, _cursor: object, sql: str, *_rest: object) -> None:
    if not asked_by_a_test():
        check_of_the_house(sql)


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    """Limits begin anew for each test: failures of one are not those of another."""
    rate_limits._open.cache_clear()


@pytest.fixture(autouse=True)
def no_foreign_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each AppTest would look through every installed package for some, which takes longer than most pages."""
    monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", lambda _self, **_options: None)


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    startup.start()
    yield
    startup.stop()


@pytest.fixture(scope="session")
def owner(database: None) -> Engine:
    """The role that owns the tables: no superuser, so that forced policies bind it as they would in production."""
    assert startup._server
    return db.open_engine(startup._server.url("chairside_owner"), poolclass=NullPool)


@pytest.fixture(scope="session")
def password_hash() -> str:
    return passwords.make_hash(PASSWORD)


@pytest.fixture
def open_clinic(database: None, password_hash: str) -> Callable[..., Identity]:
    def make(full_name: str = "Alice Adams", clinic_name: str = "Adams Dental", time_zone: str = "Europe/Berlin") -> Identity:
        email = f"{full_name.split()[0].lower()}.{uuid4().hex[:12]}@example.org"
        with db.nobody() as connection:
            row = connection.execute(text("""
                select user_id, clinic_id
                from app.sign_up(:email, :full_name, :hash, :clinic, 'DE', :zone, 'EUR', 'en', '112', false)
                """), {"email": email, "full_name": full_name, "hash": password_hash, "clinic": clinic_name,
                       "zone": time_zone}).one()
        return Identity(row.user_id, row.clinic_id, "owner", email, full_name, clinic_name, "DE", time_zone, "EUR", "en", "112",
                        session=uuid4().bytes * 2, address="127.0.0.1")
    return make


@pytest.fixture
def hire(owner: Engine, password_hash: str) -> Callable[..., Identity]:
    """Another member of somebody's clinic."""
    def make(boss: Identity, role: str, full_name: str) -> Identity:
        email = f"{full_name.split()[0].lower()}.{uuid4().hex[:12]}@example.org"
        with owner.begin() as connection:
            user_id = _add_member(connection, boss, role, full_name, email, password_hash)
        return replace(boss, user_id=user_id, role=role, email=email, full_name=full_name, session=uuid4().bytes * 2)
    return make


def _add_member(connection: Connection, boss: Identity, role: str, full_name: str, email: str, password_hash: str):
    user_id = connection.execute(text("""
        insert into users (email, full_name, password_hash) values (:email, :full_name, :hash) returning id
        """), {"email": email, "full_name": full_name, "hash": password_hash}).scalar_one()
    connection.execute(text("""
        insert into memberships (clinic_id, user_id, role, display_name) values (:clinic_id, :user_id, :role, :full_name)
        """), {"clinic_id": boss.clinic_id, "user_id": user_id, "role": role, "full_name": full_name})
    return user_id


@pytest.fixture
def do_jobs(database: None) -> Callable[[], None]:
    """What waits in the queue is done by a worker, which goes when nothing is left."""
    async def work() -> None:
        assert startup._server
        url = startup._server.url("chairside_worker")
        jobs.connect(url, 2)
        async with worker.make_app(url).open_async() as app:
            await app.run_worker_async(wait=False, install_signal_handlers=False)
        jobs.disconnect()
    return lambda: asyncio.run(work())


@pytest.fixture
def working(database: None) -> Iterator[None]:
    """A worker beside the test, as the app has one."""
    worker.start()
    yield
    worker.stop()


@pytest.fixture
def alice(open_clinic: Callable[..., Identity]) -> Identity:
    return open_clinic()


@pytest.fixture
def bob(alice: Identity, hire: Callable[..., Identity]) -> Identity:
    return hire(alice, "clinician", "Bob Brown")


@pytest.fixture
def mona(alice: Identity, hire: Callable[..., Identity]) -> Identity:
    return hire(alice, "manager", "Mona Moss")


@pytest.fixture
def rita(alice: Identity, hire: Callable[..., Identity]) -> Identity:
    return hire(alice, "receptionist", "Rita Ross")


@pytest.fixture
def charlie(open_clinic: Callable[..., Identity]) -> Identity:
    return open_clinic("Charlie Clark", "Clark Dental")


@pytest.fixture
def shared() -> Path:
    """The folder of test data; its absence is a reason to skip here, and a failure in .ci/run."""
    if not SHARED.is_dir():
        pytest.skip("the shared test data is not beside this checkout (set CHAIRSIDE_SHARED)")
    return SHARED


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, database: None) -> Iterator[fake_provider.FakeProvider]:
    """The installation's provider, which misbehaves on demand. A clinic still switches it on (tests/lib/asking.py)."""
    monkeypatch.setenv("AI_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("LIMIT_CHATS", "1000")
    with fake_provider.serving() as (fake, provider):
        monkeypatch.setenv("AI_BASE_URL", provider.base_url)
        monkeypatch.setenv("AI_API_KEY", provider.api_key)
        monkeypatch.setenv("AI_MODEL", provider.model)
        settings.get.cache_clear()
        fake.provider = provider
        yield fake
    settings.get.cache_clear()
    providers.breaker.cache_clear()
    providers._refused.clear()


@pytest.fixture
def configured() -> Iterator[None]:
    """Logs as a server process writes them."""
    before, hooks = logging.getLogRecordFactory(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    logs.configure()
    yield
    logging.setLogRecordFactory(before)
    logging.getLogger("streamlit.error_util").filters.clear()
    logging.getLogger("uvicorn.access").disabled = False
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.reset_defaults()


@pytest.fixture
def token_of(database: None) -> Callable[[Identity], str]:
    """A signed-in session of somebody, as a cookie's token id."""
    def make(identity: Identity) -> str:
        token_id = f"test-{uuid4().hex}{uuid4().hex}"
        ticket = auth.issue_ticket(auth.find_account(identity.email), keep=False)
        with db.nobody() as connection:
            connection.execute(text("select app.redeem_ticket(:ticket, :session, 'test', '127.0.0.1')"),
                               {"ticket": tokens.digest(ticket), "session": tokens.digest(token_id)}).all()
        return token_id
    return make


@pytest.fixture
def cookie_of(token_of: Callable[[Identity], str]) -> Callable[[Identity], str]:
    """A signed-in session of somebody, as the value of its cookie."""
    return lambda identity: tokens.make(identity.user_id, identity.email, token_of(identity), auth.NORMAL)


@pytest.fixture(scope="module")
def server(database: None) -> Iterator[str]:
    """A real server process on this test run's database; its address."""
    with serving() as address:
        yield address


@contextlib.contextmanager
def serving(*program: str) -> Iterator[str]:
    """A fresh process of the whole app, for as long as it is asked for. `program`: a module and its arguments up to the port."""
    program = program or ("streamlit", "run", "app.py", "--server.port")
    port = free_port()
    log = Path(os.environ["CHAIRSIDE_DATA"]) / f"server-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", *program, str(port)], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://localhost:{port}"
    try:
        _wait_for(address, process, log)
        yield address
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _attempt in range(200):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/api/v1/health").status_code == 200:
                return
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())
