"""What stands in front of Streamlit, on a real server: gates, headers, and no way into somebody else's session."""

import asyncio
import re

import httpx
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api.doorman import content_policy

HEADERS = ("content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy", "permissions-policy",
           "cross-origin-opener-policy", "x-request-id")


@pytest.mark.parametrize("path", ["/", "/patients", "/api/v1/health", "/api/nope", "/_stcore/health", "/media/nothing"])
def test_every_response_carries_the_security_headers(server, path):
    answer = httpx.get(server + path)
    assert [name for name in HEADERS if name not in answer.headers] == []


def test_the_policy_allows_no_other_host_and_no_inline_script(server):
    policy = httpx.get(server).headers["content-security-policy"]
    assert policy == content_policy()
    assert "http" not in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert "'unsafe-eval'" not in policy


@pytest.mark.parametrize(("method", "path"), [("GET", "/media/abc.csv"), ("PUT", "/_stcore/upload_file/x/y"),
                                              ("GET", "/_stcore/metrics"), ("GET", "//media/abc"), ("GET", "/media/../media/abc")])
def test_media_uploads_and_metrics_need_a_session(server, method, path):
    assert httpx.request(method, server + path).status_code in (400, 401, 404)
    if "//" not in path and ".." not in path:
        assert httpx.request(method, server + path).status_code == 401


def test_a_session_opens_the_gate_and_a_revoked_one_does_not(server, alice, cookie_of):
    from lib import auth
    cookie = cookie_of(alice)
    answer = httpx.get(server + "/media/nothing", cookies={"chairside": cookie})
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    auth.sign_out(auth.read_token(cookie))
    assert httpx.get(server + "/media/nothing", cookies={"chairside": cookie}).status_code == 401


def test_unknown_paths_under_api_are_json_404(server):
    answer = httpx.get(server + "/api/nope")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def screen(server: str, cookie: str | None = None, session_id: str | None = None, headers: dict[str, str] | None = None,
                 page: str = "") -> tuple[str, str]:
    """Opens a tab over the websocket: its Streamlit session id, and every text it was sent in the first run."""
    protocols = ["streamlit", "no-xsrf-token", session_id] if session_id else ["streamlit"]
    extra = {**({"Cookie": f"chairside={cookie}"} if cookie else {}), **(headers or {})}
    async with connect(server.replace("http", "ws") + "/_stcore/stream", subprotocols=protocols, max_size=None,
                       additional_headers=extra) as socket:
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_name = page
        await socket.send(message.SerializeToString())
        return await _read(socket)


async def _read(socket) -> tuple[str, str]:
    opened, texts = "", []
    while True:
        message = ForwardMsg()
        message.ParseFromString(await asyncio.wait_for(socket.recv(), 15))
        if message.WhichOneof("type") == "new_session":
            opened = message.new_session.initialize.session_id
        if message.WhichOneof("type") == "delta":
            texts.append(str(message.delta))
        if message.WhichOneof("type") == "script_finished":
            return opened, "".join(texts)


def look(*args, **kwargs) -> tuple[str, str]:
    return asyncio.run(screen(*args, **kwargs))


@pytest.mark.parametrize("page", ["", "today", "patients", "patient", "patient_edit", "patient_import", "chat", "emergencies",
                                  "analytics", "clinic"])
def test_without_a_cookie_every_address_shows_the_form_and_nothing_else(server, alice, page):
    _session, texts = look(server, page=page)
    assert "Sign in" in texts
    assert "Adams Dental" not in texts


def test_with_a_cookie_the_clinic_shows(server, alice, cookie_of):
    assert "Adams Dental" in look(server, cookie_of(alice))[1]


@pytest.mark.parametrize("header", ["X-Chairside-Session", "x-chairside-session", "X-CHAIRSIDE-SESSION"])
def test_an_identity_a_client_claims_is_stripped(server, alice, token_of, header):
    assert "Adams Dental" not in look(server, headers={header: token_of(alice)})[1]


def test_one_users_cookie_with_anothers_session_id_gets_a_session_of_its_own(server, alice, charlie, cookie_of):
    async def attack() -> tuple[str, str, str]:
        async with connect(server.replace("http", "ws") + "/_stcore/stream", subprotocols=["streamlit"], max_size=None,
                           additional_headers={"Cookie": f"chairside={cookie_of(alice)}"}) as victim:
            message = BackMsg()
            message.rerun_script.query_string = ""
            await victim.send(message.SerializeToString())
            victims, _texts = await _read(victim)
            thieves, texts = await screen(server, cookie_of(charlie), session_id=victims)
            return victims, thieves, texts
    victims, thieves, texts = asyncio.run(attack())
    assert victims
    assert victims != thieves
    assert "Clark Dental" in texts
    assert "Adams Dental" not in texts


def test_the_same_person_does_resume_their_own_session(server, alice, cookie_of):
    """Or the test above would prove nothing."""
    cookie = cookie_of(alice)

    async def reconnect() -> tuple[str, str]:
        first, _texts = await screen(server, cookie)
        again, _texts = await screen(server, cookie, session_id=first)
        return first, again
    first, again = asyncio.run(reconnect())
    assert first == again


def test_a_session_id_without_a_cookie_gets_the_form(server, alice, cookie_of):
    session_id, _texts = look(server, cookie_of(alice))
    assert "Adams Dental" not in look(server, session_id=session_id)[1]


def test_a_foreign_origin_cannot_open_the_websocket(server):
    with pytest.raises(InvalidStatus, match="403"):
        look(server, headers={"Origin": "https://evil.example"})


def test_the_page_itself_holds_no_secret(server):
    assert not re.search(r"chairside_(app|owner)|postgresql", httpx.get(server).text)
