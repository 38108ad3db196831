"""The worker: does the queued jobs, in a thread of the app or, in production, in processes of its own: `python -m lib.worker`."""

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import procrastinate
import structlog
from procrastinate import builtin_tasks
from procrastinate.worker import Worker

from lib import chores, crash_reports, db, jobs, logs, settings, startup
from lib.errors import AppError, SetUpError
from lib.jobs import Job

log = structlog.get_logger()
OPTIONS = f"{db.OPTIONS} -c search_path=procrastinate"
GRACE = 2.0  # seconds that running jobs get when the worker stops, before they are asked to stop
LOOK = 1.0  # seconds: a clinic's imports wait for one another, and nobody is told when the first is done
KEPT = 72  # hours for which the queue still shows what was done; failures thrice as long
_running: "Thread | None" = None


class Retry(procrastinate.BaseRetryStrategy):
    """What was interrupted goes on at once; what failed is tried again after 4, 16, 64, 256 and 1,024 seconds."""

    def get_retry_decision(self, *, exception: BaseException, job: Any) -> procrastinate.RetryDecision | None:
        if isinstance(exception, jobs.Interrupted):
            return procrastinate.RetryDecision(retry_in={"seconds": 0})
        return procrastinate.RetryDecision(retry_in={"seconds": 4 ** (job.attempts + 1)}) if job.attempts < 5 else None


class Thread(threading.Thread):
    """The worker beside the pages of an app."""

    def __init__(self, url: str) -> None:
        super().__init__(name="worker", daemon=True)
        self._url = url
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)  # for its end: nothing stays behind in the loop
        self._loop = self._runner.get_loop()
        self._work: asyncio.Task[None] | None = None

    def run(self) -> None:
        with self._runner, contextlib.suppress(asyncio.CancelledError):
            self._work = self._loop.create_task(work(self._url))
            self._loop.run_until_complete(self._work)

    def stop(self) -> None:
        """Whatever does not end in time is taken up by the next worker."""
        with contextlib.suppress(RuntimeError):  # it has closed its loop already
            self._loop.call_soon_threadsafe(lambda: self._work and self._work.cancel())
        self.join(3 * GRACE)


def start() -> None:
    """In a thread, unless CHAIRSIDE_WORKER says otherwise or this process doesn't know the worker's address."""
    global _running
    if not settings.get().worker or _running:
        return
    try:
        url = startup.worker_address()
    except AppError as error:
        log.error("no worker runs in this process", error=type(error).__name__)
        return
    if url is None:
        log.warning("no worker runs in this process; start python -m lib.worker")
        return
    _running = Thread(url)
    _running.start()


def stop() -> None:
    global _running
    if _running is not None:
        _running.stop()
    _running = None


async def work(url: str) -> None:
    """Until it is cancelled. A database that is away is tried again every second, and told of once."""
    jobs.connect(url, settings.get().worker_jobs)
    told = False
    try:
        while True:
            try:
                await _work_once(url)
                told = False
            except Exception as error:  # the worker's edge: whatever it is, there is another try
                task = asyncio.current_task()
                if task and task.cancelling():
                    break
                if not told:
                    log.error("the worker was interrupted", reason=type(error).__name__)
                told = True
            await asyncio.sleep(1)
    finally:
        jobs.disconnect()


async def _work_once(url: str) -> None:
    patience = settings.get().worker_timeout
    app, rescuing = make_app(url), asyncio.create_task(_rescue(patience))
    try:
        await app.open_async()
        await _run(Worker(
            app, concurrency=settings.get().worker_jobs, install_signal_handlers=False, shutdown_graceful_timeout=GRACE,
            fetch_job_polling_interval=LOOK,
            update_heartbeat_interval=patience / 6, stalled_worker_timeout=patience))
    finally:
        rescuing.cancel()
        await app.close_async()  # also where it was stopped while it opened


async def _run(working: Worker) -> None:
    """Stopped, never cancelled: cancelled while it signs on, it would stand in the list of those that live for a minute more."""
    run = asyncio.create_task(working.run())  # type: ignore[no-untyped-call]
    try:
        await asyncio.shield(run)
    except asyncio.CancelledError:
        working.stop()  # type: ignore[no-untyped-call]
        await run
        raise


async def _rescue(patience: int) -> None:
    """What a killed worker held goes to another, within twice that time. One statement by each worker; the database picks one."""
    while True:
        try:
            await asyncio.to_thread(_take_back, patience)
        except AppError as error:
            log.error("jobs of killed workers were not looked for", reason=type(error).__name__)
        await asyncio.sleep(patience / 3)


def _take_back(patience: int) -> None:
    with jobs.transaction() as connection:
        rescued = connection.execute(db.statement("select app.rescue_jobs(:patience)"),
                                     {"patience": timedelta(seconds=patience)}).scalar_one()
    if rescued:
        log.warning("jobs of killed workers were taken back", jobs=rescued)


# tasks ---------------------------------------------------------------------------------------------------------------


def make_app(url: str) -> procrastinate.App:
    connector = procrastinate.PsycopgConnector(
        conninfo=url, min_size=1, max_size=4, timeout=10,
        kwargs={"options": OPTIONS, "prepare_threshold": None, "connect_timeout": 5, **db.SILENCE})
    app = procrastinate.App(connector=connector)
    for name, asked in chores.ASKED.items():
        app.task(name=name, retry=Retry(), pass_context=True)(partial(_do, asked))
    for name, (cron, chore) in chores.BY_THE_CLOCK.items():
        app.periodic(cron=cron)(app.task(name=name, queueing_lock=name)(_by_the_clock(chore)))
    app.periodic(cron="27 * * * *")(app.task(name="forget_jobs", queueing_lock="forget_jobs", pass_context=True)(_forget_jobs))
    return app


def _do(chore: Callable[[Job], None], context: procrastinate.JobContext, id: str, clinic_id: str | None = None) -> None:
    logs.begin(request_id=f"job {id}", **({"clinic_id": clinic_id} if clinic_id else {}))
    try:
        chore(Job(UUID(id), UUID(clinic_id) if clinic_id else None, context.should_abort))
    finally:
        logs.end()


def _by_the_clock(chore: Callable[[], None]) -> Callable[..., None]:
    def run(timestamp: int) -> None:
        chore()
    return run


async def _forget_jobs(context: procrastinate.JobContext, timestamp: int) -> None:
    await builtin_tasks.remove_old_jobs(context, max_hours=KEPT)
    await builtin_tasks.remove_old_jobs(context, max_hours=3 * KEPT, remove_failed=True, remove_cancelled=True,
                                        remove_aborted=True)


# a process of its own ------------------------------------------------------------------------------------------------


async def _serve(url: str) -> None:
    working: Awaitable[Any] = asyncio.ensure_future(work(url))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)  # type: ignore[attr-defined]
    await working


def main() -> None:
    logs.configure()
    try:
        crash_reports.configure()
        url = startup.start_worker()
    except SetUpError as error:
        sys.exit(str(error))
    try:
        with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
            asyncio.run(_serve(url))
    finally:
        startup.stop()


if __name__ == "__main__":
    from lib import worker  # under its own name, which procrastinate gives to the tasks

    worker.main()
