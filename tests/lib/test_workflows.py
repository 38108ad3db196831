"""Asking, from the red-flag check to the saved answer: in a fixed order, and saved once however it ends."""

import threading
import time
from contextlib import contextmanager
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import text

from lib import (
    advice,
    ai,
    answers,
    chats,
    clinic_articles,
    db,
    emergencies,
    knowledge,
    rate_limits,
    workers,
    workflows,
)
from lib.errors import Forbidden, Invalid, NotFound, TooMany
from lib.events import FREE, Delta, Done
from tests.lib.asking import wait

EMERGENCY = "The patient can't breathe and his tongue is swollen"
URGENT = "A child knocked out a front tooth half an hour ago"


@pytest.fixture
def pat(alice):
    with db.scope(alice) as scope:
        return scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name)
            values (:clinic_id, :me, :me, 'Pat Poe') returning id
            """, me=alice.user_id)


@pytest.fixture
def slow(monkeypatch):
    """Answers come word by word until `let_go` is set, and then end."""
    let_go = threading.Event()

    def dictate(request):
        for n in range(2000):
            yield Delta(f"word{n} ")
            if let_go.wait(0.01):
                break
        yield FREE
    monkeypatch.setitem(ai.ANSWERERS, "kb", dictate)
    monkeypatch.setitem(ai.ANSWERERS, "fallback", dictate)
    yield let_go
    let_go.set()


@pytest.fixture
def silent(monkeypatch):
    """An answerer that says one word and then nothing until the test is over."""
    over = threading.Event()

    def say(request):
        yield Delta("one ")
        over.wait(20)
        yield Delta("late")
        yield FREE
    monkeypatch.setitem(ai.ANSWERERS, "fallback", say)
    monkeypatch.setattr(workers, "GRACE", 0.1)
    yield over
    over.set()


def ask(identity, question, patient=None, wait=True):
    asked = workflows.ask(identity, patient, question)
    return settled(identity, asked) if wait else asked


def settled(identity, asked):
    job = workers.find(asked.answer_id)
    if job:
        assert wait(job, 10 ** 9, 10)
    return asked


def answer_of(identity, asked):
    with db.scope(identity) as scope:
        return chats.get(scope, asked.answer_id)


def calls_of(identity, asked):
    with db.scope(identity) as scope:
        return scope.connection.execute(text("""
            select route, status, tier, rule_set, article, tokens_in, tokens_cached, tokens_out, tokens_reasoning, cost_usd,
                   cost_source, first_token_ms, latency_ms, provider, model_used, language
            from ai_calls where clinic_id = :clinic_id and message_id = :id
            """), {"clinic_id": identity.clinic_id, "id": asked.answer_id}).all()


def begun(asked):
    """Wait for the first words of a slow answer."""
    job = workers.find(asked.answer_id)
    assert job
    deadline = time.monotonic() + 5
    while not job.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert job.text
    return job


# what is answered ----------------------------------------------------------------------------------------------------


def test_a_question_the_knowledge_base_knows_is_answered_from_it_with_its_standing(alice):
    asked = ask(alice, "What is a root canal treatment?")
    found = answer_of(alice, asked)
    assert found.status == "ok"
    assert "root canal" in found.content.lower()
    assert found.metadata["route"] == "kb"
    assert found.metadata["article"] == "root-canal"
    assert found.metadata["drafted_on"]
    assert "reviewed_by" in found.metadata


def test_a_question_nobody_knows_gets_an_honest_answer(alice):
    found = answer_of(alice, ask(alice, "Which planet has the most moons?"))
    assert found.content.startswith("I don't know")
    assert found.metadata["route"] == "fallback"


@pytest.mark.parametrize(("question", "route", "tier"), [
    ("What is a root canal treatment?", "kb", None), ("Which planet has the most moons?", "fallback", None),
    (EMERGENCY, "emergency", "E"), (URGENT, None, "U")])
def test_every_answer_has_one_call_with_unknown_tokens_and_a_cost_of_zero(alice, question, route, tier):
    asked = ask(alice, question)
    call, = calls_of(alice, asked)
    assert route in (None, call.route)
    assert (call.status, call.tier) == ("ok", tier)
    assert (call.tokens_in, call.tokens_cached, call.tokens_out, call.tokens_reasoning) == (None,) * 4
    assert (call.cost_usd, call.cost_source, call.provider, call.model_used) == (Decimal(0), "none", None, None)
    assert call.latency_ms >= call.first_token_ms >= 0
    assert call.rule_set
    assert call.language == "en"


def test_an_urgent_question_gets_its_advice_first_and_then_goes_on(alice):
    found = answer_of(alice, ask(alice, URGENT))
    assert found.content.startswith(advice.urgent_advice("112"))
    assert len(found.content) > len(advice.urgent_advice("112")) + len(advice.safety_net("112")) + 50
    assert (found.metadata["tier"], found.metadata["emergency"]) == ("U", False)


# emergencies ---------------------------------------------------------------------------------------------------------


def test_an_emergency_gets_the_card_at_once_and_nothing_else(alice, pat, monkeypatch):
    monkeypatch.setattr(knowledge, "find", lambda *_: pytest.fail("looked something up"))
    monkeypatch.setattr(workers, "start", lambda *_: pytest.fail("started a worker"))
    asked = workflows.ask(alice, pat, EMERGENCY)
    found = answer_of(alice, asked)
    assert asked.tier == "E"
    assert (found.status, found.content) == ("ok", advice.emergency_card("112", found.metadata["categories"]))
    assert found.metadata["emergency"] is True
    with db.scope(alice) as scope:
        raised, = emergencies.waiting(scope).rows
    assert (raised.message_id, raised.patient_id) == (asked.question_id, pat)
    assert "airway" in raised.categories
    assert str(raised.id) == found.metadata["emergency_id"]


def test_an_emergency_may_be_longer_than_what_is_answered(alice):
    assert workflows.ask(alice, None, "He told me all about his day. " * 300 + EMERGENCY).tier == "E"


def test_signs_split_over_two_messages_are_read_together_until_somebody_has_answered_for_them(alice, monkeypatch):
    seen = []
    real = workflows.redflags.check
    monkeypatch.setattr(workflows.redflags, "check", lambda words, earlier=(): seen.append(list(earlier)) or real(words, earlier))
    first = ask(alice, EMERGENCY)
    ask(alice, "What is a filling?")
    assert seen[1] == [EMERGENCY]
    with db.scope(alice) as scope:
        emergencies.acknowledge(scope, emergencies.of_questions(scope, first.thread_id, [first.question_id])[first.question_id].id,
                                action_taken="", false_alarm=True)
    ask(alice, "What is a crown?")
    assert seen[2] == ["What is a filling?"]


# refusals ------------------------------------------------------------------------------------------------------------


def test_a_question_that_is_too_long_is_refused_with_nothing_saved(alice):
    with pytest.raises(Invalid, match="4,000 characters; this one has 5,000"):
        workflows.ask(alice, None, "x" * 5000)
    with db.scope(alice) as scope:
        assert chats.find_thread(scope, None) is None


def test_an_urgent_question_that_is_too_long_gets_its_advice_with_a_call_and_a_refusal_of_the_rest(alice):
    question = URGENT + ". And more about the day." * 200
    asked = workflows.ask(alice, None, question)
    assert "4,000 characters; this one has" in asked.refusal
    found = answer_of(alice, asked)
    assert (found.status, found.content) == ("ok", f"{advice.urgent_advice('112')}\n\n{advice.safety_net('112')}")
    assert (found.metadata["route"], found.metadata["tier"]) == ("blocked", "U")
    call, = calls_of(alice, asked)
    assert (call.route, call.tier, call.status, call.cost_usd) == ("blocked", "U", "ok", 0)
    with db.scope(alice) as scope:
        assert chats.get(scope, asked.question_id).content == question


def test_an_emergency_longer_than_a_message_is_raised_all_the_same_and_its_cut_is_visible(alice):
    asked = workflows.ask(alice, None, EMERGENCY + " x" * 10_000)
    assert (asked.tier, asked.refusal) == ("E", "")
    assert answer_of(alice, asked).content.startswith("**Call 112 now.**")
    with db.scope(alice) as scope:
        assert emergencies.of_questions(scope, asked.thread_id, [asked.question_id])
        kept = chats.get(scope, asked.question_id).content
    assert len(kept) == 20_000
    assert kept.startswith(EMERGENCY)
    assert kept.endswith(f"[This message has {len(EMERGENCY) + 20_000:,} characters. Its end was too long to be kept.]")


# asked twice ---------------------------------------------------------------------------------------------------------


def at_once(times, run):
    start = threading.Barrier(times)

    def wait_and_run():
        start.wait()
        run()
    threads = [threading.Thread(target=wait_and_run) for _ in range(times)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


@pytest.mark.parametrize("question", ["Tell me about fillings", EMERGENCY, URGENT + ". And more about the day." * 200])
def test_a_double_enter_is_one_question(alice, pat, slow, question):
    asked = []
    at_once(4, lambda: asked.append(workflows.ask(alice, pat, question)))
    assert len(asked) == 4
    assert len({(one.question_id, one.answer_id) for one in asked}) == 1
    with db.scope(alice) as scope:
        assert len(chats.history(scope, asked[0].thread_id).rows) == 2
        assert len(emergencies.waiting(scope).rows) == (question == EMERGENCY)


def test_two_who_want_the_same_answer_whole_get_one(alice, pat):
    asked = []
    at_once(4, lambda: asked.append(workflows.ask(alice, pat, "Tell me about fillings", at_once=True)))
    assert len({(one.question_id, one.answer_id) for one in asked}) == 1


def test_an_answer_that_was_stopped_is_nobody_elses(alice, pat, slow):
    first = ask(alice, "Tell me about fillings", pat, wait=False)
    workflows.stop(alice, first.answer_id)
    settled(alice, first)
    slow.set()
    assert workflows.ask(alice, pat, "Tell me about fillings", at_once=True).question_id != first.question_id


def test_the_same_words_after_others_raised_their_tier_are_another_question(alice, pat):
    words = "It is swollen"
    first = workflows.ask(alice, pat, words, at_once=True)
    with db.scope(alice) as scope:
        tier = chats.get(scope, first.answer_id).metadata["tier"]
        for asked, found in ((tier, True), (None if tier else "U", False)):
            ways = ["started", *ai.BUILT_IN]
            assert bool(chats.find_repeated(scope, first.thread_id, words, asked, ways)) == found


def test_another_answer_that_was_begun_while_one_waited_is_found(alice):
    asked = ask(alice, "Tell me about fillings")
    with db.scope(alice) as late:
        late.value("select now()")
        again = workflows.ask_again(alice, asked.answer_id, at_once=True)
        assert chats.find_running(late, asked.thread_id, asked.question_id) == again.answer_id
    with db.scope(alice) as later:
        assert chats.find_running(later, asked.thread_id, asked.question_id) is None


@pytest.mark.parametrize("question", ["What do you do if somebody can't breathe?", "What if I can't breathe during the treatment?"])
def test_a_danger_in_general_is_answered_by_no_article_that_only_sounds_alike(alice, question):
    assert answer_of(alice, ask(alice, question)).metadata["article"] is None


def test_other_words_or_another_person_are_another_question(alice, bob, pat, slow):
    asked = [ask(alice, "Tell me about fillings", pat, wait=False), ask(alice, "Tell me about crowns", pat, wait=False),
             ask(bob, "Tell me about fillings", pat, wait=False), ask(alice, "Tell me about fillings", wait=False)]
    assert len({one.question_id for one in asked}) == 4


def test_the_same_question_after_its_answer_is_a_new_one(alice, slow):
    first = ask(alice, "Tell me about fillings", wait=False)
    workflows.stop(alice, first.answer_id)
    settled(alice, first)
    assert ask(alice, "Tell me about fillings", wait=False).question_id != first.question_id


def test_what_is_wanted_whole_is_there_when_asking_returns(alice, pat):
    asked = workflows.ask(alice, pat, "What is a root canal?", at_once=True)
    assert workers.find(asked.answer_id) is None
    answer, [call] = answer_of(alice, asked), calls_of(alice, asked)
    assert (answer.status, call.status) == ("ok", "ok")
    assert answer.content.endswith(advice.safety_net("112"))


def test_what_is_wanted_whole_is_saved_whole_or_not_at_all(alice, pat, monkeypatch):
    monkeypatch.setattr(answers, "finish", lambda *_row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        workflows.ask(alice, pat, "What is a root canal?", at_once=True)
    with db.scope(alice) as scope:
        assert chats.find_thread(scope, pat) is None


@pytest.mark.parametrize("question", ["", "   \n ", "\0"])
def test_no_question_is_no_question(alice, question):
    with pytest.raises(Invalid, match="no question"):
        workflows.ask(alice, None, question)


def test_four_thousand_characters_of_anything_are_answered(alice):
    question = ("🦷 ```\n![x](http://evil.example)\n``` שלום " * 200)[:4000]
    asked = ask(alice, question)
    with db.scope(alice) as scope:
        assert chats.get(scope, asked.question_id).content == question
    assert answer_of(alice, asked).status == "ok"


def test_a_receptionist_asks_general_questions_only_and_alone(alice, rita, pat):
    mine = ask(rita, "What is a filling?")
    assert answer_of(rita, mine).status == "ok"
    with pytest.raises(NotFound):
        answer_of(alice, mine)
    with pytest.raises(Forbidden):
        workflows.ask(rita, pat, "What is a filling?")


def test_a_manager_has_no_chat(mona):
    with pytest.raises(Forbidden):
        workflows.ask(mona, None, "What is a filling?")


def test_another_clinics_patient_does_not_exist(charlie, pat):
    with pytest.raises(NotFound):
        workflows.ask(charlie, pat, "What is a filling?")
    with pytest.raises(NotFound):
        workflows.ask(charlie, pat, EMERGENCY)


def test_asking_is_audited_without_a_word_of_the_question(alice, pat):
    asked = ask(alice, EMERGENCY, pat)
    with db.scope(alice) as scope:
        rows = scope.connection.execute(text("""
            select action, resource_id, audit_log::text as everything from audit_log
            where clinic_id = :clinic_id and patient_id = :pat order by id
            """), {"clinic_id": alice.clinic_id, "pat": pat}).all()
    assert [row.action for row in rows if row.action in ("ask", "raise_emergency")] == ["ask", "raise_emergency"]
    assert str(asked.thread_id) in [row.resource_id for row in rows]
    assert not [row for row in rows if "breathe" in row.everything]


# saved exactly once --------------------------------------------------------------------------------------------------


def test_a_stopped_answer_keeps_its_text_and_is_settled_within_half_a_second(alice, slow):
    asked = ask(alice, "Tell me about fillings", wait=False)
    job = begun(asked)
    began = time.monotonic()
    workflows.stop(alice, asked.answer_id)
    assert wait(job, 10 ** 9, 5)
    assert time.monotonic() - began < 0.5
    found = answer_of(alice, asked)
    assert found.status == "stopped"
    assert found.content.startswith("word0 ")
    call, = calls_of(alice, asked)
    assert (call.status, call.cost_usd, call.tokens_out) == ("stopped", Decimal(0), None)


def test_nobody_stops_a_colleagues_answer(alice, bob, charlie, pat, slow):
    asked = ask(alice, "Tell me about fillings", pat, wait=False)
    begun(asked)
    workflows.stop(bob, asked.answer_id)
    workflows.stop(charlie, asked.answer_id)
    slow.set()
    settled(alice, asked)
    assert answer_of(alice, asked).status == "ok"


def test_stopping_what_has_ended_changes_nothing(alice):
    asked = ask(alice, "What is a filling?")
    before = answer_of(alice, asked)
    workflows.stop(alice, asked.answer_id)
    assert answer_of(alice, asked) == before


def test_a_second_question_leaves_the_first_answer_running(alice, slow):
    first = ask(alice, "Tell me about fillings", wait=False)
    second = ask(alice, "Tell me about crowns", wait=False)
    begun(first)
    begun(second)
    slow.set()
    assert [answer_of(alice, settled(alice, asked)).status for asked in (first, second)] == ["ok", "ok"]


def test_shutdown_lets_what_is_nearly_done_finish(alice):
    asked = ask(alice, "What is a filling?", wait=False)
    workflows.shutdown()
    assert answer_of(alice, asked).status == "ok"


def test_shutdown_saves_a_long_answer_as_far_as_it_came(alice, slow, monkeypatch):
    monkeypatch.setattr(workers, "GRACE", 0.2)
    asked = ask(alice, "Tell me about fillings", wait=False)
    begun(asked)
    workflows.shutdown()
    found = answer_of(alice, asked)
    assert found.status == "abandoned"
    assert found.content.startswith("word0 ")
    assert [call.status for call in calls_of(alice, asked)] == ["abandoned"]


def test_shutdown_settles_a_silent_answer_and_its_late_end_changes_nothing(alice, silent):
    asked = ask(alice, "Which planet has the most moons?", wait=False)
    begun(asked)
    workflows.shutdown()
    assert answer_of(alice, asked).status == "abandoned"
    silent.set()
    time.sleep(0.3)
    found = answer_of(alice, asked)
    assert (found.status, found.content) == ("abandoned", "one \n\n" + advice.safety_net("112"))


def test_an_answerer_that_breaks_ends_as_an_error_with_what_it_had_said(alice, monkeypatch):
    def breaking(request):
        yield Delta("half ")
        raise ValueError("secret text")
    monkeypatch.setitem(ai.ANSWERERS, "fallback", breaking)
    found = answer_of(alice, ask(alice, "Which planet has the most moons?"))
    assert (found.status, found.content) == ("error_mid", "half \n\n" + advice.safety_net("112"))


def test_a_provider_that_breaks_before_a_word_has_an_unknown_cost_not_zero(alice, monkeypatch):
    monkeypatch.setattr(ai, "known", lambda route: Done())

    def breaking(request):
        raise ValueError
        yield
    monkeypatch.setitem(ai.ANSWERERS, "fallback", breaking)
    asked = ask(alice, "Which planet has the most moons?")
    call, = calls_of(alice, asked)
    assert (call.status, call.cost_usd) == ("error_before", None)
    assert answer_of(alice, asked).metadata["cost_usd"] is None


def test_no_connection_is_held_while_attempts_are_counted(alice, monkeypatch):
    """They may be counted on another machine."""
    held, counted = threading.local(), []
    real = db.nobody

    @contextmanager
    def watched():
        held.connections = getattr(held, "connections", 0) + 1
        try:
            with real() as connection:
                yield connection
        finally:
            held.connections -= 1
    monkeypatch.setattr(db, "nobody", watched)
    monkeypatch.setattr(rate_limits, "spend", lambda kind, _who: counted.append((kind, held.connections)))

    asked = ask(alice, "What is a filling?")
    settled(alice, workflows.ask_again(alice, asked.answer_id))
    alarm = ask(alice, EMERGENCY)
    with db.scope(alice) as scope:
        emergency = emergencies.of_questions(scope, alarm.thread_id, [alarm.question_id])[alarm.question_id]
    settled(alice, workflows.declare_general(alice, emergency.id))

    assert counted == [("chats", 0)] * 3


def test_a_declaration_one_too_many_is_recorded_and_its_answer_refused(alice, monkeypatch):
    alarm = ask(alice, EMERGENCY)
    with db.scope(alice) as scope:
        emergency = emergencies.of_questions(scope, alarm.thread_id, [alarm.question_id])[alarm.question_id]
    monkeypatch.setattr(rate_limits, "spend", lambda *_: (_ for _ in ()).throw(TooMany(60, "chats")))

    with pytest.raises(TooMany):
        workflows.declare_general(alice, emergency.id)
    with db.scope(alice) as scope:
        assert emergencies.get(scope, emergency.id).acknowledged_by == alice.full_name


def test_a_database_that_is_away_for_a_moment_costs_no_answer(alice, monkeypatch):
    from lib.errors import Unavailable
    real, tries = answers.finish, []

    def flaky(*args):
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable
        return real(*args)
    monkeypatch.setattr(answers, "finish", flaky)
    assert answer_of(alice, ask(alice, "What is a filling?")).status == "ok"
    assert len(tries) == 3


def test_what_is_wanted_whole_is_refused_whole_while_the_database_is_away(alice, monkeypatch):
    from lib.errors import Busy, Unavailable

    def away(*_):
        raise Busy
    monkeypatch.setattr(answers, "finish", away)

    with pytest.raises(Unavailable):
        workflows.ask(alice, None, "What is a filling?", at_once=True)

    with db.scope(alice) as scope:
        assert scope.value("select count(*) from chat_messages where clinic_id = :clinic_id") == 0


def test_a_running_answer_is_found_by_its_id_and_gone_when_it_is_saved(alice, slow):
    asked = ask(alice, "Tell me about fillings", wait=False)
    assert answer_of(alice, asked).running
    assert workflows.watch(asked.answer_id)
    slow.set()
    settled(alice, asked)
    assert workflows.watch(asked.answer_id) is None
    assert not answer_of(alice, asked).running


def test_forty_answers_at_once_leave_nothing_behind(alice, monkeypatch):
    monkeypatch.setattr(rate_limits, "spend", lambda _kind, _who: None)  # forty people, in truth
    every = [ask(alice, f"Which planet number {n} has moons?", wait=False) for n in range(40)]
    assert {answer_of(alice, settled(alice, asked)).status for asked in every} == {"ok"}
    assert not [asked for asked in every if workers.find(asked.answer_id)]


def declared(who, text):
    """The answer to a message that raised the alarm, once who wrote it has stated that no patient is in danger now."""
    asked = ask(who, text)
    assert asked.tier == "E"
    with db.scope(who) as scope:
        emergency = emergencies.of_questions(scope, asked.thread_id, [asked.question_id])[asked.question_id]
    again = settled(who, workflows.declare_general(who, emergency.id))
    return again, answer_of(who, again)


@pytest.mark.parametrize("text", ["can't breathe", "My patient can't breathe", "no puedo respirar", "du mal à respirer, j'étouffe",
                                  "kriege keine Luft", "chest pain and a toothache in the jaw", "I want to die, my teeth are ugly"])
def test_a_danger_declared_general_is_never_answered_by_an_article_about_something_else(alice, text):
    again, found = declared(alice, text)

    assert found.content.startswith("I don't know the answer to this one")
    assert found.content.endswith(advice.safety_net(alice.emergency_number))
    second = settled(alice, workflows.ask_again(alice, again.answer_id))
    assert answer_of(alice, second).content.startswith("I don't know the answer to this one")


def test_a_danger_declared_general_gets_the_article_about_just_that(alice):
    _again, found = declared(alice, "Bleeding won't stop after an extraction, what do we do?")

    assert found.metadata["article"] == "bleeding-after-extraction"


def test_the_clinics_own_article_about_the_danger_answers_too(alice):
    with db.scope(alice) as scope:
        clinic_articles.add(scope, clinic_articles.Wording("Somebody is choking", ("can't breathe",), "Open the airway trolley."),
                            article_id=uuid4())
        clinic_articles.add(scope, clinic_articles.Wording("Breathing masks", ("breathe",), "They are in the store."), article_id=uuid4())

    assert "airway trolley" in declared(alice, "can't breathe")[1].content
