"""Logs as JSON lines, without the values that exceptions carry: a statement's parameters or a form's input are patient data."""

import logging
import sys
import traceback
from typing import Any

import structlog

_make_record = logging.getLogRecordFactory()


def configure() -> None:
    logging.setLogRecordFactory(_without_values)
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def _without_values(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """Whoever logs an exception, Streamlit and uvicorn included: its type and its places stay, what it says goes."""
    record = _make_record(*args, **kwargs)
    if record.exc_info and record.exc_info[0] is not None:
        frames = reversed(traceback.extract_tb(record.exc_info[2])[-8:])
        places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in frames).replace("%", "%%")
        record.msg = f"{record.msg} [{record.exc_info[0].__name__} at {places}]"
        record.exc_info, record.exc_text = None, None
    return record
