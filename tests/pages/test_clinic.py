"""Clinic settings."""

import pytest

from lib import clinics, db
from lib.errors import Changed, Forbidden, Invalid


def amended(identity, **changes):
    from dataclasses import replace
    with db.scope(identity) as scope:
        before = clinics.get(scope)
        clinics.amend(scope, replace(before, **changes))
    with db.scope(identity) as scope:
        return clinics.get(scope)


def test_the_owner_changes_the_settings(open_page, alice):
    at = open_page(alice, "clinic")
    at.text_input[0].set_value("Zahnärzte am Park")
    next(button for button in at.button if button.label == "Save").click().run()
    assert not at.error
    assert not at.exception
    with db.scope(alice) as scope:
        assert clinics.get(scope).name == "Zahnärzte am Park"


@pytest.mark.parametrize("change", [{"name": " "}, {"name": "x" * 256}, {"country": "XX"}, {"time_zone": "Moon/Base"},
                                    {"currency": "€"}, {"emergency_number": "call me"}])
def test_a_wrong_value_is_refused_in_words(alice, change):
    with pytest.raises(Invalid) as refusal:
        amended(alice, **change)
    assert "sql" not in str(refusal.value).lower()


def test_a_stale_tab_is_told_and_loses_nothing(open_page, alice):
    at = open_page(alice, "clinic")
    at.run()
    amended(alice, currency="CHF")
    at.text_input(key="clinic_name").set_value("Typed in the stale tab")
    next(button for button in at.button if button.label == "Save").click().run()
    assert "Somebody else changed these settings" in at.error[0].value
    assert at.text_input(key="clinic_name").value == "Typed in the stale tab"
    next(button for button in at.button if button.label == "Show what is stored now").click().run()
    assert at.text_input(key="clinic_currency").value == "CHF"
    assert at.text_input(key="clinic_name").value == "Adams Dental"


def test_saving_nothing_new_is_no_change(alice):
    with db.scope(alice) as scope:
        before = clinics.get(scope)
    assert amended(alice).version == before.version


def test_a_second_owner_tab_does_not_overwrite_silently(alice):
    with db.scope(alice) as scope:
        old = clinics.get(scope)
    amended(alice, name="First tab")
    from dataclasses import replace
    with pytest.raises(Changed), db.scope(alice) as scope:
        clinics.amend(scope, replace(old, name="Second tab"))


def test_nobody_but_the_owner_may(alice, bob, charlie):
    with pytest.raises(Forbidden):
        amended(bob, name="Bob's")
    amended(charlie, name="Charlie's")
    with db.scope(alice) as scope:
        assert clinics.get(scope).name == "Adams Dental"
