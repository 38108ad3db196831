"""A small net over words, n-grams and ideas, for danger signs in words that no rule knows.

It may raise a tier and never lowers one. scripts/train_redflags.py made the weights (redflag_model).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain

import numpy as np

from lib import redflag_model
from lib.redflag_hearing import REACH, Heard, features, once
from lib.redflag_model import Floats, Model

STRIDE = 20
WINDOW = 2 * STRIDE
SHORT_FOLLOW_UP = 15
TIERS = ("E", "U")
# By what the rules say: the tiers that are left.
HIGHER: dict[str | None, tuple[str, ...]] = {None: ("E", "U"), "U": ("E",), "E": ()}
NOTHING = -100.0
NO_ROW = -1  # the last one: it says nothing


@dataclass(frozen=True)
class Raise:
    """`beyond`: how far past the tier's threshold, in logarithms of the odds."""

    tier: str
    category: str
    beyond: float


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
        found = found or _highest([*before[len(words) - WINDOW:], *words], wanted, beyond)
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
    return Raise(tier, judged.categories[place] if tier == "E" else "other", judged.best(tier))


def _judged(words: Sequence[Heard]) -> Judged:
    if not words:
        return Judged({tier: [] for tier in MODEL.threshold}, [])
    of_words, of_ideas = _sums(words)
    logits = MODEL.logits(_scaled(of_words) + _scaled(of_ideas))
    reached = {tier: _log_odds(logits, wanted) for tier, wanted in WANTED.items()}
    return Judged({tier: (reached[tier] - threshold).tolist() for tier, threshold in MODEL.threshold.items()},
                  [CATEGORIES[place] for place in logits[:, WANTED["E"]].argmax(axis=1)])


def _log_odds(logits: Floats, wanted: Sequence[bool]) -> Floats:
    place = np.array(wanted)
    odds: Floats = np.logaddexp.reduce(logits[:, place], axis=1) - np.logaddexp.reduce(logits[:, ~place], axis=1)
    return odds


def _scaled(found: Floats) -> Floats:
    """The last column counts the known features, by whose root the others are scaled."""
    scaled: Floats = found[:, :-1] / np.sqrt(np.maximum(1, found[:, -1:]))
    return scaled


def _sums(words: Sequence[Heard]) -> tuple[Floats, Floats]:
    """Of each window the rows of its words and of its ideas, added up."""
    weighed = [_weigh_ideas(ideas) for _, ideas in words]
    of_words = _added([_weigh(word) for word, _ in words], list(_places_of_grams([word for word, _ in words])))
    return of_words, _added([sums for sums, _ in weighed], list(_places_of_pairs([partners for _, partners in weighed])))


def _added(single: Sequence[Floats], joined: Sequence[Sequence[int]]) -> Floats:
    """What each word says by itself and beside others; two strides are a window, so that no sign drowns in a long message."""
    starts = range(0, len(single), STRIDE)
    strides = np.add.reduceat(np.array(single), starts, axis=0, dtype=np.float64)
    by_stride = [[place for of_word in joined[start:start + STRIDE] for place in of_word] + [NO_ROW] for start in starts]
    ends = np.cumsum([0, *map(len, by_stride)])
    strides += np.add.reduceat(ROWS[list(chain.from_iterable(by_stride))], ends[:-1], axis=0, dtype=np.float64)
    windows: Floats = strides[:-1] + strides[1:] if len(strides) > 1 else strides
    return windows


def _places_of_grams(said: Sequence[str]) -> Iterator[list[int]]:
    """As redflag_hearing names them; tuples of the words, as every word is asked for three and to join them costs more."""
    row = (None, None, *said)
    for first, last, word in zip(row, row[1:], said, strict=False):
        found = GRAMS.get((last, word)), GRAMS.get((first, "_", word)), GRAMS.get((first, last, word))
        yield [place for place in found if place is not None]


def _places_of_pairs(partners: Sequence[tuple[str, ...]]) -> Iterator[list[int]]:
    """Each idea with those of the words before it, within reach."""
    row = list(chain.from_iterable(partners))
    ends = [0, *accumulate(map(len, partners))]
    for i, own in enumerate(partners):
        near = row[ends[max(0, i - REACH)]:ends[i]] if own else ()
        yield [place for idea in own for place in map(MODEL.pairs[idea].get, near) if place is not None]


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
    GRAMS = {tuple(name.split(" ")): place for name, place in model.words.items() if " " in name}
    ROWS = np.pad(model.rows, ((0, 1), (0, 1)), constant_values=1)
    ROWS[NO_ROW] = 0
    WANTED = {"E": [tier == "E" for tier, _ in model.kinds], "U": [tier in TIERS for tier, _ in model.kinds]}
    CATEGORIES = [category for tier, category in model.kinds if tier == "E"]
    _weigh.cache_clear()
    _weigh_ideas.cache_clear()


MODEL: Model
GRAMS: dict[tuple[str | None, ...], int]
ROWS: Floats
WANTED: dict[str, list[bool]]
CATEGORIES: list[str]
use(redflag_model.load(redflag_model.PATH))
