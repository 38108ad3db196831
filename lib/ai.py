"""The assistant: a request in, a stream of events out. It knows no table, no session and no page."""

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from lib.texts import _

# A built-in answer is there at once; in this many pieces the eye can follow it, and Stop has something to stop.
PIECES = 24
PAUSE = 0.012


class Article(Protocol):
    """What an answer needs of an article of the knowledge base."""

    @property
    def title(self) -> str: ...
    @property
    def body(self) -> str: ...


@dataclass(frozen=True)
class Request:
    """`article`: what the knowledge base holds on this question, if anything. `urgent`: the red-flag check said tier U."""

    question: str
    article: Article | None
    urgent: bool
    emergency_number: str


@dataclass(frozen=True)
class Delta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True)
class Done:
    """How the answer ended and what it took. None is unknown, 0 is measured zero."""

    status: str = "ok"
    model: str | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    cost_usd: Decimal | None = None
    cost_source: str | None = None


Event = Delta | Done
FREE = Done(cost_usd=Decimal(0), cost_source="none")
# Who answers: anything that turns a request into events and ends with Done. A provider is one more of these.
Answerer = Callable[[Request], Iterator[Event]]


def route(request: Request) -> str:
    return "kb" if request.article else "fallback"


def known(route: str) -> Done:
    """What is certain about an answer that never came to its own end: what is built in costs nothing, half or whole."""
    return FREE if route in ("emergency", "kb", "fallback") else Done()


def answer(request: Request) -> Iterator[Event]:
    """Urgent advice before everything, the safety-net line under everything, whoever answers between; Done comes last."""
    ending = replace(known(route(request)), status="error_mid")
    if request.urgent:
        yield Delta(urgent_advice(request.emergency_number) + "\n\n")
    for event in ANSWERERS[route(request)](request):
        if isinstance(event, Done):
            ending = event
        else:
            yield event
    yield Delta("\n\n" + safety_net(request.emergency_number))
    yield ending


def quote(request: Request) -> Iterator[Event]:
    """The article's own words."""
    assert request.article
    yield from _flow(f"**{request.article.title}**\n\n{request.article.body.strip()}")
    yield FREE


def own_up(request: Request) -> Iterator[Event]:
    """An honest "I don't know", with what helps nearly everybody."""
    yield from _flow(_(
        "I don't know the answer to this one: the knowledge base has no article that fits, and I would rather say so than "
        "guess. Someone on the dental team can answer it properly, so please ask a colleague or book a visit.\n\n"
        "What helps nearly everybody in the meantime: brush gently twice a day with a fluoride toothpaste, clean between the "
        "teeth once a day, keep sugary snacks and drinks for mealtimes, and have regular check-ups. A sore spot is best left "
        "alone: soft, lukewarm food, and no self-treatment."))
    yield FREE


ANSWERERS: dict[str, Answerer] = {"kb": quote, "fallback": own_up}


def urgent_advice(emergency_number: str) -> str:
    return _("**This should be seen by a dentist today.** Please contact the clinic now for an urgent appointment; outside "
             "opening hours, the out-of-hours dental service. If breathing or swallowing becomes difficult, swelling spreads or "
             "bleeding does not stop, call {number}.").format(number=emergency_number)


def safety_net(emergency_number: str) -> str:
    return _("This is general information, not a diagnosis. If pain, swelling or fever gets worse, contact the clinic the same "
             "day. For trouble breathing or swallowing, or bleeding that does not stop, call {number} at once.").format(
        number=emergency_number)


def emergency_card(emergency_number: str, categories: Collection[str]) -> str:
    """The fixed words for tier E: nothing is looked up, nothing is sent out, nothing else is said.

    The steps in between are plain first aid, only those that fit what was described: who fainted is not sat up.
    """
    known = [step for category, step in _first_aid().items() if category in categories]
    steps = [_("Call {number}, or have someone call while you stay with the person."), *known,
             _("Tell a dentist or doctor in the clinic at once, and stay until help has taken over.")]
    lines = [f"{place}. {step}" for place, step in enumerate(steps, 1)]
    heading = _("**Call {number} now.** What was described can be a danger to life.")
    return "\n".join([heading, "", *lines]).replace("{number}", emergency_number)


def _first_aid() -> dict[str, str]:
    """By category of lib/redflags.py, in the order in which it is done. Drafted by us, not yet reviewed by a clinician."""
    return {
        "collapse": _("If they do not breathe normally, start chest compressions and fetch the defibrillator. If they "
                      "breathe but do not respond, lay them on their side. In a seizure, keep hard things away and do not "
                      "hold them down."),
        "airway": _("Let them sit in the position in which they breathe best, and give nothing to eat or drink."),
        "allergy": _("If they carry an adrenaline pen, help them use it now. Stop whatever may have caused this."),
        "heart": _("Let them rest, half sitting, and loosen tight clothes. Fetch the defibrillator."),
        "bleeding": _("Press firmly on the place with clean gauze, and do not let go."),
        "trauma": _("Keep them still after a hard blow, the head and neck above all."),
        "infection": _("Give nothing to eat or drink, and watch their breathing."),
        "self_harm": _("Do not leave them alone. Listen calmly, and put medicines out of reach. If something was taken, keep the "
                       "packet for the ambulance."),
    }


def _flow(text: str) -> Iterator[Event]:
    for piece in _pieces(text):
        yield Delta(piece)
        time.sleep(PAUSE)


def _pieces(text: str) -> Sequence[str]:
    """The text in about PIECES parts, never within a word."""
    words = re.findall(r"\s*\S+", text)
    size = -(-len(words) // PIECES) or 1
    return ["".join(words[i:i + size]) for i in range(0, len(words), size)]
