"""Adding and editing: what is wrong is said beside the field, and nothing typed is lost."""

from uuid import UUID

import pytest

from lib import db, drafts, patients
from lib.patient_form import PatientForm
from tests.pages.conftest import texts

JOSE = PatientForm(full_name="José Müller-Nguyễn", phone="030 5554581", email="jose@example.org", date_of_birth="1980-03-12",
                   medical_notes="Root canal", alerts="Penicillin")


@pytest.fixture
def jose(alice) -> UUID:
    with db.scope(alice) as scope:
        return patients.register(scope, JOSE)


def type_in(at, **fields: str | bool):
    """One field after the other, as a person does."""
    for name, value in fields.items():
        kind = at.text_area if name in patients.NOTES else at.checkbox if name == "deceased" else at.text_input
        kind(key=f"field_{name}").set_value(value)
        at.run()
    return at


def press(at, label: str):
    return next(button for button in at.button if button.label == label).click().run()


def lines(at) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def everybody(who) -> list[patients.Listed]:
    with db.scope(who) as scope:
        return patients.find(scope).rows


def read(who, patient_id: UUID) -> patients.Patient:
    with db.scope(who) as scope:
        return patients.read(scope, patient_id)


def amend(who, patient_id: UUID, **fields: object) -> None:
    before = read(who, patient_id)
    with db.scope(who) as scope:
        patients.amend(scope, patient_id, PatientForm(**(before.values() | fields)), versions=before.versions)


def test_a_new_patient_is_saved_as_typed(open_page, alice):
    at = type_in(open_page(alice, "patient_edit"), full_name="José Müller-Nguyễn", date_of_birth="12.3.1980", phone="030 5554581",
                 alerts="Latex", medical_notes="n" * 20_000)
    assert "1980" in lines(at)
    press(at, "Save")
    saved = read(alice, everybody(alice)[0].id)
    assert (saved.full_name, str(saved.date_of_birth), saved.notes.alerts) == ("José Müller-Nguyễn", "1980-03-12", "Latex")
    assert saved.notes.medical_notes == "n" * 20_000


def test_the_labels_are_those_people_look_for(open_page, bob, rita):
    at = open_page(bob, "patient_edit")
    assert {"Full name", "Email", "Phone", "Date of birth"} <= {field.label for field in at.text_input}
    assert {"Medical notes", "Alerts"} == {field.label for field in at.text_area}
    assert not open_page(rita, "patient_edit").text_area


def test_what_is_wrong_is_said_and_everything_stays_on_the_screen(open_page, alice):
    at = type_in(open_page(alice, "patient_edit"), full_name="a" * 256, email="nonsense", date_of_birth="31.2.1980", medical_notes="n" * 20_001)
    assert "too long" not in lines(at)
    press(at, "Save")
    for words in ("256 characters", "does not look right", "is not a date", "20,001 characters, and 20,000 fit"):
        assert words in lines(at)
    assert at.text_input(key="field_full_name").value == "a" * 256
    assert len(at.text_area(key="field_medical_notes").value) == 20_001
    assert everybody(alice) == []


def test_an_unlikely_phone_warns_and_is_saved(open_page, alice):
    at = type_in(open_page(alice, "patient_edit"), full_name="Otto", phone="12")
    assert "unusual" in lines(at)
    press(at, "Save")
    assert everybody(alice)[0].phone == "12"


def test_a_likely_duplicate_is_shown_before_saving(open_page, alice, jose):
    at = type_in(open_page(alice, "patient_edit"), full_name="Jose Muller Nguyen", phone="+49 30 555 4581")
    press(at, "Save")
    assert "may be somebody you already have" in texts(at)
    assert str(jose) in texts(at)
    assert len(everybody(alice)) == 1
    press(at, "Save anyway")
    assert len(everybody(alice)) == 2


def test_another_clinics_patient_is_no_duplicate(open_page, jose, charlie):
    press(type_in(open_page(charlie, "patient_edit"), full_name="José Müller-Nguyễn", phone="030 5554581"), "Save")
    assert len(everybody(charlie)) == 1


def test_a_draft_survives_a_reload_and_can_be_discarded(open_page, alice, bob):
    type_in(open_page(alice, "patient_edit"), full_name="Half a na", medical_notes="so far")
    at = open_page(alice, "patient_edit")
    assert at.text_input(key="field_full_name").value == "Half a na"
    assert at.text_area(key="field_medical_notes").value == "so far"
    assert "is back" in texts(at)
    assert open_page(bob, "patient_edit").text_input(key="field_full_name").value == ""
    at = press(at, "Discard draft")
    assert at.text_input(key="field_full_name").value == ""
    assert open_page(alice, "patient_edit").text_input(key="field_full_name").value == ""


def test_saving_clears_the_draft(open_page, alice, jose):
    press(type_in(open_page(alice, "patient_edit", patient=str(jose)), phone="030 777"), "Save")
    with db.scope(alice) as scope:
        assert drafts.load(scope, f"patient:{jose}") is None


def test_a_text_too_long_for_a_draft_stays_on_the_screen(open_page, alice):
    at = type_in(open_page(alice, "patient_edit"), full_name="Otto", medical_notes="n" * 150_000)
    assert "too long to be kept as a draft" in "".join(toast.value for toast in at.toast)
    assert len(at.text_area(key="field_medical_notes").value) == 150_000


def test_an_edit_begins_with_what_is_saved(open_page, alice, jose):
    at = open_page(alice, "patient_edit", patient=str(jose))
    assert at.text_input(key="field_date_of_birth").value == "12.03.1980"
    assert at.text_area(key="field_alerts").value == "Penicillin"
    press(type_in(at, deceased=True, deceased_on="1.2.2020"), "Save")
    assert str(read(alice, jose).deceased_on) == "2020-02-01"


def test_a_receptionists_edit_leaves_the_notes_alone(open_page, alice, rita, jose):
    at = open_page(rita, "patient_edit", patient=str(jose))
    assert not at.text_area
    press(type_in(at, phone="030 777"), "Save")
    saved = read(alice, jose)
    assert (saved.phone, saved.notes.medical_notes, saved.notes.version) == ("030 777", "Root canal", 1)


def test_a_colleagues_newer_version_is_shown_beside_ones_own_and_one_chooses(open_page, alice, bob, jose):
    at = open_page(alice, "patient_edit", patient=str(jose))
    amend(bob, jose, phone="030 111", email="bob@example.org")
    press(type_in(at, phone="030 222", alerts="Latex"), "Save")
    assert "Bob Brown saved this patient in the meantime" in texts(at).replace("\\", "")
    assert "030 111" in lines(at)
    assert "030 222" in lines(at)
    assert read(alice, jose).phone == "030 111"
    press(at, "Save")
    assert "choose which value" in texts(at)
    next(radio for radio in at.radio if "Phone" in radio.label).set_value("yours").run()
    press(at, "Save")
    saved = read(alice, jose)
    assert (saved.phone, saved.email, saved.notes.alerts) == ("030 222", "bob@example.org", "Latex")


def test_a_draft_from_before_a_colleagues_save_overwrites_nothing(open_page, alice, bob, jose):
    type_in(open_page(alice, "patient_edit", patient=str(jose)), phone="030 222")
    amend(bob, jose, phone="030 111")
    press(open_page(alice, "patient_edit", patient=str(jose)), "Save")
    assert read(alice, jose).phone == "030 111"


def test_a_record_number_that_is_taken_is_said_and_nothing_is_lost(open_page, alice, jose):
    amend(alice, jose, external_id="HS-1")
    at = press(type_in(open_page(alice, "patient_edit"), full_name="Otto", external_id="HS-1"), "Save")
    assert "has this record number already" in texts(at).replace("\\", "")
    assert at.text_input(key="field_full_name").value == "Otto"


@pytest.mark.parametrize("address", ["not-an-id", "foreign"])
def test_a_foreign_patient_is_not_edited(open_page, charlie, jose, address):
    at = open_page(charlie, "patient_edit", patient=str(jose) if address == "foreign" else address)
    assert not at.text_input
    assert "José" not in texts(at)
