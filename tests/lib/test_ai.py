"""The assistant's own words: what it says, in which order, and what it never says."""

import time
from dataclasses import dataclass
from decimal import Decimal

import pytest

from lib import advice, ai, redflags
from lib.ai import Request
from lib.events import Delta, Done


@dataclass(frozen=True)
class Article:
    title: str = "Root canal treatment"
    body: str = "A root canal cleans the inside of a tooth.\n\nMost people need one or two visits."


def text_of(events) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def ask(article=None, urgent=False) -> list:
    return list(ai.answer(Request("What is a root canal?", article, urgent, "112")))


def test_an_article_is_quoted_word_for_word():
    assert Article.body in text_of(ask(Article()))


def test_no_article_is_an_honest_answer_with_advice_that_always_holds():
    text = text_of(ask())
    assert text.startswith("I don't know")
    assert "fluoride" in text


@pytest.mark.parametrize("article", [None, Article()])
def test_the_safety_net_stands_under_every_answer(article):
    assert text_of(ask(article)).endswith(advice.safety_net("112"))


@pytest.mark.parametrize("article", [None, Article()])
def test_urgent_advice_comes_before_everything_else(article):
    assert text_of(ask(article, urgent=True)).startswith(advice.urgent_advice("112"))


@pytest.mark.parametrize("article", [None, Article()])
def test_done_comes_last_and_once_and_costs_a_measured_nothing_for_an_unknown_number_of_tokens(article):
    events = ask(article)
    assert [event for event in events if isinstance(event, Done)] == [events[-1]]
    assert events[-1].cost_usd == Decimal(0)
    assert events[-1].cost_source == "none"
    assert (events[-1].tokens_in, events[-1].tokens_out, events[-1].model) == (None, None, None)


def test_a_long_answer_comes_in_pieces_and_within_the_blink_that_it_takes_to_follow():
    began = time.monotonic()
    events = ask(Article(body="A sentence of seven words stands here. " * 500))
    assert 20 <= len(events) <= 30
    assert time.monotonic() - began < 0.6


@pytest.mark.parametrize("text", ["", " ", "word", "a\n\nb\tc  d\n", "歯が痛い\nです", "```\ncode\n```\nend"])
def test_pieces_add_up_to_the_text(text):
    assert "".join(ai._pieces(text)) == text.rstrip()


def test_an_answerer_that_just_ends_is_an_error_and_keeps_its_text(monkeypatch):
    monkeypatch.setitem(ai.ANSWERERS, "fallback", lambda request: iter([Delta("half")]))
    events = ask()
    assert events[0] == Delta("half")
    assert events[-1].status == "error_mid"


def test_a_provider_plugs_in_as_one_more_answerer(monkeypatch):
    done = Done(model="m-1", tokens_in=300, tokens_out=150, cost_usd=Decimal("0.000465"), cost_source="price_table")
    monkeypatch.setitem(ai.ANSWERERS, "fallback", lambda request: iter([Delta("Hello"), done]))
    assert ask()[-1] == done


def test_the_emergency_card_names_the_clinics_number_and_no_other():
    assert advice.emergency_card("15", ["airway"]).count("15") == 2
    assert "112" not in advice.emergency_card("15", ["airway"])


def test_every_category_of_the_red_flags_has_its_first_aid():
    assert set(advice._first_aid()) == set(redflags.CATEGORIES)


def test_the_steps_fit_what_was_described():
    fainted, sad = advice.emergency_card("112", ["collapse"]), advice.emergency_card("112", ["self_harm"])
    assert "on their side" in fainted
    assert "sit" not in fainted.lower()
    assert "gauze" not in sad
    assert "alone" in sad
