"""The assistant's own service, when it is slow: its silence has the deadlines of a provider's."""

import socket
import threading
import time

import pytest

from lib import advice, providers, remote, settings
from lib.events import Delta, Done, Stop
from lib.prompts import Context
from tests.lib import fake_provider
from tests.lib.asking import UNKNOWN, answer_of, ask, call_of, day_of, switch

HELLO = b'event: delta\ndata: {"text": "Hello "}\n\n'


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(providers, "FIRST_TOKEN", 0.3)
    monkeypatch.setattr(providers, "IN_ALL", 1.5)
    monkeypatch.setattr(remote, "PATIENCE", 0.2)
    with fake_provider.serving() as (fake, address):
        monkeypatch.setenv("AI_SERVICE_URL", address.base_url.removesuffix("/v1"))
        monkeypatch.setenv("AI_SERVICE_KEY", "service-key")
        settings.get.cache_clear()
        remote.breaker.cache_clear()
        yield fake
    settings.get.cache_clear()
    remote.breaker.cache_clear()


def hear():
    """The text, the end, and how long it took."""
    began = time.monotonic()
    *pieces, done = remote.converse(UNKNOWN, Context(), Stop())
    assert isinstance(done, Done)
    return "".join(piece.text for piece in pieces if isinstance(piece, Delta)), done, time.monotonic() - began


@pytest.mark.parametrize("silence", [[3.0], [b": still here\n\n", 0.1] * 30], ids=["nothing", "comments"])
def test_failure_10_a_service_that_takes_the_call_and_says_nothing_meets_the_first_deadline(service, silence):
    service.says(*silence)

    text, done, seconds = hear()

    assert (text, done.status, done.problem, done.billed) == ("", "timeout", "timeout", True)
    assert seconds < 1.4  # where the second deadline has not come yet


def test_failure_10_a_service_that_takes_the_call_and_does_not_even_begin_to_answer_too(service):
    service.answer = lambda handler: time.sleep(3)

    _text, done, seconds = hear()

    assert (done.status, done.problem) == ("timeout", "timeout")
    assert seconds < 1.4


def test_failure_10_an_answer_that_has_begun_has_until_the_second_deadline(service):
    service.says(HELLO, *[b": still here\n\n", 0.1] * 40)

    text, done, seconds = hear()

    assert (text, done.status, done.problem) == ("Hello ", "timeout", "timeout")
    assert seconds > 1.5


@pytest.mark.parametrize("event", [b'event: delta\ndata: {"words": "x"}\n\n', b"event: delta\ndata: [1]\n\n", b"event: delta\ndata: 7\n\n",
                                   b'event: delta\ndata: {"text": 7}\n\n'])
def test_failure_6_what_is_no_answer_of_the_service_is_its_failure(service, event):
    service.says(HELLO, event)

    text, done, _seconds = hear()

    assert (text, done.status, done.problem) == ("Hello ", "error_mid", "network")


def test_failure_10_its_silence_is_said_for_what_it_is_and_help_follows(service, database, alice):
    service.says(3.0)
    switch(alice)

    asked = ask(alice)

    found, call = answer_of(alice, asked), call_of(alice, asked)
    assert found.content.startswith(f"{advice.apology('timeout')}\n\nWhat helps nearly everybody")
    assert (call.status, call.cost_usd) == ("timeout", None)
    assert (day_of(alice).spent_usd, day_of(alice).reserved_usd) == (call.reserved_usd, 0)


# stopped


def end_of(stop):
    *before, done = remote.converse(UNKNOWN, Context(), stop)
    return before, done.status, done.billed, done.left


def test_stop_before_the_service_is_asked_sends_nothing_and_costs_nothing(service, monkeypatch):
    asked, let_go, find = threading.Event(), threading.Event(), socket.getaddrinfo

    def slow(_host, *args, **options):
        asked.set()
        let_go.wait(5)
        return find("127.0.0.1", *args, **options)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setenv("AI_SERVICE_URL", settings.get().ai_service_url.replace("127.0.0.1", "localhost"))
    settings.get.cache_clear()
    stop = Stop()
    threading.Thread(target=lambda: (asked.wait(5), stop.ask(), let_go.set())).start()

    assert end_of(stop) == ([], "stopped", False, False)
    assert asked.is_set()
    for _ in range(100):  # also where Stop came first
        assert end_of(stop) == ([], "stopped", False, False)
    assert service.requests == []


def test_a_call_of_the_service_that_is_stopped_before_anything_came_heals_nothing(service):
    service.says(b"{}", status=500)
    for _ in range(4):
        hear()
    service.says(1.0)
    stop = Stop()
    threading.Timer(0.1, stop.ask, (True,)).start()

    assert end_of(stop) == ([], "stopped", True, True)
    assert (remote.breaker().current_state, remote.breaker().fail_counter) == ("closed", 4)


@pytest.mark.parametrize("rest", [[2.0], [0.1, b"event: delta\ndata: garbage\n\n"]], ids=["the deadline", "garbage"])
@pytest.mark.parametrize("said", [[], [b'event: delta\ndata: {"text": "Hello "}\n\n']], ids=["silence", "a piece"])
def test_whatever_the_rest_meets_behind_stop_the_answer_was_stopped_and_the_service_has_not_failed(service, monkeypatch, said, rest):
    service.says(b"{}", status=500)
    for _ in range(4):
        hear()
    for name, seconds in (("FIRST_TOKEN", 0.5), ("IN_ALL", 0.5)):
        monkeypatch.setattr(providers, name, seconds)
    monkeypatch.setattr(remote, "PATIENCE", 0.1)
    service.says(*said, 0.3, *rest)
    for _ in range(2):
        stop = Stop()
        threading.Timer(0.15, stop.ask).start()
        _before, *ended = end_of(stop)
        assert ended == ["stopped", True, True]

    assert (remote.breaker().current_state, remote.breaker().fail_counter) == ("closed", 4)
