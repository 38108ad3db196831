"""What Sentry is sent of a crash: the real library with a transport that keeps it."""

import json
import logging
import subprocess
import sys
import threading
from functools import partial
from typing import ClassVar
from uuid import uuid4

import pytest
import sentry_sdk
import structlog
from sentry_sdk.transport import Transport

from api import assistant
from lib import crash_reports, logs, settings, startup, worker
from lib.errors import Forbidden
from lib.settings import ROOT


class Kept(Transport):
    sent: ClassVar[list[str]] = []

    def capture_envelope(self, envelope):
        self.sent.append(envelope.serialize().decode())


@pytest.fixture
def sent(monkeypatch, configured):
    monkeypatch.setenv("SENTRY_DSN", "https://canarykey@sentry.example/1")
    settings.get.cache_clear()
    Kept.sent.clear()
    crash_reports.configure(transport=Kept)
    yield Kept.sent
    monkeypatch.undo()
    settings.get.cache_clear()
    crash_reports.configure()
    sentry_sdk.init()
    logs.end()


def crash(words: str):
    secret = f"canarylocal {words}"
    try:
        raise KeyError(secret)
    except KeyError as error:
        raise ValueError(f"canary {words}") from error


def test_a_crash_is_its_type_and_its_places(sent):
    logs.begin(page="patients")
    sentry_sdk.add_breadcrumb(message="canarybreadcrumb", data={"sql": "canarysql"})
    sentry_sdk.set_context("patient", {"name": "canarycontext"})
    sentry_sdk.set_user({"email": "canaryuser"})
    try:
        crash("one")
    except ValueError:
        structlog.get_logger().error("request failed", note="x")
    event = json.loads(sent[0].splitlines()[-1])
    assert "canary" not in "".join(sent)
    assert [crash["type"] for crash in event["exception"]["values"]] == ["KeyError", "ValueError"]
    place = event["exception"]["values"][1]["stacktrace"]["frames"][-1]
    assert (place["function"], place["filename"].endswith("test_crash_reports.py")) == ("crash", True)
    assert event["tags"] == {"request_id": logs.request_id(), "page": "patients"}
    assert set(event) == {"event_id", "timestamp", "level", "platform", "environment", "tags", "exception"}


def test_every_way_a_crash_is_logged_reports_it_once(sent, capsys):
    try:
        crash("two")
    except ValueError:
        logging.getLogger("streamlit.error_util").exception("canary of Streamlit")
        structlog.get_logger().error("script failed")
    assert len(sent) == 1
    thread = threading.Thread(target=crash, args=(str(uuid4()),))
    thread.start()
    thread.join()
    assert len(sent) == 2
    assert "canary" not in "".join(sent) + capsys.readouterr().err


def test_a_refusal_and_a_plain_line_are_none(sent):
    logging.getLogger("streamlit.error_util").error("Uncaught app execution", exc_info=Forbidden())
    structlog.get_logger().error("answer not saved")
    structlog.get_logger().warning("provider refused")
    assert sent == []


def test_without_a_dsn_the_library_is_not_even_imported():
    done = subprocess.run([sys.executable, "-c", "from lib import crash_reports, logs; import sys; logs.configure(); "
                           "crash_reports.configure(); print('sentry_sdk' in sys.modules)"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def fail() -> None:
    try:
        crash("three")
    except ValueError:
        structlog.get_logger().error("caught at an edge")


def work(monkeypatch):
    async def serve(_url):
        fail()
    for name in ("start_worker", "stop"):
        monkeypatch.setattr(startup, name, lambda: "")
    monkeypatch.setattr(worker, "_serve", serve)
    worker.main()


def assist(_monkeypatch):
    assert assistant.app
    fail()


@pytest.mark.parametrize("run", [work, assist])
def test_a_worker_and_an_assistant_of_their_own_report_theirs(sent, monkeypatch, run):
    logs.call_witness(None)
    monkeypatch.setattr(crash_reports, "configure", partial(crash_reports.configure, transport=Kept))
    run(monkeypatch)
    assert len(sent) == 1
