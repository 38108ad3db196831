"""What somebody has to look after now, what was, and what is watched; to mute and to test."""

import streamlit as st

from lib import auth, clinic_alerts, db
from lib.texts import _
from ui import alert_rows, guard, widgets

identity = guard.require("alerts.read")
with db.scope(identity) as scope:
    standing, over = clinic_alerts.view(scope)
    watched = clinic_alerts.watched(scope)

with st.container(key="narrow"):
    with st.container(horizontal=True, vertical_alignment="center", key="alerts_head"):
        st.title(_("Alerts"), anchor=False)
        tested = auth.may(identity, "alerts.mute") and st.button(_("Send a test"), icon=":material/send:", help=_(
            "By mail to the owners, and to the webhook, as far as they are set up."))
    if tested:
        alert_rows.test()
    if standing:
        alert_rows.show(standing, watched, identity)
    else:
        widgets.empty(_("All is well."), icon="notifications", hint=_("Whatever crosses a limit stands here until it is over."))
    st.subheader(_("What is watched"), anchor=False)
    alert_rows.rules(watched, standing, identity)
    if over:
        st.subheader(_("The last 30 days"), anchor=False)
        alert_rows.over(over, identity)
