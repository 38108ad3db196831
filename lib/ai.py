"""The assistant: a request in, a stream of events out. It knows no table, no session and no page."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

from lib import advice, prompts, providers, remote, tiers
from lib.events import FREE, Delta, Done, Draining, Event, Stop
from lib.providers import Provider

# A built-in answer is there at once; in this many pieces the eye can follow it, and Stop has something to stop.
PIECES = 24
PAUSE = 0.012
BUILT_IN = ("kb", "fallback", "cache")  # the routes of what is answered here and whole, by nobody else
READ_ON = 5.0  # seconds for the usage of a reply that turned out to be about an emergency


class Article(Protocol):
    """What an answer needs of an article of the knowledge base."""

    @property
    def title(self) -> str: ...
    @property
    def body(self) -> str: ...


@dataclass(frozen=True)
class Consultation:
    """A provider, or None for that of the assistant's own service, and what it is given, redacted."""

    provider: Provider | None
    question: str
    context: prompts.Context

    @property
    def messages(self) -> tuple[dict[str, str], ...]:
        """What leaves the clinic, word for word."""
        return prompts.build(self.question, self.context)


@dataclass(frozen=True)
class Request:
    """`article`: what the knowledge base holds on this question, if anything. `urgent`: the red-flag check said tier U.
    `consultation`: a provider answers, and the article only where it fails. `why_not`: why no provider is asked, to be said.
    `declared`: who asks has stated that no patient is in danger. `kept`: the answer that was given to exactly this before, and
    what it cost then. `crowded`: all places at providers are taken. `card`: an emergency, these words alone. `refusal`: why this
    gets its urgent advice and nothing more. `at_once`: nobody watches it being written, so nothing waits for an eye."""

    question: str
    article: Article | None
    urgent: bool
    emergency_number: str
    consultation: Consultation | None = None
    why_not: str = ""
    declared: bool = False
    crowded: bool = False
    kept: str = ""
    card: str = ""
    refusal: str = ""
    saved_usd: Decimal | None = None
    at_once: bool = False
    stop: Stop = field(default_factory=Stop, compare=False)


# Who answers: anything that turns a request into events and ends with Done.
Answerer = Callable[[Request], Iterator[Event]]


def route(request: Request) -> str:
    if request.card or request.kept:
        return "emergency" if request.card else "cache"
    if request.refusal:
        return "blocked"
    return "provider" if request.consultation else "kb" if request.article else "fallback"


def known(route: str) -> Done:
    """What is certain about an answer that never came to its own end: what is built in costs nothing, half or whole."""
    return Done() if route == "provider" else FREE


def answer(request: Request) -> Iterator[Event]:
    """Urgent advice before everything, the safety-net line under everything, whoever answers between; Done comes last."""
    ending = replace(known(route(request)), status="error_mid")
    if request.urgent:
        yield _urgent(request)
    for event in ANSWERERS[route(request)](request):
        if isinstance(event, Done):
            ending = event
            continue
        if isinstance(event, Draining) and event.raised:
            yield _net(request)  # whoever reads has it all now
        yield event
    if not (request.stop.wanted or request.kept or request.card or ending.raised == "E"):
        yield _net(request)
    yield ending


def _urgent(request: Request) -> Delta:
    return Delta(advice.urgent_advice(request.emergency_number) + "\n\n", beside=True)


def _net(request: Request) -> Delta:
    return Delta("\n\n" + advice.safety_net(request.emergency_number), beside=True)


# the knowledge base --------------------------------------------------------------------------------------------------


def quote(request: Request) -> Iterator[Event]:
    """The article's own words."""
    assert request.article
    yield from _flow(request, _because(request) + f"**{request.article.title}**\n\n{request.article.body.strip()}")
    yield FREE


def own_up(request: Request) -> Iterator[Event]:
    yield from _flow(request, _because(request) + advice.unknown())
    yield FREE


def repeat(request: Request) -> Iterator[Event]:
    """Word for word, its safety net included."""
    yield from _flow(request, request.kept)
    yield replace(FREE, saved_usd=request.saved_usd)


def warn(request: Request) -> Iterator[Event]:
    yield Delta(request.card)
    yield FREE


def refuse(request: Request) -> Iterator[Event]:
    yield Delta(request.refusal)
    yield FREE


def _because(request: Request) -> str:
    return advice.apology(request.why_not) + "\n\n" if request.why_not else ""


def _flow(request: Request, text: str) -> Iterator[Event]:
    if request.at_once:
        yield Delta(text)
        return
    for piece in _pieces(text):
        yield Delta(piece)
        time.sleep(PAUSE)


def _pieces(text: str) -> Sequence[str]:
    """The text in about PIECES parts, never within a word."""
    words = re.findall(r"\s*\S+", text)
    size = -(-len(words) // PIECES) or 1
    return ["".join(words[i:i + size]) for i in range(0, len(words), size)]


# a provider ----------------------------------------------------------------------------------------------------------


def consult(request: Request) -> Iterator[Event]:
    """The provider's reply; where nothing came of it, why, and then what the knowledge base has or general advice."""
    said, tier = False, None
    line = Stop()
    request.stop.listen(line.ask)
    hang_up = _timer(line)
    for event in tiers.told(_reply(request, line)):
        if isinstance(event, tiers.Tier):
            tier = "U" if request.declared else event.name
            yield from _raise(tier, request)
            if tier == "E":
                hang_up.start()
                yield Draining(raised="E")  # nothing the provider says is shown beside the card
        elif isinstance(event, Done):
            ending = event if said or tier == "E" else _silent(event)
            if not said and tier != "E" and ending.status != "stopped":
                yield _instead(request, ending)
                ending = replace(ending, instead=True)
            hang_up.cancel()
            yield replace(ending, raised=tier, status="ok" if tier == "E" else ending.status)
        elif tier != "E" and (said or not _is_blank(event)):
            said = said or isinstance(event, Delta)
            yield event


def _is_blank(event: Event) -> bool:
    return isinstance(event, Delta) and not event.text.strip()


def _silent(done: Done) -> Done:
    """A clean end after no word is a failure: no answer of anybody's, and none to be kept for others. Its bill stays."""
    return replace(done, status="error_before", problem="unavailable") if done.status == "ok" else done


def _reply(request: Request, line: Stop) -> Iterator[Event]:
    """From the provider itself, or through the assistant's own service."""
    asked = request.consultation
    assert asked
    if request.crowded:
        return iter([Done(status="rate_limited", problem="crowded", billed=False, left=False)])
    if asked.provider is None:
        return remote.converse(asked.question, asked.context, line)
    return providers.converse(asked.provider, asked.messages, line)


def _timer(line: Stop) -> threading.Timer:
    """Hangs up on a reply that is only read for its usage."""
    timer = threading.Timer(READ_ON, line.ask, (True,))
    timer.daemon = True
    return timer


def _raise(tier: str, request: Request) -> Iterator[Event]:
    """A provider may raise what the rules saw, never lower it."""
    if tier == "E":
        yield Delta(advice.emergency_card(request.emergency_number, ()), beside=True)
    elif not request.urgent:
        yield _urgent(request)


def _instead(request: Request, done: Done) -> Delta:
    rest = f"**{request.article.title}**\n\n{request.article.body.strip()}" if request.article else advice.general()
    return Delta(f"{advice.apology(done.problem)}\n\n{rest}", beside=True)


ANSWERERS: dict[str, Answerer] = {"emergency": warn, "blocked": refuse, "cache": repeat, "kb": quote, "fallback": own_up,
                                  "provider": consult}
