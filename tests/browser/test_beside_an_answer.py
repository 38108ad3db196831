"""What somebody does in a conversation while an answer is being written: nothing of it is lost, and nothing waits for it."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from lib import db, patients, team
from lib.patient_form import PatientForm
from tests.browser.conftest import becomes, settled
from tests.browser.test_provider import ask, environment, fake, provider, rated, server, slow  # noqa: F401
from tests.lib.fake_provider import END, chunk, usage

MOON, SMALLEST = "Which moon is the largest?", "Which moon is the smallest?"
pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def jose(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, PatientForm(full_name="José Müller-Nguyễn"))


def raised(identity) -> list[tuple[list[str], bool]]:
    """Categories of the clinic's emergencies, and whether somebody has acknowledged them."""
    with db.scope(identity) as scope:
        return [tuple(row) for row in scope.connection.execute(text(
            "select categories, acknowledged_at is not null from emergencies where clinic_id = :clinic_id"),
            {"clinic_id": identity.clinic_id})]


def tick_bleeding(page: Page) -> None:
    page.get_by_role("button", name="Checklist").click()
    page.get_by_text("Bleeding that does not stop").click()


# dialogs -------------------------------------------------------------------------------------------------------------


def test_the_checklist_is_heard_beside_ones_own_answer(fake, signed_in, alice):  # noqa: F811
    page = signed_in(alice, "/chat")
    slow(fake, seconds=8)
    ask(page)
    expect(page.get_by_text("At first")).to_be_visible()
    tick_bleeding(page)

    page.get_by_role("button", name="Done").click()

    expect(page.get_by_text("Call 112 now.")).to_be_visible()
    expect(page.get_by_text("at last.")).to_be_visible(timeout=20_000)
    assert raised(alice) == [(["bleeding"], False)]


def test_the_checklist_is_heard_beside_a_colleagues_answer(fake, signed_in, alice, bob, jose):  # noqa: F811
    slow(fake, seconds=12)
    his = signed_in(bob, f"/chat?patient={jose}")
    ask(his, MOON)
    expect(his.get_by_text("At first")).to_be_visible()
    hers = signed_in(alice, f"/chat?patient={jose}")
    expect(hers.get_by_text("At first")).to_be_visible()
    tick_bleeding(hers)

    hers.get_by_role("button", name="Done").click()

    expect(hers.get_by_text("Call 112 now.")).to_be_visible()


def test_an_answer_that_ends_behind_a_dialog_leaves_it_and_what_is_ticked(fake, signed_in, alice):  # noqa: F811
    page = signed_in(alice, "/chat")
    slow(fake, seconds=3)
    ask(page)
    expect(page.get_by_text("At first")).to_be_visible()
    tick_bleeding(page)
    expect(page.get_by_text("at last.")).to_be_visible(timeout=15_000)
    page.wait_for_timeout(1500)

    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Call 112 now.")).to_be_visible()


def test_who_closes_a_dialog_sees_the_answer_grow_again_and_can_stop_it(fake, signed_in, alice):  # noqa: F811
    page = signed_in(alice, "/chat")
    fake.says(chunk("At first "), 4.0, chunk("and then "), 20.0, chunk(finish="stop"), usage(3, 4), END)
    ask(page)
    expect(page.get_by_text("At first")).to_be_visible()
    page.get_by_role("button", name="Checklist").click()
    expect(page.get_by_text("and then")).to_be_visible(timeout=15_000)
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Stop").click()

    expect(page.get_by_text("Stopped before the end.")).to_be_visible(timeout=5000)


def test_an_acknowledgement_and_a_reason_are_heard_beside_an_answer(fake, signed_in, alice):  # noqa: F811
    page = signed_in(alice, "/chat")
    ask(page)
    expect(page.get_by_text("Hello there.")).to_be_visible()
    ask(page, "The patient can't breathe")
    expect(page.get_by_text("Call 112 now.")).to_be_visible()
    settled(page)
    slow(fake, seconds=14)
    ask(page, MOON)
    expect(page.get_by_text("At first")).to_be_visible()

    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_label("What was done").fill("Called the ambulance")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged by")).to_be_visible()
    page.get_by_role("button", name="More").first.click()
    page.get_by_text("Not helpful").click()
    page.get_by_label("Reason").fill("Too long")
    page.get_by_role("button", name="Send", exact=True).click()

    becomes(page, lambda: rated(alice) if page.get_by_role("dialog").count() == 0 else None, (False, "Too long"))
    assert [acknowledged for _categories, acknowledged in raised(alice)] == [True]


# several answers -----------------------------------------------------------------------------------------------------


def test_ones_own_older_answer_grows_ends_and_can_be_stopped_beside_a_newer_one(fake, signed_in, alice):  # noqa: F811
    page = signed_in(alice, "/chat")
    fake.scripts = [[chunk("First "), 3.0, chunk("answer whole."), chunk(finish="stop"), usage(3, 4), END],
                    [chunk("Second "), 20.0, chunk("answer whole."), chunk(finish="stop"), usage(3, 4), END]]
    ask(page, MOON)
    expect(page.get_by_text("First")).to_be_visible()
    ask(page, SMALLEST)
    expect(page.get_by_text("Second")).to_be_visible()

    expect(page.get_by_role("button", name="Stop")).to_have_count(2)
    expect(page.get_by_text("First answer whole.")).to_be_visible(timeout=8000)
    expect(page.get_by_role("button", name="Stop")).to_have_count(1)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped before the end.")).to_be_visible(timeout=5000)


def test_a_danger_that_a_provider_sees_is_shown_beside_a_later_question(fake, signed_in, alice):  # noqa: F811
    page = signed_in(alice, "/chat")
    fake.scripts = [[2.0, chunk("TIER: E\nSit them up."), chunk(finish="stop"), usage(3, 4), END],
                    [chunk("Second "), 20.0, chunk("answer whole."), chunk(finish="stop"), usage(3, 4), END]]
    ask(page, MOON)
    expect(page.get_by_text("Writing")).to_be_visible()
    ask(page, SMALLEST)
    expect(page.get_by_text("Second")).to_be_visible()

    expect(page.get_by_text("Call 112 now.")).to_be_visible(timeout=8000)
    expect(page.get_by_role("button", name="Stop")).to_have_count(1)  # the card's own is gone once it is the thread's
    page.get_by_role("button", name="Stop").click()


# who may watch -------------------------------------------------------------------------------------------------------


def test_who_may_see_no_patients_any_more_sees_no_more_of_an_answer_about_one(fake, signed_in, alice, bob, jose):  # noqa: F811
    fake.says(chunk("At first. "), 8.0, chunk("Of the patient. "), 4.0, chunk("end."), chunk(finish="stop"), usage(3, 4), END)
    hers = signed_in(alice, f"/chat?patient={jose}")
    ask(hers, MOON)
    expect(hers.get_by_text("At first")).to_be_visible()
    his = signed_in(bob, f"/chat?patient={jose}")
    expect(his.get_by_text("At first")).to_be_visible()
    with db.scope(alice) as scope:
        team.change_role(scope, bob.user_id, "receptionist")

    expect(hers.get_by_text("Of the patient.")).to_be_visible(timeout=15_000)
    expect(his.get_by_text("Of the patient.")).to_have_count(0)
