"""What ends a run that waits: Stop, a click, another page, a closed tab.

Streamlit keeps such a wish until the run looks at its session. A run that waits for something else would have to look ten times a
second to feel Stop at once, and with forty answers being written these looks were a third of what the server did. So it sleeps,
and is woken for the wish here.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests

P = ParamSpec("P")
R = TypeVar("R")
_asleep: dict[ScriptRequests, Callable[[], None]] = {}


@contextmanager
def heard(wake: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """Set as soon as something is wanted of this run; `wake` is called then, from another thread, for what it waits for besides.
    Whether that ends the run, its next look at the session tells (`state.touch`): clear the event before."""
    context, wish = get_script_run_ctx(), threading.Event()
    assert context
    _mean_the_page(context.script_requests)  # what was wanted before anybody listened

    def tell() -> None:
        _mean_the_page(context.script_requests)
        wish.set()
        if wake:
            wake()
    _asleep[context.script_requests] = tell
    try:
        yield wish
    finally:
        del _asleep[context.script_requests]


def is_beside_a_dialog() -> bool:
    """Whether this run has opened one."""
    context = get_script_run_ctx()
    return bool(context and context.has_dialog_opened)


def _mean_the_page(requests: ScriptRequests) -> None:
    """A click inside a fragment would wait for the run to end, and this one waits for something that takes a minute: the page is
    run for it. What a fragment does by itself can wait."""
    with requests._lock:
        wanted = requests._rerun_data
        if wanted.fragment_id_queue and not wanted.is_auto_rerun:
            requests._rerun_data = replace(wanted, fragment_id_queue=[], is_fragment_scoped_rerun=False)


def _telling(request: Callable[Concatenate[ScriptRunner, P], R]) -> Callable[Concatenate[ScriptRunner, P], R]:
    @wraps(request)
    def tell(runner: ScriptRunner, *args: P.args, **kwargs: P.kwargs) -> R:
        found = request(runner, *args, **kwargs)
        if asleep := _asleep.get(runner._requests):
            asleep()
        return found
    return tell


# Streamlit has no hook for this: whatever is wanted of a run comes by one of these two.
ScriptRunner.request_stop = _telling(ScriptRunner.request_stop)  # type: ignore[method-assign]
ScriptRunner.request_rerun = _telling(ScriptRunner.request_rerun)  # type: ignore[method-assign]
