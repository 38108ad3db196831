"""What callers of /generate cost, who belong to no clinic: held of the installation's day before a call and settled after it.
At 100 % of AI_INSTALLATION_BUDGET nobody is asked for them any more."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import structlog

from lib import db, prices, settings
from lib.errors import Unavailable
from lib.events import Done
from lib.prices import Price
from lib.providers import Provider

log = structlog.get_logger()


@dataclass(frozen=True)
class Held:
    day: date
    amount_usd: Decimal
    price: Price | None


def hold(provider: Provider, prompt_characters: int) -> Held | None:
    """None: that much is not left of the day. Raises Unavailable where nobody can say."""
    price = prices.find_now(provider.name, provider.model)
    amount, most = prices.most(price, prompt_characters), Decimal(str(settings.get().ai_installation_budget))
    found = db.ask(SimpleNamespace, "select app.reserve_service(:amount, :most) as day", amount=amount, most=most)
    return Held(found.day, amount, price) if found and found.day else None


def settle(held: Held, done: Done) -> None:
    """What nobody can price counts as what was held for it; and so does, until the day is over, what can't be settled now."""
    try:
        done = prices.charge(done, prices.of_answer(done, held.price, prices.find_now))
        cost = held.amount_usd if done.cost_usd is None else done.cost_usd
        db.ask(SimpleNamespace, "select app.settle_service(:day, :held, :cost)", day=held.day, held=held.amount_usd, cost=cost)
    except Unavailable:
        log.error("service's call not settled", day=str(held.day))
