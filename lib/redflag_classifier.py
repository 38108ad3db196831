"""A small net over words, n-grams and ideas, for danger signs in words that no rule knows.

It may raise a tier and never lowers one. scripts/train_redflags.py made the weights (redflag_model).
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lib import redflag_model
from lib.memo import Memo
from lib.redflag_hearing import REACH, Heard, features, once
from lib.redflag_model import NO_ROW, Counts, Floats, Model

STRIDE = 20
WINDOW = 2 * STRIDE
SHORT_FOLLOW_UP = 15
TIERS = ("E", "U")
# By what the rules say: the tiers that are left.
HIGHER: dict[str | None, tuple[str, ...]] = {None: ("E", "U"), "U": ("E",), "E": ()}
NOTHING = -100.0
LAST_BITS = 2**16 - 1
UNKNOWN, ANY = 0, 1  # among the numbers of words
BEFORE, AT_THE_START, END = np.array((UNKNOWN, UNKNOWN)), np.zeros(REACH, dtype=np.intp), np.array((NO_ROW,))


@dataclass(frozen=True)
class Raise:
    """`beyond`: how far past the tier's threshold, in logarithms of the odds."""

    tier: str
    category: str
    beyond: float


@dataclass(frozen=True)
class Judged:
    """Of each stretch of the words: how far it is beyond the threshold of each of TIERS, and what speaks for each outcome."""

    scores: Floats
    logits: Floats

    def best(self, tier: str) -> float:
        return float(self.scores[TIERS.index(tier)].max(initial=NOTHING))

    def category(self) -> str:
        """What the emergency would be about."""
        place = self.scores[TIERS.index("E")].argmax()
        return MODEL.kinds[self.logits[place, :STARTS[1]].argmax()][1]


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
    return {tier: judged.best(tier) for tier in TIERS}


def _highest(words: Sequence[Heard], tiers: Sequence[str], beyond: float = 0.0) -> Raise | None:
    judged = _judged(words)
    tier = next((tier for tier in tiers if judged.best(tier) > beyond), None)
    if tier is None:
        return None
    return Raise(tier, judged.category() if tier == "E" else "other", judged.best(tier))


def _judged(words: Sequence[Heard]) -> Judged:
    if not words:
        return Judged(np.empty((len(TIERS), 0)), np.empty((0, len(MODEL.kinds))))
    logits = MODEL.logits(_scaled(_sums(words)))
    emergency, urgent, harmless = np.logaddexp.reduceat(logits, STARTS, axis=1).T
    odds = emergency - np.logaddexp(urgent, harmless), np.logaddexp(emergency, urgent) - harmless
    return Judged(np.array(odds) - THRESHOLDS, logits)


def _scaled(found: Counts) -> Floats:
    """The words' rows and the ideas', together; the last column of each counts the known features, by whose root the others are
    scaled."""
    of_both = found.reshape(len(found), 2, -1)
    scaled: Floats = (of_both[..., :-1] / np.sqrt(np.maximum(1, of_both[..., -1:]))).sum(axis=1)
    return scaled


def _sums(words: Sequence[Heard]) -> Counts:
    """Of each window the rows of its words and of its ideas, added up; two strides are a window, so that no sign drowns in a
    long message."""
    rows, partners = zip(*map(WEIGHED.__getitem__, words), strict=True)
    alone = np.frombuffer(b"".join(rows), dtype=np.int32).reshape(len(words), -1)
    near = np.frombuffer(b"".join(partners), dtype=np.int32)
    strides = np.add.reduceat(alone[:, :2 * WIDTH], np.arange(0, len(words), STRIDE), axis=0)
    strides += _added(_grams(alone[:, -2]), _pairs(near, alone[:, -1]))
    windows: Counts = strides[:-1] + strides[1:] if len(strides) > 1 else strides
    return windows


def _added(grams: tuple[Counts, Counts], pairs: tuple[Counts, Counts]) -> Counts:
    """The rows at the places of each, added up from each start to the next, side by side."""
    places, starts = np.concatenate((grams[0], pairs[0], END)), np.concatenate((grams[1], pairs[1] + len(grams[0])))
    added: Counts = np.add.reduceat(ROWS.take(places, axis=0), starts, axis=0, dtype=np.int32)
    added[:-1][starts[:-1] == starts[1:]] = 0  # reduceat gives the next row where there is none
    return added.reshape(2, -1, WIDTH).swapaxes(0, 1).reshape(-1, 2 * WIDTH)


def _grams(numbers: Counts) -> tuple[Counts, Counts]:
    """The places of the rows of words side by side, as redflag_hearing names them, and where those of each stride start."""
    row = np.concatenate((BEFORE, numbers))
    first, last = row[:-2] * BASE**2, row[1:-1] * BASE + row[2:]
    keys = np.concatenate((last + ANY * BASE**2, first + (row[2:] + ANY * BASE), first + last)).reshape(3, -1).ravel("F")
    likely = LIKELY.take(keys & LAST_BITS).nonzero()[0]
    sought = keys.take(likely)
    at = GRAMS.searchsorted(sought)
    known = (GRAMS.take(at) == sought).nonzero()[0]
    return GRAM_PLACES.take(at.take(known)), likely.take(known).searchsorted(np.arange(0, keys.size, 3 * STRIDE))


def _pairs(row: Counts, lengths: Counts) -> tuple[Counts, Counts]:
    """The places of the rows of each idea with those of the words before it, within reach, and where those of each stride start.

    `row` holds the ideas' numbers among those of pairs, `lengths` how many of them are each word's.
    """
    first = _starts(lengths)
    since = np.concatenate((AT_THE_START, first))[:len(lengths)]
    near = (first[:-1] - since).repeat(lengths)
    starts = _starts(near)
    other = np.arange(starts[-1]) + (since.repeat(lengths) - starts[:-1]).repeat(near)
    places = PAIRS.take((row * len(MODEL.pairs)).repeat(near) + row.take(other))
    known = (places != NO_ROW).nonzero()[0]
    return places.take(known), known.searchsorted(starts.take(first[:-1:STRIDE]))


def _starts(lengths: Counts) -> Counts:
    """Where each begins that stands after the one before it; and where all end."""
    starts = np.zeros(len(lengths) + 1, dtype=np.intp)
    lengths.cumsum(out=starts[1:])
    return starts


def _weigh(heard: Heard) -> tuple[bytes, bytes]:
    """What a word and its ideas say by themselves, the word's number among those of GRAMS, and how many of its ideas make pairs;
    then the numbers of these. As bytes, which are put together faster than arrays."""
    words, ideas = _known(MODEL.words, features(heard.word)), _known(MODEL.ideas, heard.ideas)
    partners = array("i", _known(MODEL.partners, heard.ideas))
    sums = np.add.reduceat(ROWS.take([*words, NO_ROW, *ideas, NO_ROW], axis=0), (0, len(words) + 1), axis=0, dtype=np.int32)
    return sums.tobytes() + array("i", (NUMBERS.get(heard.word, UNKNOWN), len(partners))).tobytes(), partners.tobytes()


def _known(places: Mapping[str, int], names: Iterable[str]) -> list[int]:
    return [place for place in map(places.get, names) if place is not None]


WEIGHED = Memo(_weigh)


def use(model: Model) -> None:
    """For training and tests."""
    global MODEL, NUMBERS, BASE, GRAMS, GRAM_PLACES, LIKELY, PAIRS, ROWS, WIDTH, STARTS, THRESHOLDS
    MODEL = model
    grams = {tuple(name.split(" ")): place for name, place in model.words.items() if " " in name}
    NUMBERS = {word: number for number, word in enumerate(dict.fromkeys(("_", *chain.from_iterable(grams))), ANY)}
    BASE = len(NUMBERS) + ANY
    keys = {_key(gram): place for gram, place in grams.items()}
    GRAMS = np.array([*sorted(keys), BASE**3])  # beyond the last one, whatever is looked for is not
    GRAM_PLACES = np.array([*(keys[key] for key in sorted(keys)), NO_ROW])
    LIKELY = np.zeros(LAST_BITS + 1, dtype=bool)
    LIKELY[[key & LAST_BITS for key in keys]] = True
    PAIRS = model.pairs.ravel()
    ROWS = np.pad(model.rows, ((0, 1), (0, 1)), constant_values=1)
    ROWS[NO_ROW] = 0
    WIDTH = ROWS.shape[1]
    STARTS = np.array([[tier for tier, _ in model.kinds].index(tier) for tier in (*TIERS, "")])
    THRESHOLDS = np.array([[model.threshold[tier]] for tier in TIERS])
    WEIGHED.clear()


def _key(gram: Sequence[str]) -> int:
    """One number for a word with the one before it (and any before that) or with the two before it, one of which may be "_"."""
    first, last, word = (NUMBERS[word] for word in ("_", *gram)[-3:])
    return (first * BASE + last) * BASE + word


MODEL: Model
NUMBERS: dict[str, int]
BASE: int
GRAMS: Counts
GRAM_PLACES: Counts
LIKELY: NDArray[np.bool_]  # by their last bits, as looking all of them up would take longer
PAIRS: Counts
ROWS: NDArray[np.int8]
WIDTH: int
STARTS: Counts
THRESHOLDS: Floats
use(redflag_model.load(redflag_model.PATH))
