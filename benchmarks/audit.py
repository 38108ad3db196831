"""What the audit log costs twenty colleagues of one clinic who all save at once, and what sealing it adds.

    .venv/bin/python -m benchmarks.audit [seconds]

Each saves a phone number, as `patients.amend` does: read, changed, history row, audit row. The same acts without their
audit rows, with them, and with them while the housekeeper seals, by turns in one run, so that a busy machine slows all three.
"""

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

os.environ["CHAIRSIDE_DATA"] = tempfile.mkdtemp(prefix="chairside-benchmark-")
os.environ["CHAIRSIDE_POOL_SIZE"] = "20"
os.environ.pop("DATABASE_URL", None)
os.environ.pop("DATABASE_OWNER_URL", None)

from sqlalchemy import text

from benchmarks import rows
from benchmarks.rows import Row
from benchmarks.start import clean_up
from lib import audit, audit_trail, db, patients, startup
from lib.identity import Identity
from lib.patient_form import PatientForm

WRITERS, ROUNDS = 20, 6
BARE, SEALED = "without audit rows", "with audit rows, sealed"


def main(seconds: float) -> None:
    startup.start()
    clinic = open_clinic()
    people = [(replace(clinic, session=os.urandom(32)), add(clinic, number)) for number in range(WRITERS)]
    times: dict[str, list[float]] = {BARE: [], "with audit rows": [], SEALED: []}
    save(*people[0], 0)
    for _round in range(ROUNDS):
        with sealing(False):
            with recording(False):
                times[BARE] += measure(people, seconds)
            times["with audit rows"] += measure(people, seconds)
        with sealing(True):
            times[SEALED] += measure(people, seconds)
    show(times, seconds * ROUNDS)
    tell(times, seconds * ROUNDS)
    prove(clinic)


def open_clinic() -> Identity:
    email = f"{uuid4().hex}@example.org"
    with db.nobody() as connection:
        row = connection.execute(text("""
            select user_id, clinic_id
            from app.sign_up(:email, 'Alice', 'x', 'Clinic', 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)
            """), {"email": email}).one()
    return Identity(row.user_id, row.clinic_id, "owner", email, "Alice", "Clinic", "DE", "Europe/Berlin", "EUR", "en", "112")


def add(clinic: Identity, number: int) -> UUID:
    with db.scope(clinic) as scope:
        return patients.register(scope, PatientForm(full_name=f"Patient {number}", phone=f"+49 30 9018{number:04}"))


@contextmanager
def sealing(on: bool) -> Iterator[None]:
    """The real housekeeper's seal, or none."""
    original = startup.seal
    if not on:
        startup.seal = lambda: None
    try:
        yield
    finally:
        startup.seal = original


@contextmanager
def recording(on: bool) -> Iterator[None]:
    original = audit.record
    if not on:
        audit.record = lambda *_arguments, **_more: None
    try:
        yield
    finally:
        audit.record = original


def measure(people: list[tuple[Identity, UUID]], seconds: float) -> list[float]:
    """Milliseconds of every save of every writer."""
    found: list[list[float]] = [[] for _writer in people]
    until = time.perf_counter() + seconds
    threads = [threading.Thread(target=write, args=(*person, until, times)) for person, times in zip(people, found, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for times in found for one in times]


def write(identity: Identity, patient_id: UUID, until: float, times: list[float]) -> None:
    while (start := time.perf_counter()) < until:
        save(identity, patient_id, len(times))
        times.append((time.perf_counter() - start) * 1000)


def save(identity: Identity, patient_id: UUID, number: int) -> None:
    with db.scope(identity) as scope:
        current = patients.read(scope, patient_id)
        form = PatientForm(full_name=current.full_name, phone=f"+49 30 {time.time_ns() % 10**8:08}{number % 10}")
        patients.amend(scope, patient_id, form, versions=current.versions)


def show(times: dict[str, list[float]], seconds: float) -> None:
    print(f"{WRITERS} writers, {ROUNDS} rounds; a save is one transaction")
    for label, found in times.items():
        print(f"{label:<26} median {statistics.median(found):6.1f} ms   p95 {statistics.quantiles(found, n=20)[-1]:6.1f} ms   "
              f"{len(found) / seconds:6.0f} saves a second")


def tell(times: dict[str, list[float]], seconds: float) -> None:
    what = f"{WRITERS} colleagues save at once, each save in the sealed audit log"
    rows.tell([Row(f"{what}: saves a second", None, len(times[SEALED]) / seconds, "",
                   otherwise=f"{len(times[BARE]) / seconds:.0f} {BARE}"),
               Row(f"{what}: median", None, statistics.median(times[SEALED]),
                   otherwise=f"{statistics.median(times[BARE]):.1f} ms {BARE}")])


def prove(clinic: Identity) -> None:
    """What was written under load is all sealed, in one chain."""
    timed("sealing what is left", startup.seal)
    with db.scope(clinic) as scope:
        verdict = timed("verifying the chain", lambda: audit_trail.verify(scope))
    print(f"{verdict.rows:,} rows sealed, {'broken: ' + verdict.broken.why if verdict.broken else 'all whole'}")


def timed(label: str, call: Callable[[], object]) -> object:
    start = time.perf_counter()
    done = call()
    print(f"{label:<26} {time.perf_counter() - start:6.1f} s")
    return done


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 3)
    finally:
        startup.stop()
        clean_up(Path(os.environ["CHAIRSIDE_DATA"]))
