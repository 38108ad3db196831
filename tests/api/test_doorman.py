"""What stands in front of Streamlit, on a real server: gates, headers, and no way into somebody else's session."""

import asyncio
import re

import httpx
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api.answer import content_policy
from tests.conftest import serving

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
    from lib import auth, tokens
    cookie = cookie_of(alice)
    answer = httpx.get(server + "/media/nothing", cookies={"chairside": cookie})
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    auth.sign_out(auth.recognise(cookie))
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


@pytest.mark.parametrize("page", ["", "patients", "patient", "patient_edit", "patient_import", "chat", "emergencies", "analytics", "clinic"])
def test_the_first_visitor_of_a_fresh_process_gets_the_form_at_every_address(alice, page):
    """A cold process once served a page's address without the entry script, and so without a sign-in."""
    with serving() as address:
        _session, texts = look(address, page=page)
    assert "Sign in" in texts
    assert "Adams Dental" not in texts


def test_the_address_is_honoured(server, alice, cookie_of):
    """Or the two tests above would look at the first page nine times."""
    assert "Emergency number" in look(server, cookie_of(alice), page="clinic")[1]
    assert "Emergency number" not in look(server, cookie_of(alice), page="patients")[1]


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


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:9", "http://127.0.0.1:1", "https://localhost", "http://[", "null", ""])
def test_a_foreign_origin_cannot_open_the_websocket(server, alice, cookie_of, origin):
    """Another port of this machine is another site too: cookies do not know ports."""
    with pytest.raises(InvalidStatus, match="403") as refusal:
        look(server, cookie_of(alice), headers={"Origin": origin})
    assert "content-security-policy" in refusal.value.response.headers


def test_the_own_origin_opens_it(server, alice, cookie_of):
    assert "Adams Dental" in look(server, cookie_of(alice), headers={"Origin": server})[1]


def test_two_strangers_never_share_a_session(server):
    """A signed-out tab's session may hold the ticket of somebody who is signing in."""
    async def attack() -> tuple[str, str]:
        async with connect(server.replace("http", "ws") + "/_stcore/stream", subprotocols=["streamlit"], max_size=None) as victim:
            message = BackMsg()
            message.rerun_script.query_string = ""
            await victim.send(message.SerializeToString())
            victims, _texts = await _read(victim)
            thieves, _texts = await screen(server, session_id=victims)
            return victims, thieves
    victims, thieves = asyncio.run(attack())
    assert victims
    assert victims != thieves


def test_an_odd_cookie_beside_ours_signs_nobody_out(server, alice, cookie_of):
    answer = httpx.get(server + "/api/v1/session", headers={"Cookie": f"a[b]=1; chairside={cookie_of(alice)}; x"})
    assert answer.status_code == 200


def test_a_body_is_measured_before_it_is_read(server):
    assert httpx.post(server + "/api/v1/session", content=b"x" * 70_000).status_code == 413
    assert httpx.post(server + "/api/v1/session", content=iter([b"x" * 70_000])).status_code == 413


def test_nobody_uploads_into_anothers_session(server, alice, charlie, cookie_of):
    async def attack(cookie: str) -> int:
        async with connect(server.replace("http", "ws") + "/_stcore/stream", subprotocols=["streamlit"], max_size=None,
                           additional_headers={"Cookie": f"chairside={alices}"}) as tab:
            message = BackMsg()
            message.rerun_script.query_string = ""
            await tab.send(message.SerializeToString())
            session, _texts = await _read(tab)
            url = f"{server}/_stcore/upload_file/{session}/7f0e"
            async with httpx.AsyncClient(headers={"Cookie": f"chairside={cookie}; _streamlit_xsrf=x", "X-Xsrftoken": "x"}) as client:
                return (await client.put(url, files={"file": ("a.csv", b"Name\nEve")})).status_code
    alices = cookie_of(alice)
    assert asyncio.run(attack(cookie_of(charlie))) == 404
    assert asyncio.run(attack(alices)) != 404


def test_the_page_itself_holds_no_secret(server):
    assert not re.search(r"chairside_(app|owner)|postgresql", httpx.get(server).text)
