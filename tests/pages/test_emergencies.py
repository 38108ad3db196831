"""The emergencies page, as each role sees it."""

import pytest
from streamlit.testing.v1 import AppTest

from lib import db, emergencies, workflows

ALARM = "He can't breathe and his tongue is swollen"


@pytest.fixture
def pat(alice):
    with db.scope(alice) as scope:
        return scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name)
            values (:clinic_id, :me, :me, 'Pat *Poe*') returning id
            """, me=alice.user_id)


@pytest.fixture
def visit(token_of):
    def make(identity):
        at = AppTest.from_file("ui/main.py", default_timeout=20)
        at.user = {"session": token_of(identity)}
        return at.run().switch_page("../pages/emergencies.py").run()
    return make


def words(at) -> str:
    return "\n".join(str(element.value) for kind in (at.markdown, at.caption, at.subheader, at.error) for element in kind)


def button(at, label):
    return next(button for button in at.button if button.label == label)


def acknowledge(at, action="Called 112", false_alarm=False):
    button(at, "Acknowledge").click()
    at = at.run()
    at.text_area[0].set_value(action)
    if false_alarm:
        at.checkbox[0].check()
    next(b for b in at.button if b.label == "Acknowledge" and "FormSubmitter" in str(b.key or b.id)).click()
    return at.run()


def test_a_clinic_without_one_is_told_what_this_page_is_for(alice, visit):
    at = visit(alice)
    assert not at.exception
    assert "No emergency was ever raised" in words(at)


def test_an_open_one_shows_its_age_who_raised_it_and_about_whom(alice, bob, pat, visit):
    workflows.ask(bob, pat, ALARM)
    at = visit(alice)
    assert not at.exception
    assert "Breathing or swallowing" in words(at)
    assert "ago" in words(at)
    assert "Bob Brown" in words(at)
    assert "Pat \\\\*Poe\\\\*" in str(at.main) or "Pat" in str(at.main)


def test_acknowledging_moves_it_down_with_the_name_and_what_was_done(alice, bob, pat, visit):
    workflows.ask(alice, pat, ALARM)
    at = acknowledge(visit(bob))
    assert not at.exception
    shown = words(visit(alice))
    assert "Every emergency has been answered for" in shown
    assert "Acknowledged by Bob Brown" in shown
    assert "Called 112" in shown


def test_nothing_done_and_no_false_alarm_is_asked_again(alice, visit):
    workflows.ask(alice, None, ALARM)
    at = acknowledge(visit(alice), action="")
    assert "what was done" in words(at)
    assert "Acknowledged by" not in words(visit(alice))


def test_a_false_alarm_needs_no_words(alice, visit):
    workflows.ask(alice, None, ALARM)
    acknowledge(visit(alice), action="", false_alarm=True)
    assert "false alarm" in words(visit(alice))


def test_the_second_person_reads_who_was_first(alice, bob, visit):
    raised = workflows.ask(alice, None, ALARM)
    at = visit(alice)
    button(at, "Acknowledge").click()
    at = at.run()
    with db.scope(bob) as scope:
        found = emergencies.of_questions(scope, raised.thread_id, [raised.question_id])[raised.question_id]
        emergencies.acknowledge(scope, found.id, action_taken="Called 112")
    at.text_area[0].set_value("Something else")
    next(b for b in at.button if b.label == "Acknowledge" and "FormSubmitter" in str(b.key or b.id)).click()
    assert "Bob Brown has acknowledged this already" in words(at.run())


def test_a_receptionist_sees_their_own_only(alice, rita, pat, visit):
    workflows.ask(alice, pat, ALARM)
    assert "No emergency was ever raised" in words(visit(rita))
    workflows.ask(rita, None, ALARM)
    at = visit(rita)
    assert "Rita Ross" in words(at)
    assert "Pat" not in words(at)


def test_another_clinic_sees_nothing(alice, charlie, pat, visit):
    workflows.ask(alice, pat, ALARM)
    assert "No emergency was ever raised" in words(visit(charlie))


def test_a_manager_has_no_such_page(mona, visit):
    with pytest.raises(ValueError, match="page"):
        visit(mona)
