"""Whether the provider is away: while nobody is asked, and not until somebody happens to ask again."""

from pathlib import Path

import pytest

from lib import breakers, gauges, health, providers, remote, watching


@pytest.fixture
def broken(fake):
    """The installation's provider after five failures in a row."""
    breaker = providers.breaker(fake.provider)
    breaker.open()
    return breaker


def seen() -> tuple[str, bool, str]:
    """By the health check, the alerts and Prometheus."""
    line = next(line for line in gauges.scrape(alone=True).decode().splitlines() if line.startswith("chairside_provider_up"))
    return health.provider(), bool(watching.states([Path("/")])["provider"][1]), line.split()[1]


def test_a_provider_is_away_while_its_breaker_rests_and_back_after_it(broken):
    assert seen() == ("does not answer", True, "0.0")
    broken.reset_timeout = 0
    assert broken.current_state == "open", "nobody has asked since"
    assert seen() == ("ok", False, "1.0")
    broken.close()
    assert seen() == ("ok", False, "1.0")


def test_the_assistants_own_service_is_seen_alike(fake, monkeypatch):
    breaker = breakers.make()
    monkeypatch.setattr(remote, "breaker", lambda: breaker)
    breaker.open()
    assert watching.states([Path("/")])["provider"] == (1, True)
    breaker.reset_timeout = 0
    assert watching.states([Path("/")])["provider"] == (1, False)
