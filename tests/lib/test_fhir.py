import json
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib import fhir
from lib.errors import Invalid
from lib.intake import Row
from lib.patient_form import PatientForm

KEYS = [
    "id",
    "name",
    "telecom",
    "birthDate",
    "deceasedBoolean",
    "deceasedDateTime",
    "code",
    "patient",
    "clinicalStatus",
]

calm = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def patient(**fields: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "1", "name": [{"given": ["Anna"], "family": "Bell"}]} | fields


def allergy(text: str = "Penicillin", reference: str = "Patient/1", **fields: Any) -> dict[str, Any]:
    found = {"resourceType": "AllergyIntolerance", "code": {"text": text}, "patient": {"reference": reference}}
    return found | fields


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in resources],
    }


def read(content: Any) -> list[Row]:
    return fhir.read_fhir(json.dumps(content).encode(), "export.json")


def form(content: Any) -> PatientForm:
    [row] = read(content)
    assert row.form, row.problem
    return row.form


def test_a_single_patient_is_read():
    assert form(patient(birthDate="1980-02-03")) == PatientForm(
        full_name="Anna Bell", date_of_birth="1980-02-03", external_id="1"
    )


def test_a_bundle_gives_a_row_per_patient_with_its_position():
    rows = read(bundle({"resourceType": "Organization"}, patient(), patient(id="2")))
    assert [(row.line, row.form and row.form.external_id) for row in rows] == [(2, "1"), (3, "2")]


def test_an_array_of_resources_is_read_with_the_position_of_each():
    content = [patient(), 7, allergy(), patient(id="2")]
    assert fhir.looks_like_fhir(json.dumps(content).encode())
    rows = read(content)
    assert [(row.line, row.form and row.form.alerts) for row in rows] == [(1, "Penicillin"), (2, None), (4, "")]
    assert rows[1].problem == "This entry is not a FHIR resource."


def test_an_unusable_email_costs_no_patient_and_a_rejected_one_keeps_the_name():
    odd, late = read([patient(telecom=[{"system": "email", "value": "none"}]), patient(id="2", birthDate="2999-01-01")])
    assert odd.form
    assert odd.note == "The e-mail address “none” can't be used and was left out."
    assert (late.form, late.name) == (None, "Anna Bell")


def test_a_resource_per_line_is_read_with_the_number_of_the_line():
    lines = [json.dumps(patient()), "", json.dumps(allergy()), "{broken", "[]", json.dumps(patient(id="2"))]
    rows = fhir.read_fhir("\r\n".join(lines).encode(), "Patient.ndjson")
    assert [(row.line, bool(row.form)) for row in rows] == [(1, True), (4, False), (5, False), (6, True)]
    assert rows[0].form
    assert rows[0].form.alerts == "Penicillin"


@pytest.mark.parametrize("broken", ["ourceType", "# export of today", "7"])
def test_lines_with_a_damaged_beginning_are_read_with_their_numbers(broken):
    data = "\ufeff\n\n" + "\n".join([broken, json.dumps(patient()), json.dumps(patient(id="2"))])
    assert fhir.looks_like_fhir(data.encode())
    rows = fhir.read_fhir(data.encode(), "Patient.ndjson")
    assert [(row.line, bool(row.form)) for row in rows] == [(3, False), (4, True), (5, True)]


def test_letters_that_were_lost_are_told():
    content = [patient(name=[{"text": name}]) for name in ("José Müller", "Nguyễn Văn A", "Ren@")]
    rows = fhir.read_fhir(json.dumps(content, ensure_ascii=False).encode().replace(b"@", b"\xe9"), "export.json")
    assert [row.note for row in rows] == ["", "", "Some letters were lost: the file is damaged there."]


@pytest.mark.parametrize(
    ("names", "full"),
    [
        (
            [
                {"use": "old", "family": "Old"},
                {"use": "official", "prefix": ["Dr."], "given": ["Anna", "M."], "family": "Bell", "suffix": ["PhD"]},
            ],
            "Dr. Anna M. Bell PhD",
        ),
        ([{"use": "usual", "text": "Anna B."}], "Anna B."),
        ({"given": "Anna", "family": ["Bell", "Ruiz"]}, "Anna Bell Ruiz"),
        ([{}, {"family": "Bell"}], "Bell"),
    ],
)
def test_the_official_name_is_taken_with_all_its_parts(names, full):
    assert form(patient(name=names)).full_name == full


def test_the_first_ranked_number_and_never_an_old_one_is_taken():
    points = [
        {"system": "phone", "value": "1", "use": "old", "rank": 1},
        {"system": "phone", "value": "2", "use": "home"},
        {"system": "phone", "value": "3", "use": "mobile"},
        {"system": "phone", "value": "4", "use": "work", "rank": 1},
        {"system": "email", "value": "anna@example.com"},
        {"system": "phone"},
        "x",
    ]
    assert (form(patient(telecom=points)).phone, form(patient(telecom=points)).email) == ("4", "anna@example.com")
    assert form(patient(telecom=points[:3])).phone == "3"


@pytest.mark.parametrize("text", ["1980", "1980-02"])
def test_a_birth_without_a_day_is_left_empty_with_a_note(text):
    [row] = read(patient(birthDate=text))
    assert row.form
    assert row.form.date_of_birth is None
    assert text in row.note


@pytest.mark.parametrize(
    ("fields", "deceased", "day"),
    [
        ({}, False, None),
        ({"deceasedBoolean": False}, False, None),
        ({"deceasedBoolean": True}, True, None),
        ({"deceasedDateTime": "2001-03-02T10:00:00Z"}, True, date(2001, 3, 2)),
        ({"deceasedDateTime": "2001-03"}, True, None),
    ],
)
def test_a_death_is_known_with_or_without_its_day(fields, deceased, day):
    assert (form(patient(**fields)).deceased, form(patient(**fields)).deceased_on) == (deceased, day)


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/1",
        "urn:uuid:1",
        "urn:uuid:abc",
        "https://a.example/fhir/Patient/1",
        "https://a.example/Patient/1/_history/2",
    ],
)
def test_an_allergy_becomes_an_alert_of_its_patient(reference):
    content = bundle(patient(), patient(id="2"), allergy(reference=reference))
    content["entry"][0]["fullUrl"] = "urn:uuid:abc"
    assert [row.form.alerts for row in read(content) if row.form] == ["Penicillin", ""]


@pytest.mark.parametrize(
    "status",
    [
        {"verificationStatus": {"coding": [{"code": "refuted"}]}},
        {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}},
        {"clinicalStatus": {"coding": [{"code": "inactive"}]}},
        {"clinicalStatus": "inactive"},
        {"status": "entered-in-error"},
    ],
)
def test_an_allergy_that_is_denied_is_left_out(status):
    assert form(bundle(patient(), allergy(**status))).alerts == ""


def test_an_allergy_is_named_by_its_coding_where_it_has_no_text():
    coded = allergy(code={"coding": [{"code": "1"}, {"display": "Latex"}]})
    assert form(bundle(patient(), coded, allergy("Latex"), allergy("Nuts"))).alerts == "Latex; Nuts"


def test_an_allergy_without_its_patient_or_substance_is_told():
    rows = read(bundle(patient(), allergy(reference="Patient/9"), allergy(code={})))
    assert [bool(row.problem) for row in rows] == [False, True, True]


def test_one_bad_patient_among_good_ones_is_one_rejected_row():
    rows = read(bundle(patient(), patient(id="2", name=[]), patient(id="3", birthDate="yesterday"), patient(id="4")))
    assert [row.problem for row in rows] == [
        "",
        "The name is missing.",
        "The date of birth is not a date. It should be like 1980-12-31.",
        "",
    ]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"{", "cut off"),
        (b"", "empty"),
        (b"[" * 200_000, "deeply"),
        (b'{"a":' * 200_000, "deeply"),
        (b"9" * 10_000, "JSON"),
        (b"null", "no FHIR"),
        (b'{"resourceType": "Observation"}', "Observation"),
        (b'{"resourceType": "Bundle"}', "no FHIR"),
        (b'<Patient xmlns="http://hl7.org/fhir"/>', "XML"),
        (b"PK\x03\x04", "Excel"),
        (b"\0\1\2", "not text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_holds_no_patient_is_refused_in_one_sentence(data, word):
    with pytest.raises(Invalid, match=word):
        fhir.read_fhir(data, "export.json")


@calm
@given(st.dictionaries(st.sampled_from(KEYS), json_values), st.dictionaries(st.sampled_from(KEYS), json_values))
def test_strange_resources_are_rows_and_never_an_error(one, other):
    rows = read(bundle({"resourceType": "Patient"} | one, {"resourceType": "AllergyIntolerance"} | other))
    assert all((row.form is None) == bool(row.problem) for row in rows)


@calm
@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes_are_refused_in_one_sentence(data):
    with pytest.raises(Invalid):
        fhir.read_fhir(data, "export.json")
    assert b"resourceType" in data or not fhir.looks_like_fhir(data)


def test_an_export_is_told_from_a_table():
    assert fhir.looks_like_fhir(b"\xef\xbb\xbf\n " + json.dumps(patient()).encode())
    assert fhir.looks_like_fhir(json.dumps(patient()).encode("utf-16"))
    assert fhir.looks_like_fhir(b" \r\n" * 500 + json.dumps(patient()).encode())
    assert not fhir.looks_like_fhir(b'Name,Notes\nAnna,"resourceType"')
    assert not fhir.looks_like_fhir(b'Name,Notes\n{x},1\nAnna,"resourceType"')
    assert not fhir.looks_like_fhir(b"")


def test_the_synthetic_bundles_are_all_read(shared):
    paths = sorted((shared / "patients/fhir_r4_bundles").glob("*.json"))
    rows = [row for path in paths for row in fhir.read_fhir(path.read_bytes(), path.name)]
    assert len(rows) == 7
    assert all(row.form and row.form.phone and row.form.date_of_birth for row in rows)
    assert all(fhir.looks_like_fhir(path.read_bytes()) for path in paths)
