"""Finding, reading, registering, amending, archiving, comparing, exporting: by those who may, and by those who may not."""

import csv
import io
from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from lib import csv_file, db, patient_export, patient_history, patients
from lib.errors import Changed, Conflict, Forbidden, NotFound
from lib.identity import Identity
from lib.patient_form import PatientForm

JOSE = PatientForm(full_name="José Müller-Nguyễn", email="Jose.M@example.org", phone="030 555 4581", date_of_birth="1980-03-12",
                   medical_notes="Root canal 36", alerts="Penicillin", external_id="HS-1")


def register(who: Identity, **fields: object) -> UUID:
    form = JOSE.model_copy(update=fields) if fields else JOSE
    with db.scope(who) as scope:
        return patients.register(scope, form)


def get(who: Identity, patient_id: UUID) -> patients.Patient:
    with db.scope(who) as scope:
        return patients.get(scope, patient_id)


def amend(who: Identity, patient: patients.Patient, **fields: object) -> list[str]:
    with db.scope(who) as scope:
        form = PatientForm(**(JOSE.model_dump() | patient.values() | fields))
        return patients.amend(scope, patient.id, form, versions=patient.versions)


def found(who: Identity, term: str = "", **options: bool) -> list[str]:
    with db.scope(who) as scope:
        return [patient.full_name for patient in patients.find(scope, term=term, **options).rows]


def history(who: Identity, patient_id: UUID) -> list[patient_history.Change]:
    with db.scope(who) as scope:
        return patient_history.read(scope, patient_id)


def exported(who: Identity, **options: object) -> list[list[str]]:
    with db.scope(who) as scope:
        return list(csv.reader(io.StringIO(patient_export.export(scope, **options))))


def audit(who: Identity, action: str) -> list:
    with db.scope(who) as scope:
        return scope.connection.execute(text("""
            select resource, resource_id, patient_id, fields, row_count, term_hash from audit_log
            where clinic_id = :clinic and action = :action order by id
            """), {"clinic": who.clinic_id, "action": action}).all()


# finding -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("term", ["jose", "mull", "nguyen", "NGUYỄN", "müller-ng", "jose nguy", "4581", "555 4581", "+49 30 5554581",
                                  "(030) 555-4581", "jose.m@ex", "josé"])
def test_a_patient_is_found_by_the_start_of_a_word_or_the_end_of_a_number(alice, term):
    register(alice)
    register(alice, full_name="Otto Weber", phone="030 1112223", email="otto@example.net", external_id=None)
    assert found(alice, term) == ["José Müller-Nguyễn"]


@pytest.mark.parametrize("term", ["ose", "uller", "458", "0302", "'; drop table patients --", "a\0b", "x" * 5000, "\ud800zz", "zzz & !", "zz:*", "\\'zz"])
def test_what_matches_nobody_finds_nobody_and_breaks_nothing(alice, term):
    register(alice)
    assert found(alice, term) == []


def test_a_colleague_finds_the_patient_and_an_outsider_finds_nobody(alice, bob, mona, rita, charlie):
    register(alice)
    assert [found(who, "jose") for who in (alice, bob, mona, rita)] == [["José Müller-Nguyễn"]] * 4
    assert found(charlie, "jose") == found(charlie) == []
    with db.scope(charlie) as scope:
        assert patients.count(scope) == patients.count(scope, term="jose") == 0


def test_pages_lead_through_everybody_newest_first(alice):
    with db.scope(alice) as scope:
        ids = [patients.register(scope, PatientForm(full_name=f"Person {letter}")) for letter in "ABCDEFG"]
    seen: list[UUID] = []
    with db.scope(alice) as scope:
        after, more = None, True
        while more:
            page = patients.find(scope, after=after, limit=3)
            seen += [patient.id for patient in page.rows]
            after, more = page.rows[-1].id, page.more
        assert patients.count(scope) == 7
    assert seen == sorted(ids, reverse=True)


def test_the_newest_first_list_walks_an_index(alice, owner):
    """The statement that `find` runs, explained: no sort and no scan of the whole table."""
    with db.scope(alice) as scope:
        scope.run("""
            insert into patients (clinic_id, user_id, changed_by, full_name)
            select :clinic_id, :me, :me, 'P' from generate_series(1, 2000)
            """, me=alice.user_id)
    with owner.begin() as connection:
        connection.execute(text("analyze patients"))
    with db.scope(alice) as scope:
        asked: list[tuple[str, dict]] = []
        scope.page = lambda cls, sql, **values: asked.append((sql, values))  # type: ignore[method-assign]
        patients.find(scope)
        patients.find(scope, after=uuid4())
        patients.find(scope, archived=True)
        for sql, values in asked:
            plan = "\n".join(scope.connection.execute(text("explain " + sql), {"clinic_id": alice.clinic_id, **values}).scalars())
            assert "Index" in plan
            assert "Sort" not in plan
            assert "Seq Scan" not in plan


def test_looking_is_recorded_once_per_term_and_without_the_term(alice):
    register(alice)
    for _rerun in range(3):
        found(alice, "jose")
    found(alice, "mull")
    found(alice)
    rows = audit(alice, "search")
    assert len(rows) == 2
    assert all(len(row.term_hash) == 64 for row in rows)
    assert len(audit(alice, "list")) == 1


# reading -------------------------------------------------------------------------------------------------------------


def test_notes_are_read_by_owner_and_clinician_only(alice, bob, mona, rita):
    patient_id = register(alice)
    assert get(alice, patient_id).notes.alerts == get(bob, patient_id).notes.alerts == "Penicillin"
    assert get(mona, patient_id).notes is None
    assert get(rita, patient_id).notes is None
    assert get(rita, patient_id).phone == "030 555 4581"


def test_a_foreign_id_answers_like_a_random_one(alice, charlie):
    patient_id = register(alice)
    answers = []
    for asked in (patient_id, uuid4()):
        with pytest.raises(NotFound) as refused:
            get(charlie, asked)
        answers.append(str(refused.value))
    assert answers[0] == answers[1]
    assert not audit(charlie, "view")


def test_a_view_is_recorded_with_its_patient(alice, rita):
    patient_id = register(alice)
    get(rita, patient_id)
    get(rita, patient_id)
    assert [row.patient_id for row in audit(rita, "view")] == [patient_id]


# registering ---------------------------------------------------------------------------------------------------------


def test_what_is_registered_is_what_was_typed(alice):
    patient = get(alice, register(alice))
    assert patient.values() == JOSE.model_dump()
    assert (patient.version, patient.notes.version, patient.changed_by) == (1, 1, "Alice Adams")
    assert audit(alice, "register")[0].fields == ["full_name", "email", "phone", "date_of_birth", "external_id", "medical_notes", "alerts"]


def test_twenty_thousand_characters_of_notes_are_kept_to_the_last(alice):
    notes = "ä" * 19_990 + "€ the end."
    assert get(alice, register(alice, medical_notes=notes)).notes.medical_notes == notes


def test_a_receptionist_registers_a_patient_without_notes(alice, rita):
    patient = get(alice, register(rita))
    assert patient.notes == patients.Notes()
    assert patient.changed_by == "Rita Ross"


def test_saving_twice_registers_once(alice):
    once = patients.new_id()
    for _click in range(2):
        with db.scope(alice) as scope:
            patients.register(scope, JOSE, patient_id=once)
    assert found(alice) == ["José Müller-Nguyễn"]
    assert once.version == 7
    assert len(audit(alice, "register")) == 1


def test_a_record_number_belongs_to_one_patient_of_a_clinic_and_says_so(alice, charlie):
    register(alice)
    with pytest.raises(Conflict, match="record number"):
        register(alice, full_name="Otto")
    assert register(charlie)


# amending ------------------------------------------------------------------------------------------------------------


def test_a_change_is_saved_found_and_told_by_field(alice, bob):
    patient = get(alice, register(alice))
    assert amend(bob, patient, phone="030 777", medical_notes="New") == ["phone", "medical_notes"]
    after = get(alice, patient.id)
    assert (after.phone, after.notes.medical_notes, after.notes.changed_by) == ("030 777", "New", "Bob Brown")
    assert found(alice, "777") == ["José Müller-Nguyễn"]
    assert found(alice, "4581") == []
    assert audit(alice, "amend")[0].fields == ["phone", "medical_notes"]


def test_saving_what_stands_there_already_writes_nothing(alice):
    patient = get(alice, register(alice))
    assert amend(alice, patient) == []
    assert get(alice, patient.id).versions == (1, 1)
    assert not audit(alice, "amend")


def test_an_older_version_is_refused_with_both_values_and_nothing_is_overwritten(alice, bob):
    patient = get(alice, register(alice))
    amend(bob, patient, phone="030 777", medical_notes="Bob's")
    with pytest.raises(Changed) as refused:
        amend(alice, patient, phone="030 888", email="new@example.org")
    told = {one.field: (one.before, one.yours, one.theirs, one.proposed) for one in refused.value.differences}
    assert told == {"phone": ("030 555 4581", "030 888", "030 777", None),
                    "email": (JOSE.email, "new@example.org", JOSE.email, "yours"),
                    "medical_notes": ("Root canal 36", "Root canal 36", "Bob's", "theirs")}
    assert get(alice, patient.id).phone == "030 777"


def test_notes_alone_count_as_a_newer_version(alice, bob):
    patient = get(alice, register(alice))
    amend(bob, patient, alerts="Latex")
    with pytest.raises(Changed):
        amend(alice, patient, alerts="Nickel")
    assert get(alice, patient.id).notes.alerts == "Latex"


def test_two_first_notes_do_not_overwrite_each_other(alice, bob, rita):
    patient = get(alice, register(rita))
    amend(bob, patient, alerts="Latex", medical_notes="")
    with pytest.raises(Changed):
        amend(alice, patient, alerts="Nickel", medical_notes="")


def test_of_two_who_save_in_the_same_moment_one_is_refused_whole(alice, monkeypatch):
    """The other's save falls between this one's reading and its writing."""
    patient = get(alice, register(alice))
    read = patients.read

    def read_then_lose_the_race(scope, patient_id):
        monkeypatch.setattr(patients, "read", read)
        before = read(scope, patient_id)
        amend(alice, patient, phone="030 777")
        return before

    monkeypatch.setattr(patients, "read", read_then_lose_the_race)
    with pytest.raises(Changed):
        amend(alice, patient, phone="030 888", alerts="Nickel")
    after = get(alice, patient.id)
    assert (after.phone, after.notes.alerts) == ("030 777", "Penicillin")


@pytest.mark.parametrize("role", ["mona", "rita"])
def test_those_without_notes_change_contact_data_and_touch_no_notes(alice, role, request):
    who = request.getfixturevalue(role)
    patient_id = register(alice)
    assert amend(who, get(who, patient_id), email="x@example.org", medical_notes="wiped", alerts="") == ["email"]
    assert get(alice, patient_id).notes == replace(get(alice, patient_id).notes, medical_notes="Root canal 36", alerts="Penicillin", version=1)


def test_an_outsider_changes_archives_and_restores_nothing(alice, charlie):
    patient = get(alice, register(alice))
    for act in (lambda scope: patients.amend(scope, patient.id, JOSE.model_copy(update={"phone": "1"}), versions=patient.versions),
                lambda scope: patients.archive(scope, patient.id), lambda scope: patients.restore(scope, patient.id)):
        with pytest.raises(NotFound), db.scope(charlie) as scope:
            act(scope)
    assert get(alice, patient.id).versions == patient.versions


# archiving -----------------------------------------------------------------------------------------------------------


def test_an_archived_patient_leaves_the_list_and_comes_back(alice, mona):
    patient_id = register(alice)
    for _click in range(2):
        with db.scope(mona) as scope:
            patients.archive(scope, patient_id)
    assert found(alice) == []
    assert found(alice, "jose", archived=True) == ["José Müller-Nguyễn"]
    assert get(alice, patient_id).archived_at
    with db.scope(alice) as scope:
        patients.restore(scope, patient_id)
    assert found(alice) == ["José Müller-Nguyễn"]
    assert (len(audit(alice, "archive")), len(audit(alice, "restore"))) == (1, 1)


def test_a_receptionist_does_not_archive(alice, rita):
    patient_id = register(alice)
    for act in (patients.archive, patients.restore):
        with pytest.raises(Forbidden), db.scope(rita) as scope:
            act(scope, patient_id)


# duplicates ----------------------------------------------------------------------------------------------------------


def duplicates(who: Identity, **fields: object) -> int:
    with db.scope(who) as scope:
        return len(patients.duplicates(scope, PatientForm(**({"full_name": "Somebody Else"} | fields))))


def test_likely_duplicates_share_name_and_birth_or_phone_or_email(alice, charlie):
    register(alice)
    assert duplicates(alice, full_name="jose  MULLER-NGUYEN", date_of_birth="1980-03-12") == 1
    assert duplicates(alice, phone="+49 (30) 555-4581") == 1
    assert duplicates(alice, email="JOSE.M@EXAMPLE.ORG") == 1
    assert duplicates(alice, full_name="José Müller-Nguyễn") == duplicates(alice, date_of_birth="1980-03-12") == 0
    assert duplicates(alice, phone="4581") == duplicates(alice) == 0
    assert duplicates(charlie, email="JOSE.M@EXAMPLE.ORG", phone="030 555 4581") == 0


def test_nobody_is_their_own_duplicate_and_the_archived_count(alice):
    patient_id = register(alice)
    with db.scope(alice) as scope:
        assert patients.duplicates(scope, JOSE, patient_id) == []
        patients.archive(scope, patient_id)
        assert patients.duplicates(scope, JOSE)[0].archived_at


# history -------------------------------------------------------------------------------------------------------------


def test_the_history_tells_who_when_what_before_and_after(alice, bob):
    patient_id = register(alice)
    amend(bob, get(bob, patient_id), phone="030 777", alerts="Latex")
    newest = {tuple(change.fields): change for change in history(alice, patient_id)[:2]}
    phone, alerts = newest["phone",], newest["alerts",]
    assert (phone.changed_by, phone.before["phone"], phone.after["phone"]) == ("Bob Brown", "030 555 4581", "030 777")
    assert (alerts.before["alerts"], alerts.after["alerts"]) == ("Penicillin", "Latex")
    assert [change.before for change in history(alice, patient_id) if change.version == 1 and "full_name" in change.fields] == [None]


def test_the_history_of_notes_is_for_those_who_read_notes(alice, mona, rita, charlie):
    patient_id = register(alice)
    for who in (mona, rita):
        assert {field for change in history(who, patient_id) for field in change.fields}.isdisjoint(patients.NOTES)
    assert history(charlie, patient_id) == []


# export --------------------------------------------------------------------------------------------------------------


def test_the_export_holds_what_the_role_may_read_and_is_counted(alice, mona):
    register(alice)
    heading, row = exported(alice)
    assert (heading[-2:], row[-2:]) == (["Alerts", "Medical notes"], ["Penicillin", "Root canal 36"])
    heading, row = exported(mona)
    assert "Penicillin" not in "".join(heading + row)
    assert row == ["HS-1", "José Müller-Nguyễn", "Jose.M@example.org", "030 555 4581", "1980-03-12", "", ""]
    assert [one.row_count for one in audit(alice, "export")] == [1, 1]


def test_the_export_follows_the_filter(alice):
    register(alice)
    register(alice, full_name="Otto Weber", phone=None, email=None, external_id=None)
    assert [row[1] for row in exported(alice, term="otto")[1:]] == ["Otto Weber"]
    assert exported(alice, archived=True)[1:] == []


def test_a_receptionist_exports_nothing_and_an_outsider_only_their_own(alice, rita, charlie):
    register(alice)
    with pytest.raises(Forbidden):
        exported(rita)
    assert exported(charlie)[1:] == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "＝", "\n@"])
def test_a_cell_that_a_spreadsheet_would_run_stays_text(start):
    assert csv_file.tame(f"{start}HYPERLINK(1)").lstrip().startswith("'")


def test_dangerous_text_in_every_field_comes_out_as_text(alice):
    register(alice, full_name="=cmd|' /C calc'!A0 X", phone="+49 30 1", medical_notes='-1+1\n"quoted", comma', alerts="@SUM(A1)")
    row = exported(alice)[1]
    assert all(cell[:1] not in "=+-@" for cell in row if cell)
    assert row[-1] == "'-1+1\n\"quoted\", comma"


# keys ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), [("030 555 4581", "+49 30 5554581"), ("0049305554581", "(030) 555/4581")])
def test_one_number_written_twice_has_one_key(one, other):
    assert patients.phone_key(one, "DE") == patients.phone_key(other, "DE")


def test_a_death_is_kept_with_its_day(alice):
    patient = get(alice, register(alice, deceased=True, deceased_on=date(2020, 1, 2)))
    assert (patient.deceased, patient.deceased_on) == (True, date(2020, 1, 2))


def test_a_foreign_keys_check_has_only_the_primary_key_to_walk(owner):
    """Another complete index that begins with clinic_id is taken for it while there are no statistics: see schema.sql."""
    with owner.connect() as connection:
        complete = connection.execute(text("""
            select indexrelid::regclass::text from pg_index
            where indrelid = 'patients'::regclass and indpred is null
            """)).scalars().all()
    assert complete == ["patients_pkey"]


def test_ids_made_one_after_the_other_stay_in_order():
    import time
    made = []
    for _one in range(300):
        made.append(patients.new_id())
        time.sleep(0.000_01)
    assert made == sorted(made)
    assert {one.version for one in made} == {7}
