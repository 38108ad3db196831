"""A file of patients by the API: a job that is watched, told of row by row, and stopped."""

import csv
import io

import pytest

from api.imports import EXAMPLES
from api.limits import MOST_BYTES, MOST_BYTES_OF_A_FILE
from lib import api_clients, db, imports, jobs, long_jobs
from lib.api_clients import Wanted

PEOPLE = b"Name;Geburtsdatum\nAnn Ash;31.12.1980\nBen Bell;01.02.1990\n;03.03.1970\n"
FHIR = b'{"resourceType": "Patient", "name": [{"text": "Ann Ash"}]}'


@pytest.fixture
def send(api, sign_in, bob, do_jobs):
    shown, begun = sign_in(bob), []

    def post(data=PEOPLE, kind="text/csv", query="", **headers):
        answer = api.post(f"patients/import{query}", content=data, headers={"Content-Type": kind, **shown, **headers})
        begun.append(answer.status_code == 202)
        return answer
    post.shown = shown
    yield post
    if any(begun):
        do_jobs()  # none waits when other tests ask whether all is well


@pytest.fixture
def see(api, send):
    return lambda job, rest="": api.get(f"jobs/{job}{rest}", headers=send.shown)


def how_many(who) -> int:
    with db.scope(who) as scope:
        return scope.value("select count(*) from patients where clinic_id = :clinic_id")


def test_a_file_becomes_patients_and_a_report(api, send, see, bob, do_jobs):
    answer = send(query="?name=people.csv")
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["status"], job["name"], job["done"], job["total"]) == ("waiting", "people.csv", 0, 3)
    assert see(job["id"]).json()["counts"] == {"created": 0, "updated": 0, "duplicate": 0, "rejected": 0}
    do_jobs()
    done = see(job["id"]).json()
    assert (done["status"], done["done"]) == ("done", 3)
    assert done["counts"] == {"created": 2, "updated": 0, "duplicate": 0, "rejected": 1}
    report = see(job["id"], "/report")
    assert report.headers["content-type"].startswith("text/csv")
    assert [row[:3] for row in csv.reader(io.StringIO(report.content.decode("utf-8-sig")))][1:3] == [
        ["2", "Created", "Ann Ash"], ["3", "Created", "Ben Bell"]]
    ann = api.get("patients?q=ann", headers=send.shown).json()["data"][0]
    assert ann["date_of_birth"] == "1980-12-31"


@pytest.mark.parametrize(("data", "kind", "query"), [
    (FHIR, "application/fhir+json", ""), (b"Wer\tWann\nAnn Ash\t02/01/1980\n", "text/tab-separated-values",
                                          "?column=full_name:Wer&column=date_of_birth:Wann&date_order=dmy"),
    ("Nom,Prénom\nAsh,Ann\n".encode("cp1252"), "text/plain; charset=x", "?encoding=cp1252")])
def test_what_the_page_reads_is_read_here_too(send, see, bob, do_jobs, data, kind, query):
    job = send(data, kind, query).json()["id"]
    do_jobs()
    assert see(job).json()["counts"]["created"] == 1


def test_sent_twice_with_one_key_it_is_one_job(send, do_jobs, bob):
    first, second = (send(**{"Idempotency-Key": "k"}).json()["id"] for _time in range(2))
    assert first == second
    assert send(PEOPLE + b"Cat Cole;1.1.1980\n", **{"Idempotency-Key": "k"}).status_code == 422
    assert send(query="?date_order=mdy", **{"Idempotency-Key": "k"}).status_code == 422
    assert send().json()["id"] != first


def test_imports_are_listed_page_by_page_however_many_exports_came_after(api, send, sign_in, alice):
    """Also those that come between two pages move nothing."""
    hers = sign_in(alice)
    first, second, third = (send(**hers).json()["id"] for _time in range(3))
    with db.scope(alice) as scope:
        for _time in range(25):
            long_jobs.cancel(scope, scope.value("""
                insert into long_jobs (clinic_id, user_id, kind, name, total) values (:clinic_id, :me, 'export', 'clinic.zip', 1)
                returning id
                """, me=alice.user_id))
    assert [(job["id"], job["kind"]) for job in api.get("jobs", headers=hers).json()["data"]] == [
        (job, "import") for job in (third, second, first)]
    page = api.get("jobs", params={"limit": 2}, headers=hers).json()
    send(**hers)
    rest = api.get("jobs", params={"limit": 2, "cursor": page["next"]}, headers=hers).json()
    assert ([job["id"] for job in page["data"]], [job["id"] for job in rest["data"]]) == ([third, second], [first])
    assert rest["next"] is None


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_the_document_shows_is_read(send, see, bob, do_jobs, kind):
    job = send(EXAMPLES[kind].encode(), kind).json()["id"]
    do_jobs()
    assert see(job).json()["counts"]["created"] == 1


@pytest.mark.parametrize(("data", "kind", "query", "status"), [
    (PEOPLE, "application/vnd.ms-excel", "", 415), (PEOPLE, "", "", 415), (b"", "text/csv", "", 422), (b"PK\x03\x04zip", "text/csv", "", 422),
    (b"a,b\n1,2\n", "text/csv", "", 422), (PEOPLE, "text/csv", "?column=full_name:Nobody", 422),
    (PEOPLE, "text/csv", "?column=king:Name", 422), (PEOPLE, "text/csv", "?column=Name", 422), (PEOPLE, "text/csv", "?encoding=rot13", 422),
    (PEOPLE, "text/csv", "?date_order=dym", 422), (PEOPLE, "text/csv", "?rows=3", 422), (PEOPLE, "text/csv", "?name=%00", 422),
    (b'{"resourceType": "Bundle"', "application/json", "", 422)])
def test_what_holds_no_patients_makes_no_job(send, bob, data, kind, query, status):
    answer = send(data, kind, query)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    with db.scope(bob) as scope:
        assert long_jobs.mine(scope) == []


def test_a_file_may_be_larger_than_other_requests_and_not_larger_than_the_page_takes(send):
    many = b"Name,Notes\n" + b"".join(b"Person Number%d,%s\n" % (n, b"x" * 9000) for n in range(8))
    assert len(many) > MOST_BYTES
    assert send(many).status_code == 202


@pytest.mark.one_process
def test_one_that_says_it_is_too_large_is_not_read(send):
    """Not by a client that counts: it sends no body shorter than it said."""
    assert send(b"", **{"Content-Length": str(MOST_BYTES_OF_A_FILE + 1)}).status_code == 413


def test_one_that_does_not_tell_its_length_is_measured_while_it_comes(send):
    def pieces():
        for _piece in range(MOST_BYTES_OF_A_FILE // 2**20 + 1):
            yield b"x" * 2**20
    assert send(pieces()).status_code == 413


@pytest.mark.one_process
def test_one_is_stopped_and_gone_on_with_and_its_report_says_so(api, send, see, bob, do_jobs, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 1)
    job = send().json()["id"]
    begin, begun = jobs.on_behalf, []

    def stop_before_the_second(*about):
        begun.append(about)
        if len(begun) == 3:  # its rows were read, and the first one was written
            assert api.post(f"jobs/{job}/cancel", headers=send.shown).json()["status"] == "running"
        return begin(*about)
    monkeypatch.setattr(jobs, "on_behalf", stop_before_the_second)
    do_jobs()
    stopped = see(job).json()
    assert (stopped["status"], stopped["done"], stopped["counts"]["created"], how_many(bob)) == ("stopped", 1, 1, 1)
    assert "not imported" in see(job, "/report").text
    assert api.post(f"jobs/{job}/continue", headers=send.shown).json()["status"] == "waiting"
    do_jobs()
    assert see(job).json()["status"] == "done"
    assert how_many(bob) == 2
    assert api.post(f"jobs/{job}/continue", headers=send.shown).status_code == 409


def test_only_who_may_import_and_read_notes_begins_one(api, origin, send, sign_in, alice, rita, charlie):
    job = send().json()["id"]
    for who, status in ((rita, 403), (alice, 404), (charlie, 404)):
        for rest in ("", "/report"):
            assert api.get(f"jobs/{job}{rest}", headers=sign_in(who)).status_code == status
    assert api.post("patients/import", content=PEOPLE, headers={"Content-Type": "text/csv", **sign_in(rita)}).status_code == 403
    assert api.post("patients/import", content=PEOPLE, headers={"Content-Type": "text/csv", "Origin": origin}).status_code == 401
    for scopes, status in ((["patients.import", "patients.notes"], 202), (["patients.import"], 403), (["patients.notes"], 403)):
        with db.scope(alice) as scope:
            token = api_clients.add(scope, Wanted("Robot", "owner", scopes))[1]
        answer = api.post("patients/import", content=PEOPLE, headers={"Content-Type": "text/csv", "Authorization": f"Bearer {token}"})
        assert answer.status_code == status
