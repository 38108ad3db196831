"""A file that one session shows is nobody else's, on the real server with the report of a real import."""

import os
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import cookie_name, settled


def test_the_report_of_an_import_is_its_importers_alone(signed_in, server, alice, bob, charlie, cookie_of, tmp_path):
    (tmp_path / "patients.csv").write_text("Name,Phone\nHedwig Canary,555-0001\n")
    page = signed_in(alice, "/patient_import")
    page.locator("input[type=file]").set_input_files(tmp_path / "patients.csv")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("button", name="Download the report")).to_be_visible()
    seen = []
    page.on("request", lambda request: seen.append(request.url) if "/media/" in request.url else None)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the report").click()
    assert "Hedwig Canary" in download.value.path().read_text(encoding="utf-8-sig")
    settled(page)
    [url] = set(seen) or {download.value.url}
    mine = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}[cookie_name(page.url)]
    [node] = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "chairside-node"] or [""]

    def fetch(value: str) -> int:
        return httpx.get(url, cookies={cookie_name(url): value, "chairside-node": node}, verify=False).status_code
    assert fetch(mine) == 200
    for other in (bob, charlie):
        assert fetch(cookie_of(other)) == 404


@pytest.mark.parametrize("path", ["/media/0123.csv", "/_stcore/upload_file/no-such-session/1"])
def test_what_does_not_exist_answers_like_what_is_anothers(server, alice, cookie_of, path):
    assert httpx.request("PUT" if "upload" in path else "GET", server + path, cookies={cookie_name(server): cookie_of(alice)},
                         verify=False).status_code in (403, 404)


@pytest.mark.one_process
def test_a_refusal_leaves_neither_trace_nor_values_in_the_servers_output(signed_in, server, rita):
    """SECURITY 19: as a process writes it, past every hook."""
    page = signed_in(rita, "/patient?patient=00000000-0000-7000-8000-000000000000")
    expect(page.get_by_text("There is nothing here by that address")).to_be_visible()
    page.goto("/analytics")
    expect(page.get_by_text("does not allow this")).to_be_visible()
    written = (Path(os.environ["CHAIRSIDE_DATA"]) / f"server-{server.rpartition(':')[2]}.log").read_text()
    assert "URL:" in written
    for sign in ("Traceback", "╭", "NotFound", "Forbidden", rita.email):
        assert sign not in written
