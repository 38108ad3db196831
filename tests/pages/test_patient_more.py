"""The menu of rare acts on a patient's page, and the dialogs behind it."""

import pytest

from lib import db, erasures, merges, patients
from lib.patient_form import PatientForm
from tests.pages.conftest import texts
from tests.pages.test_patient import html, labels, press, refused

ANN = PatientForm(full_name="Ann *Ash*", phone="030 5550001", medical_notes="Crown 16", external_id="A-1")
TWIN = PatientForm(full_name="Ann Ash-Elm", phone="030 5550001", email="ann@example.org", medical_notes="Bridge 24")


@pytest.fixture
def pair(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, ANN), patients.register(scope, TWIN)


def plain(words: str) -> str:
    """As a person reads what was escaped as Markdown."""
    return words.replace("\\", "").replace("\N{WORD JOINER}", "")


def offered(at) -> set[str]:
    found = at.get("menu_button")
    return {option.split(": ", 1)[-1] for option in found[0].proto.options} if found else set()


@pytest.mark.parametrize(("role", "acts"), [("clinician", {"Export everything", "Merge with…"}), ("manager", set()), ("receptionist", set())])
def test_each_role_is_offered_what_it_may_do(open_page, alice, hire, pair, role, acts):
    assert offered(open_page(alice, "patient", patient=str(pair[0]))) == {"Export everything", "Merge with…", "Erase…"}
    assert offered(open_page(hire(alice, role, "Some Body"), "patient", patient=str(pair[0]))) == acts


def test_an_erased_patients_page_says_so_and_offers_nothing_more(open_page, alice, pair):
    with db.scope(alice) as scope:
        erasures.erase(scope, pair[0], version=1, name="Ann *Ash*", reason="Letter")
    at = open_page(alice, "patient", patient=str(pair[0]))
    assert "Erased on" in texts(at)
    assert not {"Edit", "Archive", "Restore", "Ask the assistant"} & labels(at)
    assert offered(at) == {"Export everything"}
    assert "Crown" not in html(at) + texts(at)


@pytest.mark.parametrize("page", ["patient", "patient_edit", "chat"])
def test_the_address_of_who_was_merged_leads_to_who_they_are(open_page, alice, pair, page):
    with db.scope(alice) as scope:
        seen = merges.preview(scope, *pair)
        merges.merge(scope, *pair, versions=seen.versions, wins=seen.wins)
    at = open_page(alice, page, patient=str(pair[1]))
    assert at.title[0].value == "Ann \\*Ash\\*"
    assert "was merged into this patient" in "".join(toast.value for toast in at.toast)


# dialogs, drawn by themselves ------------------------------------------------------------------------------------------

SHOWN: dict[str, object] = {}


def draw() -> None:
    from ui import patient_more
    getattr(patient_more, str(SHOWN["name"]))(SHOWN["id"])


@pytest.fixture
def dialog(token_of):
    from streamlit.testing.v1 import AppTest

    def show(who, name: str, patient_id):
        SHOWN.update(name=name, id=patient_id)
        at = AppTest.from_string("from tests.pages import test_patient_more\ntest_patient_more.draw()", default_timeout=15)
        at.user = {"session": token_of(who)}
        return at.run()
    return show


def test_a_likely_duplicate_is_proposed_compared_and_merged(dialog, alice, pair):
    at = dialog(alice, "_merge", pair[0])
    [other] = at.radio
    assert len(other.options) == 1
    at = other.set_value(pair[1]).run()
    fields = {radio.label: [plain(option) for option in radio.options] for radio in at.radio[1:]}
    assert fields == {"Full name": ["Ann *Ash*", "Ann Ash-Elm"], "Email": ["—", "ann@example.org"], "Record number": ["A-1", "—"]}
    assert at.text_area[0].value == "Crown 16\n\nBridge 24"
    next(radio for radio in at.radio if radio.label == "Full name").set_value("merged")
    press(at, "Merge")
    with db.scope(alice) as scope:
        kept = patients.read(scope, pair[0])
    assert (kept.full_name, kept.email, kept.external_id) == ("Ann Ash-Elm", "ann@example.org", "A-1")
    at = press(dialog(alice, "_merge", pair[0]), "Undo the merge")
    with db.scope(alice) as scope:
        assert patients.read(scope, pair[0]).full_name == "Ann *Ash*"


def test_what_was_changed_meanwhile_is_refused_clearly_and_shown_anew(dialog, alice, bob, pair):
    at = dialog(alice, "_merge", pair[0])
    at = at.radio[0].set_value(pair[1]).run()
    with db.scope(bob) as scope:
        patients.amend(scope, pair[1], TWIN.model_copy(update={"email": "new@example.org"}), versions=(1, 1))
    at = press(at, "Merge")
    assert "Nothing was merged" in refused(at)
    press(at, "Merge")
    with db.scope(alice) as scope:
        assert patients.read(scope, pair[0]).email == "new@example.org"


def test_erasing_asks_for_the_name_and_a_reason(dialog, alice, pair):
    at = dialog(alice, "_erase", pair[0])
    assert at.button[0].disabled
    at.text_input(key="erase_name").set_value("Ann *Ash*")
    assert at.run().button[0].disabled
    at.text_input(key="erase_reason").set_value("Letter of Ann")
    at = press(at.run(), "Erase for good")
    assert "may not hold the patient" in refused(at)
    at.text_input(key="erase_reason").set_value("Letter of 12 May")
    press(at.run(), "Erase for good")
    with db.scope(alice) as scope:
        assert patients.read(scope, pair[0]).erased_at


def test_a_clinician_opens_no_dialog_for_erasing(dialog, bob, pair):
    at = dialog(bob, "_erase", pair[0])
    assert at.exception
    assert not at.button
