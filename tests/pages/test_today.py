"""Today, by role."""

import pytest

from lib import audit, db, emergencies, today, workflows
from tests.pages.conftest import texts
from ui import widgets


def add_patient(identity, name: str):
    with db.scope(identity) as scope:
        patient_id = scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name)
            values (:clinic_id, :me, :me, :name)
            returning id
            """, me=identity.user_id, name=name)
        audit.record(scope, "add", "patient", patient_id, patient_id=patient_id)
    return patient_id


@pytest.mark.parametrize(("role", "labels"), [
    ("owner", {"Open emergencies", "Patients", "Questions today", "AI cost today"}),
    ("manager", {"Patients", "AI cost today"}),
    ("clinician", {"Open emergencies", "Patients", "My questions today"}),
    ("receptionist", {"Emergencies I raised", "Patients", "My questions today"})])
def test_each_role_sees_its_own_figures(open_page, alice, hire, role, labels):
    at = open_page(alice if role == "owner" else hire(alice, role, "Some Body"), "today")
    assert {metric.label for metric in at.metric} == labels


def test_an_empty_clinic_is_told_what_to_do(open_page, alice):
    assert "Add your first patient" in texts(open_page(alice, "today"))


def test_the_patient_one_was_working_on_comes_first(alice, bob):
    add_patient(alice, "Hers")
    add_patient(bob, "First"), add_patient(bob, "José Müller-Nguyễn")
    with db.scope(bob) as scope:
        known = today.recently_opened(scope)
    assert [patient.full_name for patient in known] == ["José Müller-Nguyễn", "First"]


def test_another_clinic_counts_and_shows_nothing(alice, charlie):
    add_patient(alice, "Hers")
    with db.scope(charlie) as scope:
        counts = today.count(scope)
        assert (counts.patients, counts.questions, counts.open_emergencies) == (0, 0, 0)
        assert today.recently_opened(scope) == []
        assert today.questions(scope) == []
    with db.scope(alice) as scope:
        assert today.count(scope).patients == 1


def test_since_when_the_oldest_emergency_waits_is_in_sight(open_page, alice, bob):
    assert next(metric.delta for metric in open_page(alice, "today").metric) == "Nobody is waiting."
    for who in (bob, alice):
        workflows.ask(who, None, "My throat is closing, I can't breathe")
    with db.scope(alice) as scope:
        first = emergencies.waiting(scope).rows[0]
    at = open_page(alice, "today")
    card = next(metric for metric in at.metric if metric.label == "Open emergencies")
    assert (card.value, card.delta) == ("2", f"Oldest since {widgets.when(first.raised_at, alice)}")
