"""The whole clinic as one archive: everything, nobody else's, no formula, no secret, and never all of it in memory."""

import csv
import io
import json
import zipfile
from itertools import islice

import pytest
from sqlalchemy import text

from lib import clinic_export, clinic_tables, credentials, db, patients
from lib.errors import Forbidden
from lib.patient_form import PatientForm
from tests.lib.known import CANARIES, act, furnish
from tests.test_rules import TENANTS

UNTOLD = {"77028109"}  # the reversed phone number, of the search column
PARTED = {"canarydraft", "canarycache"}  # LEFT_OUT


def export(who) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(clinic_export.begin(who))))


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


def test_it_holds_what_the_clinic_knows(alice, bob, full):
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


def test_it_holds_no_secret_and_no_other_clinic(alice, charlie, full):
    act(charlie, patients.register, PatientForm(full_name="Canaryforeign"))
    archive = export(alice)
    everything = "\n".join(archive.read(name).decode() for name in archive.namelist()).lower()
    assert archive.read("merges.csv").startswith(b"clinic_id,id,kept_id")  # an empty table says so
    assert "canaryforeign" not in everything
    assert "$2b$" not in everything
    assert str(charlie.clinic_id) not in everything


def test_no_cell_is_a_formula_and_each_can_be_read_back(alice):
    act(alice, patients.register, PatientForm(full_name="=cmd|'/c calc'!A1", medical_notes="+1\n@sum(a1)"))
    archive = export(alice)
    [patient], [note] = rows(archive, "patients"), rows(archive, "patient_notes")
    assert patient["full_name"] == "'=cmd|'/c calc'!A1"
    assert note["medical_notes"].startswith("'+1")


def test_pages_follow_each_other_without_gap_or_repetition(alice):
    with db.scope(alice) as scope:
        scope.run_many("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, :name)
            """, [{"me": alice.user_id, "name": f"Patient {number}"} for number in range(2100)])
    names = [row["full_name"] for row in rows(export(alice), "patients")]
    assert names == [f"Patient {number}" for number in range(2100)]


def test_it_leaves_while_it_is_made(alice):
    pieces = clinic_export.begin(alice)
    first = b"".join(islice(pieces, 6))
    assert first.startswith(b"PK")
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(first))


@pytest.mark.parametrize("role", ["manager", "clinician", "receptionist"])
def test_only_an_owner_gets_it(alice, hire, role):
    with pytest.raises(Forbidden):
        clinic_export.begin(hire(alice, role, "Some Body"))


def test_who_loses_the_right_meanwhile_gets_no_further(alice, hire, owner):
    second = hire(alice, "owner", "Olga Owen")
    pieces = clinic_export.begin(second)
    next(pieces)
    with owner.begin() as connection:
        connection.execute(text("update memberships set ended_at = now() where user_id = :id"), {"id": second.user_id})
    with pytest.raises(Forbidden):
        list(pieces)


def test_begin_and_end_stand_in_the_record(alice):
    list(clinic_export.begin(alice))
    with db.scope(alice) as scope:
        told = scope.connection.execute(text("select resource_id, row_count from audit_log where action = 'export' order by id")).all()
    assert [row.resource_id for row in told] == ["begun", "done"]
    assert told[1].row_count >= 2
