"""What a benchmark tells: one row for each figure, which `make bench` puts into one table (benchmarks/report.py)."""

import json
import os
import timeit
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """`goal` in the unit of `result`; the smaller, the better, unless `at_least`. None: a figure that only stands beside others.
    `result`: None where nothing could be measured, and `note` says why. `floor`: what a bare app of this kind took where the goal
    was set. `otherwise`: what the way that was not taken takes, in the same run. `note`: with what, or why not."""

    what: str
    goal: float | None
    result: float | None = None
    unit: str = "ms"
    floor: str = "–"
    otherwise: str = "–"
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.goal is None or self.result is None:
            return None
        return self.result >= self.goal if self.at_least else self.result <= self.goal


def tell(rows: Iterable[Row]) -> None:
    """To the file that `make bench` names; run by itself a benchmark only prints."""
    if name := os.environ.get("CHAIRSIDE_BENCH_ROWS"):
        with Path(name).open("a") as file:
            file.writelines(json.dumps({**asdict(row), **moment()}) + "\n" for row in rows)


def moment() -> dict[str, float]:
    """What the machine was like just then: how many programs wanted its cores, and how fast one of them is."""
    return {"load": os.getloadavg()[0], "loop": loop()}


def loop() -> float:
    """Milliseconds, the shortest of thirty: a shared machine may be two to four times slower in one hour than in the next."""
    return min(timeit.repeat("sum(range(20_000))", number=1, repeat=30)) * 1000


def excuse(rows: Iterable[Row], why: str) -> None:
    """What can't be measured here stands in the table as well, or nobody would miss it."""
    print(f"not measured: {why}")
    tell(replace(row, note=why) for row in rows)
