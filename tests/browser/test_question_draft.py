"""A question that was typed and not asked yet: it survives, for its author alone."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from lib import db, drafts, patients
from lib.patient_form import PatientForm
from tests.browser.conftest import becomes, settled, sign_in
from tests.browser.test_sessions import age  # noqa: F401

WORDS = "May she take ibuprofen although"


@pytest.fixture
def ann(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, PatientForm(full_name="Ann Lee"))


@pytest.fixture
def bert(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, PatientForm(full_name="Bert Lau"))


def box(page: Page):
    return page.get_by_role("textbox", name=re.compile("Ask"))


def kept(who, patient_id) -> str:
    with db.scope(who) as scope:
        return "".join(found.text for found in drafts.load_texts(scope, [f"question:{patient_id or 'general'}"]).values())


def asked(who) -> int:
    with db.scope(who) as scope:
        return scope.value("select count(*) from chat_messages where clinic_id = :clinic_id and role = 'user'")


def test_it_survives_a_reload_in_the_middle_of_a_word(signed_in, alice, ann):
    page = signed_in(alice, f"/chat?patient={ann}")
    box(page).press_sequentially(WORDS)
    page.reload()
    settled(page)
    expect(box(page)).to_have_value(WORDS)
    assert asked(alice) == 0


@pytest.mark.long  # the form of the clinic does the same in tests/browser/test_kept.py
def test_it_survives_an_idle_sign_out(signed_in, age, alice, ann):  # noqa: F811
    page = signed_in(alice, f"/chat?patient={ann}")
    box(page).press_sequentially(WORDS)
    age(alice, "29 minutes 15 seconds")
    expect(page.get_by_role("alertdialog")).to_contain_text("What you are typing is kept")
    age(alice, "31 minutes")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    sign_in(page, alice.email)
    expect(box(page)).to_have_value(WORDS)
    assert asked(alice) == 0


def test_a_box_that_is_drawn_in_the_middle_of_a_word_is_kept_too(signed_in, alice):
    """Its first sign of life is a letter: no glance and no focus came before."""
    page = signed_in(alice, "/chat")
    page.evaluate("""async words => {
        while (!window.chairsideWatch) await new Promise(later => setTimeout(later, 50))
        document.body.insertAdjacentHTML("beforeend", '<p class="st-key-kept_question_general"><textarea></textarea></p>')
        const late = document.body.lastElementChild.firstElementChild
        late.value = words
        late.dispatchEvent(new Event("input", { bubbles: true }))
    }""", WORDS)
    becomes(page, lambda: kept(alice, None), WORDS)


def test_keeping_it_keeps_no_idle_session_alive(signed_in, age, owner, alice):  # noqa: F811
    page = signed_in(alice, "/chat")
    age(alice, "20 minutes")
    box(page).press_sequentially(WORDS)
    becomes(page, lambda: kept(alice, None), WORDS)
    with owner.connect() as connection:
        idle = connection.execute(text("select extract(epoch from now() - max(seen_at)) from sessions where user_id = :id"),
                                  {"id": alice.user_id}).scalar()
    assert idle > 19 * 60


def test_each_thread_has_its_own_and_nobody_else_sees_it(signed_in, alice, bob, charlie, ann, bert):
    page = signed_in(alice, f"/chat?patient={ann}")
    box(page).press_sequentially(WORDS)
    page.get_by_role("link", name="Patients").first.click()  # no reload: the box goes, its text has been sent
    expect(page.get_by_role("heading", name="Patients")).to_be_visible()
    for other in (f"/chat?patient={bert}", "/chat"):
        page.goto(other)
        settled(page)
        expect(box(page)).to_have_value("")
    for somebody, address in ((bob, f"/chat?patient={ann}"), (bob, "/chat"), (charlie, "/chat")):
        theirs = signed_in(somebody, address)
        expect(box(theirs)).to_have_value("")
        assert WORDS not in theirs.content()
    page.goto(f"/chat?patient={ann}")
    settled(page)
    expect(box(page)).to_have_value(WORDS)


def test_choosing_another_patient_carries_no_word_over(signed_in, alice, ann, bert):
    page = signed_in(alice, f"/chat?patient={ann}")
    box(page).press_sequentially(WORDS)
    page.get_by_role("button", name="Change").click()
    page.get_by_label("Find a patient").fill("Bert")
    page.get_by_role("button", name=re.compile("Bert")).click()
    expect(page.get_by_role("heading", name="Bert Lau")).to_be_visible()
    expect(box(page)).to_have_value("")
    page.wait_for_timeout(2000)  # so long a letter may be on its way
    becomes(page, lambda: (kept(alice, ann), kept(alice, bert)), (WORDS, ""))


def test_a_letter_that_comes_late_takes_no_refused_question_away(signed_in, alice, ann):
    """The tab's word that its box is empty, sent when the question was handed in, arrives after the refusal."""
    page, waiting = signed_in(alice, f"/chat?patient={ann}"), []
    page.route("**/api/v1/drafts", lambda route: route.continue_() if route.request.post_data_json["text"] else waiting.append(route))
    box(page).fill("x" * 4_001)
    becomes(page, lambda: kept(alice, ann), "x" * 4_001)
    box(page).evaluate("""async box => {
        box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }))
        await new Promise(later => setTimeout(later))
        document.body.click()  // sends at once what stands in the box: nothing, until the refusal is back
    }""")
    expect(page.get_by_text("A question has room for 4,000 characters")).to_be_visible()
    becomes(page, lambda: len(waiting), 1)
    with page.expect_response("**/api/v1/drafts") as answered:
        waiting[0].continue_()
    assert answered.value.status == 204
    assert kept(alice, ann) == "x" * 4_001


def test_once_asked_it_is_gone_and_a_refused_one_stays(signed_in, alice, ann):
    page = signed_in(alice, f"/chat?patient={ann}")
    box(page).press_sequentially("What is a root canal?")
    becomes(page, lambda: kept(alice, ann), "What is a root canal?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is general information").first).to_be_visible()
    page.wait_for_timeout(2000)  # so long a letter may be on its way
    becomes(page, lambda: kept(alice, ann), "")
    box(page).fill("x" * 4_001)
    page.keyboard.press("Enter")
    expect(page.get_by_text("A question has room for 4,000 characters")).to_be_visible()
    page.wait_for_timeout(2500)
    page.reload()
    settled(page)
    expect(box(page)).to_have_value("x" * 4_001)
    box(page).fill("")
    page.wait_for_timeout(2000)  # so long a letter may be on its way
    becomes(page, lambda: kept(alice, ann), "")
