"""The audit page: the owner reads, filters, exports and verifies; everybody else leaves a refusal in it."""

import psycopg
import pytest
from sqlalchemy import text

from lib import audit, audit_trail, db, patients, startup, team
from lib.audit_trail import Filter
from lib.patient_form import PatientForm
from tests.pages.conftest import texts


@pytest.fixture
def pat(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, PatientForm(full_name="<b>José</b> Müller", phone="+49 30 901820"))


def table(at) -> str:
    return "".join(element.proto.body for element in at.get("html") if "class='trail'" in element.proto.body)


def rows(at) -> int:
    return table(at).count("<tr") - 1


def refusals(who) -> list[str]:
    with db.scope(who) as scope:
        return scope.connection.execute(text("""
            select resource_id from audit_log where user_id = :me and action = 'refused' order by id
            """), {"me": who.user_id}).scalars().all()


def seal() -> None:
    with db.nobody() as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtext('chairside.seal'))"))
        connection.execute(text("select app.seal_audit()"))


def press(at, label: str):
    return next(button for button in at.button if button.label == label).click().run()


def verify(at, noted: str = ""):
    """AppTest reruns the whole page, so what opened the dialog has to be clicked again with what stands in it."""
    press(at, "Verify chain")
    at.text_input(key="audit_noted").set_value(noted)
    for label in ("Verify chain", "Verify"):
        next(button for button in at.button if button.label == label).click()
    return at.run()


def test_a_row_reads_like_a_sentence_and_links_to_the_patient(open_page, alice, bob, pat):
    with db.scope(bob) as scope:
        patients.archive(scope, pat)
    shown = table(open_page(alice, "audit"))
    assert "Bob Brown" in shown
    assert "Archived a patient" in shown
    assert "<small>Full name, Phone</small>" in shown
    assert f"<a href='/patient?patient={pat}'><bdi>&lt;b&gt;José&lt;/b&gt; Müller</bdi></a>" in shown
    assert "127.0.0.1" in shown


def test_a_refusal_names_the_page_by_its_title(open_page, alice, rita, pat):
    open_page(rita, "patient_import")
    open_page(rita, "chat", patient=str(pat))
    shown = table(open_page(alice, "audit"))
    assert "<small>Import patients</small>" in shown
    assert f"<small>Assistant {pat}</small>" in shown
    assert "patient_import" not in shown


def test_a_name_keeps_its_own_direction(open_page, alice, hire, pat):
    """In Hebrew or Arabic it would otherwise turn what stands around it."""
    noa = hire(alice, "clinician", "נועה כהן")
    with db.scope(noa) as scope:
        patients.archive(scope, pat)
    with db.scope(alice) as scope:
        team.change_role(scope, noa.user_id, "manager")
    shown = table(open_page(alice, "audit"))
    assert "<td><bdi>נועה כהן</bdi></td>" in shown
    assert "<small><bdi>נועה כהן</bdi> · role</small>" in shown


def test_the_time_is_the_clinics(open_page, open_clinic):
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo
    tonga = open_clinic("Tia Tonga", time_zone="Pacific/Tongatapu")
    with db.scope(tonga) as scope:
        audit.record(scope, "sign_out", "session")
    now = datetime.now(UTC).astimezone(ZoneInfo("Pacific/Tongatapu"))
    assert f"{now:%Y, %H:}" in table(open_page(tonga, "audit"))


def test_the_filters_come_from_the_address(open_page, alice, bob, pat):
    with db.scope(bob) as scope:
        patients.get(scope, pat)
        patients.find(scope)
    assert rows(open_page(alice, "audit", person=str(bob.user_id))) == 2
    assert rows(open_page(alice, "audit", person=str(bob.user_id), action="view")) == 1
    assert "Looked through the patients" not in table(open_page(alice, "audit", patient=str(pat)))
    assert rows(open_page(alice, "audit", **{"from": "2020-01-01", "to": "2020-01-31"})) == -1


def test_choosing_a_filter_changes_the_address_and_the_rows(open_page, alice, bob, pat):
    with db.scope(bob) as scope:
        patients.find(scope)
    at = open_page(alice, "audit")
    at.selectbox(key="audit_person").set_value(str(bob.user_id)).run()
    assert at.query_params["person"] in (str(bob.user_id), [str(bob.user_id)])
    assert rows(at) == 1
    at.selectbox(key="audit_person").set_value("").run()
    assert "person" not in at.query_params
    assert rows(at) > 1


def test_a_patient_is_found_by_name_and_chosen(open_page, alice, pat):
    with db.scope(alice) as scope:
        patients.archive(scope, pat)
        audit.record(scope, "view", "patient")
    at = open_page(alice, "audit")
    at.text_input(key="audit_patient_search").set_value("mull").run()
    at.button(key=f"audit_patient_{pat}").click().run()
    assert at.query_params["patient"] in (str(pat), [str(pat)])
    assert "Searched" not in table(at)
    press(at, "Show every patient")
    assert "patient" not in at.query_params


@pytest.mark.parametrize("query", [{"patient": "foreign"}, {"patient": "nonsense"}, {"person": "nobody"}, {"action": "nothing"}])
def test_what_this_clinic_does_not_know_is_not_found(open_page, alice, charlie, query):
    if query.get("patient") == "foreign":
        with db.scope(charlie) as scope:
            query = {"patient": str(patients.register(scope, PatientForm(full_name="Foreign Fay")))}
    at = open_page(alice, "audit", **query)
    assert at.exception
    assert rows(at) == -1


def test_older_and_newer_turn_the_pages(open_page, alice):
    with db.scope(alice) as scope:
        for _row in range(audit_trail.PAGE + 5):
            audit.record(scope, "sign_out", "session")
    at = open_page(alice, "audit")
    assert rows(at) == audit_trail.PAGE
    press(at, "Older")
    assert rows(at) == 6
    press(at, "Newer")
    assert rows(at) == audit_trail.PAGE
    press(at, "Older")
    at.selectbox(key="audit_action").set_value("sign_out").run()
    assert rows(at) == audit_trail.PAGE  # another selection begins at its first page


def test_an_empty_selection_says_what_to_do(open_page, alice):
    assert "Nothing was recorded for this selection" in texts(open_page(alice, "audit", action="import"))


def test_reading_the_page_is_recorded_itself(open_page, alice):
    assert "Looked through the audit log" in table(open_page(alice, "audit"))


def test_a_whole_chain_is_told_with_its_head(open_page, alice, pat):
    seal()
    at = verify(open_page(alice, "audit"))
    assert "sealed row" in at.success[0].value
    assert "whole" in at.success[0].value
    with db.scope(alice) as scope:
        assert audit_trail.verify(scope, at.code[0].value).passed
    assert not at.error


def test_a_tampered_row_is_named_and_a_lost_head_is_told(open_page, alice, pat):
    seal()
    at = open_page(alice, "audit")
    with db.scope(alice) as scope:
        row = audit_trail.find(scope, Filter(action="register")).rows[0]
    with psycopg.connect(startup._server.url("postgres")) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update audit_log set user_id = %s where id = %s", [pat, row.id])
    verify(at, "ab" * 32)
    assert "Row 1 of" in at.error[0].value
    assert "was changed after it was sealed" in at.error[0].value
    assert str(row.id) in at.error[0].value
    assert "does not pass through the head" in at.error[1].value
    assert not at.success


@pytest.mark.parametrize(("page", "more"), [("clinic", {}), ("analytics", {}), ("audit", {}), ("team", {}), ("patient_import", {})])
def test_a_page_that_a_role_may_not_open_shows_nothing_and_leaves_a_refusal(open_page, rita, page, more):
    at = open_page(rita, page, **more)
    assert not at.title
    assert len(refusals(rita)) == 1


def test_a_patients_conversation_that_a_role_may_not_read_leaves_a_refusal(open_page, rita, pat):
    open_page(rita, "chat", patient=str(pat))
    assert [place.endswith(str(pat)) for place in refusals(rita)] == [True]


def test_an_owner_away_from_the_clinics_network_is_refused(open_page, alice, owner):
    with owner.begin() as connection:
        connection.execute(text("set local app.role = 'owner'"))
        connection.execute(text("update clinics set owner_networks = '{10.1.0.0/16}' where id = :id"), {"id": alice.clinic_id})
    at = open_page(alice, "audit")
    assert "own network" in texts(at) or at.exception
    assert rows(at) == -1
    assert len(refusals(alice)) == 1
