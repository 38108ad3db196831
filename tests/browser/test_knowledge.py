"""Reading in the knowledge room with mouse, keyboard and thumb."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from lib import article_reviews, clinic_articles, db
from lib.clinic_articles import Wording
from tests.browser.conftest import go
from tests.browser.test_layout import DESK, PHONE, WIDER, illegible
from tests.lib.test_article_reviews import approve


@pytest.fixture
def hours(alice, bob) -> str:
    """The address of an own article; and one built-in article that is reviewed."""
    article_id = uuid4()
    with db.scope(alice) as scope:
        clinic_articles.add(scope, Wording("Opening hours", ("when are you open",), "# Hours\n\nFrom **8** to 17.\n\n- Ring first"),
                            article_id=article_id)
    approve(alice, bob)
    with db.scope(bob) as scope:
        article_reviews.review(scope, "bad-breath")
    return f"/knowledge?article=own:{article_id}"


def article(page: Page, title: str):
    return page.get_by_role("heading", level=2, name=title)


def test_a_click_opens_an_article_and_the_way_back_leads_to_it(signed_in, alice, hours):
    page = signed_in(alice, "/knowledge")
    page.get_by_role("link", name="Bad breath").click()
    expect(article(page, "Bad breath")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/knowledge\?article=bad-breath$"))
    page.get_by_role("link", name="Opening hours").click()
    expect(article(page, "Opening hours")).to_be_visible()
    expect(page.get_by_role("link", name="Opening hours")).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(article(page, "Bad breath")).to_be_visible()


def test_search_arrows_and_enter_open_an_article_without_a_mouse(signed_in, alice, hours):
    page = signed_in(alice, "/knowledge")
    page.wait_for_function("() => window.chairsideKeys")
    expect(page.get_by_label("Search")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("gums")
    links = page.get_by_role("navigation", name="Articles").get_by_role("link")
    expect(links.first).to_contain_text("Bleeding gums")
    expect(page.get_by_role("link", name="Opening hours")).to_have_count(0)
    links.first.focus()
    page.keyboard.press("ArrowDown")
    expect(links.nth(1)).to_be_focused()
    title = links.nth(1).locator("b").inner_text()
    page.keyboard.press("Enter")
    expect(article(page, title)).to_be_visible()
    expect(links.nth(1)).to_be_focused()


def test_the_list_stays_where_it_was_when_an_article_far_below_is_opened(signed_in, alice):
    page = signed_in(alice, "/knowledge")
    last = page.get_by_role("navigation", name="Articles").get_by_role("link").last
    last.scroll_into_view_if_needed()
    last.click()
    expect(article(page, last.locator("b").inner_text())).to_be_visible()
    expect(last).to_be_in_viewport()


def test_an_owner_writes_an_article_and_sees_it_at_once(signed_in, alice):
    page = signed_in(alice, "/knowledge")
    page.wait_for_function("() => window.chairsideKeys")
    expect(page.get_by_role("link", name="Wisdom teeth")).to_be_visible()  # the page is drawn to its end
    page.keyboard.press("n")
    expect(page.get_by_label("Title")).to_be_focused()
    page.keyboard.type("Parking")
    page.get_by_label("Text", exact=True).fill("Behind the **house**.")
    expect(page.locator("strong", has_text="house")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(article(page, "Parking")).to_be_visible()
    expect(page.get_by_role("link", name="Parking")).to_be_visible()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_role("link", name="Parking")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Parking")).to_be_visible()


def test_a_phone_shows_the_list_or_the_article(signed_in, alice, hours):
    page = signed_in(alice, "/knowledge")
    page.set_viewport_size(PHONE)
    last = page.get_by_role("navigation", name="Articles").get_by_role("link").last
    last.scroll_into_view_if_needed()
    title = last.locator("b").inner_text()
    last.click()
    expect(article(page, title)).to_be_visible()
    expect(last).to_be_hidden()
    page.get_by_role("button", name="All articles").click()
    expect(last).to_be_visible()
    expect(last).to_be_in_viewport()


def test_an_open_article_fits_a_phone_and_can_be_read(signed_in, alice, hours):
    approve(alice, alice)
    page = signed_in(alice, hours)
    faults = []
    for address in (hours, "/knowledge?article=bad-breath", "/knowledge?article=crowns", hours.replace("knowledge", "article_edit")):
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            go(page, address)
            expect(page.locator(".st-key-open_article h2, .st-key-article_preview h3")).to_be_visible()
            faults += illegible(page, address) + [f"{address}: too wide"] * (max(page.evaluate(WIDER)) > 0)
    assert faults == []
