"""The entry script. It does not stand beside pages/, or a cold process would serve a page's address without it."""

import streamlit as st

from ui import frame, guard, state

st.set_page_config(page_title="Chairside", page_icon=frame.ICON, layout="wide")
st.html(frame.STYLE)

identity = guard.identity()
if identity is None:
    state.forget()
page = frame.navigation(identity)
if identity is not None:
    frame.surround(identity)
page.run()
