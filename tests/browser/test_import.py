"""An import in a real browser: it goes on while its page is reloaded, and the report is still there afterwards."""

import pytest
from playwright.sync_api import Page, expect

from lib import db
from tests.browser.conftest import settled

pytestmark = pytest.mark.browser
MANY = ("name,record\n" + "\n".join(f"Person {n} Number{n},{n}" for n in range(4000))).encode()


def press_import(page: Page) -> None:
    """Once the page stands still: a click between the two halves of a run on a slow machine meets a button that is being replaced."""
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Import", exact=True).click()


def test_a_reload_during_an_import_loses_neither_rows_nor_report(signed_in, alice):
    page = signed_in(alice, "/patient_import")
    page.locator("input[type=file]").set_input_files({"name": "many.csv", "mimeType": "text/csv", "buffer": MANY})
    press_import(page)
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Rows: 4,000")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Download the report")).to_be_visible()
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from patients where clinic_id = :clinic_id") == 4000


def test_cancel_stops_it_and_go_on_finishes_it(signed_in, alice):
    page = signed_in(alice, "/patient_import")
    page.locator("input[type=file]").set_input_files({"name": "many.csv", "mimeType": "text/csv", "buffer": MANY})
    press_import(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("of 4,000 rows are done; nothing after them was imported.")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("Rows: 4,000")).to_be_visible(timeout=60_000)
