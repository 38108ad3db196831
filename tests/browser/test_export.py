"""The clinic's export in a real browser: made while its owner is elsewhere, fetched, and deleted."""

import zipfile

import pytest
from playwright.sync_api import expect

from lib import db

pytestmark = pytest.mark.browser


def test_an_export_is_made_while_its_owner_is_elsewhere_and_fetched_afterwards(signed_in, alice, tmp_path):
    with db.scope(alice) as scope:
        scope.run_many("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, :name)
            """, [{"me": alice.user_id, "name": f"Patient {number}"} for number in range(5_000)])
    page = signed_in(alice, "/clinic")
    page.get_by_role("button", name="Export the whole clinic").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.goto("/patients")
    expect(page.get_by_text("Patient 4999").first).to_be_visible()
    page.goto("/clinic")
    expect(page.get_by_role("button", name="Delete it here")).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "clinic.zip")
    with zipfile.ZipFile(tmp_path / "clinic.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("patients.csv").count(b"Patient ") == 5_000
    page.get_by_role("button", name="Delete it here").click()
    expect(page.get_by_role("button", name="Export the whole clinic")).to_be_visible()
