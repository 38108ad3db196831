"""The cookie: how it comes, what it looks like, how it goes."""

import httpx
import pytest

from lib import auth


@pytest.fixture
def browser(server):
    with httpx.Client(base_url=server, headers={"Origin": server, "Sec-Fetch-Site": "same-origin"}) as client:
        yield client


def ticket_of(identity, keep=False) -> dict[str, str]:
    return {"ticket": auth.issue_ticket(auth.find_account(identity.email), keep=keep)}


def test_a_ticket_becomes_an_http_only_cookie(browser, alice):
    """SECURITY 9."""
    answer = browser.post("/api/v1/session", json=ticket_of(alice))
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age" not in cookie
    assert browser.get("/api/v1/session").status_code == 200


def test_keep_me_signed_in_lasts_seven_days(browser, alice):
    assert f"Max-Age={7 * 24 * 3600}" in browser.post("/api/v1/session", json=ticket_of(alice, keep=True)).headers["set-cookie"]


def test_a_ticket_works_once(browser, alice):
    ticket = ticket_of(alice)
    assert browser.post("/api/v1/session", json=ticket).status_code == 204
    assert browser.post("/api/v1/session", json=ticket).status_code == 401


def test_signing_out_ends_the_session_on_the_server(browser, alice):
    browser.post("/api/v1/session", json=ticket_of(alice))
    kept = dict(browser.cookies)
    assert browser.delete("/api/v1/session").status_code == 204
    assert browser.get("/api/v1/session", cookies=kept).status_code == 401
    assert browser.delete("/api/v1/session").status_code == 204


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"},
                                     {"Origin": ""}])
def test_another_site_can_neither_sign_in_nor_out(browser, alice, headers):
    assert browser.post("/api/v1/session", json=ticket_of(alice), headers=headers).status_code == 403
    browser.post("/api/v1/session", json=ticket_of(alice))
    assert browser.delete("/api/v1/session", headers=headers).status_code == 403
    assert browser.get("/api/v1/session").status_code == 200


@pytest.mark.parametrize("body", ["", "[]", '{"ticket": 1}', '{"ticket": ""}', '{"ticket": "' + "x" * 5000 + '"}', "\x00"])
def test_a_malformed_ticket_is_refused_without_a_trace(browser, body):
    answer = browser.post("/api/v1/session", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == (400 if body == "\x00" else 422)
    assert "Traceback" not in answer.text


def test_without_a_cookie_there_is_no_session(browser):
    assert browser.get("/api/v1/session").status_code == 401
    assert browser.get("/api/v1/session", cookies={"chairside": "garbled"}).status_code == 401
