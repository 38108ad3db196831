"""One event loop, in a thread of its own, for all that is streamed from outside: forty slow answers cost one thread, and each
of them can be hung up at once."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


class Stream(Iterator[T], Generic[T]):
    """What a conversation on the loop `put`s, for the thread that reads it. Ends when the conversation does."""

    def __init__(self, talk: Callable[[Callable[[T], None]], Awaitable[None]]) -> None:
        self._queue: SimpleQueue[T | None] = SimpleQueue()
        self._task: Future[None] = asyncio.run_coroutine_threadsafe(self._run(talk), _running_loop())

    def __next__(self) -> T:
        item = self._queue.get()
        if item is None:
            raise StopIteration
        return item

    def put(self, item: T) -> None:
        """From any thread: wakes the reader."""
        self._queue.put(item)

    def hang_up(self) -> None:
        """From any thread. The conversation may still `put` how far it came."""
        self._task.cancel()

    async def _run(self, talk: Callable[[Callable[[T], None]], Awaitable[None]]) -> None:
        try:
            await talk(self._queue.put)
        finally:
            self._queue.put(None)


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="streams", daemon=True).start()
    return _loop
