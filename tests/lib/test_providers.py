"""Each numbered failure of a provider that users of other products met, against a provider that fails in just that way."""

import json
import socket
import threading
import time
from decimal import Decimal

import pytest

from lib import addresses, providers, replies, settings
from lib.errors import Invalid
from lib.events import Delta, Done, Draining, Stop
from lib.providers import Provider
from lib.streams import Stream
from tests.lib.fake_provider import END, WHOLE, chunk, event, serving, usage

MESSAGES = [{"role": "user", "content": "How long does a filling last?"}]


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setenv("AI_ALLOWED_HOSTS", "127.0.0.1")
    settings.get.cache_clear()
    with serving() as (fake, provider):
        fake.provider = provider
        yield fake
    settings.get.cache_clear()
    providers.breaker.cache_clear()
    providers._refused.clear()


@pytest.fixture
def environ(monkeypatch):
    """Of all that names a provider, only this."""
    def only(**values):
        for name in ("AI_BASE_URL", "AI_API_KEY", "AI_MODEL", "OPENROUTER_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        settings.get.cache_clear()
    yield only
    settings.get.cache_clear()


def hear(fake, stop=None, provider=None):
    """The text and the end."""
    events = list(providers.converse(provider or fake.provider, MESSAGES, stop or Stop()))
    assert isinstance(events[-1], Done)
    assert [type(one) for one in events].count(Done) == 1
    return "".join(event.text for event in events if isinstance(event, Delta)), events[-1]


def test_a_whole_answer_comes_in_pieces_with_its_exact_bill(fake):
    text, done = hear(fake)

    assert text == "Hello there."
    assert (done.status, done.tokens_in, done.tokens_out, done.usage_source) == ("ok", 300, 150, "provider")
    assert (done.model, done.request_id, done.problem) == ("test-model-1", "gen-1", "")
    assert fake.requests[0]["authorization"] == "Bearer sk-test"
    assert fake.paths == ["/v1/chat/completions"]


# which one is installed


@pytest.mark.parametrize(("environment", "base_url", "key", "model"), [
    ({"OPENROUTER_API_KEY": "sk-or"}, "https://openrouter.ai/api/v1", "sk-or", "google/gemini-2.5-flash"),
    ({"OPENROUTER_API_KEY": "sk-or", "AI_MODEL": "openai/gpt-5"}, "https://openrouter.ai/api/v1", "sk-or", "openai/gpt-5"),
    ({"AI_BASE_URL": "https://ai.example.org/v1", "AI_API_KEY": "sk-ai"}, "https://ai.example.org/v1", "sk-ai", "gemini-2.5-flash"),
    ({"AI_BASE_URL": "https://ai.example.org/v1", "AI_API_KEY": "sk-ai", "AI_MODEL": "large"}, "https://ai.example.org/v1", "sk-ai", "large"),
    ({"AI_BASE_URL": "https://ai.example.org/v1", "AI_API_KEY": "sk-ai", "OPENROUTER_API_KEY": "sk-or"}, "https://ai.example.org/v1", "sk-ai",
     "gemini-2.5-flash"),
    ({"AI_API_KEY": "sk-ai", "OPENROUTER_API_KEY": "sk-or"}, "https://openrouter.ai/api/v1", "sk-or", "google/gemini-2.5-flash")],
    ids=["OpenRouter's key alone", "and a model", "any endpoint", "and its model", "before OpenRouter", "an address is needed"])
def test_the_environment_names_the_provider(environ, environment, base_url, key, model):
    environ(**environment)

    assert providers.installed() == Provider(base_url, key, model)


@pytest.mark.parametrize("environment", [{}, {"AI_MODEL": "large"}, {"AI_API_KEY": "sk-ai"}])
def test_without_a_key_and_its_address_there_is_none(environ, environment):
    environ(**environment)

    assert providers.installed() is None


def test_a_providers_key_is_in_no_repr(environ):
    environ(OPENROUTER_API_KEY="sk-or-canary")

    assert "canary" not in repr(providers.installed())


# 1: usage is asked for, and an endpoint that refuses the field is asked once more without it


def test_failure_1_usage_is_asked_for_and_read_behind_the_last_choice(fake):
    hear(fake)

    assert fake.requests[0]["stream"] is True
    assert fake.requests[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("status", [400, 422])
def test_failure_1_a_refused_field_is_left_out_once_and_remembered(fake, status):
    fake.says()
    fake.scripts = [[status, b'{"error": {"message": "Unknown parameter: stream_options"}}'], list(WHOLE)]

    assert hear(fake)[1].status == "ok"
    hear(fake)

    assert ["stream_options" in request for request in fake.requests] == [True, False, False]


@pytest.mark.parametrize("reason", ["This model does not support stream_options", "stream_options is not allowed", "Invalid parameter: stream_options"])
def test_failure_1_the_name_of_the_field_is_reason_enough(fake, reason):
    fake.scripts = [[400, json.dumps({"error": {"message": reason}}).encode()], list(WHOLE)]

    assert hear(fake)[1].status == "ok"
    hear(fake)

    assert ["stream_options" in request for request in fake.requests] == [True, False, False]


def repeated(**request):
    """As FastAPI refuses what was sent, with all of it."""
    wrong = {"type": "string_type", "loc": ["body", "messages", 0, "content"], "msg": "Input should be a valid string", "input": request}
    return json.dumps({"detail": [wrong]}).encode()


def test_failure_1_what_a_refusal_repeats_of_the_request_names_no_field(fake):
    fake.says(repeated(temperature=0.3, stream_options={}), status=422)

    assert hear(fake)[1].problem == "refused"
    assert len(fake.requests) == 1


def test_failure_1_only_what_has_helped_is_remembered(fake):
    """The question holds the word, and the refusal quotes the question."""
    fake.scripts = [[400, b'{"error": {"message": "I can not answer: What is my temperature?"}}'], [400, b'{"error": {"message": "no"}}'], list(WHOLE)]

    assert hear(fake)[1].problem == "refused"
    assert hear(fake)[1].status == "ok"

    assert ["temperature" in request for request in fake.requests] == [True, False, True]


def test_failure_1_another_refusal_is_not_tried_again(fake):
    fake.says(b'{"error": {"message": "bad key"}}', status=401, content_type="application/json")

    text, done = hear(fake)

    assert (text, done.status, done.problem, done.billed) == ("", "error_before", "refused", False)
    assert len(fake.requests) == 1


# 2 and 3: usage


def test_failure_2_cumulative_usage_in_every_chunk_is_never_added_up(fake):
    fake.says(chunk("a", usage={"prompt_tokens": 300, "completion_tokens": 10, "total_tokens": 310}),
              chunk("b", finish="stop", usage={"prompt_tokens": 300, "completion_tokens": 150, "total_tokens": 450}), END)

    assert (hear(fake)[1].tokens_in, hear(fake)[1].tokens_out) == (300, 150)


def test_failure_2_thoughts_that_only_the_total_knows_are_output(fake):
    fake.says(chunk("a", finish="stop"), usage(300, 50, total_tokens=500), END)

    done = hear(fake)[1]

    assert (done.tokens_out, done.tokens_reasoning) == (200, 150)


def test_failure_3_cached_and_reasoning_tokens_are_told_but_not_added(fake):
    fake.says(chunk("a", finish="stop"), usage(300, 150, prompt_tokens_details={"cached_tokens": 200},
                                              completion_tokens_details={"reasoning_tokens": 100}), END)

    done = hear(fake)[1]

    assert (done.tokens_in, done.tokens_cached, done.tokens_out, done.tokens_reasoning) == (300, 200, 150, 100)


@pytest.mark.parametrize("last", [{}, {"prompt_tokens": None, "completion_tokens": None}, {"total_tokens": 450}, {"cost": 0.5}])
def test_failure_2_a_last_word_that_says_nothing_of_it_takes_no_count_back(fake, last):
    fake.says(chunk("a", finish="stop", usage={"prompt_tokens": 300, "completion_tokens": 150}), event({"choices": [], "usage": last}), END)

    done = hear(fake)[1]

    assert (done.tokens_in, done.tokens_out, done.usage_source) == (300, 150, "provider")
    assert done.cost_source == ("provider" if "cost" in last else None)


@pytest.mark.parametrize("count", ["300", 300.0, "300.0"])
def test_a_count_is_one_however_it_is_written(fake, count):
    fake.says(chunk("a", finish="stop"), usage(count, 0), END)

    assert (hear(fake)[1].tokens_in, hear(fake)[1].usage_source) == (300, "provider")


# 4: unknown is not zero


def test_failure_4_a_cost_that_is_reported_counts_without_its_tokens(fake):
    fake.says(chunk("a", finish="stop"), event({"choices": [], "usage": {"cost": 0.5}}), END)

    done = hear(fake)[1]

    assert (done.cost_usd, done.cost_source, done.usage_source) == (Decimal("0.5"), "provider", "estimated")


@pytest.mark.parametrize("broken", [[event({"error": {"code": 500}})], [event({"error": {"code": 500}, "usage": {"completion_tokens": 0}})], [b"data: {no\n\n"]])
def test_failure_4_what_was_counted_before_a_failure_is_billed(fake, broken):
    counted = {"prompt_tokens": 300, "completion_tokens": 0, "total_tokens": 900}
    fake.says(event({"choices": [{"delta": {"role": "assistant"}}], "usage": counted}), *broken)

    done = hear(fake)[1]

    assert (done.status, done.billed, done.tokens_in, done.tokens_out, done.usage_source) == ("error_before", True, 300, 600, "provider")


@pytest.mark.parametrize("reply", [b"<html>It works!</html>", b"data: {no\n\n", b"[]", b'"text"'])
def test_failure_4_what_an_unreadable_reply_cost_is_unknown(fake, reply):
    fake.says(reply)

    done = hear(fake)[1]

    assert (done.status, done.problem, done.billed) == ("error_before", "unavailable", True)
    assert (done.tokens_in, done.tokens_out, done.usage_source, done.cost_usd) == (None, None, None, None)


def test_failure_4_measured_zeros_stay_zeros(fake):
    fake.says(chunk("a", finish="stop"), usage(0, 0, cost=0), END)

    done = hear(fake)[1]

    assert (done.tokens_in, done.tokens_out, done.cost_usd, done.cost_source) == (0, 0, Decimal(0), "provider")


def test_failure_4_a_stopped_stream_is_estimated_and_not_free(fake):
    fake.says(chunk("Hello "), 5.0, chunk("there."))
    provider = Provider(fake.provider.base_url, "sk", "test-model")
    stop = Stop()
    threading.Timer(0.4, lambda: stop.ask(final=True)).start()

    done = hear(fake, stop, provider)[1]

    assert (done.status, done.usage_source, done.cost_usd) == ("stopped", "estimated", None)
    assert done.tokens_in > 0 < done.tokens_out


@pytest.mark.parametrize("nonsense", [{"prompt_tokens": "many"}, {"prompt_tokens": -1, "completion_tokens": 2}, [], "x", None,
                                      {"prompt_tokens": True, "completion_tokens": False}, {"cost": "NaN"},
                                      {"prompt_tokens": 1, "completion_tokens": 2 ** 31 - 1}])
def test_nonsense_in_place_of_usage_is_unknown(fake, nonsense):
    fake.says(chunk("a", finish="stop"), event({"choices": [], "usage": nonsense}), END)

    text, done = hear(fake)

    assert (text, done.usage_source, done.cost_usd) == ("a", "estimated", None)


# 5: who stops billing


@pytest.mark.parametrize(("base_url", "model", "stops"), [
    ("https://openrouter.ai/api/v1", "anthropic/claude-sonnet-4", True), ("https://openrouter.ai/api/v1", "google/gemini-2.5-flash", False),
    ("https://openrouter.ai/api/v1", "openai/gpt-5", True), ("https://openrouter.ai/api/v1", "openai/gpt-oss-120b", False),
    ("https://openrouter.ai/api/v1", "mistralai/mistral-large", False),
    ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-flash", False), ("https://api.openai.com/v1", "gpt-5", True),
    ("https://api.groq.com/openai/v1", "llama", False), ("http://localhost:11434/v1", "llama", False)])
def test_failure_5_each_provider_is_known_for_what_a_cut_line_does_to_its_bill(base_url, model, stops):
    assert Provider(base_url, "", model).cancel_stops_billing is stops


def test_failure_5_where_the_bill_runs_on_the_text_is_hidden_and_the_usage_exact(fake):
    fake.says(chunk("Hello "), 0.6, chunk("hidden", finish="stop"), usage(300, 150), END)
    stop, events = Stop(), []
    for one in providers.converse(fake.provider, MESSAGES, stop):
        events.append(one)
        if isinstance(one, Delta):
            stop.ask()

    assert [type(one) for one in events] == [Delta, Draining, Done]
    assert (events[-1].status, events[-1].finish) == ("stopped", "stop")
    assert (events[-1].tokens_in, events[-1].tokens_out, events[-1].usage_source) == (300, 150, "provider")


def test_failure_5_where_it_stops_the_line_is_cut_at_once(fake, monkeypatch):
    monkeypatch.setattr(Provider, "cancel_stops_billing", True)
    fake.says(chunk("Hello "), *[b": still here\n\n", 0.1] * 50)
    stop = Stop()
    threading.Timer(0.5, stop.ask).start()
    began = time.monotonic()

    text, done = hear(fake, stop)

    assert time.monotonic() - began < 1.5
    assert (text, done.status) == ("Hello ", "stopped")
    deadline = time.monotonic() + 3
    while fake.open and time.monotonic() < deadline:
        time.sleep(0.05)
    assert fake.cut


@pytest.mark.parametrize("stops_billing", [True, False])
def test_failure_5_stop_during_the_look_up_sends_nothing_and_costs_nothing(fake, monkeypatch, stops_billing):
    monkeypatch.setattr(Provider, "cancel_stops_billing", stops_billing)
    asked, let_go, find = threading.Event(), threading.Event(), socket.getaddrinfo

    def slow(*args, **options):
        asked.set()
        let_go.wait(5)
        return find(*args, **options)
    monkeypatch.setattr(addresses.socket, "getaddrinfo", slow)
    stop = Stop()
    threading.Thread(target=lambda: (asked.wait(5), stop.ask(), let_go.set())).start()

    *before, done = providers.converse(fake.provider, MESSAGES, stop)

    assert (before, done.status, done.billed, done.left) == ([], "stopped", False, False)
    assert (done.tokens_in, done.tokens_out, done.usage_source) == (None, None, None)
    time.sleep(0.2)
    assert fake.requests == []


@pytest.mark.parametrize("stops_billing", [True, False])
def test_failure_5_what_was_stopped_before_its_turn_is_never_sent(fake, monkeypatch, stops_billing):
    """However soon."""
    monkeypatch.setattr(Provider, "cancel_stops_billing", stops_billing)
    stop = Stop()
    stop.ask()

    for _ in range(100):
        text, done = hear(fake, stop)
        assert (text, done.status, done.billed, done.left) == ("", "stopped", False, False)
    assert fake.requests == []


def test_failure_5_a_refused_field_is_no_reason_to_ask_again_after_stop(fake):
    fake.scripts = [[400, 0.6, b'{"error": {"message": "Unknown parameter: stream_options"}}'], list(WHOLE)]
    stop = Stop()
    threading.Timer(0.3, stop.ask).start()

    *before, done = providers.converse(fake.provider, MESSAGES, stop)

    assert [type(one) for one in before] == [Draining]
    assert (done.status, done.billed, done.left, len(fake.requests)) == ("stopped", False, True, 1)


def stopped_at_the_first_piece(fake):
    """What came behind it."""
    stop, events = Stop(), []
    for one in providers.converse(fake.provider, MESSAGES, stop):
        events.append(one)
        if isinstance(one, Delta):
            stop.ask()
    assert [type(one) for one in events] == [Delta, Draining, Done]
    return events[-1]


def test_failure_5_where_the_bill_runs_on_it_is_read_for_a_minute_at_most(fake, monkeypatch):
    assert providers.IN_ALL == 60
    monkeypatch.setattr(providers, "IN_ALL", 0.8)
    fake.says(*[chunk("word "), 0.1] * 60)
    began = time.monotonic()

    done = stopped_at_the_first_piece(fake)

    assert 0.7 < time.monotonic() - began < 2
    assert (done.status, done.problem, done.billed, done.usage_source) == ("stopped", "", True, "estimated")
    assert done.tokens_in > 0 < done.tokens_out
    assert (providers.breaker(fake.provider).current_state, providers.breaker(fake.provider).fail_counter) == ("closed", 0)


COUNTED = {"prompt_tokens": 300, "completion_tokens": 20}


@pytest.fixture
def shaky(fake):
    """One failure more, and nobody is asked for a while."""
    fake.says(b"{}", status=500)
    for _ in range(4):
        hear(fake)
    return fake


@pytest.mark.parametrize("met", [[2.0], [event({"error": {"code": 502}})], [b"data: {no\n\n"], [chunk("b", finish="error")]],
                         ids=["the deadline", "an error", "garbage", "an error's finish"])
@pytest.mark.parametrize(("told", "known"), [({"usage": COUNTED}, ("provider", 300, 20)), ({}, ("estimated", 8, 2))], ids=["counted", "not counted"])
def test_failure_5_whatever_the_rest_meets_the_answer_was_stopped_and_nobody_failed(shaky, monkeypatch, told, known, met):
    monkeypatch.setattr(providers, "IN_ALL", 0.4)
    shaky.says(chunk("Hello ", **told), 0.1, *met)

    for _ in range(2):
        done = stopped_at_the_first_piece(shaky)
        assert (done.status, done.problem, done.billed, done.left) == ("stopped", "", True, True)
        assert (done.usage_source, done.tokens_in, done.tokens_out) == known

    one = providers.breaker(shaky.provider)
    assert (one.current_state, one.fail_counter) == ("closed", 4)


def stopped_before_the_first_piece(fake):
    stop = Stop()
    threading.Timer(0.2, stop.ask).start()
    *before, done = providers.converse(fake.provider, MESSAGES, stop)
    assert [type(one) for one in before] == [Draining]
    return done


@pytest.mark.parametrize(("status", "length", "billed"), [(200, None, True), (500, None, False), (429, None, False), (200, "100", True)],
                         ids=["silence", "a failure", "a refusal", "a cut line"])
def test_failure_5_of_a_rest_without_a_word_nothing_is_known_and_nobody_failed(shaky, monkeypatch, status, length, billed):
    monkeypatch.setattr(providers, "FIRST_TOKEN", 2.0 if length or status != 200 else 0.4)
    shaky.says(0.4 if length or status != 200 else 2.0, status=status, **({"content_length": length} if length else {}))

    for _ in range(2):
        done = stopped_before_the_first_piece(shaky)
        assert (done.status, done.problem, done.billed, done.left) == ("stopped", "", billed, True)
        assert (done.tokens_in, done.tokens_out, done.usage_source) == (None, None, None)

    one = providers.breaker(shaky.provider)
    assert (one.current_state, one.fail_counter) == ("closed", 4)


def test_failure_5_a_rest_that_breaks_off_is_no_trial_of_a_provider_that_has_rested(shaky, monkeypatch):
    hear(shaky)
    one = providers.breaker(shaky.provider)
    assert one.current_state == "open"
    one.reset_timeout = 0
    monkeypatch.setattr(providers, "IN_ALL", 0.3)
    shaky.says(chunk("Hello "), 2.0)

    assert stopped_at_the_first_piece(shaky).status == "stopped"
    assert one.current_state == "half-open"

    shaky.says(chunk("Hello "), 0.1, chunk("there.", finish="stop"), usage(300, 150), END)
    done = stopped_at_the_first_piece(shaky)
    assert (done.status, done.tokens_out, done.usage_source) == ("stopped", 150, "provider")
    assert one.current_state == "closed"


# 6 and 7: errors inside 200, and what is whole


def test_failure_6_an_error_inside_200_keeps_the_text_before_it(fake):
    fake.says(chunk("Half an "), event({"error": {"code": 502, "message": "upstream"}, "choices": [{"delta": {"content": ""}}]}), END)

    text, done = hear(fake)

    assert (text, done.status, done.problem) == ("Half an ", "error_mid", "unavailable")


@pytest.mark.parametrize("told", [event({"error": {"code": 429, "message": "slow down"}}), event({"error": {"code": "rate_limit_exceeded"}}),
                                  event({"error": {"type": "rate_limit_error"}}), b'[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}]'])
def test_failure_6_a_rate_limit_inside_200_is_one(fake, told):
    fake.says(told)

    assert (hear(fake)[1].status, hear(fake)[1].problem) == ("rate_limited", "busy")


def test_failure_6_a_json_body_in_place_of_events_is_read_as_the_error_it_is(fake):
    fake.says(b'{"error": {"code": 500, "message": "no"}}', content_type="application/json")

    assert (hear(fake)[1].status, hear(fake)[1].problem) == ("error_before", "unavailable")


def test_a_server_that_does_not_stream_is_read_all_the_same(fake):
    fake.says(b'{"choices": [{"message": {"content": "All at once."}, "finish_reason": "stop"}], "usage": '
              b'{"prompt_tokens": 3, "completion_tokens": 4}}', content_type="application/json")

    text, done = hear(fake)

    assert (text, done.status, done.tokens_out) == ("All at once.", "ok", 4)


@pytest.mark.parametrize("kind", ["text/plain", "TEXT/EVENT-STREAM; charset=utf-8", "application/octet-stream", "application/json"])
def test_events_are_read_whatever_they_are_called(fake, kind):
    fake.says(b"\xef\xbb\xbf", b": hello\n\n", *WHOLE, content_type=kind)

    assert (hear(fake)[0], hear(fake)[1].tokens_out) == ("Hello there.", 150)


def test_a_mark_of_byte_order_loses_no_event(fake):
    fake.says(b"\xef\xbb\xbf" + chunk("a", finish="stop"), END)

    assert hear(fake)[0] == "a"


@pytest.mark.parametrize("finish", ["content_filter: RECITATION", "SAFETY", "PROHIBITED_CONTENT"])
def test_failure_7_a_filter_is_one_by_any_name(fake, finish):
    fake.says(chunk("Half an"), chunk(finish=finish), usage(3, 4), END)

    assert hear(fake)[1].status == "filtered"


@pytest.mark.parametrize(("end", "status"), [([chunk(finish="stop")], "ok"), ([chunk(finish="MAX_TOKENS")], "truncated"), ([usage(3, 4)], "ok")])
def test_failure_7_an_answer_that_has_ended_is_whole_though_its_line_breaks(fake, end, status):
    def cut(handler):
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("content-length", "100000")
        handler.end_headers()
        handler.wfile.write(b"".join([chunk("Whole."), *end]))
        handler.close_connection = True
    fake.answer = cut

    text, done = hear(fake)

    assert (text, done.status, done.problem) == ("Whole.", status, "")


def test_failure_7_usage_before_the_text_is_no_end_of_it(fake):
    fake.says(usage(3, 4), chunk("Take half of"))

    assert hear(fake)[1].status == "truncated"


@pytest.mark.parametrize("body", [b"internal error", b"rate limited, try later", b"down"])
def test_a_plain_word_in_place_of_events_is_a_failure(fake, body):
    fake.says(body)

    assert (hear(fake)[1].status, hear(fake)[1].problem) == ("error_before", "unavailable")


def test_failure_7_a_line_that_stays_open_behind_the_end_keeps_nobody_waiting(fake, monkeypatch):
    monkeypatch.setattr(replies, "AFTER_END", 0.2)
    fake.says(chunk("Whole.", finish="stop"), usage(3, 4), 5.0)
    began = time.monotonic()

    for _ in range(6):  # nor does it count as a failure
        text, done = hear(fake)
        assert (text, done.status, done.problem, done.tokens_out) == ("Whole.", "ok", "", 4)

    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("script", "status"), [
    ([chunk("a"), chunk(finish="stop")], "ok"),
    ([chunk("a"), END], "ok"),
    ([chunk("a"), usage(3, 4)], "ok"),
    ([chunk("a"), chunk("b")], "truncated"),
    ([chunk("a"), chunk(finish="")], "truncated"),
    ([chunk("a"), chunk(finish="length"), usage(3, 4), END], "truncated"),
    ([chunk("a"), chunk(finish="content_filter"), END], "filtered"),
    ([chunk("a"), chunk(finish="error"), END], "error_mid"),
    ([], "truncated"),
], ids=["finish", "done", "usage", "bare end", "empty finish", "length", "filter", "error", "nothing"])
def test_failure_7_whole_is_what_says_so(fake, script, status):
    fake.says(*script)

    assert hear(fake)[1].status == status


@pytest.mark.parametrize("garbage", [b"data: {not json\n\n", b"data: [1, 2]\n\n", b"data: \xff\xfe\n\n", b'data: "text"\n\n'])
def test_garbage_ends_the_answer_and_keeps_what_came_before(fake, garbage):
    fake.says(chunk("Good. "), garbage, chunk("never shown"))

    text, done = hear(fake)

    assert (text, done.status) == ("Good. ", "error_mid")


@pytest.mark.parametrize("odd", [{"choices": None}, {"choices": [None]}, {"choices": [{"delta": None}]}, {"choices": [{"delta": {"content": 5}}]},
                                 {"choices": [{"delta": {"content": None}}]}, {"model": 7, "id": None, "choices": {}}])
def test_odd_chunks_are_passed_over(fake, odd):
    fake.says(event(odd), chunk("Fine.", finish="stop"), END)

    text, done = hear(fake)

    assert (text, done.status) == ("Fine.", "ok")


def test_an_answer_without_end_is_cut_where_a_message_is_full(fake):
    fake.says(*[chunk("x" * 5000)] * 10, END)

    text, done = hear(fake)

    assert len(text) == 19_000
    assert done.status == "truncated"


@pytest.mark.parametrize("odd", ["nul \0 inside", "half \ud83d", "\udc00 half"])
def test_what_no_database_can_hold_is_taken_out(fake, odd):
    fake.says(event({"id": odd, "model": odd, "choices": [{"delta": {"content": odd}, "finish_reason": "stop"}]}), END)

    text, done = hear(fake)

    for one in (text, done.model, done.request_id):
        assert "\0" not in one
        one.encode()


def test_a_character_cut_between_two_chunks_is_put_together(fake):
    fake.says(b'data: {"choices": [{"delta": {"content": "smile \\ud83d"}}]}\n\n',
              b'data: {"choices": [{"delta": {"content": "\\ude00."}, "finish_reason": "stop"}]}\n\n', END)

    assert hear(fake)[0] == "smile \U0001f600."


def test_usage_in_every_chunk_makes_no_cut_answer_whole(fake):
    fake.says(chunk("Half an", usage={"prompt_tokens": 3, "completion_tokens": 4}))

    assert hear(fake)[1].status == "truncated"


# other names and shapes of the same


def test_a_reasoning_model_is_asked_by_the_other_name_of_the_longest_answer_and_that_is_remembered(fake):
    fake.scripts = [[400, b'{"error": {"message": "Unsupported parameter: \'max_tokens\' is not supported with this model. Use '
                          b'\'max_completion_tokens\' instead."}}'],
                    [400, b'{"error": {"message": "Unsupported value: \'temperature\' does not support 0.3 with this model."}}'],
                    list(WHOLE)]

    assert hear(fake)[1].status == "ok"
    hear(fake)
    hear(fake, provider=Provider(fake.provider.base_url, "sk-test", "another-model"))

    assert [request.get("max_tokens") for request in fake.requests] == [1000, None, None, None, 1000]
    assert [request.get("max_completion_tokens") for request in fake.requests] == [None, 1000, 1000, 1000, None]


def test_the_default_model_is_told_not_to_think_before_it_answers_and_no_other_is(fake):
    """What it thinks counts toward the longest answer, which would then end as it begins."""
    fake.scripts = [[400, b'{"error": {"message": "Unknown name \'reasoning_effort\'"}}'], list(WHOLE)]
    for model in ("google/gemini-2.5-flash", "test-model"):
        assert hear(fake, provider=Provider(fake.provider.base_url, "sk-test", model))[1].status == "ok"
    assert [request.get("reasoning_effort") for request in fake.requests] == ["none", None, None]
    hear(fake, provider=Provider(fake.provider.base_url, "sk-other", "gemini-2.5-flash"))
    assert fake.requests[-1]["reasoning_effort"] == "none"


def test_a_server_that_knows_neither_name_is_asked_without(fake):
    fake.scripts = [[422, b'{"detail": "Extra inputs are not permitted: max_tokens"}'],
                    [422, b'{"detail": "Extra inputs are not permitted: max_completion_tokens (did you mean max_tokens?)"}'],
                    list(WHOLE)]

    assert hear(fake)[1].status == "ok"
    assert not {"max_tokens", "max_completion_tokens"} & fake.requests[-1].keys()


PARTS = [{"type": "thinking", "text": "Hm."}, {"type": "text", "text": "Hello "}, {"text": "there."}, {"type": "image_url"}, None, 5,
         {"type": "text", "text": 7}]


def test_text_in_parts_is_read_in_pieces_and_whole(fake):
    fake.says(event({"choices": [{"delta": {"content": PARTS}, "finish_reason": "stop"}]}), END)
    assert hear(fake)[0] == "Hello there."

    fake.says(json.dumps({"choices": [{"message": {"content": PARTS}, "finish_reason": "stop"}]}).encode(), content_type="application/json")
    assert hear(fake)[0] == "Hello there."


@pytest.mark.parametrize("reason", ["context too long, lower max_tokens", "max_tokens is not allowed above 512"])
def test_a_refusal_of_a_value_is_none_of_the_field(fake, reason):
    fake.says(json.dumps({"error": {"message": reason}}).encode(), status=400)

    hear(fake)

    assert len(fake.requests) == 1
    assert providers._refused[fake.provider.base_url, fake.provider.model] == set()


def test_a_key_that_no_request_can_carry_is_a_clear_failure(fake):
    done = hear(fake, provider=Provider(fake.provider.base_url, "sk-äö", "m"))[1]

    assert (done.problem, done.billed, done.status) == ("unavailable", False, "error_before")


@pytest.mark.parametrize("key", ["sk-abc\n", "sk-abc ", "a\r\nX-Evil: 1"])
def test_of_a_key_that_breaks_the_request_nothing_leaves(fake, key):
    done = hear(fake, provider=Provider(fake.provider.base_url, key, "m"))[1]

    assert (done.problem, done.status, done.billed, done.left) == ("unavailable", "error_before", False, False)
    assert fake.requests == []


def test_one_clinics_wrong_key_keeps_no_other_waiting(fake):
    fake.says(b"{}", status=500)
    for _ in range(6):
        hear(fake, provider=Provider(fake.provider.base_url, "sk-wrong", fake.provider.model))
    fake.says(*WHOLE)

    assert hear(fake)[1].status == "ok"


# 9 and 10: silence


def test_failure_9_stop_is_heard_while_the_provider_is_silent(fake, monkeypatch):
    monkeypatch.setattr(Provider, "cancel_stops_billing", True)
    fake.says(*[b": keep-alive\n\n", 0.2] * 60)
    stop = Stop()
    threading.Timer(0.3, stop.ask).start()
    began = time.monotonic()

    assert hear(fake, stop)[1].status == "stopped"
    assert time.monotonic() - began < 0.3 + 0.5 + 0.3  # half a second, and the noise of a shared machine


def test_failure_9_stop_is_heard_before_the_provider_has_answered_at_all(fake, monkeypatch):
    monkeypatch.setattr(Provider, "cancel_stops_billing", True)
    fake.answer = lambda handler: time.sleep(3)
    stop = Stop()
    threading.Timer(0.2, stop.ask).start()
    began = time.monotonic()

    assert hear(fake, stop)[1].status == "stopped"
    assert time.monotonic() - began < 1.0


def test_failure_10_comments_do_not_push_the_deadline_of_the_first_piece(fake, monkeypatch):
    monkeypatch.setattr(providers, "FIRST_TOKEN", 0.5)
    fake.says(*[b": processing\n\n", 0.05] * 100)

    text, done = hear(fake)

    assert (text, done.status, done.problem) == ("", "timeout", "timeout")
    assert len(fake.requests) == 1


def test_failure_10_an_answer_that_never_ends_meets_the_second_deadline(fake, monkeypatch):
    monkeypatch.setattr(providers, "FIRST_TOKEN", 0.5)
    monkeypatch.setattr(providers, "IN_ALL", 1.0)
    fake.says(*[chunk("word "), 0.1] * 60)

    text, done = hear(fake)

    assert text.startswith("word word")
    assert (done.status, done.problem, done.usage_source) == ("timeout", "timeout", "estimated")


# 12: the wire


def test_failure_12_a_line_separator_inside_the_text_is_text(fake):
    fake.says('data: {"choices": [{"delta": {"content": "one\u2028two"}, "finish_reason": "stop"}]}\n\n'.encode(), END)

    assert hear(fake)[0] == "one\u2028two"


def test_failure_12_a_last_event_without_its_blank_line_counts(fake):
    fake.says(chunk("a"), chunk("b", finish="stop").rstrip())

    assert hear(fake)[0] == "ab"


def test_pieces_cut_anywhere_are_put_together(fake):
    whole = b"".join([chunk("Grüße, "), chunk("José", finish="stop"), usage(3, 4), END])
    fake.says(*[whole[i:i + 7] for i in range(0, len(whole), 7)])

    text, done = hear(fake)

    assert (text, done.status, done.tokens_out) == ("Grüße, José", "ok", 4)


def test_a_reply_that_floods_the_wire_is_cut(fake, monkeypatch):
    monkeypatch.setattr(replies, "MOST_CHARACTERS", 100_000)
    fake.says(b"data: " + b"x" * 200_000)

    assert hear(fake)[1].problem == "network"


# refusals and the network


@pytest.mark.parametrize(("status", "problem", "row"), [(429, "busy", "rate_limited"), (500, "unavailable", "error_before"),
                                                        (503, "unavailable", "error_before"), (302, "refused", "error_before")])
def test_a_refusal_costs_nothing_and_has_its_name(fake, status, problem, row):
    fake.says(b"{}", status=status, content_type="application/json", location="http://127.0.0.1:1/elsewhere")

    done = hear(fake)[1]

    assert (done.problem, done.status, done.billed, done.tokens_in) == (problem, row, False, None)
    assert len(fake.requests) == 1


def test_nobody_there_is_a_network_problem(fake):
    assert hear(fake, provider=Provider("http://127.0.0.1:9/v1", "sk", "m"))[1].problem == "network"


def test_what_was_never_sent_costs_nothing(fake):
    assert hear(fake, provider=Provider("http://127.0.0.1:9/v1", "sk", "m"))[1].billed is False


def test_what_became_of_a_request_that_was_sent_is_unknown(fake):
    fake.answer = lambda handler: setattr(handler, "close_connection", True)

    done = hear(fake)[1]

    assert (done.problem, done.status, done.billed) == ("network", "error_before", True)
    assert (done.tokens_in, done.tokens_out, done.usage_source, done.cost_usd) == (None, None, None, None)


def test_silence_until_the_deadline_is_unknown_too(fake, monkeypatch):
    monkeypatch.setattr(providers, "FIRST_TOKEN", 0.3)
    fake.says(1.0)

    done = hear(fake)[1]

    assert (done.problem, done.billed, done.tokens_in, done.usage_source) == ("timeout", True, None, None)


# names


def test_slow_names_are_given_up_in_time_and_keep_the_rest_of_the_app_out_of_it(fake, monkeypatch):
    asked, over = [], threading.Event()

    def slow(*_args, **_options):
        asked.append(threading.current_thread().name)
        over.wait(10)
        return []
    monkeypatch.setattr(addresses.socket, "getaddrinfo", slow)
    monkeypatch.setattr(addresses, "LOOK_UP", 0.3)
    began = time.monotonic()

    done = hear(fake, provider=Provider("https://slow.example.org/v1", "sk", "m"))[1]

    assert time.monotonic() - began < 2
    assert (done.problem, done.billed) == ("network", False)
    assert asked[0].startswith("names")
    over.set()


def test_the_certificates_are_read_once_and_not_for_every_answer(fake, monkeypatch):
    made = []
    real = providers.ssl.create_default_context
    monkeypatch.setattr(providers.ssl, "create_default_context", lambda: made.append(1) or real())
    providers._tls.cache_clear()

    for _ in range(3):
        assert hear(fake)[1].status == "ok"

    assert made == [1]


def test_a_line_cut_in_the_middle_keeps_the_text(fake):
    fake.says(chunk("Half "), content_length="100000")

    text, done = hear(fake)

    assert (text, done.status, done.problem) == ("Half ", "error_mid", "network")


# the breaker


def test_after_five_failures_in_a_row_nobody_is_kept_waiting_until_it_has_rested(fake, monkeypatch):
    fake.says(b"{}", status=500)
    for _ in range(5):
        hear(fake)
    assert providers.breaker(fake.provider).current_state == "open"

    done = hear(fake)[1]

    assert (done.problem, done.billed) == ("unavailable", False)
    assert len(fake.requests) == 5
    providers.breaker(fake.provider).reset_timeout = 0
    fake.says(*WHOLE)
    assert hear(fake)[1].status == "ok"
    assert providers.breaker(fake.provider).current_state == "closed"


def hear_stopped(fake):
    """Hung up on after a moment, whatever has come by then."""
    stop = Stop()
    threading.Timer(0.2, stop.ask, (True,)).start()
    text, done = hear(fake, stop)
    assert done.status == "stopped"
    return text


def test_a_busy_provider_and_a_stopped_answer_break_nothing(fake):
    fake.says(b"{}", status=429)
    for _ in range(7):
        hear(fake)
    fake.says(chunk("Hello "), 0.5)
    for _ in range(7):
        assert hear_stopped(fake) == "Hello "

    one = providers.breaker(fake.provider)
    assert (one.current_state, one.fail_counter) == ("closed", 0)


def test_an_answer_that_is_stopped_before_anything_came_heals_nothing_either(fake):
    one = providers.breaker(fake.provider)
    fake.says(b"{}", status=500)
    for _ in range(4):
        hear(fake)
    fake.says(0.5)
    assert hear_stopped(fake) == ""
    assert (one.current_state, one.fail_counter) == ("closed", 4)
    fake.says(b"{}", status=500)
    hear(fake)
    assert one.current_state == "open"

    one.reset_timeout = 0
    fake.says(0.5)
    assert hear_stopped(fake) == ""
    assert one.current_state == "half-open"
    fake.says(b"{}", status=500)
    hear(fake)
    assert one.current_state == "open"
    fake.says(chunk("Hello "), 0.5)
    assert hear_stopped(fake) == "Hello "
    assert (one.current_state, one.fail_counter) == ("closed", 0)


# 22 of SECURITY.md: where calls may go


@pytest.mark.parametrize("url", ["http://example.org/v1", "ftp://example.org", "https://", "https://user:pw@example.org", "https://a/?q=1", "https://a:b/", "https://:pw@example.org", "https://@example.org",
                                 "javascript:alert(1)", ""])
def test_finding_22_an_odd_address_is_refused_without_a_look_up(url):
    for query in ([False] if "?" in url else [False, True]):
        with pytest.raises(Invalid):
            addresses.check(url, query=query)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "[fe80::1]", "[::ffff:10.0.0.1]",
                                  "0.0.0.0", "100.64.0.1", "2130706433", "0x7f.1", "[64:ff9b::a9fe:a9fe]", "[fec0::1]", "[::7f00:1]", "192.88.99.1"])
def test_finding_22_private_hosts_are_called_only_when_they_are_named(database, host):
    done = hear(None, provider=Provider(f"https://{host}/v1", "sk", "m"))[1]

    assert (done.problem, done.billed) == ("network", False)


def test_finding_22_a_named_host_is_reached_by_its_name(fake, monkeypatch):
    monkeypatch.setenv("AI_ALLOWED_HOSTS", "localhost")
    settings.get.cache_clear()
    find, hosts, answer = socket.getaddrinfo, [], fake.answer
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda _host, *rest, **options: find("127.0.0.1", *rest, **options))
    fake.answer = lambda handler: (hosts.append(handler.headers["host"]), answer(handler))
    url = fake.provider.base_url.replace("127.0.0.1", "localhost")

    assert hear(fake, provider=Provider(url, "sk", "m"))[1].status == "ok"
    assert hosts == [url.removeprefix("http://").removesuffix("/v1")]


def test_finding_22_a_redirect_is_not_followed(fake):
    fake.says(b"", status=307, location=fake.provider.base_url + "/chat/completions")

    assert hear(fake)[1].status == "error_before"
    assert len(fake.requests) == 1


# counted, not timed: what stands between the wish and the end


def test_stop_hangs_up_before_the_wish_returns_and_nothing_is_polled_for_it(fake, monkeypatch):
    """However silent the provider: the line is cut inside `ask`, and the reader gets two things more: the bill, and the end."""
    monkeypatch.setattr(Provider, "cancel_stops_billing", True)
    calls: list[str] = []
    hang_up, take = Stream.hang_up, Stream.__next__
    monkeypatch.setattr(Stream, "hang_up", lambda stream: (calls.append("hang up"), hang_up(stream))[1])

    def counted(stream):
        item = take(stream)
        calls.append(type(item).__name__)
        return item
    monkeypatch.setattr(Stream, "__next__", counted)
    fake.says(chunk("Hello "), 30.0, chunk("never heard"), END)
    stop, events = Stop(), []
    for one in providers.converse(fake.provider, MESSAGES, stop):
        events.append(one)
        if isinstance(one, Delta):
            before = len(calls)
            stop.ask()
            assert calls[before:] == ["hang up"]

    assert [type(one) for one in events] == [Delta, Done]
    assert events[-1].status == "stopped"
    assert calls[before + 1:].count("Done") == 1
    assert "Delta" not in calls[before + 1:]
