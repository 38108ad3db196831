"""What a person waits for in a real browser: the first visit, a reload, another page, a message in the chat; and its web vitals.

    .venv/bin/python -m benchmarks.browser [--times 7]

Needs Chromium (scripts/chromium.py), and tells where it is missing. A visit counts until the page can be used: its menu and its
table are there.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks import rows
from benchmarks.reruns import demo_clinic, server
from benchmarks.rows import Row
from scripts.chromium import launch, usable

# The vitals' goals are those of web.dev/vitals.
ROWS = {"cold": Row("browser: first visit until usable", 1600, floor="1,300 ms"),
        "warm": Row("browser: reload", 500, floor="430 ms"),
        "switch": Row("browser: repeated page switch", 250, floor="150 ms"),
        "echo": Row("browser: own message in the chat", 250, floor="170 ms"),
        "paint": Row("web vitals: largest contentful paint of a first visit", 2500),
        "shift": Row("web vitals: cumulative layout shift of a first visit", 0.1, unit=""),
        "next": Row("web vitals: interaction to next paint, the slowest of all clicks and keys", 200)}
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
WATCH = """window.slowest = 0
new PerformanceObserver(list => list.getEntries().forEach(one => {
  if (one.interactionId) window.slowest = Math.max(window.slowest, one.duration)
})).observe({ type: 'event', durationThreshold: 16 })"""


def main() -> None:
    parser = argparse.ArgumentParser(description="A browser's waits")
    parser.add_argument("--times", type=int, default=7)
    times = parser.parse_args().times
    if usable():
        measure(times)
    else:
        rows.excuse(ROWS.values(), "no Chromium on this machine")


def measure(times: int) -> None:
    with demo_clinic() as (cookies, _pages), server([]) as (_process, url), chromium() as browser:
        cold, vitals = zip(*[first_visit(browser, url, cookies) for _time in range(times)], strict=True)
        found = one_tab(browser, url, cookies, times)
    show({"cold": cold} | found, vitals)


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
    took = timed(lambda: (page.goto("/patients"), ready(page)))
    vitals = page.evaluate(VITALS)
    page.context.close()
    return took, vitals


def one_tab(browser: Any, url: str, cookies: dict[str, str], times: int) -> dict[str, list[float]]:
    page = tab(browser, url, cookies)
    page.add_init_script(WATCH)
    page.goto("/patients")
    ready(page)
    warm = [timed(lambda: (page.reload(), ready(page))) for _time in range(times)]
    names = ["Emergencies", "Patients"] * (times + 1)
    switches = [timed(lambda name=name: open_page(page, name)) for name in names][2:]  # the first two are no repeats
    slowest = page.evaluate("window.slowest")
    page.goto("/chat")
    echoes = [echo(page, f"Echo {number} of {time.time()}") for number in range(times)]
    return {"warm": warm, "switch": switches, "echo": echoes, "next": [max(slowest, page.evaluate("window.slowest"))]}


def ready(page: Any) -> None:
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
    note = f"{first['requests']:.0f} requests, {first['bytes'] / 2**20:.2f} MB"
    rows.tell(replace(row, result=(middle | first)[name], note=note if name == "cold" else "") for name, row in ROWS.items())


if __name__ == "__main__":
    main()
