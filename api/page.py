"""Streamlit's page as a browser gets it first, with our sheet in it: nothing jumps when that comes, and no run has to send it."""

import re
from functools import cache
from pathlib import Path

import streamlit

from lib.settings import ROOT


@cache
def index() -> str:
    """The package's own."""
    return (Path(streamlit.__file__).parent / "static" / "index.html").read_text()


@cache
def ours() -> bytes:
    """The sheet stands behind Streamlit's, which go into the head: of two rules that weigh the same the later one holds."""
    body, end, rest = index().rpartition("</body>")
    return f"{body}<style>{_sheet()}</style>{end}{rest}".encode()


def _sheet() -> str:
    """On one line and without comments."""
    sheet = (ROOT / "ui" / "style.css").read_text()
    return " ".join(re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL).split())
