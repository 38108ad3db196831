"""The app, with routes to what otherwise only screens write: for uvicorn, as app.py is. A killed app dies in the middle of them."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel

from api import clinic
from api.session import who
from app import app
from lib import audit, audit_trail, db, emergencies, import_jobs, imports, patients, rollups, workflows
from lib.identity import Identity
from lib.patient_form import PatientForm

__all__ = ["app"]
Member = Annotated[Identity, Depends(who)]


class Person(BaseModel):
    id: UUID
    name: str
    version: int = 0


class Words(BaseModel):
    id: UUID | None = None
    text: str


def register(person: Person, member: Member) -> None:
    with db.scope(member) as scope:
        patients.register(scope, PatientForm(full_name=person.name), patient_id=person.id)


def amend(person: Person, member: Member) -> None:
    with db.scope(member) as scope:
        patients.amend(scope, person.id, PatientForm(full_name=person.name), versions=(person.version, 0))


def ask(words: Words, member: Member) -> UUID:
    return workflows.ask(member, None, words.text).question_id


def raise_alarm(words: Words, member: Member) -> UUID:
    asked = workflows.ask(member, None, words.text)
    with db.scope(member) as scope:
        return emergencies.of_questions(scope, asked.thread_id, [asked.question_id])[asked.question_id].id


def acknowledge(words: Words, member: Member) -> None:
    assert words.id
    with db.scope(member) as scope:
        emergencies.acknowledge(scope, words.id, action_taken=words.text, false_alarm=False)


def defer(words: Words, member: Member) -> UUID:
    data = f"record,name\n{words.text},Import {words.text}".encode()
    with db.scope(member) as scope:
        return import_jobs.begin(scope, imports.read(data, "one.csv"), data, {"external_id": ["record"], "full_name": ["name"]}, "ymd")


def settle(member: Member) -> str:
    """Everything sealed and counted; "" where the audit chain holds."""
    while audit.seal() or rollups.refresh():
        pass
    with db.scope(member) as scope:
        broken = audit_trail.verify(scope).broken
    return str(broken or "")


for route in (register, amend, ask, raise_alarm, acknowledge, defer, settle):
    clinic.router.add_api_route(f"/kills/{route.__name__}", route, methods=["POST"])
