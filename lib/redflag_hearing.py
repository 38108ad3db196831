"""What a message says to the classifier: its words with the ideas they stand for, and the names of the features they make.

Ideas are the concepts of the rules and those of redflag_hints.toml: what is learned of a word is so known of the same word in
another language.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

from lib import redflag_reading
from lib.memo import Memo
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES, fold

LENGTHS = (2, 3, 4, 5)
LONGEST_WORD = 24
REACH = 6
MANY = range(8, 61)
# Concepts of small words: in every message, so that no pair of them says anything.
COMMON = frozenset(("filler", "personal", "present_verb", "or", "conjunction", "possessive", "person", "french_ne", "now",
                    "reflexive"))


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A word and the ideas it stands for. Those taken back begin with "-", what rules found with "!", the first word with "^".

    There is one of each, as long as it is kept: to look up what is known of it, nothing of it has to be read.
    """

    word: str
    ideas: tuple[str, ...]


def hear(reading: Reading) -> list[Heard]:
    """What was said, with what it may mean; what was taken back is still a word, but its ideas are others ("-swelling")."""
    heard = [*map(SAID.__getitem__, zip(reading.words, reading.concepts, strict=True))]
    for i in reading.muted:
        heard[i] = _taken_back(reading.words[i], reading.concepts[i])
    quoted = ((i, ('"',)) for i in reading.quoted)
    for i, ideas in chain(_signs(reading), _openings(reading), _evidence(reading), quoted):
        heard[i] = _with(heard[i], ideas)
    return heard


def once(words: Sequence[Heard]) -> Sequence[Heard]:
    """Without what was said before, word for word: who repeats himself is not more urgent."""
    row = ["", "", *[heard.word for heard in words]]
    runs = [*zip(row, row[1:], row[2:], strict=False)]
    if len(set(runs)) == len(runs):
        return words
    first: dict[tuple[str, str, str], Heard] = {}
    for run, heard in zip(runs, words, strict=True):
        first.setdefault(run, heard)
    return [*first.values()]


def word_names(words: Sequence[Heard]) -> Iterator[str]:
    said = [heard.word for heard in words]
    for i, word in enumerate(said):
        yield from features(word)
        yield from _grams(said, i)


def idea_names(words: Sequence[Heard]) -> Iterator[str]:
    for i, heard in enumerate(words):
        yield from heard.ideas
        for earlier in words[max(0, i - REACH):i]:
            yield from (pair(one, other) for one in earlier.ideas for other in heard.ideas
                        if one != other and _pairs({one, other}))


@lru_cache(maxsize=20_000)
def features(word: str) -> tuple[str, ...]:
    """The word, marked as one, and every run of 2 to 5 letters in it, with its start and end as letters."""
    framed = f"_{word[:LONGEST_WORD]}_"
    return (f"={word}", *(framed[i:i + n] for n in LENGTHS for i in range(len(framed) - n + 1)))


def _pairs(names: set[str]) -> bool:
    return not names & COMMON and not any(name[0] == "!" for name in names)


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


def _said(word_and_concepts: tuple[str, frozenset[str]]) -> Heard:
    word, concepts = word_and_concepts
    return Heard(word, (*sorted(concepts), *hints(word)))


SAID = Memo(_said)


@lru_cache(maxsize=20_000)
def _taken_back(word: str, concepts: frozenset[str]) -> Heard:
    return Heard(word, tuple(f"-{name}" for name in sorted(concepts)))


@lru_cache(maxsize=20_000)
def _with(heard: Heard, ideas: tuple[str, ...]) -> Heard:
    return Heard(heard.word, (*heard.ideas, *ideas))


def _signs(reading: Reading) -> Iterator[tuple[int, tuple[str, ...]]]:
    for name in SIGNS & reading.places.keys():
        yield from ((i, (name,)) for i in reading.places[name] if name not in reading.concepts[i])


def _openings(reading: Reading) -> Iterator[tuple[int, tuple[str, ...]]]:
    """How a sentence begins, and whether it asks: "Can a", "Is the" and "My" are different matters."""
    for sentence in redflag_reading.spans(reading.sentence):
        i = sentence.start
        yield i, (f"^{reading.words[i]}", *(["?"] if reading.sentence[i] in reading.asked else []))


def _evidence(reading: Reading) -> Iterator[tuple[int, tuple[str, ...]]]:
    for rule, match in reading.hits:
        yield max(match), (f"!{rule.tier}", f"!{rule.name}")


def _grams(said: Sequence[str], i: int) -> Iterator[str]:
    """The word with the one before it, with the two before it, and with the one before that."""
    if i:
        yield f"{said[i - 1]} {said[i]}"
    if i > 1:
        yield f"{said[i - 2]} _ {said[i]}"
        yield f"{said[i - 2]} {said[i - 1]} {said[i]}"


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


HINTS = _load_hints(Path(__file__).with_name("redflag_hints.toml"))
SIGNS = {sign.name for sign in RULES.signs}
