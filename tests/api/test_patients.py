"""The export as a file, by the cookie's person alone."""

import csv
import io

import httpx
import pytest

from lib import auth, db, patients
from lib.patient_form import PatientForm


def register(identity, name: str, **fields: str) -> None:
    with db.scope(identity) as scope:
        patients.register(scope, PatientForm(full_name=name, **fields))


@pytest.fixture
def ask(server, cookie_of):
    """Posts as somebody's browser would; `headers` replace its own."""
    def post(identity, body: object = None, **headers: str) -> httpx.Response:
        cookie = {"Cookie": f"chairside={cookie_of(identity)}"} if identity else {}
        return httpx.post(f"{server}/api/v1/patients/export", json=body if body is not None else {},
                          headers={"Origin": server, "Sec-Fetch-Site": "same-origin", **cookie, **headers})
    return post


def rows(answer: httpx.Response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_the_file_follows_the_filter_and_names_itself(ask, alice):
    register(alice, "José Müller-Nguyễn")
    register(alice, "Otto Weber")
    answer = ask(alice, {"term": "mull", "archived": False})
    assert answer.status_code == 200
    assert [row[1] for row in rows(answer)[1:]] == ["José Müller-Nguyễn"]
    assert answer.headers["content-disposition"] == 'attachment; filename="patients.csv"'
    assert answer.headers["cache-control"] == "no-store"


def test_notes_leave_only_with_those_who_may_read_them(ask, alice, mona):
    register(alice, "Otto Weber", medical_notes="canary-note", alerts="canary-alert")
    assert "canary-note" in ask(alice).text
    assert "canary" not in ask(mona).text


def test_a_receptionist_a_stranger_and_an_outsider_get_nothing(ask, alice, rita, charlie):
    register(alice, "Otto Weber")
    assert ask(rita).status_code == 403
    assert ask(None).status_code == 401
    assert rows(ask(charlie))[1:] == []


def test_another_site_cannot_ask_in_somebodys_name(ask, alice):
    assert ask(alice, Origin="https://evil.example").status_code == 403
    assert ask(alice, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("body", [{"term": 5}, {"term": "x" * 1001}, {"archived": "maybe"}, [], "text"])
def test_a_malformed_filter_is_refused(ask, alice, body):
    answer = ask(alice, body)
    assert answer.status_code == 422
    assert "Traceback" not in answer.text


def test_a_revoked_session_exports_nothing(server, alice, cookie_of):
    cookie = cookie_of(alice)
    auth.sign_out(auth.recognise(cookie))
    answer = httpx.post(f"{server}/api/v1/patients/export", json={}, headers={"Origin": server, "Cookie": f"chairside={cookie}"})
    assert answer.status_code == 401


def test_an_export_can_be_imported_again_as_it_was(ask, alice):
    from lib import intake, tables
    register(alice, "=Otto Weber", phone="+49 30 901820", email="otto@example.org", external_id="-7")
    table = tables.read_table(ask(alice).content, "patients.csv")
    form = next(iter(intake.forms(table, intake.guess_mapping(table.header), "ymd"))).form
    assert form
    assert (form.full_name, form.phone, form.external_id) == ("=Otto Weber", "+49 30 901820", "-7")
