"""What holds for every route: documented statuses, refusals in one shape, other sites by the list alone."""

import re
from uuid import uuid4

import pytest

from api import docs, main, refusals
from lib import patients, settings
from lib.settings import ROOT
from tests.test_permissions import ROUTES

JSON = "application/json"
ODD = [None, {}, [], {"text": "\u0000", "email": "x", "full_name": "\u0000", "role": 1, "helpful": "?"}, {"name": "x" * 5000}]
QUERIES = ["?cursor=x", "?limit=0", "?q=%00", "?action=%F0&person=x", "?first=2026-01-01&last=x", "?first=2999-01-01&last=0001-01-01"]


@pytest.fixture(scope="module")
def document() -> dict:
    return docs.describe(main.make())


def operations(document) -> list[tuple[str, str, dict]]:
    return [(method.upper(), path, route) for path, methods in document["paths"].items() for method, route in methods.items()]


def requests(document, path: str, route: dict) -> list[tuple[str, str, object]]:
    """An id of nobody, and what is no id; the route's own example, and what nobody should send: address, query, body."""
    schema = route.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
    named = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    first, *bodies = [*named.get("examples", []), *ODD] if schema else [None]
    unknown, *garbled = (re.sub(r"{\w+}", value, path).removeprefix("/v1/") for value in (str(uuid4()), "x", "\u00e9"))
    queries = QUERIES if route.get("parameters") else []
    return [(unknown, "", first), *((unknown, "", body) for body in bodies), *((where, "", first) for where in garbled if "{" in path),
            *((unknown, query, first) for query in queries)]


@pytest.mark.parametrize("role", [
    pytest.param("owner", marks=pytest.mark.long), pytest.param("receptionist", marks=pytest.mark.long), "nobody"])
def test_no_route_fails_or_answers_what_it_does_not_document(api, sign_in, alice, rita, document, role, do_jobs, monkeypatch):
    """As owner, receptionist and nobody, with what the document shows and with what it forbids."""
    monkeypatch.setenv("LIMIT_CHANGES", "100000")
    settings.get.cache_clear()
    shown = {"owner": lambda: sign_in(alice), "receptionist": lambda: sign_in(rita), "nobody": dict}[role]()
    wrong = []
    for method, path, route in operations(document):
        if path.endswith(("/logout", "/session", "/login", "/register")):
            continue  # they end the session, or fill a counter that other tests have a say in
        for where, query, body in requests(document, path, route):
            answer = api.request(method, where + query, json=body, headers={"If-Match": "*", **shown})
            explained = answer.status_code < 400 or answer.json()["request_id"] == answer.headers["x-request-id"]
            if answer.status_code >= 500 or str(answer.status_code) not in route["responses"] or not explained:
                wrong.append((method, where, query, body, answer.status_code))
        do_jobs()  # /health says so where one waits and no worker lives
    settings.get.cache_clear()
    assert wrong == []


def test_every_body_and_answer_of_people_has_a_shape(document):
    loose = [(method, path) for method, path, route in operations(document) if method == "POST" and "requestBody" in route
             and "$ref" not in str(route["requestBody"])]
    assert loose == [("POST", "/v1/patients/import")]  # a file


def test_the_guide_names_every_route_with_its_permission_and_statuses(document):
    told = (ROOT / "docs" / "api.md").read_text().splitlines()
    rows = [f"| `{method} {path.removeprefix('/v1')}` | {ROUTES[method, path] or 'anybody'} | "
            f"{', '.join(sorted(set(route['responses']) - {str(status) for status in refusals.ALWAYS}))} |"
            for method, path, route in operations(document)]
    assert [row for row in rows if row not in told] == []
    assert len([line for line in told if line.startswith("| `")]) == len(rows)


def test_the_page_holds_no_script_and_every_route(api, document):
    page = api.get("docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert all(f"/api{path}" in page.text for path in document["paths"])
    assert api.get("openapi.json").json()["paths"].keys() == document["paths"].keys()


@pytest.fixture
def frontend(monkeypatch):
    """A site of FRONTEND_URL."""
    monkeypatch.setenv("FRONTEND_URL", "https://app.example.org")
    settings.get.cache_clear()
    yield "https://app.example.org"
    settings.get.cache_clear()


@pytest.mark.one_process
def test_another_site_is_let_in_by_the_list_alone(api, frontend):
    ask = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    known, other = (api.options("patients", headers={**ask, "Origin": origin}) for origin in (frontend, "https://evil.example"))
    assert known.headers["access-control-allow-origin"] == frontend
    assert known.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.one_process
def test_a_page_of_the_list_can_read_whatever_is_answered(api, frontend, sign_in, alice, monkeypatch):
    """The doorman's own refusals and a failure too; a site that is not on the list reads nothing."""
    mine, calls = sign_in(alice), []
    monkeypatch.setattr(patients, "find", lambda *_of, **_more: calls[0])
    for status, method, path, more in ((401, "GET", "patients", {}), (404, "GET", "nothing", {}), (500, "GET", "patients", mine),
                                       (413, "POST", "patients", {"Content-Length": "70000"}), (400, "GET", "patients", {"Host": "x"})):
        for origin, allowed in ((frontend, frontend), ("https://evil.example", None)):
            answer = api.request(method, path, headers={**more, "Origin": origin})
            assert answer.status_code == status
            assert answer.headers.get("access-control-allow-origin") == allowed, status
            assert ("X-Request-Id" in answer.headers["access-control-expose-headers"]) is (answer.json()["status"] == status)


@pytest.mark.one_process
def test_no_other_address_is_open_to_the_list(api, frontend):
    answer = api.get("http://localhost/generate", headers={"Origin": frontend})
    assert "access-control-allow-origin" not in answer.headers


