"""The analytics page on paper: its figures, dark on white, and nothing to press."""

import io

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import Locator, Page, expect

from lib import workflows
from tests.browser.test_layout import CONTRASTS, GROUNDS
from tests.lib.asking import wait

ON_SCREEN_ONLY = (".stSidebar", ".stAppHeader", ".st-key-print_page", ".st-key-period_bar", ".st-key-section", ".stDownloadButton")


@pytest.fixture
def figures(signed_in, alice) -> Page:
    """Of one question; the table behind the first of them is open."""
    job = workflows.watch(workflows.ask(alice, None, "What is a root canal?").answer_id)
    assert job is None or wait(job, 10 ** 9, 10)
    page = signed_in(alice, "/analytics")
    expect(page.locator(".stPlotlyChart .ytitle").first).to_be_visible(timeout=30_000)  # plotly is large
    page.locator(".stExpander summary").first.click()
    expect(page.get_by_role("button", name="Download CSV")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    return page


def lightness(part: Locator) -> float:
    """Of what it shows, from 0 (black) to 255."""
    return ImageStat.Stat(Image.open(io.BytesIO(part.screenshot())).convert("L")).median[0]


@pytest.mark.parametrize("scheme", GROUNDS)
def test_figures_and_open_tables_are_printed_dark_on_white_and_nothing_to_press_is(figures, scheme):
    figures.emulate_media(color_scheme=scheme)
    expect(figures.locator(".stApp")).to_have_css("background-color", GROUNDS[scheme])
    figures.emulate_media(color_scheme=scheme, media="print")
    for part in ("stMetricValue", "stPlotlyChart", "stDataFrame"):
        expect(figures.get_by_test_id(part).first).to_be_visible()
    for selector in ON_SCREEN_ONLY:
        expect(figures.locator(selector).locator("visible=true")).to_have_count(0)
    expect(figures.locator(".stMain button").locator("visible=true")).to_have_count(0)
    expect(figures.locator(".stExpander").locator("visible=true")).to_have_count(1)
    expect(figures.locator(".stApp")).to_have_css("background-color", "rgb(255, 255, 255)")
    for part in ("stPlotlyChart", "stDataFrame", "stMain"):
        assert lightness(figures.get_by_test_id(part).first) > 230, part
    assert [found for found in figures.evaluate(CONTRASTS) if found[1] < 4.5] == []
