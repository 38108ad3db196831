"""An answer from its first piece to the row that holds it; lib/workers.py has the threads that write it.

It has ended (`is_ending`) before it is written (`finished`), and it is over (`is_over`) once its bill is written, too, which may
come a minute later. What the database was away for is late (`is_late`) until it is written.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from lib.calls import Ending
from lib.errors import Busy, Unavailable
from lib.events import FREE, Delta, Done, Draining, Event, Stop

log = structlog.get_logger()

KEEP = 3  # looks, until the text so far is kept as well where it grew: to write is dearer than to read
KEPT = 300.0  # seconds after its beginning that an ending waits for a database that is away: then the row is the sweep's


@dataclass(frozen=True)
class Outside:
    """Of an answer that somebody outside gives. `wish`: heard by whoever the answer waits for. `keep`: takes the text so far, and
    says "" to go on, "stop", or "gone", where nobody waits for it or for its bill any more. `look`: which of these answers, its
    own and others', are wanted to end. `crowded`: what is said where its clinic has all its places taken."""

    clinic_id: UUID
    wish: Stop
    keep: Callable[[str], str]
    look: Callable[[Collection[UUID]], Collection[UUID]]
    crowded: Iterator[Event]


class Answering:
    """Its text so far, the wish to stop, and the end. `settle`: writes an end, or raises Unavailable
    where that may be possible later. `known`: its cost as far as that is certain. `outside`: None where it waits for nobody."""

    def __init__(self, message_id: UUID, user_id: UUID, events: Iterator[Event], settle: Callable[[Ending], None],
                 known: Done, began: float, outside: Outside | None = None) -> None:
        self.message_id = message_id
        self.user_id = user_id
        self.events = events
        self.settle = settle
        self.known = known
        self.began = began
        self.outside = outside
        self.text = ""
        self.first_token_ms: int | None = None
        self.finished = False
        self.is_ending = self.is_late = self._is_billed = False
        self._told: list[Callable[[], None]] = []
        self._unwritten: list[Ending] = []
        self._writing = threading.Lock()
        self._ended_after: int | None = None
        self._wanted: str | None = None
        self._kept = 0
        self.turn_at, self.tried_at = -KEEP, 0
        self._ending = threading.Lock()
        self._is_asked = False  # elsewhere, to stop

    @contextmanager
    def telling(self, tell: Callable[[], None]) -> Iterator[None]:
        """Within this, whoever waits for it is told of more text and of the end."""
        self._told.append(tell)
        try:
            yield
        finally:
            self._told.remove(tell)

    def _tell(self) -> None:
        for tell in [*self._told]:
            tell()

    def stop(self, status: str, final: bool = False) -> None:
        """End with what is there, as soon as the next event comes. `final`: without waiting for the exact bill either."""
        self._wanted = self._wanted or status
        if self.outside:
            self.outside.wish.ask(final)

    def hear(self) -> None:
        """It is wanted to end, or was ended, elsewhere. Whether anybody may still settle its bill, `keep` learns."""
        if not self.is_ending:
            self._is_asked = True
            self.stop("stopped")

    def is_due(self, look: int) -> bool:
        """To be kept: its text grew, and that was not done of late; or a stop was heard."""
        grew = not self.is_ending and len(self.text) > self._kept
        return self._is_asked or (grew and look - self.turn_at >= KEEP)

    def keep(self, look: int) -> None:
        """Its text so far, should this process die."""
        assert self.outside
        self.turn_at, self._is_asked, text = look, False, self.text  # its turn is over whatever comes of it
        wanted = self.outside.keep(text)
        self._kept = len(text)
        if wanted == "gone" or (wanted and not self.is_ending):
            self.stop("stopped", final=wanted == "gone")

    def turn_away(self) -> None:
        """No place for it outside: what is built in answers."""
        assert self.outside
        self.events, self.outside, self.known = self.outside.crowded, None, FREE

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

    @property
    def is_over(self) -> bool:
        """Nothing of it is left to be written."""
        return self._is_billed and not self._unwritten

    def save(self, done: Done, billed: bool = True) -> None:
        """The message once, the bill once: `billed` is False where that comes later."""
        self.end(done, billed)
        self.write()

    def end(self, done: Done, billed: bool = True) -> None:
        """As `save`, but for the next `write` to write."""
        with self._ending:
            if self._is_billed:
                return
            self.is_ending, self._is_billed = True, billed
            self._unwritten.append(Ending(done, self.text, self._took(), self.first_token_ms, billed))

    def write(self, patience: float = -1) -> bool:
        """What has ended, in its order. False: the database is away, and what is left is late. Not where somebody else is just
        changing the same row, or writing this one (`patience`: seconds to wait for that): it keeps no other waiting."""
        if not self._writing.acquire(timeout=patience):
            return True
        try:
            while self._unwritten:
                self._write(self._unwritten[0])
        except Unavailable as error:
            tell = log.warning if self._unwritten else log.error
            tell("answer not saved", message_id=str(self.message_id), again=bool(self._unwritten), error=type(error).__name__)
            return isinstance(error, Busy)
        finally:
            self.is_late = bool(self._unwritten)
            self._writing.release()
        return True

    def _write(self, ending: Ending) -> None:
        is_over = True
        try:
            self.settle(ending)
        except Unavailable:
            is_over = self._elapsed() > KEPT * 1000
            raise
        finally:
            if is_over:
                self._unwritten.pop(0)  # it is written, or nothing will come of it
                self.finished = True
                self._tell()

    def ending(self, status: str) -> Done:
        return replace(self.known, status=status)

    def _read(self) -> Done:
        for event in self.events:
            if isinstance(event, Done):
                return replace(event, status=self._wanted) if self._wanted else event
            if self.is_ending:
                continue  # what is read for its bill alone
            if isinstance(event, Draining):
                self._ended_after = self._elapsed()
                status = self._wanted or ("ok" if event.raised else "stopped")
                self.save(replace(self.ending(status), raised=event.raised), billed=False)
            elif self._wanted and not self.outside:
                return self.ending(self._wanted)
            else:
                self._append(event)
        return self.ending(self._wanted or "truncated")

    def _append(self, event: Delta) -> None:
        if self.first_token_ms is None and not event.beside:
            self.first_token_ms = self._elapsed()
        self.text += event.text
        self._tell()

    def _took(self) -> int:
        """Until the answer ended for whoever reads it; its bill may take longer."""
        return self._elapsed() if self._ended_after is None else self._ended_after

    def _elapsed(self) -> int:
        return round((time.monotonic() - self.began) * 1000)
