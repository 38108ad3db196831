"""The rule file of redflags: concepts (words that mean the same), frames (concepts that say who or when is spoken of),
signs (concepts that together mean a concept) and rules (concepts that together mean a tier).

Words are looked up in dictionaries, so the time grows with the length of a message only.
"""

import re
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l"})
HELD_DOWN = re.compile(r"([^\W\d_])\1{4,}")
EVERYWHERE = 1_000_000
TYPO_LENGTHS = range(5, 17)


@dataclass(frozen=True)
class Pattern:
    """Concepts in a fixed order with at most `reach` words between two, or in any order within `reach` words.

    `unless` excuses it in its sentence, `absent` anywhere in the message. A `weak` rule, a bare noun, decides only where its
    clause says "now" or "my patient"; a `published` one at any length of message where its sentence says who and now.
    """

    name: str
    tier: str
    category: str
    parts: tuple[tuple[str, ...], ...]
    ordered: bool
    reach: int
    barrier: str
    unless: tuple[str, ...]
    absent: tuple[str, ...]
    weak: bool
    published: bool


@dataclass(frozen=True)
class Lexicon:
    exact: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    prefixes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    inner: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    phrases: dict[tuple[str, str], list[tuple[tuple[str, ...], str]]] = field(default_factory=lambda: defaultdict(list))
    typos: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True)
class RuleSet:
    version: str
    lexicon: Lexicon
    inner: re.Pattern[str]
    lengths: range
    not_typos: frozenset[str]
    negatable: frozenset[str]
    live: frozenset[str]
    detached: frozenset[str]
    neutral: frozenset[str]
    serious: frozenset[str]
    pressing: frozenset[str]
    errands: frozenset[str]
    frames_everywhere: frozenset[str]
    question_verbs: frozenset[str]
    conditionals: frozenset[str]
    telling: frozenset[str]
    pronouns: frozenset[str]
    determiners: frozenset[str]
    near_ones: frozenset[str]
    wondering: frozenset[str]
    requests: Mapping[str, Mapping[str, list[list[str]]]]
    not_before: Mapping[str, str]
    frames: tuple[Pattern, ...]
    signs: tuple[Pattern, ...]
    rules: tuple[Pattern, ...]


@lru_cache(maxsize=20_000)
def fold(word: str) -> str:
    """Lower case without accents; of a key that was leant on ("heeeeelp") one letter."""
    lowered = HELD_DOWN.sub(r"\1", word.lower())
    if lowered.isascii():
        return lowered
    return "".join(c for c in unicodedata.normalize("NFKD", lowered.translate(LIGATURES)) if not unicodedata.combining(c))


@lru_cache(maxsize=20_000)
def concepts_of(word: str) -> frozenset[str]:
    """What a folded word means."""
    lexicon = RULES.lexicon
    found = set(lexicon.exact.get(word, ()))
    for length in RULES.lengths:
        if length > len(word):
            break
        found |= lexicon.prefixes.get(word[:length], set())
    for match in RULES.inner.finditer(word):
        found |= lexicon.inner[match.group()]
    return frozenset(found or _concepts_of_typo(word))


def _concepts_of_typo(word: str) -> set[str]:
    """One letter added, lost, swapped or wrong: both words are the same after dropping one letter."""
    if len(word) not in TYPO_LENGTHS or word in RULES.not_typos:
        return set()
    return {name for key in _shortened(word) for name in RULES.lexicon.typos.get(key, ())}


def _shortened(word: str) -> set[str]:
    """The first letter stays: people mistype it least, and "wallow" is not "swallow"."""
    return {word} | {word[:i] + word[i + 1:] for i in range(1, len(word))}


def _load(path: Path) -> RuleSet:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    lexicon = _lexicon(data)
    return RuleSet(
        version=data["version"],
        lexicon=lexicon,
        inner=re.compile("|".join(sorted(map(re.escape, lexicon.inner), key=len, reverse=True))),
        lengths=range(min(map(len, lexicon.prefixes)), max(map(len, lexicon.prefixes)) + 1),
        not_typos=frozenset(map(fold, data["not_typos"].split())),
        negatable=frozenset(data["negatable"].split()),
        live=frozenset(data["live"].split()),
        detached=frozenset(data["detached"].split()),
        neutral=frozenset(data["neutral"].split()),
        serious=frozenset(data["serious"].split()),
        pressing=frozenset(data["pressing"].split()),
        errands=frozenset(data["errands"].split()),
        frames_everywhere=frozenset(data["frames_everywhere"].split()),
        question_verbs=frozenset(map(fold, data["question_verbs"].split())),
        conditionals=frozenset(data["conditionals"].split()),
        telling=frozenset(map(fold, data["telling"].split())),
        pronouns=frozenset(map(fold, data["pronouns"].split())),
        determiners=frozenset(data["determiners"].split()),
        near_ones=frozenset(map(fold, data["near_ones"].split())),
        wondering=frozenset(data["wondering"].split()),
        requests=_requests(data["requests"]),
        not_before=data["not_before"],
        frames=tuple(_pattern(row) for row in data["frames"]),
        signs=tuple(_pattern(row) for row in data["signs"]),
        rules=tuple(_rules(data["rules"])),
    )


def _lexicon(data: Mapping[str, Any]) -> Lexicon:
    lexicon = Lexicon()
    for concept, terms in data["concepts"].items():
        for term in terms.split():
            _learn(lexicon, concept, fold(term))
    for concept, terms in data["typos"].items():
        for term in terms.split():
            for key in _shortened(fold(term)):
                lexicon.typos[key].add(concept)
    return lexicon


def _learn(lexicon: Lexicon, concept: str, term: str) -> None:
    """A term is a word, the start of one (swell*), a part of one (*schwoll*) or a phrase (left_arm)."""
    if term.startswith("*"):
        lexicon.inner[term.strip("*")].add(concept)
    elif term.endswith("*"):
        lexicon.prefixes[term[:-1]].add(concept)
    elif "_" in term:
        first, second, *tail = term.split("_")
        lexicon.phrases[first, second].append((tuple(tail), concept))
    else:
        lexicon.exact[term].add(concept)


def _requests(terms: str) -> Mapping[str, Mapping[str, list[list[str]]]]:
    """By their first word and their second ("" where it is the only one) the words that follow."""
    phrases: dict[str, dict[str, list[list[str]]]] = defaultdict(lambda: defaultdict(list))
    for term in map(fold, terms.split()):
        first, second, *tail = [*term.split("_"), ""]
        phrases[first][second].append(tail[:-1])
    return {first: dict(tails) for first, tails in phrases.items()}


def _rules(tiers: Mapping[str, Mapping[str, Iterable[Mapping[str, Any]]]]) -> Iterator[Pattern]:
    for tier, categories in tiers.items():
        for category, rows in categories.items():
            for row in rows:
                yield _pattern(row, tier, category)


def _pattern(row: Mapping[str, Any], tier: str = "", category: str = "") -> Pattern:
    ordered = "order" in row
    return Pattern(
        name=row["name"],
        tier=tier,
        category=category,
        parts=tuple(tuple(part.split("|")) for part in (row["order"] if ordered else row["near"])),
        ordered=ordered,
        reach=row.get("reach", 3 if ordered else EVERYWHERE),
        barrier=row.get("barrier", ""),
        unless=tuple(row.get("unless", ())),
        absent=tuple(row.get("absent", ())),
        weak=row.get("weak", False),
        published=row.get("published", False),
    )


RULES = _load(Path(__file__).with_name("redflags.toml"))
