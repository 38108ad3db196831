"""A client that takes little from the machine it measures: connections that stay open and ask one thing after the other."""

import asyncio
import itertools
import json
import random
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import uvloop


@dataclass
class Tally:
    """`times`: milliseconds of each answer. `errors`: refusals and failures, and connections that broke."""

    seconds: float
    times: list[float] = field(default_factory=list)
    errors: int = 0

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    @property
    def p50(self) -> float:
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.times, n=20)[-1]


@dataclass(frozen=True)
class Question:
    """`body`: sent as JSON, where there is one."""

    path: str
    method: str = "GET"
    body: Any = None
    headers: tuple[str, ...] = ()

    def to_bytes(self, host: str, token: str) -> bytes:
        body = b"" if self.body is None else json.dumps(self.body).encode()
        kind = ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
        head = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", *kind, *self.headers]
        return "\r\n".join([*head, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """Asks again as soon as it has its answer; with a `pace`, every so many seconds on average, and an answer's time counts from
    the moment at which its question was due. Not like a clock: who always came just after a heavy one would bear it alone."""

    def __init__(self, requests: Iterator[bytes], tally: Tally, until: float, pace: float) -> None:
        self.requests, self.tally, self.until, self.pace = requests, tally, until, pace
        self.loop = asyncio.get_running_loop()
        self.over = self.loop.create_future()
        self.due = time.perf_counter()
        self.got = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if time.perf_counter() < self.until:
            self.transport.write(next(self.requests))
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, gap, body = self.got.partition(b"\r\n\r\n")
        if not gap or not is_whole(head.lower(), body):
            return
        now, self.got = time.perf_counter(), b""
        self.tally.times.append((now - self.due) * 1000)
        self.tally.errors += not head.startswith(b"HTTP/1.1 2")
        self.due = self.due + self.pace * random.uniform(0.5, 1.5) if self.pace else now
        if self.due > now:
            self.loop.call_later(self.due - now, self.ask)
        else:
            self.ask()

    def connection_lost(self, _error: Exception | None) -> None:
        self.tally.errors += time.perf_counter() < self.until
        self.over.set_result(None)


def is_whole(head: bytes, body: bytes) -> bool:
    """`head`: of the answer, in small letters. The connection stays open, so that its end tells nothing."""
    if head.startswith(b"http/1.1 204"):
        return True
    if b"transfer-encoding: chunked" in head:
        return body.endswith(b"\r\n0\r\n\r\n")
    return len(body) >= int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])


async def ask(url: str, questions: Iterable[Question], token: str, *, connections: int, seconds: float,
              rate: float = 0.0) -> Tally:
    """`questions`: over and over. `rate`: how many a second by all connections together; 0: as many as are answered."""
    place, tally = urlsplit(url), Tally(seconds)
    requests = itertools.cycle(question.to_bytes(place.netloc, token) for question in questions)
    until, pace = time.perf_counter() + seconds, connections / rate if rate else 0.0
    opened = []
    for _number in range(connections):
        await asyncio.sleep(pace / connections)
        _transport, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(requests, tally, until, pace), place.hostname, place.port)
        opened.append(connection)
    await asyncio.gather(*(connection.over for connection in opened))
    return tally


def run(url: str, path: str, token: str, *, connections: int, seconds: float) -> Tally:
    return uvloop.run(ask(url, [Question(path)], token, connections=connections, seconds=seconds))
