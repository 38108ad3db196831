import csv
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import text

from lib import db, errors, prices
from lib.events import Done
from lib.prices import Price

TODAY = date(2026, 11, 28)
FLASH = Price("google", "gemini-2.5-flash", date(2026, 1, 1), Decimal("0.3"), Decimal("0.03"), Decimal("2.5"))
UNCACHED = Price("mistral", "mistral-x", date(2026, 1, 1), Decimal(2), None, Decimal(6))


# Costs


def test_300_tokens_in_and_150_out_cost_what_was_announced():
    price = prices.find_in(prices.load(), "google", "gemini-2.5-flash", TODAY)
    assert price.cost(300, 150) == Decimal("0.000465")


def test_failure_3_neither_cached_nor_reasoning_tokens_are_charged_twice():
    price = Price("x", "m", date(2026, 1, 1), Decimal(1), Decimal("0.1"), Decimal(10))
    done = Done(tokens_in=1_000, tokens_cached=600, tokens_out=500, tokens_reasoning=400, usage_source="provider")

    charged = prices.charge(done, price)

    assert charged.cost_usd == Decimal("0.00546")  # 400 at 1, 600 at 0.1 and 500 at 10 for a million
    assert charged.cost_source == "price_table"


def test_a_providers_own_figure_stands_beside_the_price_of_the_day():
    price = Price("x", "m", date(2026, 1, 1), Decimal(1), None, Decimal(10))
    done = Done(tokens_in=1_000, tokens_out=500, cost_usd=Decimal("0.002"), cost_source="provider", usage_source="provider")

    charged = prices.charge(done, price)

    assert (charged.cost_usd, charged.cost_source, charged.price) == (Decimal("0.002"), "provider", price.snapshot())
    assert prices.charge(done, None) == done


def test_cached_tokens_are_part_of_the_input_and_charged_once():
    assert FLASH.cost(1_000_000, 0, 1_000_000) == Decimal("0.03")
    assert FLASH.cost(1_000_000, 0, 400_000) == Decimal("0.192")
    assert FLASH.cost(1_000, 0, 5_000) == FLASH.cost(1_000, 0, 1_000)


def test_without_a_price_of_their_own_cached_tokens_cost_what_others_do():
    assert UNCACHED.cost(1_000, 10, 500) == UNCACHED.cost(1_000, 10) == UNCACHED.cost(1_000, 10, 0)


def test_nothing_costs_nothing_and_costs_have_eight_decimals():
    assert FLASH.cost(0, 0) == 0
    assert FLASH.cost(1, 1).as_tuple().exponent == -8


def test_a_cached_price_of_zero_is_a_price():
    assert Price("p", "m", TODAY, Decimal(1), Decimal(0), Decimal(1)).cost(10, 0, 10) == 0


def test_a_snapshot_is_plain_text():
    assert FLASH.snapshot() == {"provider": "google", "model": "gemini-2.5-flash", "valid_from": "2026-01-01", "input_usd": "0.3",
                                "cached_usd": "0.03", "output_usd": "2.5"}
    assert "cached_usd" not in UNCACHED.snapshot()


# The file


def test_a_row_is_there_once_and_whole():
    with prices.TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["provider"], row["model"], row["valid_from"]) for row in rows}) == len(rows) > 1_000
    assert not [row for row in rows if not all(row[column] for column in row if column != "cached_usd")]
    assert not [row for row in rows if row["model"] != row["model"].lower()]


def test_no_price_is_negative_or_finer_than_the_table():
    amounts = [amount for price in prices.load() for amount in (price.input_usd, price.cached_usd, price.output_usd) if amount is not None]
    assert min(amounts) >= 0
    assert not [amount for amount in amounts if amount != amount.quantize(prices.SMALLEST)]


@pytest.mark.parametrize("provider", ["google", "openai", "openrouter", "anthropic", "mistral", "groq", "deepseek", "x-ai"])
def test_every_provider_has_prices(provider):
    assert any(price.provider == provider for price in prices.load())


def test_every_provider_that_is_known_by_its_address_has_prices():
    assert set(prices.PROVIDERS.values()) <= {price.provider for price in prices.load()}


# Looking up

NAMES = pytest.mark.parametrize(("provider", "model", "found"), [
    ("google", "gemini-2.5-flash", "gemini-2.5-flash"),
    ("google", "models/gemini-2.5-flash", "gemini-2.5-flash"),
    ("google", "google/gemini-2.5-flash", "gemini-2.5-flash"),
    ("google", "Gemini-2.5-Flash", "gemini-2.5-flash"),
    ("google", "gemini-2.5-flash-001", "gemini-2.5-flash"),
    ("openrouter", "google/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
    ("openai", "gpt-4o-2030-01-31", "gpt-4o"),
    ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
    ("openai", "gpt-4o:nitro", None),
    ("openai", "gpt-4o-unheard-of", None),
    ("openai", "", None),
    ("localhost", "gemini-2.5-flash", None),
    ("openai", "gemini-2.5-flash", None),
])


@NAMES
def test_a_model_is_found_under_the_names_its_provider_gives_it(alice, provider, model, found):
    with db.scope(alice) as scope:
        price = prices.find(scope, provider, model, TODAY)
    assert (price.model if price else None) == found


@NAMES
def test_the_file_answers_as_the_table_does(alice, provider, model, found):
    with db.scope(alice) as scope:
        assert prices.find_in(prices.load(), provider, model, TODAY) == prices.find(scope, provider, model, TODAY)


def test_what_is_no_version_is_not_cut_off():
    assert prices.names_of("llama3-70b-8192") == ["llama3-70b-8192"]
    assert prices.names_of("grok-4") == ["grok-4"]


def test_the_newest_price_of_the_day_counts(alice, owner):
    provider = f"provider of {alice.clinic_id}"
    with owner.begin() as connection:
        connection.execute(text("""
            insert into model_prices (provider, model, valid_from, input_usd, output_usd)
            values (:provider, 'm', '2026-01-01', 1, 1), (:provider, 'm', '2026-06-01', 2, 2), (:provider, 'm', '2027-01-01', 3, 3)
            """), {"provider": provider})
    with db.scope(alice) as scope:
        found = [prices.find(scope, provider, "m", day) for day in (date(2025, 12, 31), date(2026, 5, 31), date(2026, 6, 1), TODAY)]
    assert [price and price.input_usd for price in found] == [None, 1, 2, 2]
    rows = [Price(provider, "m", date(2026, month, 1), Decimal(month), None, Decimal(1)) for month in (6, 1)]
    assert prices.find_in(rows, provider, "m", date(2026, 5, 31)) == rows[1]
    assert prices.find_in(rows, provider, "m", TODAY) == rows[0]


@pytest.mark.parametrize(("address", "provider"), [
    ("https://generativelanguage.googleapis.com/v1beta/openai/", "google"),
    ("https://openrouter.ai/api/v1", "openrouter"),
    ("https://API.OpenAI.com:443/v1", "openai"),
    ("api.anthropic.com/v1", "anthropic"),
    ("https://api.mistral.ai/v1", "mistral"),
    ("https://api.groq.com/openai/v1", "groq"),
    ("https://api.deepseek.com", "deepseek"),
    ("https://api.x.ai/v1", "x-ai"),
    ("http://localhost:11434/v1", "localhost"),
    ("https://api.openai.com.example.org/v1", "api.openai.com.example.org"),
    ("https://eu.api.openai.com/v1", "eu.api.openai.com"),
    ("", ""),
])
def test_an_address_tells_the_provider(address, provider):
    assert prices.provider_of(address) == provider


# Publishing


def test_what_the_table_has_stays_and_what_it_lacks_is_added(owner):
    lost = "provider = 'openai' and model = 'gpt-4o'"
    kept = "provider = 'google' and model = 'gemini-2.5-flash'"
    with owner.connect() as connection, connection.begin() as transaction:
        connection.execute(text(f"delete from model_prices where {lost}"))
        connection.execute(text(f"update model_prices set input_usd = 99 where {kept}"))
        prices.publish(connection)
        assert connection.execute(text(f"select count(*) from model_prices where {lost}")).scalar() == 1
        assert connection.execute(text(f"select input_usd from model_prices where {kept}")).scalar() == 99
        transaction.rollback()


def test_the_app_may_read_prices_and_not_change_them(alice):
    with pytest.raises(errors.Forbidden), db.scope(alice) as scope:
        scope.run("update model_prices set input_usd = 0")


# Refreshing


def test_a_refresh_only_appends():
    refresh = pytest.importorskip("scripts.refresh_prices")
    rows = [("p", "same", "2026-01-01", "1", "", "2"), ("p", "dearer", "2026-01-01", "1", "", "2"), ("p", "dearer", "2026-02-01", "2", "", "2"),
            ("p", "gone", "2026-01-01", "1", "", "2"), ("p", "today", "2026-11-28", "1", "", "2")]
    costs = {("p", "same"): ("1", "", "2"), ("p", "dearer"): ("3", "", "2"), ("p", "new"): ("5", "0.5", "6"), ("p", "today"): ("9", "", "9")}
    assert list(refresh.changes(rows, costs, TODAY)) == [("p", "dearer", "2026-11-28", "3", "", "2"),
                                                         ("p", "new", "2020-01-01", "5", "0.5", "6")]


def test_a_refresh_of_what_was_written_changes_nothing(tmp_path):
    refresh = pytest.importorskip("scripts.refresh_prices")
    rows = list(refresh.changes([], refresh.snapshot(TODAY), TODAY))
    refresh.write(tmp_path / "prices.csv", rows)
    assert refresh.read(tmp_path / "prices.csv") == rows
    assert list(refresh.changes(rows, refresh.snapshot(TODAY), date(2026, 11, 29))) == []
