"""Answers from outside: any endpoint that speaks OpenAI's chat completions, streamed, with deadlines of our own.

What each step guards against was seen at a real provider; the numbers in the comments are those of the tests.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Callable, Generator, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from pybreaker import CircuitBreaker, CircuitBreakerError

from lib import addresses, breakers, prices, quarantine, replies, settings
from lib.errors import Invalid
from lib.events import Done, Draining, Event, Stop
from lib.streams import Stream
from lib.usage import Tally

log = structlog.get_logger()

FIRST_TOKEN, IN_ALL = 15.0, 60.0  # seconds; one attempt, because a retry burnt a quota elsewhere
BROKEN = ("unavailable", "timeout", "network")
# Who stops charging when the line is cut (https://openrouter.ai/docs/api-reference/streaming names OpenRouter's).
STOPS_BILLING = {"openai", "anthropic"}
VIA_OPENROUTER = ("openai/", "anthropic/", "azure/")
SERVED_BY_OTHERS = "openai/gpt-oss"  # open weights, which Groq and others serve as well


MODEL = "gemini-2.5-flash"
OPENROUTER = "https://openrouter.ai/api/v1"


@dataclass(frozen=True)
class Provider:
    base_url: str
    api_key: str = field(repr=False)
    model: str

    @property
    def name(self) -> str:
        """As price tables call it; the host itself where they don't know it."""
        return prices.provider_of(self.base_url)

    @property
    def cancel_stops_billing(self) -> bool:
        via_openrouter = self.model.startswith(VIA_OPENROUTER) and not self.model.startswith(SERVED_BY_OTHERS)
        return self.name in STOPS_BILLING or (self.name == "openrouter" and via_openrouter)


def installed() -> Provider | None:
    """The one that this installation's environment names."""
    configured = settings.get()
    if configured.ai_base_url and configured.ai_api_key:
        return Provider(configured.ai_base_url, configured.ai_api_key.get_secret_value(), configured.ai_model or MODEL)
    if configured.openrouter_api_key:
        return Provider(OPENROUTER, configured.openrouter_api_key.get_secret_value(), configured.ai_model or f"google/{MODEL}")
    return None


def converse(provider: Provider, messages: Sequence[dict[str, str]], stop: Stop) -> Iterator[Event]:
    """The reply in pieces, then `Done`. After `stop`: `Draining` where the bill runs on, and no more pieces. Never raises."""
    if quarantine.is_on():
        yield Tally(provider.name, provider.model).failed("unavailable", billed=False).done()
        return
    done, one = Tally(provider.name, provider.model).failed("unavailable").done(), breaker(provider)
    try:
        with one.calling():
            done, is_well = yield from _listen(provider, messages, stop)
            before = one.fail_counter, one.current_state
            if done.problem in BROKEN:
                raise _Broken
        if done.status == "stopped" and not is_well:
            breakers.put_back(one, *before)
    except (CircuitBreakerError, _Broken):  # it rests, or has just given up: `done` says which
        log.info("provider is not answering", provider=provider.name, problem=done.problem)
    yield done


class _Broken(Exception):
    """What the breaker counts."""


@lru_cache(maxsize=1_000)
def breaker(provider: Provider) -> CircuitBreaker:
    """One per endpoint, key and model, so that nobody's wrong key keeps others waiting; in each process. Its `current_state` is
    closed while all is well, open or half-open otherwise."""
    return breakers.make()


def _listen(provider: Provider, messages: Sequence[dict[str, str]], stop: Stop) -> Generator[Event, None, tuple[Done, bool]]:
    """Returns the `Done` instead of yielding it, and whether text came and nothing went wrong, behind Stop either."""
    tally = Tally(provider.name, provider.model, sum(len(message["content"]) for message in messages))
    stream: Stream[Event] = Stream(lambda put: _talk(provider, messages, stop, tally, put))

    def end(final: bool) -> None:
        """The bill runs on for what was sent, and for nothing else."""
        if final or provider.cancel_stops_billing or not tally.sent:
            stream.hang_up()
        else:
            stream.put(Draining())
    stop.listen(end)
    try:
        for event in stream:
            if isinstance(event, Done):
                return event, tally.characters > 0 and not tally.problem
            if not stop.wanted or isinstance(event, Draining):
                yield event
    finally:
        stream.hang_up()
    return tally.failed("network").done(), False


async def _talk(provider: Provider, messages: Sequence[dict[str, str]], stop: Stop, tally: Tally,
                put: Callable[[Event], None]) -> None:
    """Whatever the rest meets that is read for its bill alone, the answer was stopped."""
    try:
        async with asyncio.timeout(FIRST_TOKEN) as deadline:
            await _exchange(provider, messages, stop, tally, on_time(put, deadline, IN_ALL))
    except TimeoutError:
        tally.broke_off("timeout")
    except asyncio.CancelledError:
        tally.stopped, tally.billed = True, tally.billed and tally.sent
    except httpx.LocalProtocolError:  # a key with a line break: the request was begun, and nothing of it left
        log.error("provider can't be asked", error="LocalProtocolError")
        tally.left = False
        tally.failed("unavailable", billed=False)
    except (httpx.HTTPError, OSError) as error:
        log.warning("provider not reached", host=urlsplit(provider.base_url).hostname, error=type(error).__name__)
        tally.broke_off("network")
    except Invalid:
        tally.failed("network", billed=False)
    except Exception as error:  # the edge of a conversation: an address or a key that no request can be made of
        log.error("provider can't be asked", error=type(error).__name__)
        tally.failed("unavailable", billed=tally.sent)
    finally:
        tally.stopped = tally.stopped or stop.wanted
        put(tally.done())


def on_time(put: Callable[[Event], None], deadline: asyncio.Timeout, in_all: float) -> Callable[[Event], None]:
    """Comments that keep a line alive are no answer (a silent provider sent them for minutes): only a first piece counts."""
    end = asyncio.get_running_loop().time() + in_all

    def piece(event: Event) -> None:
        if deadline.when() != end:
            deadline.reschedule(end)
        put(event)
    return piece


# one exchange --------------------------------------------------------------------------------------------------------


_refused: dict[tuple[str, str], set[str]] = {}  # by endpoint and model: the fields it does not take
FIXED = {"model", "messages", "stream"}
CAPS = {"max_tokens", "max_completion_tokens"}  # a value of theirs may be refused, too: that is no reason to ask without a cap
# It thinks before it answers unless told not to, and that counts toward `max_tokens`: an answer could end as it begins.
THINKS = "gemini-2.5-flash"
REPEATED = ("input", "body", "request", "messages")
UNKNOWN_FIELD = re.compile(r"unknown|unsupported|not support|unrecogni[sz]ed|unexpected|extra|not permitted", re.IGNORECASE)


@cache
def _tls() -> ssl.SSLContext:
    """Made once: it takes 60 ms, and the loop is everybody's."""
    return ssl.create_default_context()


async def _exchange(provider: Provider, messages: Sequence[dict[str, str]], stop: Stop, tally: Tally,
                    put: Callable[[Event], None]) -> None:
    """Once more without a field that the endpoint refuses by name; that is remembered where it has helped."""
    destination = await addresses.resolve(provider.base_url.rstrip("/") + "/chat/completions")
    known = _refused.setdefault((provider.base_url, provider.model), set())
    left_out = set(known)
    async with httpx.AsyncClient(verify=_tls(), timeout=httpx.Timeout(None), trust_env=False, follow_redirects=False) as client:
        while True:
            body = _body(provider, messages, left_out)
            request = client.build_request(
                "POST", destination.url, json=body,
                headers={"Host": destination.host, "Authorization": f"Bearer {provider.api_key}", "Accept": "text/event-stream"},
                extensions={"sni_hostname": destination.name, "trace": partial(_note_sent, stop, tally)})
            response = await client.send(request, stream=True)
            try:
                refused = await _read(response, body.keys() - FIXED, tally, put)
            finally:
                await response.aclose()
            if not refused:
                known |= left_out if response.is_success else set()
                return
            left_out.add(refused)
            tally.sent = False


async def _note_sent(stop: Stop, tally: Tally, step: str, _facts: object) -> None:
    """From the first byte of the request on, it may be answered, and billed. What was refused for a field did leave.
    Nothing leaves after Stop, the second try without that field included."""
    if step.endswith("send_request_headers.started"):
        if stop.wanted:
            raise asyncio.CancelledError
        tally.sent = tally.left = True


def _body(provider: Provider, messages: Sequence[dict[str, str]], refused: set[str]) -> dict[str, Any]:
    """OpenAI's reasoning models refuse `max_tokens` and take its other name; servers of others know the first one alone."""
    longest = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
    optional = {"stream_options": {"include_usage": True}, longest: prices.LONGEST_ANSWER, "temperature": 0.3,
                **({"reasoning_effort": "none"} if THINKS in provider.model else {})}
    return {"model": provider.model, "messages": list(messages), "stream": True,
            **{name: value for name, value in optional.items() if name not in refused}}


async def _read(response: httpx.Response, optional: Set[str], tally: Tally, put: Callable[[Event], None]) -> str:
    """The name of the optional field that the endpoint refuses, or "" where this was the answer."""
    tally.request_id = response.headers.get("x-request-id") or response.headers.get("x-generation-id")
    if response.status_code != 200:
        return await _read_refusal(response, optional, tally)
    await replies.read(response.aiter_text(), tally, put)
    return ""


async def _read_refusal(response: httpx.Response, optional: Set[str], tally: Tally) -> str:
    reason = _reason("".join([text async for text in replies.bounded(response.aiter_text())]))
    if response.status_code in (400, 422):
        named = [name for name in optional if name in reason and (name not in CAPS or UNKNOWN_FIELD.search(reason))]
        if named:
            return min(named, key=reason.index)
    busy, ours = response.status_code == 429, response.status_code < 500
    problem = "busy" if busy else "refused" if ours else "unavailable"
    log.warning("provider refused", provider=tally.provider, status=response.status_code)
    tally.failed(problem, billed=False)
    return ""


def _reason(text: str) -> str:
    """A refusal without what it repeats of the request, which may hold any word."""
    try:
        told = json.loads(text, object_hook=lambda part: {name: value for name, value in part.items() if name not in REPEATED})
    except ValueError:
        return text
    return json.dumps(told)
