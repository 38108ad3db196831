"""A small net over words, n-grams and ideas, for danger signs in words that no rule knows.

It may raise a tier and never lowers one. scripts/train_redflags.py made the weights (redflag_model).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lib import redflag_model
from lib.redflag_hearing import REACH, Heard, features, once
from lib.redflag_model import Floats, Model

WINDOW, STRIDE = 40, 20
SHORT_FOLLOW_UP = 15
TIERS = ("E", "U")
# By what the rules say: the tiers that are left.
HIGHER: dict[str | None, tuple[str, ...]] = {None: ("E", "U"), "U": ("E",), "E": ()}
NOTHING = -100.0


@dataclass(frozen=True)
class Raise:
    tier: str
    category: str


@dataclass(frozen=True)
class Judged:
    """Of each stretch of the words: how far it is beyond the threshold, by tier, and what an emergency would be about."""

    scores: dict[str, list[float]]
    categories: list[str]

    def best(self, tier: str) -> float:
        return max(self.scores[tier], default=NOTHING)


def judge(words: Sequence[Heard], before: Sequence[Heard] = (), *, above: str | None = None, beyond: float = 0.0) -> Raise | None:
    """The tier higher than `above` that the words reach, or that a short follow-up reaches with the turns before it.

    `beyond`: so far past the threshold the words have to be, in logarithms of the odds.
    """
    words, before, wanted = once(words), once(before), HIGHER[above]
    found = _highest(words, wanted, beyond)
    if before and 0 < len(words) <= SHORT_FOLLOW_UP and not _highest(before, wanted):
        found = found or _highest([*before[len(words) - WINDOW:], *words], wanted)
    return found


def scores(words: Sequence[Heard]) -> dict[str, float]:
    """The highest score of any stretch of the words, by tier; above 0 the tier is reached."""
    judged = _judged(once(words))
    return {tier: judged.best(tier) for tier in judged.scores}


def _highest(words: Sequence[Heard], tiers: Sequence[str], beyond: float = 0.0) -> Raise | None:
    judged = _judged(words)
    tier = next((tier for tier in tiers if judged.best(tier) > beyond), None)
    if tier is None:
        return None
    place = int(np.argmax(judged.scores[tier]))
    return Raise(tier, judged.categories[place] if tier == "E" else "other")


def _judged(words: Sequence[Heard]) -> Judged:
    starts, stops = _windows(len(words))
    if not starts:
        return Judged({tier: [] for tier in MODEL.threshold}, [])
    of_words, of_ideas = _sums(words)
    logits = MODEL.logits(_between(of_words, starts, stops) + _between(of_ideas, starts, stops))
    reached = {tier: _log_odds(logits, wanted) for tier, wanted in WANTED.items()}
    return Judged({tier: (reached[tier] - threshold).tolist() for tier, threshold in MODEL.threshold.items()},
                  [CATEGORIES[place] for place in logits[:, WANTED["E"]].argmax(axis=1)])


def _windows(length: int) -> tuple[list[int], list[int]]:
    """The whole of a short message; stretches of a long one, so that a sign does not drown in it."""
    starts = list(range(0, max(1, length - STRIDE), STRIDE)) if length else []
    return starts, [min(start + WINDOW, length) for start in starts]


def _log_odds(logits: Floats, wanted: Sequence[bool]) -> Floats:
    place = np.array(wanted)
    odds: Floats = np.logaddexp.reduce(logits[:, place], axis=1) - np.logaddexp.reduce(logits[:, ~place], axis=1)
    return odds


def _between(sums: Floats, starts: Sequence[int], stops: Sequence[int]) -> Floats:
    """What is said between: the last column counts the known features, by whose root the others are scaled."""
    found = sums[stops] - sums[starts]
    scaled: Floats = found[:, :-1] / np.sqrt(np.maximum(1, found[:, -1:]))
    return scaled


def _sums(words: Sequence[Heard]) -> tuple[Floats, Floats]:
    """Running sums of the rows of words and of ideas, so that each window costs the same."""
    grams = [_rows_of_grams(words, i) for i in range(len(words))]
    weighed = [_weigh_ideas(ideas) for _, ideas in words]
    pairs = list(_rows_of_pairs([partners for _, partners in weighed]))
    return (_running([_weigh(word) for word, _ in words], grams), _running([sums for sums, _ in weighed], pairs))


def _running(single: Sequence[Floats], joined: Sequence[Sequence[int]]) -> Floats:
    """The sums of what each word says by itself, and of what it says beside others."""
    sums = np.zeros((len(single) + 1, ROWS.shape[1]), dtype=np.float64)
    np.cumsum(single, axis=0, out=sums[1:])
    places = [place for of_word in joined for place in of_word]
    if places:
        told = np.zeros((len(places) + 1, ROWS.shape[1]), dtype=np.float64)
        np.cumsum(ROWS[places], axis=0, out=told[1:])
        sums[1:] += told[np.cumsum([len(of_word) for of_word in joined])]
    return sums


def _rows_of_grams(words: Sequence[Heard], i: int) -> list[int]:
    """As redflag_hearing names them; asked of every word, hence without what cannot be known."""
    word, last, first = words[i][0], words[i - 1][0] if i else "", words[i - 2][0] if i > 1 else ""
    names = [f"{last} {word}"] if last in GRAMS else []
    if first in GRAMS:
        names += [f"{first} _ {word}", f"{first} {last} {word}"]
    known = MODEL.words
    return [known[name] for name in names if name in known]


def _rows_of_pairs(partners: Sequence[tuple[str, ...]]) -> Iterator[list[int]]:
    for i, own in enumerate(partners):
        known = [MODEL.pairs[idea] for idea in own]
        near = [other for earlier in partners[max(0, i - REACH):i] for other in earlier] if known else ()
        yield [row[other] for row in known for other in near if other in row]


@lru_cache(maxsize=20_000)
def _weigh(word: str) -> Floats:
    return _sum([MODEL.words[name] for name in features(word) if name in MODEL.words])


@lru_cache(maxsize=20_000)
def _weigh_ideas(ideas: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    found = _sum([MODEL.ideas[idea] for idea in ideas if idea in MODEL.ideas])
    return found, tuple(idea for idea in ideas if idea in MODEL.pairs)


def _sum(places: Sequence[int]) -> Floats:
    total: Floats = ROWS[places].sum(axis=0) if places else np.zeros(ROWS.shape[1], dtype=np.float32)
    return total


def use(model: Model) -> None:
    """For training and tests."""
    global MODEL, GRAMS, ROWS, WANTED, CATEGORIES
    MODEL = model
    GRAMS = frozenset(name[:name.index(" ")] for name in model.words if " " in name)
    ROWS = np.hstack([model.rows, np.ones((len(model.rows), 1), dtype=np.float32)])
    WANTED = {"E": [tier == "E" for tier, _ in model.kinds], "U": [tier in TIERS for tier, _ in model.kinds]}
    CATEGORIES = [category for tier, category in model.kinds if tier == "E"]
    _weigh.cache_clear()
    _weigh_ideas.cache_clear()


MODEL: Model
GRAMS: frozenset[str]
ROWS: Floats
WANTED: dict[str, list[bool]]
CATEGORIES: list[str]
use(redflag_model.load(redflag_model.PATH))
