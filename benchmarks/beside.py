"""What forty conversations with a slow provider cost everybody else: page runs of ten other tabs, alone and beside them.

    .venv/bin/python -m benchmarks.beside [--rounds 9] [--seconds 20]

A real server process, driven over Streamlit's own protocol (streamlit_load.py, see benchmarks/reruns.py). The conversations and
their provider are a third process (benchmarks/conversing.py). The rounds alternate, so that a machine that is busy with something
else slows both alike.
"""

import argparse
import asyncio
import os
import random
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any

import psutil

from benchmarks import rows
from benchmarks.assistant import switch_on
from benchmarks.conversing import Clinic, conversing, told
from benchmarks.reruns import demo_clinic, load_tool, server
from benchmarks.rows import Row

ASKING, OTHERS = 40, 10
PAGES = ["", "patients", "emergencies", "knowledge", "analytics", "account"]
THINK = (0.5, 1.5)  # seconds between two pages of one tab


def main() -> None:
    parser = argparse.ArgumentParser(description="Other tabs alone and beside forty slow conversations")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with conversing(options.seconds) as pipe:
        os.environ |= {"AI_BASE_URL": pipe.recv(), "AI_API_KEY": "k", "AI_ALLOWED_HOSTS": "127.0.0.1",
                       "LIMIT_CHATS": "10000", "LIMIT_READS": "1000000"}
        with demo_clinic() as (cookies, _pages):
            from lib import demo
            owner = demo.employ()[0]
            switch_on(owner)
            patients = known_patients(owner)
            with server([]) as (process, url):
                asyncio.run(compare(pipe, process, Clinic(url, cookies, patients), options))


def known_patients(owner: Any) -> list[str]:
    from lib import db, patients
    with db.scope(owner) as scope:
        return [str(one.id) for one in patients.find(scope, limit=ASKING).rows]


async def compare(pipe: Connection, process: psutil.Process, clinic: Clinic, options: Any) -> None:
    load = load_tool()
    recorder = load.Recorder()
    others = [load.Session(clinic.url, recorder, THINK) for _ in range(OTHERS)]
    for session in others:
        await session.open("/", cookies=dict(clinic.cookies))
    pipe.send(clinic)
    await told(pipe)
    await measure(others, "warm-up", 5, process)
    spent: dict[str, list[float]] = {"alone": [], "beside": []}
    waiting = []
    for _round in range(options.rounds):
        spent["alone"].append(await measure(others, "alone", options.seconds, process))
        pipe.send("ask")
        waiting.append(await told(pipe))
        spent["beside"].append(await measure(others, "beside", options.seconds, process))
        pipe.send("enough")
        waiting.append(await told(pipe))
        await told(pipe)
        await asyncio.sleep(2)
    show(recorder, spent, waiting)
    for session in others:
        await session.close()


async def measure(others: list[Any], name: str, seconds: float, process: psutil.Process) -> float:
    """Each tab opens one page after another; the server's share of one core meanwhile. They begin apart: ten clicks in the same
    instant of each round, a twentieth of all, were the p95, and told nothing of the others."""
    before, began = process.cpu_times(), time.perf_counter()

    async def browse(session: Any, first: int) -> None:
        await asyncio.sleep(random.uniform(0, THINK[1]))
        number = first
        while time.perf_counter() - began < seconds:
            await session.page(PAGES[number % len(PAGES)], name=name)
            await session.think()
            number += 1
    await asyncio.gather(*(browse(session, number) for number, session in enumerate(others)))
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / (time.perf_counter() - began)


def show(recorder: Any, spent: dict[str, list[float]], waiting: list[int]) -> None:
    p95 = {}
    for name in ("alone", "beside"):
        took = [sample[0] * 1000 for sample in recorder.steps[name]]
        p95[name] = statistics.quantiles(took, n=20)[-1]
        print(f"{name:<7} {len(took):>5} page runs   p50 {statistics.median(took):6.1f} ms   p95 {p95[name]:6.1f} ms   "
              f"server {statistics.mean(spent[name]):5.0%} of a core")
    print(f"conversations open at the provider, before and after each round: {waiting}")
    rows.tell([Row(f"pages of {OTHERS} people beside {ASKING} slow conversations: p95 rises", 20,
                   (p95["beside"] / p95["alone"] - 1) * 100, "%", note=f"{p95['alone']:.0f} → {p95['beside']:.0f} ms")])
    print(f"p95 beside them {p95['beside'] / p95['alone'] - 1:+.0%} (goal below +20 %)")


if __name__ == "__main__":
    main()
