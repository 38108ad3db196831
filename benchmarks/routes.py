"""What programs ask: each route of the API's own document that reads, with ids of the demo clinic, and three that write.

A new route is asked by itself. One with an id of a kind that `ids` does not know stops the benchmark, and a test before that.
"""

import itertools
import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from api.main import make
from benchmarks.client import Question
from lib import chats, credentials, db, export_jobs, import_jobs, imports, intake, patients, sheets
from lib.db import Scope
from lib.identity import Identity
from lib.patient_form import PatientForm

LICENCE = credentials.Document("licence.pdf", "application/pdf", b"%PDF-1.7 " + bytes(200_000))
ASKED = "What is a root canal treatment?"  # the library has an article on it


def reading(owner: Identity) -> dict[str, Iterable[Question]]:
    """Of each GET, by its name in the document: what to ask, over and over."""
    known = ids(owner)
    paths = [path for path, methods in make().openapi()["paths"].items() if "get" in methods]
    return {f"GET {path}": [Question(f"/api{filled}") for filled in fill(path, known)] for path in paths}


def writing(owner: Identity) -> dict[str, Iterable[Question]]:
    """Somebody registered, somebody changed, and a question that an article answers; another one each time."""
    with db.scope(owner) as scope:
        patient = f"/api/v1/patients/{patients.register(scope, PatientForm(full_name='Somebody Changing'))}"
    return {
        "POST /v1/patients": (Question("/api/v1/patients", "POST", {"full_name": f"New {name(number)}", "phone": phone(number)})
                              for number in itertools.count()),
        "PATCH /v1/patients/{patient_id}": (Question(patient, "PATCH", {"phone": phone(number)}, ("If-Match: *",))
                                            for number in itertools.count()),
        "POST /v1/chats/messages": (Question("/api/v1/chats/messages", "POST", {"text": f"{ASKED} {number}"})
                                    for number in itertools.count())}


def fill(path: str, known: dict[str, list[Any]]) -> list[str]:
    """With each id of the kind that it names; no path names two."""
    if not (named := re.search(r"{(\w+)}", path)):
        return [path]
    return [path.format_map({named[1]: one}) for one in known[named[1]]]


def ids(owner: Identity) -> dict[str, list[Any]]:
    """What an owner may read. A licence and two jobs, which the demo clinic has not, are made."""
    with db.scope(owner) as scope:
        credentials.submit(scope, "Endodontics", "DE-4711", LICENCE)
        export_jobs.begin(scope)
        job = bring(scope)
        threads = [thread.id for thread in chats.threads(scope).rows]
        return {"user_id": [owner.user_id], "job_id": [job], "thread_id": threads, "figure": list(sheets.SHEETS),
                "message_id": [message.id for thread in threads for message in chats.history(scope, thread).rows],
                "patient_id": [patient.id for patient in patients.find(scope).rows]}


def bring(scope: Scope) -> UUID:
    """A hundred patients from a file."""
    data = "\n".join(["Name,Phone", *(f"Imported {name(number)},{phone(number)}" for number in range(100))]).encode()
    file = imports.read(data, "patients.csv")
    assert file.table
    return import_jobs.begin(scope, file, data, intake.guess(file.table), "ymd")


def name(number: int) -> str:
    """A family name, which has no digits."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:06}").title()


def phone(number: int) -> str:
    return f"+49 30 90{number:06}"
