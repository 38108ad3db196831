"""The worker, with real processes of it and the real queue. ADR 015."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
import structlog
from procrastinate.manager import JobManager
from sqlalchemy import text
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from lib import chores, db, jobs, settings, startup, worker
from lib.settings import ROOT
from tests.conftest import serving

PATIENCE = 2


@pytest.fixture
def worker_process(database) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts `python -m lib.worker` as in production: knowing the worker's address only."""
    started = []

    def start(program: str = "from lib import worker; worker.main()", **environment: str) -> subprocess.Popen:
        started.append(subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "DATABASE_WORKER_URL": startup._server.url("chairside_worker"),
                 "CHAIRSIDE_WORKER_TIMEOUT": str(PATIENCE), **environment}))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        process.stderr.close()


def rows(owner, sql: str, **values) -> list:
    with owner.connect() as connection:
        connection.execute(text("set local search_path = procrastinate, public"))
        return connection.execute(text(sql), values).all()


def wait_for(condition: Callable[[], object], seconds: float = 20) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.fixture
def defer(owner):
    """Jobs of a task that only tests know."""
    def put(task: str, count: int = 1) -> list[int]:
        with owner.begin() as connection:
            connection.execute(text("set local search_path = procrastinate"))
            return [connection.execute(text("""
                insert into procrastinate_jobs (queue_name, task_name, args)
                values ('default', :task, jsonb_build_object('id', cast(:id as text)))
                returning id
                """), {"task": task, "id": str(uuid4())}).scalar_one() for _n in range(count)]
    return put


def ended(owner, ids: list[int]) -> list:
    found = rows(owner, "select id, status::text, attempts from procrastinate_jobs where id = any(:ids) order by id", ids=ids)
    return found if all(row.status in ("succeeded", "failed", "aborted") for row in found) else []


# Each run of a job leaves a row, as the worker's role: in a table that belongs to the test.
TALLY = """
import os, time
from lib import chores, db, jobs, worker
def note(job, word):
    with jobs.transaction() as connection:
        connection.execute(db.statement("insert into procrastinate.tally (job, word, pid) values (:job, :word, :pid)"),
                           {"job": job.id, "word": word, "pid": os.getpid()})
def count(job):
    note(job, "ran")
def hang_once(job):
    with jobs.transaction() as connection:
        first = not connection.execute(db.statement("select count(*) from procrastinate.tally where job = :job"),
                                       {"job": job.id}).scalar_one()
    note(job, "began")
    if first or HANG:
        time.sleep(600)
    note(job, "ran")
HANG = bool(os.environ.get("HANG"))
chores.ASKED.update(count=count, hang_once=hang_once)
worker.main()
"""


@pytest.fixture
def tally(owner) -> Iterator[Callable[[], list]]:
    with owner.begin() as connection:
        connection.execute(text("create table procrastinate.tally (job uuid, word text, pid integer)"))
        connection.execute(text("grant select, insert on procrastinate.tally to chairside_worker"))
    yield lambda: rows(owner, "select job, word, pid from tally")
    with owner.begin() as connection:
        connection.execute(text("drop table procrastinate.tally"))


def test_of_three_processes_each_takes_some_and_no_job_runs_twice(worker_process, tally, defer, owner):
    ids = defer("count", 150)
    for _n in range(3):
        worker_process(TALLY)
    wait_for(lambda: ended(owner, ids), 40)
    ran = tally()
    assert len(ran) == len({row.job for row in ran}) == 150
    assert len({row.pid for row in ran}) > 1
    assert {row.status for row in ended(owner, ids)} == {"succeeded"}


def test_a_killed_workers_job_is_done_once_by_another(worker_process, tally, defer, owner):
    [job] = defer("hang_once")
    victim = worker_process(TALLY)
    wait_for(tally)
    victim.kill()
    victim.wait()
    began = time.monotonic()
    worker_process(TALLY)
    [found] = wait_for(lambda: ended(owner, [job]))
    assert found.status == "succeeded"
    assert time.monotonic() - began < 6 * PATIENCE
    assert [row.word for row in tally()].count("ran") == 1


@pytest.mark.long
def test_a_job_whose_workers_die_three_times_has_failed(worker_process, tally, defer, owner):
    [job] = defer("hang_once")
    for attempt in range(1, 4):
        victim = worker_process(TALLY, HANG="1")
        wait_for(lambda attempt=attempt: len(tally()) == attempt)
        victim.kill()
        victim.wait()
    worker_process(TALLY)
    [found] = wait_for(lambda: ended(owner, [job]))
    assert (found.status, found.attempts) == ("failed", 3)


def test_a_process_stops_when_it_is_told_to(worker_process, owner):
    process = worker_process()
    wait_for(lambda: rows(owner, "select id from procrastinate_workers"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert not rows(owner, "select id from procrastinate_workers")


def test_told_to_stop_while_it_signs_on_it_signs_off(database, owner, monkeypatch):
    register, told = JobManager.register_worker, asyncio.Event()

    async def slowly(self) -> int:
        number = await register(self)
        told.set()
        await asyncio.sleep(0.2)
        return number

    async def stop_at_once() -> None:
        working = asyncio.create_task(worker.work(startup._server.url("chairside_worker")))
        await told.wait()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working

    before = rows(owner, "select id from procrastinate_workers")
    monkeypatch.setattr(JobManager, "register_worker", slowly)
    asyncio.run(stop_at_once())
    assert set(rows(owner, "select id from procrastinate_workers")) <= set(before)


def test_a_database_that_is_away_at_the_start_is_named_without_its_password(database):
    done = subprocess.run([sys.executable, "-m", "lib.worker"], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "DATABASE_WORKER_URL": "postgresql://chairside_worker:hunter2@127.0.0.1:1/chairside"})
    assert done.returncode == 1
    assert "DATABASE_WORKER_URL can't be reached" in done.stderr
    assert "hunter2" not in done.stderr


# in the app ----------------------------------------------------------------------------------------------------------


def test_the_clocks_chores_are_done_as_the_worker(working, owner):
    wait_for(lambda: {row.task_name for row in rows(owner, "select task_name from procrastinate_jobs where status = 'succeeded'")}
             >= {"seal", "sweep"})
    wait_for(lambda: jobs.state().workers)


def test_a_setting_leaves_the_worker_out(database, monkeypatch):
    configured = settings.get().model_copy(update={"worker": False})
    monkeypatch.setattr(settings, "get", lambda: configured)
    worker.start()
    assert worker._running is None


def test_a_served_app_does_jobs_and_takes_its_worker_along_when_it_stops(database, alice, owner):
    with serving():
        with db.scope(alice) as scope:
            jobs.defer(scope, "mail_invitation", alice.user_id)
        job = "select status::text from procrastinate_jobs where args ->> 'clinic_id' = :clinic"
        wait_for(lambda: [row.status for row in rows(owner, job, clinic=str(alice.clinic_id))] == ["succeeded"], 40)
    assert rows(owner, "select id from procrastinate_workers where last_heartbeat > now() - interval '15 seconds'") == []


def test_the_worker_comes_back_with_a_killed_database(tmp_path):
    code = """
import os, time
from lib import audit, db, jobs, startup, worker
from lib.errors import AppError
startup.start()
worker.start()
def workers():
    try:
        return jobs.state().workers
    except AppError:
        return 0
def newest():
    with db.nobody() as connection:
        connection.exec_driver_sql("select 1")
    import psycopg
    with psycopg.connect(startup._server.url("chairside_owner")) as connection:
        return connection.execute("select max(id) from procrastinate.procrastinate_workers").fetchone()[0] or 0
def wait(condition):
    end = time.monotonic() + 40
    while time.monotonic() < end:
        try:
            if condition():
                return
        except Exception:
            pass
        time.sleep(0.2)
    raise SystemExit("it did not come back")
wait(workers)
before = newest()
os.kill(int((startup._server.cluster / "postmaster.pid").read_text().split()[0]), 9)
wait(lambda: newest() > before)
print("back")
worker.stop()
startup.stop()
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "CHAIRSIDE", "JWT"))}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=90,
                          env={**clean, "CHAIRSIDE_DATA": str(tmp_path / "data")})
    assert done.returncode == 0, done.stderr[-900:]
    assert done.stdout.splitlines()[-1] == "back"


def test_the_thread_is_gone_when_it_was_stopped(database):
    worker.start()
    thread = worker._running
    worker.stop()
    assert not thread.is_alive()


# the queue's rules ---------------------------------------------------------------------------------------------------


def test_a_job_is_queued_with_what_causes_it_or_not_at_all(alice, owner):
    with contextlib.suppress(ZeroDivisionError), db.scope(alice) as scope:
        jobs.defer(scope, "mail_invitation", alice.user_id)
        raise ZeroDivisionError
    assert rows(owner, "select id from procrastinate_jobs where args ->> 'clinic_id' = :id", id=str(alice.clinic_id)) == []


def test_arguments_are_ids_and_the_clinic_is_the_transactions_own(alice, owner):
    with db.scope(alice) as scope:
        jobs.defer(scope, "mail_invitation", alice.user_id)
    [found] = rows(owner, "select args from procrastinate_jobs where args ->> 'clinic_id' = :id", id=str(alice.clinic_id))
    assert found.args == {"clinic_id": str(alice.clinic_id), "id": str(alice.user_id)}


def test_what_a_job_logs_says_which_job_it_is_and_of_which_clinic(alice, do_jobs, monkeypatch):
    monkeypatch.setitem(chores.ASKED, "mail_invitation", lambda _job: structlog.get_logger().info("done as asked"))
    with db.scope(alice) as scope:
        jobs.defer(scope, "mail_invitation", alice.user_id)
    with capture_logs(processors=[merge_contextvars]) as lines:
        do_jobs()
    assert {"request_id": f"job {alice.user_id}", "clinic_id": str(alice.clinic_id), "event": "done as asked", "log_level": "info"} in lines


def test_the_app_defers_what_the_worker_knows_and_nothing_else(alice, owner):
    from lib.errors import Forbidden
    [(source,)] = rows(owner, "select pg_get_functiondef('app.defer_job'::regproc)")
    assert all(f"'{name}'" in source for name in set(chores.ASKED) - {"mail_reset", "tell_alert", "tell_clinic_alert"})
    for task in ("mail_reset", "tell_clinic_alert", "seal", "anything"):
        with pytest.raises(Forbidden), db.scope(alice) as scope:
            jobs.defer(scope, task, alice.user_id)


def test_the_app_cannot_touch_the_queue_itself(alice):
    from lib.errors import Forbidden
    for statement in ("select count(*) from procrastinate.procrastinate_jobs", "select app.rescue_jobs('1 minute')",
                      "select app.issue_reset_of(:clinic_id, sha256('x'))", "select app.enter_job(:clinic_id)"):
        with pytest.raises(Forbidden), db.scope(alice) as scope:
            scope.run(statement)


def test_a_job_in_a_clinic_sees_no_other(alice, charlie, owner):
    with jobs_connected(), jobs.scope(alice.clinic_id) as scope:
        assert scope.value("select count(*) from memberships where clinic_id = :other", other=charlie.clinic_id) == 0
        assert scope.value("select count(*) from memberships where clinic_id = :clinic_id") == 1


def test_on_somebodys_behalf_ends_with_the_membership(alice, charlie):
    from lib.errors import Forbidden
    with jobs_connected():
        with jobs.on_behalf(alice.clinic_id, alice.user_id) as scope:
            assert (scope.identity.role, scope.identity.country) == ("owner", "DE")
        with pytest.raises(Forbidden), jobs.on_behalf(alice.clinic_id, charlie.user_id):
            pass


@contextlib.contextmanager
def jobs_connected() -> Iterator[None]:
    jobs.connect(startup._server.url("chairside_worker"), 1)
    yield
    jobs.disconnect()
