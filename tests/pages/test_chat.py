"""The assistant's page, as each role sees it."""

import re
import threading
import time
from decimal import Decimal
from html import unescape
from uuid import UUID

import pytest
import streamlit as st
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from lib import advice, answers, auth, chats, db, drafts, rate_limits, team, workers, workflows
from lib.calls import Call, Ending
from lib.db import Page
from lib.errors import Invalid, TooMany
from lib.events import FREE, Done
from lib.settings import ROOT
from tests.lib.asking import settled, wait
from ui import conversation, state

EVIL = "![x](http://evil.example/x.png) <img src=http://evil.example/y> **bold** $x$"


@pytest.fixture
def pat(alice):
    with db.scope(alice) as scope:
        patient = scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name, date_of_birth)
            values (:clinic_id, :me, :me, 'Pat *Poe*', '1980-05-01') returning id
            """, me=alice.user_id)
        scope.run("""
            insert into patient_notes (clinic_id, patient_id, alerts, changed_by)
            values (:clinic_id, :patient, 'Penicillin allergy', :me)
            """, patient=patient, me=alice.user_id)
    return patient


@pytest.fixture(autouse=True)
def address(monkeypatch):
    """AppTest's own is a mock, which no database takes."""
    monkeypatch.setattr(ContextProxy, "ip_address", "127.0.0.1")


@pytest.fixture
def visit(open_page):
    def make(identity, patient=None):
        return open_page(identity, "chat", **({"patient": str(patient)} if patient else {}))
    return make


def words(at) -> str:
    seen = [str(element.value) for kind in (at.markdown, at.text, at.caption, at.info, at.error) for element in kind]
    return "\n".join(seen + [element.proto.body for element in at.get("html")])


def questions(at) -> list[str]:
    """What people typed, as the browser would show it."""
    return [unescape(found) for element in at.get("html")
            for found in re.findall(r"<div class='typed' dir='auto'>(.*?)</div>", element.proto.body, re.DOTALL)]


def send(at, question):
    return at.chat_input[0].set_value(question).run()


def test_an_empty_thread_says_what_to_ask(alice, visit):
    at = visit(alice)
    assert not at.exception
    assert "Nothing asked here yet" in words(at)
    assert at.chat_input[0].placeholder == "Ask a general question"
    first, *_others = suggested(at)
    assert first in questions(at.pills[0].set_value(first).run())


def test_a_question_is_answered_and_stands_in_the_thread_with_who_asked(alice, visit):
    at = send(visit(alice), "What is a root canal treatment?")
    assert not at.exception
    assert [message.name for message in at.chat_message] == ["user", "assistant"]
    shown = words(at)
    assert "Alice Adams" in shown
    assert "What is a root canal treatment?" in questions(at)
    assert "not yet reviewed by a clinician" in shown
    assert "no cost" in shown
    assert "Nothing asked here yet" not in shown


def test_the_patient_stays_in_sight_with_age_and_alerts(alice, pat, visit):
    at = visit(alice, pat)
    assert not at.exception
    assert at.title[0].value == "Pat \\*Poe\\*"
    assert "Penicillin allergy" in words(at)
    assert at.chat_input[0].placeholder == "Ask about this patient"


def test_a_colleague_reads_the_patients_thread(alice, bob, pat, visit):
    send(visit(alice, pat), "What is a filling?")
    assert "What is a filling?" in questions(visit(bob, pat))


def test_a_general_thread_is_nobody_elses(alice, bob, visit):
    send(visit(alice), "What is a filling?")
    assert "Nothing asked here yet" in words(visit(bob))


def test_a_receptionist_has_a_general_thread_and_no_way_to_a_patient(rita, pat, visit):
    at = send(visit(rita), "What is a filling?")
    assert len(at.chat_message) == 2
    assert not [button for button in at.button if "patient" in button.label.lower()]
    refused = visit(rita, pat)
    assert not refused.chat_input
    assert "Penicillin" not in words(refused)


def test_another_clinic_gets_the_same_answer_for_a_foreign_patient_as_for_nobody(charlie, pat, visit):
    from uuid import uuid4
    foreign, nobody, nonsense = visit(charlie, pat), visit(charlie, uuid4()), visit(charlie, "x")
    assert words(foreign) == words(nobody) == words(nonsense)
    assert not foreign.chat_input


def test_a_manager_has_no_such_page(mona, visit):
    at = visit(mona)
    assert not at.chat_input
    assert "Nothing asked here yet" not in words(at)


def test_what_was_sent_says_where_nothing_of_it_was_kept(alice, visit, monkeypatch):
    """As in the demo clinic, and once a patient is erased."""
    at = send(visit(alice), "What is a filling?")
    monkeypatch.setattr(st, "menu_button", lambda label, *_rest, **_more: "sent" if label == "More" else None)
    at.run()
    assert not at.exception
    assert "The words were not kept." in words(at)


def test_what_people_type_is_shown_as_typed_and_never_as_markdown(alice, visit):
    at = send(visit(alice), EVIL)
    assert EVIL in questions(at)
    assert "<img" not in words(at)
    assert not [element for element in at.markdown if "evil.example" in element.value]


def test_an_answers_markdown_holds_nothing_a_browser_would_fetch(alice, visit):
    with db.scope(alice) as scope:
        thread = chats.open_thread(scope, None)
        question = chats.post_question(scope, thread, "q")
        call = Call("fallback", None, "r", None, "en")
        answer = answers.start(scope, question, call)
        answers.finish(scope, answer, call, Ending(Done(), f"{EVIL} www.evil.example", 1), {})
    shown = next(element.value for element in visit(alice).markdown if "evil" in element.value)
    assert "\\!" not in shown
    assert "![x](" not in shown
    assert "!\\[x\\](" in shown
    assert "\\<img" in shown
    assert "http://" not in shown
    assert "www.evil" not in shown
    assert "unpriced" in words(visit(alice))


def test_an_emergency_shows_the_card_and_is_acknowledged_by_name(alice, pat, visit):
    at = send(visit(alice, pat), "He can't breathe and his tongue is swollen")
    assert "**Call 112 now.**" in words(at)
    next(button for button in at.button if button.label == "Acknowledge").click()
    at = at.run()
    at.text_area[0].set_value("Called 112")
    for button in at.button:  # AppTest reruns the whole page, so what opened the dialog has to be clicked again
        if button.label == "Acknowledge":
            button.click()
    at = at.run()
    assert not at.exception
    assert "Acknowledged by Alice Adams" in words(visit(alice, pat))


def press(at, label):
    next(button for button in at.button if button.label == label).click()
    return at.run()


def used_up(monkeypatch):
    """The limit of questions is reached."""
    def spend(kind, _who):
        if kind == "chats":
            raise TooMany(60, "chats")
    monkeypatch.setattr(rate_limits, "spend", spend)


def menus(at) -> list[str]:
    """What each answer on the screen offers."""
    return [" ".join(menu.proto.options) for menu in at.get("menu_button")]


def test_an_emergency_stated_to_be_general_says_where_one_clicked_why_it_gets_no_answer(alice, pat, visit):
    at = send(visit(alice, pat), "He can't breathe. " + "x" * 4001)
    at = press(at, "General question, not a patient now")
    assert not at.exception
    assert "4,000 characters" in at.chat_message[1].error[0].value


def test_an_emergency_stated_to_be_general_and_not_answered_offers_another_answer(alice, pat, visit, monkeypatch):
    at = send(visit(alice, pat), "He can't breathe and his tongue is swollen")
    assert menus(at) == []
    with monkeypatch.context() as limited:
        used_up(limited)
        press(at, "General question, not a patient now")
    at = visit(alice, pat)
    assert "Stated by Alice Adams" in words(at)
    assert ["Another answer" in menu for menu in menus(at)] == [True]
    at = choose(at, "again", monkeypatch)
    assert len(at.chat_message) == 3
    assert not [menu for menu in menus(at) if "Another answer" in menu]  # the built-in one would be the same again


def test_on_an_earlier_page_no_other_answer_is_offered_once_a_later_page_has_one(alice, visit, monkeypatch):
    send(visit(alice), "He can't breathe and his tongue is swollen")
    with monkeypatch.context() as limited:
        used_up(limited)
        press(visit(alice), "General question, not a patient now")
    for n in range(5):
        settled(workflows.ask(alice, None, f"Which planet number {n}?"))
    at = press(visit(alice), "Show earlier")
    assert "Another answer" in menus(at)[0]
    assert "attempt 2" in words(choose(at, "again", monkeypatch))
    at = press(visit(alice), "Show earlier")
    assert "Stated by Alice Adams" in words(at)
    assert not [menu for menu in menus(at) if "Another answer" in menu]


def choose(at, action, monkeypatch, which=0):
    """From the menu of the answer that stands there as number `which`."""
    with monkeypatch.context() as once:
        drawn = []

        def menu(label, *_rest, **_more):
            drawn.append(label)
            return action if len(drawn) == which + 1 else None
        once.setattr(st, "menu_button", menu)
        try_again = at.run()
    return try_again.run()


def test_a_question_that_is_too_long_stays_in_the_box_and_says_why(alice, visit):
    at = send(visit(alice), "x" * 4001)
    assert "4,001" in " ".join(error.value for error in at.error)
    assert not at.chat_message
    assert at.chat_input[0].proto.value == "x" * 4001


def test_twenty_thousand_characters_of_emergency_are_shown_whole(alice, visit):
    question = ("can't breathe 🦷 " * 2000)[:20_000]
    at = send(visit(alice), question)
    assert question in questions(at)


def test_older_messages_are_one_click_away(alice, visit):
    for n in range(7):
        asked = workflows.ask(alice, None, f"Which planet number {n}?")
        job = workers.find(asked.answer_id)
        assert job is None or wait(job, 10 ** 9, 10)
    at = visit(alice)
    assert len(at.chat_message) == 10
    assert "Which planet number 0?" not in questions(at)
    next(button for button in at.button if button.label == "Show earlier").click()
    at = at.run()
    assert "Which planet number 0?" in questions(at)
    next(button for button in at.button if button.label == "Show later").click()
    assert "Which planet number 6?" in questions(at.run())


def test_another_answer_on_an_earlier_page_leads_to_the_page_where_it_is(alice, visit, monkeypatch):
    for n in range(7):
        settled(workflows.ask(alice, None, f"Which planet number {n}?"))
    at = press(visit(alice), "Show earlier")
    assert "Which planet number 0?" in questions(at)
    monkeypatch.setattr(conversation.Reading, "again", lambda *_: True)
    at = choose(at, "again", monkeypatch)
    assert "Which planet number 6?" in questions(at)
    assert "attempt 2" in words(at)


def test_an_answer_that_stands_apart_from_its_question_names_it(alice, pat, visit):
    first = settled(workflows.ask(alice, pat, f"What is a filling? {EVIL}"))
    settled(workflows.ask(alice, pat, "What is a root canal?"))
    assert "To: " not in words(visit(alice, pat))
    settled(workflows.ask_again(alice, first.answer_id))
    at = visit(alice, pat)
    named = [element.proto.body for element in at.get("html") if "To: " in element.proto.body]
    assert len(named) == 1
    assert "What is a filling?" in named[0]
    assert "<img" not in named[0]
    assert named[0] in [element.proto.body for element in at.chat_message[-1].get("html")]


def test_what_this_tab_waits_for_no_longer_is_shown_as_cut_off_and_offers_nothing(alice, visit, monkeypatch):
    settled(workflows.ask(alice, None, "What is a root canal?"))
    with db.scope(alice) as scope:
        thread = chats.find_thread(scope, None)
        question = chats.post_question(scope, thread, "Which planet has the most moons?")
        answer = answers.start(scope, question, Call("provider", None, "test", None, "en"))
        answers.keep(scope, answer, "Half of it")
    monkeypatch.setattr(state, "has_given_up", lambda message_id: message_id == answer)

    at = visit(alice)

    last = "\n".join(element.value for element in at.chat_message[-1].markdown)
    assert "Half of it" in last
    assert "interrupted" in last
    assert [len(one.get("menu_button")) for one in at.chat_message if one.name == "assistant"] == [1, 0]


def test_a_question_on_an_earlier_page_is_named_as_well(alice, visit):
    asked = [settled(workflows.ask(alice, None, f"Which planet number {n}?")) for n in range(6)]
    settled(workflows.ask_again(alice, asked[0].answer_id))
    shown = words(visit(alice))
    assert "“Which planet number 0?”" in shown  # the last answer's
    assert "“Which planet number 1?”" in shown  # the first answer's, whose question is the last of the page before
    assert shown.count("To: ") == 2


def test_what_a_crash_left_open_says_so(alice, owner, visit):
    from sqlalchemy import text
    with db.scope(alice) as scope:
        scope.run("""insert into chat_threads (clinic_id, id, user_id)
                     values (:clinic_id, app.uuid_floor(now() - interval '5 minutes'), :me)""", me=alice.user_id)
        thread = chats.open_thread(scope, None)
        question = chats.post_question(scope, thread, "What is a filling?")
        answer = answers.start(scope, question, Call("kb", None, "r", None, "en"))
    with owner.begin() as connection:
        connection.execute(text("alter table chat_messages disable trigger finish_once"))
        connection.execute(text("update chat_messages set id = app.uuid_floor(now() - interval '3 minutes'), "
                                "content = 'Half of it' where id = :id"), {"id": answer})
        connection.execute(text("alter table chat_messages enable trigger finish_once"))
    shown = words(visit(alice))
    assert "This answer was interrupted" in shown
    assert f"Half of it\n\n{advice.safety_net('112')}" in shown


def test_a_card_that_a_provider_raised_tells_that_one_was_asked(alice, visit):
    call = Call("provider", None, "r", None, "en", provider="openai", model="gpt-5")
    with db.scope(alice) as scope:
        question = chats.post_question(scope, chats.open_thread(scope, None), "It feels odd.")
        answers.finish(scope, answers.start(scope, question, call), call, Ending(Done(raised="E"), "**Call 112 now.**", 1),
                       {"categories": ["model"]})
    shown = words(visit(alice))
    assert "Call 112 now" in shown
    assert "AI provider" in shown.split("Call 112 now")[1]


@pytest.mark.parametrize(("cost", "source", "shown"), [
    ("0.00046500", "estimated", "about \\$0.000465"), ("0.00046500", "price_table", "\\$0.000465"), ("12.50", "provider", "\\$12.5"),
    ("3", "provider", "\\$3"), ("0", "provider", "no cost"), (None, None, "unpriced")])
def test_a_cost_says_whether_it_was_measured_estimated_or_is_unknown(alice, visit, cost, source, shown):
    call = Call("provider", None, "r", None, "en", provider="openai", model="large")
    done = Done(model="large", cost_usd=None if cost is None else Decimal(cost), cost_source=source)
    with db.scope(alice) as scope:
        question = chats.post_question(scope, chats.open_thread(scope, None), "Which planet?")
        answers.finish(scope, answers.start(scope, question, call), call, Ending(done, "None of them.", 1), {})

    [under] = [element.value for element in visit(alice).markdown if "None of them." in element.value]

    assert under.endswith(f"AI provider · large · {shown}]]")


def test_a_bill_that_is_still_to_come_is_not_unpriced(alice, visit):
    call = Call("provider", None, "r", None, "en", provider="openai", model="large")
    with db.scope(alice) as scope:
        question = chats.post_question(scope, chats.open_thread(scope, None), "Which planet?")
        answers.finish(scope, answers.start(scope, question, call), call, Ending(Done("stopped"), "Half an", 1, billed=False), {})

    shown = words(visit(alice))

    assert "cost counted in Analytics" in shown
    assert "unpriced" not in shown


def test_a_signed_out_visitor_is_shown_no_thread(database):
    at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=15).run()
    assert not at.chat_input
    assert not at.chat_message


def test_an_urgent_question_that_is_too_long_gets_its_advice_and_stays_in_the_box(alice, visit):
    question = "A child knocked out a front tooth half an hour ago. " + "And more about the day. " * 200
    at = send(visit(alice), question)
    assert "dentist today" in words(at)
    assert "Too long to be answered" in words(at)
    assert "4,000 characters" in " ".join(error.value for error in at.error)
    assert at.chat_input[0].proto.value == question


def test_a_refusal_is_shown_as_text_and_never_as_markdown(alice, visit, monkeypatch):
    def refuse(*_):
        raise Invalid(EVIL)
    monkeypatch.setattr(workflows, "ask", refuse)
    error, = send(visit(alice), "What is a filling?").error
    assert "![x](" not in error.value
    assert "http://" not in error.value
    assert "<img" not in error.value.replace("\\<", "")


def test_an_answer_of_another_process_is_looked_for_once_a_second_without_keeping_the_session_awake(alice, visit, monkeypatch):
    call = Call("fallback", None, "r", None, "en")
    with db.scope(alice) as scope:
        question = chats.post_question(scope, chats.open_thread(scope, None), "What is a filling?")
        answer = answers.start(scope, question, call)

    def end():
        with db.scope(alice) as scope:
            answers.finish(scope, answer, call, Ending(FREE, "From elsewhere.", 1), {})
    with db.scope(alice) as scope:
        answers.keep(scope, answer, "From else")
    drawn, markdown = [], conversation.answers.text
    monkeypatch.setattr(conversation.answers, "text", lambda content, name: drawn.append(content) or markdown(content, name))
    looks, kept_awake, real = [], [], auth.resume

    def resume(*args, active=True, **more):
        (kept_awake if active else looks).append(time.monotonic())
        return real(*args, active=active, **more)
    monkeypatch.setattr(auth, "resume", resume)
    elsewhere = threading.Timer(2.5, end)
    elsewhere.start()
    at = visit(alice)
    elsewhere.join()
    assert "From elsewhere." in words(at)
    assert drawn.count("From else") == 1
    assert 2 <= len(looks) <= 5
    assert not [at for at in kept_awake if looks[0] < at < looks[-1]]


def test_an_answer_whose_asker_left_says_why_it_ends(alice, bob, visit):
    with db.scope(bob) as scope:
        patient = scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, 'Pat Poe') returning id
            """, me=bob.user_id)
        question = chats.post_question(scope, chats.open_thread(scope, patient), "What may they eat?")
        answers.keep(scope, answers.start(scope, question, Call("provider", None, "r", None, "en")), "Soft foo")
    with db.scope(alice) as scope:
        team.deactivate(scope, bob.user_id)

    shown = words(visit(alice, patient=str(patient)))

    assert "Soft foo" in shown
    assert "Stopped: whoever asked can't read this any more." in shown


def test_what_the_page_has_read_is_kept_by_nobody(alice, visit):
    reading = conversation.Reading(Page([], False), {}, False)
    handed = [(alice, reading, "")]
    assert conversation._history.__wrapped__(None, UUID(int=0), [], handed) is None
    assert handed == []


# a question that was not asked yet -----------------------------------------------------------------------------------


def leave(who, patient_id, words: str) -> None:
    with db.scope(who) as scope:
        drafts.keep_text(scope, f"question:{patient_id or 'general'}", words)


def in_the_box(at):
    return at.chat_input[0].proto.value if at.chat_input[0].proto.set_value else ""


def test_a_thread_opens_with_what_its_author_left_in_the_box(visit, alice, bob, pat):
    leave(alice, pat, "Does ibuprofen")
    leave(alice, None, "How long")
    assert in_the_box(visit(alice, pat)) == "Does ibuprofen"
    assert in_the_box(visit(alice)) == "How long"
    assert in_the_box(visit(bob, pat)) == in_the_box(visit(bob)) == ""


def test_it_is_gone_once_it_was_asked_and_stays_when_it_was_refused(visit, alice, pat):
    leave(alice, pat, "What is a root canal?")
    at = visit(alice, pat)
    at.chat_input[0].set_value("What is a root canal?").run()
    leave(alice, pat, "x" * 4_001)
    at.chat_input[0].set_value("x" * 4_001).run()
    with db.scope(alice) as scope:
        assert drafts.load_texts(scope, [f"question:{pat}"])[f"question:{pat}"].text == "x" * 4_001
    assert questions(at) == ["What is a root canal?"]


def test_a_refresh_of_the_page_puts_nothing_back_into_the_box(visit, alice, pat):
    """What the tab shows is newer than what was kept."""
    at = visit(alice, pat)
    leave(alice, pat, "Does ibuprofen")
    assert in_the_box(at.run()) == ""


# suggested questions, and a search in the thread ---------------------------------------------------------------------


def test_questions_are_suggested_and_one_that_was_asked_no_more(alice, visit):
    offered = conversation._suggestions(None)
    settled(workflows.ask(alice, None, offered[1]))
    at = visit(alice)
    assert suggested(at) == [offered[0], *offered[2:]]
    at.pills[0].set_value(offered[0]).run()
    assert offered[0] in questions(at)


def test_a_suggestion_that_was_refused_leaves_what_is_typed_in_the_box(visit, alice, pat, monkeypatch):
    leave(alice, pat, "Does ibuprofen")
    at = visit(alice, pat)
    used_up(monkeypatch)
    at.pills[0].set_value(suggested(at)[0]).run()
    assert at.error
    with db.scope(alice) as scope:
        assert drafts.load_texts(scope, [f"question:{pat}"])[f"question:{pat}"].text == "Does ibuprofen"


def suggested(at) -> list[str]:
    return [option for pills in at.pills for option in pills.options]


def test_a_search_finds_text_and_no_pattern(alice, pat):
    with db.scope(alice) as scope:
        thread = chats.open_thread(scope, pat)
        for words in ("100 % sure?", "100 times sure", "snake_case", "snakes case", "C:\\tooth"):
            chats.post_question(scope, thread, words)
        elsewhere = chats.open_thread(scope, None)
        chats.post_question(scope, elsewhere, "100 % elsewhere")
        found = {term: [message.content for message in chats.search(scope, thread, term)]
                 for term in ("100 %", "SURE", "snake_case", "C:\\t", "nothing")}
    assert found == {"100 %": ["100 % sure?"], "SURE": ["100 times sure", "100 % sure?"], "snake_case": ["snake_case"],
                     "C:\\t": ["C:\\tooth"], "nothing": []}
