"""What must hold when there is more than one app process. Each test goes through the door, as a browser does."""

import itertools
import os
import signal
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from lib import db, drafts, patients, team
from lib.patient_form import PatientForm
from lib.settings import ROOT
from tests.cluster.conftest import LIMIT, NAME, WORKERS
from tests.clusters import app_process

pytestmark = pytest.mark.long
DRAFTS = "/api/v1/drafts"


def words(who, field: str, text: str, before: str = "") -> dict:
    return {"clinic": str(who.clinic_id), "field": field, "text": text, "before": before}


@pytest.fixture
def fields(alice) -> list[str]:
    """One per patient, to keep a text in."""
    with db.scope(alice) as scope:
        return [f"question:{patients.register(scope, PatientForm(full_name=f'Ann Lee {n}'))}" for n in range(8)]


def test_the_door_speaks_no_old_tls_and_names_its_process(door):
    host, port = urlsplit(door).hostname, urlsplit(door).port
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError), ssl.create_connection((host, port)) as line:  # type: ignore[attr-defined]
        old.wrap_socket(line, server_hostname=host)
    answer = httpx.get(door, verify=False)
    assert answer.cookies["chairside-node"] in ("a", "b")
    assert answer.headers["strict-transport-security"]


def test_scripts_come_compressed_and_answers_with_data_do_not(door):
    script = httpx.get(door, verify=False).text.split('src="./', 1)[1].split('"')[0]
    assert httpx.get(f"{door}/{script}", verify=False).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in httpx.get(f"{door}/api/v1/health", verify=False).headers


def test_who_signed_in_at_one_process_is_known_to_the_other_until_they_are_signed_out(ask, alice, bob):
    for node in "ab":
        answer = ask(bob, node, "GET", "/api/v1/session")
        assert (answer.status_code, answer.json()["clinic"]) == (200, str(bob.clinic_id))
        assert "chairside-node" not in answer.cookies, "the door sent them to another process"
    with db.scope(alice) as scope:
        team.sign_out(scope, bob.user_id)
    assert [ask(bob, node, "GET", "/api/v1/session").status_code for node in "ab"] == [401, 401]


def test_as_many_workers_run_as_are_asked_for(door):
    supervisor = psutil.Process(app_process("a").ppid())
    assert sum("lib.worker" in child.cmdline() for child in supervisor.children()) == WORKERS


def test_a_limit_is_counted_over_all_processes_and_exactly(ask, alice):
    ask(alice, "a", "GET", "/api/v1/session")
    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda node: ask(alice, node, "PUT", "/api/v1/session").status_code,
                                 itertools.islice(itertools.cycle("ab"), LIMIT + 30)))
    assert (statuses.count(200), statuses.count(429)) == (LIMIT, 30)


def test_a_pooled_connection_has_the_timeouts_of_a_direct_one(door, database):
    pool = (Path(os.environ["CHAIRSIDE_DATA"]) / "run").resolve()
    password = (Path(os.environ["CHAIRSIDE_DATA"]) / "chairside_app.password").read_text()
    engine = db.open_engine(f"postgresql://chairside_app:{password}@/chairside?host={pool}&port=6432")
    with engine.begin() as connection:
        found = [connection.execute(db.statement(f"show {name}")).scalar() for name in (
            "timezone", "statement_timeout", "idle_in_transaction_session_timeout")]
    engine.dispose()
    assert found == ["UTC", "20s", "1min"]


def test_what_was_acknowledged_outlives_the_process_that_took_it(ask, alice, fields):
    """Process a is killed in the middle of writes, and somebody who was at a goes on at b."""
    kept, stop = {}, threading.Event()

    def write(field: str) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            text = f"{field} {number}"
            try:
                if ask(alice, "a", "PUT", DRAFTS, json=words(alice, field, text, kept.get(field, ""))).status_code == 204:
                    kept[field] = text
            except httpx.TransportError:
                continue  # not acknowledged
    with ThreadPoolExecutor(len(fields)) as pool:
        done = [pool.submit(write, field) for field in fields]
        threading.Timer(2, app_process("a").kill).start()
        threading.Timer(8, stop.set).start()
        [future.result() for future in done]
    with db.scope(alice) as scope:
        stored = {field: found.text for field, found in drafts.load_texts(scope, fields).items()}
    late = {field for field in fields if int(stored[field].rpartition(" ")[2]) - int(kept[field].rpartition(" ")[2]) not in (0, 1)}
    assert late == set(), "a text is older than what was acknowledged, or newer than what was sent"
    assert all(int(text.rpartition(" ")[2]) > 20 for text in kept.values()), "nobody went on after the process was killed"


def test_a_rolling_restart_drops_no_request(ask, alice, fields, door):
    """Some are quick, and some, questions, are always on their way when their process is told to go."""
    before = {name: app_process(name).pid for name in "ab"}
    answers, stop = [], threading.Event()

    def keep_asking(number: int) -> None:
        question = {"text": "What is a root canal?"}
        text = words(alice, fields[number], "x")
        while not stop.is_set():
            node = "ab"[number % 2]
            answers.append(status(lambda node=node: ask(alice, node, "PUT", DRAFTS, json=text) if number < 4 else
                                  ask(alice, node, "POST", "/api/v1/chats/messages", json=question)))
    with ThreadPoolExecutor(8) as pool:
        [pool.submit(keep_asking, number) for number in range(8)]
        done = subprocess.run([sys.executable, "-m", "scripts.cluster", "restart"], cwd=ROOT, capture_output=True, text=True)
        stop.set()
    assert done.returncode == 0, done.stderr
    assert all(app_process(name).pid != before[name] for name in "ab")
    assert answers.count(204) > 50
    assert answers.count(201) > 20
    assert {answer for answer in answers if answer not in (201, 204)} == set()


def status(send) -> int | str:
    try:
        return send().status_code
    except httpx.TransportError as error:
        return repr(error)


def test_it_answers_by_the_name_it_was_given(door):
    def status(name):
        return httpx.get(f"{door}/api/v1/health", headers={"Host": name}, verify=False, timeout=20).status_code
    assert status(NAME) == 200
    assert status("evil.example.org") == 400


def test_a_second_cluster_on_the_same_data_says_who_holds_it(door):
    done = subprocess.run([sys.executable, "-m", "scripts.cluster", "--port", "1"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "A cluster runs on the data folder" in done.stderr


def test_a_killed_pooler_comes_back_by_itself(ask, alice, door):
    [pooler] = [process for process in psutil.process_iter(["cmdline"])
                if process.info["cmdline"][:1] == ["pgbouncer"] and str(
                    (Path(os.environ["CHAIRSIDE_DATA"]) / "run").resolve()) in process.info["cmdline"][-1]]
    pooler.send_signal(signal.SIGKILL)
    statuses = []
    for _attempt in range(100):
        statuses.append(ask(alice, "a", "GET", "/api/v1/session").status_code)
        if statuses[-1] == 200:
            break
    assert statuses[-1] == 200
    assert set(statuses) <= {200, 503}
