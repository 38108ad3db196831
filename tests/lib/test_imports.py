import csv
import io
import json
import threading
import time
from collections import Counter
from functools import partial

import pytest

from lib import auth, db, imports, intake, likeness, patients, tables
from lib.errors import Forbidden, Invalid, Unavailable
from lib.imports import Report
from lib.intake import Row
from lib.patient_form import PatientForm
from tests.statements import listening


def row(line=2, **fields):
    return Row(line, PatientForm.model_validate({"full_name": "Anna Bell", **fields}))


def rows(*fields):
    return [row(line, **one) for line, one in enumerate(fields, 2)]


def bring(identity, found, **choices):
    """The finished report of these rows."""
    report = Report(list(found), **choices)
    for _done in imports.run(report, partial(db.scope, identity)):
        pass
    return report


def kinds(report):
    return [one.kind for one in report.outcomes]


def counts(report):
    return tuple(report.counts().values())


def from_csv(text, order="ymd"):
    file = imports.read(text.encode(), "patients.csv")
    return list(imports.rows(file, intake.guess_mapping(file.table.header), order))


def value(identity, sql, **values):
    with db.scope(identity) as scope:
        return scope.value(sql, **values)


def how_many(identity):
    return value(identity, "select count(*) from patients where clinic_id = :clinic_id")


def only(identity):
    with db.scope(identity) as scope:
        patient_id = scope.value("select id from patients where clinic_id = :clinic_id")
        return patients.read(scope, patient_id)


# the real file -------------------------------------------------------------------------------------------------------


@pytest.fixture
def real(shared):
    data = (shared / "patients" / "patients_fhir_flat.csv").read_bytes()
    file = imports.read(data, "patients_fhir_flat.csv")
    mapping = intake.guess_mapping(file.table.header)
    return list(imports.rows(file, mapping, intake.guess_order(file.table, mapping, "US")))


def test_the_real_file_comes_in_whole_and_a_second_time_adds_nobody(alice, real):
    report = bring(alice, real)
    assert counts(report) == (2076, 0, 0, 0)
    assert value(alice, "select count(*) from patients where clinic_id = :clinic_id and deceased") == 584
    assert value(alice, "select count(*) from patient_notes where clinic_id = :clinic_id and alerts <> ''") == 264
    assert value(alice, "select count(*) from patient_versions where clinic_id = :clinic_id") == 2076
    again = bring(alice, real)
    assert counts(again) == (0, 0, 2076, 0)
    assert (how_many(alice), value(alice, "select count(*) from patient_versions where clinic_id = :clinic_id")) == (2076, 2076)


def test_what_was_imported_is_found_by_the_end_of_its_phone_number(alice, real):
    bring(alice, real[:30])
    with db.scope(alice) as scope:
        assert [one.full_name for one in patients.find(scope, term="4581").rows] == ["Mr. Abdul Koepp"]


def test_statements_grow_with_the_batches_and_not_with_the_rows(alice, real):
    def statements(found):
        with listening() as seen:
            bring(alice, found)
        return len(seen)

    one, many = statements(real[:1]), statements(real[1:])
    assert one <= 12
    assert many <= one * 5


def test_fhir_bundles_come_in_with_their_allergies(alice, shared):
    files = sorted((shared / "patients" / "fhir_r4_bundles").glob("*.json"))
    for path in files:
        report = bring(alice, imports.rows(imports.read(path.read_bytes(), path.name), {}, ""))
        assert counts(report)[0] == 1
        assert sum(counts(report)) == len(report)
    assert how_many(alice) == len(files)
    again = [kinds(bring(alice, imports.rows(imports.read(path.read_bytes(), path.name), {}, ""))) for path in files]
    assert Counter(kind for one in again for kind in one)["created"] == 0


def test_fhir_patients_in_lines_come_in_and_a_broken_line_is_rejected(alice):
    people = [{"resourceType": "Patient", "id": str(n), "name": [{"text": f"Person {n}"}]} for n in "ab"]
    data = "\n".join([json.dumps(people[0]), "{broken", json.dumps(people[1])]).encode()
    report = bring(alice, imports.rows(imports.read(data, "patients.ndjson"), {}, ""))
    assert [(one.line, one.kind) for one in report.outcomes] == [(1, "created"), (2, "rejected"), (3, "created")]


# created, updated, duplicate, rejected ------------------------------------------------------------------------------


def test_a_changed_phone_is_an_update_that_keeps_the_rest(alice):
    bring(alice, rows({"external_id": "7", "phone": "030 111111", "email": "a@example.com", "medical_notes": "Anxious"}))
    report = bring(alice, rows({"external_id": "7", "phone": "030 222222"}))
    assert [(one.kind, one.reason) for one in report.outcomes] == [("updated", "Changed: the phone number.")]
    patient = only(alice)
    assert (patient.phone, patient.email, patient.notes.medical_notes, patient.version) == ("030 222222", "a@example.com", "Anxious", 2)
    with db.scope(alice) as scope:
        assert patients.find(scope, term="222222").rows
        assert not patients.find(scope, term="111111").rows


def test_an_empty_cell_wipes_nothing(alice):
    full = {"external_id": "7", "phone": "030 111111", "email": "a@example.com", "date_of_birth": "1980-01-01",
            "deceased_on": "2020-01-01", "alerts": "Latex", "medical_notes": "Anxious"}
    bring(alice, rows(full))
    before = only(alice)
    report = bring(alice, rows({"external_id": "7"}))
    assert (kinds(report), report.outcomes[0].reason) == (["duplicate"], "Already there, unchanged.")
    assert only(alice) == before


def test_alerts_are_updated_without_touching_the_notes_or_the_patient(alice):
    bring(alice, rows({"external_id": "7", "alerts": "Latex", "medical_notes": "Anxious"}))
    report = bring(alice, rows({"external_id": "7", "alerts": "Latex; Penicillin"}))
    patient = only(alice)
    assert kinds(report) == ["updated"]
    assert (patient.notes.alerts, patient.notes.medical_notes, patient.version, patient.notes.version) == (
        "Latex; Penicillin", "Anxious", 1, 2)


def test_a_patient_without_notes_gets_their_first(alice):
    bring(alice, rows({"external_id": "7"}))
    assert kinds(bring(alice, rows({"external_id": "7", "alerts": "Latex"}))) == ["updated"]
    assert only(alice).notes.alerts == "Latex"


def test_an_archived_patient_is_updated_and_stays_archived(alice):
    bring(alice, rows({"external_id": "7"}))
    with db.scope(alice) as scope:
        patients.archive(scope, scope.value("select id from patients where clinic_id = :clinic_id"))
    assert kinds(bring(alice, rows({"external_id": "7", "phone": "030 222222"}))) == ["updated"]
    assert only(alice).archived_at is not None


def test_an_update_that_would_contradict_what_is_there_is_rejected(alice):
    bring(alice, rows({"external_id": "7", "date_of_birth": "1980-01-01"}))
    report = bring(alice, rows({"external_id": "7", "deceased_on": "1970-01-01"}))
    assert [(one.kind, one.reason) for one in report.outcomes] == [("rejected", "The date of death is before the date of birth.")]


@pytest.mark.parametrize(("there", "brought", "reason"), [
    ({"date_of_birth": "1980-01-01"}, {"full_name": "anna  BÉLL", "date_of_birth": "1980-01-01"}, "Same name and date of birth as"),
    ({"phone": "030 111111"}, {"full_name": "Bell, Anna", "phone": "+49 30 111111"}, "Same phone number as"),
    ({"email": "a@example.com"}, {"full_name": "Anna M. Bell", "email": "A@Example.com"}, "Same e-mail address as"),
    ({}, {}, "Same name as"),
], ids=["name and birth", "phone", "e-mail", "name alone"])
def test_a_row_without_a_number_repeats_somebody(alice, there, brought, reason):
    bring(alice, rows(there))
    again = bring(alice, rows(brought))
    assert kinds(again) == ["duplicate"]
    assert again.outcomes[0].reason.startswith(reason)
    assert "a patient who is there already" in again.outcomes[0].reason
    within = bring(alice, [row(8, full_name="Anna Xenia Bell", **{k: v for k, v in there.items() if k != "date_of_birth"}), *rows(brought)])
    assert kinds(within)[-1] == "duplicate"


@pytest.mark.parametrize("email", ["ΑΝΝΑΣ@example.com", "İpek@example.com", "ＡＮＮＡ@example.com", "Straße@example.com", "Å@example.com"])
def test_a_mailbox_is_the_same_in_the_file_and_in_the_database(alice, email):
    people = rows({"full_name": "Anna Bell", "email": email}, {"full_name": "Bell, Anna", "email": email})
    with db.scope(alice) as scope:
        brought = likeness.of_rows(scope, people)[0].email_norm
    assert kinds(bring(alice, people)) == ["created", "duplicate"]
    assert value(alice, "select email_norm from patients where clinic_id = :clinic_id") == brought


def test_a_row_whose_email_cannot_be_used_comes_in_with_a_note_and_wipes_nothing(alice):
    bring(alice, from_csv("Id,Name,E-Mail\n7,Anna Bell,anna@example.com\n"))
    report = bring(alice, from_csv("Id,Name,E-Mail\n7,Anna Bell-Ruiz,anna@\n8,Ben Bell,n/a\n"))
    left_out = "The e-mail address “{}” can't be used and was left out."
    assert [(one.kind, one.reason) for one in report.outcomes] == [
        ("updated", "Changed: the name. " + left_out.format("anna@")), ("created", left_out.format("n/a"))]
    assert value(alice, "select email from patients where clinic_id = :clinic_id and external_id = '7'") == "anna@example.com"


def test_one_control_character_costs_one_row(alice):
    report = bring(alice, from_csv("Name,Id\nAnna Bell,1\nBe\0n Bell,2\nCarl Bell,3\n"))
    assert kinds(report) == ["created", "rejected", "created"]


def test_a_duplicate_within_the_file_names_the_line(alice):
    report = bring(alice, rows({"phone": "030 111111"}, {"full_name": "Bell Anna", "phone": "030111111"}))
    assert [(one.kind, one.reason) for one in report.outcomes] == [("created", ""), ("duplicate", "Same phone number as line 2 of this file.")]


def test_families_may_share_a_phone_and_are_still_not_doubled(alice):
    family = rows({"full_name": "Anna Bell", "phone": "030 111111", "date_of_birth": "1980-01-02"},
                  {"full_name": "Ben Bell", "phone": "030 111111", "date_of_birth": "2010-03-04"},
                  {"full_name": "Cleo Bell", "phone": "030 111111", "date_of_birth": "2012-05-06"})
    assert counts(bring(alice, family)) == (3, 0, 0, 0)
    assert counts(bring(alice, family)) == (0, 0, 3, 0)


@pytest.mark.parametrize("people", [
    [("Anna Bell", "2015-01-02"), ("Ben Bell", "2015-01-02")],
    [("Julia Bell", "2015-01-02"), ("Julian Bell", "2015-01-02")],
    [("Anna Bell", None), ("Ben Bell", "2010-03-04"), ("Cleo Bell", "2012-05-06")],
    [("Anna Bell", None), ("Ben Bell", None), ("Bell", None)],
    [("Mr. Bell", None), ("Mrs. Bell", None), ("Mr. Ben Bell", None)],
    [("John Smith", None), ("John Smith Jr.", None)],
    [("José Müller López", None), ("José Müller García", None)],
    [("Anna Bell", "1980-01-02"), ("Anna Maria Bell", "2010-03-04")],
    [("王伟", None), ("王芳", None)],
], ids=lambda people: people[0][0])
@pytest.mark.parametrize("contact", [{"phone": "030 111111"}, {"email": "bells@example.com"}], ids=["phone", "e-mail"])
def test_members_of_one_family_all_come_in_and_a_second_time_nobody(alice, people, contact):
    family = rows(*({"full_name": name, "date_of_birth": born, **contact} for name, born in people))
    report = bring(alice, family)
    assert kinds(report) == ["created"] * len(people)
    shared = "Shares the phone number with" if "phone" in contact else "Shares the e-mail address with"
    assert [one.reason for one in report.outcomes] == ["", *[f"{shared} line 2 of this file."] * (len(people) - 1)]
    assert kinds(bring(alice, family)) == ["duplicate"] * len(people)
    assert [one.reason for one in bring(alice, [row(9, full_name="Zoe Ray", **contact)]).outcomes] == [f"{shared} a patient who is there already."]


@pytest.mark.parametrize("spelling", ["jose muller", "MÜLLER, José", "José Mueller", "Jose A. Müller", "Dr. José Müller", "José  Antonio Müller"])
def test_one_person_in_another_spelling_with_the_same_phone_is_still_a_duplicate(alice, spelling):
    first = {"full_name": "José Müller", "phone": "030 111111", "date_of_birth": "1980-01-02"}
    sister = {"full_name": "Zoe Müller", "phone": "030 111111"}
    report = bring(alice, rows(sister, first, {"full_name": spelling, "phone": "030 111111"}))
    assert kinds(report) == ["created", "created", "duplicate"]
    assert report.outcomes[2].reason == "Same phone number as line 3 of this file."
    assert kinds(bring(alice, rows({"full_name": spelling, "phone": "030 111111"}))) == ["duplicate"]


def test_a_thousand_people_with_the_clinics_own_number_all_come_in_without_delay(alice, charlie):
    """At most twice the CPU of a thousand with numbers of their own; 11 times, were each compared with all the others."""
    def twice(identity, phone):
        people = rows(*({"full_name": f"Anna N{n}", "phone": phone.format(n)} for n in range(1000)))
        assert counts(bring(identity, people)) == (1000, 0, 0, 0)
        assert counts(bring(identity, people)) == (0, 0, 1000, 0)

    assert cpu_seconds(lambda: twice(alice, "030 111111")) < 5 * cpu_seconds(lambda: twice(charlie, "030 111{:05}"))


def cpu_seconds(work):
    began = time.process_time()
    work()
    return time.process_time() - began


def test_two_people_of_one_name_without_birth_dates_are_told_apart_by_their_phones(alice):
    assert counts(bring(alice, rows({"phone": "030 111111"}, {"phone": "030 222222"}, {}, {}))) == (3, 0, 1, 0)


def test_two_numbers_with_one_name_and_birthday_are_two_people(alice):
    born = {"date_of_birth": "1980-01-01"}
    assert counts(bring(alice, rows({"external_id": "1", **born}, {"external_id": "2", **born}))) == (2, 0, 0, 0)


@pytest.mark.parametrize("number", ["1", None])
def test_another_number_with_the_same_name_birthday_and_phone_is_told_and_not_merged(alice, number):
    same = {"date_of_birth": "1980-01-01", "phone": "030 111111"}
    bring(alice, rows({"external_id": number, **same}))
    report = bring(alice, rows({"external_id": "2", **same, "email": "new@example.com"}))
    assert kinds(report) == ["duplicate"]
    assert "but another record number" in report.outcomes[0].reason
    assert (only(alice).external_id, only(alice).email) == (number, None)


def test_a_number_that_comes_twice_in_a_file_counts_once(alice):
    twice = rows({"external_id": "7", "phone": "030 111111"}, {"external_id": "7", "phone": "030 222222"})
    report = bring(alice, twice)
    assert [one.reason for one in report.outcomes] == ["", "Same record number as line 2 of this file."]
    assert only(alice).phone == "030 111111"
    assert kinds(bring(alice, twice)) == ["duplicate", "duplicate"]


def test_a_duplicate_of_an_archived_patient_says_so(alice):
    bring(alice, rows({"phone": "030 111111"}))
    with db.scope(alice) as scope:
        patients.archive(scope, scope.value("select id from patients where clinic_id = :clinic_id"))
    assert "an archived patient" in bring(alice, rows({"phone": "030 111111"})).outcomes[0].reason


def test_bad_rows_are_rejected_with_line_and_reason_and_the_rest_comes_in(alice):
    found = from_csv("Name,Birthday,Id\nAnna Bell,1980-01-01,1\n,1980-01-01,2\nBen Bell,tomorrow,3\nCarl Bell,2999-01-01,4\nDina Bell,,5\n")
    report = bring(alice, found)
    assert [one.name for one in report.outcomes] == ["Anna Bell", "", "Ben Bell", "Carl Bell", "Dina Bell"]
    assert [(one.line, one.kind, one.reason) for one in report.outcomes] == [
        (2, "created", ""), (3, "rejected", "The name is missing."), (4, "rejected", "The date “tomorrow” can't be read."),
        (5, "rejected", "The date of birth is in the future."), (6, "created", "")]


def test_rows_that_the_database_refuses_are_found_and_the_rest_comes_in(alice, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 16)
    found = rows(*({"full_name": f"Person {chr(97 + n)}", "external_id": str(n)} for n in range(20)))
    for place in (3, 4, 18):
        found[place] = Row(found[place].line, PatientForm.model_construct(full_name="x" * 300))
    report = bring(alice, found)
    assert counts(report) == (17, 0, 0, 3)
    assert [one.line for one in report.outcomes if one.kind == "rejected"] == [5, 6, 20]
    assert all(one.reason for one in report.outcomes if one.kind == "rejected")
    assert how_many(alice) == 17


def test_a_refused_row_is_nobody_to_be_a_duplicate_of(alice):
    refused = Row(2, PatientForm.model_construct(full_name="x" * 300, phone="030 111111"))
    assert kinds(bring(alice, [refused, row(3, phone="030 111111")])) == ["rejected", "created"]


# watching, stopping, trying ------------------------------------------------------------------------------------------


def test_an_import_tells_how_far_it_is_and_can_be_stopped_and_gone_on_with(alice, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 2)
    report = Report(rows(*({"external_id": str(n)} for n in range(5))))
    assert next(imports.run(report, partial(db.scope, alice))) == (2, 5)
    assert (counts(report), how_many(alice)) == ((2, 0, 0, 0), 2)
    assert list(csv.reader(io.StringIO(report.csv(stopped=True))))[-1] == ["3", "not imported", "", "Stopped: after this line nothing was imported."]
    assert list(imports.run(report, partial(db.scope, alice))) == [(4, 5), (5, 5)]
    assert (counts(report), how_many(alice)) == ((5, 0, 0, 0), 5)


def test_a_batch_that_was_not_committed_does_not_count(alice, monkeypatch):
    report = Report(rows({"external_id": "1"}))
    with pytest.raises(Unavailable), db.scope(alice) as scope:
        imports.write(scope, report)
        raise Unavailable
    assert (counts(report), len(report.rest), how_many(alice)) == ((0, 0, 0, 0), 1, 0)


def test_a_dry_run_decides_the_same_and_writes_nothing(alice, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 2)
    bring(alice, rows({"external_id": "1"}))
    found = [*rows({"external_id": "1", "phone": "030 111111"}, {"external_id": "2"}, {"full_name": "Bo Bell", "phone": "030 222222"},
                   {"full_name": "Bell, Bo", "phone": "030 222222"}, {"full_name": "Cy Bell", "phone": "030 222222"}), Row(9, None, "The name is missing.")]
    tried = bring(alice, found, dry_run=True)
    assert (how_many(alice), only(alice).phone) == (1, None)
    done = bring(alice, found)
    assert counts(tried) == counts(done) == (3, 1, 1, 1)
    assert [one.reason for one in tried.outcomes] == [one.reason for one in done.outcomes]


def test_two_imports_of_one_file_at_once_add_everybody_once(alice, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 3)
    found = rows(*({"full_name": f"Person {chr(97 + n)}", "phone": f"030 1111{n:02}"} for n in range(20)))
    reports = [Report(list(found)), Report(list(found))]
    threads = [threading.Thread(target=lambda one=one: list(imports.run(one, partial(db.scope, alice)))) for one in reports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    created, duplicates = (sum(report.counts()[kind] for report in reports) for kind in ("created", "duplicate"))
    assert (created, duplicates, how_many(alice)) == (20, 20, 20)


def test_two_runs_of_one_report_do_not_count_a_row_twice(alice, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 3)
    report = Report(rows(*({"external_id": str(n)} for n in range(20))))
    threads = [threading.Thread(target=lambda: list(imports.run(report, partial(db.scope, alice)))) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts(report) == (20, 0, 0, 0)


def test_the_report_is_safe_to_open_in_a_spreadsheet(alice):
    found = [row(2, full_name="=cmd|A"), Row(3, None, "+1"), row(4, full_name="Ångström, “B”")]
    table = list(csv.reader(io.StringIO(bring(alice, found).csv())))
    assert table == [["Line", "Result", "Name", "Reason"], ["2", "Created", "'=cmd|A", ""], ["3", "Rejected", "", "'+1"],
                     ["4", "Created", "Ångström, “B”", ""]]


# who, and what is told ------------------------------------------------------------------------------------------------


def test_another_clinic_sees_nothing_and_may_hold_the_same_numbers(alice, charlie):
    people = rows({"external_id": "1", "phone": "030 111111"}, {"external_id": "2"})
    bring(alice, people)
    assert how_many(charlie) == 0
    assert counts(bring(charlie, people)) == (2, 0, 0, 0)
    assert (how_many(alice), how_many(charlie)) == (2, 2)


def test_a_clinician_imports(bob):
    assert counts(bring(bob, rows({"alerts": "Latex"}))) == (1, 0, 0, 0)


@pytest.mark.parametrize("dry_run", [False, True])
def test_managers_and_receptionists_are_refused(alice, mona, rita, dry_run):
    for person in (mona, rita):
        with pytest.raises(Forbidden):
            bring(person, rows({}), dry_run=dry_run)
    assert how_many(alice) == 0


def test_the_audit_log_tells_how_many_were_written_and_by_whom(alice, bob, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 2)
    people = rows(*({"external_id": str(n)} for n in range(5)))
    bring(bob, people, dry_run=True)
    report = bring(bob, people)
    sql = "select array_agg(row_count order by id) from audit_log where clinic_id = :clinic_id and action = :action and user_id = :bob"
    assert value(alice, sql, action="import", bob=bob.user_id) == [2, 2, 1]
    assert value(alice, sql, action="import_check", bob=bob.user_id) == [2, 2, 1]
    assert value(alice, "select count(distinct resource_id) from audit_log where clinic_id = :clinic_id and resource_id = :id",
                 id=str(report.id)) == 1


def test_a_former_colleague_is_refused_between_two_batches(alice, bob, owner, monkeypatch):
    from sqlalchemy import text
    monkeypatch.setattr(imports, "BATCH", 1)
    running = imports.run(Report(rows({"external_id": "1"}, {"external_id": "2"})), partial(db.scope, bob))
    next(running)
    with owner.begin() as connection:
        connection.execute(text("update memberships set ended_at = now() where user_id = :id"), {"id": bob.user_id})
    with pytest.raises(Forbidden):
        next(running)
    assert how_many(alice) == 1


# files ---------------------------------------------------------------------------------------------------------------


def test_a_table_and_a_fhir_export_are_told_apart():
    assert imports.read(b"Name;Phone\nAnna;1\n", "x.txt").table.delimiter == ";"
    assert len(imports.read(b'{"resourceType": "Patient", "name": [{"text": "Anna"}]}', "x.csv").fhir) == 1


@pytest.mark.parametrize(("data", "sentence"), [
    (b"", "empty"), (b"PK\x03\x04 a workbook", "Excel"), (b"\x89PNG\r\n\x1a\n", "picture"), (b"%PDF-1.7", "PDF"),
    (b"Name,Phone\n", "no rows"), (b'{"resourceType": "Observation"}', "holds no Patient")])
def test_a_file_that_is_not_what_it_says_gets_one_sentence(data, sentence):
    with pytest.raises(Invalid, match=sentence):
        imports.read(data, "patients.csv")


def test_the_first_patient_of_a_file_without_headings_comes_in(alice):
    file = imports.read(b"Anna Bell,1980-01-02,030 1111111\nBen Bell,1990-02-03,030 2222222\n", "patients.csv")
    report = bring(alice, imports.rows(file, intake.guess(file.table) | {"full_name": ["Column 1"]}, "ymd"))
    assert [(one.line, one.name, one.kind) for one in report.outcomes] == [(1, "Anna Bell", "created"), (2, "Ben Bell", "created")]


def test_whoever_knows_better_says_whether_there_are_headings():
    data = b"Anna Bell,1980-01-02\nBen Bell,1990-02-03\n"
    assert imports.read(data, "x.csv", headless=False).table.header == ["Anna Bell", "1980-01-02"]
    assert len(imports.read(b"Name\nAnna\n", "x.csv", headless=True)) == 2


def test_a_file_that_is_too_long_is_refused_with_the_limit(monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 1)
    with pytest.raises(Invalid, match="This file has more than 1 rows"):
        imports.read(b"Name\nAnna\nBen\n", "patients.csv")


@pytest.mark.parametrize("made", [lambda size: b",".join([b"abc"] * 500 * size) + b"\nx\n",
                                  lambda size: b'{"resourceType":"Bundle","entry":[' + b"0," * (200_000 * size - 1) + b"0]}",
                                  lambda size: b"name\n" + b"a\n" * 50_000 * size], ids=["headings", "entries", "rows"])
def test_a_file_that_would_take_long_is_refused_before_the_work(made):
    """It takes less than the largest file that is read, and took six seconds and more, growing with the square."""
    def read(data):
        try:
            imports.read(data, "a.csv")
        except Invalid as error:
            return str(error)
        return ""

    fitting, large = made(1), made(3)
    assert "more than" not in read(fitting)
    assert "more than" in read(large)
    took, most = (min(cpu_seconds(partial(read, data)) for _ in range(3)) for data in (large, fitting))
    assert took < most


def test_joined_columns_odd_dates_and_old_encodings_come_in(alice):
    text = "Nachname;Vorname;Geburtsdatum;Telefon;Handy;Allergien;Bemerkung\nMüller;Jürgen;3.4.80;030 111;0171 222222;Latex;ängstlich\n"
    file = imports.read(text.encode("cp1252"), "patienten.csv")
    mapping = intake.guess_mapping(file.table.header)
    report = bring(alice, imports.rows(file, mapping, intake.guess_order(file.table, mapping, "DE")))
    patient = only(alice)
    assert (patient.full_name, str(patient.date_of_birth), patient.phone) == ("Jürgen Müller", "1980-04-03", "030 111")
    assert (report.outcomes[0].kind, report.outcomes[0].reason) == ("created", "There is room for one phone number; left out: 0171 222222.")


def test_both_roles_that_import_may_write_notes():
    assert auth.PERMISSIONS["patients.import"] <= auth.PERMISSIONS["patients.notes"]
