"""What programs change: each route of the API's own document that writes, but those of NOT_ASKED.

Over and over: somebody new each time, the same once more, or the next of many that were made for it.
"""

import itertools
from collections.abc import Iterable
from typing import Any

from benchmarks.client import Question
from lib import api_clients, db, patients, team, workflows
from lib.identity import Identity
from lib.patient_form import PatientForm

ASKED = "What is a root canal treatment?"  # the library has an article on it
SPARE = 45  # of what is used up by being asked: more than a run asks for
PASSWORDS = "a password is looked at, which takes a quarter of a second of CPU: benchmarks/storm.py"
SESSION = "begins or ends the session that asks"
ONE_AT_A_TIME = "a clinic has one of it at a time"
BROWSER = "asked by a browser's tab with its cookie"
OPEN = "uses up an open emergency: with one for each question every page would show dozens of them"
NOT_ASKED = {
    "POST /v1/auth/register": PASSWORDS, "POST /v1/auth/login": PASSWORDS, "POST /v1/auth/mfa/verify": PASSWORDS,
    "POST /v1/auth/refresh": SESSION, "POST /v1/auth/logout": SESSION,
    "POST /v1/chats/messages/{message_id}/general": OPEN, "POST /v1/emergencies/{emergency_id}/acknowledge": OPEN,
    "PUT /v1/session": BROWSER, "POST /v1/session": BROWSER, "DELETE /v1/session": BROWSER, "PUT /v1/drafts": BROWSER,
    "POST /v1/jobs/{job_id}/cancel": ONE_AT_A_TIME, "POST /v1/jobs/{job_id}/continue": ONE_AT_A_TIME,
    "POST /v1/clinic/export": ONE_AT_A_TIME, "DELETE /v1/clinic/export": ONE_AT_A_TIME,
    "POST /v1/clinic/export/cancel": ONE_AT_A_TIME, "POST /v1/clinic/export/continue": ONE_AT_A_TIME,
    "POST /v1/clinic/export/file": ONE_AT_A_TIME,
}
Asked = dict[str, Iterable[Question]]


def writing(owner: Identity, spare: int = SPARE) -> Asked:
    """By the routes' names in the document; two that undo each other are asked by turns."""
    return of_patients(owner) | of_chats(owner, spare) | of_team(owner, spare) | of_clients(owner, spare) | {
        "POST /v1/clinics/{clinic_id}/switch": post(f"/clinics/{owner.clinic_id}/switch"),
        "POST /v1/analytics/export": post("/analytics/export", {"period": "12m"}),
        "POST /v1/audit/export": post("/audit/export", {"action": "amend"})}


def of_patients(owner: Identity) -> Asked:
    with db.scope(owner) as scope:
        known = [patients.register(scope, PatientForm(full_name=f"Somebody {name(number)}")) for number in range(2)]
    changing, leaving = (f"/patients/{patient_id}" for patient_id in known)
    return {
        "POST /v1/patients": (question("POST", "/patients", {"full_name": f"New {name(number)}", "phone": phone(number)})
                              for number in itertools.count()),
        "PATCH /v1/patients/{patient_id}": (question("PATCH", changing, {"phone": phone(number)}, "If-Match: *")
                                            for number in itertools.count()),
        "POST /v1/patients/{patient_id}/archive, /restore": post(f"{leaving}/archive") + post(f"{leaving}/restore"),
        "POST /v1/patients/duplicates": post("/patients/duplicates", {"full_name": "New Aaaaaa"}),
        "POST /v1/patients/import": (question("POST", "/patients/import", fhir(number)) for number in itertools.count()),
        "POST /v1/patients/export": post("/patients/export", {"term": "a"}),
        "POST /v1/patients/record": post("/patients/record", {"patient": str(known[0])})}


def of_chats(owner: Identity, spare: int) -> Asked:
    """In threads of as many patients: one thread that grows with each question would be measured instead."""
    with db.scope(owner) as scope:
        known = [patients.register(scope, PatientForm(full_name=f"Asking {name(number)}")) for number in range(spare)]
    answers = [f"/chats/messages/{workflows.ask(owner, patient, ASKED).answer_id}" for patient in known]
    return {
        "POST /v1/chats/messages": (
            question("POST", "/chats/messages", {"text": f"{ASKED} {number}", "patient_id": str(patient)})
            for number, patient in enumerate(itertools.cycle(known))),
        "POST /v1/chats/messages/{message_id}/regenerate": itertools.cycle(
            question("POST", f"{answer}/regenerate", {}) for answer in answers),
        "POST /v1/chats/messages/{message_id}/stop": post(f"{answers[0]}/stop"),
        "PUT /v1/chats/messages/{message_id}/feedback": [
            question("PUT", f"{answers[0]}/feedback", {"helpful": helpful}) for helpful in (True, False)],
        "POST /v1/chats/checklist": post("/chats/checklist", {"signs": []}),
        "POST /v1/chats/export": post("/chats/export", {"patient": str(known[0])})}


def of_team(owner: Identity, spare: int) -> Asked:
    with db.scope(owner) as scope:
        promoted, leaving = (next(f"/team/{one.user_id}" for one in team.members(scope) if one.role == role)
                             for role in ("manager", "receptionist"))
        for number in range(spare):
            team.invite(scope, f"gone{number}@example.org", "receptionist")
        invited = [one.id for one in team.invitations(scope)]
    return {
        "PATCH /v1/team/{user_id}": itertools.cycle(
            question("PATCH", promoted, {"role": role}) for role in ("clinician", "manager")),
        "POST /v1/team/{user_id}/deactivate, /reactivate": itertools.cycle(
            [*post(f"{leaving}/deactivate"), *post(f"{leaving}/reactivate")]),
        "POST /v1/team/{user_id}/sign-out": post(f"{promoted}/sign-out"),
        "POST /v1/team/invitations": (
            question("POST", "/team/invitations", {"email": f"new{number}@example.org", "role": "receptionist"})
            for number in itertools.count()),
        "DELETE /v1/team/invitations/{invitation_id}": (question("DELETE", f"/team/invitations/{one}") for one in invited)}


def of_clients(owner: Identity, spare: int) -> Asked:
    with db.scope(owner) as scope:
        known = [api_clients.add(scope, api_clients.Wanted(f"Gone {number}", "owner", ["patients.read"]))[0]
                 for number in range(spare)]
    wanted = {"name": "New", "role": "owner", "scopes": ["patients.read"]}
    return {"POST /v1/api-clients": post("/api-clients", wanted),
            "DELETE /v1/api-clients/{client_id}": (question("DELETE", f"/api-clients/{one}") for one in known)}


def post(path: str, body: Any = None) -> list[Question]:
    return [question("POST", path, body)]


def question(method: str, path: str, body: Any = None, *headers: str) -> Question:
    return Question(f"/api/v1{path}", method, body, headers)


def fhir(number: int) -> dict[str, Any]:
    return {"resourceType": "Patient", "name": [{"text": f"Brought {name(number)}"}]}


def name(number: int) -> str:
    """A family name, which has no digits."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:06}").title()


def phone(number: int) -> str:
    return f"+49 30 90{number:06}"
