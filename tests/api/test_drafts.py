"""What stands in a field, as a tab sends it by itself."""

from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from lib import db, drafts, patients
from lib.patient_form import PatientForm


@pytest.fixture
def patient(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, PatientForm(full_name="Ann Lee"))


@pytest.fixture
def send(server, cookie_of):
    """The status of the answer."""
    def put(who, patient_id, words, before="", clinic=None, late=False, **headers) -> int:
        body = {"clinic": str(clinic or who.clinic_id), "field": question(patient_id), "text": words, "before": before, "late": late}
        return httpx.put(f"{server}/api/v1/drafts", json=body, cookies={"chairside": cookie_of(who)},
                         headers={"Origin": server, **headers}).status_code
    return put


def question(patient_id) -> str:
    return f"question:{patient_id or 'general'}"


def kept(who, patient_id) -> str:
    with db.scope(who) as scope:
        return "".join(found.text for found in drafts.load_texts(scope, [question(patient_id)]).values())


def test_each_thread_keeps_what_its_author_is_typing(send, alice, patient):
    assert send(alice, patient, "Does ibu") == send(alice, patient, "Does ibuprofen") == send(alice, None, "How long") == 204
    assert (kept(alice, patient), kept(alice, None)) == ("Does ibuprofen", "How long")


def test_an_emptied_box_takes_away_what_was_kept_and_nothing_newer(send, alice, patient):
    send(alice, patient, "Does ibuprofen")
    assert send(alice, patient, "", before="an older text of another tab") == 204
    assert kept(alice, patient) == "Does ibuprofen"
    assert send(alice, patient, "", before="Does ibuprofen") == 204
    assert kept(alice, patient) == ""


def test_words_that_a_form_refused_stay_however_late_the_tab_takes_them_back(send, alice):
    """The tab sent them as the button was pressed, and can't know what became of the form."""
    send(alice, None, "How long")
    with db.scope(alice) as scope:
        drafts.keep_text(scope, question(None), "How long", refused=True)
    send(alice, None, "How long")
    send(alice, None, "", before="How long", late=True)
    assert kept(alice, None) == "How long"
    send(alice, None, "", before="How long")
    assert kept(alice, None) == ""
    send(alice, None, "How long")
    send(alice, None, "", before="How long", late=True)
    assert kept(alice, None) == ""


def test_nobody_else_gets_it(send, alice, bob, charlie, patient):
    send(alice, patient, "Does ibuprofen")
    send(alice, None, "How long")
    for somebody in (bob, charlie):
        assert (kept(somebody, patient), kept(somebody, None)) == ("", "")


def test_a_foreign_patient_answers_like_nobody(send, charlie, patient):
    """SECURITY 17."""
    assert send(charlie, patient, "x") == send(charlie, uuid4(), "x") == 404
    with db.scope(charlie) as scope:
        assert scope.value("select count(*) from drafts where clinic_id = :clinic_id") == 0


def test_a_tab_that_still_shows_another_clinic_keeps_nothing_here(send, alice, charlie):
    assert send(alice, None, "About somebody of Clark Dental", clinic=charlie.clinic_id) == 409
    assert kept(alice, None) == ""


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_writes_nothing(send, alice, headers):
    assert send(alice, None, "x", **headers) == 403


@pytest.mark.parametrize(("words", "found"), [("a\0b", "ab"), ("🦷" * 9_000, "🦷" * 9_000), ("x" * 20_001, "")])
def test_odd_texts_are_kept_or_refused_and_never_a_failure(send, alice, words, found):
    assert send(alice, None, words) == (204 if found else 422)
    assert kept(alice, None) == found


def test_keeping_a_draft_keeps_no_session_awake(server, cookie_of, owner, alice):
    cookie = cookie_of(alice)
    with owner.begin() as connection:
        connection.execute(text("update sessions set seen_at = now() - interval '20 minutes' where user_id = :id"), {"id": alice.user_id})
    body = {"clinic": str(alice.clinic_id), "field": "question:general", "text": "x", "before": ""}
    httpx.put(f"{server}/api/v1/drafts", json=body, cookies={"chairside": cookie}, headers={"Origin": server})
    assert kept(alice, None) == "x"
    with owner.connect() as connection:
        assert connection.execute(text("select max(seen_at) < now() - interval '19 minutes' from sessions where user_id = :id"),
                                  {"id": alice.user_id}).scalar()
