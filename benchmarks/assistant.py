"""The assistant with a provider: the way of the first piece to the screen, and what forty slow conversations cost everybody else.

    .venv/bin/python -m benchmarks.assistant [--times 12]

The provider is tests/lib/fake_provider.py, on this machine. The first needs Chromium (scripts/chromium.py).
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks import rows
from benchmarks.reruns import demo_clinic, server
from benchmarks.rows import Row
from scripts.chromium import launch, usable
from tests.lib.fake_provider import END, FakeProvider, chunk, serving, usage

FIRST = Row("first token on the screen after the provider's first byte, median", 150, floor="100 ms")
# lib/prompts.py asks for this line, which nobody sees: it is held back until it is complete. In tokens, at fifty a second.
TIER, PACE = ("T", "IER", ":", " NONE", "\n"), 0.02
BEHIND = Row("the same behind a first line “TIER: NONE”, after the first byte that may be shown, median", 150)
SEEN = """word => new Promise(found => {
  const look = () => document.body.innerText.includes(word) && (found(Date.now()), true)
  if (!look()) new MutationObserver((_, watching) => look() && watching.disconnect())
    .observe(document.body, { subtree: true, childList: true, characterData: true })
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description="First token and parallel conversations")
    parser.add_argument("--times", type=int, default=12)
    times = parser.parse_args().times
    with serving() as (fake, provider):
        os.environ |= {"AI_BASE_URL": provider.base_url, "AI_API_KEY": "k", "AI_ALLOWED_HOSTS": "127.0.0.1",
                       "LIMIT_CHATS": "10000"}
        with demo_clinic() as (cookies, _pages):
            from lib import demo
            owner = demo.employ()[0]
            switch_on(owner)
            if usable():
                show_first_piece(fake, cookies, times)
            else:
                rows.excuse([FIRST, BEHIND], "no Chromium on this machine")
            show_neighbours(fake, owner)


def switch_on(owner: Any) -> None:
    from lib import assistant_settings, db
    with db.scope(owner) as scope:
        assistant_settings.amend(scope, assistant_settings.AssistantSettings(provider_on=True, baa_on_file=True))


def show_first_piece(fake: FakeProvider, cookies: dict[str, str], times: int) -> None:
    """From the provider's first byte that may be shown to its text in the page, by one clock."""
    with server([]) as (_process, url), tab(url, cookies) as page:
        for kind, row, line in (("bare", FIRST, ()), ("behind", BEHIND, TIER)):
            took = [first_piece(fake, page, f"Word{number}{kind}", line) for number in range(times)]
            median, most = statistics.median(took), max(took)
            rows.tell([replace(row, result=median, note=f"{most:.0f} ms at most")])
            print(f"{row.what} {median:.0f} ms, worst of {times} {most:.0f} ms (goal {row.goal})")


@contextmanager
def tab(url: str, cookies: dict[str, str]) -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context(base_url=url)
        context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
        page = context.new_page()
        page.goto("/chat")
        page.get_by_test_id("stChatInputTextArea").wait_for()
        yield page
        browser.close()


def first_piece(fake: FakeProvider, page: Any, word: str, before: Sequence[str]) -> float:
    """`before`: tokens that are not shown."""
    sent: list[float] = []

    def answer(handler: Any) -> None:
        hidden = [piece for token in before for piece in (chunk(token), PACE)]
        fake.scripts = [[0.6, *hidden, chunk(f"{word} "), 0.5, chunk("end.", finish="stop"), usage(3, 4), END]]
        write = handler.wfile.write

        def note(piece: bytes) -> None:
            if f"{word} ".encode() in piece:
                sent.append(time.time())
            write(piece)
        handler.wfile.write = note
        FakeProvider.answer(fake, handler)
    fake.answer = answer  # type: ignore[method-assign]
    page.get_by_test_id("stChatInputTextArea").fill(f"Which moon comes next, {word[::-1]}?")
    page.keyboard.press("Enter")
    seen = page.evaluate(SEEN, word)
    page.get_by_text(f"{word} end.").first.wait_for()
    page.wait_for_timeout(1500)
    return float(seen - sent[0] * 1000)


def show_neighbours(fake: FakeProvider, owner: Any) -> None:
    """Of a colleague's questions that an article answers: alone, and beside forty conversations that wait for their provider."""
    from lib import demo, workers, workflows
    colleague = demo.employ()[2]
    fake.answer = FakeProvider.answer.__get__(fake)  # type: ignore[method-assign]
    fake.says(*[b": wait\n\n", 0.2] * 100, chunk("Late.", finish="stop"), usage(3, 4), END)
    alone = questions(colleague)
    workers.OF_ONE_CLINIC = workers.PLACES["outside"]  # the demo's one clinic stands for several
    asked = [workflows.ask(owner, None, f"Which planet is number {number} {datetime.now(UTC)}?") for number in range(40)]
    beside = questions(colleague)
    waiting = sum(workers.find(one.answer_id) is not None for one in asked)
    for one in asked:
        workflows.stop(owner, one.answer_id)
    workflows.shutdown()
    print(f"a question until it is answered, median / p95: alone {line(alone)}, beside {waiting} slow ones {line(beside)}")


def questions(who: Any) -> list[float]:
    from lib import workers, workflows
    took = []
    for number in range(40):
        began = time.perf_counter()
        asked = workflows.ask(who, None, f"What is a root canal treatment? {number} {time.time()}")
        job = workers.find(asked.answer_id)
        if job:
            job.wait(10 ** 9, 30)
        took.append((time.perf_counter() - began) * 1000)
    return took


def line(took: list[float]) -> str:
    return f"{statistics.median(took):.0f} / {statistics.quantiles(took, n=20)[-1]:.0f} ms"


if __name__ == "__main__":
    assert Path("app.py").exists(), "Run it from the project's folder."
    main()
