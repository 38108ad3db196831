"""The end of an answer: its words, its bill and the budget, each written once; and until then its text so far."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from lib import answer_cache, answers, budgets, calls, db, emergencies, prices, prompts, usage
from lib.ai import Request
from lib.calls import Call, Ending
from lib.db import Scope
from lib.errors import Forbidden, Unavailable
from lib.events import Done
from lib.identity import Identity
from lib.prices import Price

log = structlog.get_logger()

MODEL = "model"  # in place of a rule set, where a provider raised the alarm


@dataclass(frozen=True)
class Plan:
    """An answer on its way: who gives it, what it may cost, and what is told beside it."""

    request: Request
    call: Call
    facts: Mapping[str, Any] = field(default_factory=dict)
    price: Price | None = None
    cache_key: bytes | None = None
    limit_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class Settlement:
    """What an answer's worker calls, in the name of who asked."""

    identity: Identity
    question_id: UUID
    answer_id: UUID
    plan: Plan

    def __call__(self, ending: Ending) -> None:
        """Whatever goes wrong with the bill, the words are kept; what stays open is the sweep's. As `attempt`, may be called
        again."""
        if not attempt(self.identity, partial(self.settle, ending)):
            attempt(self.identity, partial(self._save, ending))

    def keep(self, text: str) -> str:
        """As `answers.keep`, and "gone" where whoever asked works here no longer: nobody can settle their bill."""
        try:
            with db.unwitnessed(self.identity) as scope:
                return answers.keep(scope, self.answer_id, text)
        except Forbidden:
            return "gone"

    def settle(self, ending: Ending, scope: Scope) -> None:
        ending = replace(ending, done=_billed(scope, ending, self.plan))
        message, _bill = self._write(scope, ending)
        for step in _caching(self.plan, ending) if message else ():
            _try(scope, step)

    def _save(self, ending: Ending, scope: Scope) -> None:
        """Only what can't fail again: its cost is unknown."""
        done = ending.done
        self._write(scope, replace(ending, done=Done(done.status, done.problem, raised=done.raised, billed=done.billed,
                                                     left=done.left, instead=done.instead)))

    def _write(self, scope: Scope, ending: Ending) -> tuple[bool, bool]:
        """Whether this was the first to write the message, and the first to settle a budget."""
        alarm = ending.done.raised == "E"
        facts = {**self.plan.facts, **({"categories": [MODEL]} if alarm else {})}
        written = answers.finish(scope, self.answer_id, self.plan.call, ending, facts)
        if written.message and alarm:
            emergencies.raise_alarm(scope, self.question_id, categories=[MODEL], rule_set=MODEL)
        return written.message, written.bill and settle_budget(scope, self.plan.call, ending.done, self.plan.limit_usd)


def attempt(identity: Identity, write: Callable[[Scope], None]) -> bool:
    """In a transaction of `identity`'s. False: it can't be written, now or later. Raises Unavailable where later it may be."""
    try:
        with db.unwitnessed(identity) as scope:
            write(scope)
        return True
    except Unavailable:
        raise
    except Forbidden:  # whoever leaves, or treats nobody any more, has ended their running answers (app.end_answers)
        return False
    except Exception as error:  # the edge of an answer: it must not be lost for its bill
        log.error("answer not settled", error=type(error).__name__)
        return False


def settle_budget(scope: Scope, call: Call, done: Done, limit_usd: Decimal) -> bool:
    """Whether anything was held. What nobody can price counts as what was held for it."""
    if call.budget_day is None or call.reserved_usd is None:
        return False
    unknown = call.reserved_usd if done.billed else Decimal(0)
    budgets.settle(scope, call.budget_day, call.reserved_usd, unknown if done.cost_usd is None else done.cost_usd, limit_usd)
    return True


def _caching(plan: Plan, ending: Ending) -> Iterator[Callable[[Scope], None]]:
    """What an answer changes in the cache."""
    done = ending.done
    if done.status != "ok":
        return
    if plan.call.provider == calls.SERVICE and done.model:
        yield partial(answer_cache.forget_other_models, model=done.model)
    if plan.cache_key and usage.ended_well(done.finish) and not done.raised:
        kept = answer_cache.Kept(ending.content, {"model": done.model}, done.cost_usd)
        yield partial(answer_cache.keep, key=plan.cache_key, kept=kept)


def _try(scope: Scope, step: Callable[[Scope], None]) -> None:
    """In a savepoint: what can't be cached is no reason to lose the answer."""
    try:
        with db.translated(), scope.connection.begin_nested():
            step(scope)
    except Exception as error:  # whatever it is, the answer itself stands
        log.error("answer not cached", error=type(error).__name__)


def _billed(scope: Scope, ending: Ending, plan: Plan) -> Done:
    done = ending.done
    if plan.request.why_not == "budget" and done.status == "ok":
        done = replace(done, status="budget_blocked")
    if plan.call.route == "kb" and plan.price:
        prompt, reply = usage.tokens(len(prompts.VOICE) + len(ending.content)), usage.tokens(len(ending.content))
        return replace(done, saved_usd=plan.price.cost(prompt, reply))
    return priced(scope, done, plan.price) if plan.call.route == "provider" else done


def priced(scope: Scope, done: Done, price: Price | None) -> Done:
    """The provider's own figure first, else its tokens by the price of the day; no price, no figure."""
    return prices.charge(done, prices.of_answer(done, price, partial(_price_of_today, scope)))


def _price_of_today(scope: Scope, provider: str, model: str) -> Price | None:
    return prices.find(scope, provider, model, budgets.day_of(scope))
