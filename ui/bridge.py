"""The session bridge: the one piece of script that turns a ticket into a cookie, signs out, warns, and watches for the end. What
the keyboard does on every page travels with it."""

from pathlib import Path

import streamlit as st

from lib.identity import Identity
from lib.texts import _
from ui import state

SCRIPTS = Path(__file__).parent / "components"
_component = st.components.v2.component(
    "session_bridge", js="".join((SCRIPTS / f"{name}.js").read_text() for name in ("keys", "kept", "bridge")))


def mount(identity: Identity | None) -> None:
    """With somebody signed in, it tells every tab when that ends (within 5 s), and warns a minute before it ends by itself."""
    texts = {"stay": _("Stay signed in"),
             "warning": _("You will be signed out in {n} s, because nothing happened here. What you are typing is "
                          "kept.")}
    _component(key="session_bridge", height=0, on_drowsy_change=_listen, data={
        "ticket": state.ticket(), "leave": state.leaving(), "watch": identity is not None,
        "clinic": str(identity.clinic_id) if identity else None, "texts": texts})


def _listen() -> None:
    """Streamlit reports a state only to a component that has a callback for it."""
