"""What one request asks of the database, and how often it waits for it. Counts, which no busy machine changes (ADR 022)."""

import asyncio
import threading
import time

import httpx
import pytest
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import doorman
from api import route as api_route
from api.main import ROUTERS
from lib import db, patients
from lib.patient_form import PatientForm
from tests.trips import counted

pytestmark = pytest.mark.one_process

@pytest.fixture
def patient(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, PatientForm(full_name="Edgar Poe"))


# The look at who asks is one; a transaction begins, lets in and commits; a view has its row in the audit log.
@pytest.mark.parametrize(("path", "statements"), [("auth/me", 1), ("patients", 6), ("patients/{id}", 7)])
def test_a_request_waits_no_oftener_than_this(api, sign_in, alice, patient, path, statements):
    headers, path = sign_in(alice), path.format(id=patient)
    assert api.get(path, headers=headers).status_code == 200
    with counted() as wire:
        assert api.get(path, headers=headers).status_code == 200
    assert 0 < wire.statements <= statements
    assert 0 < wire.trips <= statements


def test_a_question_waits_no_oftener_than_this(api, sign_in, alice, patient):
    """The look at who asks; what was asked before; question and built-in answer in one transaction; the answer as it stands. For
    another answer, what all answers before it have seen."""
    headers, question = sign_in(alice), {"patient_id": str(patient), "text": "What is a root canal treatment?"}
    first = api.post("chats/messages", headers=headers, json=question).json()
    assert first["metadata"]["route"] == "kb"
    for path, body, trips in (("chats/messages", question | {"text": "What is a root canal treatment"}, 29),
                              (f"chats/messages/{first['id']}/regenerate", {}, 30)):
        with counted() as wire:
            assert api.post(path, headers=headers, json=body).status_code == 201
        assert 0 < wire.trips <= trips


def test_a_request_takes_one_way_to_a_thread_and_back(api, sign_in, alice, patient, monkeypatch):
    headers, hops = sign_in(alice), []

    async def count(function, *arguments, **named):
        hops.append(function)
        return await run_in_threadpool(function, *arguments, **named)
    for module in (api_route, doorman):
        monkeypatch.setattr(module, "run_in_threadpool", count)
    assert api.get(f"patients/{patient}", headers=headers).status_code == 200
    assert len(hops) == 1


@pytest.fixture
def visit():
    """Calls an app of one route, which does this, several times at once."""
    def call(work, *, times):
        app = FastAPI()
        app.router.route_class = api_route.OneHop
        app.get("/")(work)

        async def all_at_once():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as caller:
                return await asyncio.gather(*(caller.get("/") for _ in range(times)))
        return [answer.status_code for answer in asyncio.run(all_at_once())]
    return call


def test_few_short_requests_are_answered_at_once(visit, monkeypatch):
    monkeypatch.setattr(api_route, "SHORT", 60.0)
    inside, most = [], []

    def work():
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()
    assert visit(work, times=20) == [200] * 20
    assert max(most) <= api_route.AT_ONCE


def test_requests_that_wait_make_room_for_others(visit):
    """Each waits until all are there."""
    everybody = threading.Barrier(api_route.AT_ONCE * 3, timeout=20)
    assert visit(lambda: everybody.wait() >= 0, times=everybody.parties) == [200] * everybody.parties


def test_every_route_that_reads_is_one_of_one_hop():
    others = [route.path for module in ROUTERS for route in module.router.routes
              if "GET" in getattr(route, "methods", ()) and not isinstance(route, api_route.OneHop)]
    assert others == []


def test_work_that_would_wait_fails_instead_of_hanging():
    with pytest.raises(RuntimeError, match="waits"):
        api_route._finish(asyncio.sleep(0))
