"""What an answer is made of while it is being made: pieces, an end, and the wish that it stop."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Delta:
    """The next piece of the answer. `beside`: fixed words of ours around it, which don't count as its first."""

    text: str
    beside: bool = False


@dataclass(frozen=True)
class Draining:
    """The answer ended, and its provider bills it to its end: nothing more is shown, but `Done` brings the exact bill. `raised`:
    the tier that ended it; None where somebody stopped it."""

    raised: str | None = None


@dataclass(frozen=True)
class Done:
    """How the answer ended and what it took. None is unknown, 0 is measured zero.

    `status`: as chat_messages has it. `problem`: why a provider gave no whole answer: busy, refused, unavailable, timeout,
    network.
    `finish`: the provider's own word for its end. `raised`: the tier the provider saw where the rules saw less.
    `billed`: whether the provider may charge for this. `left`: whether anything went out to it. `instead`: whether what is built
    in was said in its place. `usage_source`: "provider" or "estimated"; None where nothing is known.
    """

    status: str = "ok"
    problem: str = ""
    finish: str = ""
    raised: str | None = None
    billed: bool = True
    left: bool = True
    instead: bool = False
    provider: str | None = None
    model: str | None = None
    request_id: str | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    usage_source: str | None = None
    price: dict[str, str] | None = None
    cost_usd: Decimal | None = None
    cost_source: str | None = None
    saved_usd: Decimal | None = None


Event = Delta | Draining | Done
FREE = Done(cost_usd=Decimal(0), cost_source="none", billed=False, left=False)


class Stop:
    """The wish to end an answer, heard at once by whoever waits for something outside. `final`: and by no bill held up."""

    def __init__(self) -> None:
        self.wanted = self.final = False
        self._listeners: list[Callable[[bool], None]] = []
        self._lock = threading.Lock()

    def listen(self, listener: Callable[[bool], None]) -> None:
        """Called with `final`, also where the wish came first."""
        with self._lock:
            self._listeners.append(listener)
            late, final = self.wanted, self.final
        if late:
            listener(final)

    def ask(self, final: bool = False) -> None:
        with self._lock:
            self.wanted, self.final = True, self.final or final
            listeners = list(self._listeners)
        for listener in listeners:
            listener(final)
