"""A small net over words, n-grams and ideas, for danger signs in words that no rule knows.

It may raise a tier and never lowers one. scripts/train_redflags.py made the weights (redflag_model).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lib import redflag_model
from lib.redflag_hearing import REACH, Heard, features, once
from lib.redflag_model import NO_ROW, Counts, Floats, Model

STRIDE = 20
WINDOW = 2 * STRIDE
SHORT_FOLLOW_UP = 15
TIERS = ("E", "U")
# By what the rules say: the tiers that are left.
HIGHER: dict[str | None, tuple[str, ...]] = {None: ("E", "U"), "U": ("E",), "E": ()}
NOTHING = -100.0


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


def _scaled(found: Counts) -> Floats:
    """The last column counts the known features, by whose root the others are scaled."""
    scaled: Floats = found[:, :-1] / np.sqrt(np.maximum(1, found[:, -1:]))
    return scaled


def _sums(words: Sequence[Heard]) -> tuple[Counts, Counts]:
    """Of each window the rows of its words and of its ideas, added up."""
    said = [word for word, _ in words]
    ideas = [_weigh_ideas(ideas) for _, ideas in words]
    return (_added([_weigh(word) for word in said], *_grams(said)),
            _added([sums for sums, _ in ideas], *_pairs([partners for _, partners in ideas])))


def _added(single: Sequence[Counts], joined: Counts, counts: Counts) -> Counts:
    """What each word says by itself and beside others; two strides are a window, so that no sign drowns in a long message.

    `joined` holds the rows of what was said side by side, `counts` how many of them are each word's.
    """
    starts = np.arange(0, len(single), STRIDE)
    by_stride = np.add.reduceat(counts, starts)
    rows = ROWS.take(np.append(joined, NO_ROW), axis=0)
    strides = np.add.reduceat(rows, np.cumsum(by_stride) - by_stride, axis=0, dtype=np.int32) * (by_stride > 0)[:, None]
    strides += np.add.reduceat(np.array(single), starts, axis=0)
    windows: Counts = strides[:-1] + strides[1:] if len(strides) > 1 else strides
    return windows


def _grams(said: Sequence[str]) -> tuple[Counts, Counts]:
    """As redflag_hearing names them, without the names being made: most words end none."""
    found: list[int] = []
    counts = np.zeros(len(said), dtype=np.intp)
    row = (None, None, *said)
    for i, word in enumerate(said):
        if word in GRAMS:
            known, first, last = GRAMS[word], row[i], row[i + 1]
            own = [known[before] for before in ((last,), (first, "_"), (first, last)) if before in known]
            counts[i] = len(own)
            found += own
    return np.array(found, dtype=np.intp), counts


def _pairs(partners: Sequence[tuple[int, ...]]) -> tuple[Counts, Counts]:
    """Each idea with those of the words before it, within reach."""
    lengths = np.array([*map(len, partners)])
    row = np.fromiter(chain.from_iterable(partners), dtype=np.intp, count=lengths.sum())
    starts = np.cumsum(lengths) - lengths
    near = starts - starts[np.maximum(0, np.arange(len(partners)) - REACH)]
    each = np.repeat(near, lengths)
    first = np.repeat(starts - near, lengths) - np.cumsum(each) + each
    place = np.arange(each.sum()) + np.repeat(first, each)
    found = MODEL.pairs[np.repeat(row, each), row[place]]
    known = found != NO_ROW
    word = np.repeat(np.arange(len(partners)), near * lengths)
    return found[known], np.bincount(word[known], minlength=len(partners))


@lru_cache(maxsize=20_000)
def _weigh(word: str) -> Counts:
    return _sum([MODEL.words[name] for name in features(word) if name in MODEL.words])


@lru_cache(maxsize=20_000)
def _weigh_ideas(ideas: tuple[str, ...]) -> tuple[Counts, tuple[int, ...]]:
    found = _sum([MODEL.ideas[idea] for idea in ideas if idea in MODEL.ideas])
    return found, tuple(MODEL.partners[idea] for idea in ideas if idea in MODEL.partners)


def _sum(places: Sequence[int]) -> Counts:
    total: Counts = ROWS[places].sum(axis=0, dtype=np.int32) if places else np.zeros(ROWS.shape[1], dtype=np.int32)
    return total


def use(model: Model) -> None:
    """For training and tests."""
    global MODEL, GRAMS, ROWS, WANTED, CATEGORIES
    MODEL = model
    GRAMS = defaultdict(dict)
    for name, place in model.words.items():
        *before, word = name.split(" ")
        if before:
            GRAMS[word][tuple(before)] = place
    ROWS = np.pad(model.rows, ((0, 1), (0, 1)), constant_values=1)
    ROWS[NO_ROW] = 0
    WANTED = {"E": [tier == "E" for tier, _ in model.kinds], "U": [tier in TIERS for tier, _ in model.kinds]}
    CATEGORIES = [category for tier, category in model.kinds if tier == "E"]
    _weigh.cache_clear()
    _weigh_ideas.cache_clear()


MODEL: Model
GRAMS: dict[str, dict[tuple[str | None, ...], int]]
ROWS: NDArray[np.int8]
WANTED: dict[str, list[bool]]
CATEGORIES: list[str]
use(redflag_model.load(redflag_model.PATH))
