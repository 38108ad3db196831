"""The audit log as a file, for owners alone."""

import csv
import io

import httpx
import pytest

from lib import audit, db


@pytest.fixture
def ask(server, cookie_of):
    """Posts as somebody's browser would; `headers` replace its own."""
    def post(identity, body: object = None, **headers: str) -> httpx.Response:
        cookie = {"Cookie": f"chairside={cookie_of(identity)}"} if identity else {}
        return httpx.post(f"{server}/api/v1/audit/export", json=body if body is not None else {},
                          headers={"Origin": server, "Sec-Fetch-Site": "same-origin", **cookie, **headers})
    return post


def rows(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_the_file_follows_the_filter_and_names_itself(ask, alice, bob):
    for who in (alice, bob):
        with db.scope(who) as scope:
            audit.record(scope, "amend", "patient", fields=["phone"])
    answer = ask(alice, {"person": str(bob.user_id), "patient": None, "action": "amend", "since": "2020-01-01 00:00:00+01:00",
                         "until": None})
    assert [row[2:5] for row in rows(answer)[1:]] == [["Bob Brown", str(bob.user_id), "amend"]]
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    assert answer.headers["cache-control"] == "no-store"
    assert rows(ask(alice, {"until": "2020-01-01T00:00:00Z"}))[1:] == []


def test_the_export_is_in_the_log_with_its_route_and_rows(ask, alice):
    ask(alice)
    [exported] = [row for row in rows(ask(alice, {"action": "export"}))[1:] if row[5] == "audit_log"]
    assert exported[4] == "export"
    assert exported[14]  # the request


def test_nobody_but_an_owner_gets_it_and_a_refusal_is_told(ask, alice, bob, mona, rita, charlie):
    for who in (bob, mona, rita):
        assert ask(who).status_code == 403
    assert ask(None).status_code == 401
    refused = [row for row in rows(ask(alice))[1:] if row[4] == "refused"]
    assert {(row[2], row[6]) for row in refused} == {(who.full_name, "POST /api/v1/audit/export") for who in (bob, mona, rita)}
    assert all(row[2] == "Charlie Clark" for row in rows(ask(charlie))[1:])


def test_another_site_cannot_ask_in_somebodys_name(ask, alice):
    assert ask(alice, Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize("body", [{"person": "x"}, {"patient": 5}, {"action": "x" * 61}, {"action": "\0"}, {"since": "2020-01-01"},
                                  {"until": "2020-01-01T00:00:00"}, []])
def test_a_malformed_filter_is_refused(ask, alice, body):
    answer = ask(alice, body)
    assert answer.status_code == 422
    assert "Traceback" not in answer.text
