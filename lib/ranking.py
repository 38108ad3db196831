"""Which of some articles a question is about, and how surely: by their names, keywords and texts, in memory.

A name counts when the question has all its words (of a long name two at least, and most of their weight), however they are
inflected, mistyped or translated. Words that few articles are named for weigh most.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Generic, Protocol, TypeVar

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA, JaroWinkler

from lib.question_words import (
    ASKING,
    ELSEWHERE,
    EVERYDAY,
    IDLE,
    IDLE_IN_OWN,
    OWN_MATTERS,
    RULING,
    SAME,
    WELL_KNOWN,
    WORD,
    YIELDS,
    fold,
    split,
    stems,
)

MOST_WORDS = 40  # a longer story has many matters
TYPO_LENGTH = 5  # of the word that was meant
SHORTEST_TYPED = 4
TYPO_LETTERS = 2  # more or fewer
TYPO_SCORE = 0.915  # "gingivits" passes, "brakes" for braces does not
SHORT = 7  # letters, up to which none is taken for another
LONG_IDLE = sorted(word for word in IDLE if len(word) >= SHORT)
SAME_NAME = 92  # of 100: a letter or two of a name
NAMED, KEYED, TOLD = 1.0, 0.8, 0.5  # what a word explains that stands in a name, a keyword or only in the text
STRANGE = 1.0  # the weight of a word that no article has
FAR = 2.0  # how much more it weighs if it names a knee or a cat
WHOLE_ENOUGH = 0.6  # the share of a long name that must be there
TITLED = 0.1  # what a word adds for standing in the title: of two articles that share a name
SHORTENED = 0.9  # a name without the words that any question has: "implant care" is not just an implant
COMMON = 0.7  # a name of everyday words only, such as food and teeth, is in many a question
FOREMOST = 2.0  # what a word adds that rules, to an article with a name for it: insurance, whatever it is to cover
BESIDE = 0.5  # what the words beside the best name add
QUIET = EVERYDAY | OWN_MATTERS  # what asks nothing of an article that does not know it


_stems = lru_cache(maxsize=30_000)(stems)  # of an article's word; those of questions are not kept


class Listed(Protocol):
    """What can be ranked: an article of the knowledge base, or one of the clinic's own. It may have `keywords` too."""

    @property
    def title(self) -> str: ...
    @property
    def other_names(self) -> Sequence[str]: ...
    @property
    def body(self) -> str: ...


T = TypeVar("T", bound=Listed)


@dataclass(frozen=True)
class Match(Generic[T]):
    """`asked` is what each word of the question weighs for this article, `explained` how much of that it explains. `named` is
    what its best name weighs, `weight` that and all else it explains."""

    article: T
    named: float
    weight: float
    asked: Mapping[str, float]
    explained: Mapping[str, float]

    @property
    def sure(self) -> float:
        """The share of the question that the article explains, from 0 to 1."""
        return math.fsum(self.explained.values()) / (math.fsum(self.asked.values()) or 1)

    def sure_with(self, other: "Match[T]") -> float:
        """The share that the two explain together: a question may have two matters."""
        asked = {word: min(one.asked[word] for one in (self, other) if word in one.asked) for word in {*self.asked, *other.asked}}
        explained = (max(self.explained.get(word, 0), other.explained.get(word, 0)) for word in asked)
        return math.fsum(explained) / (math.fsum(asked.values()) or 1)


@dataclass(frozen=True)
class _Entry(Generic[T]):
    """The stems of an article. `names` says of each name how much of its weight it has. The text is read when it is needed."""

    article: T
    title: frozenset[str]
    names: Mapping[frozenset[str], float]
    named: frozenset[str]
    keyed: frozenset[str]
    silent: Collection[str]

    @cached_property
    def told(self) -> frozenset[str]:
        return frozenset(_words(self.article.body, self.silent))

    @property
    def words(self) -> frozenset[str]:
        return self.named | self.keyed | self.told

    def explains(self, word: str) -> float:
        if word in self.named:
            return NAMED
        return KEYED if word in self.keyed else TOLD if word in self.told else 0


class Index(Generic[T]):
    """Articles made ready to be ranked: the `general` ones, or the few of one clinic, whose words weigh what they weigh there."""

    def __init__(self, articles: Iterable[T], general: "Index[Any] | None" = None) -> None:
        articles = list(articles)
        self.silent = IDLE if general is None else _silent_in_own(articles)
        self.entries = [_entry(article, self.silent) for article in articles]
        self.named = frozenset[str]().union(*(entry.named for entry in self.entries))
        self.weights: Mapping[str, float] = _weights(self.entries) if general is None else {
            word: weight for word, weight in general.weights.items() if word in general.named}
        known = [entry.named | entry.keyed if general else entry.words for entry in self.entries]
        self.known: frozenset[str] = (general.known if general else frozenset()).union(*known)
        self.spellings = _spellings(self.entries)
        self.spelt = sorted({fold(word) for words in self.spellings.values() for word in words if len(word) >= TYPO_LENGTH})
        self.written = frozenset(self.spelt)
        self.names = {" ".join(split(name)): entry.article for entry in self.entries for name in _names(entry.article)}
        self.idle = {name: article for name, article in self.names.items() if IDLE.issuperset(name.split())}

    def read(self, question: str) -> list[str]:
        """The stem of every word, mistyped ones put right, and "" in the place of those that say nothing of the matter."""
        return [read for word in self._joined(split(question)) for read in self._read(word)]

    def ranked(self, words: Sequence[str]) -> list[Match[T]]:
        """The articles that have a name in the question, the best first."""
        asked = frozenset(words) - {""}
        if len(asked) > MOST_WORDS:
            return []
        matches = [self._match(entry, asked) for entry in self.entries if not asked.isdisjoint(entry.named)]
        return sorted((match for match in matches if match.named), key=lambda match: -match.weight)

    def called(self, question: str) -> T | None:
        """The article whose title or other name the question is, but for a letter or two."""
        near = process.extractOne(" ".join(split(question)), self.names.keys(), scorer=fuzz.ratio, score_cutoff=SAME_NAME)
        return self.names[near[0]] if near else None

    def on(self, word: str) -> T | None:
        """The article with a name that says this and no more: a price list is on all prices."""
        return next((entry.article for entry in self.entries if frozenset([word]) in entry.names), None)

    def mentioned(self, question: str) -> T | None:
        """The article with a name in the question that has no word of its own: "what to bring"."""
        text = f" {' '.join(split(question))} "
        return next((article for name, article in self.idle.items() if f" {name} " in text), None)

    def spelled(self, words: Iterable[str]) -> list[str]:
        """The stems as the names and keywords write them, for a full-text search."""
        return sorted({spelling for word in words for spelling in self.spellings.get(word, [word])} - {""})

    def _joined(self, words: Sequence[str]) -> list[str]:
        """Many write "tooth ache" and "check up" for what the articles call a toothache and a check-up."""
        joined = list(words[:1])
        for word in words[1:]:
            both = joined[-1] + word
            if both in self.written or both in SAME:
                joined[-1] = both
            else:
                joined.append(word)
        return joined

    def _read(self, word: str) -> tuple[str, ...]:
        if word in self.silent or len(word) == 1 or word.isdecimal():
            return ("",)
        read = stems(word)
        if len(word) < SHORTEST_TYPED or not self.known.isdisjoint(read) or not WELL_KNOWN.isdisjoint(read):
            return read
        close = process.extract(word, self.spelt, scorer=JaroWinkler.similarity, score_cutoff=TYPO_SCORE, limit=5)
        meant = next((stems(known) for known, _score, _place in close if _may_be(known, word)), None)
        return meant or (("",) if _is_idle_mistyped(word) else read)

    def _match(self, entry: _Entry[T], words: frozenset[str]) -> Match[T]:
        touched = [name for name in entry.names if not name.isdisjoint(words)]
        named, name = max(((self._named(name, words) * entry.names[name], name) for name in touched),
                          default=(0.0, frozenset[str]()), key=lambda found: found[0])
        explained = {word: self._weight(word) * how_well for word in words if (how_well := entry.explains(word))}
        beside = math.fsum(weight for word, weight in explained.items() if word not in name)
        titled = math.fsum(weight for word, weight in explained.items() if word in entry.title)
        foremost = 0 if RULING.isdisjoint(words & entry.named) else FOREMOST
        asked = self._asked(entry, words, explained)
        return Match(entry.article, named, named + BESIDE * beside + TITLED * titled + foremost, asked, explained)

    def _asked(self, entry: _Entry[T], words: frozenset[str], explained: Mapping[str, float]) -> dict[str, float]:
        """Everyday words ask nothing of an article that does not know them, and those of another world all the more. A matter
        that stands beside a sign the article is named for asks nothing either: a tooth broken at sport."""
        named = entry.named & words
        aside = QUIET.union(matter for matter in words & YIELDS.keys() if not YIELDS[matter].isdisjoint(named))
        return {word: self._weight(word) * (FAR if word in ELSEWHERE and word not in explained else 1)
                for word in words if word in explained or word not in aside}

    def _named(self, name: frozenset[str], words: frozenset[str]) -> float:
        there = name & words
        if len(there) < (min(len(name), 2) or 1):
            return 0
        weight = math.fsum(map(self._weight, there))
        share = weight / math.fsum(map(self._weight, name))
        return weight * share ** 2 * (COMMON if name <= EVERYDAY else 1) if share >= WHOLE_ENOUGH else 0

    def _weight(self, word: str) -> float:
        return self.weights.get(word, STRANGE)


def _entry(article: T, silent: Collection[str]) -> _Entry[T]:
    names: dict[frozenset[str], float] = {}
    for name in _names(article):
        stemmed = frozenset(_words(name, silent))
        whole = name == article.title or ASKING.isdisjoint(split(name))
        if whole or len(stemmed) > 1 or not stemmed <= EVERYDAY:
            names[stemmed] = max(names.get(stemmed, 0), 1 if whole else SHORTENED)
    title, named = (frozenset(_words(text, silent)) for text in (article.title, " ".join(_names(article))))
    return _Entry(article, title, names, named, frozenset(_words(" ".join(_keywords(article)))), silent)


def _silent_in_own(articles: Iterable[Listed]) -> frozenset[str]:
    """A name that says no more than "clinic policies" is known by these words."""
    names = [split(name) for article in articles for name in _names(article)]
    known_by = {word for words in names if IDLE_IN_OWN.issuperset(words) for word in words}
    return IDLE_IN_OWN - (known_by - IDLE)


def _words(text: str, silent: Collection[str] = IDLE) -> list[str]:
    words = [word for word in split(text) if word not in silent and len(word) > 1 and not word.isdecimal()]
    return [stemmed for word in words for stemmed in _stems(word)]


def _names(article: Listed) -> list[str]:
    """With and without their hyphens."""
    names = [article.title, *article.other_names]
    return names + [name.replace("-", "") for name in names if "-" in name]


def _keywords(article: Listed) -> Sequence[str]:
    return getattr(article, "keywords", ())


def _may_be(known: str, typed: str) -> bool:
    """The first letter is seldom mistyped, and of a short word none is another: "cancel" is no "cancer"."""
    more = abs(len(known) - len(typed))
    if known[0] != typed[0] or more > TYPO_LETTERS or known in IDLE:
        return False
    return len(typed) > SHORT or more == 1 or sorted(known) == sorted(typed)


def _is_idle_mistyped(word: str) -> bool:
    """"Actualy", "recomended": of a long word that says nothing of the matter, but for one letter."""
    return len(word) >= SHORT and process.extractOne(word, LONG_IDLE, scorer=OSA.distance, score_cutoff=1) is not None


def _spellings(entries: Iterable[_Entry[T]]) -> dict[str, set[str]]:
    """How the names and keywords write each stem, with accents and endings."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for word in WORD.findall(" ".join([*_names(entry.article), *_keywords(entry.article)]).lower()):
            if fold(word) not in IDLE and len(word) > 1:
                for stemmed in _stems(fold(word)):
                    spellings[stemmed].add(word)
    return dict(spellings)


def _weights(entries: Sequence[_Entry[T]]) -> dict[str, float]:
    """1 for the name of one article only, next to nothing for a word of all."""
    named = Counter(word for entry in entries for word in entry.named)
    known = Counter(word for entry in entries for word in entry.words)
    everything = math.log(len(entries) + 1)
    return {word: math.log((len(entries) + 1) / (named[word] or count)) / everything for word, count in known.items()}

