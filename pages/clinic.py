"""Clinic settings: what the owner decides about the house itself."""

from functools import partial

import streamlit as st

from lib import clinics, countries, db
from lib.clinics import Clinic
from lib.errors import AppError
from lib.texts import _
from ui import guard, markdown, state

identity = guard.require("clinic.settings")
with db.scope(identity) as scope:
    clinic = clinics.get(scope)
version = state.began_with("clinic", clinic.version)


def fields() -> Clinic:
    codes, zones = list(countries.names()), countries.time_zones()
    name = st.text_input(_("Clinic name"), clinic.name, key="clinic_name")
    left, right = st.columns(2)
    country = left.selectbox(_("Country"), codes, codes.index(clinic.country), key="clinic_country",
                             format_func=countries.names().__getitem__)
    time_zone = right.selectbox(_("Time zone"), zones, zones.index(clinic.time_zone), key="clinic_zone",
                                help=_("Days in lists and figures begin at midnight here."))
    currency = left.text_input(_("Currency"), clinic.currency, key="clinic_currency", help=_("Three letters, such as EUR."))
    number = right.text_input(_("Emergency number"), clinic.emergency_number, key="clinic_number",
                              help=_("Shown at once when a message tells of a life-threatening sign."))
    return Clinic(name, country, time_zone, currency.strip().upper(), number, version)


def save(wanted: Clinic) -> None:
    try:
        with db.scope(guard.require("clinic.settings")) as scope:
            clinics.amend(scope, wanted)
    except AppError as error:
        st.error(markdown.escape(str(error)), icon=":material/error:")
        if version != clinic.version:
            st.button(_("Show what is stored now"), on_click=partial(state.start_over, "clinic"))
        return
    state.start_over("clinic")
    state.notify(_("Settings saved."))
    st.rerun()


st.title(_("Clinic settings"), anchor=False)
with st.container(key="narrow"):
    with st.form("clinic_form"):
        wanted = fields()
        saved = st.form_submit_button(_("Save"), type="primary")
    if saved:
        save(wanted)
