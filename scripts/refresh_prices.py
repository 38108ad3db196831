"""Appends to lib/model_prices.csv what has changed in the prices that genai-prices carries with it; nothing is fetched.

Rows that are there stay: an old call keeps its price. To refresh: upgrade genai-prices, run this, read the diff.
"""

import csv
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

from genai_prices.data import providers
from genai_prices.types import ClauseEquals, ClauseOr, ClauseStartsWith, MatchLogic, ModelInfo, ModelPrice, Provider, TieredPrices

TABLE = Path(__file__).parent.parent / "lib" / "model_prices.csv"
COLUMNS = ("provider", "model", "valid_from", "input_usd", "cached_usd", "output_usd")
PROVIDERS = {"anthropic", "cerebras", "cohere", "deepseek", "fireworks", "google", "groq", "mistral", "moonshotai", "novita",
             "openai", "openrouter", "perplexity", "together", "x-ai"}
BEGINNING = date(2020, 1, 1)  # of a model's first row: the snapshot says what it costs, not since when
Key = tuple[str, str]
Costs = tuple[str, str, str]
Row = tuple[str, ...]


def main() -> None:
    today = datetime.now(UTC).date()
    rows = read(TABLE)
    new = list(changes(rows, snapshot(today), today))
    write(TABLE, rows + new)
    sys.stdout.write(f"{len(new)} rows were added to the {len(rows)} of {TABLE.name}.\n")


def read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [tuple(row[column] for column in COLUMNS) for row in csv.DictReader(file)]


def write(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


def changes(rows: list[Row], costs: Mapping[Key, Costs], today: date) -> Iterator[Row]:
    """A day has one price: what changes again on the day of its newest row waits for the next run."""
    newest = {row[:2]: row for row in sorted(rows, key=lambda row: row[2])}
    for key, cost in sorted(costs.items()):
        known = newest.get(key)
        if known is None:
            yield (*key, BEGINNING.isoformat(), *cost)
        elif known[3:] != cost and known[2] < today.isoformat():
            yield (*key, today.isoformat(), *cost)


def snapshot(today: date) -> dict[Key, Costs]:
    """By provider and by each name that surely means one model, in lower case."""
    found: dict[Key, Costs] = {}
    for provider in providers:
        if provider.id in PROVIDERS:
            for name, model in _names(provider):
                costs = _costs(_dearest(model, today))
                if costs:
                    found.setdefault((provider.id, name), costs)
    return found


def _names(provider: Provider) -> Iterator[tuple[str, ModelInfo]]:
    """Ids first: one model's alias may be another's id."""
    for model in provider.models:
        yield model.id.lower(), model
    for model in provider.models:
        for name in _aliases(model.match):
            if provider.find_model(name) is model and name[-1].isalnum():
                yield name.lower(), model


def _aliases(match: MatchLogic) -> list[str]:
    if isinstance(match, ClauseOr):
        return [name for clause in match.or_ for name in _aliases(clause)]
    if isinstance(match, ClauseEquals):
        return [match.equals]
    return [match.starts_with] if isinstance(match, ClauseStartsWith) else []


def _dearest(model: ModelInfo, today: date) -> ModelPrice:
    """Of the prices of a day: one that depends on the hour must not let a budget be overrun."""
    hours = [datetime.combine(today, time(hour, minute), UTC) for hour in range(24) for minute in (0, 30)]
    return max((model.get_prices(hour) for hour in hours), key=lambda price: _base(price.output_mtok) or 0)


def _costs(price: ModelPrice) -> Costs | None:
    """What text costs up to the first tier. None: not sold by the token in both directions."""
    tokens_in, tokens_out = _base(price.input_mtok), _base(price.output_mtok)
    if tokens_in is None or tokens_out is None:
        return None
    return _plain(tokens_in), _plain(_base(price.cache_read_mtok)), _plain(tokens_out)


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount.normalize():f}"


def _base(price: Decimal | TieredPrices | None) -> Decimal | None:
    return price.base if isinstance(price, TieredPrices) else price


if __name__ == "__main__":
    main()
