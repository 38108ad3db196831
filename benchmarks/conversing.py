"""Forty conversations with a slow provider, in a process of their own: neither they nor the provider (tests/lib/fake_provider.py)
take the interpreter of whoever measures what they cost the others.

Told what to do by a pipe: first it says where the provider is, then it takes a `Clinic`, then "ask" for each round, of which it
says twice how many conversations are open: once all have asked, and when it hears "enough". It ends with None.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.reruns import load_tool
from tests.lib.fake_provider import END, chunk, serving, usage

ASKED_WITHIN = 5.0  # seconds: forty people don't ask in the same instant, nor are they answered word by word in step
UNDER_WAY = 6.0  # seconds after which all have asked and wait


@dataclass(frozen=True)
class Clinic:
    """Where it is, its owner's cookies, and whom to ask about."""

    url: str
    cookies: dict[str, str]
    patients: list[str]


@contextmanager
def conversing(seconds: float) -> Iterator[Connection]:
    """The pipe to the process. An answer takes as long as a round of so many seconds, a word a second."""
    spawned = get_context("spawn")
    here, there = spawned.Pipe()
    process = spawned.Process(target=serve, args=(there, round(UNDER_WAY + seconds) + 5), daemon=True)
    process.start()
    try:
        yield here
        here.send(None)
        process.join(20)
    finally:
        process.kill()


def serve(pipe: Connection, words: int) -> None:
    with serving() as (fake, provider):
        fake.says(*[piece for number in range(words) for piece in (chunk(f"word{number} "), 1.0)],
                  chunk(finish="stop"), usage(3, 4), END)
        pipe.send(provider.base_url)
        asyncio.run(converse(pipe, fake, pipe.recv()))


async def converse(pipe: Connection, fake: Any, clinic: Clinic) -> None:
    load = load_tool()
    tabs = [load.Session(clinic.url, load.Recorder(), timeout=120, timers=False) for _ in clinic.patients]
    for tab, patient in zip(tabs, clinic.patients, strict=True):
        await tab.open(f"/chat?patient={patient}", cookies=dict(clinic.cookies))
    pipe.send("ready")
    while await told(pipe):
        answers = [asyncio.create_task(ask(tab)) for tab in tabs]
        await asyncio.sleep(UNDER_WAY)
        pipe.send(fake.open)
        await told(pipe)
        pipe.send(fake.open)
        await asyncio.gather(*answers)
        pipe.send("answered")
    for tab in tabs:
        await tab.close()


async def ask(tab: Any) -> None:
    await asyncio.sleep(random.uniform(0, ASKED_WITHIN))
    await tab.chat(f"Which planet is next at {time.time()}?")


async def told(pipe: Connection) -> Any:
    return await asyncio.to_thread(pipe.recv)
