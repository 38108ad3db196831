"""An app and a database cluster of their own, to be killed; and people who write there and note what they were told."""

import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg

from lib import embedded, patients, tokens
from lib.settings import ROOT
from tests.conftest import free_port

PATIENCE = 90  # seconds for what takes two on an idle machine
AWAY = "The database can't be reached right now. Nothing was changed. Please try again in a moment."


class House:
    def __init__(self, data: Path) -> None:
        self.server = embedded.start(data)
        self.port = free_port()
        self.address = f"http://localhost:{self.port}"
        self.log = data / "app.log"
        self._environment = {**os.environ, "CHAIRSIDE_DATA": str(data), "CHAIRSIDE_WORKER_TIMEOUT": "2", "LIMIT_CHATS": "1000000",
                             "LIMIT_READS": "1000000", "LIMIT_CHANGES": "1000000"}
        self.open()

    def open(self) -> None:
        with self.log.open("a") as output:
            self.app = subprocess.Popen([sys.executable, "-m", "uvicorn", "tests.kills.writing_app:app", "--log-level", "error", "--port",
                                         str(self.port)], cwd=ROOT, env=self._environment, stdout=output, stderr=output)
        until(self._answers, lambda: self.log.read_text()[-2000:])

    def close(self) -> None:
        self.app.send_signal(signal.SIGINT)
        self.app.wait(PATIENCE)
        self.server.stop()

    def kill_app(self) -> None:
        """And open it again, as whatever started it would."""
        self.app.kill()
        self.app.wait()
        self.open()

    def kill_database(self) -> None:
        """Either all of it at once, as when the power fails, or the postmaster alone. Nobody starts it again but the app."""
        postmaster = int((self.server.cluster / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split() if random.random() < 0.5 else []
        os.kill(postmaster, signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)

    @contextlib.contextmanager
    def nobody_starts_it(self) -> Iterator[None]:
        """As long as a large database takes to recover."""
        with embedded._starting(self.server.home):
            yield

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """As the superuser, who sees every clinic's."""
        with psycopg.connect(self.server.url("postgres")) as connection:
            return connection.execute(statement, values).fetchall()

    def settle(self, client: httpx.Client) -> str:
        """What the audit chain says, once everything is counted and sealed and no job is left."""
        waits = self._waiting()
        while waits:  # each clinic's one by one, about one a second: it may take long, but not stand still
            until(lambda left=waits: self._waiting() < left, lambda: self.log.read_text()[-2000:])
            waits = self._waiting()
        told: str = client.post("/clinic/kills/settle", timeout=PATIENCE).raise_for_status().json()
        return told

    def _waiting(self) -> int:
        return self.rows("select count(*) from long_jobs where status in ('waiting', 'running')")[0][0]

    def _answers(self) -> bool:
        assert self.app.poll() is None, self.log.read_text()[-2000:]
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.address}/api/v1/health").status_code == 200
        return False

    def hire(self, password_hash: str) -> httpx.Client:
        """An owner's browser, signed in."""
        name, ticket = secrets.token_hex(6), secrets.token_urlsafe(32)
        with psycopg.connect(self.server.url("chairside_app")) as connection:
            user, clinic = connection.execute("""
                select user_id, clinic_id
                from app.sign_up(%s, 'Alice Adams', %s, 'Adams Dental', 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)
                """, [f"{name}@example.org", password_hash]).fetchone() or (None, None)
            connection.execute("select app.issue_ticket(%s, %s, %s, false)", [tokens.digest(ticket), user, clinic])
        client = httpx.Client(base_url=f"{self.address}/api/v1", headers={"Origin": self.address}, timeout=30)
        client.post("/session", json={"ticket": ticket}).raise_for_status()
        return client


def until(what: Callable[[], bool], why: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)


# who writes ----------------------------------------------------------------------------------------------------------


class Writer(threading.Thread):
    """Goes on until it is told to stop, whatever dies meanwhile. `done`: what they were told is done; `unsure`: what nobody told
    them of, so that it is there once or not at all."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(daemon=True)
        self.done: list[Any] = []
        self.unsure: list[Any] = []
        self.failure = ""
        self.stopping = threading.Event()
        self._client = client

    def run(self) -> None:
        number = 0
        try:
            while not self.stopping.is_set():
                number += 1
                self.write(number)
        except Exception:
            self.failure = traceback.format_exc()

    def write(self, number: int) -> None:
        raise NotImplementedError

    def once(self, path: str, **body: Any) -> httpx.Response | None:
        """None: they saw the plain message, or no answer at all."""
        try:
            answer = self._client.post(f"/clinic/kills/{path}", json=body)
        except httpx.TransportError:
            time.sleep(0.2)  # until a hand is back at the button
            return None
        if answer.status_code == 503:
            assert answer.json()["detail"] == AWAY, answer.text
            time.sleep(0.2)
            return None
        return answer

    def surely(self, path: str, **body: Any) -> bool:
        """With the same words until somebody says that it is done; a conflict is with one's own former try, which nobody told of."""
        tries = 0
        while not self.stopping.is_set():
            tries += 1
            answer = self.once(path, **body)
            if answer is not None:
                assert answer.status_code == 200 or (answer.status_code == 409 and tries > 1), answer.text
                return True
        return False


class Registrar(Writer):
    """Adds patients and renames each twice. `done`: id and last name known to be saved, with how often it was renamed."""

    def write(self, number: int) -> None:
        patient, names = str(patients.new_id()), [f"Pat {number} {word}" for word in ("First", "Second", "Third")]
        if not self.surely("register", id=patient, name=names[0]):
            return self.unsure.append(patient)
        for version in (1, 2):
            if not self.surely("amend", id=patient, name=names[version], version=version):
                return self.unsure.append(patient)
        self.done.append((patient, names[2]))


class Asker(Writer):
    """Asks questions, each in words of its own, and never the same twice."""

    def write(self, number: int) -> None:
        text = f"What is a root canal? Case {number}."
        told = self.once("ask", text=text)
        (self.unsure if told is None else self.done).append(text)


class Alarmer(Writer):
    """Raises emergencies and answers for them."""

    def write(self, number: int) -> None:
        raised = self.once("raise_alarm", text=f"He can't breathe and his tongue is swollen, case {number:06}")  # 2016 is a year
        if raised is None:
            return
        action = f"Called 112 for case {number}"
        said = self.surely("acknowledge", id=raised.json(), text=action)
        (self.done if said else self.unsure).append((raised.json(), action))


class Importer(Writer):
    """Orders imports of one patient each, which the worker does."""

    def write(self, number: int) -> None:
        record = f"R-{number}"
        ordered = self.once("defer", text=record)
        (self.unsure if ordered is None else self.done).append(record)
        self.stopping.wait(1)  # as many as the worker does meanwhile: each clinic's go one by one


@contextlib.contextmanager
def writing(house: House, password_hash: str) -> Iterator[list[Writer]]:
    """Each in a clinic of its own."""
    writers: list[Writer] = [kind(house.hire(password_hash)) for kind in (Registrar, Asker, Alarmer, Importer)]
    for writer in writers:
        writer.start()
    yield writers
    for writer in writers:
        writer.stopping.set()
    for writer in writers:
        writer.join(PATIENCE)


def all_write(writers: list[Writer], times: int) -> None:
    """Until everybody was told so many times more that something is done."""
    goals = [len(writer.done) + times for writer in writers]

    def reached() -> bool:
        assert not any(writer.failure for writer in writers), [writer.failure for writer in writers]
        return all(len(writer.done) >= goal for writer, goal in zip(writers, goals, strict=True))
    until(reached, lambda: str([(type(writer).__name__, len(writer.done), goal) for writer, goal in zip(writers, goals, strict=True)]))
