"""One patient's page, as each role sees it."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

from lib import chats, db, patients
from lib.patient_form import PatientForm
from tests.pages.conftest import texts

JOSE = PatientForm(full_name="José *Müller* <b>", phone="030 5554581", email="jose@example.org", date_of_birth="1980-03-12",
                   medical_notes="Root <script>alert(1)</script>\ncanal", alerts="Penicillin & <i>Latex</i>", external_id="HS-1")


@pytest.fixture
def jose(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, JOSE)


def html(at) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def labels(at) -> set[str]:
    return {button.label for button in at.button}


def press(at, label: str):
    return next(button for button in at.button if button.label == label).click().run()


def refused(at) -> str:
    return "\n".join([*(error.value for error in at.exception), *(error.value for error in at.info), *(error.value for error in at.error)])


def test_those_who_treat_see_everything_and_nothing_as_markup(open_page, bob, jose):
    at = open_page(bob, "patient", patient=str(jose))
    assert at.title[0].value == "José \\*Müller\\* \\<b\\>"
    assert "Penicillin &amp; &lt;i&gt;Latex&lt;/i&gt;" in html(at)
    assert "Root &lt;script&gt;alert(1)&lt;/script&gt;\ncanal" in html(at)
    assert "HS-1" in html(at)
    assert "Alice Adams" in texts(at)
    assert {"Edit", "Ask the assistant", "Archive"} <= labels(at)


@pytest.mark.parametrize(("role", "offered"), [("manager", {"Edit", "Archive"}), ("receptionist", {"Edit"})])
def test_the_others_see_contact_data_only(open_page, alice, hire, jose, role, offered):
    at = open_page(hire(alice, role, "Some Body"), "patient", patient=str(jose))
    assert "030 5554581" in html(at)
    assert "Penicillin" not in html(at) + texts(at)
    assert "Root" not in html(at) + texts(at)
    assert labels(at) & {"Edit", "Ask the assistant", "Archive"} == offered


@pytest.mark.parametrize("address", ["random", "not-an-id", "", "'; drop table patients"])
def test_a_foreign_patient_answers_like_none(open_page, charlie, jose, address):
    foreign = refused(open_page(charlie, "patient", patient=str(jose)))
    other = refused(open_page(charlie, "patient", patient=str(uuid4()) if address == "random" else address))
    assert foreign
    assert foreign == other
    assert "José" not in foreign


def test_archiving_is_undone_by_one_click(open_page, alice, jose):
    at = press(open_page(alice, "patient", patient=str(jose)), "Archive")
    assert {"Undo"} <= labels(at)
    assert "Archive" not in labels(at)
    assert "is archived" in "".join(toast.value for toast in at.toast)
    at = press(at, "Undo")
    assert "Archive" in labels(at)
    with db.scope(alice) as scope:
        assert patients.read(scope, jose).archived_at is None


def test_later_an_archived_patient_can_be_restored(open_page, alice, mona, rita, jose):
    with db.scope(alice) as scope:
        patients.archive(scope, jose)
    assert "Restore" in labels(open_page(mona, "patient", patient=str(jose)))
    assert "Restore" not in labels(open_page(rita, "patient", patient=str(jose)))


def test_the_history_shows_before_and_after(open_page, alice, bob, jose):
    with db.scope(bob) as scope:
        patients.amend(scope, jose, JOSE.model_copy(update={"phone": "030 777<b>"}), versions=(1, 1))
    at = open_page(alice, "patient", patient=str(jose))
    assert "Bob Brown" in texts(at)
    at.session_state[f"history_{jose}"] = True
    at.run()
    assert "<del>030 5554581</del> → <ins>030 777&lt;b&gt;</ins>" in html(at)


@pytest.fixture
def this_month_away(owner):
    """As if the month before the next were in an archive: no rows are moved, the pages only read that it is."""
    with owner.begin() as connection:
        connection.execute(text("""
            insert into archives (parent, month, file, rows, digest)
            values ('chat_messages', date_trunc('month', now() at time zone 'UTC'), 'x', 0, sha256(''))
            """))
    yield f"{datetime.now(UTC):%B %Y} may lie in the archive of old months"
    with owner.begin() as connection:
        connection.execute(text("delete from archives where file = 'x'"))


@pytest.mark.parametrize("page", ["patient", "chat"])
def test_who_reads_a_patients_messages_reads_which_months_are_away(open_page, alice, bob, rita, jose, this_month_away, page):
    assert this_month_away not in texts(open_page(bob, page, patient=str(jose)))
    with db.scope(alice) as scope:
        chats.open_thread(scope, jose)
    assert texts(open_page(bob, page, patient=str(jose))).count(this_month_away) == 1
    assert this_month_away not in texts(open_page(rita, page, patient=str(jose)))
