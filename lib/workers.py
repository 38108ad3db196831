"""The threads that write answers. They belong to the app, not to a page: whoever watches may come and go."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from uuid import UUID

import structlog

from lib.answering import KEEP, Answering
from lib.errors import Unavailable

log = structlog.get_logger()

# Each waits far more than it works. Those that wait for a provider have places of their own: however many it keeps waiting, what
# is built in is answered at once.
PLACES = {"built in": 16, "outside": 128}
# A slow provider holds a place for a minute. If that is one clinic's own, it may have a quarter of the places, and more only
# while half of all are free: it takes three such clinics to keep any other waiting.
OF_ONE_CLINIC, CROWDED = PLACES["outside"] // 4, PLACES["outside"] // 2
LOOK = 0.3  # seconds between two looks for a stop that was asked for elsewhere: it is heard within half a second
AT_ONCE = 5  # texts that one look keeps at most, so that what is written is bounded; beyond fifteen answers each waits longer
GRACE = 1.0  # seconds that a running answer gets at shutdown before it is saved as far as it came
MOMENT = 1.0  # seconds that a shutdown waits for those who are writing endings already

_running: dict[UUID, Answering] = {}
_lock = threading.Lock()
_pools: dict[str, ThreadPoolExecutor] = {}
_closing = False
_threads: dict[str, threading.Thread] = {}


def start(job: Answering) -> None:
    """Its row is there already, so even one that comes too late is ended properly."""
    if job.finished:
        return
    with _lock:
        if not _closing:
            if job.outside and _is_crowded(job.outside.clinic_id):
                job.turn_away()
            _running[job.message_id] = job
            _pool("outside" if job.outside else "built in").submit(_run, job)
            _look_after()
            return
    job.save(job.ending("abandoned"))


def _is_crowded(clinic_id: UUID) -> bool:
    taken = [job.outside.clinic_id for job in list(_running.values()) if job.outside]
    return len(taken) >= CROWDED and taken.count(clinic_id) >= OF_ONE_CLINIC


def _run(job: Answering) -> None:
    try:
        job.run()
    finally:
        _forget(job)


def _forget(job: Answering) -> None:
    if job.is_over:
        _running.pop(job.message_id, None)


def _look_after() -> None:
    """Two threads for all of them, while there are any. Who writes may have to wait for somebody else's lock, and who hears what
    is wanted does not."""
    for name, work in (("listener", _listen), ("writer", _write_due)):
        if name not in _threads or not _threads[name].is_alive():
            thread = threading.Thread(target=_repeat, args=(name, work), daemon=True, name=f"answers' {name}")
            thread.start()
            _threads[name] = thread


def _repeat(name: str, work: Callable[[int], None]) -> None:
    for look in itertools.count():
        time.sleep(LOOK)
        with _lock:
            if not _running:
                del _threads[name]
                return
        try:
            work(look)
        except Exception as error:  # the thread's edge
            log.warning("answers not looked after", thread=name, error=type(error).__name__)


def _listen(_look: int) -> None:
    """For stops that were asked for elsewhere: one question for all."""
    jobs = {job.message_id: job for job in list(_running.values()) if job.outside and not job.is_ending}
    look = next((job.outside.look for job in jobs.values() if job.outside), None)
    for message_id in look(jobs) if look else ():
        jobs[message_id].hear()


def _write_due(look: int) -> None:
    _keep_each(_whose_turn([job for job in list(_running.values()) if job.outside], look), look)
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
    for job in sorted((job for job in list(_running.values()) if job.is_late), key=attrgetter("tried_at")):
        job.tried_at = look
        if not _write(job):
            return  # asked again in a moment, and for one answer only


def _write(job: Answering, patience: float = -1) -> bool:
    """As `Answering.write`."""
    try:
        return job.write(patience)
    except Exception as error:  # the thread's edge
        log.error("answer not saved", message_id=str(job.message_id), again=False, error=type(error).__name__)
        return True
    finally:
        _forget(job)


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
    deadline = time.monotonic() + MOMENT
    for job in jobs:
        if not _write(job, max(0.0, deadline - time.monotonic())):
            return


def _wait_for_all(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _running and time.monotonic() < deadline:
        time.sleep(0.02)
