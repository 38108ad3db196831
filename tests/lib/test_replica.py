"""Figures and exports from a real streaming replica, and from the primary where it does not keep up."""

import io
import zipfile

import pytest
from streamlit.testing.v1 import AppTest

from api import figures
from lib import (
    analytics,
    answer_ratings,
    api_clients,
    audit_trail,
    clinic_export,
    db,
    erasures,
    errors,
    export_jobs,
    patient_export,
    patients,
    periods,
    replica,
    settings,
    shares,
    sheets,
    startup,
    team,
)
from lib.patient_form import PatientForm
from lib.settings import ROOT
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


@pytest.fixture
def read_by(looked_at, monkeypatch):
    """Where each figure came from since."""
    read = []
    for thing in (analytics, shares):
        for name in ("usage", "budgets", "patients"):
            if hasattr(thing, name):
                ask = getattr(thing, name)
                monkeypatch.setattr(thing, name, lambda scope, *rest, ask=ask: read.append(scope.value(WHERE)) or ask(scope, *rest))
    return read


def test_the_page_of_figures_comes_from_the_replica(read_by, looked_at, alice, token_of):
    usage(alice)
    looked_at.catch_up()
    at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=30)
    at.user = {"session": token_of(alice)}
    at.switch_page("../pages/analytics.py").run()
    assert not at.exception
    at.query_params["section"] = "cost"
    assert not at.run().exception
    assert len(read_by) >= 3
    assert all(read_by)


def test_a_programs_figures_and_budgets_come_from_the_replica(read_by, looked_at, alice):
    usage(alice)
    looked_at.catch_up()
    wanted = figures.Wanted()
    assert figures.figure("messages", wanted, alice).rows
    figures.budgets(wanted, alice)
    assert read_by == [True, True]


@pytest.mark.parametrize("name", sheets.SHEETS)
def test_each_figure_comes_from_the_replica_and_what_names_patients_is_on_the_primarys_record(looked_at, alice, name):
    usage(alice)
    looked_at.catch_up()
    figure = figures.figure(name, figures.Wanted(), alice)
    assert figure.keys
    with db.scope(alice) as scope:
        with replica.reading(scope) as reading:
            assert reading.value(WHERE)
        assert sheets.export(scope, name, periods.preset("30d", periods.today(alice))).startswith(figure.heads[0])
        assert scope.value("select count(*) from audit_log where clinic_id = :clinic_id and resource = 'patient_costs'") == (
            name == "patients")


def test_questions_without_an_article_come_from_the_replica_and_are_on_the_primarys_record(looked_at, alice):
    looked_at.catch_up()
    with db.scope(alice) as scope:
        with replica.reading(scope) as reading:
            assert reading.value(WHERE)
            assert shares.unmatched(reading, periods.preset("30d", periods.today(alice))) == []
        assert scope.value("select count(*) from audit_log where clinic_id = :clinic_id and resource = 'unmatched_questions'") == 1


def test_why_answers_were_not_helpful_comes_from_the_replica_and_is_on_the_primarys_record(looked_at, alice):
    looked_at.catch_up()
    with db.scope(alice) as scope:
        with replica.reading(scope) as reading:
            assert reading.value(WHERE)
            assert answer_ratings.find_complaints(reading, periods.preset("30d", periods.today(alice))) == []
        assert scope.value("select count(*) from audit_log where clinic_id = :clinic_id and resource = 'answer_reasons'") == 1


def usage(who) -> None:
    with db.scope(who) as scope:
        scope.run("""
            insert into ai_calls (clinic_id, message_id, user_id, route, status, latency_ms, finished_at)
            values (:clinic_id, uuidv7(), :me, 'kb', 'ok', 40, now())
            """, me=who.user_id)


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
    with pytest.raises(errors.Unavailable), db.scope(alice) as scope, replica.reading(scope) as reading:
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
