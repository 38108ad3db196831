"""A provider's answers in a real browser: they fetch nothing, stop at once, come quickly, and survive whoever leaves."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from lib import advice, db, patients
from lib.patient_form import PatientForm
from tests.browser.conftest import go, served, settled
from tests.browser.test_answers import _saved, saved
from tests.conftest import serving
from tests.lib import fake_provider
from tests.lib.fake_provider import END, WHOLE, chunk, usage
from tests.lib.test_assistant import switch

QUESTION = "Which planet has the most moons?"
HOSTILE = ("Look: ![pixel](https://evil.example/p.png) <img src=https://evil.example/i.png> [click](https://evil.example/l) "
           "www.evil.example https://evil.example/bare <script>fetch('https://evil.example/s')</script> $$\\href{https://evil.example}{x}$$ "
           ":material/evil: ![](data:image/png;base64,AAAA) <style>@import 'https://evil.example/c.css'</style> "
           "\\[Open your record\\](//evil.example/login) https:&#47;/evil.example/entity [1] "
           "Gums:red :small[words] :smile: :+1:")


@pytest.fixture(scope="module")
def provider() -> Iterator[fake_provider.FakeProvider]:
    with fake_provider.serving() as (fake, address):
        fake.provider = address
        yield fake


@pytest.fixture(scope="module")
def environment(provider) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("AI_BASE_URL", provider.provider.base_url)
    patch.setenv("AI_API_KEY", "sk-test")
    patch.setenv("AI_ALLOWED_HOSTS", "127.0.0.1")
    yield
    patch.undo()


@pytest.fixture(scope="module")
def server(database: None, environment: None) -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture
def fake(provider, alice, monkeypatch):
    from lib import settings
    settings.get.cache_clear()
    switch(alice)
    provider.says(*WHOLE)
    yield provider
    settings.get.cache_clear()


def ask(page: Page, question: str = QUESTION) -> None:
    page.get_by_role("textbox", name=re.compile("Ask")).fill(question)
    page.keyboard.press("Enter")


def test_a_hostile_reply_is_inert_live_and_from_history(fake, signed_in, alice):
    """The browser of this test complains about every request to a foreign host (conftest.py)."""
    fake.says(*[chunk(piece) for piece in re.findall(r".{1,7}", HOSTILE, re.DOTALL)], chunk(finish="stop"), END)
    page = signed_in(alice, "/chat")

    ask(page)
    expect(page.get_by_text("This is general information")).to_have_count(1)
    live = page.locator("[data-testid=stChatMessage]").last
    page.reload()
    settled(page)

    shown = live.inner_text().replace("\u2060", "")
    assert "evil.example" in shown
    assert "Gums:red :small[words] :smile: :+1:" in shown
    assert live.locator("img, a[href*=evil], script, iframe, style").evaluate_all("all => all.map(one => one.outerHTML)") == []


def test_stop_is_felt_at_once_although_the_provider_says_nothing(fake, signed_in, alice):
    fake.says(chunk("Hello "), *[b": keep-alive\n\n", 0.2] * 40)
    page = signed_in(alice, "/chat")
    ask(page)
    expect(page.get_by_text("Hello")).to_be_visible()

    page.get_by_role("button", name="Stop").click()
    began = time.monotonic()
    while _saved(alice)[0][3].count("stopped") == 0:
        assert time.monotonic() - began < 2.0  # half a second, and the noise of a shared machine
        time.sleep(0.02)

    expect(page.get_by_text("Stopped before the end.").first).to_be_visible()
    question, answers, calls, _statuses = saved(alice)[0]
    assert (question, answers, calls) == (QUESTION, 1, 1)


def test_the_first_piece_is_on_the_screen_soon_after_the_provider_sent_it(fake, signed_in, alice, monkeypatch):
    """The goal is 150 ms and docs/performance.md has the figures; here stands what noise can't reach."""
    sent: list[float] = []
    answer = fake.answer
    monkeypatch.setattr(fake, "answer", lambda handler: (sent.append(time.monotonic()), answer(handler))[1])
    fake.says(0.5, chunk("Firstly "), 2.0, chunk("there.", finish="stop"), END)
    page = signed_in(alice, "/chat")

    ask(page)
    page.get_by_text("Firstly").wait_for()

    assert time.monotonic() - sent[0] - 0.5 < 1.5


def test_coming_back_attaches_to_the_running_answer(fake, signed_in, alice):
    fake.says(chunk("Hello "), 4.0, chunk("again.", finish="stop"), usage(3, 4), END)
    page = signed_in(alice, "/chat")
    ask(page)
    expect(page.get_by_text("Hello")).to_be_visible()

    page.reload()

    expect(page.get_by_text("Hello")).to_be_visible()
    expect(page.get_by_text("Hello again.")).to_be_visible()
    assert saved(alice) == [(QUESTION, 1, 1, ["ok", "ok"])]


def test_another_answer_stands_beside_the_first(fake, signed_in, alice):
    page = signed_in(alice, "/chat")
    ask(page)
    expect(page.get_by_text("Hello there.")).to_have_count(1)
    fake.says(chunk("Another one."), chunk(finish="stop"), END)

    page.get_by_role("button", name="More").last.click()
    page.get_by_text("Another answer").click()

    expect(page.get_by_text("Another one.")).to_be_visible()
    expect(page.get_by_text("attempt 2")).to_be_visible()
    expect(page.get_by_text("Hello there.")).to_have_count(1)


def test_an_answer_apart_from_its_question_names_it_while_it_is_written(fake, signed_in, alice):
    page = signed_in(alice, "/chat")
    for question in (QUESTION, "Which planet is the coldest?"):
        ask(page, question)
        expect(page.get_by_role("button", name="More")).to_have_count(1 if question == QUESTION else 2)
    expect(page.get_by_text("To: ")).to_have_count(0)
    fake.says(chunk("Saturn "), 4.0, chunk("by far."), chunk(finish="stop"), usage(3, 4), END)

    page.get_by_role("button", name="More").first.click()
    page.get_by_text("Another answer").click()

    written = page.get_by_test_id("stChatMessage").last
    expect(written).to_contain_text(f"To: “{QUESTION}”")
    expect(written).to_contain_text("Saturn")
    assert "by far" not in written.inner_text()
    expect(written).to_contain_text("Saturn by far.")
    expect(page.get_by_text("To: ")).to_have_count(1)


def slow(fake, *, seconds: float) -> None:
    fake.says(chunk("At first "), seconds, chunk("at last."), chunk(finish="stop"), usage(3, 4), END)


def test_an_emergency_is_typed_and_heard_while_an_answer_is_written(fake, signed_in, alice):
    page = signed_in(alice, "/chat")
    slow(fake, seconds=20)
    ask(page)
    expect(page.get_by_text("At first")).to_be_visible()

    ask(page, "The patient can't breathe")

    expect(page.get_by_text("Call 112 now.")).to_be_visible(timeout=5000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped before the end.").first).to_be_visible(timeout=5000)
    assert [(question, answers, calls) for question, answers, calls, _statuses in saved(alice)] == [
        (QUESTION, 1, 1), ("The patient can't breathe", 1, 1)]


def test_ones_own_answer_waits_for_no_colleagues(fake, signed_in, alice, bob):
    with db.scope(alice) as scope:
        patient_id = patients.register(scope, PatientForm(full_name="José Müller-Nguyễn"))
    slow(fake, seconds=20)
    his = signed_in(bob, f"/chat?patient={patient_id}")
    ask(his, "Which moon is the largest?")
    expect(his.get_by_text("At first")).to_be_visible()
    fake.says(*WHOLE)
    hers = signed_in(alice, f"/chat?patient={patient_id}")

    ask(hers, "My patient's tooth was knocked out ten minutes ago")

    expect(hers.get_by_text("This should be seen by a dentist today").first).to_be_visible(timeout=5000)
    expect(hers.get_by_text("Hello there.")).to_be_visible(timeout=5000)
    expect(hers.get_by_text("At first")).to_be_visible()
    expect(hers.get_by_test_id("stChatMessage").last).to_contain_text("To: “Which moon is the largest?”")
    his.get_by_role("button", name="Stop").click()


def test_a_click_waits_for_no_answer(fake, signed_in, alice):
    page = signed_in(alice, "/chat")
    ask(page)
    expect(page.get_by_text("Hello there.")).to_have_count(1)
    ask(page, "The patient can't breathe")
    expect(page.get_by_text("Call 112 now.")).to_be_visible()
    settled(page)
    slow(fake, seconds=20)
    ask(page, "Which moon is the largest?")
    expect(page.get_by_text("At first")).to_be_visible()

    page.get_by_role("button", name="Search").click()
    expect(page.get_by_label("Find in this thread")).to_be_visible(timeout=5000)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="General question, not a patient now").click()
    expect(page.get_by_text("Stated by")).to_be_visible(timeout=5000)
    page.get_by_role("button", name="More").first.click()
    page.get_by_text("Helpful", exact=True).click()
    expect(page.get_by_text("Thank you, noted.")).to_be_visible(timeout=5000)

    assert page.get_by_text("at last").count() == 0
    for button in page.get_by_role("button", name="Stop").all():
        button.click()


def test_what_was_sent_can_be_read(fake, signed_in, alice):
    page = signed_in(alice, "/chat")
    ask(page, "Which planet has the most moons? Tell me at jose@example.org")
    expect(page.get_by_text("Hello there.")).to_have_count(1)

    page.get_by_role("button", name="More").last.click()
    page.get_by_text("What was sent").click()

    expect(page.get_by_role("dialog").get_by_text("Tell me at [email]")).to_be_visible()


def test_an_answer_is_copied(fake, signed_in, alice, server):
    page = signed_in(alice, "/chat")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page)
    expect(page.get_by_text("Hello there.")).to_have_count(1)

    page.get_by_role("button", name="More").last.click()
    page.get_by_text("Copy", exact=True).click()

    expect(page.get_by_text("Copied.")).to_be_visible()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('Hello there.'))")


def test_what_somebody_thinks_of_an_answer_stays_in_sight_and_may_change(fake, signed_in, alice):
    page = signed_in(alice, "/chat")
    ask(page)
    expect(page.get_by_text("Hello there.")).to_have_count(1)

    page.get_by_role("button", name="More").last.click()
    page.get_by_text("Helpful", exact=True).click()

    expect(page.get_by_text("Thank you, noted.")).to_be_visible()
    expect(page.get_by_role("button", name="More").last.get_by_text("thumb_up")).to_be_visible()
    assert rated(alice) == (True, "")

    page.get_by_role("button", name="More").last.click()
    page.get_by_text("Not helpful").click()
    page.get_by_label("Reason").fill("Too long <b>")
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("button", name="More").last.get_by_text("thumb_down")).to_be_visible()
    assert rated(alice) == (False, "Too long <b>")

    page.get_by_role("button", name="More").last.click()
    page.get_by_text("Not helpful").click()
    expect(page.get_by_label("Reason")).to_have_value("Too long <b>")


def rated(identity) -> tuple[bool, str]:
    with db.scope(identity) as scope:
        return tuple(scope.connection.execute(text("select helpful, reason from answer_ratings where clinic_id = :clinic_id"),
                                              {"clinic_id": identity.clinic_id}).one())


def test_an_answer_goes_into_the_patients_notes(fake, signed_in, alice):
    with db.scope(alice) as scope:
        patient_id = patients.register(scope, PatientForm(full_name="José Müller-Nguyễn"))
    page = signed_in(alice, f"/chat?patient={patient_id}")
    ask(page)
    expect(page.get_by_text("Hello there.")).to_have_count(1)

    page.get_by_role("button", name="More").last.click()
    page.get_by_text("Save to notes").click()

    expect(page.get_by_text("Added to the patient's notes.")).to_be_visible()
    go(page, f"/patient?patient={patient_id}")
    expect(page.get_by_text("from the assistant").first).to_be_visible()
    expect(page.get_by_text("Hello there.").first).to_be_visible()


def test_the_checklist_raises_the_alarm_and_its_asker_goes_on(fake, signed_in, alice):
    page = signed_in(alice, "/chat")
    page.get_by_role("button", name="Checklist").click()
    page.get_by_text("Bleeding that does not stop").click()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Call 112 now.")).to_be_visible()

    page.get_by_role("button", name="General question, not a patient now").click()

    expect(page.get_by_text("Stated by")).to_be_visible()
    expect(page.get_by_text("Hello there.")).to_have_count(1)


def test_the_owner_switches_it_on_and_tries_it(fake, signed_in, alice):
    page = signed_in(alice, "/provider")
    page.get_by_role("button", name="Test connection").click()

    expect(page.get_by_text("test-model-1 answered in")).to_be_visible()


@pytest.mark.one_process
def test_a_server_that_is_ended_saves_what_it_was_writing(fake, alice, database, cookie_of, chromium):
    """SIGTERM in the middle of an answer: one row, saved as far as it came, and nothing of the budget held."""
    fake.says(chunk("Hello "), 20.0, chunk("never"))
    with serving() as address:
        context = chromium.new_context(base_url=address)
        context.add_cookies([{"name": "chairside", "value": cookie_of(alice), "url": address}])
        page = context.new_page()
        page.goto("/chat")
        settled(page)
        ask(page)
        expect(page.get_by_text("Hello")).to_be_visible()
        context.close()
    assert saved(alice, within=5) == [(QUESTION, 1, 1, ["abandoned", "abandoned"])]
    with db.scope(alice) as scope:
        assert scope.value("select sum(reserved_usd) from ai_budgets where clinic_id = :clinic_id") == 0
        assert scope.connection.execute(text("""
            select content from chat_messages where clinic_id = :clinic_id and role = 'assistant'
            """), {"clinic_id": alice.clinic_id}).scalar() == "Hello \n\n" + advice.safety_net(alice.emergency_number)
