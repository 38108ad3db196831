"""The session bridge: the one piece of script that turns a ticket into a cookie, signs out, and watches for the end."""

from pathlib import Path

import streamlit as st

from ui import state

_component = st.components.v2.component("session_bridge", js=(Path(__file__).parent / "components" / "bridge.js").read_text())


def mount(*, watch: bool) -> None:
    """`watch`: somebody is signed in, so tell every tab when that ends (within 5 s)."""
    _component(key="session_bridge", data={"ticket": state.ticket(), "leave": state.leaving(), "watch": watch}, height=0)
