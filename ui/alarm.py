"""An emergency on the screen: the card, who has answered for it, and the form to do so."""

from uuid import UUID

import streamlit as st

from lib import auth, db, drafts, emergencies, workflows
from lib.emergencies import Emergency
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _
from ui import guard, kept, state, thread_tools, widgets
from ui.markdown import escape


def card(text: str, raised: Emergency | None, identity: Identity) -> None:
    """The fixed words, strong and calm. `raised` is None where the role may not see the emergency's record."""
    with st.container(key=f"alarm_{raised.id}" if raised else None, border=True):
        st.markdown(text)
        if raised and raised.acknowledged_by:
            st.markdown(f":small[{answered(raised, identity)}]")
        elif raised and auth.may(identity, "emergencies.read"):
            with st.container(horizontal=True):
                acknowledge_button(raised.id)
                general = raised.user_id == identity.user_id and st.button(
                    _("General question, not a patient now"), key=f"general_{raised.id}",
                    help=_("Recorded in your name; the question is then answered."))
            if general and _declare_general(raised.id):
                state.first_page(thread_tools.place(raised.patient_id))
                st.rerun()


def _declare_general(emergency_id: UUID) -> bool:
    """False: it stays without an answer, and the card says why."""
    try:
        workflows.declare_general(guard.act("emergencies.read"), emergency_id)
    except AppError as error:
        st.error(escape(str(error)), icon=":material/info:")
        return False
    return True


def acknowledge_button(emergency_id: UUID) -> None:
    if st.button(_("Acknowledge"), icon=":material/how_to_reg:", key=f"acknowledge_{emergency_id}"):
        _acknowledge(emergency_id)


@st.dialog(_("Acknowledge this emergency"), on_dismiss="rerun")
def _acknowledge(emergency_id: UUID) -> None:
    identity, field = guard.require("emergencies.read"), f"acknowledge:{emergency_id}"
    kept.begin(identity, {field: ""})
    st.markdown(_("Recorded as {name}, once and for good.").format(name=f"**{escape(identity.full_name)}**"))
    with st.form(f"acknowledge_form_{emergency_id}", border=False):
        action = st.text_area(_("What was done"), key=kept.key(field),
                              placeholder=_("Called the ambulance, patient handed over at 14:05"))
        false_alarm = st.checkbox(_("False alarm: nobody was in danger"))
        if not st.form_submit_button(_("Acknowledge"), type="primary"):
            return
    try:
        with db.scope(guard.act("emergencies.read")) as scope:
            emergencies.acknowledge(scope, emergency_id, action_taken=action, false_alarm=false_alarm)
            drafts.discard_texts(scope, [field])
    except AppError as error:
        kept.keep(identity, field, action)
        st.error(escape(str(error)), icon=":material/info:")
        return
    state.notify(_("Acknowledged."))
    st.rerun()


def answered(emergency: Emergency, identity: Identity) -> str:
    """Who acknowledged it, when, and what was done."""
    assert emergency.acknowledged_at
    who = _("Acknowledged by {name}, {when}").format(name=escape(emergency.acknowledged_by or ""),
                                                    when=widgets.moment(emergency.acknowledged_at, identity))
    kind = _("false alarm") if emergency.false_alarm else ""
    if emergency.general:
        return _("Stated by {name}, {when}: general question, not a patient now").format(
            name=escape(emergency.acknowledged_by or ""), when=widgets.moment(emergency.acknowledged_at, identity))
    return " · ".join(part for part in (who, kind, escape(emergency.action_taken)) if part)


def categories(emergency: Emergency) -> str:
    names = {"airway": _("Breathing or swallowing"), "bleeding": _("Bleeding"), "infection": _("Spreading infection"),
             "trauma": _("Injury"), "heart": _("Heart"), "allergy": _("Allergy"), "self_harm": _("Overdose or self-harm"),
             "collapse": _("Collapse"), "model": _("Seen by the AI provider")}
    return ", ".join(names.get(name, name.replace("_", " ").capitalize()) for name in emergency.categories)
