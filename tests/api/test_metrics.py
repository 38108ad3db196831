"""/metrics: who gets it, what it counts, and that no line names anybody."""

import re
import time

import httpx
import pytest
from starlette.testclient import TestClient

from api import assistant, main
from api.doorman import Doorman
from api.metrics import make
from lib import auth, db, jobs, settings, tokens, watching, workflows
from lib.errors import NotSignedIn
from lib.settings import ROOT

TOKEN = "a-token-for-prometheus"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
LABELS = {"kind", "reason", "page", "route", "method", "status", "state", "le"}


@pytest.fixture
def client(database, monkeypatch):
    monkeypatch.setenv("CHAIRSIDE_METRICS_TOKEN", TOKEN)
    settings.get.cache_clear()
    yield TestClient(Doorman(make()), base_url="http://localhost")
    settings.get.cache_clear()


@pytest.fixture
def value(client):
    """One sample's value now; 0 where there is none yet."""
    def read(name: str, **labels: str) -> float:
        inside = ",".join(f'{label}="{is_}"' for label, is_ in sorted(labels.items()))
        found = re.search(rf"^{name}{re.escape(f'{{{inside}}}') if inside else ''} (\S+)$", client.get("/metrics", headers=SHOWN).text, re.M)
        return float(found[1]) if found else 0.0
    return read


def test_without_a_token_configured_there_is_nothing(server):
    assert httpx.get(server + "/metrics").status_code == 404
    assert httpx.get(server + "/metrics", headers={"Authorization": "Bearer x"}).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": TOKEN}, {"Authorization": "Bearer"}, {"Authorization": f"Bearer {TOKEN}x"},
                                     {"Authorization": "Bearer é".encode("latin-1")}, {"Cookie": f"chairside={TOKEN}"}])
def test_whoever_does_not_show_the_token_is_refused(client, headers):
    answer = client.get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "chairside_" not in answer.text


def test_prometheus_gets_its_format_and_nobody_keeps_it(client):
    answer = client.get("/metrics", headers=SHOWN)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    for name in ("pool_connections", "database_up", "provider_up", "ai_service_up", "budget_usd", "budget_spent_usd", "disk_used_ratio",
                 "database_connections", "database_connections_max"):
        assert re.search(rf"^chairside_{name} \d", answer.text, re.M), name
    assert "process_resident_memory_bytes" in answer.text


def test_a_refused_password_and_a_bad_cookie_are_counted(value, alice, token_of):
    before = [value("chairside_sign_in_failures_total", kind="sign_in_failed"), value("chairside_token_failures_total", reason="token"),
              value("chairside_token_failures_total", reason="session")]
    assert not auth.verify(auth.find_account(alice.email), "not this one here", address="127.0.0.1")
    for cookie in (None, "nonsense", tokens.make(alice.user_id, alice.email, "nobody's", auth.NORMAL)):
        with pytest.raises(NotSignedIn):
            auth.recognise(cookie)
    after = [value("chairside_sign_in_failures_total", kind="sign_in_failed"), value("chairside_token_failures_total", reason="token"),
             value("chairside_token_failures_total", reason="session")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]


def test_an_answer_is_counted_by_who_gave_it(value, alice):
    before = value("chairside_answer_seconds_count", route="emergency")
    workflows.ask(alice, None, "My throat is closing, I can't breathe")
    assert value("chairside_answer_seconds_count", route="emergency") - before == 1
    assert value("chairside_answers_total", route="emergency", status="ok") >= 1


def test_the_pool_is_counted_while_it_lends(value):
    with db.nobody(), db.nobody():
        assert value("chairside_pool_connections") in (2, 3)  # the housekeeper borrows one now and then
    assert value("chairside_pool_connections") in (0, 1)
    assert value("chairside_pool_connections_max") == 10
    assert value("chairside_database_connections_max") == 60


def test_a_database_that_is_away_is_said_and_the_rest_still_told(value, monkeypatch):
    monkeypatch.setattr(db, "_engine", None)
    assert value("chairside_database_up") == 0
    assert value("chairside_budget_usd") == 1000


def test_the_day_of_the_whole_installation_is_told(value, owner, alice):
    before = value("chairside_budget_spent_usd")
    with db.scope(alice) as scope:
        scope.run("insert into ai_budgets (clinic_id, day, spent_usd) values (:clinic_id, (now() at time zone 'UTC')::date, 1.25)")
    assert value("chairside_budget_spent_usd") - before == pytest.approx(1.25)


def test_jobs_are_counted(value, monkeypatch):
    monkeypatch.setattr(jobs, "state", lambda: jobs.Queue(2, 1, 3, 4))
    assert [value("chairside_jobs", state=state) for state in ("waiting", "running", "failed")] == [2, 1, 3]
    assert value("chairside_workers") == 4


def test_no_label_names_a_clinic_or_a_person(client, alice):
    client.get(f"/api/{alice.clinic_id}")
    answer = client.get("/metrics", headers=SHOWN).text
    assert set(re.findall(r'(\w+)="', answer)) <= LABELS
    assert str(alice.clinic_id) not in answer
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|@", answer)


def test_every_figure_of_ours_is_explained(client):
    explained = (ROOT / "docs" / "operations.md").read_text()
    names = set(re.findall(r"^# TYPE (chairside_\w+) ", client.get("/metrics", headers=SHOWN).text, re.M))
    names = {name.removesuffix("_max") for name in names if not name.endswith("_created")}
    assert len(names) > 15
    assert [name for name in names if f"`{name}" not in explained] == []


def test_a_scrape_takes_little(client):
    client.get("/metrics", headers=SHOWN)
    began = time.thread_time()
    for _ in range(5):
        client.get("/metrics", headers=SHOWN)
    assert time.thread_time() - began < 1.0


def test_the_assistant_by_itself_counts_its_answers_behind_the_same_token(monkeypatch):
    monkeypatch.setenv("CHAIRSIDE_METRICS_TOKEN", TOKEN)
    settings.get.cache_clear()
    service = TestClient(assistant.make(alone=True))
    assert service.get("/metrics").status_code == 401
    before = service.get("/metrics", headers=SHOWN).text
    service.post("/generate", json={"message": "He can't breathe and his tongue is swollen"})
    after = service.get("/metrics", headers=SHOWN).text
    line = re.compile(r'^chairside_answers_total{route="emergency",status="ok"} (\S+)$', re.M)
    assert float(line.search(after)[1]) == float(found[1] if (found := line.search(before)) else 0) + 1
    assert "chairside_provider_up 1.0" in after
    assert "chairside_database_up" not in after
    settings.get.cache_clear()


def test_prometheus_is_told_to_leave_out_what_waits_for_an_answer():
    """As lib/watching.py does; and the API still spells them so."""
    [rule] = re.findall(r'SlowRequests.*route!~"(.*?)"', (ROOT / "docs" / "operations.md").read_text())
    assert all(re.fullmatch(rule, route) for route in (*watching.OF_OTHERS, *watching.ANSWERING))
    for route in ("/api/v1/patients", "/api/v1/chats/messages/{message_id}", "/api/v1/chats/messages/{message_id}/stop"):
        assert not re.fullmatch(rule, route)
    assert set(watching.ANSWERING) <= {f"/api{path}" for path in main.make().openapi()["paths"]}
