"""CPU per rerun of every page with the full demo clinic, beside the same app under Streamlit's default settings.

    .venv/bin/python -m benchmarks.reruns [--reruns 40] [--goal 15] [--fragments 8]

Drives the app over Streamlit's own protocol with streamlit_load.py, which lies beside this checkout (CHAIRSIDE_SHARED
names another place). CPU is the server process's own time, so a busy machine changes it little. Ends with 1 when a
tuned page, or a fragment of one, needs more than its goal.
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
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

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
FRAGMENT = ": its fragment alone"
MESSAGES, KILOBYTES = 150, 50  # of one rerun, at most


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
    parser.add_argument("--fragments", type=float, default=8.0)
    options = parser.parse_args()
    with demo_clinic() as (cookies, pages):
        floor = measure([], {}, {"today": ""}, options.reruns, BARE)["today"]
        tuned = measure([], cookies, pages, options.reruns)
        defaults = measure(DEFAULTS, cookies, pages, options.reruns)
    goals = {name: options.fragments if name.endswith(FRAGMENT) else options.goal for name in tuned}
    show(floor, tuned, defaults, goals)
    tell(floor, tuned, defaults, goals)


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
    """Of each page and, where it has fragments, of the dearest of them by itself."""
    with server(flags, app) as (process, url):
        found: dict[str, Cost] = {}
        for page, query in pages.items():
            found |= asyncio.run(costs(process, url, page, query, cookies, reruns))
        return found


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


async def costs(process: psutil.Process, url: str, page: str, query: str, cookies: dict[str, str],
                reruns: int) -> dict[str, Cost]:
    async with visit(url, page, query, cookies) as session:
        found = {page: await cost(process, session, partial(session.page, path(page), name="rerun"), reruns)}
        parts = sorted({element.fragment for element in session.elements.values()} - {""})
        alone = [await cost(process, session, partial(session._rerun, "rerun", fragment=part), reruns) for part in parts]
    return found | ({page + FRAGMENT: max(alone, key=lambda one: one.cpu_ms)} if alone else {})


async def rerun(process: psutil.Process, url: str, page: str, query: str, cookies: dict[str, str], reruns: int) -> Cost:
    async with visit(url, page, query, cookies) as session:
        return await cost(process, session, partial(session.page, path(page), name="rerun"), reruns)


@asynccontextmanager
async def visit(url: str, page: str, query: str, cookies: dict[str, str]) -> AsyncIterator[Any]:
    load = load_tool()
    session = load.Session(url, load.Recorder(), timers=False)
    await session.open(f"/{path(page)}{query}", cookies=dict(cookies))
    await session.page(path(page))
    session.expect("Sign out")
    if session.has("Something went wrong") or session.has("There is nothing here"):
        sys.exit(f"The page {page} shows an error instead of its content.")
    yield session
    await session.close()


async def cost(process: psutil.Process, session: Any, act: Callable[[], Coroutine[Any, Any, None]], reruns: int) -> Cost:
    for _ in range(WARM_UP):
        await act()
    session.recorder.steps.clear()
    before = process.cpu_times()
    for _ in range(reruns):
        await act()
    await asyncio.sleep(0.2)  # a collection after the last run belongs to it
    after = process.cpu_times()
    samples = session.recorder.steps["rerun"]
    spent = after.user + after.system - before.user - before.system
    return Cost(spent * 1000 / reruns, sum(one[2] for one in samples) / reruns, sum(one[3] for one in samples) / reruns / 1024)


def path(page: str) -> str:
    return "" if page == "today" else page


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


def tell(floor: Cost, tuned: dict[str, Cost], defaults: dict[str, Cost], goals: dict[str, float]) -> None:
    rows.tell([*[told(name, goals[name], cost, defaults[name], floor) for name, cost in tuned.items()],
               Row("messages of a rerun, at most", MESSAGES, max(cost.messages for cost in tuned.values()), "",
                   otherwise=f"{max(cost.messages for cost in defaults.values()):.0f}"),
               Row("size of a rerun, at most", KILOBYTES, max(cost.kilobytes for cost in tuned.values()), "kB",
                   otherwise=f"{max(cost.kilobytes for cost in defaults.values()):.1f} kB")])


def told(name: str, goal: float, cost: Cost, default: Cost, floor: Cost) -> Row:
    bare = "3.8 ms" if name.endswith(FRAGMENT) else f"4.5 ms (now {floor.cpu_ms:.1f})"
    return Row(name, goal, cost.cpu_ms, floor=bare, otherwise=f"{default.cpu_ms:.1f} ms, {default.messages:.0f} messages",
               note=f"{cost.messages:.0f} messages, {cost.kilobytes:.1f} kB")


def show(floor: Cost, tuned: dict[str, Cost], defaults: dict[str, Cost], goals: dict[str, float]) -> None:
    """The floor tells how fast this machine is just now: the goal was set where it was 4.5 ms."""
    print(f"floor of this machine: {floor.cpu_ms:.1f} ms for a menu and a title")
    print(f"{'page':<36}{'CPU ms tuned':>14}{'CPU ms defaults':>17}{'messages':>10}{'kB':>8}")
    for name, cost in tuned.items():
        mark = "" if cost.cpu_ms <= goals[name] else f"   over the goal of {goals[name]:g} ms"
        print(f"{name:<36}{cost.cpu_ms:>14.1f}{defaults[name].cpu_ms:>17.1f}{cost.messages:>10.0f}{cost.kilobytes:>8.1f}{mark}")


if __name__ == "__main__":
    main()
