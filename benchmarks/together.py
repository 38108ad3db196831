"""People and programs at once: every route beside 50 people, and people's pages beside 200 requests a second.

    .venv/bin/python -m benchmarks.together [--rounds 3] [--seconds 30] [--sessions 50] [--rate 200]

People go from page to page and think for 2 to 5 seconds. Their rounds with and without programs alternate, so that a machine busy
with something else slows both alike.
"""

import argparse
import asyncio
import os
import statistics
from typing import Any

from benchmarks import client, rows
from benchmarks.api import access, cases
from benchmarks.capacity import run as people
from benchmarks.capacity import sign_in
from benchmarks.reruns import demo_clinic, server
from benchmarks.rows import Row

BESIDE = 4  # requests a second to each route beside the people
ROUTES = ("auth/me", "patients", "patients?q=a", "chats/threads", "emergencies", "analytics/messages", "budgets", "team",
          "team/invitations", "audit", "jobs", "api-clients", "clinics", "session", "health")


def main() -> None:
    parser = argparse.ArgumentParser(description="People and programs at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--rate", type=float, default=200.0)
    options = parser.parse_args()
    os.environ["LIMIT_READS"] = "1000000000"
    with demo_clinic() as (cookies, _pages), server([]) as (_process, url):
        [name] = cookies
        tokens = [sign_in() for _ in range(options.sessions)]
        asyncio.run(compare(url, name, tokens, options))


async def compare(url: str, name: str, tokens: list[str], options: Any) -> None:
    async def pages() -> float:
        report = await people(url, options.sessions, options.seconds, name, tokens)
        return float(report["steps"]["ALL"]["p95"])
    patient = cases()["patient"].path
    alone, beside, answers = [], [], {}
    for _round in range(options.rounds):
        alone.append(await pages())
        asked = asyncio.create_task(client.ask(url, patient, access(), connections=20, seconds=options.seconds,
                                               rate=options.rate))
        beside.append(await pages())
        answers[f"patient at {options.rate:g}/s"] = await asked
    token, paths = access(), [f"/api/v1/{route}" for route in ROUTES]
    waiting = [asyncio.create_task(client.ask(url, path, token, connections=1, seconds=options.seconds, rate=BESIDE))
               for path in paths]
    await pages()
    answers |= dict(zip(paths, [await task for task in waiting], strict=True))
    show(statistics.median(alone), statistics.median(beside), answers, options)


def show(alone: float, beside: float, answers: dict[str, client.Tally], options: Any) -> None:
    print(f"pages of {options.sessions} people: p95 {alone:.0f} ms alone, {beside:.0f} ms beside {options.rate:g} requests a "
          f"second   load {os.getloadavg()[0]:.1f}")
    for path, tally in answers.items():
        print(f"{path:<32}{len(tally.times):>6} answers   p50 {tally.p50:7.1f} ms   p95 {tally.p95:7.1f} ms   "
              f"{tally.errors} errors")
    slowest = max(answers, key=lambda path: answers[path].p95)
    rows.tell([Row(f"API beside {options.sessions} people: p95 of the slowest route", 200, answers[slowest].p95, note=slowest),
               Row(f"pages of {options.sessions} people beside {options.rate:g} requests a second: p95 rises", 50,
                   (beside / alone - 1) * 100, "%", note=f"{alone:.0f} → {beside:.0f} ms")])


if __name__ == "__main__":
    main()
