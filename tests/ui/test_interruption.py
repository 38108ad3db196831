"""A run that waits is woken at once by whatever is wanted of it. The runs here are real ones, in Streamlit's own threads."""

import threading

import pytest
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

from ui import interruption

PATIENCE = 60  # seconds; nobody who is woken waits so long


class Sleeper:
    """What the page below did: whether it heard each wish, and how often it went on after its look at the session."""

    def __init__(self) -> None:
        self.asleep, self.heard, self.woken, self.went_on = threading.Event(), [], 0, 0

    def wake(self) -> None:
        self.woken += 1


sleeper = Sleeper()


def page():
    from tests.ui import test_interruption as told
    from ui import interruption, state
    if not told.sleeper.heard:
        with interruption.heard(told.sleeper.wake) as wish:
            told.sleeper.asleep.set()
            told.sleeper.heard.append(wish.wait(told.PATIENCE))
            wish.clear()
            state.touch()
    told.sleeper.went_on += 1


@pytest.fixture
def want(monkeypatch):
    """Of the page's run, while it sleeps."""
    def want(wish) -> Sleeper:
        global sleeper
        sleeper = Sleeper()
        start = LocalScriptRunner.start

        def asked(runner) -> None:
            sleeper.asleep.wait(PATIENCE)
            wish(runner)

        def begun(runner) -> None:
            threading.Thread(target=asked, args=(runner,)).start()
            start(runner)
        monkeypatch.setattr(LocalScriptRunner, "start", begun)
        AppTest.from_function(page).run(timeout=2 * PATIENCE)
        return sleeper
    return want


def test_stop_another_page_and_a_closed_tab_end_the_sleep(want):
    """Each of them is Streamlit's request to stop."""
    found = want(lambda runner: runner.request_stop())
    assert (found.heard, found.woken, found.went_on) == ([True], 1, 0)


def test_a_click_in_a_fragment_does_so_too(want):
    """Its run begins anew in place of the one that slept."""
    found = want(lambda runner: runner.request_rerun(RerunData()))
    assert (found.heard, found.woken, found.went_on) == ([True], 1, 1)


def test_what_ends_nothing_is_waited_out_and_who_woke_is_forgotten(want):
    found = want(lambda runner: interruption._asleep[runner._requests]())
    assert (found.heard, found.woken, found.went_on) == ([True], 1, 1)
    assert not interruption._asleep
