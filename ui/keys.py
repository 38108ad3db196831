"""What the keyboard does beyond Streamlit: `/` goes to the search, and long texts are committed while one types."""

from pathlib import Path

import streamlit as st

_component = st.components.v2.component("keys", js=(Path(__file__).parent / "components" / "keys.js").read_text())


def mount() -> None:
    _component(key="keys", height=0)
