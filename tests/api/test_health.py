"""/api/v1/health: 503 with the part that is missing, 200 where only a provider is away, and no word of where anything is."""

import shutil
from collections import namedtuple
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from api.doorman import Doorman
from api.main import make
from lib import backup, db, jobs, migrations, providers, settings

WELL = {"database": "ok", "migrations": "ok", "worker": "ok", "disk": "ok", "provider": "ok", "service": "ok"}
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def look(database):
    client = TestClient(Doorman(Starlette(routes=[Mount("/api", make())])), base_url="http://localhost")

    def ask() -> tuple[int, dict]:
        answer = client.get("/api/v1/health")
        body = answer.json()
        del body["backup_hours"]
        return answer.status_code, body
    yield ask
    settings.get.cache_clear()


def test_all_is_well(server):
    answer = httpx.get(server + "/api/v1/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["parts"]) == (200, "ok", WELL)
    assert httpx.get(server + "/health").json() == {"status": "ok"}


def test_a_database_that_is_away_is_503_and_its_host_is_not_told(look, monkeypatch):
    away = db.open_engine("postgresql://chairside_app:canarypassword@canaryhost.invalid:5/chairside")
    monkeypatch.setattr(db, "_engine", away)
    status, body = look()
    assert (status, body["status"], body["detail"]) == (503, "down", "database: does not answer")
    assert "canary" not in str(body)


def test_a_schema_of_another_version_is_503(look, monkeypatch):
    monkeypatch.setattr(migrations, "head", lambda: "9999")
    status, body = look()
    assert status == 503
    assert body["detail"].startswith("migrations: the database is at 0")


def test_a_full_disk_is_503(look, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(10 ** 12, 10 ** 12 - 10 ** 8, 10 ** 8))
    assert look()[1]["detail"] == "disk: less than 500 MB are free"


def test_a_provider_that_is_away_only_degrades(look, monkeypatch):
    for name, value in {"AI_BASE_URL": "https://canaryhost.example/v1", "AI_API_KEY": "sk-canary"}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    assert look() == (200, {"status": "ok", "parts": WELL})
    providers.breaker(providers.installed()).open()
    assert look() == (200, {"status": "degraded", "parts": WELL | {"provider": "does not answer"}})
    providers.breaker.cache_clear()


def test_a_service_that_is_away_only_degrades(look, monkeypatch):
    for name, value in {"AI_SERVICE_URL": "http://127.0.0.1:9", "AI_SERVICE_KEY": "canary-key"}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    assert look() == (200, {"status": "degraded", "parts": WELL | {"service": "does not answer"}})


@pytest.mark.parametrize(("waiting", "workers", "status"), [(0, 0, 200), (1, 1, 200), (1, 0, 503)])
def test_where_jobs_wait_a_worker_must_live(look, monkeypatch, waiting, workers, status):
    monkeypatch.setattr(jobs, "state", lambda: jobs.Queue(waiting, 0, 0, workers))
    assert look()[0] == status


def test_the_age_of_the_last_backup_is_told_and_closes_nothing(database, monkeypatch):
    client = TestClient(Doorman(Starlette(routes=[Mount("/api", make())])), base_url="http://localhost")
    made = backup.Made("a.backup", 1, 1, datetime.now(UTC) - timedelta(hours=50))
    monkeypatch.setattr(backup, "last", lambda: made)
    answer = client.get("/api/v1/health")
    assert (answer.status_code, answer.json()["backup_hours"]) == (200, 50.0)
