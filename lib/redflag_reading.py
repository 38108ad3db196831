"""Reads the turns of a message into words, clauses and sentences, and says which concepts each word stands for."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lib import redflag_rules
from lib.redflag_rules import RULES, Pattern

OPENING, CLOSING = "\x01", "\x02"
QUOTE = re.compile(
    r"""(?<!\w)(?:"([^"\n]{8,400})"|“([^“”\n]{8,400})”|«([^«»\n]{8,400})»|„([^„“”"\n]{8,400})[“”"]"""
    r"""|['‘]((?:[^'’\n]|(?<=\w)['’](?=\w)){8,400})['’](?!\w))""")
QUOTE_MARKS = frozenset("\"“«„'‘")
TOKEN = re.compile(r"[\x01\x02]|\d+(?:[.,]\d+)?|[^\W\d_]+(?:['’‘`´ʼ][^\W\d_]+)*|[.!?;…\n]|[,:()–—]|(?<=\s)-(?=\s)")
APOSTROPHE = re.compile(r"['’‘`´ʼ]")
WORDLESS = dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "") | {"🩸": " blood ", "🆘": " emergency "}
UNUSUAL = re.compile(f"[{''.join(WORDLESS)}]")
NEGATIONS = {"negator", "denies", "negator_after"}
NEVER_MASKED = {"pack", "overdose", "hypo", "remedy", "anticoagulant"}
DOTTED = re.compile(r"\b([^\W\d_])\.\s?([^\W\d_])\.(?!\w)")
TWO_DOTS = re.compile(r"\.\s?\w\.")
FRACTURE = re.compile(r"#(?!\s?\d)")
ANSWERED = re.compile(r"\?\s*(?=(?:none|no|nope|nein|keine?r?|non|nada)[.,!]?(?:\s|$))", re.IGNORECASE)


@dataclass
class Reading:
    """The words of all turns in one row; `places` says where each concept was affirmed, `muted` what was taken back.

    `asked` holds the sentences that end with a question mark, `hits` the rules that match and the words they match, `bound` the
    words that are part of a sign ("can't" of "can't breathe"), `quoted` those between quotation marks.
    """

    words: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    sentence: list[int] = field(default_factory=list)
    clause: list[int] = field(default_factory=list)
    last_turn: int = 0
    concepts: list[frozenset[str]] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    muted: set[int] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)
    bound: set[int] = field(default_factory=set)
    quoted: set[int] = field(default_factory=set)
    hits: list[tuple[Pattern, tuple[int, ...]]] = field(default_factory=list)

    def affirmed(self, span: range) -> list[str]:
        return [self.words[i] for i in span if i not in self.muted]

    def names(self, span: range) -> set[str]:
        return set().union(*self.concepts[span.start:span.stop])


def read(turns: Sequence[str]) -> Reading:
    reading = Reading()
    placed: list[tuple[str, int, int]] = []
    sentence = clause = opened = 0
    for turn in turns:
        reading.last_turn = len(placed)
        sentence, clause = sentence + 1, clause + 1
        for piece in TOKEN.findall(_spelt_out(turn)):
            if piece.isalnum():
                placed.append((piece, sentence, clause))
            elif piece[0].isalnum():
                placed += [(part, sentence, clause) for part in _pieces(piece)]
            elif piece == OPENING:
                opened = len(placed)
            elif piece == CLOSING:
                reading.quoted.update(range(opened, len(placed)))
            else:
                if piece == "?":
                    reading.asked.add(sentence)
                clause += 1
                sentence += piece in ".!?;…\n"
    if placed:
        reading.shown, reading.sentence, reading.clause = map(list, zip(*placed, strict=True))
        reading.words = [*map(redflag_rules.fold, reading.shown)]
        _mark(reading)
    return reading


def _spelt_out(turn: str) -> str:
    """Staff write "mandible #" for a fracture, "bleeding ++" for much of it, dots within "k.o.", and "swelling? none"."""
    plain = turn if turn.isascii() else unicodedata.normalize("NFKC", UNUSUAL.sub(lambda found: WORDLESS[found[0]], turn))
    if "?" in plain:
        plain = ANSWERED.sub(" ", plain)
    if not QUOTE_MARKS.isdisjoint(plain):
        plain = QUOTE.sub(lambda found: f"{OPENING}{found[found.lastindex or 0]}{CLOSING}", plain)
    if "#" in plain:
        plain = FRACTURE.sub(" fracture ", plain)
    if TWO_DOTS.search(plain):
        plain = DOTTED.sub(r"\1\2 ", plain)
    return plain.replace("++", " severely ")


def spans(groups: Sequence[int], within: range | None = None) -> Iterator[range]:
    """The runs of words of the same clause or sentence."""
    within = within if within is not None else range(len(groups))
    start = within.start
    for i in within:
        if i + 1 == within.stop or groups[i + 1] != groups[i]:
            yield range(start, i + 1)
            start = i + 1


def _pieces(token: str) -> list[str]:
    """English contractions stay one word ("can't" is "cant"), French elisions become two ("l'œil" is "l oeil")."""
    plain = APOSTROPHE.sub("'", token)
    return [plain.replace("'", "")] if plain.lower().endswith("n't") else plain.split("'")


def _mark(reading: Reading) -> None:
    known = {word: redflag_rules.concepts_of(word) for word in set(reading.words)}
    reading.concepts = [known[word] for word in reading.words]
    for i in _mark_phrases(reading):
        reading.concepts[i] &= NEVER_MASKED
    _drop_names(reading)
    _drop_what_the_next_word_changes(reading)
    _split_at_conjunctions(reading)


def _mark_phrases(reading: Reading) -> set[int]:
    """Marks the last word of each phrase; returns the words of phrases that only look like a sign ("blood pressure")."""
    masked: set[int] = set()
    phrases = RULES.lexicon.phrases
    for i, pair in enumerate(zip(reading.words, reading.words[1:], strict=False)):
        for tail, concept in phrases.get(pair, ()):
            end = i + 1 + len(tail)
            if tuple(reading.words[i + 2:end + 1]) != tail or reading.sentence[end] != reading.sentence[i]:
                continue
            if concept == "mask":
                masked.update(range(i, end + 1))
            else:
                reading.concepts[end] |= {concept}
                reading.bound.update(range(i, end + (concept not in NEGATIONS)))
    return masked | {i for i, names in enumerate(reading.concepts) if "mask" in names}


def _drop_names(reading: Reading) -> None:
    """Frau Blut is a name, and so are both words of "señora Dolores Sangrador"; "meine Frau blutet" is none.

    In German every noun has a capital: of "Frau Schmidt Atemnot" only the first is a name."""
    for i, names in enumerate(reading.concepts[:-1]):
        if "title" in names and not (i and "possessive" in reading.concepts[i - 1]) and not _addressed(reading, i):
            names_at_most = 1 if "title_de" in names else 2
            for k in range(i + 1, min(i + 1 + names_at_most, len(reading.words))):
                if not reading.shown[k].istitle() or reading.clause[k] != reading.clause[i + 1]:
                    break
                reading.concepts[k] = frozenset()
                reading.words[k] = ""  # nor are its letters those of a sign


def _addressed(reading: Reading, i: int) -> bool:
    """ "Monsieur, saignement": after a comma no name follows, after the dot of "Dr." one does."""
    return reading.clause[i + 1] != reading.clause[i] and reading.sentence[i + 1] == reading.sentence[i]


def _drop_what_the_next_word_changes(reading: Reading) -> None:
    """ "20 ibuprofen" is a number of tablets, "20 minutes" is none; "it has gone" is over, "he has gone pale" is not."""
    for i, names in enumerate(reading.concepts[:-1]):
        for name in names:
            if name in RULES.not_before and RULES.not_before[name] in reading.concepts[i + 1]:
                reading.concepts[i] -= {name}


def _split_at_conjunctions(reading: Reading) -> None:
    breaks = 0
    for i, names in enumerate(reading.concepts):
        breaks += "conjunction" in names
        reading.clause[i] += breaks
