"""Puts a text on the clipboard of whoever just clicked."""

import secrets
from pathlib import Path

import streamlit as st

_component = st.components.v2.component("clipboard", js=(Path(__file__).parent / "components" / "clipboard.js").read_text())


def put(text: str) -> None:
    """Mounted in the one run that follows the click, so that it copies once."""
    _component(key=f"clipboard_{secrets.token_hex(4)}", data={"text": text}, height=0)
