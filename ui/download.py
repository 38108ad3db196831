"""A button that fetches a file from one of our own routes."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

_files = Path(__file__).parent / "components"
_component = st.components.v2.component(
    "download", html="<button type='button'><span aria-hidden='true'>download</span></button>",
    js=(_files / "download.js").read_text(), css=(_files / "download.css").read_text())


def button(label: str, url: str, body: Mapping[str, object], name: str, *, help: str = "") -> None:
    """`body` is posted as JSON; what a refusal says is shown as a toast."""
    failed = _component(key=f"download_{name}", on_failed_change=_listen, width="content",
                        data={"label": label, "url": url, "body": dict(body), "name": name, "help": help}).failed
    if failed:
        st.toast(str(failed), icon=":material/error:")


def _listen() -> None:
    """Streamlit reports a trigger only to a component that has a callback for it."""
