"""Each run of the script, from the click to its last element: one line in the log, one duration in the figures."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

from lib import logs, metrics

log = structlog.get_logger()
_run_script = ScriptRunner._run_script


@contextmanager
def measured(kind: str) -> Iterator[None]:
    """Whatever ends the run, `st.stop` and a crash included. `kind`: page, fragment or timer; a run may note another one."""
    began = time.perf_counter()
    logs.begin(kind=kind, page="sign_in")
    try:
        yield
    finally:
        took = time.perf_counter() - began
        page, kind = logs.known("page"), logs.known("kind")
        metrics.reruns.labels(page, kind).observe(took)
        log.info("rerun", duration_ms=round(took * 1000, 1))
        logs.end()


def _measured(runner: ScriptRunner, data: RerunData) -> None:
    fragment = bool(data.fragment_id or data.fragment_id_queue)
    with measured("timer" if data.is_auto_rerun else "fragment" if fragment else "page"):
        _run_script(runner, data)


# Streamlit has no hook around a run, and ui/main.py is only a part of it: callbacks come before, fragments instead.
ScriptRunner._run_script = _measured  # type: ignore[method-assign]
