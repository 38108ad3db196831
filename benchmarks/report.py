"""Every benchmark, one after the other, and one table of them between the markers of docs/performance.md.

    .venv/bin/python -m benchmarks.report [name ...]

With names, only those run, and the table is printed instead.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil

from benchmarks.rows import Row, moment

# The heading that each one's rows stand under; neighbours share one.
PAGES, PEOPLE, PROGRAMS = "A rerun of each page, CPU of the server", "People at once, one process", "Programs, by the API"
WAITS, DATA = "What one person waits for", "Much data"
ALL = {"reruns": PAGES, "capacity": PEOPLE, "beside": PEOPLE, "api": PROGRAMS, "together": PROGRAMS, "storm": PROGRAMS,
       "start": WAITS, "browser": WAITS, "assistant": WAITS, "redflags": WAITS,
       "search": DATA, "imports": DATA, "audit": DATA, "rollups": DATA}
HEAD = "| what | goal | floor | result | met | otherwise | load | loop |\n|---|--:|--:|--:|---|--:|--:|--:|"
DOCUMENT = Path("docs/performance.md")
BEGIN, END = "<!-- make bench: begin -->\n", "<!-- make bench: end -->\n"


def main(names: list[str]) -> None:
    began = time.monotonic()
    found = run(names or ALL)
    text = table(found, time.monotonic() - began)
    print(text)
    if not names:
        before, _mark, rest = DOCUMENT.read_text().partition(BEGIN)
        DOCUMENT.write_text(before + BEGIN + text + END + rest.partition(END)[2])


def run(names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    return {name: measure(name) for name in names}


def measure(name: str) -> list[dict[str, Any]]:
    """In a process of its own. One that fails has a row that says so, beside those it had told by then."""
    print(f"--- {name}", flush=True)
    began = time.monotonic()
    with tempfile.NamedTemporaryFile("r") as file:
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False,
                              env={**os.environ, "CHAIRSIDE_BENCH_ROWS": file.name})
        told = [json.loads(line) for line in Path(file.name).read_text().splitlines()]
    print(f"--- {name} ended with {done.returncode} after {time.monotonic() - began:.0f} s", flush=True)
    if done.returncode or not told:
        failed = Row(name, None, note=f"it ended with {done.returncode}")
        told.append({**asdict(failed), **moment()})
    return told


def table(found: dict[str, list[dict[str, Any]]], seconds: float) -> str:
    return "\n".join([f"{machine(seconds)}\n", HEAD, *lines(found)]) + "\n"


def lines(found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for heading, names in groupby(found, key=lambda name: ALL[name]):
        yield f"| **{heading}** |" + " |" * 7
        for one in (one for name in names for one in found[name]):
            row = Row(**{name: value for name, value in one.items() if name not in ("load", "loop")})
            yield line(row, one["load"], one["loop"])


def line(row: Row, load: float, loop: float) -> str:
    sign = "≥" if row.at_least else "≤"
    goal = "–" if row.goal is None else f"{sign} {row.goal:,g} {row.unit}".strip()
    result = "–" if row.result is None else f"{row.result:,.4g} {row.unit}".strip()
    cells = (row.what, goal, row.floor, result, verdict(row), row.otherwise, f"{load:.1f}", f"{loop:.2f}")
    return f"| {' | '.join(cells)} |"


def verdict(row: Row) -> str:
    said = "**not measured**" if row.result is None else {True: "yes", False: "**no**", None: ""}[row.met]
    return ": ".join(filter(None, [said, row.note])) or "–"


def machine(seconds: float) -> str:
    memory = psutil.virtual_memory().total / 2**30
    return (f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {psutil.cpu_count()} cores, {memory:.0f} GB, Python "
            f"{platform.python_version()}; the run took {seconds / 60:.0f} minutes. `floor`: what a bare app took where the goal "
            "was set. `otherwise`, in the same run: under Streamlit's default settings; figures from rows instead of roll-ups; "
            "patients one by one. `load`: how many programs wanted the cores when the row was written; above their number, times "
            "say more about the others than about Chairside. `loop`: how many milliseconds `sum(range(20_000))` took then: "
            "0.20 in this machine's best hours, and times follow it.")


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [text.partition(":")[2].strip() for text in info.read_text().splitlines() if text.startswith("model name")] \
        if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main(sys.argv[1:])
