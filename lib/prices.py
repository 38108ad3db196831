"""What models cost: USD per million tokens, by provider and day. A price that is not known is None, which is shown as
"unpriced" and never taken for 0."""

import csv
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection, text

from lib import db, usage
from lib.db import Scope
from lib.events import Done

TABLE = Path(__file__).with_name("model_prices.csv")
MILLION = 1_000_000
UNPRICED = Decimal("0.02")  # USD that a call holds of a budget where nobody knows its price
LONGEST_ANSWER = 1_000  # tokens that are asked for
SMALLEST = Decimal("0.00000001")  # what ai_calls.cost_usd holds

# By the ids of genai-prices, which lib/model_prices.csv comes from.
PROVIDERS = {
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks",
    "generativelanguage.googleapis.com": "google",
    "aiplatform.googleapis.com": "google",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshotai",
    "api.novita.ai": "novita",
    "api.openai.com": "openai",
    "openrouter.ai": "openrouter",
    "api.openrouter.ai": "openrouter",
    "api.perplexity.ai": "perplexity",
    "api.together.ai": "together",
    "api.together.xyz": "together",
    "api.x.ai": "x-ai",
}

# -2024-08-06, -20251001, @20251001, -05-20, -09-2025, -0613 (day of a year) or -2409 (month), -001, -latest
_VERSION = re.compile(r"[-@](?:\d{4}-\d\d-\d\d|20\d{6}|\d\d-\d\d|\d\d-20\d\d|(?:0\d|1[0-2]|2\d)\d\d|0\d\d|latest)\Z")


@dataclass(frozen=True)
class Price:
    """USD per million tokens. `cached_usd` None: cached input costs what other input costs."""

    provider: str
    model: str
    valid_from: date
    input_usd: Decimal
    cached_usd: Decimal | None
    output_usd: Decimal

    def cost(self, tokens_in: int, tokens_out: int, tokens_cached: int | None = None) -> Decimal:
        """USD. Cached tokens are part of `tokens_in`, reasoning tokens part of `tokens_out`."""
        cached = 0 if tokens_cached is None else min(tokens_cached, tokens_in)
        cached_usd = self.input_usd if self.cached_usd is None else self.cached_usd
        total = (tokens_in - cached) * self.input_usd + cached * cached_usd + tokens_out * self.output_usd
        return (total / MILLION).quantize(SMALLEST)

    def snapshot(self) -> dict[str, str]:
        """What `ai_calls.price` keeps, so that a cost can be explained after prices have changed."""
        return {name: f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
                for name, value in vars(self).items() if value is not None}


def most(price: Price | None, prompt_characters: int) -> Decimal:
    """USD that a call may cost: what a budget holds for it."""
    return price.cost(usage.tokens(prompt_characters), LONGEST_ANSWER) if price else UNPRICED


def of_answer(done: Done, price: Price | None, find: Callable[[str, str], Price | None]) -> Price | None:
    """That of the model which has answered, known only now: a name may stand for one version after the other, and the
    assistant's own service asks whom it will."""
    if not (done.provider and done.model) or (price and price.model == names_of(done.model)[0]):
        return price
    return find(done.provider, done.model) or price


def charge(done: Done, price: Price | None) -> Done:
    """With its cost: what the provider reports first, else its tokens by the price; unknown where there is neither."""
    if done.cost_source:  # with the price of the day beside it, where one is known, to be compared with
        return replace(done, price=price.snapshot()) if price and done.cost_source == "provider" else done
    if not done.billed:
        return replace(done, cost_usd=Decimal(0), cost_source="none")
    if price is None or done.tokens_in is None or done.tokens_out is None:
        return done
    return replace(done, cost_usd=price.cost(done.tokens_in, done.tokens_out, done.tokens_cached), price=price.snapshot(),
                   cost_source="price_table" if done.usage_source == "provider" else "estimated")


def publish(connection: Connection) -> None:
    """Adds the rows of the file that the table lacks. What is there stays: old calls were paid by it."""
    connection.execute(text("""
        insert into model_prices (provider, model, valid_from, input_usd, cached_usd, output_usd)
        select provider, model, valid_from, input_usd, cached_usd, output_usd
        from jsonb_to_recordset(cast(:prices as jsonb)) as t (provider text, model text, valid_from date,
                                                              input_usd numeric, cached_usd numeric, output_usd numeric)
        on conflict do nothing
        """), {"prices": json.dumps([price.snapshot() for price in load()])})


def find(scope: Scope, provider: str, model: str, on: date) -> Price | None:
    """The price of a model, as its provider names it in a reply, on a day."""
    return scope.first(Price, BEST, provider=provider, names=names_of(model), on=on)


def find_now(provider: str, model: str) -> Price | None:
    """The same for a caller without a clinic."""
    return db.ask(Price, BEST, provider=provider, names=names_of(model), on=datetime.now(UTC).date())


BEST = """
    select provider, model, valid_from, input_usd, cached_usd, output_usd
    from model_prices
    where provider = :provider
      and model = any(cast(:names as text[]))
      and valid_from <= :on
    order by array_position(cast(:names as text[]), model), valid_from desc
    limit 1
    """


def find_in(prices: Iterable[Price], provider: str, model: str, on: date) -> Price | None:
    """As `find`, for a process that has no database."""
    names = names_of(model)
    known = [price for price in prices if price.provider == provider and price.model in names and price.valid_from <= on]
    return min(known, key=lambda price: (names.index(price.model), -price.valid_from.toordinal()), default=None)


@cache
def load() -> tuple[Price, ...]:
    """The rows of the file."""
    with TABLE.open(newline="") as file:
        return tuple(_price(**row) for row in csv.DictReader(file))


def names_of(model: str) -> list[str]:
    """What a model may be called in the table, the surest first: as it is, without the folders before it, without its version.

    A variant ("model:free", "model:nitro") is a product of its own with a price of its own.
    """
    name = model.strip().lower().removeprefix("models/")
    names = [name, name.rpartition("/")[2]]
    return list(dict.fromkeys([*names, *(_VERSION.sub("", name) for name in names)]))


def provider_of(base_url: str) -> str:
    """The provider at an address; of one that is not known, its host, which nothing is priced for."""
    host = urlsplit(base_url if "//" in base_url else f"//{base_url}").hostname or ""
    return PROVIDERS.get(host, host)


def _price(provider: str, model: str, valid_from: str, input_usd: str, cached_usd: str, output_usd: str) -> Price:
    return Price(provider, model, date.fromisoformat(valid_from), Decimal(input_usd), Decimal(cached_usd) if cached_usd else None,
                 Decimal(output_usd))
