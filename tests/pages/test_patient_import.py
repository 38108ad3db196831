"""Importing patients: the steps on the screen, from a file to what became of its rows."""

from contextlib import suppress

import pytest

from lib import db, imports, jobs
from tests.pages.conftest import texts
from tests.test_permissions import sent
from ui import job_progress

TABLE = b"id,first name,last name,birth date,phone,shoe size\n1,Anna,Bell,1980-01-02,030 111111,38\n2,Ben,Bell,tomorrow,,40\n"
THREE = b"name\nAnna Bell\nBen Bell\nCarl Bell\n"


@pytest.fixture
def page(open_page, alice, working):
    return open_page(alice, "patient_import")


def upload(at, data, name="patients.csv"):
    return at.file_uploader[0].set_value((name, data, "text/csv")).run()


def press(at, label):
    return next(button for button in at.button if button.label == label).click().run()


def figures(at):
    return {metric.label: metric.value for metric in at.metric}


def steps(at):
    return [html.value for html in at.html if "class='step" in html.value]


def encodings(at):
    return next(box for box in at.selectbox if box.label == "Encoding")


def how_many(identity):
    with db.scope(identity) as scope:
        return scope.value("select count(*) from patients where clinic_id = :clinic_id")


@pytest.mark.parametrize("who", ["mona", "rita"])
def test_managers_and_receptionists_are_not_offered_an_import(open_page, request, who):
    with suppress(ValueError):  # what AppTest says of a page that is not in the menu
        at = open_page(request.getfixturevalue(who), "patient_import")
        assert not at.file_uploader
        assert "Import patients" not in texts(at)


def test_the_page_begins_with_the_file_and_shows_what_comes_after(page):
    assert [step.count("ahead") for step in steps(page)] == [0, 1, 1]
    assert not page.multiselect
    assert not page.exception


def columns(at, label):
    return next(box for box in at.multiselect if box.label == label)


def test_the_choice_of_columns_is_there_when_such_a_file_is_chosen_again_and_gone_once_imported(open_page, page, alice, bob):
    upload(page, TABLE)
    columns(page, "Record number").set_value(["shoe size"]).run()
    again = upload(open_page(alice, "patient_import"), TABLE + b"3,Cleo,Bell,1990-01-02,,41\n")
    assert columns(again, "Record number").value == ["shoe size"]
    assert columns(again, "Phone").value == ["phone"]
    assert columns(upload(open_page(bob, "patient_import"), TABLE), "Record number").value == ["id"]
    assert columns(upload(open_page(alice, "patient_import"), TABLE.replace(b"shoe size", b"hat size")), "Record number").value == ["id"]
    press(again, "Import")
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from drafts where clinic_id = :clinic_id and user_id = :me", me=alice.user_id) == 0


def test_the_columns_are_guessed_and_the_rows_shown_as_they_would_become(page):
    upload(page, TABLE)
    assert {box.label: box.value for box in page.multiselect if box.value} == {
        "Full name": ["first name", "last name"], "Date of birth": ["birth date"], "Phone": ["phone"], "Record number": ["id"]}
    table = page.dataframe[0].value
    assert list(table["Full name"]) == ["Anna Bell", "Ben Bell"]
    assert list(table["Problem"]) == ["", "The date “tomorrow” can't be read."]
    assert "Left out: shoe size" in texts(page)
    assert "Rows: 2 · separated by commas · Unicode (UTF-8)" in steps(page)[0]


def test_a_corrected_mapping_changes_the_preview(page):
    upload(page, TABLE)
    next(box for box in page.multiselect if box.label == "Full name").set_value(["last name", "first name"]).run()
    assert page.dataframe[0].value["Full name"][0] == "Bell Anna"


def test_without_a_name_there_is_nothing_to_import(page):
    upload(page, b"foo,bar\n1,2\n")
    assert "Choose the columns that hold the name" in texts(page)
    assert "Import" not in [button.label for button in page.button]


def test_the_order_of_dates_is_guessed_and_can_be_changed(page):
    upload(page, b"name,dob\nAnna Bell,03/04/1980\n")
    assert page.dataframe[0].value["Date of birth"][0] == "1980-04-03"
    page.selectbox[0].select("mdy").run()
    assert page.dataframe[0].value["Date of birth"][0] == "1980-03-04"


def test_the_encoding_is_guessed_and_another_choice_reads_the_file_again(page, alice):
    upload(page, "Adı;Phone\nAyşe;1\n".encode("cp1254"))
    choice = encodings(page)
    assert (choice.value, choice.label) == ("cp1252", "Encoding")
    assert "Turkish (Windows-1254)" in choice.options
    choice.select("cp1254").run()
    assert not page.exception
    next(box for box in page.multiselect if box.label == "Full name").set_value(["Adı"]).run()
    assert page.dataframe[0].value["Full name"][0] == "Ayşe"
    assert "Turkish (Windows-1254)" in steps(page)[0]
    encodings(page).select("cp1252").run()
    assert "Adý" in page.multiselect[0].options
    encodings(page).select("cp1254").run()
    next(box for box in page.multiselect if box.label == "Full name").set_value(["Adı"]).run()
    press(page, "Import")
    with db.scope(alice) as scope:
        assert scope.value("select full_name from patients where clinic_id = :clinic_id") == "Ayşe"


def test_an_encoding_that_does_not_fit_shows_what_it_would_cost_and_can_be_taken_back(page):
    upload(page, "name;phone\nJosé;1\n".encode("cp1252"))
    assert page.dataframe[0].value["Full name"][0] == "José"
    encodings(page).select("utf-8").run()
    assert page.dataframe[0].value["Full name"][0] == "Jos\ufffd"
    assert "were lost" in page.dataframe[0].value["Problem"][0]
    encodings(page).select("cp1252").run()
    assert page.dataframe[0].value["Full name"][0] == "José"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_encoding_of_a_marked_file_stands_first(page, encoding):
    upload(page, "name,phone\nZoë,1\n".encode(encoding))
    assert encodings(page).value == encoding
    assert len(set(encodings(page).options)) == len(encodings(page).options)


def test_checking_counts_and_writes_nothing(page, alice):
    press(upload(page, TABLE), "Check without importing")
    assert figures(page) == {"Would be created": "1", "Would be updated": "0", "Duplicates": "0", "Rejected": "1"}
    assert how_many(alice) == 0
    next(box for box in page.multiselect if box.label == "Phone").set_value([]).run()
    assert not page.metric


def test_importing_ends_with_the_counts_the_problem_rows_and_the_report(page, alice):
    press(upload(page, TABLE), "Import")
    assert figures(page) == {"Created": "1", "Updated": "0", "Duplicates": "0", "Rejected": "1"}
    assert list(page.dataframe[0].value["Reason"]) == ["The date “tomorrow” can't be read."]
    assert [button.label for button in page.download_button] == ["Download the report"]
    assert how_many(alice) == 1


def test_the_same_file_again_adds_nobody_and_links_to_who_is_there(page, alice):
    press(press(upload(page, TABLE), "Import"), "Import another file")
    press(upload(page, TABLE), "Import")
    assert figures(page)["Created"] == "0"
    page.segmented_control[0].set_value("duplicate").run()
    assert page.dataframe[0].value["Patient"][0].startswith("/patient?patient=")
    assert how_many(alice) == 1


def test_a_rerun_of_the_finished_page_imports_nothing_more(page, alice):
    press(upload(page, TABLE), "Import").run().run()
    assert how_many(alice) == 1


def test_an_import_that_lost_its_database_goes_on_by_itself(page, alice, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 1)
    write, done = imports.write, []

    def flaky(scope, report):
        done.append(report)
        if len(done) == 2:
            raise imports.Unavailable
        return write(scope, report)

    monkeypatch.setattr(imports, "write", flaky)
    press(upload(page, THREE), "Import")
    assert figures(page)["Created"] == "3"
    assert how_many(alice) == 3


def test_a_reload_finds_the_import_and_its_report_again(page, open_page, alice):
    press(upload(page, TABLE), "Import")
    again = open_page(alice, "patient_import")
    assert figures(again) == {"Created": "1", "Updated": "0", "Duplicates": "0", "Rejected": "1"}
    press(again, "Import another file")
    assert open_page(alice, "patient_import").file_uploader


def test_without_a_worker_the_page_says_that_the_import_waits(open_page, alice, monkeypatch):
    """And is no longer held up once it is cancelled."""
    page = open_page(alice, "patient_import")
    monkeypatch.setattr(job_progress, "follow", lambda job, permission: job_progress.st.caption(f"follows {job.status}"))
    press(upload(page, TABLE), "Import")
    assert "follows waiting" in texts(page)
    press(page, "Cancel")
    assert "Stopped. 0 of 2 rows are done" in texts(page).replace("\\", "")


def test_an_import_that_nobody_works_on_says_so(open_page, alice, monkeypatch):
    page = open_page(alice, "patient_import")
    monkeypatch.setattr(job_progress, "BEATS", [])
    monkeypatch.setattr(job_progress.jobs, "state", lambda: jobs.Queue(1, 0, 0, 0))
    monkeypatch.setattr(job_progress.long_jobs, "get", lambda scope, job_id: job_progress.st.stop())
    press(upload(page, TABLE), "Import")
    assert "Nobody works on jobs right now" in sent(page)


def test_a_family_with_one_phone_comes_in_whole(page):
    upload(page, b"name,phone,dob\nAnna Bell,030 111111,1980-01-02\nBen Bell,030 111111,2010-03-04\n")
    press(page, "Import")
    assert figures(page)["Created"] == "2"


def test_twins_with_one_phone_come_in_with_a_note(page):
    press(upload(page, b"name,phone,dob\nAnna Bell,030 111111,2015-01-02\nBen Bell,030 111111,2015-01-02\n"), "Import")
    assert figures(page)["Created"] == "2"
    assert list(page.dataframe[0].value["Reason"]) == ["Shares the phone number with line 2 of this file."]


def test_a_file_without_headings_keeps_its_first_patient(page, alice):
    upload(page, b"Anna Bell,1980-01-02,030 1111111\nBen Bell,1990-02-03,\n")
    [box] = page.checkbox
    assert (box.label, box.value) == ("The first row is already a patient", True)
    assert {each.label: each.value for each in page.multiselect if each.value} == {"Date of birth": ["Column 2"], "Phone": ["Column 3"]}
    name = next(each for each in page.multiselect if each.label == "Full name")
    assert name.options == ["Column 1: Anna Bell", "Column 2: 1980-01-02", "Column 3: 030 1111111"]
    name.set_value(["Column 1"]).run()
    assert list(page.dataframe[0].value["Line"]) == [1, 2]
    press(page, "Import")
    assert how_many(alice) == 2


def test_the_guess_about_headings_can_be_corrected_and_taken_back(page):
    upload(page, b"Name,Phone\nAnna Bell,1\n")
    assert page.checkbox[0].value is False
    page.checkbox[0].check().run()
    assert not page.exception
    assert "Column 1: Name" in page.multiselect[0].options
    page.checkbox[0].uncheck().run()
    assert page.multiselect[0].value == ["Name"]
    assert list(page.dataframe[0].value["Line"]) == [2]


def test_a_fhir_export_needs_no_columns(page):
    upload(page, b'{"resourceType": "Patient", "id": "7", "name": [{"text": "Anna Bell"}]}', "anna.json")
    assert not page.multiselect
    assert "FHIR export" in steps(page)[0]
    press(page, "Import")
    assert figures(page)["Created"] == "1"


@pytest.mark.parametrize(("data", "sentence"), [(b"PK\x03\x04", "Excel workbook"), (b"\x89PNG\r\n", "picture"), (b"", "empty")])
def test_a_file_that_is_not_what_it_says_gets_one_sentence(page, data, sentence):
    upload(page, data)
    assert [sentence in error.value for error in page.error] == [True]
    assert not page.multiselect


def test_what_stands_in_a_file_is_never_markup(page):
    upload(page, b"name,[a](http://e.vil)\n<b>Anna</b> ![x](http://e.vil),1\n")
    assert "](http" not in texts(page)
    assert page.dataframe[0].value["Full name"][0] == "<b>Anna</b> ![x](http://e.vil)"
