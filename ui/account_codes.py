"""Ten recovery codes, on the screen this once: to copy, or to keep as a file that the browser makes itself."""

from pathlib import Path

import streamlit as st

from lib.texts import _
from ui import state

_files = Path(__file__).parent / "components"
_component = st.components.v2.component(
    "save_text", html="<button type='button'><span aria-hidden='true'>download</span></button>",
    js=(_files / "save_text.js").read_text(), css=(_files / "download.css").read_text())


def show(codes: list[str]) -> None:
    text = "\n".join(codes)
    with st.container(key="recovery_codes", border=True):
        st.subheader(_("Your recovery codes"), anchor=False)
        st.markdown(_("Each lets you in once when your phone is not at hand. Keep them where your phone is not. They are shown "
                      "only now: we store no more than their fingerprints."))
        st.code(text, language=None)
        with st.container(horizontal=True, vertical_alignment="center"):
            _component(key="save_codes", width="content", data={"label": _("Save as a file"), "text": text + "\n",
                                                                "name": "chairside-recovery-codes.txt"})
            st.button(_("I have kept them"), type="primary", on_click=state.forget_codes)
