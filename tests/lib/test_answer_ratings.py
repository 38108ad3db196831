"""What members think of answers: who reads the reasons, and what stands beside them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lib import answer_ratings, db, periods
from lib.answer_ratings import Complaint
from lib.errors import Forbidden
from tests.lib.asking import ask


def complain(who, asked, reason="Beside the question", *, helpful=False):
    with db.scope(who) as scope:
        answer_ratings.rate(scope, asked.answer_id, helpful=helpful, reason=reason)


def complaints(who, *, ago: int = 0, **limit) -> list[Complaint]:
    """Of the week that ended `ago` days ago."""
    with db.scope(who) as scope:
        return answer_ratings.find_complaints(scope, periods.preset("7d", periods.today(who) - timedelta(days=ago)), **limit)


def test_an_owner_reads_who_said_what_of_which_kind_of_answer_the_newest_first(alice, bob, pat):
    complain(alice, ask(alice, "What is a filling?"), "Too <b>long</b>")
    complain(bob, ask(bob, "Which planet has the most moons?", pat))

    newest, first = complaints(alice)

    assert (newest.rated_by, newest.reason, newest.route) == ("Bob Brown", "Beside the question", "fallback")
    assert newest.question == "Which planet has the most moons?"
    assert (first.rated_by, first.reason, first.route) == ("Alice Adams", "Too <b>long</b>", "kb")
    assert complaints(alice, limit=1) == [newest]


def test_a_colleagues_general_question_does_not_come_along_with_the_reason(alice, rita):
    complain(rita, ask(rita, "What is a filling?"))

    assert complaints(alice) == [replace(complaints(alice)[0], rated_by="Rita Ross", route="kb", question=None)]


def test_only_a_reason_that_something_was_not_helpful_is_one(alice):
    complain(alice, ask(alice, "What is a filling?"), "")
    complain(alice, ask(alice, "What is a crown?"), "Just right", helpful=True)

    assert complaints(alice) == []


def test_those_of_answers_outside_the_period_stay_out(alice):
    complain(alice, ask(alice, "What is a filling?"))

    assert len(complaints(alice)) == 1
    assert complaints(alice, ago=1) == []


def test_neither_managers_nor_who_reads_no_figures_nor_another_clinic_reads_them(alice, bob, charlie, mona, rita, pat):
    complain(bob, ask(bob, "What is a filling?", pat))

    for who in (bob, mona, rita):
        with pytest.raises(Forbidden):
            complaints(who)
    assert complaints(charlie) == []


def test_reading_them_is_on_record(alice):
    complaints(alice)

    with db.scope(alice) as scope:
        assert scope.value("select count(*) from audit_log where clinic_id = :clinic_id and resource = 'answer_reasons'") == 1
