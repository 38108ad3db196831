"""The list of patients, as each role sees it."""

import json

import pytest

from lib import db, patients
from lib.patient_form import PatientForm
from tests.pages.conftest import texts


def register(who, *names: str, **fields: object) -> list:
    with db.scope(who) as scope:
        return [patients.register(scope, PatientForm(full_name=name, **fields)) for name in names]


def table(at) -> list[dict]:
    """The rows that the browser gets."""
    for element in at.get("bidi_component"):
        if element.proto.component_name == "patient_table":
            return json.loads(element.proto.json)["rows"]
    return []


def downloads(at) -> set[str]:
    """The labels of the buttons that fetch a file."""
    return {json.loads(element.proto.json)["label"] for element in at.get("bidi_component") if element.proto.component_name == "download"}


def names(at) -> list[str]:
    return [row["name"] for row in table(at)]


def search(at, term: str):
    at.text_input(key="patients_search").set_value(term)
    return at.run()


def buttons(at) -> set[str]:
    return {button.label for button in [*at.button, *at.get("download_button")]}


def test_an_empty_clinic_is_told_what_to_do(open_page, alice):
    at = open_page(alice, "patients")
    assert "No patients yet." in texts(at)
    assert "Add the first one, or import a list" in texts(at)


def test_the_newest_comes_first_and_the_search_narrows_the_list(open_page, alice):
    register(alice, "José Müller-Nguyễn", "Otto Weber")
    at = open_page(alice, "patients")
    assert names(at) == ["Otto Weber", "José Müller-Nguyễn"]
    assert names(search(at, "nguy")) == ["José Müller-Nguyễn"]
    assert "1–1 of 1" in texts(at)


def test_a_search_without_a_match_says_how_to_search(open_page, alice):
    register(alice, "Otto Weber")
    at = search(open_page(alice, "patients"), "*zzz* [x](http://example.org)")
    assert names(at) == []
    assert "\\*zzz\\* \\[x\\]\\(http" in texts(at)
    assert "end of a phone number" in texts(at)


@pytest.mark.parametrize("term", ["%", "***", "🦷"])
def test_signs_alone_find_nobody(open_page, alice, term):
    register(alice, "Otto Weber")
    at = search(open_page(alice, "patients"), term)
    assert names(at) == []
    assert "No patient matches" in texts(at)
    with db.scope(alice) as scope:
        assert patients.count(scope, term=term) == 0


def test_an_outsider_sees_an_empty_list(open_page, alice, charlie):
    register(alice, "José Müller-Nguyễn")
    at = open_page(charlie, "patients")
    assert names(at) == names(search(at, "jose")) == []


def test_nothing_medical_reaches_the_list(open_page, alice):
    register(alice, "José Müller-Nguyễn", alerts="Penicillin", medical_notes="Secret")
    row = table(open_page(alice, "patients"))[0]
    assert set(row) == {"id", "name", "born", "phone", "email", "marks"}
    assert not {"Penicillin", "Secret"} & set(map(str, row.values()))


def test_archived_and_deceased_are_marked(open_page, alice):
    patient_id = register(alice, "Otto Weber", deceased=True, date_of_birth="1930-01-01", deceased_on="2020-02-02")[0]
    with db.scope(alice) as scope:
        patients.archive(scope, patient_id)
    at = open_page(alice, "patients")
    assert names(at) == []
    at.get("button_group")[0].set_value("archived").run()
    assert table(at)[0]["marks"] == ["deceased", "archived"]
    assert table(at)[0]["born"].endswith("2020")


def test_fifty_patients_fill_a_page_and_the_older_ones_follow(open_page, alice):
    register(alice, *(f"Person {number}" for number in range(53)))
    at = open_page(alice, "patients")
    assert len(table(at)) == 50
    next(button for button in at.button if button.label == "Older").click().run()
    assert names(at) == ["Person 2", "Person 1", "Person 0"]
    assert "51–53 of 53" in texts(at)
    next(button for button in at.button if button.label == "Newer").click().run()
    assert len(table(at)) == 50


@pytest.mark.parametrize(("role", "offered"), [("clinician", {"Export", "Import", "Add patient"}), ("manager", {"Export", "Add patient"}),
                                               ("receptionist", {"Add patient"})])
def test_import_and_export_are_offered_by_role(open_page, alice, hire, role, offered):
    at = open_page(hire(alice, role, "Some Body"), "patients")
    assert (buttons(at) | downloads(at)) & {"Export", "Import", "Add patient"} == offered


def test_signed_out_there_is_no_list(open_page, alice):
    register(alice, "José Müller-Nguyễn")
    at = open_page(None, "patients")
    assert names(at) == []
    assert "Patients" not in [title.value for title in at.title]
