"""How long a clinic waits for its 2,076 patients, as the restricted role under row-level security, history included.

    python benchmarks/imports.py

Beside it the same rows registered one by one with lib.patients.register, each with its own look for duplicates, in one
transaction. Uses the shared test data where it is beside this checkout, else generated rows. The goal is 3 seconds.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["CHAIRSIDE_DATA"] = tempfile.mkdtemp(prefix="chairside-benchmark-")
os.environ.pop("DATABASE_URL", None)
os.environ.pop("DATABASE_OWNER_URL", None)

from sqlalchemy import text

from benchmarks import rows as report
from benchmarks.start import clean_up
from lib import db, imports, intake, patients, startup
from lib.identity import Identity
from lib.imports import Report
from lib.intake import Row

GOAL = 3
ROWS = 2_076
SHARED = Path(os.environ.get("CHAIRSIDE_SHARED", Path(__file__).parents[2] / "shared"))
FILE = SHARED / "data" / "patients" / "patients_fhir_flat.csv"


def sign_up() -> Identity:
    with db.nobody() as connection:
        row = connection.execute(text("""
            select user_id, clinic_id
            from app.sign_up(:email, 'Bench Mark', 'x', 'Benchmark', 'US', 'America/New_York', 'USD', 'en', '911', false)
            """), {"email": f"{uuid4().hex}@example.org"}).one()
    return Identity(row.user_id, row.clinic_id, "owner", "b@example.org", "Bench Mark", "Benchmark", "US", "America/New_York",
                    "USD", "en", "911", session=uuid4().bytes * 2, address="127.0.0.1")


def file() -> bytes:
    return FILE.read_bytes() if FILE.exists() else generated()


def generated() -> bytes:
    chance = random.Random(1)
    lines = ["id,given,family,birth_date,phone,conditions,allergies"]
    for number in range(ROWS):
        name = "".join(chance.choices("abcdefghijklmnop", k=8)).title()
        notes = "; ".join(["History of something (finding)"] * chance.randrange(12))
        lines.append(f"{uuid4()},{name},Family,{1930 + number % 90}-0{1 + number % 9}-11,555-{number // 100:03}-{number:04},"
                     f"{notes},{'Latex' if number % 8 == 0 else ''}")
    return "\n".join(lines).encode()


def read(data: bytes) -> list[Row]:
    found = imports.read(data, "patients.csv")
    mapping = intake.guess_mapping(found.table.header) if found.table else {}
    return list(imports.rows(found, mapping, intake.guess_order(found.table, mapping, "US") if found.table else ""))


def bring(identity: Identity, rows: list[Row], *, dry_run: bool = False) -> str:
    report = Report(list(rows), dry_run=dry_run)
    for _done in imports.run(report, partial(db.scope, identity)):
        pass
    return ", ".join(f"{count} {kind}" for kind, count in report.counts().items() if count)


def one_by_one(identity: Identity, rows: list[Row]) -> str:
    with db.scope(identity) as scope:
        created = [patients.register(scope, row.form) for row in rows if row.form and not patients.duplicates(scope, row.form)]
    return f"{len(created)} created"


def measure(name: str, count: int, act: Callable[[], str]) -> float:
    begin = time.perf_counter()
    result = act()
    seconds = time.perf_counter() - begin
    print(f"{name:44} {seconds:6.2f} s {count / seconds:8,.0f} rows/s   {result}")
    return seconds


def main() -> None:
    data = file()
    print(f"{FILE.name if FILE.exists() else 'generated rows'}, {len(data):,} bytes")
    rows: list[Row] = []
    reading = measure("reading the file", ROWS, lambda: rows.extend(read(data)) or f"{len(rows)} rows")
    identity = sign_up()
    measure("checking without importing", len(rows), lambda: bring(identity, rows, dry_run=True))
    writing = measure("importing", len(rows), lambda: bring(identity, rows))
    measure("importing the same again", len(rows), lambda: bring(identity, rows))
    baseline = measure("baseline: registering one by one", len(rows), lambda: one_by_one(sign_up(), rows))
    report.tell([report.Row(f"import of {len(rows):,} patients from CSV", GOAL, reading + writing, "s",
                            otherwise=f"{reading + baseline:.1f} s")])
    print(f"file to patients {reading + writing:.2f} s (goal {GOAL} s), {baseline / writing:.1f} times as fast as one by one")


if __name__ == "__main__":
    startup.start()
    try:
        main()
    finally:
        startup.stop()
        clean_up(Path(os.environ["CHAIRSIDE_DATA"]))
