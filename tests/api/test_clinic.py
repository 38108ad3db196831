"""What a clinic and a patient's record leave as."""

import io
import zipfile

import httpx
import pytest

from lib import db, patients
from lib.patient_form import PatientForm


@pytest.fixture
def ask(server, cookie_of):
    def post(identity, path: str, body: object, **headers: str) -> httpx.Response:
        cookie = {"Cookie": f"chairside={cookie_of(identity)}"} if identity else {}
        return httpx.post(f"{server}/api/v1/{path}", json=body, timeout=30,
                          headers={"Origin": server, "Sec-Fetch-Site": "same-origin", **cookie, **headers})
    return post


@pytest.fixture
def patient(alice) -> str:
    with db.scope(alice) as scope:
        return str(patients.register(scope, PatientForm(full_name="Ann Ash", medical_notes="canarynote")))


def names(answer: httpx.Response) -> set[str]:
    return set(zipfile.ZipFile(io.BytesIO(answer.content)).namelist())


def test_a_record_is_a_zip_that_nobody_stores_on_the_way(ask, bob, patient):
    answer = ask(bob, "patients/record", {"patient": patient})
    assert answer.status_code == 200
    assert names(answer) == {"record.json", "record.html"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="record.zip"'


def test_a_foreign_or_broken_id_gets_no_record(ask, charlie, patient):
    assert ask(charlie, "patients/record", {"patient": patient}).status_code == 404
    assert ask(charlie, "patients/record", {"patient": "x"}).status_code == 422
    assert ask(None, "patients/record", {"patient": patient}).status_code == 401
    assert ask(charlie, "patients/record", {"patient": patient}, Origin="https://evil.example.org").status_code == 403


@pytest.fixture
def see(server, cookie_of):
    def send(identity, method: str, path: str = "clinic/export") -> httpx.Response:
        return httpx.request(method, f"{server}/api/v1/{path}", timeout=30, headers={
            "Origin": server, "Sec-Fetch-Site": "same-origin", "Cookie": f"chairside={cookie_of(identity)}"})
    return send


@pytest.mark.one_process
def test_the_clinic_is_a_zip_of_tables_that_a_job_makes(ask, see, alice, patient, do_jobs):
    begun = ask(alice, "clinic/export", {})
    assert (begun.status_code, begun.headers["location"]) == (202, "/api/v1/clinic/export")
    assert (begun.json()["kind"], begun.json()["status"], begun.json()["counts"]) == ("export", "waiting", None)
    assert ask(alice, "clinic/export", {}).status_code == 409
    assert ask(alice, "clinic/export/file", {}).status_code == 409
    do_jobs()
    done = see(alice, "GET").json()
    assert (done["id"], done["status"], done["done"]) == (begun.json()["id"], "done", done["total"])
    assert see(alice, "GET", "jobs").json() == {"data": [], "next": None}  # imports, and theirs is another permission
    for method, path in (("GET", ""), ("GET", "/report"), ("POST", "/cancel"), ("POST", "/continue")):
        assert see(alice, method, f"jobs/{done['id']}{path}").status_code == 404, path
    answer = ask(alice, "clinic/export/file", {})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "content-length" not in answer.headers  # it is put together while it is sent
    assert {"patients.csv", "chat_messages.csv", "audit_log.csv", "manifest.json"} <= names(answer)
    assert b"canarynote" in zipfile.ZipFile(io.BytesIO(answer.content)).read("patient_notes.csv")
    assert see(alice, "DELETE").status_code == 204
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/file"), ("POST", "/cancel"), ("POST", "/continue")):
        assert see(alice, method, f"clinic/export{path}").status_code == 404, path


@pytest.mark.one_process
def test_an_export_is_stopped_and_gone_on_with(ask, see, alice, do_jobs):
    ask(alice, "clinic/export", {})
    assert see(alice, "DELETE").status_code == 409
    assert see(alice, "POST", "clinic/export/cancel").json()["status"] == "stopped"
    assert see(alice, "POST", "clinic/export/continue").json()["status"] == "waiting"
    assert see(alice, "POST", "clinic/export/continue").status_code == 409
    do_jobs()
    assert see(alice, "GET").json()["status"] == "done"


def test_an_export_asked_for_twice_with_one_key_is_one(ask, alice, do_jobs):
    first, second = (ask(alice, "clinic/export", {}, **{"Idempotency-Key": "once"}) for _ in range(2))
    do_jobs()  # none waits when other tests ask whether all is well
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]


def test_the_clinic_leaves_with_its_owner_alone(ask, bob, mona, rita):
    for who, status in ((bob, 403), (mona, 403), (rita, 403), (None, 401)):
        for path in ("clinic/export", "clinic/export/file"):
            answer = ask(who, path, {})
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
