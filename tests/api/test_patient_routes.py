"""Patients by program: created once, changed by whoever has seen the newest version, listed page by page."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from lib import db, patients
from lib.patient_form import PatientForm

ANN = {"full_name": "Ann Able", "email": "ann.able@example.org", "date_of_birth": "1980-12-31"}


@pytest.fixture
def as_bob(api, sign_in, bob):
    """A clinician's client."""
    api.headers.update(sign_in(bob))
    return api


def test_a_patient_is_registered_read_changed_archived_and_restored(as_bob):
    made = as_bob.post("patients", json={**ANN, "medical_notes": "Penicillin allergy"})
    assert made.status_code == 201
    here = made.headers["location"].removeprefix("/api/v1/")
    found = as_bob.get(here)
    assert found.json() == made.json()
    assert found.json()["notes"]["medical_notes"] == "Penicillin allergy"
    assert found.json()["created_at"].endswith("Z")
    changed = as_bob.patch(here, json={"phone": "+49 30 123456"}, headers={"If-Match": found.headers["etag"]})
    assert changed.status_code == 200
    assert (changed.json()["phone"], changed.json()["full_name"]) == ("+49 30 123456", "Ann Able")
    assert as_bob.post(f"{here}/archive").json()["archived_at"]
    assert as_bob.get("patients").json()["data"] == []
    assert as_bob.post(f"{here}/restore").json()["archived_at"] is None


def test_nobody_overwrites_what_they_have_not_seen(as_bob):
    made = as_bob.post("patients", json=ANN)
    here, seen = f"patients/{made.json()['id']}", made.headers["etag"]
    assert as_bob.patch(here, json={"phone": "1234567"}).status_code == 428
    assert as_bob.patch(here, json={"phone": "1234567"}, headers={"If-Match": seen}).status_code == 200
    assert as_bob.patch(here, json={"phone": "7654321"}, headers={"If-Match": seen}).status_code == 412
    assert as_bob.get(here).json()["phone"] == "1234567"


@pytest.mark.parametrize("tag", ['W/"1.0"', '"1"', "1.0", '"9.9", "8.8"'])
def test_a_tag_that_is_not_the_newest_matches_nothing(as_bob, tag):
    here = f"patients/{as_bob.post('patients', json=ANN).json()['id']}"
    assert as_bob.patch(here, json={"phone": "1234567"}, headers={"If-Match": tag}).status_code == 412


def test_a_change_obeys_the_rules_of_the_form(as_bob):
    made = as_bob.post("patients", json=ANN)
    here, seen = f"patients/{made.json()['id']}", {"If-Match": made.headers["etag"]}
    for change in ({"full_name": ""}, {"email": "no"}, {"deceased_on": "1970-01-01"}, {"weight": 1}, {"full_name": None}):
        assert as_bob.patch(here, json=change, headers=seen).status_code == 422
    assert as_bob.get(here).headers["etag"] == seen["If-Match"]


def test_the_same_key_makes_one_patient(as_bob):
    key = {"Idempotency-Key": uuid4().hex}
    first, again = (as_bob.post("patients", json=ANN, headers=key) for _time in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json()["id"] == again.json()["id"]
    assert as_bob.post("patients", json={**ANN, "full_name": "Ben"}, headers=key).status_code == 422
    assert len(as_bob.get("patients").json()["data"]) == 1


def test_the_same_key_at_once_makes_one_patient(as_bob):
    key = {"Idempotency-Key": uuid4().hex}
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _time: as_bob.post("patients", json=ANN, headers=key), range(4)))
    assert {answer.status_code for answer in made} == {201}
    assert len({answer.json()["id"] for answer in made}) == 1


def test_a_key_whose_request_failed_is_free_again(as_bob):
    key = {"Idempotency-Key": uuid4().hex}
    as_bob.post("patients", json={**ANN, "external_id": "7"})
    assert as_bob.post("patients", json={"full_name": "Ben", "external_id": "7"}, headers=key).status_code == 409
    assert as_bob.post("patients", json={"full_name": "Ben", "external_id": "8"}, headers=key).status_code == 201


def test_a_key_is_its_persons_own(api, sign_in, alice, bob):
    key = {"Idempotency-Key": uuid4().hex}
    made = {api.post("patients", json=ANN, headers={**sign_in(who), **key}).json()["id"] for who in (alice, bob)}
    assert len(made) == 2


def test_pages_hold_each_patient_once_whoever_comes_meanwhile(as_bob, bob):
    with db.scope(bob) as scope:
        there = {str(patients.register(scope, PatientForm(full_name=f"Ann {letter}"))) for letter in "abcde"}
    seen, after = [], None
    for _page in range(3):
        page = as_bob.get("patients", params={"limit": 2, **({"cursor": after} if after else {})}).json()
        seen += [row["id"] for row in page["data"]]
        after = page["next"]
        with db.scope(bob) as scope:
            patients.register(scope, PatientForm(full_name="Late Lee"))
    assert after is None
    assert sorted(seen) == sorted(there)


@pytest.mark.parametrize("cursor", ["x", "WyJ4Il0", "W10", "bnVsbA", "\u00e9"])
def test_a_made_up_cursor_is_refused(as_bob, cursor):
    assert as_bob.get("patients", params={"cursor": cursor}).status_code == 422


def test_who_may_not_read_notes_gets_none_and_writes_none(api, sign_in, bob, rita):
    made = api.post("patients", json={**ANN, "alerts": "Latex"}, headers=sign_in(bob)).json()
    seen = api.get(f"patients/{made['id']}", headers=sign_in(rita))
    assert seen.json()["notes"] is None
    assert api.post("patients", json={**ANN, "alerts": "Latex"}, headers=sign_in(rita)).status_code == 403
    change = api.patch(f"patients/{made['id']}", json={"alerts": ""}, headers={**sign_in(rita), "If-Match": seen.headers["etag"]})
    assert change.status_code == 403
    assert api.get(f"patients/{made['id']}", headers=sign_in(bob)).json()["notes"]["alerts"] == "Latex"


def test_a_foreign_patient_is_nobody(api, sign_in, alice, charlie):
    made = api.post("patients", json=ANN, headers=sign_in(charlie)).json()["id"]
    mine = sign_in(alice)
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/archive"), ("POST", "/restore"), ("GET", "/duplicates")):
        foreign, unknown, garbled = (api.request(method, f"patients/{of}{path}", headers={**mine, "If-Match": "*"},
                                                 json={} if method == "PATCH" else None) for of in (made, uuid4(), "x"))
        assert foreign.status_code == unknown.status_code == garbled.status_code == 404
        assert foreign.json()["detail"] == unknown.json()["detail"] == garbled.json()["detail"]


def test_likely_duplicates_are_named(as_bob):
    first = as_bob.post("patients", json=ANN).json()["id"]
    second = as_bob.post("patients", json={**ANN, "full_name": "Anne Able"}).json()["id"]
    assert [row["id"] for row in as_bob.get(f"patients/{second}/duplicates").json()] == [first]
    assert {row["id"] for row in as_bob.post("patients/duplicates", json=ANN).json()} == {first, second}


@pytest.mark.parametrize(("content", "kind", "status"), [
    ("{", "application/json", 400), ("[]", "application/json", 422), ("", "application/json", 422), ("{}", "application/json", 422),
    ('{"full_name": "Ann"}', "text/plain", 415), ('{"full_name": "\\ud800"}', "application/json", 422),
    ('{"full_name": "Ann", "medical_notes": "\\u0000"}', "application/json", 422), ("x" * 70_000, "application/json", 413)])
def test_what_cannot_be_read_is_named(as_bob, content, kind, status):
    answer = as_bob.post("patients", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_method_that_is_not_there_is_405(as_bob):
    answer = as_bob.delete("patients")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
