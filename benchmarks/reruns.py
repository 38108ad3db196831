"""CPU per rerun of every page with the full demo clinic, beside the same app under Streamlit's default settings.

    .venv/bin/python -m benchmarks.reruns [--reruns 40] [--goal 15]

Drives the app over Streamlit's own protocol with streamlit_load.py, which lies beside this checkout (CHAIRSIDE_SHARED
names another place). CPU is the server process's own time, so a busy machine changes it little. Ends with 1 when a
tuned page needs more than the goal.
"""

import argparse
import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import psutil

from benchmarks import rows
from benchmarks.rows import Row

IMPORTING = 8  # seconds: app.py imports the screens some time after it serves
ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("CHAIRSIDE_SHARED", ROOT.parent / "shared"))
DEFAULTS = ["--runner.postScriptGC", "true", "--runner.magicEnabled", "true", "--server.fileWatcherType", "auto",
            "--logger.level", "info", "--client.toolbarMode", "auto"]
BARE = "benchmarks/bare/app.py"
WARM_UP = 5  # reruns before those that count


@dataclass(frozen=True)
class Cost:
    """Of one rerun, on average."""

    cpu_ms: float
    messages: float
    kilobytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU per rerun of every page")
    parser.add_argument("--reruns", type=int, default=40)
    parser.add_argument("--goal", type=float, default=15.0)
    options = parser.parse_args()
    with demo_clinic() as (cookies, pages):
        floor = measure([], {}, {"today": ""}, options.reruns, BARE)["today"]
        tuned = measure([], cookies, pages, options.reruns)
        defaults = measure(DEFAULTS, cookies, pages, options.reruns)
    show(floor, tuned, defaults, options.goal)
    tell(floor, tuned, options.goal)
    sys.exit(any(cost.cpu_ms > options.goal for cost in tuned.values()))


@contextmanager
def demo_clinic() -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """A fresh data folder; the owner's cookie, and each page's address with something on it."""
    data = Path(tempfile.mkdtemp(prefix="chairside-bench-"))
    os.environ["CHAIRSIDE_DATA"] = str(data)
    from api.doorman import cookie_name
    from lib import auth, demo, startup
    startup.start()
    cluster = startup._server.cluster if startup._server else data
    try:
        demo.fill(datetime.now(UTC))
        account = auth.find_account(demo.staff()[0].email)
        token = auth.redeem_ticket(auth.issue_ticket(account, keep=True), device="benchmark", address="127.0.0.1").token
        yield {cookie_name(): token}, addresses(demo.employ()[0])
    finally:
        startup.stop()
        shutil.rmtree(cluster.parent, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)


def addresses(owner: object) -> dict[str, str]:
    """Every page there is. The patient with the longest thread stands for all."""
    from lib import db
    with db.scope(owner) as scope:
        patient = scope.value("""
            select patient_id from chat_messages
            where clinic_id = :clinic_id and patient_id is not null
            group by patient_id order by count(*) desc limit 1
            """)
    queries = {"patient": f"?patient={patient}", "patient_edit": f"?patient={patient}", "chat": f"?patient={patient}",
               "analytics": "?period=12m", "knowledge": "?article=crowns"}
    return {path.stem: queries.get(path.stem, "") for path in sorted((ROOT / "pages").glob("*.py"))}


def measure(flags: list[str], cookies: dict[str, str], pages: dict[str, str], reruns: int,
            app: str = "app.py") -> dict[str, Cost]:
    with server(flags, app) as (process, url):
        return {page: asyncio.run(rerun(process, url, page, query, cookies, reruns)) for page, query in pages.items()}


@contextmanager
def server(flags: list[str], app: str = "app.py", importing: float = IMPORTING) -> Iterator[tuple[psutil.Process, str]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "streamlit", "run", app, "--server.port", str(port), *flags], cwd=ROOT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        time.sleep(importing)
        yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_for(url: str, process: subprocess.Popen[bytes], every: float = 0.25) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            sys.exit("The app did not start.")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(every)
    sys.exit("The app did not answer within a minute.")


async def rerun(process: psutil.Process, url: str, page: str, query: str, cookies: dict[str, str], reruns: int) -> Cost:
    load = load_tool()
    session = load.Session(url, load.Recorder(), timers=False)
    address = "/" if page == "today" else f"/{page}{query}"
    await session.open(address, cookies=dict(cookies))
    for _ in range(WARM_UP):
        await session.page(page if page != "today" else "")
    session.expect("Sign out")
    if session.has("Something went wrong") or session.has("There is nothing here"):
        sys.exit(f"The page {page} shows an error instead of its content.")
    session.recorder.steps.clear()
    before = process.cpu_times()
    for _ in range(reruns):
        await session.page(page if page != "today" else "", name="rerun")
    await asyncio.sleep(0.2)  # a collection after the last run belongs to it
    after = process.cpu_times()
    samples = session.recorder.steps["rerun"]
    await session.close()
    spent = after.user + after.system - before.user - before.system
    return Cost(spent * 1000 / reruns, sum(one[2] for one in samples) / reruns, sum(one[3] for one in samples) / reruns / 1024)


def load_tool() -> ModuleType:
    path = SHARED / "tools" / "streamlit_load.py"
    if not path.exists():
        sys.exit(f"{path} is missing; CHAIRSIDE_SHARED names the folder that holds tools/streamlit_load.py.")
    spec = importlib.util.spec_from_file_location("streamlit_load", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tell(floor: Cost, tuned: dict[str, Cost], goal: float) -> None:
    over = [page for page, cost in tuned.items() if cost.cpu_ms > goal]
    bare, note = f"4.5 ms (now {floor.cpu_ms:.1f})", f"over it: {', '.join(over)}" if over else ""
    rows.tell([Row("CPU per rerun, the dearest page", goal, max(cost.cpu_ms for cost in tuned.values()), floor=bare, note=note),
               Row("messages per rerun, at most", 150, max(cost.messages for cost in tuned.values()), ""),
               Row("size of a rerun, at most", 50, max(cost.kilobytes for cost in tuned.values()), "kB")])


def show(floor: Cost, tuned: dict[str, Cost], defaults: dict[str, Cost], goal: float) -> None:
    """The floor tells how fast this machine is just now: the goal was set where it was 4.5 ms."""
    print(f"floor of this machine: {floor.cpu_ms:.1f} ms for a menu and a title")
    print(f"{'page':<14}{'CPU ms tuned':>14}{'CPU ms defaults':>17}{'messages':>10}{'kB':>8}")
    for page, cost in tuned.items():
        mark = "" if cost.cpu_ms <= goal else f"   over the goal of {goal:g} ms"
        print(f"{page:<14}{cost.cpu_ms:>14.1f}{defaults[page].cpu_ms:>17.1f}{cost.messages:>10.0f}{cost.kilobytes:>8.1f}{mark}")


if __name__ == "__main__":
    main()
