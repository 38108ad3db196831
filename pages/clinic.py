"""Clinic settings: what the owner decides about the house itself."""

import streamlit as st

from lib import account, api_clients, archived_months, clinics, countries, db, drafts, long_jobs
from lib.clinics import Clinic
from lib.errors import AppError
from lib.texts import _
from ui import clinic_clients, clinic_leaving, guard, kept, markdown, state

identity = guard.require("clinic.settings")
with db.scope(identity) as scope:
    clinic, clients, export = clinics.get(scope), api_clients.find(scope), long_jobs.latest(scope, "export")
    away = archived_months.of_clinic(scope, export and export.created_at)
version = state.began_with("clinic", clinic.version, "clinic_country", country=clinic.country, zone=clinic.time_zone,
                           factor=clinic.factor_required, keep=clinic.keep_allowed)
stored = {"clinic:name": clinic.name, "clinic:currency": clinic.currency, "clinic:number": clinic.emergency_number,
          "clinic:networks": "\n".join(clinic.owner_networks)}
kept.begin(identity, stored, form="clinic")


def fields() -> Clinic:
    name = st.text_input(_("Clinic name"), key=kept.key("clinic:name"))
    left, right = st.columns(2)  # a row at a time: keyboard and phone go down a column before the next
    country = left.selectbox(_("Country"), list(countries.names()), key="clinic_country",
                             format_func=countries.names().__getitem__)
    time_zone = right.selectbox(_("Time zone"), countries.time_zones(), key="clinic_zone",
                                help=_("Days in lists and figures begin at midnight here."))
    left, right = st.columns(2)
    currency = left.text_input(_("Currency"), key=kept.key("clinic:currency"), help=_("Three letters, such as EUR."))
    number = right.text_input(_("Emergency number"), key=kept.key("clinic:number"),
                              help=_("Shown at once when a message tells of a life-threatening sign."))
    return Clinic(name, country, time_zone, currency.strip().upper(), number, version, *doors())


def doors() -> tuple[bool, bool, list[str]]:
    """How strictly people sign in here."""
    st.subheader(_("Signing in"), anchor=False)
    factor = st.checkbox(_("Everybody needs a second factor"), key="clinic_factor",
                         help=_("Whoever has none sets it up on the page Account before anything else opens."))
    if not clinic.factor_required and account.get(identity).factor_since is None:
        st.caption(_("You have none yourself yet: you would set yours up right after saving."))
    keep = st.checkbox(_("Devices may stay signed in for 7 days"), key="clinic_keep",
                       help=_("Otherwise they are signed out after 30 minutes without use, and after 12 hours in any case. "
                              "Switched off, it holds at once for those that stay signed in now."))
    networks = st.text_area(_("Owner pages open only from these networks"), key=kept.key("clinic:networks"),
                            placeholder="203.0.113.7\n192.168.0.0/24")
    st.caption(_("One address or network per line; empty: from everywhere. Owner pages are the settings, the team, credentials "
                 "and the audit log. You are at {address} now.").format(address=markdown.escape(identity.address)))
    return factor, keep, networks.splitlines()


def save(wanted: Clinic) -> None:
    try:
        with db.scope(guard.act("clinic.settings")) as scope:
            clinics.amend(scope, wanted)
            drafts.discard_texts(scope, list(stored))
    except AppError as error:
        st.error(markdown.escape(str(error)), icon=":material/error:")
        if version != clinic.version:
            st.button(_("Show what is stored now"), on_click=kept.start_over, args=("clinic", list(stored)))
        return
    state.start_over("clinic")
    state.notify(_("Settings saved."))
    st.rerun()


st.title(_("Clinic settings"), anchor=False)
with st.container(key="narrow"):
    kept.notice(identity, "clinic", list(stored))
    with st.form("clinic_form"):
        wanted = fields()
        saved = st.form_submit_button(_("Save"), type="primary")
    if saved:
        save(wanted)
    clinic_clients.section(clients, identity)
    clinic_leaving.section(export, away, identity)
