"""The database dies under somebody's hands, and is there again a moment later."""

from playwright.sync_api import expect

from tests.browser.conftest import settled
from tests.kills.house import AWAY, House, until


def test_the_person_reads_a_plain_sentence_and_finds_what_they_typed(chromium, tmp_path, password_hash):
    house = House(tmp_path / "house")
    writer = house.hire(password_hash)
    context = chromium.new_context(base_url=house.address)
    context.add_cookies([{"name": "chairside", "value": writer.cookies["chairside"], "url": house.address, "httpOnly": True}])
    page = context.new_page()
    page.goto("/patient_edit")
    expect(page.get_by_label("Full name")).to_be_visible(timeout=60_000)  # the first page of a cold process
    settled(page)
    page.get_by_label("Full name").fill("Kim Kept")
    with house.nobody_starts_it():
        house.kill_database()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text(AWAY).first).to_be_visible()
        assert "Traceback" not in page.content()
        expect(page.get_by_test_id("stException")).to_have_count(0)
    until(house._answers, lambda: house.log.read_text()[-2000:])
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Full name")).to_have_value("Kim Kept")
    settled(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert house.rows("select full_name from patients") == [("Kim Kept",)]
    context.close()
    house.close()
