"""The end of an answer is written whatever goes wrong beside it."""

import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from lib import (
    answer_cache,
    answering,
    answers,
    budgets,
    db,
    embedded,
    emergencies,
    metrics,
    prices,
    settlement,
    startup,
    workers,
    workflows,
)
from lib.errors import Busy, Forbidden, Unavailable
from tests.lib.asking import COST, UNKNOWN, answer_of, ask, call_of, day_of, settled, wait
from tests.lib.fake_provider import END, chunk, usage
from tests.lib.test_answers import sweep_now, wait_for
from tests.lib.test_failover import pull_the_plug


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


# the database is away when it ends -----------------------------------------------------------------------------------


@pytest.fixture
def away(monkeypatch):
    """While it is set, nobody reaches the database. The keeper looks five times as often."""
    away, reach = threading.Event(), db.unwitnessed

    def try_to_reach(identity):
        if away.is_set():
            raise Unavailable
        return reach(identity)
    monkeypatch.setattr(db, "unwitnessed", try_to_reach)
    monkeypatch.setattr(workers, "LOOK", workers.LOOK / 5)
    return away


def late(asked):
    """Its job, once it has ended and could not be written."""
    job = workers.find(asked.answer_id)
    assert wait_for(lambda: job.is_late)
    return job


def looks(count):
    time.sleep(count * answering.KEEP * workers.LOOK)


def settled_rows(who, asked):
    """The question's answers, and how its day stands."""
    with db.scope(who) as scope:
        answered = scope.value("select count(*) from chat_messages where clinic_id = :clinic_id and question_id = :id",
                               id=asked.question_id)
    return answered, day_of(who).spent_usd, day_of(who).reserved_usd


def alarms(who):
    with db.scope(who) as scope:
        return [emergency.categories for emergency in emergencies.waiting(scope).rows]


ENDINGS = [("Hello there.", []), ("TIER: E\nSit them up.", [[settlement.MODEL]])]


@pytest.mark.parametrize(("said", "raised"), ENDINGS, ids=["an answer", "an alarm"])
def test_what_ends_while_the_database_is_away_is_written_once_when_it_is_back(switched_on, priced, alice, away, said, raised):
    switched_on.says(0.3, chunk(said), chunk(finish="stop"), usage(300, 150), END)
    asked = workflows.ask(alice, None, UNKNOWN)
    away.set()
    job = late(asked)
    looks(8)
    assert not wait(job, 10 ** 9, 0), "who follows it is told that it is written"
    assert job.text
    away.clear()

    found, call = answer_of(alice, settled(asked)), call_of(alice, asked)
    assert (found.content, found.status, found.metadata["emergency"]) == (job.text, "ok", bool(raised))
    assert (call.status, call.cost_usd) == ("ok", COST)
    assert settled_rows(alice, asked) == (1, COST, 0)
    assert alarms(alice) == raised


@pytest.mark.long
@pytest.mark.parametrize(("said", "raised"), ENDINGS, ids=["an answer", "an alarm"])
def test_a_database_that_is_killed_and_comes_back_costs_neither(switched_on, priced, alice, said, raised):
    switched_on.says(1.0, chunk(said), chunk(finish="stop"), usage(300, 150), END)
    asked = workflows.ask(alice, None, UNKNOWN)
    with embedded._starting(startup._server.home):
        pull_the_plug(startup._server)
        time.sleep(7)
        late(asked)

    assert wait_for(lambda: workers.find(asked.answer_id) is None, 30)
    assert (answer_of(alice, asked).status, call_of(alice, asked).cost_usd) == ("ok", COST)
    assert settled_rows(alice, asked) == (1, COST, 0)
    assert alarms(alice) == raised


def test_the_words_of_a_stopped_answer_and_its_later_bill_are_written_in_their_order(switched_on, priced, alice, away):
    switched_on.says(chunk("Hello "), 0.8, chunk("hidden", finish="stop"), usage(300, 150), END)
    asked = workflows.ask(alice, None, UNKNOWN)
    job = workers.find(asked.answer_id)
    assert not wait(job, 3, 5)
    away.set()
    workflows.stop(alice, asked.answer_id)
    late(asked)
    assert wait_for(lambda: len(job._unwritten) == 2)
    away.clear()

    found = answer_of(alice, settled(asked))
    assert (found.content[:6], found.status, found.metadata["billed"]) == ("Hello ", "stopped", False)
    assert "hidden" not in found.content
    assert settled_rows(alice, asked) == (1, COST, 0)


def test_a_row_that_somebody_else_is_changing_is_asked_for_again_after_a_pause(switched_on, priced, alice, monkeypatch):
    tries, finish = [], answers.finish

    def busy(*given):
        tries.append(time.monotonic())
        if len(tries) < 4:
            raise Busy
        return finish(*given)
    monkeypatch.setattr(answers, "finish", busy)

    asked = ask(alice)

    assert answer_of(alice, asked).status == "ok"
    assert all(after - before > 0.8 * answering.KEEP * workers.LOOK for before, after in pairwise(tries[1:]))
    assert settled_rows(alice, asked) == (1, COST, 0)


def test_what_is_refused_is_not_asked_for_again(switched_on, alice, monkeypatch):
    tries = []

    def forbidden(*_):
        tries.append(1)
        raise Forbidden
    monkeypatch.setattr(answers, "finish", forbidden)
    monkeypatch.setattr(workers, "LOOK", 0.05)

    asked = ask(alice)
    looks(4)

    assert workers.find(asked.answer_id) is None
    assert len(tries) == 2  # with its bill and without


def test_a_shutdown_without_a_database_returns_in_time_and_asks_once(switched_on, priced, alice, away, monkeypatch):
    monkeypatch.setattr(workers, "GRACE", 0.2)
    switched_on.says(chunk("Hello "), 30.0)
    asked = [workflows.ask(alice, None, f"{UNKNOWN} {n}") for n in range(5)]
    for one in asked:
        assert not wait(workers.find(one.answer_id), 3, 5)
    away.set()
    began = time.monotonic()

    workflows.shutdown()

    assert time.monotonic() - began < 3 * workers.GRACE + 1
    away.clear()
    assert {answer_of(alice, settled(one)).status for one in asked} == {"abandoned"}, "this process lives on after all"
    assert day_of(alice).reserved_usd == 0


def test_a_shutdown_writes_what_is_late(switched_on, priced, alice, away, monkeypatch):
    monkeypatch.setattr(workers, "GRACE", 0.0)
    asked = workflows.ask(alice, None, UNKNOWN)
    away.set()
    late(asked)
    monkeypatch.setattr(workers, "_write_late", lambda _look: None)
    away.clear()

    workflows.shutdown()

    assert answer_of(alice, asked).status == "ok"
    assert settled_rows(alice, asked) == (1, COST, 0)


@pytest.fixture
def locked(monkeypatch):
    """Whoever writes an ending waits for somebody else's lock: not at the first try, which finds no database."""
    tries, free, finish = [], threading.Event(), answers.finish

    def wait(*given):
        tries.append(1)
        if len(tries) == 1:
            raise Unavailable
        free.wait(20)
        return finish(*given)
    monkeypatch.setattr(answers, "finish", wait)
    yield SimpleNamespace(tries=tries, free=free)
    free.set()


def test_an_ending_that_waits_for_a_lock_keeps_nobodys_stop_waiting(switched_on, priced, alice, locked):
    ended = workflows.ask(alice, None, UNKNOWN)
    assert wait_for(lambda: len(locked.tries) == 2)
    switched_on.says(chunk("Hello "), *[b": still here\n\n", 0.1] * 300)
    other = workflows.ask(alice, None, f"{UNKNOWN} Really?")
    job = workers.find(other.answer_id)
    assert not wait(job, 3, 5)
    with db.scope(alice) as scope:
        answers.ask_to_stop(scope, other.answer_id)  # as another process does

    assert wait_for(lambda: job.is_ending)

    locked.free.set()
    assert [answer_of(alice, settled(one)).status for one in (ended, other)] == ["ok", "stopped"]


def test_a_text_that_waits_for_a_lock_keeps_nobodys_stop_waiting(switched_on, alice, monkeypatch):
    free, keep = threading.Event(), answers.keep
    monkeypatch.setattr(answers, "keep", lambda *given: free.wait(20) and keep(*given))
    switched_on.says(chunk("Hello "), *[b": still here\n\n", 0.1] * 300)
    growing, other = [workflows.ask(alice, None, f"{UNKNOWN} {n}") for n in range(2)]
    time.sleep(3 * workers.LOOK * answering.KEEP)  # the writer waits by now
    with db.scope(alice) as scope:
        answers.ask_to_stop(scope, other.answer_id)  # as another process does

    assert wait_for(lambda: workers.find(other.answer_id) is None or workers.find(other.answer_id).is_ending)

    free.set()
    workflows.stop(alice, growing.answer_id)
    assert [answer_of(alice, settled(one)).status for one in (growing, other)] == ["stopped"] * 2


def test_an_ending_that_waits_for_a_lock_holds_up_no_shutdown(switched_on, priced, alice, locked, monkeypatch):
    monkeypatch.setattr(workers, "GRACE", 0.1)
    asked = workflows.ask(alice, None, UNKNOWN)
    assert wait_for(lambda: len(locked.tries) == 2)
    began = time.monotonic()

    workflows.shutdown()

    assert time.monotonic() - began < 3 * workers.GRACE + workers.MOMENT + 2
    locked.free.set()
    assert answer_of(alice, settled(asked)).status == "ok"


def test_an_ending_that_is_tried_again_is_told_once(switched_on, priced, alice, monkeypatch):
    tries, settle, told = [], budgets.settle, metrics.endings.labels("provider", "ok")

    def busy(*given):
        tries.append(1)
        if len(tries) < 4:
            raise Busy
        return settle(*given)
    monkeypatch.setattr(budgets, "settle", busy)
    monkeypatch.setattr(workers, "LOOK", workers.LOOK / 5)
    before = told._value.get()

    assert answer_of(alice, ask(alice)).status == "ok"

    assert told._value.get() == before + 1


def test_an_alarm_that_waits_to_be_written_outlives_a_stop_in_another_process(switched_on, priced, alice, monkeypatch):
    stuck, finish = threading.Event(), answers.finish

    def busy(*given):
        if stuck.is_set():
            raise Busy
        return finish(*given)
    monkeypatch.setattr(answers, "finish", busy)
    switched_on.says(chunk("TIER: E\nSit them up."), chunk(finish="stop"), usage(300, 150), END)
    asked = workflows.ask(alice, None, UNKNOWN)
    stuck.set()
    late(asked)
    with db.scope(alice) as scope:
        answers.ask_to_stop(scope, asked.answer_id)  # as another process does
    stuck.clear()

    assert answer_of(alice, settled(asked)).metadata["emergency"]
    assert alarms(alice) == [[settlement.MODEL]]


def test_a_database_that_stays_away_leaves_the_row_to_the_sweep(switched_on, priced, alice, owner, monkeypatch):
    tries = []

    def away(*_):
        tries.append(1)
        raise Unavailable
    monkeypatch.setattr(workers, "LOOK", 0.05)
    monkeypatch.setattr(answering, "KEPT", 1.0)
    monkeypatch.setattr(answers, "finish", away)

    asked = ask(alice)
    assert workers.find(asked.answer_id) is None
    tried = len(tries)
    looks(3)

    assert answer_of(alice, asked).status == "started"
    assert len(tries) == tried > 3
    sweep_now(owner)
    assert answer_of(alice, asked).status == "abandoned"
    assert settled_rows(alice, asked) == (1, call_of(alice, asked).reserved_usd, 0)


def test_an_ending_is_kept_for_as_long_as_the_sweep_leaves_its_row_alone(owner):
    with owner.begin() as connection:
        sweep = connection.execute(text("select pg_get_functiondef('app.sweep_started'::regproc)")).scalar_one()
    assert sweep.count(f"interval '{answering.KEPT / 60:g} minutes'") == 2


def test_an_ending_that_comes_after_the_sweep_changes_nothing(switched_on, priced, alice, owner, away):
    switched_on.says(chunk("TIER: E\nSit them up."), chunk(finish="stop"), usage(300, 150), END)
    asked = workflows.ask(alice, None, UNKNOWN)
    away.set()
    late(asked)
    sweep_now(owner)
    away.clear()

    assert answer_of(alice, settled(asked)).status == "abandoned"
    assert settled_rows(alice, asked) == (1, call_of(alice, asked).reserved_usd, 0)
