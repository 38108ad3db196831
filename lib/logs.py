"""Logs as JSON lines, without the values that exceptions carry: a statement's parameters or a form's input are patient data."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import structlog

from lib.errors import AppError, Unavailable

_make_record = logging.getLogRecordFactory()


def configure() -> None:
    logging.setLogRecordFactory(_without_values)
    logging.getLogger("streamlit.error_util").addFilter(_is_worth_a_line)  # where Streamlit logs what a page raised
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def _without_values(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """Whoever logs an exception, Streamlit and uvicorn included: its type and its places stay, what it says goes."""
    record = _make_record(*args, **kwargs)
    kind = record.exc_info[0] if record.exc_info else None
    record.refusal = kind is not None and issubclass(kind, AppError) and not issubclass(kind, Unavailable)
    if record.levelno < logging.WARNING and not record.exc_info:  # uvicorn's access log formats its own arguments
        return record
    record.msg, record.args = json.dumps(_facts(record), default=str), ()
    record.exc_info, record.exc_text = None, None
    return record


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """A foreign address or a role that may not is an answer, not a crash. An unreachable database is."""
    return not getattr(record, "refusal", False)


def _facts(record: logging.LogRecord) -> dict[str, str]:
    facts = {"event": _words(record), "logger": record.name, "level": record.levelname.lower(),
             "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat()}
    if record.exc_info and record.exc_info[0] is not None:
        frames = reversed(traceback.extract_tb(record.exc_info[2])[-8:])
        facts["error"] = record.exc_info[0].__name__
        facts["places"] = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in frames)
    return facts


def _words(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # its arguments do not fit its text, which is no reason to fail where it was logged
        return str(record.msg)
