"""The AI provider's page."""

import pytest
from sqlalchemy import text

from lib import providers, remote, settings
from tests.lib.asking import switch
from tests.pages.conftest import texts


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setenv("AI_SERVICE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AI_SERVICE_KEY", "service-key")
    settings.get.cache_clear()
    yield remote.breaker()
    settings.get.cache_clear()
    remote.breaker.cache_clear()


def test_a_service_that_is_left_alone_is_seen(open_page, alice, service):
    assert "failed several times" not in texts(open_page(alice, "provider"))

    service.open()

    assert "The assistant's service failed several times in a row." in texts(open_page(alice, "provider")).replace("\\", "")


@pytest.fixture
def provider(monkeypatch, alice):
    for name, value in {"AI_BASE_URL": "https://canaryhost.example/v1", "AI_API_KEY": "sk-canary"}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    switch(alice)
    yield providers.installed()
    providers.breaker.cache_clear()
    settings.get.cache_clear()


def test_a_provider_that_is_left_alone_is_seen(open_page, alice, provider):
    assert "failed several times" not in texts(open_page(alice, "provider"))
    providers.breaker(provider).open()
    assert "The provider failed several times in a row." in texts(open_page(alice, "provider")).replace("\\", "")


@pytest.mark.parametrize(("spent", "words"), [
    ("79", None), ("80", "80 % of the day's budget for the AI provider is spent."), ("100", "The day's budget for the AI provider is used up.")])
@pytest.mark.parametrize("page", ["provider", "today"])
def test_from_eighty_percent_on_the_budget_is_told(open_page, alice, owner, provider, page, spent, words):
    with owner.begin() as connection:
        connection.execute(text("""
            insert into ai_budgets (clinic_id, day, spent_usd) values (:clinic, (now() at time zone 'Europe/Berlin')::date, :spent)
            """), {"clinic": alice.clinic_id, "spent": spent})
    shown = texts(open_page(alice, page)).replace("\\", "")
    assert (words in shown) if words else ("budget for the AI provider" not in shown)
