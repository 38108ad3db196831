"""What a person waits for in a real browser: the first visit, a reload, another page, a message in the chat; and its web vitals.

    .venv/bin/python -m benchmarks.browser [--times 7]

Needs Chromium (scripts/chromium.py). A visit counts until the page can be used: its menu and its table are there.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks import rows
from benchmarks.reruns import demo_clinic, server
from benchmarks.rows import Row
from scripts.chromium import launch

READING = 1500  # milliseconds between an answer and the next question
# Of the page as it is now; layout shifts and long tasks since it began.
VITALS = """() => new Promise(tell => {
  const found = { shift: 0, blocked: 0, paint: 0, bytes: 0, requests: 0 }
  new PerformanceObserver(list => list.getEntries().forEach(one => { if (!one.hadRecentInput) found.shift += one.value }))
    .observe({ type: 'layout-shift', buffered: true })
  new PerformanceObserver(list => list.getEntries().forEach(one => { found.blocked += Math.max(0, one.duration - 50) }))
    .observe({ type: 'longtask', buffered: true })
  new PerformanceObserver(list => list.getEntries().forEach(one => { found.paint = one.startTime }))
    .observe({ type: 'largest-contentful-paint', buffered: true })
  for (const one of performance.getEntriesByType('resource')) { found.requests += 1; found.bytes += one.transferSize }
  setTimeout(() => tell(found), 300)
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description="A browser's waits")
    parser.add_argument("--times", type=int, default=7)
    times = parser.parse_args().times
    with demo_clinic() as (cookies, _pages), server([]) as (_process, url), chromium() as browser:
        cold, vitals = zip(*[first_visit(browser, url, cookies) for _time in range(times)], strict=True)
        warm, switches, echoes = one_tab(browser, url, cookies, times)
    show({"cold": cold, "warm": warm, "switch": switches, "echo": echoes}, vitals)


@contextmanager
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


def tab(browser: Any, url: str, cookies: dict[str, str]) -> Any:
    context = browser.new_context(base_url=url)
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    return context.new_page()


def first_visit(browser: Any, url: str, cookies: dict[str, str]) -> tuple[float, dict[str, float]]:
    """With an empty cache."""
    page = tab(browser, url, cookies)
    took = timed(lambda: (page.goto("/patients"), usable(page)))
    vitals = page.evaluate(VITALS)
    page.context.close()
    return took, vitals


def one_tab(browser: Any, url: str, cookies: dict[str, str], times: int) -> tuple[list[float], list[float], list[float]]:
    page = tab(browser, url, cookies)
    page.goto("/patients")
    usable(page)
    warm = [timed(lambda: (page.reload(), usable(page))) for _time in range(times)]
    names = ["Emergencies", "Patients"] * (times + 1)
    switches = [timed(lambda name=name: open_page(page, name)) for name in names][2:]  # the first two are no repeats
    page.goto("/chat")
    return warm, switches, [echo(page, f"Echo {number} of {time.time()}") for number in range(times)]


def usable(page: Any) -> None:
    page.get_by_role("heading", name="Patients", level=1).wait_for()
    page.get_by_role("table").first.wait_for()


def open_page(page: Any, name: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def echo(page: Any, text: str) -> float:
    """From Enter until one's own words stand in the thread, in a tab where the last answer has come to its end."""
    page.wait_for_timeout(READING)
    page.get_by_test_id("stChatInputTextArea").fill(text)
    return timed(lambda: (page.keyboard.press("Enter"), page.get_by_test_id("stChatMessage").get_by_text(text).first.wait_for()))


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def show(found: dict[str, Any], vitals: Any) -> None:
    middle = {name: statistics.median(times) for name, times in found.items()}
    first = {name: statistics.median(one[name] for one in vitals) for name in vitals[0]}
    print("   ".join(f"{name} {middle[name]:.0f} ms" for name in middle), f"  load {os.getloadavg()[0]:.1f}")
    print(f"first visit: largest paint {first['paint']:.0f} ms, layout shift {first['shift']:.3f}, main thread blocked "
          f"{first['blocked']:.0f} ms, {first['requests']:.0f} requests, {first['bytes'] / 2**20:.2f} MB")
    rows.tell([Row("browser: first visit until usable", 1600, middle["cold"], floor="1,300 ms",
                   note=f"{first['requests']:.0f} requests, {first['bytes'] / 2**20:.2f} MB"),
               Row("browser: reload", 500, middle["warm"], floor="430 ms"),
               Row("browser: repeated page switch", 250, middle["switch"], floor="150 ms"),
               Row("browser: own message in the chat", 250, middle["echo"], floor="170 ms"),
               Row("browser: largest contentful paint of a first visit", 2500, first["paint"]),
               Row("browser: cumulative layout shift of a first visit", 0.1, first["shift"], "")])


if __name__ == "__main__":
    main()
