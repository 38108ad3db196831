"""An answer while it is written: its text outlives its process, and Stop reaches it from any other."""

import time
from uuid import uuid4

from sqlalchemy import text

from lib import advice, answering, answers, chats, db, team, thread_export, workers, workflows
from lib.events import Done, Stop
from tests.lib import elsewhere
from tests.lib.asking import UNKNOWN, answer_of, ask, call_of, day_of, settled, switch
from tests.lib.fake_provider import END, WHOLE, chunk, usage
from tests.trips import counted


def wait_for(condition, seconds=5.0):
    """What it gave at last, whether that is true or not."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def get(who, answer_id):
    with db.scope(who) as scope:
        return chats.get(scope, answer_id)


def sweep_now(owner):
    """As if five minutes had passed."""
    with owner.begin() as connection:
        definition = connection.execute(text("select pg_get_functiondef('app.sweep_started'::regproc)")).scalar_one()
        connection.execute(text(definition.replace("5 minutes", "0 minutes").replace("app.sweep_started", "pg_temp.sweep_now")))
        connection.execute(text("select pg_temp.sweep_now()"))


# what a killed process leaves ----------------------------------------------------------------------------------------


def test_a_killed_process_leaves_the_text_so_far_and_the_sweep_ends_it(switched_on, priced, alice, owner):
    switched_on.says(chunk("Half an "), chunk("answer"), 30.0)
    with elsewhere.asking(alice, UNKNOWN) as (process, answer_id):
        assert wait_for(lambda: get(alice, answer_id).content == "Half an answer")
        process.kill()  # SIGKILL
    assert get(alice, answer_id).status == "started"

    sweep_now(owner)

    found = get(alice, answer_id)
    assert (found.content, found.status) == ("Half an answer", "abandoned")
    with db.scope(alice) as scope:
        assert f"Half an answer\n\n{advice.safety_net('112')}" in thread_export.export(scope, None)


def test_the_text_so_far_is_in_the_row_within_a_second_and_the_end_is_still_written_once(switched_on, alice, monkeypatch):
    switched_on.says(chunk("Hello "), 2.5, *WHOLE[1:])
    asked = workflows.ask(alice, None, UNKNOWN)
    assert wait_for(lambda: answer_of(alice, asked).content == "Hello ", 2.2)
    assert answer_of(alice, asked).status == "started"

    settled(asked)

    assert answer_of(alice, asked).content.startswith("Hello there.")
    with db.scope(alice) as scope:
        assert answers.keep(scope, asked.answer_id, "late") == "stop"
    assert answer_of(alice, asked).content.startswith("Hello there.")


def test_a_database_that_is_away_loses_no_running_answer(switched_on, alice, monkeypatch):
    from lib.errors import Unavailable
    switched_on.says(chunk("Hello "), 1.5, *WHOLE[1:])
    asked = workflows.ask(alice, None, UNKNOWN)

    def away(*_):
        raise Unavailable
    monkeypatch.setattr(answers, "keep", away)

    assert answer_of(alice, settled(asked)).status == "ok"


# Stop, from another process ------------------------------------------------------------------------------------------


def test_stop_reaches_the_process_that_writes_within_half_a_second(switched_on, alice):
    switched_on.says(chunk("Hello "), *[b": still here\n\n", 0.1] * 300)
    with elsewhere.asking(alice, UNKNOWN) as (_process, answer_id):
        assert wait_for(lambda: get(alice, answer_id).content == "Hello ")
        assert workers.find(answer_id) is None
        began = time.monotonic()

        workflows.stop(alice, answer_id)

        assert wait_for(lambda: get(alice, answer_id).status == "stopped")
        assert time.monotonic() - began < 0.5 + 0.3  # half a second, and the noise of a shared machine
        assert get(alice, answer_id).content == "Hello \n\n" + advice.safety_net(alice.emergency_number)


def test_a_stop_that_nobody_hears_says_so_and_leaves_the_row_to_whoever_ends_it(switched_on, alice, bob, owner):
    switched_on.says(chunk("Half an "), chunk("answer"), 30.0)
    with elsewhere.asking(alice, UNKNOWN) as (process, answer_id):
        assert wait_for(lambda: get(alice, answer_id).content == "Half an answer")
        process.kill()  # SIGKILL
    workflows.stop(bob, answer_id)
    with db.scope(alice) as scope:
        assert not scope.value("select stop_asked from chat_messages where clinic_id = :clinic_id and id = :id", id=answer_id)

    workflows.stop(alice, answer_id)
    assert not workflows.is_heard(alice, answer_id)

    assert get(alice, answer_id).running
    sweep_now(owner)
    assert workflows.is_heard(alice, answer_id)


def test_a_look_for_it_writes_nothing(switched_on, alice):
    """Of three looks after a growing answer one keeps its text; a row version for each would be what they cost."""
    switched_on.says(chunk("Hello "), *[0.1, chunk("again ")] * 100)
    asked = workflows.ask(alice, None, UNKNOWN)
    assert wait_for(lambda: answer_of(alice, asked).content)

    seen = versions(alice, asked)
    workflows.stop(alice, asked.answer_id)

    assert 2 <= len(seen) <= 3 / (workers.LOOK * answering.KEEP) + 2
    assert 0.8 < workers.LOOK * answering.KEEP <= 1.0
    assert workers.LOOK < 0.5


def test_a_text_that_does_not_grow_is_kept_once(switched_on, alice):
    switched_on.says(chunk("Hello "), 30.0)
    asked = workflows.ask(alice, None, UNKNOWN)
    assert wait_for(lambda: answer_of(alice, asked).content == "Hello ")

    seen = versions(alice, asked)
    workflows.stop(alice, asked.answer_id)

    assert len(seen) == 1


def versions(who, asked):
    """Of the answer's row, in three seconds."""
    found = set()
    for _ in range(20):
        with db.scope(who) as scope:
            found.add(scope.value("select xmin::text || ctid::text from chat_messages where clinic_id = :clinic_id and id = :id",
                                  id=asked.answer_id))
        time.sleep(0.15)
    return found


def growing(count: int) -> list[workers.Answering]:
    written = answering.Outside(uuid4(), Stop(), lambda _text: "", lambda _ids: (), iter(()))
    return [workers.Answering(uuid4(), uuid4(), iter(()), lambda ending: None, Done(), 0.0, written) for _ in range(count)]


def keep_by_turns(jobs: list[workers.Answering], looks: int) -> list[list[workers.Answering]]:
    kept = []
    for look in range(looks):
        for job in jobs:
            job.text += "again "
        turn = workers._whose_turn(jobs, look)
        workers._keep_each(turn, look)
        kept.append(turn)
    return kept


def test_what_is_written_of_answers_is_bounded_and_each_has_its_turn():
    jobs = growing(40)
    kept = keep_by_turns(jobs, 16)
    assert [len(turn) for turn in kept] == [workers.AT_ONCE] * 16
    for start in (0, 8):
        assert {id(job) for turn in kept[start:start + 8] for job in turn} == {id(job) for job in jobs}


def test_a_few_answers_are_kept_every_time():
    kept = keep_by_turns(growing(3), 9)
    assert [len(turn) for turn in kept] == [3, 0, 0] * 3


def test_one_question_tells_of_all_answers_whichever_clinics_and_of_nothing_else(switched_on, alice, charlie):
    switch(charlie)
    switched_on.says(chunk("Hello "), 30.0)
    mine, asked_to_stop, ended = [workflows.ask(alice, None, f"{UNKNOWN} {n}").answer_id for n in range(3)]
    theirs, foreign = [workflows.ask(charlie, None, f"{UNKNOWN} {n}").answer_id for n in range(2)]
    with db.scope(alice) as scope:
        scope.run("update chat_messages set status = 'stopped', finished_at = now() where clinic_id = :clinic_id and id = :id", id=ended)
        answers.ask_to_stop(scope, asked_to_stop)
    unknown = uuid4()
    with counted() as wire:
        wanted = answers.wanted_to_end([mine, asked_to_stop, ended, theirs, unknown])
    assert foreign not in wanted
    assert wanted == {asked_to_stop, ended, unknown}
    assert wire.statements == 1
    for who, answer_id in ((alice, mine), (charlie, theirs), (charlie, foreign)):
        workflows.stop(who, answer_id)


def test_the_keeper_asks_once_for_all(switched_on, alice, monkeypatch):
    switched_on.says(chunk("Hello "), 30.0)
    looks, look = [], answers.wanted_to_end
    monkeypatch.setattr(answers, "wanted_to_end", lambda ids: looks.append(len(ids)) or look(ids))
    asked = [workflows.ask(alice, None, f"{UNKNOWN} {n}") for n in range(5)]
    assert wait_for(lambda: 5 in looks)
    began, before = time.monotonic(), len(looks)
    time.sleep(2.0)
    assert len(looks) - before <= (time.monotonic() - began) / workers.LOOK + 1
    for one in asked:
        workflows.stop(alice, one.answer_id)


def test_a_stop_of_a_colleague_does_nothing_there_either(switched_on, alice, bob, pat):
    switched_on.says(chunk("Hello "), 0.5, *WHOLE[1:])
    asked = workflows.ask(alice, pat, "What may they eat?")
    with db.scope(bob) as scope:
        answers.ask_to_stop(scope, asked.answer_id)

    assert answer_of(alice, settled(asked)).status == "ok"


# whoever asked leaves ------------------------------------------------------------------------------------------------


def test_the_running_answer_of_whoever_is_deactivated_ends_at_once_with_the_reason(switched_on, priced, alice, bob, pat):
    switched_on.says(chunk("Hello "), *[b": still here\n\n", 0.1] * 300)
    asked = workflows.ask(bob, pat, "What may they eat?")
    assert wait_for(lambda: answer_of(alice, asked).content == "Hello ")
    held = call_of(alice, asked).reserved_usd

    with db.scope(alice) as scope:
        team.deactivate(scope, bob.user_id)

    found, call = answer_of(alice, asked), call_of(alice, asked)
    assert (found.status, found.content, found.metadata["problem"]) == ("stopped", "Hello ", "left")
    assert (call.status, call.cost_usd) == ("stopped", None)
    assert (day_of(alice).spent_usd, day_of(alice).reserved_usd) == (held, 0)
    assert wait_for(lambda: workers.find(asked.answer_id) is None, 3), "the provider is still being read"
    assert wait_for(lambda: switched_on.cut, 3)


def test_who_may_read_patients_no_longer_gets_no_more_of_an_answer_about_one(switched_on, priced, alice, bob, pat):
    switched_on.says(chunk("Hello "), 1.5, chunk("hidden", finish="stop"), usage(300, 150), END)
    asked = workflows.ask(bob, pat, "What may they eat?")
    assert wait_for(lambda: answer_of(alice, asked).content == "Hello ")

    with db.scope(alice) as scope:
        team.change_role(scope, bob.user_id, "receptionist")

    assert answer_of(alice, asked).status == "stopped"
    settled(asked)
    assert (call_of(alice, asked).tokens_out, day_of(alice).reserved_usd) == (150, 0)
    assert answer_of(alice, asked).content == "Hello "


def test_a_colleague_who_leaves_ends_nobody_elses_answer(switched_on, alice, bob, rita):
    switched_on.says(chunk("Hello "), 0.5, *WHOLE[1:])
    asked = workflows.ask(bob, None, UNKNOWN)

    with db.scope(alice) as scope:
        team.deactivate(scope, rita.user_id)

    assert answer_of(bob, settled(asked)).status == "ok"


def test_an_answer_that_ended_before_its_asker_left_stays_as_it_is(switched_on, alice, bob, pat):
    asked = ask(bob, "What may they eat?", pat)

    with db.scope(alice) as scope:
        team.deactivate(scope, bob.user_id)

    assert answer_of(alice, asked).status == "ok"
