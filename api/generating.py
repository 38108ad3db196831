"""How the assistant answers somebody without a clinic, and where the answer says it comes from."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from threading import BoundedSemaphore
from typing import Any

from api.asking import Prepared
from lib import ai, articles, metrics, redaction, service_spend
from lib.events import Delta, Done, Draining, Event
from lib.texts import _

# Of threads. Most wait far more than they work. Danger has places of its own, which nobody waits in, and so do the answers that
# an app fetches through this service.
PLACES = {"danger": 8, "assistant": 200, "apps": 200}
AT_PROVIDER = 160  # of the assistant's, at once: however slow a provider is, there is a thread for what is answered here
PLACEHOLDER = redaction.PLACEHOLDERS["name"]
_at_provider = BoundedSemaphore(AT_PROVIDER)
SAID_BY_PROVIDER = ("ok", "truncated", "filtered", "stopped", "error_mid")


def whole(prepared: Prepared) -> dict[str, Any]:
    """Waits for the provider, if one is asked."""
    text, rest = "", events(replace(prepared, request=replace(prepared.request, at_once=True)))
    for event in rest:
        if isinstance(event, Delta):
            text += event.text
        else:
            if isinstance(event, Done):
                deque(rest, 0)
            else:  # behind an emergency's card, or a caller who left, its bill is still to come
                place(prepared).submit(deque, rest, 0)
            return {"reply": text, **told(prepared, event)}
    raise AssertionError("an answer ends with Done")


def events(prepared: Prepared) -> Iterator[Event]:
    """What was held is settled, however this ends."""
    done, began, first = Done(status="error_mid"), time.monotonic(), 0.0
    try:
        for event in _named(_answer(prepared.request), prepared.name or _("the patient")):
            if isinstance(event, Delta) and not event.beside:
                first = first or time.monotonic() - began
            done = event if isinstance(event, Done) else done
            yield event
    finally:
        end = origin(prepared.request, done)
        # Nobody but the caller stops an answer here, by leaving.
        metrics.endings.labels(end["route"], "client_gone" if end["status"] == "stopped" else end["status"]).inc()
        metrics.answers.labels(end["route"]).observe(time.monotonic() - began)
        if first:
            metrics.first_tokens.labels(end["route"]).observe(first)
        if prepared.held:
            service_spend.settle(prepared.held, done)


def _answer(request: ai.Request) -> Iterator[Event]:
    """Where all places at the provider are taken, this is answered here: nobody waits for one."""
    if ai.route(request) != "provider":
        yield from ai.answer(request)
    elif _at_provider.acquire(blocking=False):
        try:
            yield from ai.answer(request)
        finally:
            _at_provider.release()
    else:
        yield from ai.answer(replace(request, crowded=True))


def _named(events: Iterator[Event], name: str) -> Iterator[Event]:
    """With the name in place of what a provider knows of it. A beginning of the placeholder waits for the next piece."""
    held = ""
    for event in events:
        text = held + (event.text if isinstance(event, Delta) else "")
        held = _begun(text) if isinstance(event, Delta) else ""
        text = text.removesuffix(held)
        if text:
            yield Delta(text.replace(PLACEHOLDER, name), beside=isinstance(event, Delta) and event.beside)
        if not isinstance(event, Delta):
            yield event


def _begun(text: str) -> str:
    """The end of a text, where a placeholder has begun in it."""
    end = text[text.rfind("["):] if "[" in text else ""
    return end if end != PLACEHOLDER and PLACEHOLDER.startswith(end) else ""


def told(prepared: Prepared, end: Done | Draining) -> dict[str, Any]:
    """`articles`: where it comes from. A provider cites the first as [1]; a card and fixed words come from none."""
    answer = origin(prepared.request, end)
    is_quoted = answer["route"] == "kb" or (isinstance(end, Done) and end.instead)
    given = prepared.given[:1] if is_quoted else prepared.given if answer["route"] == "provider" else ()
    return {**answer, "articles": [_cited(one) for one in given]}


def _cited(article: articles.Article) -> dict[str, Any]:
    """`reviewed_on`: None of a draft."""
    return {"title": article.title, "reviewed_on": article.reviewed_on and article.reviewed_on.isoformat(),
            "sources": articles.cite([article])}


def origin(request: ai.Request, end: Done | Draining) -> dict[str, Any]:
    """In the words of the published contract. After `Draining`, only the bill is still to come."""
    done = end if isinstance(end, Done) else Done(raised=end.raised)
    route = "emergency" if done.raised == "E" else ai.route(request)
    outside = route == "provider" and done.status in SAID_BY_PROVIDER and not (done.problem and done.status != "error_mid")
    return {"source": "openrouter" if outside else "mock", "route": route, "status": done.status,
            "tier": "E" if route == "emergency" else "U" if request.urgent else done.raised}


@cache
def pool(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PLACES[name], thread_name_prefix=name)


def place(prepared: Prepared) -> ThreadPoolExecutor:
    return pool("danger" if ai.route(prepared.request) in ("emergency", "blocked") else "assistant")
