"""All of a clinic as one file."""

import streamlit as st

from lib.texts import _
from ui import download, guard


def offer() -> None:
    if st.button(_("Export the whole clinic"), icon=":material/archive:", type="tertiary"):
        _export()


@st.dialog(_("Export the whole clinic"))
def _export() -> None:
    guard.require("clinic.export")
    st.markdown(_("One archive with a table (CSV) for patients, notes, histories, conversations, emergencies, costs, the team "
                  "and the audit log, and the documents behind licences. It may take minutes; the export is recorded."))
    st.caption(_("Keep it as carefully as the clinic's own records: it holds all of them, unencrypted."))
    download.button(_("Download"), "/api/v1/clinic/export", {}, "clinic.zip")
