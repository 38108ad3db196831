"""How soon a reader feels Stop and sees the first piece, on a clock that only waiting moves: a busy machine can't change it.

The goals are half a second and 150 ms; docs/performance.md has what a real browser measured.
"""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from uuid import uuid4

import pytest
from streamlit.runtime.scriptrunner import StopException

from lib import workers, workflows
from lib.events import Delta, Done
from ui import guard, interruption, running_answer, state

SOONEST = 0.15  # seconds that may pass between two looks at Stop, or between a piece and its place on the screen


class Clock:
    """Waiting is all that takes time."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Job:
    """An answer whose pieces come at set times; after the last one its provider is silent."""

    def __init__(self, clock: Clock, pieces: dict[float, str]) -> None:
        self.clock, self.pieces, self.polls = clock, pieces, []

    @property
    def text(self) -> str:
        return "".join(piece for at, piece in self.pieces.items() if at <= self.clock.now)

    def wait(self, seen: int, timeout: float, called: Callable[[], bool]) -> bool:
        """As `workers.Answering`: wakes at once when there is more or when it is woken, and else when the time is up."""
        self.polls.append(self.clock.now)
        if len(self.text) <= seen and not called():
            until = self.clock.now + timeout
            news = [at for at in self.pieces if self.clock.now < at <= until]
            self.clock.now = min(*news, called.__self__.at_most(until), until)
        return False

    def wake(self) -> None:
        """Whoever waits reads the clock."""


class Wish:
    """Of a reader who presses Stop at a set time; whether that wakes those who sleep is test_interruption.py's."""

    def __init__(self, clock: Clock, at: float) -> None:
        self.clock, self.at = clock, at

    def at_most(self, until: float) -> float:
        """When a sleep ends that would last until then."""
        return min(until, max(self.clock.now, self.at))

    def is_set(self) -> bool:
        return self.clock.now >= self.at

    def wait(self, timeout: float) -> None:
        self.clock.now = self.at_most(self.clock.now + timeout)

    def clear(self) -> None:
        """The look that follows ends the run."""


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(running_answer, "time", clock)
    monkeypatch.setattr(guard, "watch", lambda _permission: None)
    return clock


@pytest.fixture
def watch(clock, monkeypatch):
    """The job after a reader watched it until they pressed Stop, and when each text was drawn."""
    def until(stopped_at: float, pieces: dict[float, str]):
        job, drawn = Job(clock, pieces), []

        def touch() -> None:
            if clock.now >= stopped_at:  # Streamlit raises it at the first look at the session after the click
                raise StopException
        monkeypatch.setattr(workflows, "watch", lambda _id: job)
        monkeypatch.setattr(state, "touch", touch)
        monkeypatch.setattr(interruption, "heard", lambda wake: nullcontext(Wish(clock, stopped_at)) if wake == job.wake else None)
        place = SimpleNamespace(markdown=lambda text: drawn.append((clock.now, text)))
        with pytest.raises(StopException):
            running_answer._watch(SimpleNamespace(id=uuid4(), content=""), place, None, "")
        return job, drawn
    return until


@pytest.mark.parametrize("stopped_at", [0.01, 0.33, 2.999, 3.001, 7.77, 31.4])
def test_stop_is_heard_within_one_poll_of_a_silent_provider(clock, watch, stopped_at):
    job, _drawn = watch(stopped_at, {})
    assert len([at for at in job.polls if at >= stopped_at]) <= 1
    assert clock.now - stopped_at <= SOONEST


def test_stop_is_heard_as_soon_amid_a_flood_of_pieces(clock, watch):
    job, _drawn = watch(1.0, {n / 100: "word " for n in range(500)})
    assert len([at for at in job.polls if at >= 1.0]) <= 1
    assert clock.now - 1.0 <= SOONEST


def test_a_silent_answer_is_looked_at_once_a_second(watch):
    """Forty readers who looked ten times a second were a third of what the server did."""
    job, _drawn = watch(30.5, {})
    assert len(job.polls) <= 31


@pytest.mark.parametrize("first", [0.004, 0.099, 0.5, 14.2])
def test_the_first_piece_is_drawn_in_the_very_poll_that_it_ends(watch, first):
    job, drawn = watch(first + 1, {first: "Firstly "})
    assert drawn[0][0] == first
    assert len([at for at in job.polls if at >= first and at < drawn[0][0]]) == 0


def test_a_piece_wakes_whoever_waits_for_it():
    """The waits above end at the news itself, not at their time."""
    free = Done(model="", tokens_in=0, tokens_out=0)
    job = workers.Answering(uuid4(), uuid4(), iter(()), lambda _ending: None, free, 0.0)
    reader = threading.Thread(target=job.wait, args=(0, 600), daemon=True)
    reader.start()
    job._append(Delta("Firstly "))
    reader.join(30)
    assert not reader.is_alive()


def test_a_wish_wakes_them_as_well():
    job, wish = workers.Answering(uuid4(), uuid4(), iter(()), lambda _ending: None, Done(), 0.0), threading.Event()
    reader = threading.Thread(target=job.wait, args=(0, 600, wish.is_set), daemon=True)
    reader.start()
    wish.set()
    job.wake()
    reader.join(30)
    assert not reader.is_alive()
