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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.rows import Row

ALL = ("reruns", "capacity", "api", "together", "storm", "start", "browser", "search", "imports", "audit", "assistant", "beside",
       "rollups")
DOCUMENT = Path("docs/performance.md")
BEGIN, END = "<!-- make bench: begin -->\n", "<!-- make bench: end -->\n"


def main(names: list[str]) -> None:
    rows = run(names or ALL)
    text = table(rows)
    print(text)
    if not names:
        before, _mark, rest = DOCUMENT.read_text().partition(BEGIN)
        DOCUMENT.write_text(before + BEGIN + text + END + rest.partition(END)[2])


def run(names: Any) -> list[dict[str, Any]]:
    """Each in a process of its own. One that fails leaves its rows out and is named."""
    with tempfile.NamedTemporaryFile("r") as file:
        for name in names:
            print(f"--- {name}", flush=True)
            done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False,
                                  env={**os.environ, "CHAIRSIDE_BENCH_ROWS": file.name})
            if done.returncode:
                print(f"{name} ended with {done.returncode}", flush=True)
        return [json.loads(line) for line in Path(file.name).read_text().splitlines()]


def table(found: list[dict[str, Any]]) -> str:
    lines = [f"{machine()}\n", "| what | goal | floor | result | met | load |", "|---|--:|--:|--:|---|--:|"]
    lines += [line(Row(**{name: value for name, value in one.items() if name != "load"}), one["load"]) for one in found]
    return "\n".join(lines) + "\n"


def line(row: Row, load: float) -> str:
    sign = "≥" if row.at_least else "≤"
    verdict = ("yes" if row.met else "**no**") + (f": {row.note}" if row.note else "")
    cells = (row.what, f"{sign} {row.goal:,g} {row.unit}", row.floor, f"{row.result:,.4g} {row.unit}", verdict, f"{load:.1f}")
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return (f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {psutil.cpu_count()} cores, {memory:.0f} GB, Python "
            f"{platform.python_version()}. `load`: how many programs wanted the cores when the row was written; above their "
            "number, times say more about the others than about Chairside.")


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [text.partition(":")[2].strip() for text in info.read_text().splitlines() if text.startswith("model name")] \
        if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main(sys.argv[1:])
