"""From `streamlit run` on existing data, embedded database included, until the page is served.

    .venv/bin/python -m benchmarks.start [--times 5]
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import rows
from benchmarks.reruns import ROOT, free_port, wait_for
from benchmarks.rows import Row


def main() -> None:
    parser = argparse.ArgumentParser(description="Cold start")
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    data = Path(tempfile.mkdtemp(prefix="chairside-bench-"))
    os.environ["CHAIRSIDE_DATA"] = str(data)
    try:
        start()  # makes the database
        took = [start() for _time in range(times)]
    finally:
        clean_up(data)
    print(f"start: median {statistics.median(took):.1f} s, worst of {times} {max(took):.1f} s   load {os.getloadavg()[0]:.1f}")
    rows.tell([Row("start on existing data until the page is served, median", 4, statistics.median(took), "s", "0.4 s")])


def start() -> float:
    port, began = free_port(), time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)], cwd=ROOT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/", process, every=0.02)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(timeout=30)


def clean_up(data: Path) -> None:
    """Run by root, the database lies elsewhere; the folder names it."""
    from lib import embedded
    for name in data.rglob("cluster.id"):
        shutil.rmtree(embedded.STATE / name.read_text(), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
