"""What a person sees when a run fails: the project's own sentence, or a reference to what the log holds."""

import traceback

import streamlit as st
import structlog

from lib import logs, metrics
from lib.errors import AppError, Forbidden, NotFound, Unavailable
from lib.texts import _
from ui import state
from ui.markdown import escape

log = structlog.get_logger()


def report(error: Exception) -> bool:
    """Streamlit's on_script_error hook. The log gets the type and the place of an unknown error, never its text or values."""
    if not isinstance(error, AppError) or isinstance(error, Unavailable):
        metrics.rerun_failures.labels(logs.known("page")).inc()
    if isinstance(error, AppError):
        icon = ":material/lock:" if isinstance(error, Forbidden) else ":material/info:"
        (st.info if isinstance(error, NotFound | Forbidden) else st.error)(escape(str(error)), icon=icon)
        if isinstance(error, Unavailable):  # a reload would forget what was typed a moment ago; this tab still knows it
            st.button(_("Try again"), icon=":material/refresh:", key="try_again", on_click=state.show_again)
        return True
    reference = logs.request_id()
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error("script failed", reference=reference, error=type(error).__name__, file=frame.filename, line=frame.lineno)
    st.error(_("Something went wrong here. What was saved before is safe. If it happens again, mention reference {reference}.")
             .format(reference=reference), icon=":material/error:")
    return True
