"""Whatever is typed into a form is there again after an idle sign-out or a reload, for its author alone, until it is saved."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from lib import assistant_settings, credentials, db, workflows
from tests.browser.conftest import settled, sign_in
from tests.browser.test_sessions import age  # noqa: F401

WORDS = "Called 112, handed over at 14:05"
SENT = 1_600  # milliseconds in which a tab has sent what was typed
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF"


@pytest.fixture
def house(alice, bob) -> None:
    """An emergency, an answer, and credentials that wait."""
    workflows.ask(alice, None, "He can't breathe and his tongue is swollen")
    workflows.ask(alice, None, "What is a root canal?")
    with db.scope(bob) as scope:
        credentials.submit(scope, "Orthodontics", "DE-1", credentials.Document("a.pdf", "application/pdf", PDF))
    with db.scope(alice) as scope:
        assistant_settings.amend(scope, assistant_settings.AssistantSettings(
            False, False, "https://ai.example/v1", "m-1", "key", version=assistant_settings.get(scope).version))


def open_acknowledgement(page: Page) -> None:
    page.get_by_role("button", name="Acknowledge").first.click()


def open_feedback(page: Page) -> None:
    page.get_by_role("button", name="More").last.click()
    page.get_by_text("Not helpful").click()


def open_review(page: Page) -> None:
    page.get_by_role("button", name="Review").click()


def open_invitation(page: Page) -> None:
    page.get_by_role("button", name="Invite").click()


def stay(_page: Page) -> None:
    """The form stands on the page itself."""


@dataclass(frozen=True)
class Form:
    """`save`: the button that hands it in. `stored`: what the field holds before anybody types."""

    address: str
    open: Callable[[Page], None]
    label: str
    words: str
    save: str
    saved: str
    stored: str = ""


FORMS = {
    "acknowledgement": Form("/emergencies", open_acknowledgement, "What was done", WORDS, "Acknowledge", "Acknowledged."),
    "feedback": Form("/chat", open_feedback, "Reason", "Beside the question", "Send", "Thank you, noted."),
    "reason": Form("/team", open_review, "Reason", "The number is not in the register", "Reject", "rejected."),
    "invitation": Form("/team", open_invitation, "Email", "new.colleague@example.org", "Make the link", "It works once, for 72 hours"),
    "clinic": Form("/clinic", stay, "Clinic name", "Zahnärzte am Park", "Save", "Settings saved.", "Adams Dental"),
    "networks": Form("/clinic", stay, "Owner pages open only from these networks", "127.0.0.0/8", "Save", "Settings saved."),
    "provider": Form("/provider", stay, "Model", "gemini-2.5-pro", "Save", "Settings saved.", "m-1"),
    "profile": Form("/account", stay, "Full name", "Alice Adams-Brown", "Save", "Profile saved.", "Alice Adams"),
    "licence": Form("/account", stay, "Specialization", "Endodontics", "Submit for approval", "Your credentials are saved."),
}


@pytest.fixture(params=[name if name in ("acknowledgement", "licence") else pytest.param(name, marks=pytest.mark.long)
                        for name in FORMS], ids=str)
def form(request) -> Form:
    return FORMS[request.param]


def field(page: Page, form: Form) -> Locator:
    return page.get_by_role("textbox", name=form.label)


def visit(page: Page, form: Form) -> Locator:
    page.goto(form.address)
    settled(page)
    return show(page, form)


def show(page: Page, form: Form) -> Locator:
    """The form's field, on its page."""
    form.open(page)
    expect(field(page, form)).to_be_visible()
    return field(page, form)


def kept(who) -> list[str]:
    with db.scope(who) as scope:
        return scope.connection.execute(db.statement(
            "select data ->> 'text' from drafts where clinic_id = :clinic_id and user_id = :me"),
            {"clinic_id": who.clinic_id, "me": who.user_id}).scalars().all()


def rub_out_and_type(page: Page, box: Locator, words: str) -> None:
    box.fill("")
    box.press_sequentially(words)


def test_it_survives_a_reload_in_the_middle_of_a_word_and_goes_once_it_is_saved(signed_in, house, alice, form):
    page = signed_in(alice, form.address)
    box = show(page, form)
    expect(box).to_have_value(form.stored)
    rub_out_and_type(page, box, form.words)
    page.wait_for_timeout(SENT)
    expect(visit(page, form)).to_have_value(form.words)
    if form.label == "Specialization":
        page.get_by_label("Licence number").fill("DE-4711")
        page.locator("input[type=file]").set_input_files({"name": "a.pdf", "mimeType": "application/pdf", "buffer": PDF})
        expect(page.get_by_text("a.pdf")).to_be_visible()
    where = page if form.open is stay else page.get_by_role("dialog")
    where.get_by_role("button", name=form.save, exact=True).click()
    expect(page.get_by_text(form.saved).first).to_be_visible()
    page.wait_for_timeout(SENT)
    assert kept(alice) == []


@pytest.mark.parametrize("form", ["clinic", *(pytest.param(form, marks=pytest.mark.long) for form in
                                              ("acknowledgement", "invitation", "profile"))], indirect=True)
def test_it_survives_an_idle_sign_out_and_the_next_person_at_this_machine_does_not_see_it(
        signed_in, age, house, alice, form, hire):  # noqa: F811
    colleague = hire(alice, "owner", "Olga Ost")
    page = signed_in(alice, form.address)
    rub_out_and_type(page, show(page, form), form.words)
    age(alice, "29 minutes 15 seconds")
    expect(page.get_by_role("alertdialog")).to_contain_text("What you are typing is kept")
    age(alice, "31 minutes")
    page.wait_for_url("**/*ended=1", wait_until="commit")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    assert form.words not in page.content()
    sign_in(page, colleague.email)
    settled(page)
    if form.address not in ("/chat", "/account"):
        form.open(page)
        expect(field(page, form)).not_to_have_value(form.words)
    assert form.words not in page.content()
    page.reload()  # closes a dialog
    settled(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, alice.email)
    settled(page)
    expect(visit(page, form)).to_have_value(form.words)


def test_a_closed_dialog_opens_with_what_was_typed(signed_in, house, alice):
    form = FORMS["acknowledgement"]
    page = signed_in(alice, form.address)
    show(page, form).press_sequentially(WORDS)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_timeout(300)
    form.open(page)
    expect(field(page, form)).to_have_value(WORDS)


def test_a_refused_form_keeps_its_words(signed_in, house, alice):
    form = FORMS["invitation"]
    page = signed_in(alice, form.address)
    show(page, form).fill("nobody at home")
    page.get_by_role("button", name=form.save).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    expect(visit(page, form)).to_have_value("nobody at home")


def test_a_draft_says_that_it_is_back_and_can_be_given_up(signed_in, house, alice):
    form = FORMS["clinic"]
    page = signed_in(alice, form.address)
    show(page, form).fill("Zahnärzte am Park")
    page.wait_for_timeout(SENT)
    visit(page, form)
    expect(page.get_by_text("Your draft of")).to_be_visible()
    page.get_by_role("button", name="Discard draft").click()
    expect(page.get_by_text("Your draft of")).to_have_count(0)
    settled(page)
    expect(field(page, form)).to_have_count(1)  # the one that is taken away may still be there
    expect(field(page, form)).to_have_value("Adams Dental")
    page.wait_for_timeout(SENT)
    assert kept(alice) == []


def test_no_key_and_no_password_is_ever_sent(signed_in, house, alice):
    page = signed_in(alice, "/provider")
    page.get_by_label("Key", exact=True).fill("sk-secret-key")
    page.goto("/account")
    settled(page)
    page.get_by_role("button", name="Change password").click()
    page.get_by_label("Current password").fill("sk-secret-password")
    page.wait_for_timeout(SENT)
    assert kept(alice) == []
