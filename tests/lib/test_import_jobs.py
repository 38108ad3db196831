"""Imports as jobs: watched, stopped, gone on with, and done once whatever dies. The worker is a real one."""

import os
import signal
import subprocess
import sys

import pytest
from sqlalchemy import text

from lib import db, import_jobs, imports, jobs, long_jobs, startup
from lib.errors import Conflict, Forbidden, NotFound
from lib.settings import ROOT
from tests.lib.test_worker import wait_for

MAPPING = {"full_name": ["name"]}


def begin(who, people: int):
    data = "\n".join(["name", *(f"Person {n} Number{n}" for n in range(people))]).encode()
    with db.scope(who) as scope:
        return import_jobs.begin(scope, imports.read(data, "people.csv"), data, MAPPING, "ymd")


def see(who, job_id):
    with db.scope(who) as scope:
        return long_jobs.get(scope, job_id)


def report(who, job_id):
    with db.scope(who) as scope:
        return import_jobs.report(scope, long_jobs.get(scope, job_id))


def how_many(who) -> int:
    with db.scope(who) as scope:
        return scope.value("select count(*) from patients where clinic_id = :clinic_id")


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 2)


def test_an_import_is_done_with_its_report_and_its_file_is_gone(alice, owner, do_jobs):
    job_id = begin(alice, 5)
    assert (see(alice, job_id).status, see(alice, job_id).total) == ("waiting", 5)
    do_jobs()
    done = see(alice, job_id)
    assert (done.status, done.done, done.problem) == ("done", 5, "")
    assert [one.kind for one in report(alice, job_id).outcomes] == 5 * ["created"]
    assert how_many(alice) == 5
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic_id, :user_id)"), {"clinic_id": alice.clinic_id, "user_id": alice.user_id})
        assert connection.execute(text("select input from long_jobs where id = :id"), {"id": job_id}).scalar() is None


def test_each_batch_is_in_the_audit_log_in_the_name_of_whoever_asked(alice, bob, do_jobs, small_batches):
    job_id = begin(bob, 5)
    do_jobs()
    with db.scope(alice) as scope:
        rows = scope.connection.execute(text("""
            select user_id, action, resource_id, row_count, request_id from audit_log
            where clinic_id = :clinic and resource = 'patients' order by id
            """), {"clinic": alice.clinic_id}).all()
    assert [(row.user_id, row.action, row.row_count) for row in rows] == [
        (bob.user_id, "import_begin", 5), (bob.user_id, "import", 2), (bob.user_id, "import", 2), (bob.user_id, "import", 1)]
    assert {row.resource_id for row in rows} == {str(job_id)}


def test_one_that_waits_is_stopped_at_once_and_goes_on_when_asked(alice, do_jobs):
    job_id = begin(alice, 3)
    with db.scope(alice) as scope:
        long_jobs.cancel(scope, job_id)
    do_jobs()
    stopped = see(alice, job_id)
    assert (stopped.status, stopped.cancelled, stopped.done, how_many(alice)) == ("stopped", True, 0, 0)
    with db.scope(alice) as scope:
        long_jobs.go_on(scope, job_id)
    do_jobs()
    assert (see(alice, job_id).status, how_many(alice)) == ("done", 3)
    with pytest.raises(Conflict), db.scope(alice) as scope:
        long_jobs.go_on(scope, job_id)


def test_one_that_runs_stops_after_its_batch_and_what_is_done_stays(alice, do_jobs, small_batches, monkeypatch):
    job_id, write = begin(alice, 5), imports.write

    def cancelled_meanwhile(scope, found):
        step = write(scope, found)
        asking.append(job_id)
        return step

    asking: list = []
    advance = long_jobs.advance

    def ask_first(scope, *given):
        if asking:
            with db.scope(alice) as other:
                long_jobs.cancel(other, job_id)
        return advance(scope, *given)

    monkeypatch.setattr(imports, "write", cancelled_meanwhile)
    monkeypatch.setattr(long_jobs, "advance", ask_first)
    do_jobs()
    stopped = see(alice, job_id)
    assert (stopped.status, stopped.done, how_many(alice), len(report(alice, job_id).outcomes)) == ("stopped", 2, 2, 2)
    asking.clear()
    monkeypatch.setattr(imports, "write", write)
    with db.scope(alice) as scope:
        long_jobs.go_on(scope, job_id)
    do_jobs()
    assert (see(alice, job_id).status, how_many(alice)) == ("done", 5)
    assert [one.line for one in report(alice, job_id).outcomes] == [2, 3, 4, 5, 6]


def test_a_worker_that_is_asked_to_stop_leaves_the_rest_to_the_next(alice, small_batches):
    job_id, looks = begin(alice, 5), iter([False, True, False, False])
    jobs.connect(startup._server.url("chairside_worker"), 1)
    job = jobs.Job(job_id, alice.clinic_id, lambda: next(looks))
    with pytest.raises(jobs.Interrupted):
        import_jobs.run(job)
    assert (see(alice, job_id).status, how_many(alice)) == ("running", 2)
    import_jobs.run(job)
    jobs.disconnect()
    assert (see(alice, job_id).status, how_many(alice)) == ("done", 5)


def test_who_left_in_the_meantime_imports_nobody(alice, bob, do_jobs, owner):
    job_id = begin(bob, 3)
    with db.scope(alice) as scope:
        scope.run("update memberships set ended_at = now() where clinic_id = :clinic_id and user_id = :bob", bob=bob.user_id)
    do_jobs()
    assert how_many(alice) == 0
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic_id, :user_id)"), {"clinic_id": alice.clinic_id, "user_id": alice.user_id})
        assert connection.execute(text("select status from long_jobs where id = :id"), {"id": job_id}).scalar() == "failed"


def test_a_killed_workers_import_is_finished_by_the_next_and_every_row_is_there_once(alice, database, owner):
    job_id = begin(alice, 4000)
    environment = {**os.environ, "DATABASE_WORKER_URL": startup._server.url("chairside_worker"), "CHAIRSIDE_WORKER_TIMEOUT": "2"}

    def start() -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-m", "lib.worker"], cwd=ROOT, env=environment)

    victim = start()
    wait_for(lambda: see(alice, job_id).done > 0, 30)
    victim.kill()
    victim.wait()
    left = see(alice, job_id)
    assert left.status == "running"
    assert 0 < left.done < 4000
    assert how_many(alice) == left.done
    heir = start()
    try:
        wait_for(lambda: see(alice, job_id).status == "done", 60)
    finally:
        heir.send_signal(signal.SIGTERM)
        heir.wait(20)
    assert how_many(alice) == 4000
    assert sorted(one.line for one in report(alice, job_id).outcomes) == list(range(2, 4002))


def test_one_whose_queued_job_failed_has_failed_too_and_can_go_on(alice, owner, do_jobs):
    job_id = begin(alice, 2)
    with owner.begin() as connection:
        connection.execute(text("set local search_path = procrastinate, public"))
        connection.execute(text("update procrastinate_jobs set status = 'failed' where args ->> 'id' = :id"), {"id": str(job_id)})
        connection.execute(text("update long_jobs set created_at = now() - interval '1 hour' where id = :id"), {"id": job_id})
        connection.execute(text("select app.rescue_jobs('1 minute')"))
    assert see(alice, job_id).status == "failed"
    with db.scope(alice) as scope:
        long_jobs.go_on(scope, job_id)
    do_jobs()
    assert (see(alice, job_id).status, how_many(alice)) == ("done", 2)


# walls ---------------------------------------------------------------------------------------------------------------


def test_a_colleague_and_an_outsider_find_no_job_of_somebody_elses(alice, bob, charlie, do_jobs):
    job_id = begin(alice, 1)
    for stranger in (bob, charlie):
        with db.scope(stranger) as scope:
            assert long_jobs.mine(scope) == []
            assert long_jobs.latest(scope, "import") is None
        for ask in (long_jobs.get, long_jobs.cancel, long_jobs.go_on, long_jobs.dismiss):
            with pytest.raises(NotFound), db.scope(stranger) as scope:
                ask(scope, job_id)
    do_jobs()
    for stranger in (bob, charlie):
        with db.scope(stranger) as scope:
            assert scope.value("select count(*) from import_outcomes where clinic_id = :clinic_id") == 0
    assert see(alice, job_id).status == "done"


def test_receptionists_and_managers_begin_no_import(rita, mona):
    for who in (rita, mona):
        with pytest.raises(Forbidden):
            begin(who, 1)


def test_the_app_marks_nothing_as_done(alice):
    job_id = begin(alice, 1)
    for change in ("done = 1", "problem = 'x'", "input = null", "total = 5"):
        with pytest.raises(Forbidden), db.scope(alice) as scope:
            scope.run(f"update long_jobs set {change} where clinic_id = :clinic_id and id = :id", id=job_id)
    with pytest.raises(Forbidden), db.scope(alice) as scope:
        scope.value("select input from long_jobs where clinic_id = :clinic_id and id = :id", id=job_id)


def test_a_report_is_forgotten_after_a_week(alice, owner, do_jobs):
    job_id = begin(alice, 1)
    do_jobs()
    with owner.begin() as connection:
        connection.execute(text("update long_jobs set created_at = now() - interval '8 days' where id = :id"), {"id": job_id})
        connection.execute(text("select app.forget_long_jobs()"))
    with pytest.raises(NotFound):
        see(alice, job_id)


def test_notes_and_what_was_there_before_are_the_workers_to_write(alice, do_jobs):
    """In the name of whoever asked, through every trigger that stands on these tables."""
    mapping = {"full_name": ["name"], "external_id": ["id"], "alerts": ["alerts"]}
    for alerts in ("Latex", "Latex and penicillin"):
        data = f"id,name,alerts\n7,Ann Lee,{alerts}".encode()
        with db.scope(alice) as scope:
            job_id = import_jobs.begin(scope, imports.read(data, "people.csv"), data, mapping, "ymd")
        do_jobs()
        assert see(alice, job_id).status == "done"
    assert [one.kind for one in report(alice, job_id).outcomes] == ["updated"]
