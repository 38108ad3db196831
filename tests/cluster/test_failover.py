"""The primary of a served cluster dies and its replica is promoted: the address names both, and no process is started anew."""

import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from lib import embedded, migrations
from tests.clusters import app_process, serving_cluster
from tests.conftest import PASSWORD
from tests.lib.test_failover import pull_the_plug
from tests.replicas import Replica, streaming

pytestmark = pytest.mark.long


@pytest.fixture
def primary(tmp_path, database) -> Iterator[embedded.Server]:
    server = embedded.start(tmp_path / "database")
    migrations.bring_up_to_date(server.url("chairside_owner"))
    yield server
    server.stop()


@pytest.fixture
def pair(primary) -> Iterator[Replica]:
    with streaming(primary) as replica:
        yield replica


@pytest.fixture
def door(pair, primary, tmp_path, monkeypatch) -> Iterator[str]:
    monkeypatch.setenv("CHAIRSIDE_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir(mode=0o700)

    def address(role: str) -> str:
        hosts = f"host={primary.sockets},{pair.sockets}&target_session_attrs=read-write"
        return primary.url(role).replace(f"host={primary.sockets}", hosts)
    with serving_cluster(DATABASE_URL=address("chairside_app"), DATABASE_WORKER_URL=address("chairside_worker")) as found:
        yield found


@pytest.fixture
def register(door):
    """A patient, by a program of a newly opened clinic; each request goes to whichever process the door likes."""
    with httpx.Client(base_url=f"{door}/api/v1/", verify=False, timeout=30) as client:
        who = {"full_name": "Alice Adams", "clinic_name": "Adams Dental", "email": f"alice.{uuid4().hex[:12]}@example.org", "password": PASSWORD}
        assert client.post("auth/register", json=who).status_code == 201
        told = client.post("auth/login", json={"email": who["email"], "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {told['access_token']}"
        yield lambda name: client.post("patients", json={"full_name": name}) if name else client.get("patients")


def until_both_answer(register, within: float = 30) -> list[str]:
    """Names that were acknowledged since: eight in a row, so that both processes had some."""
    end, kept, row = time.monotonic() + within, [], 0
    while row < 8:
        assert time.monotonic() < end, "a process does not find the new primary"
        name = f"After {len(kept)}"
        answer = register(name)
        assert answer.status_code in (201, 503), answer.text
        row = row + 1 if answer.status_code == 201 else 0
        kept += [name] if answer.status_code == 201 else []
    return kept


def test_both_processes_go_on_at_the_new_primary_and_nothing_acknowledged_is_lost(register, pair, primary):
    served_by = {name: app_process(name).pid for name in "ab"}
    before = [f"Before {n}" for n in range(8)]
    assert {register(name).status_code for name in before} == {201}
    pair.catch_up()
    pull_the_plug(primary)
    refused = register("Meanwhile")
    assert refused.status_code == 503
    assert refused.json()["detail"]
    pair.promote()
    after = until_both_answer(register)
    assert {one["full_name"] for one in register("").json()["data"]} >= {*before, *after}
    assert {name: app_process(name).pid for name in "ab"} == served_by
