"""An answer while it is written, for whoever asked by the API. No thread waits with them: forty slow answers would hold every
thread that the routes have."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from uuid import UUID

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from lib import workflows

LOOK = 0.05  # seconds between two looks at an answer that this process writes
READ = 0.5  # and at one that another process writes, which is read from its row
PATIENCE = 150  # seconds; every answer's own deadline is earlier


async def finished(answer_id: UUID, read: Callable[[], BaseModel]) -> None:
    """Until its row is written, or until nobody would wait any longer."""
    async for _piece in _pieces(answer_id, read):
        pass


async def events(answer_id: UUID, read: Callable[[], BaseModel]) -> AsyncIterator[bytes]:
    """`asked` with the id, by which it can be stopped; `delta` with each piece; `done` with the message as it stands then."""
    yield _event("asked", json.dumps({"id": str(answer_id)}))
    async for piece in _pieces(answer_id, read):
        yield _event("delta", json.dumps({"text": piece}))
    yield _event("done", (await run_in_threadpool(read)).model_dump_json())


async def _pieces(answer_id: UUID, read: Callable[[], BaseModel]) -> AsyncIterator[str]:
    deadline, seen = time.monotonic() + PATIENCE, 0
    while time.monotonic() < deadline:
        text, over = await _look(answer_id, read)
        if len(text) > seen:
            yield text[seen:]
            seen = len(text)
        if over:
            return


async def _look(answer_id: UUID, read: Callable[[], BaseModel]) -> tuple[str, bool]:
    """The text so far, and whether that is all."""
    job = workflows.watch(answer_id)
    if job and not job.finished:
        await asyncio.sleep(LOOK)
        return job.text, False
    message = (await run_in_threadpool(read)).model_dump(include={"content", "status"})
    if message["status"] == "started":
        await asyncio.sleep(READ)
    return message["content"], message["status"] != "started"


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()
