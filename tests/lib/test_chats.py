"""Threads are found, shared or kept private; answers are saved once."""

import threading
from decimal import Decimal

import pytest
from sqlalchemy import text

from lib import answers, chats, db
from lib.calls import Call, Ending
from lib.errors import AppError, Conflict, NotFound
from lib.events import FREE, Done
from tests.statements import explained, listening

CALL = Call("kb", None, "rules-1", "root-canal", "en")


@pytest.fixture
def add_patient():
    def add(identity, name="Pat Poe"):
        with db.scope(identity) as scope:
            return scope.value("""
                insert into patients (clinic_id, user_id, changed_by, full_name)
                values (:clinic_id, :me, :me, :name) returning id
                """, me=identity.user_id, name=name)
    return add


def ask(identity, patient_id=None, question="What is a root canal?"):
    """(thread, question, answer) with the answer started."""
    with db.scope(identity) as scope:
        thread = chats.open_thread(scope, patient_id)
        question_id = chats.post_question(scope, thread, question)
        return thread, question_id, answers.start(scope, question_id, CALL)


def finish(identity, answer, words="Done.", done=FREE):
    with db.scope(identity) as scope:
        return answers.finish(scope, answer, CALL, Ending(done, words, 420, 17), {"sources": []}).message


def read(identity, thread, **page):
    with db.scope(identity) as scope:
        return chats.history(scope, thread, **page)


def call_of(identity, answer):
    with db.scope(identity) as scope:
        return scope.connection.execute(text("""
            select route, status, tokens_in, tokens_out, cost_usd, cost_source, first_token_ms, latency_ms, tier, rule_set, article
            from ai_calls where clinic_id = :clinic_id and message_id = :id
            """), {"clinic_id": identity.clinic_id, "id": answer}).one()


def age(owner, identity, answer, minutes):
    """Give a started answer and its call an id as old as that."""
    with owner.begin() as connection:
        moved = {"clinic": identity.clinic_id, "id": answer, "age": f"{minutes} minutes"}
        connection.execute(text("alter table chat_messages disable trigger finish_once"))
        for table in ("ai_calls set id = app.uuid_floor(now() - cast(:age as interval)) where message_id = :id",
                      "chat_messages set id = app.uuid_floor(now() - cast(:age as interval)) where id = :id"):
            connection.execute(text(f"update {table} and clinic_id = :clinic"), moved)
        connection.execute(text("alter table chat_messages enable trigger finish_once"))


def test_a_patient_has_one_thread_that_those_who_treat_share(alice, bob, add_patient):
    patient = add_patient(alice)
    assert ask(alice, patient)[0] == ask(bob, patient)[0]


def test_a_general_thread_is_its_members_own(alice, bob):
    thread, _question, _answer = ask(alice)
    assert ask(bob)[0] != thread
    assert read(bob, thread).rows == []


def test_eight_who_open_a_thread_at_the_same_moment_get_the_same_one(alice, add_patient):
    patient, found, start = add_patient(alice), [], threading.Barrier(8)

    def run():
        start.wait()
        with db.scope(alice) as scope:
            found.append(chats.open_thread(scope, patient))
    threads = [threading.Thread(target=run) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_receptionist_sees_no_patient_thread_by_any_way(alice, rita, add_patient):
    patient = add_patient(alice)
    thread, question, _answer = ask(alice, patient)
    with db.scope(rita) as scope:
        assert chats.find_thread(scope, patient) is None
        assert chats.history(scope, thread).rows == []
        with pytest.raises(NotFound):
            chats.get(scope, question)
    with pytest.raises(AppError):
        ask(rita, patient)


def test_another_clinic_gets_nothing_by_id(alice, charlie, add_patient):
    patient = add_patient(alice)
    thread, question, answer = ask(alice, patient)
    with db.scope(charlie) as scope:
        assert chats.find_thread(scope, patient) is None
        assert chats.history(scope, thread).rows == []
        with pytest.raises(NotFound):
            chats.get(scope, question)
    assert not finish(charlie, answer)
    with pytest.raises(NotFound):
        ask(charlie, patient)


def test_history_comes_newest_first_in_pages_with_who_asked(alice, bob, add_patient):
    patient = add_patient(alice)
    for n in range(3):
        thread, _question, answer = ask(bob, patient, f"question {n}")
        finish(bob, answer)
    page = read(alice, thread, limit=4)
    assert page.more
    assert [row.content for row in page.rows] == ["Done.", "question 2", "Done.", "question 1"]
    assert {row.asked_by for row in page.rows} == {"Bob Brown"}
    rest = read(alice, thread, limit=4, before=page.rows[-1].id)
    assert [row.content for row in rest.rows] == ["Done.", "question 0"]
    assert not rest.more


def test_an_answer_is_finished_once_and_the_second_time_changes_nothing(alice):
    thread, _question, answer = ask(alice)
    assert finish(alice, answer, "first")
    assert not finish(alice, answer, "second", Done("stopped"))
    assert read(alice, thread).rows[0].content == "first"
    assert call_of(alice, answer).status == "ok"


def test_of_eight_parallel_finishes_one_counts(alice):
    _thread, _question, answer = ask(alice)
    won, start = [], threading.Barrier(8)

    def run(n):
        start.wait()
        won.append(finish(alice, answer, f"words {n}"))
    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(won) == [False] * 7 + [True]


def test_a_finished_answer_and_a_question_are_immutable(alice):
    _thread, question, answer = ask(alice)
    finish(alice, answer)
    for row in (question, answer):
        with pytest.raises(Conflict), db.scope(alice) as scope:
            scope.run("update chat_messages set content = 'x' where clinic_id = :clinic_id and id = :id", id=row)
    with pytest.raises(Conflict), db.scope(alice) as scope:
        scope.run("update ai_calls set cost_usd = 9 where clinic_id = :clinic_id and message_id = :id", id=answer)


def test_unknown_tokens_are_null_and_no_cost_is_a_measured_zero(alice):
    thread, _question, answer = ask(alice)
    finish(alice, answer)
    call = call_of(alice, answer)
    assert (call.tokens_in, call.tokens_out) == (None, None)
    assert (call.cost_usd, call.cost_source) == (Decimal(0), "none")
    assert (call.first_token_ms, call.latency_ms) == (17, 420)
    facts = read(alice, thread).rows[0].metadata
    assert facts["tokens_in"] is None
    assert (facts["cost_usd"], facts["emergency"], facts["route"], facts["article"]) == ("0", False, "kb", "root-canal")


def test_what_a_provider_counted_is_copied_into_the_message(alice):
    thread, _question, answer = ask(alice)
    finish(alice, answer, done=Done("ok", model="m-1", tokens_in=300, tokens_out=0, cost_usd=Decimal("0.00000001"),
                                    cost_source="provider"))
    facts = read(alice, thread).rows[0].metadata
    assert (facts["model"], facts["tokens_in"], facts["tokens_out"], facts["cost_usd"]) == ("m-1", 300, 0, "0.00000001")
    assert call_of(alice, answer).cost_usd == Decimal("0.00000001")


def test_the_sweep_ends_what_a_crash_left_open_and_leaves_what_may_still_run(owner, alice, charlie):
    _thread, _question, old = ask(alice)
    age(owner, alice, old, 6)
    _thread, _question, foreign = ask(charlie)
    age(owner, charlie, foreign, 60)
    _thread, _question, young = ask(alice)
    assert answers.sweep() >= 2
    with db.scope(alice) as scope:
        statuses = scope.value("select array_agg(status order by id) from chat_messages where clinic_id = :clinic_id and role = 'assistant'")
    assert statuses == ["abandoned", "started"]
    assert call_of(alice, old).status == "abandoned"
    assert call_of(charlie, foreign).status == "abandoned"
    assert call_of(alice, young).status == "started"
    assert call_of(alice, old).cost_usd is None


def test_recent_questions_are_the_same_members_last_three_of_half_an_hour(owner, alice, bob, add_patient):
    patient = add_patient(alice)
    thread, old, _answer = ask(alice, patient, "too old")
    with owner.begin() as connection:
        connection.execute(text("alter table chat_messages disable trigger finish_once"))
        connection.execute(text("""
            update chat_messages set id = app.uuid_floor(now() - interval '31 minutes') where clinic_id = :clinic and id = :id
            """), {"clinic": alice.clinic_id, "id": old})
        connection.execute(text("alter table chat_messages enable trigger finish_once"))
    with db.scope(alice) as scope:
        assert chats.recent_questions(scope, thread) == []
    ask(bob, patient, "a colleague's")
    for n in range(4):
        ask(alice, patient, f"mine {n}")
    with db.scope(alice) as scope:
        assert chats.recent_questions(scope, thread) == ["mine 1", "mine 2", "mine 3"]


def test_looking_at_a_thread_leaves_a_trace(owner, alice, add_patient):
    patient = add_patient(alice)
    ask(alice, patient)
    with db.scope(alice) as scope:
        chats.view(scope, patient)
        chats.view(scope, patient)
        assert scope.value("""
            select count(*) from audit_log
            where clinic_id = :clinic_id and resource = 'chat_thread' and action = 'view' and patient_id = :patient
            """, patient=patient) == 1


def test_every_character_survives(alice):
    hard = "é🦷👩🏽‍⚕️ שלום مرحبا\n```\ncode <b>&amp;</b>\n```\n![x](http://evil.example/x.png) \u202e 𝒯"
    thread, _question, _answer = ask(alice, question=hard)
    assert read(alice, thread).rows[-1].content == hard
    thread, _question, _answer = ask(alice, question="x" * 20_000)
    assert len(read(alice, thread).rows[1].content) == 20_000


def test_what_no_database_can_store_is_taken_out_of_text():
    assert chats.storable("a\0b\ud800c") == "ab?c"


@pytest.mark.parametrize("before", [None, "ffffffff-ffff-7fff-bfff-ffffffffffff"])
def test_the_history_of_a_thread_uses_its_index(alice, owner, before):
    thread, _question, _answer = ask(alice)
    with db.scope(alice) as scope:
        scope.run("set local enable_seqscan = off")
        plan = "\n".join(row[0] for row in scope.connection.execute(text("""
            explain select id, content from chat_messages
            where clinic_id = :clinic_id and thread_id = :thread
              and (cast(:before as uuid) is null or id < cast(:before as uuid))
            order by id desc limit 21
            """), {"clinic_id": alice.clinic_id, "thread": thread, "before": before}))
    assert "thread_id" in plan.split("Index Cond", 1)[1]
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


def test_an_answer_longer_than_a_message_is_cut_and_says_so_in_both_rows(alice):
    thread, _question, answer = ask(alice)
    finish(alice, answer, "x" * 20_001)
    found = read(alice, thread).rows[0]
    assert (found.status, len(found.content)) == ("truncated", 20_000)
    assert call_of(alice, answer).status == "truncated"
    thread, _question, answer = ask(alice)
    finish(alice, answer, "x" * 20_001, Done("stopped"))
    assert read(alice, thread).rows[0].status == "stopped"


def test_a_question_longer_than_a_message_is_marked_where_it_ends():
    assert chats.marked("x" * 20_000) == "x" * 20_000
    assert len(chats.marked("x" * 25_000)) == 20_000
    assert chats.marked("x" * 25_000).endswith("x\n\n[This message has 25,000 characters. Its end was too long to be kept.]")


def test_message_answer_and_call_take_their_patient_from_the_thread(alice, add_patient):
    patient = add_patient(alice)
    _thread, question, answer = ask(alice, patient)
    with db.scope(alice) as scope:
        assert [chats.get(scope, message).patient_id for message in (question, answer)] == [patient, patient]
        assert scope.value("select patient_id from ai_calls where clinic_id = :clinic_id and message_id = :id", id=answer) == patient
    _thread, question, _answer = ask(alice)
    with db.scope(alice) as scope:
        assert chats.get(scope, question).patient_id is None


def test_nobody_writes_into_a_thread_they_cannot_read(alice, charlie, rita, add_patient):
    thread, question, _answer = ask(alice, add_patient(alice))
    for outsider in (charlie, rita):
        with db.scope(outsider) as scope:
            with pytest.raises(NotFound):
                chats.post_question(scope, thread, "x")
            with pytest.raises(NotFound):
                answers.start(scope, question, CALL)
            assert chats.find_repeated(scope, thread, "What is a root canal?", None) is None


def test_finishing_reads_no_month_before_its_own(alice):
    _thread, _question, answer = ask(alice)
    with db.scope(alice) as scope:
        scope.run("select app.make_partitions(current_date - 70)")
        with listening() as asked:
            answers.finish(scope, answer, CALL, Ending(FREE, "Done.", 1), {})
        (sql, values), = ((sql, values) for sql, values in asked if "update ai_calls" in sql)
        plan = explained(scope, sql, values)
        before = scope.value("select to_char(current_date - interval '1 month', '_YYYY_MM')")
    assert "ai_calls_2" in plan
    assert before not in plan
