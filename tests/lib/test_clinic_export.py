"""The whole clinic as one archive: everything, nobody else's, no formula, no secret, never all of it in memory; made by a job."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import psycopg
import pytest
from sqlalchemy import text

from lib import clinic_export, clinic_tables, credentials, db, dump, erasures, export_jobs, jobs, long_jobs, patients, startup
from lib.errors import Conflict, Forbidden, NotFound
from lib.patient_form import PatientForm
from lib.settings import ROOT
from tests.lib.known import CANARIES, act, furnish
from tests.lib.test_worker import wait_for
from tests.test_rules import TENANTS

UNTOLD = {"77028109"}  # the reversed phone number, of the search column
PARTED = {"canarydraft", "canarycache"}  # LEFT_OUT


def begin(who):
    with db.scope(who) as scope:
        return export_jobs.begin(scope)


def see(who, job_id):
    with db.scope(who) as scope:
        return long_jobs.get(scope, job_id)


def parts(who) -> int:
    with db.scope(who) as scope:
        return scope.value("select count(*) from export_parts where clinic_id = :clinic_id")


@pytest.fixture
def export(do_jobs):
    def make(who) -> zipfile.ZipFile:
        begin(who)
        do_jobs()
        return zipfile.ZipFile(io.BytesIO(b"".join(clinic_export.send(who))))
    return make


def rows(archive: zipfile.ZipFile, table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(f"{table}.csv").decode())))


@pytest.fixture
def full(alice, bob):
    return furnish(alice, bob)


def test_every_table_of_a_clinic_is_in_it_or_named_with_the_reason(owner):
    assert set(clinic_tables.STATEMENTS) | set(clinic_tables.LEFT_OUT) == TENANTS
    with owner.connect() as connection:
        columns = {table: set(connection.execute(text("""
            select attname from pg_attribute where attrelid = cast(:table as regclass) and attnum > 0 and not attisdropped
            """), {"table": table}).scalars()) for table in clinic_tables.STATEMENTS}
    with db.nobody() as connection:
        for table, statement in clinic_tables.STATEMENTS.items():
            told = set(connection.execute(text(statement), {"clinic_id": None, "after": None}).keys())
            assert columns[table] - told == clinic_tables.OMITTED.get(table, set()), table


def test_it_holds_what_the_clinic_knows(alice, bob, full, export):
    act(bob, credentials.submit, "Dentist", "4711", credentials.Document("licence (1).pdf", "application/pdf", b"%PDF-1.7 licence"))
    archive = export(alice)
    assert archive.testzip() is None
    everything = "\n".join(archive.read(name).decode() for name in archive.namelist()).lower()
    assert {word for word in CANARIES if word not in everything} == UNTOLD | PARTED
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["rows"]["chat_messages"] == len(rows(archive, "chat_messages")) == 3
    assert manifest["rows"]["patient_versions"] == 2
    assert {row["role"] for row in rows(archive, "memberships")} == {"owner", "clinician"}
    [document] = [name for name in archive.namelist() if name.startswith("documents/")]
    assert document.endswith("-licence__1_.pdf")
    assert archive.read(document) == b"%PDF-1.7 licence"


def test_it_holds_no_secret_and_no_other_clinic(alice, charlie, full, export):
    act(charlie, patients.register, PatientForm(full_name="Canaryforeign"))
    archive = export(alice)
    everything = "\n".join(archive.read(name).decode() for name in archive.namelist()).lower()
    assert archive.read("merges.csv").startswith(b"clinic_id,id,kept_id")  # an empty table says so
    assert "canaryforeign" not in everything
    assert "$2b$" not in everything
    assert str(charlie.clinic_id) not in everything


def test_no_cell_is_a_formula_and_each_can_be_read_back(alice, export):
    act(alice, patients.register, PatientForm(full_name="=cmd|'/c calc'!A1", medical_notes="+1\n@sum(a1)"))
    archive = export(alice)
    [patient], [note] = rows(archive, "patients"), rows(archive, "patient_notes")
    assert patient["full_name"] == "'=cmd|'/c calc'!A1"
    assert note["medical_notes"].startswith("'+1")


def test_pages_follow_each_other_without_gap_or_repetition(alice, export):
    with db.scope(alice) as scope:
        scope.run_many("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, :name)
            """, [{"me": alice.user_id, "name": f"Patient {number}"} for number in range(2100)])
    names = [row["full_name"] for row in rows(export(alice), "patients")]
    assert names == [f"Patient {number}" for number in range(2100)]


def test_it_leaves_piece_by_piece(alice, export):
    export(alice)
    pieces = clinic_export.send(alice)
    first = b"".join(islice(pieces, 6))
    assert first.startswith(b"PK")
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(first))


@pytest.mark.parametrize("role", ["manager", "clinician", "receptionist"])
def test_only_an_owner_gets_it(alice, hire, role):
    other = hire(alice, role, "Some Body")
    with pytest.raises(Forbidden):
        begin(other)
    with pytest.raises(Forbidden):
        clinic_export.send(other)


def test_nobody_fetches_a_colleagues_nor_one_that_is_not_made(alice, hire, charlie, do_jobs):
    job_id, second = begin(alice), hire(alice, "owner", "Olga Owen")
    with pytest.raises(Conflict):
        clinic_export.send(alice)
    do_jobs()
    for stranger in (second, charlie):
        assert parts(stranger) == 0
        with pytest.raises(NotFound):
            clinic_export.send(stranger)
        with pytest.raises(NotFound), db.scope(stranger) as scope:
            export_jobs.discard(scope, job_id)
    assert parts(alice) > 20


def test_who_loses_the_right_gets_no_further(alice, hire, owner, do_jobs):
    second = hire(alice, "owner", "Olga Owen")
    begin(second)
    do_jobs()
    pieces = clinic_export.send(second)
    next(pieces)
    leave(owner, second)
    with pytest.raises(Forbidden):
        list(pieces)


def test_who_lost_the_right_before_it_began_gets_no_file(alice, hire, owner, do_jobs):
    second = hire(alice, "owner", "Olga Owen")
    job_id = begin(second)
    leave(owner, second)
    do_jobs()
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic_id, :user_id)"), {"clinic_id": alice.clinic_id, "user_id": alice.user_id})
        assert connection.execute(text("select status from long_jobs where id = :id"), {"id": job_id}).scalar() == "failed"
        assert connection.execute(text("select count(*) from export_parts where job_id = :id"), {"id": job_id}).scalar() == 0


def test_who_is_an_owner_no_more_gets_no_further(alice, hire, owner, do_jobs):
    second = hire(alice, "owner", "Olga Owen")
    begin(second)
    do_jobs()
    pieces = clinic_export.send(second)
    next(pieces)
    with owner.begin() as connection:
        connection.execute(text("update memberships set role = 'manager' where user_id = :id"), {"id": second.user_id})
    with pytest.raises(NotFound):
        list(pieces)


def leave(owner, who) -> None:
    with owner.begin() as connection:
        connection.execute(text("update memberships set ended_at = now() where user_id = :id"), {"id": who.user_id})


def test_begin_end_and_fetching_stand_in_the_record(alice, export):
    export(alice)
    with db.scope(alice) as scope:
        told = scope.connection.execute(text("select resource_id, row_count from audit_log where action = 'export' order by id")).all()
    assert [row.resource_id for row in told] == ["begun", "done", "fetched"]
    assert told[1].row_count >= 2


# the job -------------------------------------------------------------------------------------------------------------


def test_one_is_made_at_a_time(alice, do_jobs):
    job_id = begin(alice)
    with pytest.raises(Conflict):
        begin(alice)
    do_jobs()
    done = see(alice, job_id)
    assert (done.status, done.done, done.total, done.name) == ("done", len(clinic_tables.STATEMENTS) + 1, done.done, "clinic.zip")
    assert begin(alice) != job_id
    do_jobs()  # none waits when other tests ask whether all is well


def test_it_is_stopped_between_two_pages_and_goes_on_where_it_was(alice, do_jobs, monkeypatch):
    job_id, advance, asked = begin(alice), long_jobs.advance, []

    def cancelled_meanwhile(scope, which, step, rows):
        if which == job_id and not rows:  # a page begins
            asked.append(step)
            if len(asked) == 4:
                with db.scope(alice) as other:
                    long_jobs.cancel(other, job_id)
        return advance(scope, which, step, rows)

    monkeypatch.setattr(long_jobs, "advance", cancelled_meanwhile)
    do_jobs()
    assert (see(alice, job_id).status, see(alice, job_id).done, parts(alice)) == ("stopped", 3, 3)
    with db.scope(alice) as scope:
        long_jobs.go_on(scope, job_id)
    do_jobs()
    assert see(alice, job_id).status == "done"
    assert [step for step in asked if step >= 3] == [3, *range(3, len(clinic_tables.STATEMENTS) + 1)]
    assert whole(alice)


def test_a_worker_that_is_asked_to_stop_leaves_the_rest_to_the_next(alice):
    job_id, looks = begin(alice), iter([False, False, True, *50 * [False]])
    jobs.connect(startup._server.url("chairside_worker"), 1)
    job = jobs.Job(job_id, alice.clinic_id, lambda: next(looks))
    with pytest.raises(jobs.Interrupted):
        export_jobs.run(job)
    assert (see(alice, job_id).status, parts(alice)) == ("running", 2)
    export_jobs.run(job)
    jobs.disconnect()
    assert see(alice, job_id).status == "done"
    assert whole(alice)


def test_a_killed_workers_export_is_finished_by_the_next_and_every_row_is_there_once(alice, database):
    with db.scope(alice) as scope:
        scope.run_many("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, :name)
            """, [{"me": alice.user_id, "name": f"Patient {number}"} for number in range(30_000)])
    job_id = begin(alice)
    environment = {**os.environ, "DATABASE_WORKER_URL": startup._server.url("chairside_worker"), "CHAIRSIDE_WORKER_TIMEOUT": "2"}

    def start() -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-m", "lib.worker"], cwd=ROOT, env=environment)

    victim = start()
    wait_for(lambda: parts(alice) > 8, 30)
    victim.kill()
    victim.wait()
    assert see(alice, job_id).status == "running"
    heir = start()
    try:
        wait_for(lambda: see(alice, job_id).status == "done", 60)
    finally:
        heir.send_signal(signal.SIGTERM)
        heir.wait(20)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(clinic_export.send(alice))))
    assert [row["full_name"] for row in rows(archive, "patients")] == [f"Patient {number}" for number in range(30_000)]
    with db.scope(alice) as scope:
        assert scope.value("""
            select count(*) from audit_log where clinic_id = :clinic_id and action = 'export' and resource_id = 'done'
            """) == 1


def whole(who) -> bool:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(clinic_export.send(who))))
    tables = {f"{table}.csv" for table in clinic_tables.STATEMENTS}
    return archive.testzip() is None and tables | {"manifest.json"} == set(archive.namelist())


def test_what_is_kept_is_sealed_and_the_worker_does_not_read_it_back(alice, export):
    act(alice, patients.register, PatientForm(full_name="Canaryname"))
    export(alice)
    with db.scope(alice) as scope:
        contents = scope.connection.execute(text("select content from export_parts where clinic_id = :id"), {"id": alice.clinic_id}).all()
    assert len(contents) > 20
    assert not any(b"anaryname" in row.content or b"full_name" in row.content for row in contents)
    jobs.connect(startup._server.url("chairside_worker"), 1)
    try:
        with jobs.on_behalf(alice.clinic_id, alice.user_id) as scope:
            assert scope.value("select count(seq) from export_parts where clinic_id = :clinic_id") == len(contents)
        with pytest.raises(Forbidden), jobs.on_behalf(alice.clinic_id, alice.user_id) as scope:
            scope.value("select content from export_parts where clinic_id = :clinic_id limit 1")
    finally:
        jobs.disconnect()


def test_the_worker_reads_every_page_but_no_secret_that_stays_behind(alice):
    jobs.connect(startup._server.url("chairside_worker"), 1)
    try:
        for table, columns in clinic_tables.OMITTED.items():
            for column in columns & {"token_hash", "secret_hash", "api_key"}:
                with pytest.raises(Forbidden), jobs.on_behalf(alice.clinic_id, alice.user_id) as scope:
                    scope.value(f"select {column} from {table} where clinic_id = :clinic_id limit 1")
    finally:
        jobs.disconnect()


def test_of_two_at_once_one_is_made(alice, do_jobs, monkeypatch):
    monkeypatch.setattr(export_jobs, "_is_open", lambda scope: False)  # both looked before the other's was there
    begin(alice)
    with pytest.raises(Conflict):
        begin(alice)
    do_jobs()


def test_a_newer_one_takes_the_place_of_the_one_before(alice, export):
    export(alice)
    count = parts(alice)
    export(alice)
    assert parts(alice) == count
    with db.scope(alice) as scope:
        export_jobs.discard(scope, long_jobs.latest(scope, "export").id)
    assert parts(alice) == 0


def test_of_two_workers_on_one_job_the_second_waits_for_the_first(alice):
    job_id = begin(alice)
    jobs.connect(startup._server.url("chairside_worker"), 3)
    job = jobs.Job(job_id, alice.clinic_id, lambda: False)
    with ThreadPoolExecutor(2) as both:
        for done in [both.submit(export_jobs.run, job) for _worker in range(2)]:
            done.result(60)
    jobs.disconnect()
    assert (see(alice, job_id).status, see(alice, job_id).problem) == ("done", "")
    assert whole(alice)


@pytest.mark.parametrize("ends", ["stopped", "running"])
def test_one_whose_parts_are_gone_ends_in_words_and_not_without_its_first_tables(alice, owner, ends):
    """As after a restored backup, which holds the job and not its parts."""
    job_id, looks = begin(alice), iter([False, False, True, False])
    jobs.connect(startup._server.url("chairside_worker"), 1)
    job = jobs.Job(job_id, alice.clinic_id, lambda: next(looks))
    with pytest.raises(jobs.Interrupted):
        export_jobs.run(job)
    with owner.begin() as connection:
        connection.execute(text("delete from export_parts where job_id = :id"), {"id": job_id})
        connection.execute(text("update long_jobs set status = :status where id = :id"), {"id": job_id, "status": ends})
    if ends == "stopped":
        with db.scope(alice) as scope:
            long_jobs.go_on(scope, job_id)
    export_jobs.run(job)
    jobs.disconnect()
    assert (see(alice, job_id).status, parts(alice)) == ("failed", 0)
    assert see(alice, job_id).problem == "What was made of this export is gone. Please ask for a new one."


def test_nobody_goes_on_with_one_that_is_put_away(alice, do_jobs):
    job_id = begin(alice)
    with db.scope(alice) as scope:
        long_jobs.cancel(scope, job_id)
        export_jobs.discard(scope, job_id)
    with pytest.raises(Conflict), db.scope(alice) as scope:
        long_jobs.go_on(scope, job_id)
    do_jobs()


# its end -------------------------------------------------------------------------------------------------------------


def test_put_away_it_is_gone_at_once(alice, export):
    export(alice)
    with db.scope(alice) as scope:
        export_jobs.discard(scope, long_jobs.latest(scope, "export").id)
    assert parts(alice) == 0
    with pytest.raises(NotFound):
        clinic_export.send(alice)


def test_one_that_is_being_made_is_stopped_before_it_is_put_away(alice, do_jobs):
    job_id = begin(alice)
    with pytest.raises(Conflict), db.scope(alice) as scope:
        export_jobs.discard(scope, job_id)
    do_jobs()


def test_it_is_forgotten_after_a_day(alice, export, owner):
    export(alice)
    for age, left in (("23 hours", True), ("25 hours", False)):
        with owner.begin() as connection:
            connection.execute(text("alter table long_jobs disable trigger move"))
            connection.execute(text(f"""
                update long_jobs set created_at = now() - interval '5 days', finished_at = now() - interval '{age}'
                """))
            connection.execute(text("alter table long_jobs enable trigger move"))
            connection.execute(text("select app.forget_long_jobs()"))
        assert bool(parts(alice)) == left


@pytest.mark.parametrize("made", [True, False], ids=["made", "half made"])
def test_whoever_is_erased_is_in_no_export_that_is_kept(alice, do_jobs, made, monkeypatch):
    patient = act(alice, patients.register, PatientForm(full_name="Canaryname"))
    job_id, advance = begin(alice), long_jobs.advance

    def erase_meanwhile(scope, which, step, rows):
        if which == job_id and step == 15 and not rows and not made:
            act(alice, erasures.erase, patient, version=1, name="Canaryname", reason="asked for")
        return advance(scope, which, step, rows)

    monkeypatch.setattr(long_jobs, "advance", erase_meanwhile)
    do_jobs()
    if made:
        act(alice, erasures.erase, patient, version=1, name="Canaryname", reason="asked for")
    assert parts(alice) == 0
    with pytest.raises(NotFound):
        see(alice, job_id)


def test_after_an_erasure_a_download_breaks_off(alice, export):
    patient = act(alice, patients.register, PatientForm(full_name="Canaryname"))
    export(alice)
    pieces = clinic_export.send(alice)
    next(pieces)
    act(alice, erasures.erase, patient, version=1, name="Canaryname", reason="asked for")
    with pytest.raises(NotFound):
        list(pieces)


def test_no_backup_holds_one(alice, export):
    export(alice)
    with psycopg.connect(startup._server.url("postgres")) as connection:
        written: list[bytes] = []
        manifest = dump.write(connection, written.append)
    assert "long_jobs" in {table.name for table in manifest.tables}
    assert b"export_parts" not in b"".join(written)
