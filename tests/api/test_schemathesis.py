"""Schemathesis on the real server, as owner, receptionist and nobody: no failure, and nothing that the document does not say."""

from collections.abc import Callable
from functools import cache, partial
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lib import api_clients, credentials, db, emergencies, import_jobs, imports, patients, team, workflows
from lib.api_clients import Wanted
from lib.patient_form import PatientForm
from tests.conftest import PASSWORD, serving

EXAMPLES = 10  # of each route, role and kind: what the document allows, and what it does not
ENDING = {"/v1/auth/logout", "/v1/session"}  # they end the session of whoever asks, who so signs in for each request
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
          response_schema_conformance]
HURRY = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
                 suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def server(database):
    """One that refuses nobody for asking too often."""
    patch = pytest.MonkeyPatch()
    for name in ("LIMIT_CHANGES", "LIMIT_READS", "LIMIT_CHATS", "LIMIT_SIGN_IN_ADDRESS", "LIMIT_SIGN_UP"):
        patch.setenv(name, "1000000")
    with serving() as address:
        patch.undo()
        yield address


@pytest.fixture
def shown(server, alice, rita):
    """What each shows with every request."""
    def show(role: str) -> dict[str, str]:
        if role == "nobody":
            return {}
        answer = httpx.post(f"{server}/api/v1/auth/login", json={"email": {"owner": alice, "receptionist": rita}[role].email,
                                                                  "password": PASSWORD})
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return show


@pytest.fixture
def own(alice, bob) -> dict[str, str]:
    """One of everything in Alice's clinic, by the name of its parameter: what is made up finds nothing."""
    with db.scope(alice) as scope:
        patient = patients.register(scope, PatientForm(full_name="Ann Ash", email="ann@example.org", medical_notes="Latex"))
        team.invite(scope, f"{uuid4().hex}@example.org", "clinician")
        invitation = team.invitations(scope)[0].id
        client, _token = api_clients.add(scope, Wanted("Robot", "owner", ["patients.read"]))
        job = import_jobs.begin(scope, imports.read(b"name\nBen Bell", "x.csv"), b"name\nBen Bell", {"full_name": ["name"]}, "ymd")
        credentials.submit(scope, "Endodontics", "DE-4711", credentials.Document("a.pdf", "application/pdf", b"%PDF-1.7"))
    asked = workflows.ask(alice, patient, "My face is swelling and I can't breathe")
    with db.scope(alice) as scope:
        emergency = emergencies.waiting(scope).rows[0].id
    ids = {"patient_id": patient, "thread_id": asked.thread_id, "message_id": asked.answer_id, "emergency_id": emergency,
           "job_id": job, "invitation_id": invitation, "client_id": client, "clinic_id": alice.clinic_id, "user_id": bob.user_id}
    return {name: str(value) for name, value in ids.items()} | {"figure": "messages"}


def failures(operation, mode: GenerationMode, show: Callable[[], dict[str, str]], own: dict[str, str]) -> list[str]:
    """What is wrong with it, each in a line."""
    found: set[str] = set()

    @HURRY
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case) -> None:
        case.path_parameters.update({name: own[name] for name in case.path_parameters if name in own})
        try:
            case.call_and_validate(headers=show(), checks=CHECKS, timeout=30)
        except FailureGroup as group:
            found.update(f"{operation.label}: {one.title}: {str(one)[:300]}" for one in group.exceptions)
    ask()
    return sorted(found)


def wrong_with_all(server: str, mode: GenerationMode, show: Callable[[], dict[str, str]], own: dict[str, str]) -> list[str]:
    schema = schemathesis.openapi.from_url(f"{server}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    lasting = cache(show)
    assert {operation.path for operation in operations} > ENDING
    return [line for operation in operations if mode is GenerationMode.POSITIVE or can_be_wrong(operation)
            for line in failures(operation, mode, show if operation.path in ENDING else lasting, own)]


def can_be_wrong(operation) -> bool:
    """A route that asks for nothing, not even for a token, takes every request."""
    return bool(operation.body or any(operation.iter_parameters()) or operation.definition.raw.get("security") != [])


@pytest.mark.long
@pytest.mark.parametrize("role", ["owner", "receptionist", "nobody"])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
def test_every_route_does_what_the_document_says(server, shown, role, mode):
    wrong = wrong_with_all(server, mode, partial(shown, role), {})
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@pytest.mark.parametrize("role", ["owner", "receptionist"])
def test_every_route_does_so_with_what_is_there(server, shown, own, role):
    wrong = wrong_with_all(server, GenerationMode.POSITIVE, partial(shown, role), own)
    assert not wrong, "\n".join(wrong)
