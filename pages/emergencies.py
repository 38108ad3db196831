"""What the red-flag check raised: open ones first, then what was done about the others."""

from datetime import UTC, datetime

import streamlit as st

from lib import auth, db, emergencies
from lib.db import Page
from lib.emergencies import Emergency
from lib.texts import _
from ui import alarm, emergency_news, guard, menu, state, widgets
from ui.emergency_news import Waiting
from ui.markdown import escape

identity, opened = guard.require("emergencies.read"), datetime.now(UTC)
sought = state.emergency_in_address()
with db.scope(identity) as scope:
    found = emergencies.get(scope, sought) if sought else None
    waiting, answered = emergencies.view(scope, after=state.cursor("waiting"), before=state.cursor("answered"))
if state.cursor("waiting") and not waiting.rows:  # all of this page has been answered for; older ones may still be open
    state.first_page("waiting")
    st.rerun()


def describe(emergency: Emergency) -> None:
    """What it is, who raised it when, what was done, and the way to the patient: few elements, for there may be many. What waits
    for somebody is drawn by what lets it grow older (ui/emergency_news.py)."""
    facts = [widgets.moment(emergency.raised_at, identity), _("raised by {name}").format(name=escape(emergency.raised_by))]
    about = emergency.patient_id if auth.may(identity, "chat.patient") else None
    kind, below = f"**{escape(alarm.categories(emergency))}**", " · ".join(facts if about else [*facts, _("general question")])
    if emergency.acknowledged_at:
        st.markdown(f"{kind}  \n:small[{below}]  \n:small[{alarm.answered(emergency, identity)}]", width="stretch")
    else:
        shown.append(Waiting(emergency.id, st.empty(), kind, emergency.raised_at, below))
    if about:
        st.page_link(menu.page("chat"), label=escape(emergency.patient_name or ""), icon=":material/person:",
                     query_params={"patient": str(about)})


def show(emergency: Emergency) -> None:
    kind = "answered" if emergency.acknowledged_at else "alarm"
    with st.container(key=f"{kind}_{emergency.id}", border=True, horizontal=True, vertical_alignment="center"):
        describe(emergency)
        if not emergency.acknowledged_at:
            alarm.acknowledge_button(emergency.id)


def turn(name: str, page: Page[Emergency], *, back: str, on: str) -> None:
    if not state.cursor(name) and not page.more:
        return
    with st.container(horizontal=True):
        if state.cursor(name):
            st.button(back, key=f"back_{name}", on_click=state.turn_back, args=(name,))
        if page.more:
            st.button(on, key=f"on_{name}", on_click=state.turn_page, args=(name, page.rows[-1].id))


st.title(_("Emergencies"))
news, shown = st.container(), list[Waiting]()
if not waiting.rows and not answered.rows and not state.cursor("answered"):
    widgets.empty(_("No emergency was ever raised."), icon="verified_user", hint=_(
        "When a question to the assistant describes a danger sign, it appears here until somebody has answered for it."))
    with news:
        emergency_news.watch(identity, opened)
    st.stop()

if found:
    st.subheader(_("The one you were told of"))
    show(found)

st.subheader(_("Open"))
if not waiting.rows:
    st.caption(_("Every emergency has been answered for."))
for emergency in waiting.rows:
    if emergency.id != sought:
        show(emergency)
turn("waiting", waiting, back=_("Older"), on=_("Newer"))
with news:
    emergency_news.watch(identity, opened, shown)

if answered.rows:
    st.subheader(_("Acknowledged"))
for emergency in answered.rows:
    if emergency.id != sought:
        show(emergency)
turn("answered", answered, back=_("Newer"), on=_("Older"))
