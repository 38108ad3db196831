"""What a person sees when a run fails: the project's own sentence, or a reference to what the log holds."""

import traceback

import streamlit as st
import structlog

from lib.errors import AppError, Forbidden, NotFound
from lib.texts import _
from ui import state
from ui.markdown import escape

log = structlog.get_logger()


def report(error: Exception) -> bool:
    """Streamlit's on_script_error hook. The log gets the type and the place of an unknown error, never its text or values."""
    if isinstance(error, AppError):
        icon = ":material/lock:" if isinstance(error, Forbidden) else ":material/info:"
        (st.info if isinstance(error, NotFound | Forbidden) else st.error)(escape(str(error)), icon=icon)
        return True
    reference = state.request()
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error("script failed", reference=reference, error=type(error).__name__, file=frame.filename, line=frame.lineno)
    st.error(_("Something went wrong here. What was saved before is safe. If it happens again, mention reference {reference}.")
             .format(reference=reference), icon=":material/error:")
    return True
