"""The assistant as a service: its contract, its key, and the app that asks it instead of a provider."""

import json
import os
import socket
import subprocess
import sys
import time

import httpx
import pytest
from starlette.testclient import TestClient

from api import assistant
from lib import advice, breakers, providers, remote, settings, workflows
from lib.settings import ROOT
from tests.lib import fake_provider
from tests.lib.asking import UNKNOWN, answer_of, ask, call_of, day_of, settled, switch, wait
from tests.lib.fake_provider import END, chunk, usage

KEY = {"authorization": "Bearer service-key"}


@pytest.fixture(scope="module")
def provider():
    with fake_provider.serving() as (fake, address):
        fake.provider = address
        yield fake


@pytest.fixture
def fake(provider):
    provider.says(*fake_provider.WHOLE)
    provider.requests.clear()
    return provider


@pytest.fixture(scope="module")
def service(provider):
    """A process of its own, with no database anywhere near."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CHAIRSIDE", "DATABASE", "AI_"))}
    environment |= {"AI_BASE_URL": provider.provider.base_url, "AI_API_KEY": "sk-service", "AI_MODEL": "test-model",
                    "AI_ALLOWED_HOSTS": "127.0.0.1", "AI_SERVICE_KEY": "service-key", "CHAIRSIDE_DATA": "/nonexistent"}
    process = subprocess.Popen([sys.executable, "-m", "uvicorn", "api.assistant:app", "--port", str(port), "--log-level", "warning"],
                               cwd=ROOT, env=environment)
    address = f"http://127.0.0.1:{port}"
    wait_for(address, process)
    yield address
    process.terminate()
    process.wait(10)


def wait_for(address, process):
    for _ in range(200):
        assert process.poll() is None
        try:
            httpx.get(address + "/health")
            return
        except httpx.ConnectError:
            time.sleep(0.1)
    raise AssertionError("The service did not start.")


def post(address, path="/generate", body=None, **options):
    return httpx.post(address + path, json=body if body is not None else {"message": "What is a root canal?"},
                      headers=KEY | options.pop("headers", {}), timeout=30, **options)


def test_it_is_alive_and_imports_no_screen(service):
    assert httpx.get(service + "/health").json() == {"status": "ok"}
    done = subprocess.run([sys.executable, "-c", "import api.assistant, sys; print(*sys.modules)"], cwd=ROOT, capture_output=True,
                          text=True, check=True)
    assert "streamlit" not in done.stdout.split()


def test_an_answer_names_the_articles_it_comes_from(service, fake):
    alone = post(service, body={"message": "How long does a root canal take?"}).json()
    consulted = post(service, body={"message": "How long does a root canal take?", "patient": {"name": "Ann Poe"}}).json()

    assert (alone["route"], consulted["route"]) == ("kb", "provider")
    [quoted], given = alone["articles"], consulted["articles"]
    assert given[0] == quoted
    assert quoted["title"] in alone["reply"]
    assert quoted["reviewed_on"] is None
    assert all(source["url"].startswith("https://") and source["read_on"] for source in quoted["sources"])
    assert f"[1] {quoted['title']}" in fake.requests[-1]["messages"][-1]["content"]
    for number, one in enumerate(given, 1):
        assert f"[{number}] {one['title']}" in fake.requests[-1]["messages"][-1]["content"]


def test_an_article_answers_as_the_published_contract_says(service, fake):
    answer = post(service).json()

    assert (answer["source"], answer["route"]) == ("mock", "kb")
    assert "root canal" in answer["reply"].lower()
    assert answer["reply"].endswith(advice.safety_net("112"))
    assert fake.requests == []


def test_a_provider_answers_what_is_about_somebody_and_never_learns_the_name(service, fake):
    fake.says(chunk("For [patient], soft food.", finish="stop"), usage(3, 4), END)

    answer = post(service, body={"message": "What may José Müller eat?", "patient": {"name": "José Müller"}}).json()

    assert (answer["source"], answer["route"]) == ("openrouter", "provider")
    assert answer["reply"].startswith("For José Müller, soft food.")
    assert "José" not in str(fake.requests[0]["messages"])


def streamed(answer):
    """The text of its pieces, and the end."""
    events = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    return "".join(json.loads(data[6:])["text"] for kind, data in events if kind == "event: delta"), json.loads(events[-1][1][6:])


@pytest.mark.parametrize("pieces", [["For [patient], soft food."], ["For [", "patient", "], soft food."], list("For [patient], soft food."),
                                    ["For [pat", "ient], soft food."], ["For ", "[patient]", ", soft food."]])
def test_the_name_stands_in_the_stream_as_well_however_the_placeholder_is_cut(service, fake, pieces):
    fake.says(*[chunk(piece) for piece in pieces], chunk(finish="stop"), usage(3, 4), END)
    body = {"message": "What may José Müller eat?", "patient": {"name": "José Müller"}}

    text, _end = streamed(post(service, "/api/chat/generate", {**body, "stream": True}))

    assert text == post(service, "/api/chat/generate", body).json()["reply"]
    assert text.startswith("For José Müller, soft food.\n\n")
    assert "José" not in str(fake.requests[0]["messages"])


@pytest.mark.parametrize(("said", "shown"), [("Tooth [1", "Tooth [1"), ("[patien", "[patien"), ("see [1] and [pat] or [[patient]", "see [1] and [pat] or [Ann")])
def test_what_only_looks_like_the_placeholder_is_said_as_it_came(service, fake, said, shown):
    fake.says(*[chunk(letter) for letter in said], chunk(finish="stop"), usage(3, 4), END)

    text, _end = streamed(post(service, "/api/chat/generate", {"message": UNKNOWN, "patient": {"name": "Ann"}, "stream": True}))

    assert text.startswith(shown + "\n\n")


def test_an_emergency_gets_the_card_and_nothing_leaves(service, fake):
    answer = post(service, body={"message": "He can't breathe and his tongue is swollen"}).json()

    assert (answer["source"], answer["route"], answer["tier"]) == ("mock", "emergency", "E")
    assert answer["reply"].startswith("**Call 112 now.**")
    assert fake.requests == []


def test_a_provider_that_is_down_leaves_the_article(service, fake):
    fake.says(b"{}", status=500)

    answer = post(service, body={"message": "What is a root canal?", "patient": {"name": "Ann"}}).json()

    assert answer["source"] == "mock"
    assert answer["reply"].startswith("The AI service is temporarily unavailable.")
    assert "root canal" in answer["reply"]
    assert [article["title"] in answer["reply"] for article in answer["articles"]] == [True]


def test_a_card_that_a_provider_raised_comes_from_no_article(service, fake):
    fake.says(chunk("TIER: E\n"), chunk("Call.", finish="stop"), usage(3, 4), END)

    answer = post(service, body={"message": "What is a root canal?", "patient": {"name": "Ann"}}).json()

    assert (answer["route"], answer["articles"]) == ("emergency", [])


TOO_LONG = "A child knocked out an adult front tooth half an hour ago. " + "And more about the day. " * 2_000


@pytest.mark.parametrize("length", [5_000, 20_001, 40_000])
@pytest.mark.parametrize("path", ["/generate", "/api/chat/generate"])
def test_an_urgent_message_that_is_too_long_says_the_danger_first(service, fake, path, length):
    answer = post(service, path, {"message": TOO_LONG[:length]})

    assert answer.status_code == 200
    assert answer.json() == {"source": "mock", "route": "blocked", "status": "ok", "tier": "U", "articles": [], "reply": "\n\n".join([
        advice.urgent_advice("112"), f"A question has room for 4,000 characters; this one has {length:,}.", advice.safety_net("112")])}
    assert fake.requests == []


def test_an_emergency_that_is_too_long_is_one_and_a_stream_says_so_too(service):
    message = "He can't breathe and his tongue is swollen. " + "And more about the day. " * 2_000

    assert post(service, body={"message": message}).json()["route"] == "emergency"
    text, end = streamed(post(service, "/api/chat/generate", {"message": message, "stream": True}))
    assert text.startswith("**Call 112 now.**")
    assert end["route"] == "emergency"
    text, end = streamed(post(service, "/api/chat/generate", {"message": TOO_LONG, "stream": True}))
    assert text.startswith(advice.urgent_advice("112"))
    assert (end["route"], end["tier"]) == ("blocked", "U")


@pytest.mark.parametrize(("body", "reason"), [
    ({}, "message"), ({"message": ""}, "message"), ({"message": "   "}, "message"), ({"message": "\u200b"}, "nothing to read"),
    ({"message": " \0\u2800\n"}, "nothing to read"), ({"message": 5}, "message"), ({"message": None}, "message"),
    ({"message": "x" * 20_001}, "message"), ({"message": "How long does a crown last? " * 300}, "4,000"), ({"message": "hi", "patient": "Ann"}, "patient"),
    ({"message": "hi", "patient": {"name": 5}}, "patient.name"), ([], "body"), ("text", "body")])
def test_a_bad_payload_is_a_400_with_its_reason(service, body, reason):
    answer = post(service, body=body)

    assert refused(answer, 400)
    assert reason in answer.json()["detail"]


def refused(answer, status):
    """In the form of RFC 9457, and without an id that no log knows."""
    return (answer.status_code, answer.headers["content-type"], answer.json()["status"], sorted(answer.json())) == (
        status, "application/problem+json", status, ["detail", "status"])


def sent(address, body, kind="application/json", **headers):
    return httpx.post(address + "/generate", content=body, headers=KEY | ({"content-type": kind} if kind else {}) | headers, timeout=30)


@pytest.mark.parametrize("body", [b"{nonsense", b'{"message": "\xff nonsense"}', b"[" * 100_000, b'{"message": ' + b"9" * 5_000 + b"}"])
def test_what_is_no_json_is_a_400(service, body):
    answer = sent(service, body)

    assert refused(answer, 400)
    assert answer.json()["detail"] == "The body can't be read as JSON."


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_of_another_kind_is_a_400_that_names_the_right_one(service, kind):
    answer = sent(service, b'{"message": "hi"}', kind)

    assert refused(answer, 400)
    assert "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize("number", ["", "   ", "+112", "1", " 1 ", "call 112"])
def test_an_emergency_number_is_one_that_can_be_called(service, number):
    answer = post(service, "/api/chat/generate", {"message": "He can't breathe", "emergency_number": number})

    assert refused(answer, 400)
    assert "emergency_number" in answer.json()["detail"]


def test_an_emergency_number_is_said_without_the_spaces_around_it(service):
    answer = post(service, "/api/chat/generate", {"message": "He can't breathe", "emergency_number": " 911 "})

    assert answer.json()["reply"].startswith("**Call 911 now.**")


@pytest.mark.parametrize("body", [b"x" * 2_100_000, [b"x" * 700_000] * 3], ids=["told", "untold"])
def test_what_is_too_large_is_refused_in_the_same_form(service, body):
    assert refused(sent(service, body), 413)


def test_what_meets_no_route_is_refused_in_the_same_form(service):
    assert refused(httpx.get(service + "/generate"), 405)
    assert refused(httpx.get(service + "/nope"), 404)


def test_the_key_is_looked_at_before_the_body(service):
    answer = sent(service, b"{", authorization="Bearer wrong")

    assert refused(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(service, scheme):
    assert sent(service, b'{"message": "What is a root canal?"}', authorization=f"{scheme} service-key").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "service-key"}, {"authorization": "Bearer é"},
                                     {"authorization": "Basic service-key"}])
@pytest.mark.parametrize("path", ["/generate", "/api/chat/generate", "/api/chat/converse"])
def test_without_the_key_nothing_is_answered(service, path, headers):
    answer = httpx.post(service + path, json={"message": "hi", "context": {}},
                        headers={name: value.encode() for name, value in headers.items()})

    assert answer.status_code == 401


def test_no_half_of_a_name_leaves_where_a_text_is_cut(service, fake):
    cut = "x" * 3_994 + " Johnsonberg"
    post(service, "/api/chat/generate", {"message": "And for her?", "patient": {"name": "Ann Johnsonberg"}, "notes": cut,
                                         "history": [{"role": "user", "content": cut}]})
    assert "Johns" not in json.dumps(fake.requests[-1])


def test_history_and_notes_go_out_masked(service, fake):
    post(service, "/api/chat/generate", {"message": "And for Ann Smith?", "patient": {"name": "Ann Smith"}, "notes": "Ann Smith takes warfarin",
                                         "history": [{"role": "user", "content": "Ann Smith asked about food"},
                                                     {"role": "assistant", "content": "Soft food."}]})

    sent = fake.requests[0]["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert "warfarin" in sent[-1]["content"]
    assert "Smith" not in str(sent)


@pytest.mark.parametrize("before", ["", "We had a lovely day. " * 300])
def test_the_whole_of_an_earlier_turn_counts_for_the_red_flags(service, before):
    earlier = {"role": "user", "content": before + "His face is swollen since this morning."}
    asked = {"message": "and now a fever", "history": [earlier]}

    assert post(service, "/api/chat/generate", {"message": "and now a fever"}).json()["route"] != "emergency"
    assert post(service, "/api/chat/generate", asked).json()["route"] == "emergency"


def test_of_an_emergency_at_the_end_of_a_long_turn_nothing_is_sent(service, fake):
    earlier = {"role": "user", "content": "We had a lovely day. " * 300 + "He can't breathe and his lips are blue."}

    post(service, "/api/chat/generate", {"message": UNKNOWN, "history": [earlier, {"role": "assistant", "content": "Call 112."}]})

    assert "lovely" not in str(fake.requests[-1]["messages"])


@pytest.mark.parametrize("way", [{"body": {"message": UNKNOWN, "stream": True}},
                                 {"body": {"message": UNKNOWN}, "headers": {"accept": "text/event-stream"}}])
def test_the_answer_comes_as_events_where_it_is_asked_for(service, fake, way):
    answer = post(service, "/api/chat/generate", **way)

    text, end = streamed(answer)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert text.startswith("Hello there.")
    assert end["source"] == "openrouter"


def test_production_does_not_start_without_a_key():
    environment = {**os.environ, "CHAIRSIDE_ENV": "production", "JWT_SECRET": "k3J8sLw0Qz7YtR2vBn5Xc9Mf4Hd6Gp1aUeIoTy"}
    done = subprocess.run([sys.executable, "-c", "from api.assistant import app"], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.returncode
    assert "AI_SERVICE_KEY" in done.stderr


def test_production_answers_nobody_without_a_key(monkeypatch):
    monkeypatch.setattr(settings, "get", lambda: settings.Settings(CHAIRSIDE_ENV="production"))
    for service in (assistant.make(), assistant.make(alone=True)):
        assert TestClient(service).post("/generate", json={"message": "hi"}, headers={"authorization": "Bearer "}).status_code == 401


# the app that asks it


@pytest.fixture
def through_the_service(service, fake, alice, monkeypatch):
    monkeypatch.setenv("AI_SERVICE_URL", service)
    monkeypatch.setenv("AI_SERVICE_KEY", "service-key")
    settings.get.cache_clear()
    switch(alice)
    remote.breaker.cache_clear()
    yield fake
    settings.get.cache_clear()
    providers.breaker.cache_clear()
    remote.breaker.cache_clear()


def test_the_app_gets_its_answers_through_the_service_with_their_bill(through_the_service, alice):
    asked = ask(alice)

    assert answer_of(alice, asked).content.startswith("Hello there.")
    call = call_of(alice, asked)
    assert (call.route, call.status, call.tokens_in, call.tokens_out, call.model_used) == ("provider", "ok", 300, 150, "test-model-1")
    assert day_of(alice).reserved_usd == 0


def test_a_service_that_is_down_leaves_the_knowledge_base(through_the_service, alice, monkeypatch):
    monkeypatch.setenv("AI_SERVICE_URL", "http://127.0.0.1:9")
    settings.get.cache_clear()

    found = answer_of(alice, ask(alice))

    assert found.content.startswith("Cannot connect to the AI service.")


def test_a_service_that_was_asked_and_breaks_off_costs_what_nobody_knows(through_the_service, alice, monkeypatch):
    with fake_provider.serving() as (broken, address):
        broken.answer = lambda handler: setattr(handler, "close_connection", True)
        monkeypatch.setenv("AI_SERVICE_URL", address.base_url.removesuffix("/v1"))
        settings.get.cache_clear()
        call = call_of(alice, ask(alice))

    assert (call.status, call.cost_usd, call.cost_source) == ("error_before", None, None)
    assert day_of(alice).spent_usd == call.reserved_usd


def test_a_service_that_keeps_failing_is_left_alone_and_comes_back(through_the_service, service, alice, monkeypatch):
    with fake_provider.serving() as (broken, address):
        broken.says(b"{}", status=500)
        monkeypatch.setenv("AI_SERVICE_URL", address.base_url.removesuffix("/v1"))
        settings.get.cache_clear()
        for number in range(7):
            ask(alice, f"Which moon is number {number}?")
    assert len(broken.requests) == breakers.FAILURES
    assert remote.breaker().current_state == "open"

    monkeypatch.setenv("AI_SERVICE_URL", service)
    settings.get.cache_clear()
    remote.breaker().reset_timeout = 0
    assert answer_of(alice, ask(alice)).content.startswith("Hello there.")
    assert remote.breaker().current_state == "closed"


def test_a_provider_that_fails_behind_the_service_is_no_failure_of_the_service(through_the_service, alice, monkeypatch):
    with fake_provider.serving() as (relay, address):
        relay.says(b'event: done\ndata: {"status": "error_before", "problem": "unavailable", "billed": false, "provider": "x"}\n\n')
        monkeypatch.setenv("AI_SERVICE_URL", address.base_url.removesuffix("/v1"))
        settings.get.cache_clear()
        for number in range(7):
            ask(alice, f"Which moon is number {number}?")

    assert len(relay.requests) == 7
    assert remote.breaker().current_state == "closed"


def test_a_stopped_answer_of_the_service_is_hidden_and_billed(through_the_service, alice):
    through_the_service.says(chunk("Hello "), 0.8, chunk("hidden", finish="stop"), usage(300, 150), END)
    asked = workflows.ask(alice, None, UNKNOWN)
    job = workflows.watch(asked.answer_id)
    assert not wait(job, 3, 5)
    workflows.stop(alice, asked.answer_id)
    assert wait(job, 10 ** 9, 2)

    settled(asked)

    assert answer_of(alice, asked).content == "Hello \n\n" + advice.safety_net(alice.emergency_number)
    assert (call_of(alice, asked).status, call_of(alice, asked).tokens_out) == ("stopped", 150)


def test_the_app_serves_the_same_routes(server):
    assert httpx.get(server + "/health").json() == {"status": "ok"}
    answer = httpx.post(server + "/generate", json={"message": "What is a root canal?"}, timeout=30)
    assert (answer.status_code, answer.json()["source"]) == (200, "mock")
    assert httpx.post(server + "/generate", json={}).status_code == 400
    assert "message" in httpx.post(server + "/generate", json={}).json()["detail"]
    assert httpx.get(server + "/generate").status_code == 405
    assert httpx.post(server + "/api/chat/nope", json={}).status_code == 404
