"""The fields of a patient on a screen: their names, their inputs with what is wrong beneath each, and what was typed."""

from datetime import date
from functools import cache
from html import escape
from typing import Any

import streamlit as st
from babel import Locale, UnknownLocaleError
from pydantic import ValidationError

from lib import auth, dates, patient_form, patients
from lib.identity import Identity
from lib.patient_form import PatientForm
from lib.patients import Patient
from lib.texts import _
from ui import state, widgets
from ui.form_draft import Typed

DAYS = ("date_of_birth", "deceased_on")
_habit = cache(dates.habit)  # parsing a locale takes a millisecond, and a run of the form asks ten times


def labels() -> dict[str, str]:
    return {"full_name": _("Full name"), "email": _("Email"), "phone": _("Phone"), "date_of_birth": _("Date of birth"),
            "deceased": _("Deceased"), "deceased_on": _("Date of death"), "external_id": _("Record number"),
            "medical_notes": _("Medical notes"), "alerts": _("Alerts"), "archived_at": _("Archived")}


def names(identity: Identity) -> list[str]:
    """Those that this role may write."""
    return [*patients.CONTACT, *(patients.NOTES if auth.may(identity, "patients.notes") else ())]


def say(value: Any, identity: Identity) -> str:
    """A stored value in words."""
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return widgets.day(value, identity) if isinstance(value, date) else str(value)


# what is typed -------------------------------------------------------------------------------------------------------


def as_typed(patient: Patient | None, identity: Identity) -> Typed:
    """A patient's values, or a new one's, as the inputs hold them."""
    values = patient.values() if patient else dict.fromkeys(names(identity), "") | {"deceased": False}
    return {name: _day_text(value, identity.country) if isinstance(value, date) else "" if value is None else value
            for name, value in values.items()}


def read(typed: Typed, identity: Identity) -> tuple[PatientForm | None, dict[str, str]]:
    """The form, or what is wrong, by field."""
    values: dict[str, Any] = dict(typed) | {name: _as_day(str(typed.get(name, "")), identity.country) for name in DAYS}
    if not typed.get("deceased"):
        values["deceased_on"] = None
    try:
        return PatientForm(**values), {}
    except ValidationError as error:
        return None, patient_form.explain(error)


def _as_day(text: str, country: str) -> date | str:
    """A date in the clinic's order or any that is clear; otherwise the text, for the form to refuse."""
    return dates.read(text, _habit(country)) or text


def _day_text(day: date, country: str) -> str:
    parts = {"d": f"{day.day:02}", "m": f"{day.month:02}", "y": f"{day.year:04}"}
    return _separator(country).join(parts[letter] for letter in _habit(country))


@cache
def _separator(country: str) -> str:
    try:
        pattern = Locale.parse(f"und_{country}").date_formats["short"].pattern
    except (UnknownLocaleError, ValueError):
        return "."
    return next((letter for letter in pattern if letter in "./-"), ".")


# what is seen --------------------------------------------------------------------------------------------------------


def draw(typed: Typed, errors: dict[str, str], identity: Identity) -> None:
    """All inputs. Every change marks the form as typed in, so that the page keeps a draft."""
    notes = auth.may(identity, "patients.notes")
    left, right = st.columns(2, gap="large") if notes else (st.container(key="contact_only"), None)
    with left:
        _contact(typed, errors, identity)
    if right:
        with right:
            _text_area("alerts", errors, _("Shown on top of this patient's pages: allergies, medicines, risks."), height=110)
            _text_area("medical_notes", errors, height=330)


def _contact(typed: Typed, errors: dict[str, str], identity: Identity) -> None:
    example = _day_text(date(1980, 12, 31), identity.country)
    _text("full_name", errors, typed, identity, autocomplete="off")
    with st.container(key="pair_1", horizontal=True):
        _text("date_of_birth", errors, typed, identity, placeholder=example)
        _text("phone", errors, typed, identity)
    _text("email", errors, typed, identity)
    _text("external_id", errors, typed, identity)
    st.checkbox(labels()["deceased"], key="field_deceased", on_change=state.mark_typed)
    if typed.get("deceased"):
        _text("deceased_on", errors, typed, identity, placeholder=example)


def _text(name: str, errors: dict[str, str], typed: Typed, identity: Identity, **options: Any) -> None:
    with st.container(key=f"input_{name}", gap=None):
        st.text_input(labels()[name], key=f"field_{name}", live="500ms", on_change=state.mark_typed,
                      **{"autocomplete": "off"} | options)
        _line(errors.get(name), _doubt(name, typed, identity) or _reading(name, typed, identity))


def _text_area(name: str, errors: dict[str, str], hint: str = "", *, height: int) -> None:
    with st.container(key=f"input_{name}", gap=None):
        st.text_area(labels()[name], key=f"field_{name}", on_change=state.mark_typed, height=height)
        _line(errors.get(name), hint)


def _line(error: str | None, hint: str) -> None:
    """Always one line, filled or not: a field that moves the button below it makes a click miss."""
    kind = "role='alert' class='field-line wrong'" if error else "class='field-line'"
    st.html(f"<p {kind}>{escape(error or hint) or '&nbsp;'}</p>")


def _doubt(name: str, typed: Typed, identity: Identity) -> str:
    """What is unlikely about this one field, and may be right."""
    if name not in ("full_name", "phone", "date_of_birth"):
        return ""
    form, _wrong = read({"full_name": "A", name: typed.get(name, "")}, identity)
    return " ".join(patient_form.warnings(form, identity.country)) if form else ""


def _reading(name: str, typed: Typed, identity: Identity) -> str:
    """How a date was understood: 03/04 is not the same day everywhere."""
    day = _as_day(str(typed.get(name, "")), identity.country) if name in DAYS else ""
    if not isinstance(day, date):
        return ""
    age = widgets.age_in_words(day, widgets.today(identity), identity) if name == "date_of_birth" else ""
    return " · ".join(part for part in (widgets.day(day, identity), age) if part)
