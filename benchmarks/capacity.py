"""How many people one process carries: 1 to 200 sessions that think for 2 to 5 seconds, beside Streamlit's default settings.

    .venv/bin/python -m benchmarks.capacity [--seconds 40] [--sessions 1 10 50 100 200]

Everybody has a session of their own and goes from page to page with the full demo clinic. Times are on the wall and trust no busy
machine; the generator's own lag stands beside them. From fifty people on, the defaults get half of the time: all that a longer
round shows is a longer queue.
"""

import argparse
import asyncio
import itertools
import os
from typing import Any

from benchmarks import rows
from benchmarks.reruns import DEFAULTS, demo_clinic, load_tool, server
from benchmarks.rows import Row
from lib import auth, demo

GOALS = {(100, "p50"): 40, (100, "p95"): 150}  # milliseconds
FLOORS = {(50, "p50"): 15, (50, "p95"): 35, (100, "p50"): 18, (100, "p95"): 52, (200, "p50"): 37, (200, "p95"): 805}
QUEUE = 50  # people from whom on the defaults only queue
COLUMNS = ("sessions", "reruns/s", "p50 ms", "p95 ms", "first p95", "errors", "lag p95")
ROUND = ("patients", "", "chat", "analytics", "knowledge", "emergencies")


def main() -> None:
    parser = argparse.ArgumentParser(description="Sessions that one process carries")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 50, 100, 200])
    options = parser.parse_args()
    os.environ["LIMIT_READS"] = "1000000000"  # all of them are one person's
    with demo_clinic() as (cookies, _pages):
        [name] = cookies
        tokens = [sign_in() for _ in range(max(options.sessions))]
        print(f"{'settings':<10}" + "".join(f"{title:>10}" for title in COLUMNS))
        tuned = [measure("tuned", [], sessions, options.seconds, name, tokens) for sessions in options.sessions]
        defaults = [measure("defaults", DEFAULTS, sessions, options.seconds / (1 + (sessions >= QUEUE)), name, tokens)
                    for sessions in options.sessions]
    tell(tuned, defaults)


def measure(label: str, flags: list[str], sessions: int, seconds: float, name: str, tokens: list[str]) -> dict[str, Any]:
    with server(flags) as (_process, url):
        report = asyncio.run(run(url, sessions, seconds, name, tokens))
    show(label, report)
    return report


def sign_in() -> str:
    account = auth.find_account(demo.staff()[0].email)
    return auth.redeem_ticket(auth.issue_ticket(account, keep=True), device="benchmark", address="127.0.0.1").token


async def run(url: str, sessions: int, seconds: float, name: str, tokens: list[str]) -> dict[str, Any]:
    mine = iter(tokens)

    async def start(session) -> None:
        await session.open("/", cookies={name: next(mine, tokens[0])})
        session.pages_to_come = itertools.cycle(ROUND)

    async def step(session) -> None:
        await session.page(next(session.pages_to_come))
        session.expect("Sign out")
        await session.think()
    ramp = max(5.0, sessions / 10)
    return await load_tool().run_load(url, sessions=sessions, seconds=seconds, ramp=ramp, start=start, step=step)


def tell(tuned: list[dict[str, Any]], defaults: list[dict[str, Any]]) -> None:
    rows.tell([*[told(*pair, name) for pair in zip(tuned, defaults, strict=True) for name in ("p50", "p95")],
               Row("errors, all of these rounds", 0, failures(tuned), "", otherwise=f"{failures(defaults):,}")])


def told(ours: dict[str, Any], theirs: dict[str, Any], name: str) -> Row:
    people = ours["sessions"]
    return Row(f"{people} thinking 2 to 5 s: {name}", GOALS.get((people, name)), ours["steps"]["ALL"][name],
               floor=milliseconds(FLOORS.get((people, name)), "–"),
               otherwise=milliseconds(theirs["steps"]["ALL"][name], "nothing was answered"))


def milliseconds(figure: float | None, without: str) -> str:
    return without if figure is None else f"{figure:,.4g} ms"


def failures(reports: list[dict[str, Any]]) -> int:
    return sum(sum(report["errors"].values()) for report in reports)


def show(label: str, report: dict[str, Any]) -> None:
    every = report["steps"]["ALL"]
    cells = [report["sessions"], every["n"] / report["seconds"], every["p50"], every["p95"], every["first_p95"],
             sum(report["errors"].values()), report["lag_ms"]["p95"]]
    print(f"{label:<10}" + "".join(f"{cell or 0:>10.4g}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
