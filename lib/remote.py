"""The assistant as a service of its own (api/assistant.py): a provider's reply, fetched through AI_SERVICE_URL, so that answering
scales by itself. Everything else, from the red flags to the bill, stays here."""

import asyncio
import ssl
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import httpx
import structlog
from httpx_sse import EventSource
from pybreaker import CircuitBreaker, CircuitBreakerError
from pydantic import TypeAdapter

from lib import breakers, providers, quarantine, settings
from lib.events import Delta, Done, Draining, Event, Stop
from lib.prompts import Context
from lib.streams import Stream

log = structlog.get_logger()

CONNECT = 5.0  # seconds for the service to take the call
PATIENCE = 1.0  # seconds beyond the service's own deadlines: by then it has said what became of its provider
DELTA, DONE = TypeAdapter(Delta), TypeAdapter(Done)  # on the line between the two


def converse(question: str, context: Context, stop: Stop) -> Iterator[Event]:
    """As `providers.converse`. What was sent before Stop is read to its end: only the service knows whether its bill runs on."""
    if quarantine.is_on():
        yield Done(status="error_before", problem="unavailable", billed=False, left=False)
        return
    done, one = Done(status="error_before", problem="unavailable", billed=False, left=False), breaker()
    try:
        with one.calling():
            done, is_well = yield from _listen(question, context, stop)
            before = one.fail_counter, one.current_state
            if done.problem in providers.BROKEN and done.provider is None:  # it was the service, and nobody behind it
                raise _Broken
        if done.status == "stopped" and not is_well:
            breakers.put_back(one, *before)
    except (CircuitBreakerError, _Broken):  # it rests, or has just given up: `done` says which
        log.info("assistant's service is not answering", problem=done.problem)
    yield done


class _Broken(Exception):
    """What the breaker counts."""


@cache
def breaker() -> CircuitBreaker:
    """In each process, as a provider's."""
    return breakers.make()


def _listen(question: str, context: Context, stop: Stop) -> Generator[Event, None, tuple[Done, bool]]:
    """Returns the `Done` instead of yielding it, and whether text came and nothing went wrong, behind Stop either."""
    line = _Line(stop)
    stream: Stream[Event] = Stream(lambda put: _talk({"message": question, "context": asdict(context)}, line, put))
    stop.listen(lambda final: stream.hang_up() if final or not line.sent else stream.put(Draining()))
    try:
        for event in stream:
            if isinstance(event, Done):
                return event, line.is_well
            if not stop.wanted or isinstance(event, Draining):
                yield event
    finally:
        stream.hang_up()
    return Done(status="error_before", problem="network"), False


async def _talk(body: dict[str, Any], line: "_Line", put: Callable[[Event], None]) -> None:
    """Whatever the rest meets that is read for its bill alone, the answer was stopped."""
    done: Done | None = None
    try:
        async with asyncio.timeout(providers.FIRST_TOKEN + PATIENCE) as deadline:
            done = await _exchange(body, line, providers.on_time(put, deadline, providers.IN_ALL + PATIENCE))
    except asyncio.CancelledError:
        pass
    except TimeoutError:
        done = Done(status="timeout", problem="timeout", billed=line.sent, left=line.sent)
    except (httpx.HTTPError, OSError, ValueError) as error:
        log.warning("assistant's service not reached", error=type(error).__name__)
        done = Done(status="error_mid" if line.said else "error_before", problem="network", billed=line.sent, left=line.sent)
    finally:
        done = done or Done(status="stopped", billed=line.sent, left=line.sent)
        line.is_well = line.said and not done.problem
        put(replace(done, status="stopped", problem="") if line.stop.wanted else done)


@dataclass
class _Line:
    """How far it came: what was sent may be billed, and what it costs is then unknown. Nothing is sent after Stop."""

    stop: Stop
    sent: bool = False
    said: bool = False
    is_well: bool = False

    async def note(self, step: str, _facts: object) -> None:
        if step.endswith("send_request_headers.started"):
            if self.stop.wanted:
                raise asyncio.CancelledError
            self.sent = True


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def _exchange(body: dict[str, Any], line: _Line, put: Callable[[Event], None]) -> Done:
    configured = settings.get()
    key = configured.ai_service_key.get_secret_value() if configured.ai_service_key else ""
    timeout = httpx.Timeout(None, connect=CONNECT)
    async with (httpx.AsyncClient(verify=_tls(), timeout=timeout, trust_env=False) as client,
                client.stream("POST", f"{configured.ai_service_url}/api/chat/converse", json=body,
                              headers={"Authorization": f"Bearer {key}", "Accept": "text/event-stream"},
                              extensions={"trace": line.note}) as response):
        if response.status_code != 200:
            log.warning("assistant's service refused", status=response.status_code)
            return Done(status="error_before", problem="unavailable", billed=False, left=False)
        async for event in EventSource(response).aiter_sse():
            if event.event == "done":
                return DONE.validate_json(event.data)
            piece = DELTA.validate_json(event.data)
            line.said = True
            put(piece)
    return Done(status="truncated", problem="network")


def is_up() -> bool:
    """By the service's own word that it lives; asked by monitors, never on the way to an answer."""
    try:
        return httpx.get(f"{settings.get().ai_service_url}/health", timeout=2, trust_env=False, verify=_tls()).is_success
    except (httpx.HTTPError, OSError):
        return False
