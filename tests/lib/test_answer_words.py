"""How an answer says that it is not whole, or not what was wanted."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from lib import advice, answer_words, usage
from lib.chats import Message

NOBODY = UUID(int=0)
INTERRUPTED = "This answer was interrupted. Please ask again."
SENTENCES = {
    "started": "Writing …",
    "ok": "",
    "stopped": "Stopped before the end.",
    "error_before": INTERRUPTED,
    "error_mid": INTERRUPTED,
    "timeout": "The provider took too long; what had come is kept.",
    "truncated": "This answer was cut short.",
    "filtered": "The provider withheld the rest of this answer.",
    "rate_limited": "The provider was busy.",
    "budget_blocked": "Answered here: what is left of the day's provider budget does not cover another answer.",
    "abandoned": INTERRUPTED,
}


def message(status, content="Half an", stale=False, **facts):
    return Message(NOBODY, NOBODY, None, NOBODY, "Alice Adams", NOBODY, "assistant", status, content, facts, datetime.now(UTC), stale)


@pytest.mark.parametrize(("status", "sentence"), SENTENCES.items())
def test_every_status_has_its_sentence(status, sentence):
    assert answer_words.ending(message(status)) == sentence


def test_every_status_that_the_schema_knows_is_among_them(owner):
    with owner.connect() as connection:
        rule = connection.exec_driver_sql("""
            select pg_get_constraintdef(oid) from pg_constraint
            where conname = 'status_is_known' and conrelid = 'chat_messages'::regclass""").scalar_one()

    assert {part for part in rule.split("'") if part.isidentifier()} == SENTENCES.keys()


FINISHES = {"length": "greatest length", "max_tokens": "greatest length", "MAX_TOKENS": "greatest length", "content_filter": "withheld the rest",
            "content_filter: RECITATION": "withheld the rest", "SAFETY": "withheld the rest", "recitation": "withheld the rest",
            "prohibited_content": "withheld the rest", "blocklist": "withheld the rest", "spii": "withheld the rest",
            "image_safety": "withheld the rest", "stop": "", "end_turn": "", "eos": "", "tool_calls": ""}


@pytest.mark.parametrize(("finish", "part"), FINISHES.items())
def test_every_finish_has_its_sentence(finish, part):
    sentence = answer_words.ending(ended(finish))

    assert (part in sentence) if part else not sentence


def ended(finish):
    """As a provider's answer that ends so is kept."""
    done = usage.Tally("openai", "gpt-5", characters=7, finish=finish).done()
    return message(done.status, finish=done.finish, problem=done.problem)


def test_every_finish_that_is_known_is_among_them():
    assert {*usage.FINISHES, *usage.CLEAN} - {""} <= FINISHES.keys() | {finish.lower() for finish in FINISHES}


def test_a_line_that_broke_is_no_greatest_length():
    assert answer_words.ending(ended("")) == "This answer was cut short."


def test_what_a_crash_left_open_is_interrupted():
    assert answer_words.ending(message("started", stale=True)) == INTERRUPTED


@pytest.mark.parametrize(("problem", "status", "part"), [("left", "stopped", "Stopped: whoever asked can't read this any more."),
                                                         ("crowded", "rate_limited", "Answered here: the clinic had as many answers on their way")])
def test_a_reason_is_told_before_the_status(problem, status, part):
    assert part in answer_words.ending(message(status, problem=problem))


@pytest.mark.parametrize(("problem", "status"), [("busy", "rate_limited"), ("timeout", "timeout"), ("network", "error_before"),
                                                 ("unavailable", "error_before"), ("refused", "error_before")])
def test_an_answer_from_here_that_begins_by_saying_why_says_no_more(problem, status):
    whole = f"{advice.apology(problem)}\n\n{advice.general()}"

    assert answer_words.ending(message(status, whole, problem=problem)) == ""
    assert answer_words.ending(message(status, whole.partition("\n")[2], problem=problem, instead=True)) == ""
    assert answer_words.ending(message(status, problem=problem)) != ""
