"""The first line of a provider's reply, as models write it."""

import pytest

from lib import tiers
from lib.events import Delta, Done
from lib.tiers import Tier

HELP = "Sit them up.\n\nThen call."


def read(text, size):
    """The tiers and the words of a reply that comes in pieces of `size` characters; blank lines before them are nobody's."""
    pieces = [Delta(text[i:i + size]) for i in range(0, len(text), size)]
    *before, done = tiers.told(iter([*pieces, Done()]))
    assert isinstance(done, Done)
    return [one.name for one in before if isinstance(one, Tier)], "".join(one.text for one in before if isinstance(one, Delta)).lstrip("\n")


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("line", [
    "TIER: E", "tier : e", "**TIER: E**", "**TIER:** E", "**TIER**: E", "TIER: **E**", "TIER: `E`", "_TIER: E_", "[TIER: E]", '"TIER: E"',
    "- TIER: E", "1. TIER: E", "TIER： E", "TIER = E", "TIER:\nE", "TIER: Emergency", "## TIER: E.", "\ufeffTIER: E", "\u200bTIER\u00a0: E",
    "TIER: U or E", "TIER: E/U", "<think>Is it one? TIER: NONE</think>\nTIER: E", "</think>TIER: E", "\U0001f6a8 TIER: E", "<b>TIER: E</b>",
    "TIER: <E>", "TIER - E"])
def test_a_tier_is_read_however_it_is_written_and_cut(line, size):
    assert read(f"{line}\n\n{HELP}", size) == (["E"], HELP)


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(("text", "names", "rest"), [
    (f"TIER: U\n{HELP}", ["U"], HELP),
    (f"TIER: NONE\n{HELP}", [], HELP),
    (f"TIER: NONE or U\n{HELP}", ["U"], HELP),
    ("TIER: NONE Whitening does not harm.", [], "Whitening does not harm."),
    ("<think>What would they like?</think>" + HELP, [], HELP),
    ("<think>It never says more than that", [], ""),
    ("TIER: NONE\n\n- E-mail us the photo.", [], "- E-mail us the photo."),
    ("TIER: NONE\n\n*Urgent* care is open till ten.", [], "*Urgent* care is open till ten."),
    ("TIER: NONE\n1. E.g. rinse.", [], "1. E.g. rinse."),
    ("TIER: NONE - U-shaped roots are rare.", [], "- U-shaped roots are rare."),
    ("TIER: NONE", [], ""),
])
def test_what_else_a_reply_begins_with(text, names, rest, size):
    assert read(text, size) == (names, rest)


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("text", [HELP, "Tiere dürfen mit.", "Tier 1 plans pay half, and tier 2 plans pay all of it.", "TIER: Ein Tier darf mit.", "Tier", "**Tier 1: Emergency** calls at once.",
                                  "<b>Think</b> of it", "* a list\n* of two", "<thinking> is no mark of ours, and stays"])
def test_any_other_answer_is_left_word_for_word(text, size):
    assert read(text, size) == ([], text)


@pytest.mark.parametrize("signs", ["1", "-", "<", "<a>", "*_"])
def test_what_only_looks_like_a_beginning_is_not_held_back_for_long(signs):
    events = tiers.told(iter([*[Delta(signs)] * 300, Done()]))

    assert len(next(events).text) <= tiers.MOST + len(signs)


def test_nothing_is_held_back_longer_than_it_takes_to_tell():
    events = tiers.told(iter([Delta("Sit them up."), Delta(" Call."), Done()]))

    assert next(events) == Delta("Sit them up.")
