"""The end of an answer is written whatever goes wrong beside it."""

import pytest

from lib import answer_cache, db, emergencies, prices, settlement
from lib.errors import Unavailable
from tests.lib.asking import answer_of, ask, call_of, day_of
from tests.lib.fake_provider import END, chunk, usage


def broken(*_args, **_options):
    raise RuntimeError("nobody expected this")


def refused(scope, *_rest):
    scope.run("select 1 / 0 from clinics where id = :clinic_id")


@pytest.mark.parametrize("failure", [broken, refused], ids=["an exception", "a statement"])
def test_a_cache_that_fails_loses_no_answer(switched_on, priced, alice, monkeypatch, failure):
    monkeypatch.setattr(answer_cache, "keep", failure)

    asked = ask(alice)

    assert answer_of(alice, asked).content.startswith("Hello there.")
    assert (call_of(alice, asked).status, call_of(alice, asked).tokens_out) == ("ok", 150)
    assert day_of(alice).reserved_usd == 0


def test_a_bill_that_can_not_be_made_out_loses_no_answer(switched_on, priced, alice, monkeypatch):
    monkeypatch.setattr(prices, "charge", broken)

    asked = ask(alice)

    found, call = answer_of(alice, asked), call_of(alice, asked)
    assert (found.content[:12], found.status) == ("Hello there.", "ok")
    assert (call.status, call.cost_usd, call.tokens_in) == ("ok", None, None)
    assert (day_of(alice).spent_usd, day_of(alice).reserved_usd) == (call.reserved_usd, 0)


def test_an_alarm_is_raised_all_the_same(switched_on, priced, alice, monkeypatch):
    monkeypatch.setattr(prices, "charge", broken)
    monkeypatch.setattr(settlement, "_billed", broken)
    switched_on.says(chunk("TIER: E\nSit them up."), chunk(finish="stop"), usage(3, 4), END)

    asked = ask(alice)

    assert answer_of(alice, asked).metadata["emergency"]
    with db.scope(alice) as scope:
        assert len(emergencies.waiting(scope).rows) == 1


def test_a_database_that_stays_away_leaves_the_row_to_the_sweep(switched_on, alice, monkeypatch):
    tries = []

    def away(*_):
        tries.append(1)
        raise Unavailable
    monkeypatch.setattr(settlement, "PATIENCE", (0.01, 0.01))
    monkeypatch.setattr(settlement.answers, "finish", away)

    assert answer_of(alice, ask(alice)).status == "started"
    assert len(tries) == 3
