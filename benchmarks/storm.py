"""Everybody comes to work at once: sign-ins by the API, thirty at a time, and what people who are in already feel meanwhile.

    .venv/bin/python -m benchmarks.storm [--people 60]

A password takes a quarter of a second of a core by design, so the queue is long; what must not suffer is everything else.
"""

import argparse
import asyncio
import json
import os
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from benchmarks import client, rows
from benchmarks.api import access
from benchmarks.reruns import demo_clinic, server
from benchmarks.rows import Row

AT_ONCE = 30


def main() -> None:
    parser = argparse.ArgumentParser(description="Sign-in storm")
    parser.add_argument("--people", type=int, default=60)
    people = parser.parse_args().people
    os.environ |= {"LIMIT_READS": "1000000000", "LIMIT_SIGN_IN_ADDRESS": "100000", "LIMIT_SIGN_IN_ACCOUNT": "100000"}
    with demo_clinic(), server([]) as (_process, url):
        alone = asyncio.run(somebody_else(url, 10))
        took, beside = asyncio.run(storm(url, people))
    print(f"{people} sign-ins, {AT_ONCE} at once: {people / took:.1f} a second   others' p95 {alone.p95:.0f} ms alone, "
          f"{beside.p95:.0f} ms meanwhile   load {os.getloadavg()[0]:.1f}")
    rows.tell([Row(f"{people} sign-ins, {AT_ONCE} at once: p95 of everybody else", 200, beside.p95,
                   otherwise=f"{alone.p95:.0f} ms without them"),
               Row(f"{people} sign-ins, {AT_ONCE} at once: sign-ins a second", None, people / took, "")])


async def storm(url: str, people: int) -> tuple[float, client.Tally]:
    """Seconds until all are in, and the answers to somebody else until then."""
    from lib import demo
    person, loop, began = demo.staff()[0], asyncio.get_running_loop(), time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        coming = [loop.run_in_executor(pool, sign_in, url, person.email, person.password) for _person in range(people)]
        other = asyncio.create_task(somebody_else(url, people / 8))
        await asyncio.gather(*coming)
        took = time.perf_counter() - began
        return took, await other


async def somebody_else(url: str, seconds: float) -> client.Tally:
    return await client.ask(url, [client.Question("/api/v1/auth/me")], access(), connections=1, seconds=seconds, rate=20)


def sign_in(url: str, email: str, password: str) -> None:
    body = json.dumps({"email": email, "password": password}).encode()
    request = urllib.request.Request(f"{url}/api/v1/auth/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 200


if __name__ == "__main__":
    main()
