"""What a whole day writes beside the database, errors included, holds nothing that anybody typed.

One server of its own, driven through everything that takes a value; then every line that it, its PostgreSQL and its crash
reports wrote is searched for each of them.
"""

import gzip
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from lib import settings, startup
from tests.browser.conftest import settled
from tests.browser.test_first_day import ask, auth_of, import_file, search
from tests.conftest import serving
from tests.lib import fake_provider
from tests.lib.fake_provider import END, chunk, usage
from tests.lib.test_assistant import switch

NAME, PHONE, NOTES, ALERT, QUESTION, REPLY, FILE, PASSWORD, WRONG, TOKEN, EMAIL, CLINIC, KEY, PATH, METRICS = CANARIES = (
    "Zanaria Quillfeather", "5559173646", "canarynotes", "canaryalert", "canaryquestion", "canaryreply", "canaryfile",
    "canary staple horse 91", "canary wrong horse 92", "canarytoken0123456789", "canaryperson", "Canaryclinic", "sk-canarykey", "canarypath",
    "canary-of-prometheus")


@pytest.fixture(scope="module")
def provider() -> Iterator[fake_provider.FakeProvider]:
    with fake_provider.serving() as (fake, address):
        fake.provider = address
        yield fake


@pytest.fixture(scope="module")
def reports() -> Iterator[list[str]]:
    """What a crash reporter is sent, by a server of its kind: the first is its address, for SENTRY_DSN."""
    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            sent.append(str(self.headers) + (gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""
    sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    sent = [f"http://key@127.0.0.1:{sink.server_port}/1"]
    yield sent
    sink.shutdown()
    sink.server_close()


@pytest.fixture(scope="module")
def server(database: None, provider: fake_provider.FakeProvider, reports: list[str]) -> Iterator[str]:
    given = {"AI_BASE_URL": provider.provider.base_url, "AI_API_KEY": KEY, "AI_ALLOWED_HOSTS": "127.0.0.1", "SENTRY_DSN": reports[0],
             "CHAIRSIDE_METRICS_TOKEN": METRICS}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        settings.get.cache_clear()
        with serving("uvicorn", "tests.browser.breaking_app:app", "--port") as address:
            yield address
    settings.get.cache_clear()


def written(server: str) -> str:
    """Everything but the database itself: the server's output, PostgreSQL's log, and any other log in either folder."""
    assert startup._server
    folders = [Path(os.environ["CHAIRSIDE_DATA"]), startup._server.home]
    files = {path for folder in folders for path in [*folder.rglob("*.log"), *folder.rglob("cluster/log/*")]}
    assert {path.name for path in files} >= {f"server-{server.rpartition(':')[2]}.log", "start.log"}
    return "\n".join(path.read_text(errors="replace") for path in files)


def lines(server: str) -> list[dict]:
    text = (Path(os.environ["CHAIRSIDE_DATA"]) / f"server-{server.rpartition(':')[2]}.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_nothing_that_anybody_typed_is_written_anywhere_but_into_the_database(page, server, provider, reports, tmp_path):
    """SECURITY 19."""
    email = sign_up(page)
    fail_to_sign_in(server, page.context.browser.new_page(base_url=server))
    whole_day(page, provider, tmp_path, auth_of(email))
    ask_by_http(server, page)
    time.sleep(1)  # the housekeeper and the last answer

    figures = httpx.get(f"{server}/metrics", headers={"Authorization": f"Bearer {METRICS}"}).text
    everything = "\n".join([written(server), figures, *reports])
    events = lines(server)
    assert [line for line in everything.splitlines() if any(canary.lower() in line.lower() for canary in CANARIES)] == []
    assert PHONE[-7:] not in re.sub(r"\D", "", everything)
    assert {"request", "rerun", "answer"} <= {line["event"] for line in events}
    for name in ('rerun_seconds_count{kind="page",page="patients"}', 'rerun_failures_total{page="patients"}',
                 'answer_seconds_count{route="provider"}', 'sign_in_failures_total{kind="sign_in_failed"}'):
        assert f"chairside_{name}" in figures
    crashes = [line for line in events if line.get("error") == "Broken"]
    assert {line["event"] for line in crashes} >= {"script failed", "request failed", "answer failed", "uncaught"}
    assert len([report for report in reports if '"Broken"' in report]) >= len({line["request_id"] for line in crashes if "request_id" in line})


def sign_up(page: Page) -> str:
    page.goto("/?form=sign-up")
    email = f"{EMAIL}.{os.urandom(4).hex()}@example.org"
    for label, value in {"Full name": f"{NAME} Senior", "Clinic name": CLINIC, "Email": email}.items():
        page.get_by_label(label).fill(value)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create clinic").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    settled(page)
    return email


def fail_to_sign_in(server: str, page: Page) -> None:
    page.goto("/?form=sign-in")
    page.get_by_label("Email").fill(f"{EMAIL}@example.org")
    page.get_by_label("Password", exact=True).fill(WRONG)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("don't match an account")).to_be_visible()
    for address in (f"/?reset={TOKEN}", f"/?invite={TOKEN}"):
        page.goto(address)
        expect(page.get_by_role("button").first).to_be_visible()
    page.close()


def whole_day(page: Page, provider: fake_provider.FakeProvider, folder: Path, owner) -> None:
    file = folder / f"{FILE}.csv"
    file.write_text(f"Name,Phone,Notes,Allergies\n{NAME},{PHONE},{NOTES},{ALERT}\n,{PHONE},\"{NOTES}\n")
    import_file(page, file)
    search(page, NAME)
    page.get_by_role("row", name=re.compile(NAME)).click()
    expect(page.get_by_role("heading", name=re.compile(NAME))).to_be_visible()
    patient = page.url.partition("?")[2]
    page.goto(f"/patient_edit?{patient}")
    settled(page)
    page.get_by_label("Medical notes").fill(f"{NOTES} more")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    for words in ("break the page", "break the database", "break the row", "break a task"):
        search(page, f"{NAME} {words}")
        expect(page.get_by_text(re.compile("reference|can't be used|date of death lies|Something went wrong|No patient matches")).first).to_be_visible()
    switch(owner)
    converse(page, provider, f"/chat?{patient}")


def converse(page: Page, provider: fake_provider.FakeProvider, address: str) -> None:
    page.goto(address)
    settled(page)
    provider.says(chunk(f"{REPLY} one."), chunk(finish="stop"), usage(3, 4), END)
    ask(page, f"Which planet has the most moons, {NAME} {QUESTION}?")
    expect(page.get_by_text(f"{REPLY} one.")).to_be_visible()
    provider.says(json.dumps({"error": {"message": f"{REPLY} {KEY}"}}).encode(), status=500)
    ask(page, f"Which planet has the fewest moons, {QUESTION}?")
    expect(page.get_by_text("temporarily unavailable")).to_be_visible()
    provider.says(f"data: {REPLY} is no JSON\n\n".encode())
    ask(page, f"Which planet has no moon, {QUESTION}? break a thread")
    expect(page.get_by_text("temporarily unavailable")).to_have_count(2)
    ask(page, f"{QUESTION} break the answer")
    expect(page.get_by_text("was interrupted")).to_have_count(1)
    ask(page, f"He can't breathe, {QUESTION}")
    expect(page.get_by_text(re.compile("Call .* now")).first).to_be_visible()
    ask(page, f"{QUESTION} break the callback")
    expect(page.get_by_text("reference")).to_be_visible()


def ask_by_http(server: str, page: Page) -> None:
    cookie = {each["name"]: each["value"] for each in page.context.cookies()}["chairside"]
    own = {"Cookie": f"chairside={cookie}", "Origin": server}

    def status(method: str, path: str, headers: dict[str, str] = own, **body) -> int:
        return httpx.request(method, server + path, headers=headers, timeout=30, **body).status_code
    assert status("POST", "/api/v1/patients/export", json={"term": NAME, "archived": False}) == 200
    assert status("POST", "/api/v1/patients/export", json={"term": f"{NAME} break the route"}) == 500
    assert status("POST", "/api/v1/chats/export", json={"patient": NAME}) == 422
    assert status("POST", "/api/v1/chats/export", content=f"{{{NAME}".encode()) == 422
    assert status("POST", "/generate", json={"message": f"{QUESTION} break the answer"}) == 500
    assert status("GET", f"/api/v1/{PATH}?{PATH}={NAME}") == 404
    assert status("GET", f"/media/{PATH}.csv") == 404
    assert status("PUT", f"/_stcore/upload_file/{PATH}/1") in (403, 404)
    assert status("POST", "/api/v1/session", {"Origin": server}, json={"ticket": TOKEN}) == 401
    for headers in ({"Cookie": f"chairside={TOKEN}"}, {"Authorization": f"Bearer {TOKEN}"}, {"Host": PATH}):
        assert status("GET", f"/api/v1/session?{PATH}={NAME}", headers) in (400, 401)
