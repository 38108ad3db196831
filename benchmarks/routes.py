"""What programs read: each route of the API's own document that does, with ids of the demo clinic.

A new route is asked by itself. One with an id of a kind that `ids` does not know stops the benchmark, and a test before that.
"""

import re
from typing import Any
from uuid import UUID

from api.main import make
from benchmarks.changes import Asked, name, phone
from benchmarks.client import Question
from lib import chats, credentials, db, export_jobs, import_jobs, imports, intake, patients, sheets
from lib.db import Scope
from lib.identity import Identity

LICENCE = credentials.Document("licence.pdf", "application/pdf", b"%PDF-1.7 " + bytes(200_000))


def reading(owner: Identity) -> Asked:
    """Of each GET, by its name in the document: what to ask, over and over."""
    known = ids(owner)
    paths = [path for path, methods in make().openapi()["paths"].items() if "get" in methods]
    return {f"GET {path}": [Question(f"/api{filled}") for filled in fill(path, known)] for path in paths}


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
