"""The process that somebody works at is killed under their hands."""

import re
import time

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser import conftest as browser
from tests.browser.conftest import settled
from tests.clusters import app_process

pytestmark = pytest.mark.long


def up(door: str, name: str) -> bool:
    """The door sends who belongs to this process nowhere else."""
    return "set-cookie" not in httpx.get(f"{door}/health", cookies={"chairside-node": name}, verify=False).headers


@pytest.fixture(autouse=True)
def refusals_expected(monkeypatch):
    """The tab may ask in the moment in which nobody is there."""
    monkeypatch.setattr(browser, "HARMLESS", (*browser.HARMLESS, "status of 502", "status of 503", "WebSocket connection"))


@pytest.mark.parametrize("round_", range(3))
def test_they_are_back_within_ten_seconds_and_what_was_typed_is_there(signed_in, door, alice, round_):
    while not (up(door, "a") and up(door, "b")):
        time.sleep(0.2)
    page = signed_in(alice, "/chat")
    box = page.get_by_role("textbox", name=re.compile("Ask"))
    box.press_sequentially("What is a root canal?")
    [node] = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "chairside-node"]
    app_process(node).kill()
    until = time.monotonic() + 10
    page.reload()
    settled(page)
    expect(box).to_have_value("What is a root canal?", timeout=max(1, (until - time.monotonic()) * 1000))
    box.press("Enter")
    expect(page.get_by_text("This is general information").first).to_be_visible(timeout=10_000)


def test_a_tab_that_is_left_alone_finds_the_other_process_by_itself(signed_in, door, alice):
    """Ten seconds from the kill to the next page, with no reload; what is clicked while nobody hears it is clicked again."""
    while not (up(door, "a") and up(door, "b")):
        time.sleep(0.2)
    page = signed_in(alice, "/patients")
    [node] = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "chairside-node"]
    app_process(node).kill()
    heading, until = page.get_by_role("heading", name="Emergencies", level=1), time.monotonic() + 10
    while not heading.is_visible() and time.monotonic() < until:
        page.get_by_role("link", name="Emergencies").click()
        page.wait_for_timeout(1_000)
    expect(heading).to_be_visible(timeout=1)
    [other] = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "chairside-node"]
    assert other != node
