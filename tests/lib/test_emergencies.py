"""An emergency waits until a named person has answered for it, once."""

import threading

import pytest
from sqlalchemy import text

from lib import chats, db, emergencies
from lib.errors import Conflict, Forbidden, Invalid, NotFound


@pytest.fixture
def raise_alarm():
    def make(identity, patient_id=None, question="can't breathe"):
        with db.scope(identity) as scope:
            thread = chats.open_thread(scope, patient_id)
            message = chats.post_question(scope, thread, question)
            return emergencies.raise_alarm(scope, message, categories=["airway"], rule_set="rules-1")
    return make


@pytest.fixture
def pat(alice):
    with db.scope(alice) as scope:
        return scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name)
            values (:clinic_id, :me, :me, 'Pat Poe') returning id
            """, me=alice.user_id)


def acknowledge(identity, emergency, action="Called 112", **more):
    with db.scope(identity) as scope:
        emergencies.acknowledge(scope, emergency, action_taken=action, **more)


def waiting(identity):
    with db.scope(identity) as scope:
        return emergencies.waiting(scope).rows


def answered(identity, **page):
    with db.scope(identity) as scope:
        return emergencies.answered(scope, **page)


def test_an_open_emergency_names_the_patient_and_who_raised_it(alice, bob, pat, raise_alarm):
    raise_alarm(bob, pat)
    found = waiting(alice)[0]
    assert (found.patient_name, found.raised_by, found.categories) == ("Pat Poe", "Bob Brown", ["airway"])


def test_the_longest_waiting_comes_first(alice, raise_alarm):
    first, second = raise_alarm(alice), raise_alarm(alice)
    assert [row.id for row in waiting(alice)] == [first, second]


def test_acknowledging_is_recorded_with_the_person_and_what_was_done(alice, bob, raise_alarm):
    emergency = raise_alarm(alice)
    acknowledge(bob, emergency, "Called 112")
    assert waiting(alice) == []
    found = answered(alice).rows[0]
    assert (found.acknowledged_by, found.action_taken, found.false_alarm) == ("Bob Brown", "Called 112", False)
    with db.scope(bob) as scope:
        assert scope.value("""
            select count(*) from audit_log
            where clinic_id = :clinic_id and action = 'acknowledge_emergency' and resource_id = :id
            """, id=str(emergency)) == 1


def test_the_second_person_is_told_who_was_first(alice, bob, raise_alarm):
    emergency = raise_alarm(alice)
    acknowledge(bob, emergency)
    with pytest.raises(Conflict, match="Bob Brown has acknowledged this already"):
        acknowledge(alice, emergency, "Something else")
    assert answered(alice).rows[0].action_taken == "Called 112"


def test_of_six_who_acknowledge_together_one_counts(alice, raise_alarm):
    emergency, results, start = raise_alarm(alice), [], threading.Barrier(6)

    def run(n):
        start.wait()
        try:
            acknowledge(alice, emergency, f"action {n}")
            results.append("counted")
        except Conflict:
            results.append("told")
    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(results) == ["counted"] + ["told"] * 5


def test_an_acknowledgement_is_final(alice, raise_alarm):
    emergency = raise_alarm(alice)
    acknowledge(alice, emergency)
    with pytest.raises(Conflict), db.scope(alice) as scope:
        scope.run("update emergencies set false_alarm = true where clinic_id = :clinic_id and id = :id", id=emergency)
    for statement in ("update emergency_actions set action_taken = 'x' where clinic_id = :clinic_id and emergency_id = :id",
                      "delete from emergency_actions where clinic_id = :clinic_id and emergency_id = :id"):
        with pytest.raises(Forbidden), db.scope(alice) as scope:
            scope.run(statement, id=emergency)


def test_what_was_done_is_said_with_the_acknowledgement_and_never_later(alice, bob, raise_alarm):
    """Not about an open one, not in somebody else's place, not afterwards."""
    waiting, silent = raise_alarm(alice), raise_alarm(alice)
    acknowledge(alice, silent, "", false_alarm=True)
    for who, emergency in ((alice, waiting), (bob, silent), (alice, silent)):
        with pytest.raises(Forbidden), db.scope(who) as scope:
            scope.run("insert into emergency_actions (clinic_id, emergency_id, action_taken) values (:clinic_id, :id, 'x')",
                      id=emergency)


def test_a_manager_counts_emergencies_and_reads_no_word_of_what_was_done(alice, mona, rita, raise_alarm):
    """The schema's rule, whatever asks: managers see no chat content, receptionists what they raised themselves."""
    emergency, hers = raise_alarm(alice), raise_alarm(rita)
    acknowledge(alice, emergency, "Called 112 for Ann Lee")
    acknowledge(alice, hers, "Handed over at 14:05")
    seen = {}
    for who in (alice, mona, rita):
        with db.scope(who) as scope:
            seen[who] = (scope.value("select count(*) from emergencies where clinic_id = :clinic_id"), scope.connection.execute(
                text("select action_taken from emergency_actions order by emergency_id")).scalars().all())
    assert seen == {alice: (2, ["Called 112 for Ann Lee", "Handed over at 14:05"]), mona: (2, []), rita: (1, ["Handed over at 14:05"])}
    with db.scope(mona) as scope:
        assert emergencies.get(scope, emergency).action_taken == ""


def test_no_column_that_managers_read_of_an_emergency_is_free_text(owner):
    with owner.connect() as connection:
        columns = connection.execute(text("""
            select column_name from information_schema.columns
            where table_name = 'emergencies' and data_type in ('text', 'jsonb')
            """)).scalars().all()
    assert columns == ["rule_set"]


def test_an_acknowledgement_says_what_was_done_unless_it_was_a_false_alarm(alice, raise_alarm):
    emergency = raise_alarm(alice)
    with pytest.raises(Invalid, match="what was done"):
        acknowledge(alice, emergency, "  ")
    with pytest.raises(Invalid, match="2,000"):
        acknowledge(alice, emergency, "x" * 2001)
    acknowledge(alice, emergency, "", false_alarm=True)
    assert answered(alice).rows[0].false_alarm


def test_a_receptionist_sees_and_answers_for_what_they_raised_only(alice, rita, raise_alarm):
    theirs, foreign = raise_alarm(rita), raise_alarm(alice)
    assert [row.id for row in waiting(rita)] == [theirs]
    acknowledge(rita, theirs)
    with pytest.raises(NotFound):
        acknowledge(rita, foreign)


def test_a_manager_acknowledges_nothing(alice, mona, raise_alarm):
    emergency = raise_alarm(alice)
    with pytest.raises(Forbidden):
        acknowledge(mona, emergency)


def test_another_clinic_gets_nothing_by_id(alice, charlie, raise_alarm):
    emergency = raise_alarm(alice)
    assert waiting(charlie) == []
    with pytest.raises(NotFound):
        acknowledge(charlie, emergency)
    with pytest.raises(NotFound), db.scope(charlie) as scope:
        emergencies.get(scope, emergency)


def test_both_lists_come_in_pages(alice, raise_alarm):
    raised = [raise_alarm(alice) for _ in range(3)]
    with db.scope(alice) as scope:
        page = emergencies.waiting(scope, limit=2)
        assert page.more
        assert [row.id for row in emergencies.waiting(scope, after=page.rows[-1].id, limit=2).rows] == raised[2:]
    for emergency in raised:
        acknowledge(alice, emergency)
    page = answered(alice, limit=2)
    assert page.more
    assert [row.id for row in answered(alice, before=page.rows[-1].id, limit=2).rows] == raised[:1]


def test_looking_at_the_lists_leaves_one_trace_in_five_minutes(alice, raise_alarm):
    raise_alarm(alice)
    for _ in range(2):
        with db.scope(alice) as scope:
            waiting_ones, answered_ones = emergencies.view(scope)
    assert (len(waiting_ones.rows), answered_ones.rows) == (1, [])
    with db.scope(alice) as scope:
        assert scope.value("""
            select count(*) from audit_log
            where clinic_id = :clinic_id and action = 'list' and resource = 'emergencies'
            """) == 1


def test_an_alarm_is_about_its_questions_patient_and_nobody_raises_one_for_a_question_they_cannot_read(alice, charlie, rita, pat):
    with db.scope(alice) as scope:
        question = chats.post_question(scope, chats.open_thread(scope, pat), "can't breathe")
        raised = emergencies.raise_alarm(scope, question, categories=["airway"], rule_set="rules-1")
        assert emergencies.get(scope, raised).patient_id == pat
    for outsider in (charlie, rita):
        with pytest.raises(NotFound), db.scope(outsider) as scope:
            emergencies.raise_alarm(scope, question, categories=["airway"], rule_set="rules-1")
