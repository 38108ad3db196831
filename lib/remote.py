"""The assistant as a service of its own (api/assistant.py): a provider's reply, fetched through AI_SERVICE_URL, so that answering
scales by itself. Everything else, from the red flags to the bill, stays here."""

import asyncio
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

import httpx
import structlog
from httpx_sse import EventSource
from pydantic import TypeAdapter

from lib import providers, settings
from lib.events import Delta, Done, Draining, Event, Stop
from lib.prompts import Context
from lib.streams import Stream

log = structlog.get_logger()

PATIENCE = 5.0  # seconds beyond the service's own deadlines
DONE = TypeAdapter(Done)  # on the line between the two


def converse(question: str, context: Context, stop: Stop) -> Iterator[Event]:
    """As `providers.converse`. A stopped answer is always read to its end: only the service knows whether its bill runs on."""
    stream: Stream[Event] = Stream(lambda put: _talk({"message": question, "context": asdict(context)}, put))
    stop.listen(lambda final: stream.hang_up() if final else stream.put(Draining()))
    try:
        for event in stream:
            if not stop.wanted or not isinstance(event, Delta):
                yield event
    finally:
        stream.hang_up()


async def _talk(body: dict[str, Any], put: Callable[[Event], None]) -> None:
    done = Done(status="error_before", problem="network", billed=False)
    try:
        async with asyncio.timeout(providers.IN_ALL + PATIENCE):
            done = await _exchange(body, put)
    except asyncio.CancelledError:
        done = Done(status="stopped")
    except (httpx.HTTPError, OSError, ValueError) as error:  # TimeoutError is an OSError
        log.warning("assistant's service not reached", error=type(error).__name__)
    finally:
        put(done)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def _exchange(body: dict[str, Any], put: Callable[[Event], None]) -> Done:
    configured = settings.get()
    key = configured.ai_service_key.get_secret_value() if configured.ai_service_key else ""
    timeout = httpx.Timeout(None, connect=PATIENCE)
    async with (httpx.AsyncClient(verify=_tls(), timeout=timeout, trust_env=False) as client,
                client.stream("POST", f"{configured.ai_service_url}/api/chat/converse", json=body,
                              headers={"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}) as response):
        if response.status_code != 200:
            log.warning("assistant's service refused", status=response.status_code)
            return Done(status="error_before", problem="unavailable", billed=False)
        async for event in EventSource(response).aiter_sse():
            if event.event == "done":
                return DONE.validate_json(event.data)
            put(Delta(json.loads(event.data)["text"]))
    return Done(status="truncated", problem="network")

