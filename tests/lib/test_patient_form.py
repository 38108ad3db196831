import csv
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lib import patient_form
from lib.patient_form import PatientForm


def refusal(**fields: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        PatientForm(**{"full_name": "Anna Bell"} | fields)
    return patient_form.explain(refused.value)


@pytest.mark.parametrize("name", ["Anna Bell", "Seán O’Neill", "田中 太郎", "नरेन्द्र", "محمد", "สมชาย", "X", "a" * 255])
def test_a_name_of_any_script_is_kept_as_typed(name):
    assert PatientForm(full_name=name).full_name == name


def test_white_space_around_and_inside_a_name_is_collapsed():
    assert PatientForm(full_name=" Anna \t\n\u00a0 Bell ").full_name == "Anna Bell"


@pytest.mark.parametrize("name", ["", "   ", None, 7, "123", "—", "a\0b", "a\x1cb", "a\x07", "a\u202eb", "a\ud800"])
def test_a_name_that_is_none_is_refused(name):
    assert list(refusal(full_name=name)) == ["full_name"]


@pytest.mark.parametrize(
    ("field", "limit"),
    [("full_name", 255), ("phone", 40), ("medical_notes", 20_000), ("alerts", 2_000), ("external_id", 255)],
)
def test_a_text_of_exactly_the_limit_fits_and_one_more_is_refused_with_both_figures(field, limit):
    assert getattr(PatientForm(**{"full_name": "Anna", field: "a" * limit}), field) == "a" * limit
    sentence = refusal(**{field: f" {'a' * (limit + 1)} "})[field]
    assert f"{limit:,}" in sentence
    assert f"{limit + 1:,}" in sentence


def test_an_email_of_256_characters_is_refused_with_its_length():
    assert "256" in refusal(email="a@" + "b" * 250 + ".com")["email"]


@pytest.mark.parametrize("email", ["Anna.Bell@Example.com", "josé@münchen.de", "用户@例子.广告", "a+b@c.co"])
def test_an_email_is_kept_as_typed(email):
    assert PatientForm(full_name="Anna", email=f" {email} ").email == email


@pytest.mark.parametrize("email", ["anna", "anna@", "@example.com", "a b@c.de", "a..b@c.de", "anna@clinic", "a@b@c.de"])
def test_an_email_without_the_shape_of_one_is_refused(email):
    assert refusal(email=email) == {
        "email": "The e-mail address does not look right. It should be like anna@example.com."
    }


def test_empty_texts_become_nothing():
    form = PatientForm.model_validate(
        {
            "full_name": "Anna",
            "email": " ",
            "phone": "",
            "date_of_birth": "",
            "deceased": "",
            "deceased_on": "",
            "medical_notes": None,
            "alerts": "  ",
            "external_id": "",
        }
    )
    assert form == PatientForm(full_name="Anna")


@pytest.mark.parametrize("day", [0, 3.5, True, "0", "1980", "1980-13-01", "1980-W01-1", "31.12.1980", "tomorrow"])
def test_what_is_no_day_is_refused_as_a_date_of_birth(day):
    assert "not a date" in refusal(date_of_birth=day)["date_of_birth"]


def test_a_birth_in_the_future_or_before_1850_is_refused():
    assert "future" in refusal(date_of_birth=patient_form.latest_today() + timedelta(days=1))["date_of_birth"]
    assert "1850" in refusal(date_of_birth="1849-12-31")["date_of_birth"]
    assert PatientForm(full_name="Anna", date_of_birth=patient_form.latest_today()).date_of_birth


def test_a_day_of_death_makes_the_patient_deceased():
    assert PatientForm(full_name="Anna", deceased_on=date(2020, 1, 1)).deceased


def test_a_death_before_birth_is_refused():
    assert "before" in refusal(date_of_birth="1980-01-02", deceased_on="1980-01-01")["deceased_on"]


def test_notes_keep_their_lines_but_no_nul():
    assert PatientForm(full_name="Anna", medical_notes="one\n\ttwo").medical_notes == "one\n\ttwo"
    assert "stored" in refusal(medical_notes="a\0b")["medical_notes"]


def test_an_unknown_field_is_refused():
    assert refusal(clinic_id="x") == {"clinic_id": "The entry “clinic_id” is not part of a patient's record."}


# The first text drawn in a fresh checkout builds the table of characters.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from([*PatientForm.model_fields, "other"]), st.none() | st.integers() | st.text()))
def test_whatever_comes_in_is_taken_or_explained_in_sentences(fields):
    try:
        PatientForm.model_validate(fields)
    except ValidationError as error:
        sentences = patient_form.explain(error)
        assert sentences
        assert all(sentence.endswith(".") and "{" not in sentence.replace("“", "") for sentence in sentences.values())


@given(st.text())
def test_what_was_taken_once_is_taken_again_unchanged(name):
    try:
        form = PatientForm(full_name=name, alerts=name)
    except ValidationError:
        return
    assert PatientForm.model_validate(form.model_dump(mode="json")) == form


@pytest.mark.parametrize("style", ["e164", "international", "national"])
def test_only_unlikely_phone_numbers_of_a_country_are_warned_of(style, shared):
    with (shared / "bad_inputs/phones_by_country.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    warned = [
        bool(patient_form.warnings(PatientForm(full_name="Anna", phone=row[style]), row["region"])) for row in rows
    ]
    assert warned == [row["valid"] == "0" for row in rows]


@pytest.mark.parametrize(("phone", "country"), [("0151 23456789", ""), ("1", "ZZ"), (None, "DE")])
def test_nothing_is_said_about_a_number_that_cannot_be_judged(phone, country):
    assert patient_form.warnings(PatientForm(full_name="Anna", phone=phone), country) == []


def test_unlikely_ages_and_names_are_warned_of_and_kept():
    form = PatientForm(full_name="Ann4", date_of_birth=date(1890, 1, 1))
    assert len(patient_form.warnings(form, "US")) == 2
    assert patient_form.warnings(PatientForm(full_name="Anna", date_of_birth="1890-01-01", deceased=True), "US") == []
