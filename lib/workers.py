"""The threads that write answers. They belong to the app, not to a page: whoever watches may come and go."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import structlog

from lib.ai import Delta, Done, Event
from lib.chats import Ending

log = structlog.get_logger()

# Each waits far more than it works; the pool bounds threads, and a thirty-third answer waits for its turn.
SIZE = 32
GRACE = 1.0  # seconds that a running answer gets at shutdown before it is saved as far as it came


class Answering:
    """One answer in the making: its text so far, the wish to stop, and the end. `known`: its cost as far as that is certain."""

    def __init__(self, message_id: UUID, user_id: UUID, events: Iterator[Event], settle: Callable[[Ending], None],
                 known: Done, began: float) -> None:
        self.message_id = message_id
        self.user_id = user_id
        self.events = events
        self.settle = settle
        self.known = known
        self.began = began
        self.text = ""
        self.first_token_ms: int | None = None
        self.finished = False
        self._wanted: str | None = None
        self._news = threading.Condition()

    def wait(self, seen: int, timeout: float) -> bool:
        """Until there is more text than `seen` characters or the row is written. Whether it is."""
        with self._news:
            self._news.wait_for(lambda: self.finished or len(self.text) > seen, timeout)
            return self.finished

    def stop(self, status: str) -> None:
        """End with what is there, as soon as the next event comes."""
        self._wanted = self._wanted or status

    def run(self) -> None:
        """To the end, whatever happens: the row is written in any case."""
        done = self.ending("error_before")
        try:
            done = self._read()
        except Exception as error:  # the thread's edge: what an answerer throws ends its answer, not the row
            log.error("answer failed", message_id=str(self.message_id), error=type(error).__name__)
            done = self.ending("error_mid" if self.text else "error_before")
        finally:
            self.save(done)

    def save(self, done: Done) -> None:
        if self.finished:
            return
        try:
            self.settle(Ending(done, self.text, self._elapsed(), self.first_token_ms))
        finally:
            _running.pop(self.message_id, None)
            with self._news:
                self.finished = True
                self._news.notify_all()

    def ending(self, status: str) -> Done:
        return replace(self.known, status=status)

    def _read(self) -> Done:
        for event in self.events:
            if isinstance(event, Done):
                return event
            if self._wanted:
                return self.ending(self._wanted)
            self._append(event)
        return self.ending("truncated")

    def _append(self, event: Delta) -> None:
        with self._news:
            if self.first_token_ms is None:
                self.first_token_ms = self._elapsed()
            self.text += event.text
            self._news.notify_all()

    def _elapsed(self) -> int:
        return round((time.monotonic() - self.began) * 1000)


_running: dict[UUID, Answering] = {}
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_closing = False


def start(job: Answering) -> None:
    """Its row is there already, so even one that comes too late is ended properly."""
    global _pool
    with _lock:
        if not _closing:
            _pool = _pool or ThreadPoolExecutor(SIZE, thread_name_prefix="answer")
            _running[job.message_id] = job
            _pool.submit(job.run)
            return
    job.save(job.ending("abandoned"))


def find(message_id: UUID) -> Answering | None:
    """The answer in the making, if this process makes it."""
    return _running.get(message_id)


def shutdown() -> None:
    """Every running answer is complete, or saved as far as it came, when this returns. A later start opens anew."""
    global _pool, _closing
    with _lock:
        pool, _pool, _closing = _pool, None, True
    _wait_for_all(GRACE)
    for job in list(_running.values()):
        job.stop("abandoned")
    _wait_for_all(GRACE)
    for job in list(_running.values()):  # silent upstream: its thread finds the row written when it wakes
        job.save(job.ending("abandoned"))
    if pool:
        pool.shutdown(wait=False, cancel_futures=True)
    with _lock:
        _closing = False


def _wait_for_all(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for job in list(_running.values()):
        job.wait(len(job.text) + 10 ** 9, max(0.0, deadline - time.monotonic()))
