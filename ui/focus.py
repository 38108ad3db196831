"""A new form begins in its first field."""

from pathlib import Path

import streamlit as st

_component = st.components.v2.component("focus", js=(Path(__file__).parent / "components" / "focus.js").read_text())


def begin(field: str, form: str) -> None:
    """`field` has the focus when `form`, a name unique to each opening of it, is first shown."""
    _component(key="focus", data={"field": field, "form": form}, height=0)
