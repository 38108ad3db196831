"""Places for answers from outside: none is left behind, and no clinic takes them all."""

import threading
import time
from decimal import Decimal
from types import SimpleNamespace
from uuid import uuid4

import pytest

from lib import advice, answering, workers, workflows
from lib.errors import Busy, Unavailable
from lib.events import FREE, Delta, Done, Draining
from tests.lib.asking import UNKNOWN, answer_of, ask, call_of, day_of, settled, switch


def test_with_half_of_the_places_taken_one_clinic_has_no_more_than_a_quarter_and_says_so(switched_on, priced, alice, charlie,
                                                                                         monkeypatch):
    monkeypatch.setattr(workers, "OF_ONE_CLINIC", 16)
    monkeypatch.setattr(workers, "CROWDED", 16)
    switch(charlie)
    let_go, answer = threading.Event(), switched_on.answer
    switched_on.answer = lambda handler: let_go.wait(20) and answer(handler)
    asked = [workflows.ask(alice, None, f"Which moon is number {n}?") for n in range(20)]
    turned_away = settled(asked[-1])
    neighbour = workflows.ask(charlie, None, UNKNOWN)
    let_go.set()
    for one in [*asked, neighbour]:
        settled(one)

    assert len([one for one in asked if answer_of(alice, one).status == "ok"]) == workers.OF_ONE_CLINIC
    found, call = answer_of(alice, turned_away), call_of(alice, turned_away)
    assert found.content.startswith(f"{advice.apology('crowded')}\n\nWhat helps nearly everybody")
    assert (call.status, call.cost_usd, found.metadata["problem"]) == ("rate_limited", Decimal(0), "crowded")
    assert answer_of(charlie, neighbour).status == "ok"
    assert day_of(alice).reserved_usd == 0
    assert len(switched_on.requests) == workers.OF_ONE_CLINIC + 1


def test_forty_questions_of_the_only_clinic_are_all_asked(switched_on, alice):
    let_go, answer = threading.Event(), switched_on.answer
    switched_on.answer = lambda handler: let_go.wait(20) and answer(handler)
    asked = [workflows.ask(alice, None, f"Which moon is number {n}?") for n in range(40)]
    let_go.set()
    assert {answer_of(alice, settled(one)).metadata["problem"] for one in asked} == {""}
    assert len(switched_on.requests) == 40


@pytest.mark.parametrize(("taken", "crowded"), [((63,), False), ((64,), True), ((64, 31), False), ((64, 32), True), ((63, 0), False),
                                                ((33, 31), False), ((31, 33), True)])
def test_the_last_of_the_clinics_is_turned_away_where_half_is_taken_and_a_quarter_its_own(monkeypatch, taken, crowded):
    clinics = [uuid4() for _ in taken]
    jobs = [SimpleNamespace(outside=SimpleNamespace(clinic_id=clinic)) for clinic, places in zip(clinics, taken, strict=True)
            for _ in range(places)]
    monkeypatch.setattr(workers, "_running", dict(enumerate([*jobs, SimpleNamespace(outside=None)])))
    assert workers._is_crowded(clinics[-1]) == crowded


def test_a_place_is_free_again_when_its_answer_has_ended(switched_on, alice, monkeypatch):
    monkeypatch.setattr(workers, "OF_ONE_CLINIC", 1)
    monkeypatch.setattr(workers, "CROWDED", 1)

    assert [answer_of(alice, ask(alice, f"Which moon is number {n}?")).status for n in range(3)] == ["ok"] * 3


def test_who_is_turned_away_can_still_stop(switched_on, alice, monkeypatch):
    monkeypatch.setattr(workers, "OF_ONE_CLINIC", 0)
    monkeypatch.setattr(workers, "CROWDED", 0)
    let_go, apology = threading.Event(), advice.apology
    monkeypatch.setattr(advice, "apology", lambda problem: let_go.wait(20) and apology(problem))
    asked = workflows.ask(alice, None, UNKNOWN)
    workflows.stop(alice, asked.answer_id)
    let_go.set()

    found = answer_of(alice, settled(asked))
    assert (found.status, found.content) == ("stopped", "")
    assert switched_on.requests == []
    assert (found.metadata["cost_usd"], found.metadata["billed"]) == ("0", True)


# endings that wait for the database ----------------------------------------------------------------------------------


def late(monkeypatch, *settles):
    """Jobs that have ended while the database was away; each is settled by its own of `settles` from now on."""
    jobs = []
    for settle in settles:
        job = workers.Answering(uuid4(), uuid4(), iter(()), failing(Unavailable), FREE, time.monotonic())
        job.save(FREE)
        assert job.is_late
        job.settle = settle
        jobs.append(job)
    monkeypatch.setattr(workers, "_running", {job.message_id: job for job in jobs})
    return jobs


def failing(error):
    def settle(_ending):
        raise error
    return settle


def test_while_the_database_is_away_one_ending_asks_and_none_keeps_the_others_waiting(monkeypatch):
    first, second = late(monkeypatch, failing(Unavailable), lambda _ending: None)

    workers._write_late(3)
    assert (first.finished, second.finished) == (False, False)
    workers._write_late(6)
    assert (first.finished, second.finished) == (False, True)
    assert list(workers._running.values()) == [first]


def test_a_row_that_somebody_else_is_changing_keeps_nobody_else_waiting(monkeypatch):
    first, second = late(monkeypatch, failing(Busy), lambda _ending: None)

    workers._write_late(3)
    assert (first.finished, second.finished) == (False, True)


def test_an_ending_that_waited_too_long_is_let_go(monkeypatch):
    [job] = late(monkeypatch, failing(Unavailable))
    monkeypatch.setattr(answering, "KEPT", -1.0)

    workers._write_late(3)
    assert (job.finished, job.is_late, workers._running) == (True, False, {})


def test_a_shutdown_waits_a_moment_for_all_who_are_writing_and_not_for_each(monkeypatch):
    jobs = late(monkeypatch, *[lambda _ending: None] * 8)
    for job in jobs:
        job._writing.acquire()
    monkeypatch.setattr(workers, "MOMENT", 0.2)
    monkeypatch.setattr(workers, "GRACE", 0.0)
    began = time.monotonic()

    workers.shutdown()

    assert time.monotonic() - began < 8 * workers.MOMENT


def test_a_thread_that_fails_goes_on(monkeypatch):
    jobs, looks = late(monkeypatch, lambda _ending: None), []

    def fail(look):
        looks.append(look)
        if len(looks) == 1:
            raise RuntimeError("nobody expected this")
        workers._running.clear()
    monkeypatch.setattr(workers, "LOOK", 0.01)
    monkeypatch.setattr(workers, "_threads", {"writer": None})

    workers._repeat("writer", fail)

    assert (len(jobs), len(looks), workers._threads) == (1, 2, {})


def test_a_second_stop_behind_the_first_moves_no_end(monkeypatch):
    def events():
        yield Delta("Hello ")
        yield Draining()
        time.sleep(0.05)
        yield Draining()
        yield Done(status="stopped")
    endings = []
    job = workers.Answering(uuid4(), uuid4(), events(), endings.append, FREE, time.monotonic())
    job.run()
    assert [ending.billed for ending in endings] == [False, True]
    assert endings[0].latency_ms == endings[1].latency_ms


def test_two_that_write_an_ending_at_once_write_it_once(monkeypatch):
    written = []
    [job] = late(monkeypatch, lambda ending: (time.sleep(0.1), written.append(ending)))
    writers = [threading.Thread(target=job.write) for _ in range(5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(5)
    assert len(written) == 1
