"""Logs as JSON lines, without the values that exceptions carry: a statement's parameters or a form's input are patient data.

What a run or a request is about (its id, who, which clinic, which page) is bound once and stands in each of its lines.
"""

import json
import logging
import re
import secrets
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars, merge_contextvars

from lib.errors import AppError, SetUpError, Unavailable
from lib.identity import Identity

NAMES = re.compile(r"[^\n<(:]*")  # how a message begins; asyncio's goes on with what was called, and with what
_make_record = logging.getLogRecordFactory()
_witness: Callable[[BaseException], object] | None = None


def configure() -> None:
    logging.setLogRecordFactory(_without_values)
    logging.getLogger("streamlit.error_util").addFilter(_is_worth_a_line)  # where Streamlit logs what a page raised
    logging.getLogger("uvicorn.access").disabled = True  # it writes whole addresses: a reset link is a password for 30 minutes
    logging.getLogger("httpx").setLevel(logging.WARNING)  # and so does this: a webhook's address holds its key
    sys.excepthook = _report_crash
    threading.excepthook = lambda crash: _report_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)
    sys.unraisablehook = lambda crash: _report_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)
    structlog.configure(
        processors=[merge_contextvars, structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True), _show_witness, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def call_witness(witness: Callable[[BaseException], object] | None) -> None:
    """Who else is told of every crash: lib/crash_reports.py."""
    global _witness
    _witness = witness


# what a line is about ------------------------------------------------------------------------------------------------


def begin(**facts: str) -> None:
    """A run or a request begins on this thread or task. Its id is the audit log's, too, and that of a failure's sentence."""
    clear_contextvars()
    bind_contextvars(**{"request_id": secrets.token_hex(8), **facts})


def end() -> None:
    clear_contextvars()


def request_id() -> str:
    """The running one's, or a new one's."""
    if "request_id" not in get_contextvars():
        bind_contextvars(request_id=secrets.token_hex(8))
    return str(get_contextvars()["request_id"])


def know(identity: Identity) -> None:
    bind_contextvars(user_id=str(identity.user_id), clinic_id=str(identity.clinic_id))


def note(**facts: str) -> None:
    """Names of ours alone: a page, a kind. Never what somebody typed."""
    bind_contextvars(**facts)


def known(fact: str) -> str:
    return str(get_contextvars().get(fact, ""))


# what a failure leaves -----------------------------------------------------------------------------------------------


def _without_values(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """Whoever logs an exception, Streamlit and uvicorn included: its type and its places stay, what it says goes."""
    record = _make_record(*args, **kwargs)
    kind, error = record.exc_info[:2] if record.exc_info else (None, None)
    refusal = kind is not None and issubclass(kind, AppError) and not issubclass(kind, Unavailable)
    record.refusal = refusal
    if record.levelno < logging.WARNING and not record.exc_info:
        return record
    if error is not None and not refusal:
        _tell_witness(error)
    record.msg, record.args = json.dumps(_facts(record), default=_name), ()
    record.exc_info, record.exc_text = None, None
    return record


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """A foreign address or a role that may not is an answer, not a crash. An unreachable database is."""
    return not getattr(record, "refusal", False)


def _facts(record: logging.LogRecord) -> dict[str, str]:
    facts = {**get_contextvars(), "event": _words(record), "logger": record.name, "level": record.levelname.lower(),
             "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat()}
    if record.exc_info and record.exc_info[0] is not None:
        facts["error"] = record.exc_info[0].__name__
        facts["places"] = places(record.exc_info[2])
    return facts


def places(trace: TracebackType | None) -> str:
    """The innermost first."""
    return " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(traceback.extract_tb(trace)[-8:]))


def _words(record: logging.LogRecord) -> str:
    """Of a crash only how the message begins; an exception among the words is only named."""
    if isinstance(record.args, tuple):
        record.args = tuple(_name(part) if isinstance(part, BaseException) else part for part in record.args)
    record.msg = _name(record.msg) if isinstance(record.msg, BaseException) else record.msg
    try:
        words = record.getMessage()
    except (TypeError, ValueError, KeyError):  # its arguments do not fit its text, which is no reason to fail where it was logged
        words = str(record.msg)
    return NAMES.match(words)[0].strip() if record.exc_info else words  # type: ignore[index]


def _name(value: object) -> str:
    return type(value).__name__


def _report_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """What nobody caught: Python itself would print its words. Those of a start that failed are for whoever started it."""
    if isinstance(error, SetUpError):
        sys.stderr.write(f"\n  {error}\n\n")
    elif not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger("python").error("uncaught", exc_info=(kind, error or kind(), trace))


def _show_witness(_logger: object, method: str, facts: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An error of our own that is logged where it was caught."""
    error = sys.exc_info()[1]
    if method == "error" and error is not None:
        _tell_witness(error)
    return facts


def _tell_witness(error: BaseException) -> None:
    if _witness:
        _witness(error)
