"""Test connection is a call like any other: on the bill, in the budget, and for nobody but the owner."""

from decimal import Decimal

import pytest
from sqlalchemy import text

from lib import analytics, calls, db, prompts, remote, settings, trials
from lib.analytics import Period
from lib.errors import Forbidden, Invalid, Unavailable
from tests.lib import fake_provider
from tests.lib.asking import COST, day_of, switch


def bills(who):
    with db.scope(who) as scope:
        return scope.connection.execute(text("""
            select route, status, provider, model_requested, model_used, tokens_in, tokens_out, cost_usd, cost_source, latency_ms,
                   message_id = id as answers_nothing
            from ai_calls where clinic_id = :clinic_id order by id
            """), {"clinic_id": who.clinic_id}).all()


def test_a_trial_leaves_a_row_with_its_usage_and_counts_in_the_budget(switched_on, priced, alice):
    trial = trials.try_out(alice)

    call, = bills(alice)
    assert (trial.model, trial.reason) == ("test-model-1", "")
    assert (call.route, call.status, call.provider, call.model_requested, call.model_used) == (
        "trial", "ok", "127.0.0.1", "test-model", "test-model-1")
    assert (call.tokens_in, call.tokens_out, call.cost_usd, call.cost_source, call.answers_nothing) == (
        300, 150, COST, "price_table", True)
    assert call.latency_ms >= 0
    assert (day_of(alice).spent_usd, day_of(alice).reserved_usd) == (COST, 0)


def test_a_trial_that_fails_is_on_the_bill_with_what_it_cost(switched_on, priced, alice):
    switched_on.says(b"{}", status=500)

    assert trials.try_out(alice).reason == "The AI service is temporarily unavailable."
    call, = bills(alice)
    assert (call.status, call.cost_usd, call.cost_source) == ("error_before", 0, "none")
    assert day_of(alice).reserved_usd == 0


def test_a_database_that_is_away_for_a_moment_costs_no_bill(switched_on, priced, alice, monkeypatch):
    finish, tries = calls.finish, []

    def flaky(*given):
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable
        return finish(*given)
    monkeypatch.setattr(calls, "finish", flaky)
    monkeypatch.setattr(trials, "PATIENCE", (0.01, 0.01, 0.01))

    trials.try_out(alice)

    assert (bills(alice)[0].status, len(tries)) == ("ok", 3)
    assert (day_of(alice).spent_usd, day_of(alice).reserved_usd) == (COST, 0)


def test_a_day_without_budget_tries_nothing(switched_on, alice):
    switch(alice, daily_budget_usd=Decimal(0))

    with pytest.raises(Invalid, match="budget"):
        trials.try_out(alice)
    assert switched_on.requests == []
    assert bills(alice) == []


def test_it_is_in_the_figures(switched_on, priced, alice):
    trials.try_out(alice)

    day = day_of(alice).day
    with db.scope(alice) as scope:
        usage, = analytics.current(analytics.usage(scope, Period(day, day)))
    assert (usage.route, usage.cost_usd) == ("trial", COST)


def test_nobody_but_the_owner_tries(switched_on, bob, mona, charlie):
    for other in (bob, mona):
        with pytest.raises(Forbidden):
            trials.try_out(other)
    trials.try_out(charlie)  # the installation's provider, on a bill of their own
    assert len(bills(charlie)) == 1
    assert bills(bob) == []


def test_a_call_that_answers_a_message_is_no_trial(alice, switched_on):
    with pytest.raises(Invalid), db.scope(alice) as scope:
        scope.run("""insert into ai_calls (clinic_id, message_id, user_id, route, status)
                     values (:clinic_id, uuidv7(), :me, 'trial', 'ok')""", me=alice.user_id)


# through the assistant's own service


SAID = (b'event: delta\ndata: {"text": "TIER: NONE\\nOK."}\n\nevent: done\ndata: {"status": "ok", "provider": "127.0.0.1", '
        b'"model": "test-model-1", "tokens_in": 300, "tokens_out": 150, "usage_source": "provider"}\n\n')


@pytest.fixture
def service(fake, alice, monkeypatch):
    """Beside it, the app has no provider."""
    for name in ("AI_BASE_URL", "AI_API_KEY", "AI_MODEL"):
        monkeypatch.delenv(name)
    with fake_provider.serving() as (service, address):
        monkeypatch.setenv("AI_SERVICE_URL", address.base_url.removesuffix("/v1"))
        monkeypatch.setenv("AI_SERVICE_KEY", "service-key")
        settings.get.cache_clear()
        remote.breaker.cache_clear()
        switch(alice)
        service.says(SAID)
        yield service
    remote.breaker.cache_clear()


def test_a_provider_behind_the_service_is_tried_through_it_and_on_the_bill(service, priced, alice):
    trial = trials.try_out(alice)

    call, = bills(alice)
    assert (trial.model, trial.reason) == ("test-model-1", "")
    assert (service.paths, service.requests[0]["authorization"]) == (["/api/chat/converse"], "Bearer service-key")
    assert prompts.build(service.requests[0]["message"], prompts.Context(**service.requests[0]["context"]))
    assert (call.route, call.status, call.provider, call.model_requested, call.model_used) == (
        "trial", "ok", "127.0.0.1", None, "test-model-1")
    assert (call.cost_usd, call.cost_source) == (COST, "price_table")
    assert (day_of(alice).spent_usd, day_of(alice).reserved_usd) == (COST, 0)


def test_a_service_that_is_down_is_said_so_and_costs_nothing(service, alice, monkeypatch):
    monkeypatch.setenv("AI_SERVICE_URL", "http://127.0.0.1:9")
    settings.get.cache_clear()

    assert trials.try_out(alice).reason == "Cannot connect to the AI service."
    call, = bills(alice)
    assert (call.provider, call.status, call.cost_usd) == ("service", "error_before", 0)
    assert day_of(alice).reserved_usd == 0


def test_a_provider_of_ones_own_is_tried_itself(service, fake, alice):
    switch(alice, base_url=fake.provider.base_url, model="own-model", api_key="sk-own")

    assert trials.try_out(alice).reason == ""
    assert (len(fake.requests), service.requests) == (1, [])


def test_where_there_is_neither_that_is_said(service, alice, monkeypatch):
    monkeypatch.delenv("AI_SERVICE_URL")
    settings.get.cache_clear()

    with pytest.raises(Invalid, match="no provider to try"):
        trials.try_out(alice)
