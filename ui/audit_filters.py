"""What of the audit log is shown. The address holds it, so that it can be linked to; the widgets show and change the address."""

from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st

from lib import audit_trail, db, patients
from lib.analytics import Period
from lib.audit_trail import Filter
from lib.db import Scope
from lib.errors import NotFound
from lib.identity import Identity
from lib.texts import _
from ui import audit_labels, guard, period, state, widgets
from ui.markdown import escape
from ui.today_cards import shorten

FEW = 6


def pick(scope: Scope) -> Filter:
    """Raises NotFound for a person, a patient or an action that this clinic does not know."""
    asked = state.patient_in_address()
    names = {str(one.user_id): one.name for one in audit_trail.people(scope)}
    patient = patients.read(scope, asked) if asked else None
    with st.container(horizontal=True, vertical_alignment="center", key="audit_filters"):
        person = _select("person", _("Everybody"), names, _("Person"))
        action = _select("action", _("Everything"), audit_labels.actions(), _("Action"))
        with st.popover(escape(shorten(patient.full_name, 14)) if patient else _("Every patient"), icon=":material/person:"):
            _pick_patient()
        first, last = _bounds(period.pick(scope.identity), scope.identity)
    return Filter(UUID(person) if person else None, asked, action, first, last)


def _select(name: str, everything: str, labels: dict[str, str], label: str) -> str:
    chosen = st.query_params.get(name, "")
    if chosen and chosen not in labels:
        raise NotFound
    state.show(f"audit_{name}", chosen)
    st.selectbox(label, ["", *labels], key=f"audit_{name}", format_func=lambda value: labels.get(value, everything),
                 on_change=_take, args=(name,), label_visibility="collapsed", width=165)
    return chosen


def _take(name: str) -> None:
    _put(name, state.shown(f"audit_{name}"))


def _put(name: str, value: str) -> None:
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


@st.fragment
def _pick_patient() -> None:
    """Archived ones too: what was done with their data does not end with the treatment."""
    identity = guard.require("audit.read")
    term = st.text_input(_("Patient"), type="search", key="audit_patient_search", placeholder=_("Search name, phone or e-mail"))
    if term:
        with db.scope(identity) as scope:
            found = [one for archived in (False, True)
                     for one in patients.find(scope, term=term, archived=archived, limit=FEW).rows]
        for one in found[:FEW]:
            born = f" :gray[{widgets.day(one.date_of_birth, identity)}]" if one.date_of_birth else ""
            if st.button(escape(one.full_name) + born, key=f"audit_patient_{one.id}", type="tertiary"):
                _choose(str(one.id))
        if not found:
            st.caption(_("No patient matches."))
    if "patient" in st.query_params and st.button(_("Show every patient"), icon=":material/close:"):
        _choose("")


def _choose(patient_id: str) -> None:
    _put("patient", patient_id)
    st.rerun()


def _bounds(chosen: Period, identity: Identity) -> tuple[datetime, datetime]:
    """Midnights at the clinic."""
    zone = ZoneInfo(identity.time_zone)
    return (datetime.combine(chosen.first, time.min, zone), datetime.combine(chosen.last + timedelta(days=1), time.min, zone))
