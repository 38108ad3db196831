"""The threads that write answers. They belong to the app, not to a page: whoever watches may come and go."""

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from operator import attrgetter
from uuid import UUID

import structlog

from lib.calls import Ending
from lib.errors import Busy, Unavailable
from lib.events import FREE, Delta, Done, Draining, Event, Stop

log = structlog.get_logger()

# Each waits far more than it works. Those that wait for a provider have places of their own: however many it keeps waiting, what
# is built in is answered at once.
PLACES = {"built in": 16, "outside": 128}
# A slow provider holds a place for a minute. If that is one clinic's own, it may have a quarter of the places, and more only
# while half of all are free: it takes three such clinics to keep any other waiting.
OF_ONE_CLINIC, CROWDED = PLACES["outside"] // 4, PLACES["outside"] // 2
LOOK = 0.3  # seconds between two looks for a stop that was asked for elsewhere: it is heard within half a second
KEEP = 3  # looks, until the text so far is kept as well where it grew: to write is dearer than to read
AT_ONCE = 5  # texts that one look keeps at most, so that what is written is bounded; beyond fifteen answers each waits longer
GRACE = 1.0  # seconds that a running answer gets at shutdown before it is saved as far as it came
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
    """One answer in the making: its text so far, the wish to stop, and the end. `settle`: writes an end, or raises Unavailable
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
        self._unwritten: list[Ending] = []
        self._writing = threading.Lock()
        self._ended_after: int | None = None
        self._wanted: str | None = None
        self._kept = 0
        self.turn_at = -KEEP
        self._news = threading.Condition()

    def wait(self, seen: int, timeout: float, called: Callable[[], bool] = lambda: False) -> bool:
        """Until there is more text than `seen` characters or the row is written. Whether it is. `called`: ends the wait as well,
        at the next `wake`."""
        with self._news:
            self._news.wait_for(lambda: self.finished or len(self.text) > seen or called(), timeout)
            return self.finished

    def wake(self) -> None:
        with self._news:
            self._news.notify_all()

    def stop(self, status: str, final: bool = False) -> None:
        """End with what is there, as soon as the next event comes. `final`: without waiting for the exact bill either."""
        self._wanted = self._wanted or status
        if self.outside:
            self.outside.wish.ask(final)

    def is_due(self, look: int) -> bool:
        """To be kept: its text grew, and that was not done of late."""
        return len(self.text) > self._kept and look - self.turn_at >= KEEP

    def keep(self, look: int) -> None:
        """Its text so far, should this process die; and a stop that was asked for elsewhere is heard."""
        assert self.outside
        self.turn_at, text = look, self.text  # its turn is over whatever comes of it
        wanted = self.outside.keep(text)
        self._kept = len(text)
        if wanted and not self.is_ending:
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

    def save(self, done: Done, billed: bool = True) -> None:
        """The message once, the bill once: `billed` is False where that comes later."""
        self.end(done, billed)
        _write(self)

    def end(self, done: Done, billed: bool = True) -> None:
        """As `save`, but for the next `write` to write."""
        with self._news:
            if self._is_billed:
                return
            self.is_ending, self._is_billed = True, billed
            self._unwritten.append(Ending(done, self.text, self._took(), self.first_token_ms, billed))

    def write(self) -> None:
        """What has ended, in its order. Raises Unavailable where the database is away: what is left then is late."""
        with self._writing:
            try:
                while self._unwritten:
                    self._write(self._unwritten[0])
            finally:
                self.is_late = bool(self._unwritten)

    def _write(self, ending: Ending) -> None:
        is_over = True
        try:
            self.settle(ending)
        except Unavailable:
            is_over = self._elapsed() > KEPT * 1000
            raise
        finally:
            if is_over:
                self._let_go()

    def _let_go(self) -> None:
        """It is written, or nothing will come of it."""
        if self._unwritten.pop(0).billed:
            _running.pop(self.message_id, None)
        with self._news:
            self.finished = True
            self._news.notify_all()

    def ending(self, status: str) -> Done:
        return replace(self.known, status=status)

    def _read(self) -> Done:
        for event in self.events:
            if isinstance(event, Done):
                return replace(event, status=self._wanted) if self._wanted else event
            if isinstance(event, Draining):
                self._ended_after = self._elapsed()
                status = self._wanted or ("ok" if event.raised else "stopped")
                self.save(replace(self.ending(status), raised=event.raised), billed=False)
            elif not self.is_ending:
                if self._wanted and not self.outside:
                    return self.ending(self._wanted)
                self._append(event)
        return self.ending(self._wanted or "truncated")

    def _append(self, event: Delta) -> None:
        with self._news:
            if self.first_token_ms is None and not event.beside:
                self.first_token_ms = self._elapsed()
            self.text += event.text
            self._news.notify_all()

    def _took(self) -> int:
        """Until the answer ended for whoever reads it; its bill may take longer."""
        return self._elapsed() if self._ended_after is None else self._ended_after

    def _elapsed(self) -> int:
        return round((time.monotonic() - self.began) * 1000)


_running: dict[UUID, Answering] = {}
_lock = threading.Lock()
_pools: dict[str, ThreadPoolExecutor] = {}
_closing = False
_keeper: threading.Thread | None = None


def start(job: Answering) -> None:
    """Its row is there already, so even one that comes too late is ended properly."""
    if job.finished:
        return
    with _lock:
        if not _closing:
            if job.outside and _is_crowded(job.outside.clinic_id):
                job.turn_away()
            _running[job.message_id] = job
            _pool("outside" if job.outside else "built in").submit(job.run)
            _look_after()
            return
    job.save(job.ending("abandoned"))


def _is_crowded(clinic_id: UUID) -> bool:
    taken = [job.outside.clinic_id for job in list(_running.values()) if job.outside]
    return len(taken) >= CROWDED and taken.count(clinic_id) >= OF_ONE_CLINIC


def _look_after() -> None:
    """One thread for all of them, while there are any."""
    global _keeper
    if _keeper is None:
        _keeper = threading.Thread(target=_keep, daemon=True, name="answers' keeper")
        _keeper.start()


def _keep() -> None:
    global _keeper
    for look in itertools.count():
        time.sleep(LOOK)
        with _lock:
            if not _running:
                _keeper = None
                return
        jobs = [job for job in list(_running.values()) if job.outside and not job.is_ending]
        if jobs:
            _hear_all(jobs, look)
        _keep_each(_whose_turn(jobs, look), look)
        if look % KEEP == 0:
            _write_late(look)


def _whose_turn(jobs: list[Answering], look: int) -> list[Answering]:
    return sorted((job for job in jobs if job.is_due(look)), key=attrgetter("turn_at"))[:AT_ONCE]


def _keep_each(jobs: list[Answering], look: int) -> None:
    for job in jobs:
        try:
            job.keep(look)
        except Exception as error:  # the thread's edge
            log.warning("answer not kept", message_id=str(job.message_id), error=type(error).__name__)
            if isinstance(error, Unavailable):
                return  # asked again in a moment, and for one answer only


def _write_late(look: int) -> None:
    """Whose turn was longest ago comes first, so that one which nothing comes of keeps no other waiting."""
    for job in sorted((job for job in list(_running.values()) if job.is_late), key=attrgetter("turn_at")):
        job.turn_at = look
        if not _write(job):
            return  # asked again in a moment, and for one answer only


def _write(job: Answering) -> bool:
    """False: the database is away. Not where somebody else is just changing the same, which keeps only this one waiting."""
    try:
        job.write()
    except Unavailable as error:
        tell = log.warning if job.is_late else log.error
        tell("answer not saved", message_id=str(job.message_id), again=job.is_late, error=type(error).__name__)
        return isinstance(error, Busy)
    return True


def _hear_all(jobs: list[Answering], look: int) -> None:
    """Stops that were asked for elsewhere: one question for all of them, and one more for each that there is."""
    assert jobs[0].outside
    try:
        wanted = jobs[0].outside.look([job.message_id for job in jobs])
    except Exception as error:  # the thread's edge
        log.warning("stops not heard", answers=len(jobs), error=type(error).__name__)
        return
    _keep_each([job for job in jobs if job.message_id in wanted], look)


def _pool(name: str) -> ThreadPoolExecutor:
    if name not in _pools:
        _pools[name] = ThreadPoolExecutor(PLACES[name], thread_name_prefix=f"answer {name}")
    return _pools[name]


def find(message_id: UUID) -> Answering | None:
    """The answer in the making, if this process makes it."""
    return _running.get(message_id)


def shutdown() -> None:
    """Every running answer is complete, or saved as far as it came, when this returns, if there is a database. A later start
    opens anew."""
    global _closing
    with _lock:
        pools = list(_pools.values())
        _pools.clear()
        _closing = True
    _wait_for_all(GRACE)
    for job in list(_running.values()):
        job.stop("abandoned", final=True)
    _wait_for_all(GRACE)
    _end_all()
    _wait_for_all(GRACE)
    for pool in pools:
        pool.shutdown(wait=False, cancel_futures=True)
    with _lock:
        _closing = False


def _end_all() -> None:
    """Of a silent upstream, too: its thread finds the row written when it wakes. While the database is away it is asked once."""
    jobs = list(_running.values())
    for job in jobs:
        job.end(job.ending("abandoned"))
    for job in jobs:
        if not _write(job):
            return


def _wait_for_all(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _running and time.monotonic() < deadline:
        time.sleep(0.02)
