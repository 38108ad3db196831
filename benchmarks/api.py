"""How fast one idle process answers programs, and what a request costs it.

    .venv/bin/python -m benchmarks.api [--seconds 10] [--connections 16]

The CPU is the server process's own; statements and trips to the database are counted in this process, by the same stack.
`me` and `client` read no patient, the one as a person and the other as an API client, so nothing is written down; a look at a
patient or at the list has its row in the audit log, once in five minutes.
"""

import argparse
import os
from dataclasses import dataclass
from typing import Any

import psutil
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from benchmarks import client, rows
from benchmarks.reruns import demo_clinic, server
from benchmarks.rows import Row
from lib import logs

WARM_UP = 1.0  # seconds
ONE_ROW = {"me": "who a person is", "client": "who an API client is", "patient": "one patient"}  # what the goal speaks of


@dataclass(frozen=True)
class Case:
    path: str
    token: str
    written_down: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description="Requests a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    os.environ["LIMIT_READS"] = "1000000000"
    logs.configure()
    with demo_clinic(), server([]) as (process, url):
        found = {name: measure(process, url, name, case, options) for name, case in cases().items()}
    for name, label in ONE_ROW.items():
        rows.tell(told(label, *found[name], options.connections))


def told(label: str, tally: client.Tally, cpu: float, connections: int) -> list[Row]:
    note = f"{cpu:.0f} µs of CPU each" + (f", {tally.errors} errors" if tally.errors else "")
    return [Row(f"{label}: requests a second", 1000, tally.rate, "", "1,987", at_least=True, note=note),
            Row(f"{label}, {connections} connections: p95", 50, tally.p95, floor="12 ms")]


def cases() -> dict[str, Case]:
    from lib import api_clients, db, demo, patients
    owner, token = demo.employ()[0], access()
    with db.scope(owner) as scope:
        wanted = api_clients.Wanted("Benchmark", "owner", ["patients.read"], request_limit=1_000_000)
        _id, program = api_clients.add(scope, wanted)
        patient = patients.find(scope).rows[0].id
    return {"me": Case("/api/v1/auth/me", token), "client": Case("/api/v1/auth/me", program),
            "patient": Case(f"/api/v1/patients/{patient}", token, True), "list": Case("/api/v1/patients", token, True)}


def access() -> str:
    """An access token of the demo clinic's owner, good for a quarter of an hour."""
    from lib import auth, demo, grants
    account = auth.find_account(demo.staff()[0].email)
    return grants.issue(account, keep=True, device="benchmark", address="127.0.0.1").access


def measure(process: psutil.Process, url: str, name: str, case: Case, options: Any) -> tuple[client.Tally, float]:
    from tests.trips import counted
    client.run(url, case.path, case.token, connections=options.connections, seconds=WARM_UP)
    before = process.cpu_times()
    tally = client.run(url, case.path, case.token, connections=options.connections, seconds=options.seconds)
    after = process.cpu_times()
    cpu = (after.user + after.system - before.user - before.system) / len(tally.times) * 1e6
    with counted() as wire:
        ask_here(case)
    print(f"{name:<10}{tally.rate:>7.0f} a second   p50 {tally.p50:6.1f} ms   p95 {tally.p95:6.1f} ms   "
          f"{tally.errors} errors   {cpu:5.0f} µs of CPU   {wire.statements} statements, {wire.trips} trips   "
          f"{'written down' if case.written_down else 'not written down'}   load {os.getloadavg()[0]:.1f}", flush=True)
    return tally, cpu


def ask_here(case: Case) -> None:
    from api.doorman import Doorman
    from api.main import make
    with TestClient(Doorman(Starlette(routes=[Mount("/api", make())])), "http://localhost") as caller:
        caller.get(case.path, headers={"Authorization": f"Bearer {case.token}"}).raise_for_status()


if __name__ == "__main__":
    main()
