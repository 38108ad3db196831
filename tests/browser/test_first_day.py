"""A clinic's first day, with real input: sign up, import, find, ask, read the figures. And a stranger who gets nothing of it."""

import csv
import re

from playwright.sync_api import Page, expect
from sqlalchemy import text

from lib import auth, db
from tests.browser.conftest import settled, sign_up


def import_file(page: Page, path) -> None:
    page.goto("/patient_import")
    settled(page)
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("button", name="See the patients")).to_be_visible(timeout=60_000)


def search(page: Page, term: str) -> None:
    page.goto("/patients")
    settled(page)
    page.get_by_label("Search").fill(term)


def ask(page: Page, question: str, box: str = "Ask") -> None:
    page.get_by_role("textbox", name=re.compile(box)).fill(question)
    page.keyboard.press("Enter")


def test_a_clinic_signs_up_imports_finds_asks_and_reads_the_count(page, shared):
    file = shared / "patients" / "patients_fhir_flat.csv"
    with file.open(newline="") as lines:
        somebody = next(row for row in csv.DictReader(lines) if row["allergies"] and not row["deceased"])
    with (shared / "dental_questions" / "dev.csv").open(newline="") as lines:
        question = next(row["text"] for row in csv.DictReader(lines) if row["title"] == "Root canal")

    email = sign_up(page)
    import_file(page, file)
    with db.scope(auth_of(email)) as scope:
        assert scope.value("select count(*) from patients where clinic_id = :clinic_id") == 2076
        assert scope.value("select count(*) from patients where clinic_id = :clinic_id and deceased") == 584

    name = f"{somebody['given']} {somebody['family']}"
    search(page, somebody["phone"][-8:])
    page.get_by_role("row", name=re.compile(re.escape(name))).click()
    expect(page.get_by_role("heading", name=re.compile(re.escape(name)))).to_be_visible()
    expect(page.get_by_text(somebody["allergies"].split(";")[0]).first).to_be_visible()

    page.get_by_role("button", name="Ask the assistant").or_(page.get_by_role("link", name="Ask the assistant")).first.click()
    expect(page.get_by_text(name).first).to_be_visible()
    ask(page, question)
    expect(page.get_by_text("not yet reviewed by a clinician").first).to_be_visible()
    expect(page.get_by_text(question).first).to_be_visible()
    page.reload()
    expect(page.get_by_text("not yet reviewed by a clinician").first).to_be_visible()

    page.goto("/analytics")
    settled(page)
    messages = page.locator("[data-testid=stMetric]", has_text="Messages").locator("[data-testid=stMetricValue]")
    expect(messages).to_have_text("1")


def auth_of(email: str):
    account = auth.find_account(email)
    token = auth.redeem_ticket(auth.issue_ticket(account, keep=False), device="test", address="127.0.0.1").token
    return auth.recognise(token)


def test_a_second_clinic_gets_nothing_of_the_first(signed_in, alice, charlie):
    with db.scope(alice) as scope:
        patient_id = scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name, phone, search)
            values (:clinic_id, :me, :me, 'Hedwig Secret', '555-0001', array_to_tsvector('{hedwig,secret,#1000555}'))
            returning id
            """, me=alice.user_id)
    page = signed_in(charlie, f"/patient?patient={patient_id}")
    expect(page.get_by_text("There is nothing here by that address")).to_be_visible()
    refusal = page.get_by_text("There is nothing here by that address").inner_text()
    page.goto("/patient?patient=01890000-0000-7000-8000-000000000000")
    expect(page.get_by_text(refusal)).to_be_visible()
    page.goto(f"/chat?patient={patient_id}")
    expect(page.get_by_text("There is nothing here by that address")).to_be_visible()
    page.goto(f"/patient_edit?patient={patient_id}")
    expect(page.get_by_text("There is nothing here by that address")).to_be_visible()
    for term in ("Hedwig", "0001"):
        search(page, term)
        expect(page.get_by_text("No patient matches")).to_be_visible()
    page.goto("/patients")
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    exported = download.value.path().read_text(encoding="utf-8-sig")
    assert "Hedwig" not in exported
    assert len(exported.splitlines()) == 1
    assert "Hedwig" not in page.content()


def test_an_emergency_is_shown_at_once_and_answered_for_by_name(signed_in, alice, owner):
    page = signed_in(alice, "/chat")
    ask(page, "My husband's face is swollen up to his eye and he can't swallow")
    expect(page.get_by_text("112").first).to_be_visible(timeout=3_000)
    page.goto("/")
    settled(page)
    expect(page.locator(".st-key-card_alarm")).to_contain_text("1")
    page.goto("/emergencies")
    settled(page)
    page.get_by_role("button", name="Acknowledge").first.click()
    page.get_by_role("textbox").last.fill("Ambulance called, stayed on the line.")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged by Alice Adams")).to_be_visible()
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic, :user)"), {"clinic": alice.clinic_id, "user": alice.user_id})
        assert connection.execute(text("select acknowledged_by from emergencies where clinic_id = :clinic"),
                                  {"clinic": alice.clinic_id}).scalar_one() == alice.user_id
