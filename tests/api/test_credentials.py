"""The document's route: its person and the owners get it, everybody else what an id that nobody has gets."""

from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from lib import auth, credentials, db

PDF = b"%PDF-1.7 licence"


@pytest.fixture
def ask(server, cookie_of):
    def get(identity, user_id, **headers: str) -> httpx.Response:
        cookie = {"Cookie": f"chairside={cookie_of(identity)}"} if identity else {}
        return httpx.get(f"{server}/api/v1/credentials/{user_id}/document", headers={**cookie, **headers})
    return get


@pytest.fixture
def licence(bob):
    def submit(name="licence.pdf", content=PDF):
        with db.scope(bob) as scope:
            credentials.submit(scope, "Endodontics", "DE-4711", credentials.read_document(name, content))
    return submit


def test_its_person_and_the_owner_get_the_file(ask, alice, bob, licence):
    licence()
    for somebody in (alice, bob):
        answer = ask(somebody, bob.user_id)
        assert (answer.status_code, answer.content) == (200, PDF)
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''licence.pdf"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ['a"; filename=evil.exe', "Приказ №7.pdf", "a;b,c'd.pdf", "%0d%0aSet-Cookie: a=b"])
def test_no_name_gets_out_of_its_header(ask, bob, licence, name):
    licence(name)
    answer = ask(bob, bob.user_id)
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    assert "set-cookie" not in answer.headers


def test_a_picture_called_a_page_is_served_as_a_picture(ask, bob, licence):
    licence("page.html", b"\x89PNG\r\n\x1a\n<script>alert(1)</script>")
    assert ask(bob, bob.user_id).headers["content-type"] == "image/png"


def test_everybody_else_gets_the_answer_of_an_id_that_nobody_has(ask, alice, bob, mona, rita, charlie, hire, licence):
    """SECURITY 17."""
    licence()
    for people, status in (((hire(alice, "clinician", "Clara Cole"), charlie), 404), ((mona, rita), 403)):
        answers = [ask(somebody, user_id) for somebody in people for user_id in (bob.user_id, uuid4(), "no-id")]
        assert {answer.status_code for answer in answers} == {status}
        assert len({answer.json()["detail"] for answer in answers}) == 1


def test_a_stranger_and_a_revoked_session_get_401(server, ask, bob, licence, cookie_of):
    licence()
    assert ask(None, bob.user_id).status_code == 401
    cookie = cookie_of(bob)
    auth.sign_out(auth.recognise(cookie))
    assert httpx.get(f"{server}/api/v1/credentials/{bob.user_id}/document", headers={"Cookie": f"chairside={cookie}"}).status_code == 401


def test_whoever_submitted_none_has_none(ask, alice, bob):
    assert ask(bob, bob.user_id).status_code == 404
    assert ask(alice, bob.user_id).status_code == 404
