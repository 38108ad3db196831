"""What a benchmark tells: one row for each goal, which `make bench` puts into one table (benchmarks/report.py)."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """`goal` in the unit of `result`; the smaller, the better, unless `at_least`. `floor`: what a bare app of this kind took
    where the goal was set. `note`: with what, or why not."""

    what: str
    goal: float
    result: float
    unit: str = "ms"
    floor: str = "–"
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool:
        return self.result >= self.goal if self.at_least else self.result <= self.goal


def tell(rows: Iterable[Row]) -> None:
    """To the file that `make bench` names; run by itself a benchmark only prints."""
    if name := os.environ.get("CHAIRSIDE_BENCH_ROWS"):
        with Path(name).open("a") as file:
            file.writelines(json.dumps({**asdict(row), "load": os.getloadavg()[0]}) + "\n" for row in rows)
