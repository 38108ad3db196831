"""The AI provider's page."""

import pytest

from lib import remote, settings
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
