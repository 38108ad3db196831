"""From `streamlit run` on existing data, embedded database included, until the page is served, and until it stands in a browser
that has never seen it.

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
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import rows
from benchmarks.browser import chromium
from benchmarks.reruns import ROOT, free_port, wait_for
from benchmarks.rows import Row
from scripts.chromium import usable

SERVED = Row("start on existing data until the page is served, median", None, unit="s", floor="0.4 s")
SHOWN = Row("start on existing data until the first page stands in a new browser, median", 4, unit="s")


def main() -> None:
    parser = argparse.ArgumentParser(description="Cold start")
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    data = Path(tempfile.mkdtemp(prefix="chairside-bench-"))
    os.environ["CHAIRSIDE_DATA"] = str(data)
    try:
        start()  # makes the database
        show([start() for _time in range(times)], SERVED)
        if usable():
            with chromium() as browser:
                show([start(browser) for _time in range(times)], SHOWN)
        else:
            rows.excuse([SHOWN], "no Chromium on this machine")
    finally:
        clean_up(data)


def show(took: list[float], row: Row) -> None:
    print(f"{row.what} {statistics.median(took):.1f} s, worst of {len(took)} {max(took):.1f} s   load {os.getloadavg()[0]:.1f}")
    rows.tell([replace(row, result=statistics.median(took))])


def start(browser: Any = None) -> float:
    """Seconds. The browser runs already, as it does at a desk."""
    port, began = free_port(), time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)], cwd=ROOT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/", process, every=0.02)
        if browser:
            look(browser, f"http://localhost:{port}/")
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(timeout=30)


def look(browser: Any, url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Password").first.wait_for()
    context.close()


def clean_up(data: Path) -> None:
    """Run by root, the database lies elsewhere; the folder names it."""
    from lib import embedded
    for name in data.rglob("cluster.id"):
        shutil.rmtree(embedded.STATE / name.read_text(), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
