"""Test connection: one short call to whom this clinic would ask, itself or through the assistant's own service, with nothing of
the clinic in it, on its bill like any other."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from uuid import UUID

import structlog

from lib import (
    advice,
    assistant_settings,
    audit,
    auth,
    budgets,
    calls,
    db,
    prices,
    prompts,
    providers,
    remote,
    settings,
    settlement,
)
from lib.assistant_settings import AssistantSettings
from lib.calls import Call, Ending
from lib.db import Scope
from lib.errors import Invalid, Unavailable
from lib.events import Done, Stop
from lib.identity import Identity
from lib.prices import Price
from lib.prompts import Context
from lib.providers import Provider
from lib.texts import _

log = structlog.get_logger()

PATIENCE = (0.2, 1.0, 3.0)  # seconds between tries to save its bill, for which somebody waits, while the database is away
WORDS = "Answer with the word OK."
GREETING = ({"role": "user", "content": WORDS},)


@dataclass(frozen=True)
class Trial:
    """What a provider said to a word of greeting. `model`: "" where the service didn't tell whom it asks. `reason`: why it said
    nothing, in a sentence."""

    model: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class _Booked:
    """`id`: its row's. What is held for it stands in `call`."""

    id: UUID
    call: Call
    price: Price | None
    limit_usd: Decimal


def try_out(identity: Identity) -> Trial:
    with db.scope(identity) as scope:
        auth.require(identity, "clinic.settings")
        decided = assistant_settings.get(scope)
        provider = assistant_settings.provider(decided)
        audit.record(scope, "try_out", "assistant")
        somebody = provider or settings.get().ai_service_url
        booked = _book(scope, provider, decided) if somebody else None
    if not somebody:
        raise Invalid(_("There is no provider to try. Enter the address and key of your own."))
    if booked is None:
        raise Invalid(advice.apology("budget"))
    began = time.monotonic()
    done = _greet(provider)
    seconds = time.monotonic() - began
    _patiently(identity, partial(_settle, booked, done, seconds))
    cut = "" if done.status == "ok" else _("The answer did not end properly.")
    return Trial(done.model or booked.call.model or "", seconds, advice.apology(done.problem) if done.problem else cut)


def _greet(provider: Provider | None) -> Done:
    """None: through the service, which puts its own prompt around the words."""
    events = providers.converse(provider, GREETING, Stop()) if provider else remote.converse(WORDS, Context(), Stop())
    return next(event for event in events if isinstance(event, Done))


def _book(scope: Scope, provider: Provider | None, decided: AssistantSettings) -> _Booked | None:
    price = prices.find(scope, provider.name, provider.model, budgets.day_of(scope)) if provider else None
    sent = GREETING if provider else prompts.build(WORDS, Context())
    amount = prices.most(price, sum(len(message["content"]) for message in sent))
    held_on = budgets.reserve(scope, amount, decided.daily_budget_usd)
    if held_on is None:
        return None
    call = Call("trial", None, "", None, scope.identity.language, provider.name if provider else calls.SERVICE,
                provider.model if provider else None, budget_day=held_on, reserved_usd=amount)
    return _Booked(calls.begin_trial(scope, call), call, price, decided.daily_budget_usd)


def _settle(booked: _Booked, done: Done, seconds: float, scope: Scope) -> None:
    done = settlement.priced(scope, done, booked.price)
    if calls.finish(scope, booked.id, Ending(done, "", round(seconds * 1000))):
        settlement.settle_budget(scope, booked.call, done, booked.limit_usd)


def _patiently(identity: Identity, write: Callable[[Scope], None]) -> None:
    """Waits out a database that is away for a moment; what stays open is the sweep's."""
    for pause in (*PATIENCE, None):
        try:
            settlement.attempt(identity, write)
            return
        except Unavailable:
            if pause is not None:
                time.sleep(pause)
    log.error("trial not saved", error="Unavailable")
