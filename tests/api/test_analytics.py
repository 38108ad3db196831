"""Figures as files, for owners and managers."""

import csv
import io
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from lib import db, periods, sheets


@pytest.fixture
def ask(server, cookie_of):
    """Posts as somebody's browser would; `headers` replace its own."""
    def post(identity, body: object = None, **headers: str) -> httpx.Response:
        cookie = {"Cookie": f"chairside={cookie_of(identity)}"} if identity else {}
        return httpx.post(f"{server}/api/v1/analytics/export", json=body if body is not None else {}, timeout=20,
                          headers={"Origin": server, "Sec-Fetch-Site": "same-origin", **cookie, **headers})
    return post


@pytest.fixture
def called(alice):
    with db.scope(alice) as scope:
        scope.run("""
            insert into ai_calls (clinic_id, message_id, user_id, route, status, model_requested, cost_usd, cost_source, latency_ms, finished_at)
            values (:clinic_id, :message, :me, 'provider', 'ok', 'large', 0.25, 'price_table', 900, now())
            """, message=uuid4(), me=alice.user_id)


def rows(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


@pytest.mark.parametrize("figure", sheets.SHEETS)
def test_every_figure_is_a_file(ask, mona, called, figure):
    answer = ask(mona, {"figure": figure, "period": "7d"})
    found = rows(answer)
    assert answer.headers["content-disposition"] == f'attachment; filename="{figure}.csv"'
    assert answer.headers["cache-control"] == "no-store"
    assert all(len(row) == len(found[0]) >= 2 for row in found)


def test_the_file_follows_the_period_and_is_on_record(ask, alice, called):
    today = periods.today(alice)
    found = rows(ask(alice, {"figure": "messages", "first": str(today - timedelta(days=2)), "last": str(today)}))
    assert found == [["Day", "All", "AI provider"], [str(today - timedelta(days=2)), "0", "0"], [str(today - timedelta(days=1)), "0", "0"],
                     [str(today), "1", "1"]]
    with db.scope(alice) as scope:
        assert scope.value("""
            select row_count from audit_log where clinic_id = :clinic_id and action = 'export' and resource = 'analytics'
            """) == 3


def test_nobody_but_owners_and_managers_gets_one(ask, alice, bob, rita, charlie, called):
    for who in (bob, rita):
        assert ask(who).status_code == 403
    assert ask(None).status_code == 401
    assert rows(ask(charlie, {"figure": "models"})) == [rows(ask(alice, {"figure": "models"}))[0]]
    assert ask(alice, Origin="https://elsewhere.example").status_code == 403


@pytest.mark.parametrize(("body", "status"), [({"figure": "secrets"}, 404), ({"figure": "../x"}, 422), ({"period": "yesteryear"}, 422),
                                              ({"first": "2026-05-02", "last": "2026-05-01"}, 422), ({"first": "2026-05-01"}, 422),
                                              ({"last": "2026-05-01"}, 422)])
def test_what_makes_no_sense_is_refused(ask, alice, body, status):
    assert ask(alice, body).status_code == status
