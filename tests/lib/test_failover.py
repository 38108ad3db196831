"""The primary dies and its replica is promoted: the address names both, and no process is restarted."""

import psutil
import pytest

from lib import db, embedded, errors, migrations, patients
from lib.patient_form import PatientForm
from tests.replicas import streaming

pytestmark = pytest.mark.long


@pytest.fixture
def primary(tmp_path, database):
    server = embedded.start(tmp_path / "data")
    migrations.bring_up_to_date(server.url("chairside_owner"))
    yield server
    server.stop()


@pytest.fixture
def connected(primary, monkeypatch):
    """The app's own pool, on a pair of servers."""
    monkeypatch.setattr(db, "_engine", db._engine)
    with streaming(primary) as replica:
        hosts = f"host={primary.sockets},{replica.sockets}&target_session_attrs=read-write"
        db.connect(primary.url("chairside_app").replace(f"host={primary.sockets}", hosts), 2)
        yield replica
        db.disconnect()


def pull_the_plug(server: embedded.Server) -> None:
    """Its connections end with it: left to themselves they would outlive their postmaster by a moment."""
    postmaster = psutil.Process(int((server.cluster / "postmaster.pid").read_text().split()[0]))
    everybody = [postmaster, *postmaster.children()]
    for process in everybody:
        process.kill()
    psutil.wait_procs(everybody, timeout=10)


def test_the_next_transaction_goes_to_the_new_primary(connected, primary, open_clinic):
    alice = open_clinic()
    with db.scope(alice) as scope:
        patients.register(scope, PatientForm(full_name="Ann Lee"))
    connected.catch_up()
    pull_the_plug(primary)
    with pytest.raises(errors.Unavailable), db.scope(alice):
        pass
    connected.promote()
    with db.scope(alice) as scope:
        patients.register(scope, PatientForm(full_name="Bert Lau"))
        assert scope.value("select string_agg(full_name, ', ' order by id) from patients where clinic_id = :clinic_id") == "Ann Lee, Bert Lau"
