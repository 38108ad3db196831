"""People and programs at once: every route beside 50 people, and people's pages beside 200 requests a second.

    .venv/bin/python -m benchmarks.together [--rounds 3] [--seconds 30] [--sessions 50] [--rate 200] [--routes 15]

People go from page to page and think for 2 to 5 seconds. Their rounds with and without programs alternate, so that a machine busy
with something else slows both alike. Then programs ask every route that an owner may read (benchmarks/routes.py), and most that
write (benchmarks/changes.py), for four times as long; `--routes`: how often a second, all of them together. Each route's
questions are seconds apart: how long it takes beside these people is looked at, not how much more the machine could bear.
"""

import argparse
import asyncio
import os
import statistics
from collections.abc import Iterable
from typing import Any

from benchmarks import changes, client, routes, rows
from benchmarks.api import access, cases
from benchmarks.capacity import failures, sign_in
from benchmarks.capacity import run as people
from benchmarks.reruns import demo_clinic, server
from benchmarks.rows import Row

Report = dict[str, Any]
GOAL = 200  # milliseconds
SETTLED = 10.0  # seconds after which all people have opened their first page, and every route was asked for the first time


def main() -> None:
    parser = argparse.ArgumentParser(description="People and programs at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--routes", type=float, default=15.0)
    options = parser.parse_args()
    os.environ |= dict.fromkeys(("LIMIT_READS", "LIMIT_CHANGES", "LIMIT_CHATS"), "1000000000")
    with demo_clinic() as (cookies, _pages), server([]) as (_process, url):
        from lib import demo
        owner = demo.employ()[0]
        [name] = cookies
        tokens = [sign_in() for _ in range(options.sessions)]
        asyncio.run(compare_pages(url, name, tokens, options))
        asked = routes.reading(owner) | changes.writing(owner)
        options.seconds *= 4
        asyncio.run(ask_every_route(url, name, tokens, asked, options))


async def compare_pages(url: str, name: str, tokens: list[str], options: Any) -> None:
    patient = [client.Question(cases()["patient"].path)]
    alone, beside, programs = [], [], []
    for _round in range(options.rounds):
        alone.append(await people(url, options.sessions, options.seconds, name, tokens))
        program = asyncio.create_task(client.ask(url, patient, access(), connections=20, seconds=options.seconds,
                                                 rate=options.rate))
        beside.append(await people(url, options.sessions, options.seconds, name, tokens))
        programs.append(await program)
    show_pages(alone, beside, programs, options)


async def ask_every_route(url: str, name: str, tokens: list[str], asked: changes.Asked, options: Any) -> None:
    working = asyncio.create_task(people(url, options.sessions, SETTLED + options.seconds, name, tokens))
    await every_route(url, asked, SETTLED, options.routes)
    answers = await every_route(url, asked, options.seconds, options.routes)
    await working
    show_routes(answers, options)


async def every_route(url: str, asked: changes.Asked, seconds: float, rate: float) -> dict[str, client.Tally]:
    token = access()

    async def ask(number: int, questions: Iterable[client.Question]) -> client.Tally:
        await asyncio.sleep(number / rate)  # in turn: no two are due at the same moment
        return await client.ask(url, questions, token, connections=1, seconds=seconds, rate=rate / len(asked))
    tallies = await asyncio.gather(*(ask(number, questions) for number, questions in enumerate(asked.values())))
    return dict(zip(asked, tallies, strict=True))


def show_pages(alone: list[Report], beside: list[Report], programs: list[client.Tally], options: Any) -> None:
    """A server that refused people or programs, or answered fewer of these than asked, would look good: both are told."""
    before, after = (statistics.median(report["steps"]["ALL"]["p95"] for report in some) for some in (alone, beside))
    answered = statistics.median(tally.rate for tally in programs)
    failed = failures([*alone, *beside]) + sum(tally.errors for tally in programs)
    label = f"pages of {options.sessions} people beside {options.rate:g} requests a second"
    print(f"{label}: p95 {before:.0f} ms alone, {after:.0f} ms beside {answered:.0f} answered a second, {failed} errors   load "
          f"{os.getloadavg()[0]:.1f}", flush=True)
    rows.tell([Row(f"{label}: p95 rises", 50, (after / before - 1) * 100, "%", note=f"{before:.0f} → {after:.0f} ms"),
               Row(f"{label}: of these are answered", options.rate * 0.99, answered, "a second", at_least=True),
               Row(f"{label}: errors of either", 0, failed, "")])


def show_routes(answers: dict[str, client.Tally], options: Any) -> None:
    """The slowest first; the others from slow to fast."""
    slow = sorted(answers, key=lambda name: -answers[name].p95)
    print(f"beside {options.sessions} people the slowest of {len(slow)} routes is {slow[0]}: p95 {answers[slow[0]].p95:.1f} ms")
    for name in slow:
        tally = answers[name]
        print(f"{name:<44}{len(tally.times):>6} answers   p50 {tally.p50:7.1f} ms   p95 {tally.p95:7.1f} ms   "
              f"{tally.errors} errors")
    label = f"API beside {options.sessions} people"
    failed = {name: answers[name].errors for name in slow if answers[name].errors}
    rows.tell([Row(f"{label}: p95 of the slowest route", GOAL, answers[slow[0]].p95, note=slow[0]),
               Row(f"{label}: errors, all routes", 0, sum(failed.values()), "", note=", ".join(failed)),
               *[Row(f"{label}: p95 of {name}", GOAL, answers[name].p95) for name in slow]])


if __name__ == "__main__":
    main()
