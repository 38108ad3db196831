"""What `/generate` spends of the installation's key: limited, held of the day's total before it is spent, and counted."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
from sqlalchemy import text
from starlette.testclient import TestClient

from api import asking, assistant, generating
from lib import advice, db, knowledge, metrics, prices, providers, redflags, settings
from lib.errors import Forbidden, Unavailable
from lib.providers import Provider
from tests.lib import fake_provider
from tests.lib.asking import COST, FLASH, UNKNOWN
from tests.lib.fake_provider import END, chunk, usage

HERE = asking.Caller("127.0.0.1", counted=True)


@pytest.fixture
def fake(monkeypatch, database):
    monkeypatch.setenv("AI_ALLOWED_HOSTS", "127.0.0.1")
    with fake_provider.serving() as (fake, provider):
        for name, value in {"AI_BASE_URL": provider.base_url, "AI_API_KEY": "sk", "AI_MODEL": provider.model}.items():
            monkeypatch.setenv(name, value)
        settings.get.cache_clear()
        yield fake
    settings.get.cache_clear()
    providers.breaker.cache_clear()


@pytest.fixture
def app(fake):
    return TestClient(assistant.make())


@pytest.fixture
def spend(owner):
    """What the service's callers have spent today, and what is held, in this test."""
    def look() -> tuple[Decimal, Decimal]:
        with owner.connect() as connection:
            row = connection.execute(text("select sum(spent_usd), sum(reserved_usd) from service_spend")).one()
        return row[0] or Decimal(0), row[1] or Decimal(0)
    with owner.begin() as connection:
        connection.execute(text("delete from service_spend"))
    return look


@pytest.fixture
def left(monkeypatch):
    """So much is left of the installation's day."""
    def leave(usd: str) -> None:
        row = db.ask(SimpleNamespace, "select app.installation_spend((now() at time zone 'UTC')::date) as usd")
        monkeypatch.setenv("AI_INSTALLATION_BUDGET", str(row.usd + Decimal(usd)))
        settings.get.cache_clear()
    return leave


@pytest.fixture
def priced(monkeypatch):
    monkeypatch.setattr(prices, "find_now", lambda provider, model: FLASH)


def ask(app, message=UNKNOWN, path="/generate", **more):
    return app.post(path, json={"message": message, **more})


def wait_for(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


# the total -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "more"), [("/generate", {}), ("/api/chat/generate", {}), ("/api/chat/generate", {"stream": True})])
def test_what_a_call_costs_is_in_the_installations_total(app, spend, priced, path, more):
    before = db.ask(SimpleNamespace, "select app.installation_spend((now() at time zone 'UTC')::date) as usd").usd

    assert "there." in ask(app, path=path, **more).text

    assert wait_for(lambda: spend() == (COST, 0))
    assert db.ask(SimpleNamespace, "select app.installation_spend((now() at time zone 'UTC')::date) as usd").usd == before + COST


def test_what_nobody_can_price_counts_as_what_was_held(app, spend):
    ask(app)

    assert spend() == (prices.UNPRICED, 0)


def test_a_refused_call_costs_nothing(app, fake, spend):
    fake.says(b"{}", status=429)

    assert ask(app).json()["reply"].startswith("The AI is busy")
    assert spend() == (0, 0)


@pytest.mark.parametrize("path", ["/generate", "/api/chat/generate"])
def test_at_its_end_nobody_is_asked_and_the_knowledge_base_answers(app, fake, spend, left, path):
    left("0.01")

    unknown = ask(app, path=path).json()
    known = ask(app, "What is a root canal treatment?", path, patient={"name": "Ann"}).json()

    assert fake.requests == []
    assert (unknown["source"], unknown["route"], known["route"]) == ("mock", "fallback", "kb")
    assert unknown["reply"].startswith("What is left of the day's budget for the AI provider does not cover another answer.\n\nI don't know")
    assert "root canal" in known["reply"].lower()
    assert ask(app, "He can't breathe and his tongue is swollen", path).json()["route"] == "emergency"
    assert spend() == (0, 0)


def test_of_twenty_at_once_only_those_are_asked_for_whom_something_is_left(app, fake, spend, left):
    fake.says(chunk("a"), 0.4, chunk(finish="stop"), usage(3, 4), END)
    left("0.11")

    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda n: ask(app, f"Which moon is number {n}?").json()["source"], range(20)))

    assert answers.count("openrouter") == len(fake.requests) == 5
    assert spend() == (Decimal("0.10"), 0)


def test_a_database_that_is_away_spends_nothing(app, fake, monkeypatch):
    def away(*_args, **_values):
        raise Unavailable
    monkeypatch.setattr(db, "ask", away)

    assert ask(app).json()["reply"].startswith("The AI service is temporarily unavailable.")
    assert fake.requests == []


def test_a_database_that_goes_away_meanwhile_loses_no_answer(app, fake, spend, monkeypatch):
    """Of a model without a price, which is looked for again when the answer names it."""
    def away(*_args, **_values):
        raise Unavailable
    answer = fake.answer
    fake.answer = lambda handler: (monkeypatch.setattr(db, "ask", away), answer(handler))

    answered = ask(app)

    assert (answered.status_code, answered.json()["reply"][:12]) == (200, "Hello there.")
    assert spend() == (0, prices.UNPRICED)


def listen_and_leave():
    async def leave():
        prepared = await assistant._prepared(asking.Chat(message=UNKNOWN), HERE)
        lines = assistant._paced(assistant._Lines(assistant._told(prepared), generating.place(prepared)), prepared.request.stop)
        assert b"Hello" in await anext(lines)
        await lines.aclose()
    asyncio.run(leave())


def test_who_leaves_a_stream_leaves_its_bill_and_it_is_exact(fake, spend, priced):
    fake.says(chunk("Hello " * 10), 0.5, chunk("nobody reads this", finish="stop"), usage(300, 150), END)
    listen_and_leave()
    assert wait_for(lambda: spend() == (COST, 0))


def test_who_leaves_a_stream_that_stops_billing_hangs_up(fake, spend, priced, monkeypatch):
    monkeypatch.setattr(Provider, "cancel_stops_billing", True)
    fake.says(chunk("Hello " * 10), *[b": still here\n\n", 0.1] * 100)
    listen_and_leave()
    assert wait_for(lambda: spend()[0] > 0 and spend()[1] == 0)
    assert wait_for(lambda: fake.cut)


@pytest.fixture
def address(fake):
    """Over a line that a caller can cut."""
    server = uvicorn.Server(uvicorn.Config(assistant.make(), log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as line:
        running = threading.Thread(target=server.run, args=([line],))
        running.start()
        yield f"http://127.0.0.1:{line.getsockname()[1]}"
        server.should_exit = True
        running.join(10)


def counted(status):
    """How many of the provider's answers ended so."""
    return metrics.REGISTRY.get_sample_value("chairside_answers_total", {"route": "provider", "status": status}) or 0


def hang_up(address, path):
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(address + path, json={"message": UNKNOWN}, timeout=1)


@pytest.mark.parametrize("path", ["/generate", "/api/chat/generate"])
def test_who_hangs_up_before_a_whole_answer_ends_it(address, fake, spend, priced, monkeypatch, path):
    monkeypatch.setattr(Provider, "cancel_stops_billing", True)
    fake.says(chunk("Hello " * 10), *[b": still here\n\n", 0.1] * 100)

    hang_up(address, path)

    assert wait_for(lambda: fake.cut)
    assert wait_for(lambda: spend()[0] > 0 and spend()[1] == 0)


def test_who_hangs_up_where_the_bill_runs_on_leaves_an_exact_one(address, fake, spend, priced):
    fake.says(chunk("Hello " * 10), 2.0, chunk("nobody reads this", finish="stop"), usage(300, 150), END)

    hang_up(address, "/generate")

    assert wait_for(lambda: spend() == (COST, 0))


def test_who_hangs_up_before_a_provider_is_asked_costs_nothing(address, fake, spend, monkeypatch):
    whole, ended = generating.whole, []

    def late(prepared):
        assert wait_for(lambda: prepared.request.stop.wanted)
        ended.append(whole(prepared))
        return ended[0]
    monkeypatch.setattr(generating, "whole", late)

    hang_up(address, "/generate")

    assert wait_for(lambda: ended)
    assert (ended[0]["status"], spend(), fake.requests) == ("stopped", (0, 0), [])


@pytest.mark.parametrize("stops_billing", [True, False])
@pytest.mark.parametrize("path", ["/generate", "/api/chat/generate"])
def test_who_hangs_up_is_counted_as_gone(address, fake, spend, monkeypatch, path, stops_billing):
    monkeypatch.setattr(Provider, "cancel_stops_billing", stops_billing)
    fake.says(chunk("Hello " * 10), 2.0, chunk("nobody reads this", finish="stop"), usage(300, 150), END)
    before = counted("client_gone")

    hang_up(address, path)

    assert wait_for(lambda: counted("client_gone") == before + 1)
    assert wait_for(lambda: spend()[1] == 0)


def test_who_leaves_a_stream_is_counted_as_gone(fake, spend):
    fake.says(chunk("Hello " * 10), 0.5, chunk("nobody reads this", finish="stop"), usage(300, 150), END)
    before = counted("client_gone")

    listen_and_leave()

    assert wait_for(lambda: counted("client_gone") == before + 1)


def test_who_stays_is_counted_by_how_the_answer_ended(app, fake):
    before = counted("ok"), counted("client_gone")

    ask(app)

    assert counted("ok") > before[0]
    assert counted("client_gone") == before[1]


def test_what_was_an_emergency_before_stays_here(app, fake):
    ask(app, path="/api/chat/generate", history=[
        {"role": "user", "content": "He can't breathe and his tongue is swollen"}, {"role": "assistant", "content": "Call 112 now."},
        {"role": "user", "content": "He is fine again."}, {"role": "assistant", "content": "Good."}])
    sent = str(fake.requests[-1]["messages"])
    assert "tongue" not in sent
    assert "Call 112 now" not in sent
    assert "He is fine again." in sent


def test_an_emergency_that_only_the_provider_sees_is_told_at_once_and_billed_exactly(app, fake, spend, priced):
    fake.says(chunk("TIER: E\nSit up."), 1.5, chunk(finish="stop"), usage(300, 150), END)
    began = time.monotonic()

    answer = ask(app).json()

    assert time.monotonic() - began < 1.3
    assert (answer["route"], answer["tier"]) == ("emergency", "E")
    assert answer["reply"] == advice.emergency_card("112", ()) + "\n\n" + advice.safety_net("112")
    assert wait_for(lambda: spend() == (COST, 0))


def test_nobody_reads_or_writes_the_total_by_hand(alice):
    for statement in ("select count(*) from service_spend", "update service_spend set spent_usd = 0", "delete from service_spend"):
        with pytest.raises(Forbidden), db.scope(alice) as scope:
            scope.run(statement)


# the limit -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(monkeypatch, fake):
    monkeypatch.setenv("LIMIT_SERVICE", "3")
    settings.get.cache_clear()


@pytest.mark.parametrize("alone", [False, True])
def test_a_message_too_many_is_refused_with_the_time_to_wait(three, fake, spend, alone):
    app = TestClient(assistant.make(alone=alone))
    assert [ask(app, path=path).status_code for path in ("/generate", "/api/chat/generate", "/generate")] == [200] * 3

    for path, more in (("/generate", {}), ("/api/chat/generate", {}), ("/api/chat/generate", {"stream": True})):
        refused = ask(app, path=path, **more)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 900
        assert "There were many messages in a short time." in refused.json()["detail"]
    assert len(fake.requests) == 3


def test_danger_is_answered_beyond_the_limit(three, app, fake):
    for _ in range(3):
        ask(app)

    assert ask(app, "He can't breathe and his tongue is swollen").json()["route"] == "emergency"
    urgent = ask(app, "A child knocked out an adult front tooth half an hour ago").json()
    assert (urgent["tier"], urgent["source"]) == ("U", "mock")
    assert urgent["reply"].startswith(advice.urgent_advice("112") + "\n\nThe AI is busy")
    assert len(fake.requests) == 3


def test_the_limit_is_the_keys_or_without_one_the_addresss(three, monkeypatch):
    def callers(*authorizations):
        request = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(counted=True)), client=SimpleNamespace(host="10.0.0.1"))
        return [assistant.admitted(request, word).who for word in authorizations]
    assert callers("", "Bearer x") == ["10.0.0.1"] * 2

    monkeypatch.setenv("AI_SERVICE_KEY", "service-key")
    settings.get.cache_clear()
    assert callers("Bearer service-key") == ["service-key"]


def test_without_a_database_there_is_no_total_and_none_is_asked(fake, monkeypatch):
    monkeypatch.setattr(db, "ask", lambda *_args, **_values: pytest.fail("there is no database"))
    monkeypatch.setattr(db, "is_connected", lambda: False)
    assert ask(TestClient(assistant.make(alone=True))).json()["source"] == "openrouter"


def test_the_app_has_no_route_that_spends_past_the_total(app):
    body = {"message": "hi", "context": {}}
    assert app.post("/api/chat/converse", json=body).status_code == 404
    assert TestClient(assistant.make(alone=True)).post("/api/chat/converse", json=body).status_code == 200


# off the loop --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "more"), [("/generate", {}), ("/api/chat/generate", {}), ("/api/chat/generate", {"stream": True})])
def test_reading_signs_articles_and_masking_never_run_on_the_event_loop(app, monkeypatch, path, more):
    """It may be the whole app's."""
    where = []

    def noted(real):
        def run(*arguments, **options):
            try:
                asyncio.get_running_loop()
                where.append("the loop")
            except RuntimeError:
                where.append(threading.current_thread().name.split("_")[0])
            return real(*arguments, **options)
        return run
    for module, name in ((redflags, "check"), (knowledge, "look_up"), (asking, "_consultation"), (providers, "converse")):
        monkeypatch.setattr(module, name, noted(getattr(module, name)))

    assert "there." in ask(app, path=path, **more).text

    assert where == ["danger"] + ["assistant"] * 3


# places --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """Three places, two of which may wait for a provider."""
    monkeypatch.setitem(generating.PLACES, "assistant", 3)
    monkeypatch.setattr(generating, "_at_provider", threading.BoundedSemaphore(2))
    generating.pool.cache_clear()
    yield
    generating.pool.cache_clear()


@pytest.fixture
def held(few, app, fake):
    """A slow provider holds whatever it can; nobody but it is slow."""
    let_go, answer = threading.Event(), fake.answer
    fake.answer = lambda handler: let_go.wait(20) and answer(handler)
    with ThreadPoolExecutor(8) as crowd:
        waiting = [crowd.submit(ask, app, f"Which moon is number {n}?", path, **more) for n, (path, more) in enumerate(
            [("/generate", {}), ("/api/chat/generate", {"stream": True})] * 4)]
        assert wait_for(lambda: sum(one.done() for one in waiting) == 6)
        yield
        let_go.set()
        assert [one.result().status_code for one in waiting] == [200] * 8


@pytest.mark.parametrize("more", [{}, {"stream": True}])
def test_danger_never_waits_for_a_place_that_a_slow_provider_holds(held, app, more):
    began = time.monotonic()

    emergency = ask(app, "He can't breathe and his tongue is swollen", "/api/chat/generate", **more).text
    urgent = ask(app, "A child knocked out an adult front tooth half an hour ago", "/api/chat/generate", **more).text
    too_long = ask(app, "My tooth was knocked out. " + "And more about the day. " * 200, "/api/chat/generate", **more).text

    assert time.monotonic() - began < 3
    assert "Call 112 now." in emergency
    assert "dentist today" in urgent
    assert "dentist today" in too_long


def test_who_finds_no_place_at_the_provider_is_answered_here_and_holds_nothing(held, app, spend):
    before = spend()

    answer = ask(app).json()

    assert (answer["source"], answer["status"]) == ("mock", "rate_limited")
    assert advice.general() in answer["reply"]
    assert spend() == before


def test_a_place_at_the_provider_is_free_again_however_its_answer_ends(few, app, fake):
    for status in (200, 500, 429, 200, 200):
        fake.says(chunk("Hello."), chunk(finish="stop"), END, status=status)
        told = ask(app, path="/api/chat/generate", stream=True).text
        assert ("Hello." in told) == (status == 200)
