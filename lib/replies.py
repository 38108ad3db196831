"""What a provider sends back, read as what it is, events or a whole body, whatever its header says."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from httpx_sse import EventSource

from lib.events import Delta, Event
from lib.usage import Tally

MOST_CHARACTERS = 5_000_000  # of a whole reply as it comes over the wire
AFTER_END = 5.0  # seconds that an answer which has ended waits for its usage: some servers leave the line open
FIELD = re.compile(r"\s*(?:(?:data|event|id|retry)?:|\Z)")  # how an event stream begins; ":" alone is a comment
LONGEST_FIELD = 6


async def read(texts: AsyncIterator[str], tally: Tally, put: Callable[[Event], None]) -> None:
    """`texts`: the reply, as it comes."""
    pieces = bounded(texts)
    begun = await _beginning(pieces)
    if FIELD.match(begun):
        await _read_events(_Stream(begun, pieces), tally, put)
    else:  # an error inside HTTP 200, a server that does not stream, or none at all
        _take(begun + "".join([piece async for piece in pieces]), tally, put)
        tally.ended = tally.ended or tally.characters > 0


async def bounded(texts: AsyncIterator[str]) -> AsyncIterator[str]:
    characters = 0
    async for text in texts:
        characters += len(text)
        if characters > MOST_CHARACTERS:
            raise OSError("the reply does not end")
        yield text


async def _beginning(pieces: AsyncIterator[str]) -> str:
    """As much as tells what it is."""
    begun = ""
    async for piece in pieces:
        begun = (begun + piece).removeprefix("\ufeff")
        if len(begun.lstrip()) >= LONGEST_FIELD:
            break
    return begun


class _Stream:
    """What httpx-sse reads of a response: its last event is closed by a blank line, which some servers forget, and it drops one
    that is not."""

    def __init__(self, begun: str, rest: AsyncIterator[str]) -> None:
        self.headers = {"content-type": "text/event-stream"}
        self._begun, self._rest = begun, rest

    async def aiter_text(self) -> AsyncIterator[str]:
        yield self._begun
        async for text in self._rest:
            yield text
        yield "\n\n"


async def _read_events(stream: _Stream, tally: Tally, put: Callable[[Event], None]) -> None:
    """Until the line ends: what comes behind [DONE] would be somebody else's."""
    async with asyncio.timeout(None) as patience:
        async for event in EventSource(cast(Any, stream)).aiter_sse():
            if event.data.strip() == "[DONE]":
                tally.ended = True
                return
            if event.data:
                _take(event.data, tally, put)
            if tally.problem:
                return
            if tally.finish:
                patience.reschedule(asyncio.get_running_loop().time() + AFTER_END)


def _take(data: str, tally: Tally, put: Callable[[Event], None]) -> None:
    try:
        chunk = json.loads(data)
    except ValueError:
        chunk = None
    if isinstance(chunk, list) and len(chunk) == 1:  # Gemini's errors
        chunk = chunk[0]
    if not isinstance(chunk, dict):
        tally.failed("unavailable", read=False)
        return
    text = tally.take(chunk)
    if text:
        put(Delta(text))
