"""The line of a request: the route as our code spells it, who asked, and nothing of the address."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from api import journal
from api.doorman import Doorman
from api.main import make


@pytest.fixture
def client(database):
    return TestClient(Doorman(Starlette(routes=[Mount("/api", make())])), base_url="http://localhost", raise_server_exceptions=False)


@pytest.fixture
def lines():
    with capture_logs(processors=[merge_contextvars]) as found:
        yield found


@pytest.mark.parametrize(("method", "path", "route", "status"), [
    ("GET", "/api/v1/session?canary=canary", "/api/v1/session", 401), ("GET", "/api/canary", "other", 404),
    ("GET", "/api/v1/credentials/canary/document", "/api/v1/credentials/{user_id}/document", 401),
    ("PUT", "/api/v1/session/canary", "other", 404), ("CANARY", "/api/v1/session", "/api/v1/session", 405),
    ("GET", "/media/canary.png", "/media", 401), ("GET", "/canary", "page", 404)])
def test_an_address_becomes_the_route_it_matched(client, lines, method, path, route, status):
    client.request(method, path)
    line, = [line for line in lines if line["event"] == "request"]
    assert (line["route"], line["status"]) == (route, status)
    assert "canary" not in str(lines).lower()


@pytest.mark.parametrize(("rest", "route"), [("canary", "/api/chat/{rest}"), ("canary/deep", "other")])
def test_what_a_route_takes_as_it_comes_is_not_repeated(rest, route):
    scope = {"path": f"/api/chat/{rest}", "route": Route("/api/chat/{rest:path}", make), "path_params": {"rest": rest}}
    assert journal.route(scope) == route


def test_who_asked_stands_in_the_line_and_in_the_answer_the_same_id(client, lines, alice, cookie_of):
    answer = client.get("/api/v1/session", cookies={"chairside": cookie_of(alice)})
    line, = [line for line in lines if line["event"] == "request"]
    assert (line["user_id"], line["clinic_id"]) == (str(alice.user_id), str(alice.clinic_id))
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["duration_ms"] > 0
    assert alice.email not in str(lines)


def test_two_requests_share_nothing(client, lines, alice, cookie_of):
    client.get("/api/v1/session", cookies={"chairside": cookie_of(alice)})
    client.cookies.clear()
    client.get("/api/v1/session")
    first, second = [line for line in lines if line["event"] == "request"]
    assert first["request_id"] != second["request_id"]
    assert "user_id" not in second


def test_a_static_file_leaves_no_line(client, lines):
    assert client.get("/static/nothing.js").status_code == 404
    assert lines == []
