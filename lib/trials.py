"""Test connection: one short call to whom this clinic would ask, with nothing of the clinic in it, on its bill like any other."""

import time
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from uuid import UUID

from lib import advice, assistant_settings, audit, auth, budgets, calls, db, prices, providers, settlement
from lib.assistant_settings import AssistantSettings
from lib.calls import Call, Ending
from lib.db import Scope
from lib.errors import Invalid
from lib.events import Done, Stop
from lib.identity import Identity
from lib.prices import Price
from lib.providers import Provider
from lib.texts import _

GREETING = ({"role": "user", "content": "Answer with the word OK."},)


@dataclass(frozen=True)
class Trial:
    """What a provider said to a word of greeting. `reason`: why it said nothing, in a sentence."""

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
        booked = _book(scope, provider, decided) if provider else None
    if provider is None:
        raise Invalid(_("There is no provider to try. Enter the address and key of your own."))
    if booked is None:
        raise Invalid(advice.apology("budget"))
    began = time.monotonic()
    done = next(event for event in providers.converse(provider, GREETING, Stop()) if isinstance(event, Done))
    seconds = time.monotonic() - began
    settlement.patiently(identity, partial(_settle, booked, done, seconds))
    cut = "" if done.status == "ok" else _("The answer did not end properly.")
    return Trial(done.model or provider.model, seconds, advice.apology(done.problem) if done.problem else cut)


def _book(scope: Scope, provider: Provider, decided: AssistantSettings) -> _Booked | None:
    price = prices.find(scope, provider.name, provider.model, budgets.day_of(scope))
    amount = prices.most(price, sum(len(message["content"]) for message in GREETING))
    held_on = budgets.reserve(scope, amount, decided.daily_budget_usd)
    if held_on is None:
        return None
    call = Call("trial", None, "", None, scope.identity.language, provider.name, provider.model, budget_day=held_on,
                reserved_usd=amount)
    return _Booked(calls.begin_trial(scope, call), call, price, decided.daily_budget_usd)


def _settle(booked: _Booked, done: Done, seconds: float, scope: Scope) -> None:
    done = settlement.priced(scope, done, booked.price)
    if calls.finish(scope, booked.id, Ending(done, "", round(seconds * 1000))):
        settlement.settle_budget(scope, booked.call, done, booked.limit_usd)
