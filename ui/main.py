"""The entry script. It does not stand beside pages/, or a cold process would serve a page's address without it."""

import streamlit as st

from lib import rate_limits
from lib.texts import _
from ui import frame, guard, invited, state

st.set_page_config(page_title="Chairside", page_icon=frame.ICON, layout="wide")

identity = guard.identity()
moved = False
if identity is None:
    state.forget()
else:
    moved = state.settle(identity.clinic_id) or bool(st.query_params.pop("moved", None))
    st.query_params.pop("ended", None)
    rate_limits.spend("reads", identity.user_id)
page = frame.navigation(identity)
state.set_page(page.url_path)
frame.warn_of_copy()
if identity is not None:
    frame.surround(identity)
    if moved:
        state.notify(_("You work in {clinic} now.").format(clinic=identity.clinic_name))
        st.switch_page("../pages/today.py")
    if identity.must_enrol and page.url_path != "account":
        st.switch_page("../pages/account.py")
    invited.offer(identity)
    with guard.known(identity):
        page.run()
else:
    page.run()
