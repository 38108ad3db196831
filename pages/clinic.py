"""Clinic settings: what the owner decides about the house itself."""

import streamlit as st

from lib import clinics, countries, db
from lib.errors import AppError
from lib.texts import _
from ui import guard, state

identity = guard.require("clinic.settings")
with db.scope(identity) as scope:
    clinic = clinics.get(scope)

st.title(_("Clinic settings"))
codes, zones = list(countries.names()), countries.time_zones()
with st.container(key="narrow"), st.form("clinic"):
    name = st.text_input(_("Clinic name"), clinic.name)
    left, right = st.columns(2)
    country = left.selectbox(_("Country"), codes, codes.index(clinic.country), format_func=countries.names().__getitem__)
    time_zone = right.selectbox(_("Time zone"), zones, zones.index(clinic.time_zone),
                                help=_("Days in lists and figures begin at midnight here."))
    currency = left.text_input(_("Currency"), clinic.currency, help=_("Three letters, such as EUR."))
    number = right.text_input(_("Emergency number"), clinic.emergency_number,
                              help=_("Shown at once when a message tells of a life-threatening sign."))
    saved = st.form_submit_button(_("Save"), type="primary")

if saved:
    wanted = clinics.Clinic(name, country, time_zone, currency.strip().upper(), number, clinic.version)
    try:
        with db.scope(guard.require("clinic.settings")) as scope:
            clinics.amend(scope, wanted)
    except AppError as error:
        st.error(str(error), icon=":material/error:")
    else:
        state.notify(_("Settings saved."))
        st.rerun()
