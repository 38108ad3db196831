"""Figures and exports from a real streaming replica, and from the primary where it does not keep up."""

import io
import zipfile

import pytest

from lib import (
    api_clients,
    audit_trail,
    clinic_export,
    db,
    erasures,
    errors,
    export_jobs,
    patient_export,
    patients,
    replica,
    settings,
    startup,
    team,
)
from lib.patient_form import PatientForm
from tests.replicas import streaming

WHERE = "select pg_is_in_recovery()"


@pytest.fixture(scope="module")
def copy(database):
    with streaming(startup._server) as made:
        yield made


@pytest.fixture
def looked_at(copy, monkeypatch):
    """Asked anew at each turn, instead of every few seconds."""
    monkeypatch.setattr(replica, "LOOK_EVERY", -1.0)
    replica.connect(copy.url("chairside_app"), 2)
    yield copy
    replica.disconnect()


def read_from(who) -> str:
    with db.scope(who) as scope, replica.reading(scope) as reading:
        return "replica" if reading.value(WHERE) else "primary"


def test_without_one_the_primary_is_read(alice):
    assert read_from(alice) == "primary"


def test_an_export_comes_from_the_replica_and_is_on_the_primarys_record(looked_at, alice, monkeypatch):
    with db.scope(alice) as scope:
        patients.register(scope, PatientForm(full_name="Ann Lee"))
    looked_at.catch_up()
    assert read_from(alice) == "replica"
    read = []
    lines = patient_export._lines
    monkeypatch.setattr(patient_export, "_lines", lambda scope, *rest: read.append(scope.value(WHERE)) or lines(scope, *rest))
    with db.scope(alice) as scope:
        assert "Ann Lee" in patient_export.export(scope)
        assert read == [True]
        assert scope.value("select count(*) from audit_log where clinic_id = :clinic_id and action = 'export'") == 1


def test_the_walls_stand_on_the_replica_too(looked_at, alice, charlie):
    with db.scope(alice) as scope:
        patients.register(scope, PatientForm(full_name="Ann Lee"))
    looked_at.catch_up()
    for who, count in ((alice, 1), (charlie, 0)):
        with db.scope(who) as scope, replica.reading(scope) as reading:
            assert reading.value("select count(*) from patients where clinic_id = :clinic", clinic=alice.clinic_id) == count


def test_an_api_client_has_its_own_role_there_and_not_its_owners(looked_at, alice):
    with db.scope(alice) as scope:
        _id, token = api_clients.add(scope, api_clients.Wanted("Figures", "manager", ["analytics.read"]))
    looked_at.catch_up()
    client = api_clients.recognise(token)
    assert read_from(client) == "replica"
    with db.scope(client) as scope, replica.reading(scope) as reading:
        assert reading.value("select app.role()") == "manager"


def test_an_export_reads_there_what_it_knows_but_nobody_who_was_erased_before(looked_at, alice, do_jobs, monkeypatch):
    with db.scope(alice) as scope:
        patient = patients.register(scope, PatientForm(full_name="Canaryname"))
    looked_at.catch_up()
    read, page = [], export_jobs._page_of
    monkeypatch.setattr(export_jobs, "_page_of", lambda scope, *rest: read.append(scope.value(WHERE)) or page(scope, *rest))
    with looked_at.paused():
        with db.scope(alice) as scope:
            erasures.erase(scope, patient, version=1, name="Canaryname", reason="asked for")
        with db.scope(alice) as scope:
            export_jobs.begin(scope)
        do_jobs()
    archive = zipfile.ZipFile(io.BytesIO(b"".join(clinic_export.send(alice))))
    assert b"Canaryname" not in archive.read("patients.csv")
    assert set(read) == {False}
    looked_at.catch_up()
    read.clear()
    with db.scope(alice) as scope:
        export_jobs.begin(scope)
    looked_at.catch_up()
    do_jobs()
    assert set(read) == {True}


def test_a_list_waits_for_what_is_written_by_now_and_reads_the_primary_where_it_does_not_come(looked_at, alice, monkeypatch):
    monkeypatch.setattr(replica, "PATIENCE", 0.2)
    with db.scope(alice) as scope:
        patient = patients.register(scope, PatientForm(full_name="Canaryname"))
    looked_at.catch_up()
    with looked_at.paused():
        with db.scope(alice) as scope:
            erasures.erase(scope, patient, version=1, name="Canaryname", reason="asked for")
        with db.scope(alice) as scope:
            assert "Canaryname" not in patient_export.export(scope)
            assert ",erase," in audit_trail.export(scope, audit_trail.Filter())


def test_the_audit_log_is_exported_from_the_replica(looked_at, alice, monkeypatch):
    looked_at.catch_up()
    read, rows = [], audit_trail._all
    monkeypatch.setattr(audit_trail, "_all", lambda scope, *rest: read.append(scope.value(WHERE)) or rows(scope, *rest))
    with db.scope(alice) as scope:
        audit_trail.export(scope, audit_trail.Filter())
    assert read == [True]


@pytest.fixture
def paused(looked_at):
    """It stays where it is."""
    looked_at.catch_up()
    with looked_at.paused():
        yield


def test_a_right_that_was_taken_away_is_gone_before_the_replica_knows(alice, bob, paused):
    with db.scope(alice) as scope:
        team.deactivate(scope, bob.user_id)
    with pytest.raises(errors.Forbidden):
        read_from(bob)


def test_who_is_new_reads_the_primary_until_the_replica_knows_them(paused, open_clinic):
    assert read_from(open_clinic("Dora Diaz", "Diaz Dental")) == "primary"


def test_nothing_is_written_there(looked_at, alice):
    looked_at.catch_up()
    assert read_from(alice) == "replica"
    with pytest.raises(errors.AppError), db.scope(alice) as scope, replica.reading(scope) as reading:
        reading.run("update patients set full_name = full_name where clinic_id = :clinic_id")


def test_one_that_is_behind_away_or_promoted_is_left_out(looked_at, alice, monkeypatch):
    """The last one: a promoted replica streams no more."""
    looked_at.catch_up()
    assert read_from(alice) == "replica"
    limits = settings.get()
    monkeypatch.setattr(settings, "get", lambda: limits.model_copy(update={"database_replica_lag": -1}))
    assert read_from(alice) == "primary", "it is behind"
    monkeypatch.setattr(settings, "get", lambda: limits)
    assert read_from(alice) == "replica"
    looked_at.stop()
    assert read_from(alice) == "primary", "it is away"
    looked_at.start()
    looked_at.catch_up()
    assert read_from(alice) == "replica"
    looked_at.promote()
    assert read_from(alice) == "primary", "it was promoted"
