"""What the keyboard does beyond Streamlit: `/` goes to the search, a new form begins in its first field, and long texts are
committed while one types."""

from pathlib import Path

import streamlit as st

_component = st.components.v2.component("keys", js=(Path(__file__).parent / "components" / "keys.js").read_text())


def mount(*, field: str = "", form: str = "") -> None:
    """`field` has the focus when `form`, a name unique to each opening of it, is first shown."""
    _component(key="keys", data={"field": field, "form": form}, height=0)
