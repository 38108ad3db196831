"""A linear classifier over words, n-grams and concepts, for danger signs in words that no rule knows.

It may raise a tier and never lowers one. Concepts are those of the rules and those of redflag_hints.toml: what it learns of a
word it so knows of the same word in another language. scripts/train_redflags.py made the weights in redflag_model.json.
"""

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from lib.redflag_reading import Reading
from lib.redflag_rules import RULES, fold

LENGTHS = (2, 3, 4, 5)
LONGEST_WORD = 24
REACH = 6
WINDOW, STRIDE = 40, 20
SHORT_FOLLOW_UP = 15
SCALE = 1000
TIERS = ("E", "U")
# By what the rules say: the steps up that are left. An emergency where they see nothing at all needs the most.
STEPS: dict[str | None, tuple[str, ...]] = {None: ("E", "U"), "U": ("U to E",), "E": ()}
NOTHING = (-100.0, (0, 0))
MANY = range(8, 61)
# Concepts of small words: in every message, so that no pair of them says anything.
COMMON = frozenset(("filler", "personal", "present_verb", "or", "conjunction", "possessive", "person", "french_ne", "now",
                    "reflexive"))
Sums = tuple[int, int, int, int, int, int]

# A word, "" where it was taken back, and the ideas it stands for; those taken back begin with "-".
Heard = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Model:
    """`words` and `ideas` hold, by n-gram or idea, a weight for each of TIERS; `pairs` those of two ideas close together.

    `about` holds a weight for each category, where one is known. All times SCALE; `threshold` is by step up (STEPS).
    """

    version: str
    digest: str
    bias: dict[str, float]
    threshold: dict[str, float]
    categories: tuple[str, ...]
    words: dict[str, tuple[int, int]]
    ideas: dict[str, tuple[int, int]]
    pairs: dict[str, dict[str, tuple[int, int]]]
    about: dict[str, list[int]]


@dataclass(frozen=True)
class Raise:
    tier: str
    category: str


def hear(reading: Reading, span: range) -> list[Heard]:
    heard = [_taken_back(reading.concepts[i]) if i in reading.muted else _said(reading.words[i], reading.concepts[i])
             for i in span]
    for name in SIGNS & reading.places.keys():
        for i in reading.places[name]:
            if i in span and name not in reading.concepts[i]:
                heard[i - span.start] = (heard[i - span.start][0], (*heard[i - span.start][1], name))
    return heard


def judge(words: Sequence[Heard], before: Sequence[Heard] = (), *, above: str | None = None) -> Raise | None:
    """The tier higher than `above` that the words reach, or that a short follow-up reaches with the turns before it."""
    wanted = STEPS[above]
    found = _highest(words, wanted)
    if before and 0 < len(words) <= SHORT_FOLLOW_UP and not _highest(before, wanted):
        words = [*before[len(words) - WINDOW:], *words]
        found = found or _highest(words, wanted)
    if not found:
        return None
    step, span = found
    return Raise(step[-1], _category(words[slice(*span)]) if step[-1] == "E" else "other")


def scores(words: Sequence[Heard]) -> dict[str, float]:
    """The highest score of any stretch of the words, by step; above 0 the step is taken."""
    return {step: score for step, (score, _) in _best(words, tuple(MODEL.threshold)).items()}


def word_names(words: Sequence[Heard]) -> Iterator[str]:
    said = [word for word, _ in words]
    for i, word in enumerate(said):
        if word:
            yield from features(word)
            yield from _grams(said, i)


def idea_names(words: Sequence[Heard]) -> Iterator[str]:
    for i, (_, ideas) in enumerate(words):
        yield from ideas
        for _, earlier in words[max(0, i - REACH):i]:
            yield from (pair(one, other) for one in earlier for other in ideas if one != other and not {one, other} & COMMON)


@lru_cache(maxsize=20_000)
def features(word: str) -> tuple[str, ...]:
    """The word, marked as one, and every run of 2 to 5 letters in it, with its start and end as letters."""
    framed = f"_{word[:LONGEST_WORD]}_"
    return (f"={word}", *(framed[i:i + n] for n in LENGTHS for i in range(len(framed) - n + 1)))


def pair(one: str, other: str) -> str:
    return f"{one}&{other}" if one < other else f"{other}&{one}"


@lru_cache(maxsize=20_000)
def hints(word: str) -> tuple[str, ...]:
    found = set(HINTS.exact.get(word, ()))
    for length in range(2, min(len(word), HINTS.longest) + 1):
        found.update(HINTS.starts.get(word[:length], ()))
    for match in HINTS.inner.finditer(word):
        found.update(HINTS.parts[match.group()])
    if word.isdecimal() and int(word) in MANY:
        found.add("many_number")
    return tuple(sorted(f"~{name}" for name in found))


@lru_cache(maxsize=20_000)
def _said(word: str, concepts: frozenset[str]) -> Heard:
    return word, (*sorted(concepts), *hints(word))


@lru_cache(maxsize=5_000)
def _taken_back(concepts: frozenset[str]) -> Heard:
    return "", tuple(f"-{name}" for name in sorted(concepts))


def _grams(said: Sequence[str], i: int) -> Iterator[str]:
    """The word with the one before it, with the two before it, and with the one before that."""
    if i and said[i - 1]:
        yield f"{said[i - 1]} {said[i]}"
    if i > 1 and said[i - 2]:
        yield f"{said[i - 2]} _ {said[i]}"
        if said[i - 1]:
            yield f"{said[i - 2]} {said[i - 1]} {said[i]}"


def _highest(words: Sequence[Heard], steps: Sequence[str]) -> tuple[str, tuple[int, int]] | None:
    best = _best(words, steps) if steps else {}
    return next(((step, span) for step, (score, span) in best.items() if score > 0), None)


def _best(words: Sequence[Heard], steps: Sequence[str]) -> dict[str, tuple[float, tuple[int, int]]]:
    sums = [(0, 0, 0, 0, 0, 0), *_sums(words)]
    spans = list(_windows(len(words)))
    return {step: max(((_score(step, sums[start], sums[stop]), (start, stop)) for start, stop in spans), default=NOTHING)
            for step in steps}


def _sums(words: Sequence[Heard]) -> Iterator[Sums]:
    """Running sums of both weights and of the known features, of words and of ideas, so that each window costs the same."""
    e = u = known = idea_e = idea_u = idea_known = 0
    near: list[tuple[str, ...]] = []
    for i, (word, ideas) in enumerate(words):
        if word:
            weighed = _weigh(word)
            e, u, known = e + weighed[0], u + weighed[1], known + weighed[2]
            for row in _rows_of_grams(words, i):
                e, u, known = e + row[0], u + row[1], known + 1
        if ideas:
            *weighed_ideas, partners = _weigh_ideas(ideas)
            idea_e, idea_u, idea_known = idea_e + weighed_ideas[0], idea_u + weighed_ideas[1], idea_known + weighed_ideas[2]
            for row in _rows_of_pairs(partners, near) if partners and near else ():
                idea_e, idea_u, idea_known = idea_e + row[0], idea_u + row[1], idea_known + 1
        near = near[1 - REACH:]
        near.append(partners if ideas else ())
        yield e, u, known, idea_e, idea_u, idea_known


def _rows_of_grams(words: Sequence[Heard], i: int) -> list[tuple[int, int]]:
    """As _grams; asked of every word, hence without what cannot be known."""
    word, last, first = words[i][0], words[i - 1][0] if i else "", words[i - 2][0] if i > 1 else ""
    names = [f"{last} {word}"] if last in GRAMS else []
    if first in GRAMS:
        names.append(f"{first} _ {word}")
        if last:
            names.append(f"{first} {last} {word}")
    known = MODEL.words
    return [known[name] for name in names if name in known]


def _rows_of_pairs(partners: tuple[str, ...], near: Sequence[tuple[str, ...]]) -> list[tuple[int, int]]:
    known = [MODEL.pairs[idea] for idea in partners]
    return [row[other] for row in known for earlier in near for other in earlier if other in row]


@lru_cache(maxsize=20_000)
def _weigh_ideas(ideas: tuple[str, ...]) -> tuple[int, int, int, tuple[str, ...]]:
    found = [MODEL.ideas[idea] for idea in ideas if idea in MODEL.ideas]
    partners = tuple(idea for idea in ideas if idea in MODEL.pairs)
    return sum(row[0] for row in found), sum(row[1] for row in found), len(found), partners


def _windows(length: int) -> Iterator[tuple[int, int]]:
    """The whole of a short message; stretches of a long one, so that a sign does not drown in it."""
    if length:
        yield from ((start, min(start + WINDOW, length)) for start in range(0, max(1, length - STRIDE), STRIDE))


def _score(step: str, before: Sums, after: Sums) -> float:
    tier = step[-1]
    place = TIERS.index(tier)
    words = (after[place] - before[place]) / math.sqrt(max(1, after[2] - before[2]))
    ideas = (after[place + 3] - before[place + 3]) / math.sqrt(max(1, after[5] - before[5]))
    return (words + ideas) / SCALE + MODEL.bias[tier] - MODEL.threshold[step]


@lru_cache(maxsize=20_000)
def _weigh(word: str) -> tuple[int, int, int]:
    found = [row for row in map(MODEL.words.get, features(word)) if row]
    return sum(row[0] for row in found), sum(row[1] for row in found), len(found)


def _category(words: Sequence[Heard]) -> str:
    names = chain(word_names(words), (idea for _, ideas in words for idea in ideas))
    rows = [MODEL.about[name] for name in names if name in MODEL.about]
    totals = [sum(column) for column in zip(*rows, strict=True)] or [0]
    return MODEL.categories[totals.index(max(totals))]


@dataclass(frozen=True)
class Hints:
    exact: dict[str, set[str]]
    starts: dict[str, set[str]]
    parts: dict[str, set[str]]
    inner: re.Pattern[str]
    longest: int


def _load_hints(path: Path) -> Hints:
    exact: dict[str, set[str]] = {}
    starts: dict[str, set[str]] = {}
    parts: dict[str, set[str]] = {}
    for name, terms in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for term in map(fold, terms.split()):
            kind = parts if term[0] == "*" else starts if term[-1] == "*" else exact
            kind.setdefault(term.strip("*"), set()).add(name)
    inner = re.compile("|".join(sorted(map(re.escape, parts), key=len, reverse=True)))
    return Hints(exact, starts, parts, inner, max(map(len, starts)))


def _load(path: Path) -> Model:
    data = json.loads(path.read_text(encoding="utf-8"))
    return model_of(data)


def model_of(data: Mapping[str, Any]) -> Model:
    """Names and weights are kept in rows of their own: that is the fastest to read."""
    tables = {kind: dict(zip(data[kind]["names"].split("\n"), zip(data[kind]["E"], data[kind]["U"], strict=True), strict=True))
              for kind in ("words", "ideas", "pairs")}
    pairs: dict[str, dict[str, tuple[int, int]]] = {}
    for name, row in tables["pairs"].items():
        one, other = name.split("&")
        pairs.setdefault(one, {})[other] = row
        pairs.setdefault(other, {})[one] = row
    return Model(data["version"], data["digest"], data["bias"], data["threshold"], tuple(data["categories"]), tables["words"],
                 tables["ideas"], pairs, data["about"])


def use(model: Model) -> None:
    """For training and tests."""
    global MODEL, GRAMS
    MODEL = model
    GRAMS = _first_words(model)
    _weigh.cache_clear()
    _weigh_ideas.cache_clear()


def _first_words(model: Model) -> frozenset[str]:
    return frozenset(name[:name.index(" ")] for name in model.words if " " in name)


HINTS = _load_hints(Path(__file__).with_name("redflag_hints.toml"))
SIGNS = {sign.name for sign in RULES.signs}
MODEL = _load(Path(__file__).with_name("redflag_model.json"))
GRAMS = _first_words(MODEL)
