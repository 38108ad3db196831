"""Streamlit's page as a browser gets it first, with our sheet in it, so that nothing jumps when that comes and no run has to send
it, and with what Streamlit would ask for before it connects: where its server is (it looks below a page's own address first) and
whom it may hear, which is nobody else."""

import re
from functools import cache
from pathlib import Path

import streamlit

from lib.settings import ROOT

INDEX = Path(streamlit.__file__).parent / "static" / "index.html"
CONNECTION = ("window.__streamlit = { BACKEND_BASE_URL: location.origin, "
              "HOST_CONFIG: { allowedOrigins: [location.origin], useExternalAuthToken: false } }")


@cache
def page() -> str:
    """The sheet stands behind Streamlit's, which go into the head: of two rules that weigh the same the later one holds."""
    head, scripts, body = INDEX.read_text().partition("<script")
    body, end, rest = f"<script>{CONNECTION}</script>{scripts}{body}".rpartition("</body>")
    return f"{head}{body}<style>{_sheet()}</style>{end}{rest}"


def _sheet() -> str:
    """On one line and without comments."""
    sheet = (ROOT / "ui" / "style.css").read_text()
    return " ".join(re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL).split())
