"""Everything about one patient in one archive: whole, readable, for those who treat, and nobody else's."""

import io
import json
import zipfile
from uuid import uuid4

import pytest
from sqlalchemy import text

from lib import db, patient_record, patients
from lib.errors import Forbidden, NotFound
from lib.patient_form import PatientForm
from tests.lib.known import CANARIES, furnish
from tests.lib.test_erasures import erase

LATER = {"77028109", "canarydraft", "canarycache", "1971-02-03"}  # the reversed phone, what its author has not sent, others' answers; a day in words


@pytest.fixture
def full(alice, bob):
    return furnish(alice, bob)


def export(who, patient) -> dict[str, str]:
    with db.scope(who) as scope:
        file = patient_record.export(scope, patient)
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_both_files_hold_all_that_is_known(alice, full):
    files = export(alice, full)
    assert set(files) == {"record.json", "record.html"}
    for name, content in files.items():
        missing = [word for word in CANARIES if word not in content.lower().replace("+49 30 ", "") and word not in LATER]
        assert missing == ([] if name == "record.json" else ["canaryreason", "canaryfacts"])
    record = json.loads(files["record.json"])
    assert {part: len(rows) for part, rows in record.items()} == {
        "patients": 1, "notes": 1, "versions": 2, "note_versions": 1, "messages": 3, "ratings": 1, "emergencies": 1, "calls": 2,
        "merges": 0, "views": len(record["views"]), "archived_months": 3}
    assert record["archived_months"] == {"messages": [], "calls": [], "views": []}
    assert "archive of old months" not in files["record.html"]
    assert {view["action"] for view in record["views"]} >= {"register", "amend", "ask", "raise_emergency", "acknowledge_emergency", "rate", "view"}
    assert "February 3, 1971" in files["record.html"]


def test_a_clinician_gets_it_without_who_looked(bob, full):
    files = export(bob, full)
    assert json.loads(files["record.json"])["views"] is None
    assert "Only an owner can export this part" in files["record.html"]
    assert "canarynotes" in files["record.html"]


@pytest.mark.parametrize("role", ["manager", "receptionist"])
def test_nobody_else_gets_it(alice, hire, full, role):
    with pytest.raises(Forbidden):
        export(hire(alice, role, "Some Body"), full)


def test_a_foreign_patient_is_like_none(charlie, full):
    for patient in (full, uuid4()):
        with pytest.raises(NotFound):
            export(charlie, patient)


def test_it_stands_in_the_record(alice, full):
    export(alice, full)
    with db.scope(alice) as scope:
        row = scope.connection.execute(text("select resource, patient_id, row_count from audit_log where action = 'export'")).one()
    assert tuple(row) == ("patient_record", full, 3)


def test_nothing_typed_becomes_markup(alice):
    with db.scope(alice) as scope:
        patient = patients.register(scope, PatientForm(full_name="<b>Bold</b>", medical_notes="<script>alert(1)</script>", alerts="a & b"))
    page = export(alice, patient)["record.html"]
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page


def test_of_the_erased_it_holds_what_is_left(alice, full):
    erase(alice, full)
    for content in export(alice, full).values():
        assert [word for word in CANARIES if word in content.lower()] == []
