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


def test_the_clinic_is_a_zip_of_tables(ask, alice, patient):
    answer = ask(alice, "clinic/export", {})
    assert answer.status_code == 200
    assert "content-length" not in answer.headers  # it is sent while it is made
    assert {"patients.csv", "chat_messages.csv", "audit_log.csv", "manifest.json"} <= names(answer)
    assert b"canarynote" in zipfile.ZipFile(io.BytesIO(answer.content)).read("patient_notes.csv")


def test_the_clinic_leaves_with_its_owner_alone(ask, bob, mona, rita):
    for who, status in ((bob, 403), (mona, 403), (rita, 403), (None, 401)):
        answer = ask(who, "clinic/export", {})
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
