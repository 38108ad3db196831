"""Reads the turns of a message into words, clauses and sentences, and says which concepts each word stands for."""

import operator
import re
import unicodedata
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, pairwise

from lib import redflag_rules
from lib.memo import Memo
from lib.redflag_rules import RULES, Pattern

OPENING, CLOSING = "\x01", "\x02"
# Each alternative begins with its mark, as these can be looked for at once; what stands before it is looked at afterwards.
QUOTE = re.compile(
    r""" "(?<!\w")([^"\n]{8,400})" | “(?<!\w“)([^“”\n]{8,400})” | «(?<!\w«)([^«»\n]{8,400})» | „(?<!\w„)([^„“”"\n]{8,400})[“”"]
    | '(?<!\w')((?:[^'’\n]|(?<=\w)['’](?=\w)){8,400})['’](?!\w) | ‘(?<!\w‘)((?:[^'’\n]|(?<=\w)['’](?=\w)){8,400})['’](?!\w)""",
    re.VERBOSE)
TOKEN = re.compile(r"[\x01\x02]|\d+(?:[.,]\d+)?|[^\W\d_]+(?:['’‘`´ʼ][^\W\d_]+)*|[.!?;…]|[,:()–—]")
APOSTROPHE = re.compile(r"['’‘`´ʼ]")
WORDLESS = dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "") | {"🩸": " blood ", "🆘": " emergency "}
NEGATIONS = {"negator", "denies", "negator_after"}
NEVER_MASKED = {"pack", "overdose", "hypo", "remedy", "anticoagulant"}
LONGEST_KEPT = 40
DOTTED = re.compile(r"\b([^\W\d_])\.\s?([^\W\d_])\.(?!\w)")
TWO_DOTS = re.compile(r"\.\s?\w\.")
FRACTURE = re.compile(r"#(?!\s?\d)")
ANSWERED = re.compile(r"\?\s*(?=(?:none|no|nope|nein|keine?r?|non|nada)[.,!]?(?:\s|$))", re.IGNORECASE)


# The words of a part as they are written, folded, and with what they mean; and the mark that ends it.
Part = tuple[tuple[str, ...], tuple[str, ...], tuple[frozenset[str], ...], str]


@dataclass
class Reading:
    """The words of all turns in one row; `places` says where each concept stands, and once what is not said of a patient now has
    been taken back (`muted`), where it is affirmed.

    `asked` holds the sentences that end with a question mark, `hits` the rules that match and the words they match, `bound` the
    words that are part of a sign ("can't" of "can't breathe"), `quoted` those between quotation marks.
    """

    words: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    sentence: list[int] = field(default_factory=list)
    clause: list[int] = field(default_factory=list)
    last_turn: int = 0
    concepts: list[frozenset[str]] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=dict)
    muted: set[int] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)
    bound: set[int] = field(default_factory=set)
    quoted: set[int] = field(default_factory=set)
    hits: list[tuple[Pattern, tuple[int, ...]]] = field(default_factory=list)

    def close(self, sentence: int, clause: int) -> None:
        """The words since the last one so closed are of this clause."""
        more = len(self.words) - len(self.clause)
        self.sentence += [sentence] * more
        self.clause += [clause] * more

    def affirmed(self, span: range) -> list[str]:
        return [self.words[i] for i in span if i not in self.muted]

    def place(self) -> None:
        """Finds where each concept stands."""
        places: dict[str, list[int]] = defaultdict(list)
        for i, names in enumerate(self.concepts):
            for name in names:
                places[name].append(i)
        self.places = places

    def where(self, concept: str) -> Sequence[int]:
        return self.places.get(concept, ())

    def mean(self, i: int, names: frozenset[str]) -> None:
        """A word turns out to mean something else."""
        self.take_back(i, self.concepts[i] - names)
        for name in names - self.concepts[i]:
            insort(self.places.setdefault(name, []), i)
        self.concepts[i] = names

    def take_back(self, i: int, names: Iterable[str]) -> None:
        """The word keeps what it means, and these are not affirmed."""
        for name in names:
            row = self.places[name]
            del row[bisect_left(row, i)]
            if not row:
                del self.places[name]

    def span_of(self, sentence: int) -> range:
        return range(bisect_left(self.sentence, sentence), bisect_right(self.sentence, sentence))

    def names(self, span: range) -> set[str]:
        return set().union(*self.concepts[span.start:span.stop])


def read(turns: Sequence[str]) -> Reading:
    reading = Reading()
    shown, words, concepts = reading.shown, reading.words, reading.concepts
    sentence = clause = opened = 0
    for turn in turns:
        reading.last_turn = len(words)
        sentence, clause = sentence + 1, clause + 1
        for written, folded, meant, mark in chain.from_iterable(map(SPLIT.__getitem__, _spelt_out(turn).split())):
            shown += written
            words += folded
            concepts += meant
            if not mark:
                continue
            if mark == OPENING:
                opened = len(words)
            elif mark == CLOSING:
                reading.quoted.update(range(opened, len(words)))
            else:
                reading.close(sentence, clause)
                if mark == "?":
                    reading.asked.add(sentence)
                clause += 1
                sentence += mark in ".!?;…"
        reading.close(sentence, clause)
    _mark(reading)
    return reading


def _split(chunk: str) -> tuple[Part, ...]:
    """What stands between two spaces, cut after each mark; words are as they are written, folded, and with what they mean."""
    if chunk == "-":
        return ((), (), (), chunk),
    parts, shown = [], list[str]()
    for piece in (*TOKEN.findall(chunk), ""):
        if piece[:1].isalnum():
            shown += _pieces(piece)
        elif piece or shown:
            words = tuple(map(redflag_rules.fold, shown))
            parts.append((tuple(shown), words, tuple(map(redflag_rules.concepts_of, words)), piece))
            shown = []
    return tuple(parts)


SPLIT = Memo(_split, is_kept=lambda chunk: len(chunk) <= LONGEST_KEPT)


def _spelt_out(turn: str) -> str:
    """Staff write "mandible #" for a fracture, "bleeding ++" for much of it, dots within "k.o.", "swelling? none", and a sentence
    in each line."""
    plain = turn if turn.isascii() else unicodedata.normalize("NFKC", _without_marks(turn))
    if "?" in plain:
        plain = ANSWERED.sub(" ", plain)
    plain = QUOTE.sub(lambda found: f"{OPENING}{found[found.lastindex or 0]}{CLOSING}", plain)
    if "#" in plain:
        plain = FRACTURE.sub(" fracture ", plain)
    if TWO_DOTS.search(plain):
        plain = DOTTED.sub(r"\1\2 ", plain)
    return plain.replace("++", " severely ").replace("\n", " ; ")


def _without_marks(turn: str) -> str:
    for mark, word in WORDLESS.items():
        turn = turn.replace(mark, word)
    return turn


def spans(groups: Sequence[int], within: range | None = None) -> Iterator[range]:
    """The runs of words of the same clause or sentence."""
    within = within if within is not None else range(len(groups))
    row = groups[within.start:within.stop]
    starts = [*compress(range(within.start + 1, within.stop), map(operator.ne, row, row[1:]))]
    return map(range, (within.start, *starts), (*starts, within.stop)) if row else iter(())


def _pieces(token: str) -> list[str]:
    """English contractions stay one word ("can't" is "cant"), French elisions become two ("l'œil" is "l oeil")."""
    plain = APOSTROPHE.sub("'", token)
    return [plain.replace("'", "")] if plain.lower().endswith("n't") else plain.split("'")


def _mark(reading: Reading) -> None:
    reading.place()
    for i in _mark_phrases(reading):
        reading.mean(i, reading.concepts[i] & NEVER_MASKED)
    _drop_names(reading)
    _drop_what_the_next_word_changes(reading)
    _split_at_conjunctions(reading)


def _mark_phrases(reading: Reading) -> set[int]:
    """Marks the last word of each phrase; returns the words of phrases that only look like a sign ("blood pressure")."""
    masked = set(reading.where("mask"))
    phrases, words = RULES.lexicon.phrases, reading.words
    pairs = [*pairwise(words)]
    for i in compress(range(len(pairs)), map(phrases.__contains__, pairs)):
        for tail, concept in phrases[pairs[i]]:
            end = i + 1 + len(tail)
            if (tail and tuple(words[i + 2:end + 1]) != tail) or reading.sentence[end] != reading.sentence[i]:
                continue
            if concept == "mask":
                masked.update(range(i, end + 1))
            else:
                reading.mean(end, reading.concepts[end] | {concept})
                reading.bound.update(range(i, end + (concept not in NEGATIONS)))
    return masked


def _drop_names(reading: Reading) -> None:
    """Frau Blut is a name, and so are both words of "señora Dolores Sangrador"; "meine Frau blutet" is none.

    In German every noun has a capital: of "Frau Schmidt Atemnot" only the first is a name."""
    german = {*reading.where("title_de")}
    for i in [*reading.where("title")]:
        following = i + 1
        if following == len(reading.words) or (i and "possessive" in reading.concepts[i - 1]) or _addressed(reading, i):
            continue
        names_at_most = 1 if i in german else 2
        for k in range(following, min(following + names_at_most, len(reading.words))):
            if not reading.shown[k].istitle() or reading.clause[k] != reading.clause[following]:
                break
            reading.mean(k, frozenset())
            reading.words[k] = ""  # nor are its letters those of a sign


def _addressed(reading: Reading, i: int) -> bool:
    """ "Monsieur, saignement": after a comma no name follows, after the dot of "Dr." one does."""
    return reading.clause[i + 1] != reading.clause[i] and reading.sentence[i + 1] == reading.sentence[i]


def _drop_what_the_next_word_changes(reading: Reading) -> None:
    """ "20 ibuprofen" is a number of tablets, "20 minutes" is none; "it has gone" is over, "he has gone pale" is not."""
    for name, changing in RULES.not_before.items():
        for i in {*reading.where(name)}.intersection(i - 1 for i in reading.where(changing)):
            reading.mean(i, reading.concepts[i] - {name})


def _split_at_conjunctions(reading: Reading) -> None:
    starts = reading.where("conjunction")
    for breaks, (start, stop) in enumerate(pairwise((*starts, len(reading.words))), 1):
        reading.clause[start:stop] = [clause + breaks for clause in reading.clause[start:stop]]
