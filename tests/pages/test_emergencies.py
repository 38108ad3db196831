"""The emergencies page, as each role sees it."""

import pytest
from streamlit.runtime.context import ContextProxy

from lib import chats, db, emergencies, workflows

ALARM = "He can't breathe and his tongue is swollen"


@pytest.fixture
def pat(alice):
    with db.scope(alice) as scope:
        return scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name)
            values (:clinic_id, :me, :me, 'Pat *Poe*') returning id
            """, me=alice.user_id)


@pytest.fixture(autouse=True)
def address(monkeypatch):
    """AppTest's own is a mock, which no database takes."""
    monkeypatch.setattr(ContextProxy, "ip_address", "127.0.0.1")


@pytest.fixture
def visit(open_page):
    return lambda identity: open_page(identity, "emergencies")


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
    return submit(at)


def submit(at):
    """AppTest reruns the whole page, so what opened the dialog has to be clicked again."""
    for button in at.button:
        if button.label == "Acknowledge":
            button.click()
    return at.run()


def test_a_clinic_without_one_is_told_what_this_page_is_for(alice, visit):
    at = visit(alice)
    assert not at.exception
    assert "No emergency was ever raised" in words(at)


def test_an_alerts_link_shows_the_one_it_is_about_before_the_others(alice, bob, charlie, pat, open_page):
    workflows.ask(alice, None, ALARM)
    workflows.ask(bob, pat, ALARM)
    with db.scope(alice) as scope:
        told = emergencies.waiting(scope).rows[1].id
    at = open_page(alice, "emergencies", emergency=str(told))
    assert [element.value for element in at.subheader] == ["The one you were told of", "Open"]
    assert ["Bob Brown" in element.value for element in at.markdown if "raised by" in element.value] == [True, False]
    at = acknowledge(at)
    assert [element.value for element in at.subheader] == ["The one you were told of", "Open", "Acknowledged"]
    assert not at.exception
    strange = open_page(charlie, "emergencies", emergency=str(told))
    assert "Bob Brown" not in words(strange)
    assert not button_labels(strange, "Acknowledge")


def button_labels(at, label):
    return [button for button in at.button if button.label == label]


def test_an_open_one_shows_its_age_who_raised_it_and_about_whom(alice, bob, pat, visit):
    workflows.ask(bob, pat, ALARM)
    at = visit(alice)
    assert not at.exception
    assert "Breathing or swallowing" in words(at)
    assert "just now" in words(at)
    assert "Bob Brown" in words(at)
    assert "Pat \\*Poe\\*" in [link.proto.label for link in at.get("page_link")]


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


def test_the_second_person_reads_who_was_first(alice, bob, pat, visit, monkeypatch):
    raised = workflows.ask(alice, pat, ALARM)
    with db.scope(alice) as scope:
        still_open = emergencies.waiting(scope)
    at = visit(alice)
    button(at, "Acknowledge").click()
    at = at.run()
    with db.scope(bob) as scope:
        found = emergencies.of_questions(scope, raised.thread_id, [raised.question_id])[raised.question_id]
        emergencies.acknowledge(scope, found.id, action_taken="Called 112")
    at.text_area[0].set_value("Something else")
    monkeypatch.setattr(emergencies, "waiting", lambda scope, **_page: still_open)  # her page still shows it as open
    assert "Bob Brown has acknowledged this already" in words(submit(at))


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
    assert "Emergencies" not in [title.value for title in visit(mona).title]


def test_every_open_one_is_within_reach(alice, visit):
    with db.scope(alice) as scope:
        thread = chats.open_thread(scope, None)
        raised = [emergencies.raise_alarm(scope, chats.post_question(scope, thread, f"{n}"), categories=[f"sign {n}"],
                                          rule_set="r") for n in range(51)]
    at = visit(alice)
    assert "Sign 0" in words(at)
    assert "Sign 50" not in words(at)
    button(at, "Newer").click()
    at = at.run()
    assert "Sign 50" in words(at)
    assert "Sign 0" not in words(at)
    with db.scope(alice) as scope:
        emergencies.acknowledge(scope, raised[50], action_taken="", false_alarm=True)
    at = at.run()
    assert not at.exception
    assert "Sign 0" in words(at)
    assert "Every emergency has been answered for" not in words(at)


def test_a_look_at_the_page_is_audited(alice, visit):
    visit(alice)
    with db.scope(alice) as scope:
        assert scope.value("""
            select count(*) from audit_log where clinic_id = :clinic_id and action = 'list' and resource = 'emergencies'
            """) == 1


def test_a_name_in_a_refusal_is_a_name_and_no_link(alice, hire, visit, monkeypatch):
    raised = workflows.ask(alice, None, ALARM)
    link = hire(alice, "clinician", "Eve [x](http://evil.example)")
    with db.scope(alice) as scope:
        still_open = emergencies.waiting(scope)
    at = visit(alice)
    button(at, "Acknowledge").click()
    at = at.run()
    with db.scope(alice) as scope:
        found = emergencies.of_questions(scope, raised.thread_id, [raised.question_id])[raised.question_id]
    with db.scope(link) as scope:
        emergencies.acknowledge(scope, found.id, action_taken="Called 112")
    at.text_area[0].set_value("Something else")
    monkeypatch.setattr(emergencies, "waiting", lambda scope, **_page: still_open)
    refusal, = [error.value for error in submit(at).error]
    assert "Eve \\[x\\]" in refusal
    assert "http://" not in refusal
