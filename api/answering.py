"""An answer while it is written, for whoever asked by the API. No thread waits with them: forty slow answers would hold every
thread that the routes have."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeVar
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from lib import workflows

LOOK = 0.05  # seconds between two looks at an answer that this process writes
READ = 0.5  # and at one that another process writes, which is read from its row
PATIENCE = 150  # seconds; every answer's own deadline is earlier


class Row(Protocol):
    """Of the answer's message."""

    content: str
    status: str

    def model_dump_json(self) -> str: ...


Written = TypeVar("Written", bound=Row)


async def finished(answer_id: UUID, read: Callable[[], Written]) -> Written:
    """The row once it is written, or as it stands when nobody would wait any longer."""
    async for _text, row in _looks(answer_id, read):
        if row:
            return row
    return await run_in_threadpool(read)


async def events(answer_id: UUID, read: Callable[[], Row]) -> AsyncIterator[bytes]:
    """`asked` with the id, by which it can be stopped; `delta` with each piece; `done` with the message as it stands then."""
    yield _event("asked", json.dumps({"id": str(answer_id)}))
    seen = 0
    async for text, row in _looks(answer_id, read):
        if len(text) > seen:
            yield _event("delta", json.dumps({"text": text[seen:]}))
            seen = len(text)
        if row:
            yield _event("done", row.model_dump_json())
            return
    yield _event("done", (await run_in_threadpool(read)).model_dump_json())


async def _looks(answer_id: UUID, read: Callable[[], Written]) -> AsyncIterator[tuple[str, Written | None]]:
    """The text so far, and last the row that holds it all."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        job = workflows.watch(answer_id)
        if job and not job.finished:
            await asyncio.sleep(LOOK)
            yield job.text, None
            continue
        row = await run_in_threadpool(read)
        if row.status != "started":
            yield row.content, row
            return
        yield row.content, None
        await asyncio.sleep(READ)


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()
