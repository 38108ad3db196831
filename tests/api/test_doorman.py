"""What stands in front of Streamlit, on a real server: gates, headers, and no way into somebody else's session."""

import asyncio
import re
import socket

import httpx
import pytest
from sqlalchemy import text
from starlette.datastructures import Headers
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api import caller, main
from api.answer import content_policy
from api.doorman import Doorman
from lib import db, settings
from lib.errors import TooMany
from tests.conftest import serving

HEADERS = ("content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy", "permissions-policy",
           "cross-origin-opener-policy", "x-request-id")


@pytest.mark.parametrize("path", ["/", "/patients", "/api/v1/health", "/api/nope", "/_stcore/health", "/media/nothing"])
def test_every_response_carries_the_security_headers(server, path):
    """SECURITY 8."""
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
    """SECURITY 2."""
    assert httpx.request(method, server + path).status_code in (400, 401, 404)
    if "//" not in path and ".." not in path:
        assert httpx.request(method, server + path).status_code == 401


def test_nobody_reads_the_metrics_of_every_clinic(server, alice, cookie_of):
    """SECURITY 2."""
    answer = httpx.get(server + "/_stcore/metrics", cookies={"chairside": cookie_of(alice)})
    assert (answer.status_code, "# TYPE" in answer.text) == (404, False)


def test_a_session_opens_the_gate_and_a_revoked_one_does_not(server, alice, cookie_of):
    from lib import auth
    cookie = cookie_of(alice)
    answer = httpx.get(server + "/media/nothing", cookies={"chairside": cookie})
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    auth.sign_out(auth.recognise(cookie))
    assert httpx.get(server + "/media/nothing", cookies={"chairside": cookie}).status_code == 401


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/api", 404), ("GET", "/api/", 404), ("GET", "/api/nope", 404), ("GET", "/api/v1/nope", 404), ("GET", "/%61pi/nope", 404),
    ("GET", "/api/v1/session/", 404), ("PATCH", "/api/v1/session", 405), ("DELETE", "/api/v1/health", 405), ("POST", "/api", 404),
    ("GET", "/api/%00", 400), ("GET", "/api/v1/credentials/a%0ab/document", 404)])
def test_what_the_api_does_not_have_is_a_problem_in_json(server, method, path, status):
    """SECURITY 6."""
    answer = httpx.request(method, server + path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("method", "path", "status"), [
    ("POST", "/", 405), ("DELETE", "/patients", 405), ("GET", "/media/nothing.png", 401),
    ("GET", "/static/../../etc/passwd", 400), ("PUT", "/_stcore/upload_file/x/y", 401), ("GET", "/component/none/index.html", 404)])
def test_elsewhere_a_refusal_is_one_sentence_and_the_request_id(server, method, path, status):
    head, _blank, body = ask(server, "Host: localhost", method=method, path=path)[1].partition("\r\n\r\n")
    assert head.split()[1] == str(status)
    request_id = re.search(r"x-request-id: (\w{16})", head)
    assert request_id
    assert re.fullmatch(rf"[A-Z][a-z '.]+\n\nReference: {request_id[1]}\n", body), body
    assert "content-security-policy" in head


def everything(line: socket.socket) -> str:
    parts = []
    while part := line.recv(65536):
        parts.append(part)
    return b"".join(parts).decode()


@pytest.mark.parametrize("path", ["/api/v1/session", "/api/nope", "/media/nothing", "/_stcore/upload_file/x/y"])
def test_what_may_hold_patient_data_is_never_kept(server, path):
    assert httpx.get(server + path).headers["cache-control"] == "no-store"


async def breaking(scope, receive, send):
    raise RuntimeError("canary of db.internal.example")


async def breaking_late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("canary")


def through(app, path: str) -> httpx.Response:
    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(Doorman(app)), base_url="http://localhost") as client:
            return await client.get(path)
    return asyncio.run(get())


@pytest.mark.parametrize(("path", "kind"), [("/patients", "text/plain; charset=utf-8"), ("/api/v1/x", "application/problem+json")])
def test_whatever_breaks_inside_answers_with_nothing_but_the_request_id(database, path, kind):
    with capture_logs() as lines:
        answer = through(breaking, path)
    assert (answer.status_code, answer.headers["content-type"]) == (500, kind)
    assert answer.headers["x-request-id"] in answer.text
    assert "content-security-policy" in answer.headers
    assert not re.search("canary|RuntimeError|db.internal|test_doorman", answer.text)
    assert [(line["request_id"], line["error"]) for line in lines if "error" in line] == [(answer.headers["x-request-id"], "RuntimeError")]
    assert "canary" not in str(lines)


def test_too_many_tries_are_429_with_the_time_to_wait():
    app = main.make()

    @app.get("/api/full")
    def full() -> None:
        raise TooMany(715)

    answer = through(app, "/api/full")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "715")
    assert answer.json()["detail"] == "Too many tries. Please wait 12 minutes and try again."


def test_a_session_id_in_a_path_stays_out_of_the_log(database):
    with capture_logs() as lines:
        through(breaking, "/some/where/canary-session/file")
    assert lines
    assert "canary" not in str(lines)


def test_an_answer_that_has_begun_is_cut_off(database):
    with pytest.raises(RuntimeError):
        through(breaking_late, "/patients")


# the Host header ---------------------------------------------------------------------------------------------------------


def ask(server: str, *lines: str, method: str = "GET", path: str = "/") -> tuple[str, str]:
    """One request, word for word: the status and everything that came back."""
    with socket.create_connection(("127.0.0.1", httpx.URL(server).port or 80)) as line:
        line.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "Connection: close", "", ""]).encode("latin-1"))
        answer = everything(line)
    return answer.split()[1], answer


@pytest.mark.parametrize("lines", [["Host: evil.example"], ["Host: localhost.evil.example"], ["Host: localhost", "Host: evil.example"],
                                   ["Host: localhost", "Host: localhost"], ["Host: localhost@evil.example"], ["Host: localhost:80:80"],
                                   ["Host: localhost/api"], ["Host: localhost:port"], ["Host: "], ["Host: localhost, evil.example"],
                                   ["Host: [::1"], ["Host: locälhost"], ["X-Forwarded-Host: localhost"]])
@pytest.mark.parametrize("path", ["/", "/api/v1/health", "/media/x", "/_stcore/health"])
def test_another_host_is_refused_before_anything_else(server, lines, path):
    status, answer = ask(server, *lines, path=path)
    assert status == "400", answer
    assert "evil" not in answer
    request_id = re.search(r"x-request-id: (\w+)", answer)
    assert request_id
    assert answer.count(request_id[1]) == 2


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1", "127.0.0.1:8501", "[::1]", "[::1]:8501"])
def test_this_machine_is_served_in_development(server, host):
    assert ask(server, f"Host: {host}", path="/api/v1/health")[0] == "200"


def test_another_host_cannot_open_the_websocket(server, alice, cookie_of):
    async def knock() -> None:
        port = httpx.URL(server).port
        async with connect("ws://evil.example/_stcore/stream", host="127.0.0.1", port=port, subprotocols=["streamlit"],
                           additional_headers={"Cookie": f"chairside={cookie_of(alice)}"}):
            pass
    with pytest.raises(InvalidStatus, match="400") as refusal:
        asyncio.run(knock())
    assert refusal.value.response.headers["x-request-id"].encode() in refusal.value.response.body


def test_named_hosts_and_the_public_address_replace_this_machine(monkeypatch):
    monkeypatch.setenv("CHAIRSIDE_HOSTS", "clinic.example, Chairs.internal")
    monkeypatch.setenv("CHAIRSIDE_URL", "https://care.example:8443")
    settings.get.cache_clear()
    try:
        served = [host for host in ("clinic.example:80", "chairs.internal", "care.example", "localhost", "evil.example")
                  if caller.means_us(Headers({"host": host}))]
    finally:
        monkeypatch.undo()
        settings.get.cache_clear()
    assert served == ["clinic.example:80", "chairs.internal", "care.example"]


# the client's address ----------------------------------------------------------------------------------------------------

CLAIMS = [{"X-Forwarded-For": "203.0.113.9"}, {"X-Real-IP": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"},
          {"X-Forwarded-For": "203.0.113.9:4711"}, {"x-forwarded-for": "203.0.113.9, 203.0.113.9"}]


def seen_by_the_api(server: str, owner, claim: dict[str, str]) -> str:
    httpx.post(f"{server}/api/v1/session", json={"ticket": "x" * 30}, headers={"Origin": "https://evil.example", **claim})
    with owner.connect() as connection:
        return connection.execute(text("""
            select address from security_events where kind = 'origin_refused' order by id desc limit 1
            """)).scalar_one()


def seen_by_a_screen(server: str, cookie: str, who, claim: dict[str, str]) -> str:
    look(server, cookie, page="patients", headers=claim)
    with db.scope(who) as scope:
        return scope.value("select address from audit_log where clinic_id = :clinic_id order by id desc limit 1")


@pytest.mark.parametrize("claim", CLAIMS)
def test_an_address_a_client_claims_is_ignored(server, owner, alice, cookie_of, claim):
    """From this machine too, whose word uvicorn would take."""
    assert seen_by_the_api(server, owner, claim) == "127.0.0.1"
    assert seen_by_a_screen(server, cookie_of(alice), alice, claim) == "127.0.0.1"


def test_behind_a_trusted_proxy_the_last_hop_that_is_none_counts(monkeypatch, owner, alice, charlie, cookie_of):
    monkeypatch.setenv("CHAIRSIDE_TRUSTED_PROXIES", "127.0.0.1, 10.1.0.0/16")
    with serving() as server:
        hops = {"X-Forwarded-For": "203.0.113.9, 198.51.100.4, 10.1.2.3"}
        assert seen_by_the_api(server, owner, hops) == "198.51.100.4"
        assert seen_by_a_screen(server, cookie_of(alice), alice, hops) == "198.51.100.4"
        others = {"X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
        assert seen_by_the_api(server, owner, others) == "127.0.0.1"
        assert seen_by_a_screen(server, cookie_of(charlie), charlie, others) == "127.0.0.1"


@pytest.mark.parametrize(("peer", "hops", "client"), [
    ("10.0.0.1", "203.0.113.9", "203.0.113.9"), ("10.0.0.2", "203.0.113.9", "10.0.0.2"), ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
    ("10.0.0.1", "", "10.0.0.1"), ("10.0.0.1", "203.0.113.9, 10.0.0.1", "203.0.113.9"), ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
    ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"), ("::ffff:10.0.0.1", "2001:db8::7", "2001:db8::7"),
    ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"), ("10.0.0.1", "203.0.113.9, unknown, 10.0.0.1", "10.0.0.1"),
    ("fd00::5", "203.0.113.9", "203.0.113.9")])
def test_hops_are_read_from_the_right(monkeypatch, peer, hops, client):
    monkeypatch.setenv("CHAIRSIDE_TRUSTED_PROXIES", "10.0.0.1,fd00::/8")
    settings.get.cache_clear()
    try:
        scope = caller.introduce({"type": "http", "client": (peer, 5), "headers": [(b"x-forwarded-for", hops.encode())]})
    finally:
        monkeypatch.undo()
        settings.get.cache_clear()
    assert scope["client"][0] == client
    assert scope["headers"] == []


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


@pytest.mark.parametrize("page", ["patient", *(pytest.param(page, marks=pytest.mark.long) for page in [
    "", "patients", "patient_edit", "patient_import", "chat", "emergencies", "analytics", "clinic", "knowledge", "article_edit"])])
def test_the_first_visitor_of_a_fresh_process_gets_the_form_at_every_address(alice, page):
    """SECURITY 5. A cold process once served a page's address without the entry script, and so without a sign-in."""
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
    """SECURITY 1."""
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
    answer = httpx.post(server + "/api/v1/session", content=iter([b"x" * 70_000]), headers={"Origin": server})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_a_small_body_of_unknown_length_is_read(server):
    answer = httpx.post(server + "/api/v1/session", content=iter([b'{"ticket": "', b"x" * 30, b'"}']),
                        headers={"Origin": server, "Content-Type": "application/json"})
    assert answer.status_code == 401


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
