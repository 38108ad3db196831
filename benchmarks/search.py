"""How long a clinic of 100,000 patients waits for its list and its search, as the restricted role under row-level security.

    python benchmarks/search.py [patients]

Twenty other clinics stand beside it. Prints milliseconds per call of lib.patients, the audit row included; the goal is 50.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["CHAIRSIDE_DATA"] = tempfile.mkdtemp(prefix="chairside-benchmark-")
os.environ.pop("DATABASE_URL", None)
os.environ.pop("DATABASE_OWNER_URL", None)

from sqlalchemy import text

from benchmarks import rows as table
from benchmarks.start import clean_up
from lib import db, patients, startup
from lib.identity import Identity
from lib.patient_form import PatientForm

GOAL = 50
RUNS = 40
FIRST = ["Anna", "José", "Maria", "Peter", "Linh", "Omar", "Chloé", "Jürgen", "Søren", "Łukasz", "Ngoc", "Fatima", "Paul", "Emma"]
LAST = ["Müller", "Schmidt", "Nguyễn", "García", "Smith", "O’Neill", "Kowalski", "Sørensen", "Dubois", "Rossi", "Novák", "Yılmaz"]
TERMS = {"name start, frequent": "mull", "name start, rare": "xanthop", "two words": "jose mull", "one letter": "a",
         "nobody": "qqq", "e-mail start": "p4242", "e-mail, whole": "p4242@example.org"}


_worst: dict[str, float] = {}


def main(amount: int) -> None:
    startup.start()
    chosen = random.Random(7)
    identity = open_clinic()
    fill(identity, amount, chosen)
    for _other in range(20):
        fill(open_clinic(), 1000, chosen)
    analyse()
    measure(identity)
    slowest = max(_worst, key=lambda label: _worst[label])
    table.tell([table.Row(f"search among {amount:,} patients of one clinic: p95", GOAL, _worst[slowest], note=slowest)])


def open_clinic() -> Identity:
    email = f"{uuid4().hex}@example.org"
    with db.nobody() as connection:
        row = connection.execute(text("""
            select user_id, clinic_id
            from app.sign_up(:email, 'Alice', 'x', 'Clinic', 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)
            """), {"email": email}).one()
    return Identity(row.user_id, row.clinic_id, "owner", email, "Alice", "Clinic", "DE", "Europe/Berlin", "EUR", "en", "112",
                    session=os.urandom(32))


def fill(identity: Identity, amount: int, chosen: random.Random) -> None:
    for start in range(0, amount, 5000):
        with db.scope(identity) as scope:
            scope.run_many("""
                insert into patients (clinic_id, user_id, changed_by, full_name, email, phone, date_of_birth, name_key, phone_key,
                                      search)
                values (:clinic_id, :user_id, :user_id, :full_name, :email, :phone, :date_of_birth, :name_key, :phone_key,
                        array_to_tsvector(cast(:search_words as text[])))
                """, list(rows(identity, start, min(5000, amount - start), chosen)))


def rows(identity: Identity, start: int, amount: int, chosen: random.Random) -> Iterator[dict[str, object]]:
    for number in range(start, start + amount):
        name = f"{chosen.choice(FIRST)} {chosen.choice(LAST)}-{chosen.choice(LAST)}" + ("" if number % 1000 else " Xanthopoulos")
        form = PatientForm(full_name=name, email=f"p{number}@example.org", phone=f"+49 30 {chosen.randrange(10**8):08}",
                           date_of_birth=date(1940, 1, 1) + timedelta(days=chosen.randrange(30000)))
        yield {"user_id": identity.user_id, **patients.contact(form), **patients.keys(form, "DE")}


def analyse() -> None:
    """A server does this by itself within a minute."""
    assert startup._server
    engine = db.open_engine(startup._server.url("chairside_owner"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("set statement_timeout = 0"))
        connection.execute(text("vacuum analyze patients"))
    engine.dispose()


def measure(identity: Identity) -> None:
    with db.scope(identity) as scope:
        second = patients.find(scope).rows[-1].id
        deep = scope.value("select id from patients where clinic_id = :clinic_id order by id offset 200 limit 1")
        phone = patients.find(scope).rows[7].phone or ""
    report("list, newest first", identity, lambda scope: patients.find(scope))
    report("list, second page", identity, lambda scope: patients.find(scope, after=second))
    report("list, last pages", identity, lambda scope: patients.find(scope, after=deep))
    report("count of all", identity, lambda scope: patients.count(scope))
    for label, term in {**TERMS, "phone end": phone[-4:], "phone, whole": phone}.items():
        report(label, identity, lambda scope, term=term: patients.find(scope, term=term))
    form = PatientForm(full_name="José Müller-Roth", phone=phone, date_of_birth=date(1980, 1, 1), email="p77@example.org")
    report("duplicates of a form", identity, lambda scope: patients.duplicates(scope, form))


def report(label: str, identity: Identity, call: Callable[[db.Scope], object]) -> None:
    times: list[float] = []
    for _run in range(RUNS):
        start = time.perf_counter()
        with db.scope(identity) as scope:
            call(scope)
        times.append((time.perf_counter() - start) * 1000)
    median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    _worst[label] = p95
    print(f"{label:<32} median {median:7.1f} ms   p95 {p95:7.1f} ms   {'ok' if p95 <= GOAL else 'over the goal'}")


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    finally:
        startup.stop()
        clean_up(Path(os.environ["CHAIRSIDE_DATA"]))
