"""Routes whose whole way, from the look-up of who asks to the answer's JSON, is one piece of work on one thread.

FastAPI would send each piece there and back by itself: who asks, what is done, and the check of what is answered (ADR 022).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any, TypeVar

import anyio
import fastapi.dependencies.utils
import fastapi.routing
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

T = TypeVar("T")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
AT_ONCE = 2
SHORT = 0.005  # seconds


class OneHop(APIRoute):
    """For routes that ask and read. One with a body waits for its caller to send it, which no thread should."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        if self.body_field is not None or iscoroutinefunction(self.endpoint):
            return handle

        async def hop(request: Request) -> Response:
            await free.acquire()
            place = Place()
            try:
                return await run_in_threadpool(_finish, handle(request))
            finally:
                place.leave()
        return hop


class Place:
    """One of `AT_ONCE`. More threads only take the interpreter's lock from each other: sixteen answered two thirds as many
    requests as two (ADR 022). Whoever stays longer than `SHORT` waits for something else, and makes room for another."""

    def __init__(self) -> None:
        self._taken = True
        self._soon = asyncio.get_running_loop().call_later(SHORT, self.leave)

    def leave(self) -> None:
        if self._taken:
            self._taken = False
            self._soon.cancel()
            free.release()


free = anyio.Semaphore(AT_ONCE)
hashing = anyio.Semaphore(4)


async def in_turn() -> AsyncIterator[None]:
    """For what looks at a password, a quarter of a second and two at a time. Those whose turn it is not yet hold no thread:
    Streamlit has 28 for everything, its own files too."""
    async with hashing:
        yield


def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Of a coroutine that waits for nothing: on a thread without an event loop it could not."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    work.close()
    raise RuntimeError("a route of one hop waits for something")


async def _stay(function: Callable[..., T], /, *arguments: Any, **named: Any) -> T:
    """On such a thread already: call it."""
    if asyncio._get_running_loop() is None:
        return function(*arguments, **named)
    return await run_in_threadpool(function, *arguments, **named)


# FastAPI offers no other way to say how a plain function is called. Without this, `_finish` fails, and every test with it.
fastapi.routing.run_in_threadpool = fastapi.dependencies.utils.run_in_threadpool = _stay  # type: ignore[assignment, attr-defined]
