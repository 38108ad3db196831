"""Finds danger signs in a message, in English, Spanish, French and German, without asking anyone else.

The signs live in redflags.toml: concepts (words that mean the same), signs (concepts that together mean a concept) and
rules (concepts that together mean a tier). Words are looked up in dictionaries, so the time grows with the length only.
"""

import re
import tomllib
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOKEN = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_]+(?:['’‘`´ʼ][^\W\d_]+)*|[.!?;…\n]|[,:()–—]")
APOSTROPHE = re.compile(r"['’‘`´ʼ]")
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l"})
EVERYWHERE = 1_000_000
NEVER_MASKED = {"pack", "overdose"}
SHORT_FOLLOW_UP = 15
NEGATION_REACH = 5
LIST_REACH = 16


@dataclass(frozen=True)
class Finding:
    tier: str
    category: str
    rule: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """`tier` is "E" (call now), "U" (dentist today) or None; `version` names the rule set that judged."""

    tier: str | None
    findings: tuple[Finding, ...]
    version: str


@dataclass(frozen=True)
class Pattern:
    """Concepts in a fixed order with at most `gap` words between, or in any order within `reach` words."""

    name: str
    tier: str
    category: str
    parts: tuple[tuple[str, ...], ...]
    ordered: bool
    reach: int
    barrier: str
    unless: tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    exact: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    prefixes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    inner: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = field(default_factory=lambda: defaultdict(list))
    typos: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True)
class RuleSet:
    version: str
    lexicon: Lexicon
    inner: re.Pattern[str]
    lengths: range
    not_typos: frozenset[str]
    negatable: frozenset[str]
    signs: tuple[Pattern, ...]
    rules: tuple[Pattern, ...]


@dataclass
class Reading:
    """The words of all turns in one row; `places` says where each concept was affirmed."""

    words: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    sentence: list[int] = field(default_factory=list)
    clause: list[int] = field(default_factory=list)
    last_turn: int = 0
    concepts: list[set[str]] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def check(text: str, earlier: Sequence[str] = ()) -> Verdict:
    """The danger signs of `text`, read together with up to three earlier turns (oldest first)."""
    reading = _read([*earlier[-3:], text])
    _mark(reading)
    _mute(reading)
    for sign in RULES.signs:
        _add_sign(reading, sign)
    findings = tuple(_findings(reading))
    tiers = {finding.tier for finding in findings}
    tier = "E" if "E" in tiers else "U" if "U" in tiers else None
    return Verdict(tier, findings, RULES.version)


def _findings(reading: Reading) -> Iterator[Finding]:
    for rule in RULES.rules:
        for match in _matches(reading, rule):
            if max(match) >= reading.last_turn:
                yield Finding(rule.tier, rule.category, rule.name, " ".join(reading.shown[i] for i in sorted(match)))
                break


# Reading


def _fold(word: str) -> str:
    if word.isascii():
        return word.lower()
    lowered = word.lower().translate(LIGATURES)
    return "".join(c for c in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(c))


def _read(turns: Sequence[str]) -> Reading:
    reading = Reading()
    sentence = clause = 0
    for turn in turns:
        reading.last_turn = len(reading.words)
        sentence, clause = sentence + 1, clause + 1
        for piece in TOKEN.findall(unicodedata.normalize("NFKC", turn.translate(INVISIBLE))):
            if piece[0].isalnum():
                _append(reading, piece, sentence, clause)
            else:
                clause += 1
                sentence += piece in ".!?;…\n"
    return reading


def _append(reading: Reading, token: str, sentence: int, clause: int) -> None:
    """English contractions stay one word ("can't" is "cant"), French elisions become two ("l'œil" is "l oeil")."""
    for piece in [token] if token.isalnum() else _pieces(token):
        reading.words.append(_fold(piece))
        reading.shown.append(piece)
        reading.sentence.append(sentence)
        reading.clause.append(clause)


def _pieces(token: str) -> list[str]:
    plain = APOSTROPHE.sub("'", token)
    return [plain.replace("'", "")] if plain.lower().endswith("n't") else plain.split("'")


# Concepts


def _mark(reading: Reading) -> None:
    known: dict[str, set[str]] = {}
    for word in reading.words:
        if word not in known:
            known[word] = _concepts(word)
        reading.concepts.append(set(known[word]))
    masked = _mark_phrases(reading)
    for i in range(len(reading.words)):
        if i in masked:
            reading.concepts[i] &= NEVER_MASKED
        elif _is_surname(reading, i):
            reading.concepts[i].clear()
    _split_at_conjunctions(reading)


def _split_at_conjunctions(reading: Reading) -> None:
    breaks = 0
    for i, names in enumerate(reading.concepts):
        breaks += "conjunction" in names
        reading.clause[i] += breaks


def _concepts(word: str) -> set[str]:
    lexicon = RULES.lexicon
    found = set(lexicon.exact.get(word, ()))
    for length in RULES.lengths:
        if length > len(word):
            break
        found |= lexicon.prefixes.get(word[:length], set())
    for match in RULES.inner.finditer(word):
        found |= lexicon.inner[match.group()]
    return found or _concepts_of_typo(word)


def _concepts_of_typo(word: str) -> set[str]:
    """One letter added, lost, swapped or wrong: both words are the same after dropping one letter."""
    if len(word) < 5 or len(word) > 16 or word in RULES.not_typos:
        return set()
    return {name for key in _shortened(word) for name in RULES.lexicon.typos.get(key, ())}


def _shortened(word: str) -> set[str]:
    """The first letter stays: people mistype it least, and "wallow" is not "swallow"."""
    return {word} | {word[:i] + word[i + 1 :] for i in range(1, len(word))}


def _mark_phrases(reading: Reading) -> set[int]:
    """Marks the last word of each phrase; returns the words of phrases that only look like a sign ("blood pressure")."""
    masked: set[int] = set()
    for i, word in enumerate(reading.words):
        for tail, concept in RULES.lexicon.phrases.get(word, ()):
            end = i + len(tail)
            if tuple(reading.words[i + 1 : end + 1]) != tail or reading.sentence[end] != reading.sentence[i]:
                continue
            if concept == "mask":
                masked.update(range(i, end + 1))
            else:
                reading.concepts[end].add(concept)
    return masked | {i for i, names in enumerate(reading.concepts) if "mask" in names}


def _is_surname(reading: Reading, i: int) -> bool:
    """Frau Blut is a name, "meine Frau blutet" is not."""
    if i == 0 or "title" not in RULES.lexicon.exact.get(reading.words[i - 1], ()):
        return False
    owned = i > 1 and "possessive" in RULES.lexicon.exact.get(reading.words[i - 2], ())
    return reading.shown[i].istitle() and not owned


# What is denied, over, long ago or a general question


def _mute(reading: Reading) -> None:
    general = _general(reading)
    resolvable = {"resolved"} & {name for names in reading.concepts for name in names}
    for i, names in enumerate(reading.concepts):
        if i in general or not names:
            continue
        denied = bool(names & RULES.negatable) and (
            _is_negated(reading, i) or bool(resolvable and _is_resolved(reading, i))
        )
        for name in names:
            if not (denied and name in RULES.negatable):
                reading.places[name].append(i)


def _general(reading: Reading) -> set[int]:
    muted: set[int] = set()
    for span in _spans(reading.sentence):
        names = set().union(*(reading.concepts[i] for i in span))
        if "teaching" in names and not names & {"now", "present_patient"}:
            muted.update(span)
        elif "asking" in names and not names & {"now", "personal"}:
            first = next(i for i in span if "asking" in reading.concepts[i])
            muted.update(range(first, span.stop))
        if "past" in names:
            muted.update(_past(reading, span))
    return muted


def _past(reading: Reading, sentence: range) -> Iterator[int]:
    """The clauses of a sentence about earlier times, without those that speak of today."""
    for span in _spans(reading.clause, sentence):
        names = set().union(*(reading.concepts[i] for i in span))
        if "now" not in names and ("past" in names or "present_verb" not in names):
            yield from span


def _spans(groups: Sequence[int], within: range | None = None) -> Iterator[range]:
    within = within if within is not None else range(len(groups))
    start = within.start
    for i in within:
        if i + 1 == within.stop or groups[i + 1] != groups[i]:
            yield range(start, i + 1)
            start = i + 1


def _is_negated(reading: Reading, i: int) -> bool:
    return _is_negated_before(reading, i) or _is_negated_after(reading, i)


def _is_negated_before(reading: Reading, i: int) -> bool:
    """A negator at most five words earlier, with nothing but small words and other signs between."""
    listed = False
    steps = 0
    for j in range(i - 1, max(-1, i - LIST_REACH), -1):
        names = reading.concepts[j]
        if reading.sentence[j] != reading.sentence[i] or "contrast" in names:
            return False
        if reading.clause[j] != reading.clause[i] and not listed:
            listed = _ends_list_item(reading, i)
            if not listed:
                return False
        if "negator" in names:
            return _is_negator(reading, j) and (not listed or _is_list(reading, j, i))
        steps += not names & RULES.negatable
        if steps >= NEGATION_REACH or not names & (RULES.negatable | {"filler", "or"}):
            return False
    return False


def _is_negator(reading: Reading, j: int) -> bool:
    """Neither "no idea why it is swollen" nor "n'arrête pas de saigner" takes the sign back."""
    return "not_negator" not in reading.concepts[j + 1] and not (j and "stop" in reading.concepts[j - 1])


def _ends_list_item(reading: Reading, i: int) -> bool:
    following = i + 1
    if following == len(reading.words) or reading.clause[following] != reading.clause[i]:
        return True
    return "or" in reading.concepts[following]


def _is_list(reading: Reading, start: int, i: int) -> bool:
    """ "Denies fever, trismus" and "no fever, trismus or pain" deny all; "no fever, swelling" denies the fever only."""
    if "denies" in reading.concepts[start]:
        return True
    ahead = range(start, min(i + 5, len(reading.words)))
    return any("or" in reading.concepts[k] and reading.sentence[k] == reading.sentence[i] for k in ahead)


def _is_negated_after(reading: Reading, i: int) -> bool:
    """ "Blutet nicht mehr", "saigne pas", "swelling: none"."""
    for j in range(i + 1, min(i + 3, len(reading.words))):
        names = reading.concepts[j]
        if reading.sentence[j] != reading.sentence[i]:
            return False
        if "negator_after" in names:
            following = set().union(*reading.concepts[j + 1 : j + 3])
            return not following & {"not_negator", "stop", "resolved"}
        if "filler" not in names:
            return False
    return False


def _is_resolved(reading: Reading, i: int) -> bool:
    """ "The bleeding stopped", "stopped bleeding"; not "has not stopped", "stopped but started again"."""
    if any(reading.concepts[j] & {"again", "endless"} for j in _nearby(reading, i, 0, 12)):
        return False
    return any(
        "resolved" in reading.concepts[j]
        and (j > i or "resolved_before" in reading.concepts[j])
        and not any("negator" in reading.concepts[k] for k in _nearby(reading, j, 3, 1))
        and not any("onward" in reading.concepts[k] for k in _nearby(reading, j, 0, 2))
        for j in _nearby(reading, i, 3, 5)
    )


def _nearby(reading: Reading, i: int, before: int, after: int) -> list[int]:
    window = range(max(0, i - before), min(len(reading.words), i + after + 1))
    return [j for j in window if reading.sentence[j] == reading.sentence[i]]


# Matching


def _add_sign(reading: Reading, sign: Pattern) -> None:
    found = {max(match) for match in _matches(reading, sign)}
    reading.places[sign.name] = sorted(found.union(reading.places[sign.name]))


def _matches(reading: Reading, pattern: Pattern) -> Iterator[tuple[int, ...]]:
    rows = [_places(reading, part) for part in pattern.parts]
    if not all(rows):
        return
    for anchor in rows[0]:
        match = _follow(reading, pattern, anchor, rows) if pattern.ordered else _gather(reading, pattern, anchor, rows)
        if match and not _is_excused(reading, pattern, match):
            yield match


def _places(reading: Reading, names: tuple[str, ...]) -> list[int]:
    if len(names) == 1:
        return reading.places.get(names[0], [])
    return sorted({place for name in names for place in reading.places.get(name, ())})


def _follow(
    reading: Reading, pattern: Pattern, anchor: int, rows: Sequence[Sequence[int]]
) -> tuple[int, ...] | None:
    match = [anchor]
    for row in rows[1:]:
        at = bisect_right(row, match[-1])
        if at == len(row) or row[at] - match[-1] > pattern.reach + 1:
            return None
        match.append(row[at])
    if reading.sentence[match[0]] != reading.sentence[match[-1]]:
        return None
    return tuple(match)


def _gather(
    reading: Reading, pattern: Pattern, anchor: int, rows: Sequence[Sequence[int]]
) -> tuple[int, ...] | None:
    match = [anchor]
    for row in rows[1:]:
        place = _nearest(reading, pattern, anchor, row)
        if place is None:
            return None
        match.append(place)
    return tuple(match)


def _nearest(reading: Reading, pattern: Pattern, anchor: int, row: Sequence[int]) -> int | None:
    at = bisect_left(row, anchor)
    near = sorted(row[max(0, at - 1) : at + 2], key=lambda place: abs(place - anchor))
    if pattern.reach < EVERYWHERE:
        near = [place for place in near if _is_close(reading, pattern, anchor, place)] or _in_other_turn(
            reading, anchor, row
        )
    return near[0] if near else None


def _is_close(reading: Reading, pattern: Pattern, anchor: int, place: int) -> bool:
    return reading.sentence[place] == reading.sentence[anchor] and abs(place - anchor) <= pattern.reach


def _in_other_turn(reading: Reading, anchor: int, row: Sequence[int]) -> list[int]:
    """A short follow-up ("now the neck too") completes what the turns before began."""
    if len(reading.words) - reading.last_turn > SHORT_FOLLOW_UP:
        return []
    start = bisect_left(row, reading.last_turn)
    return list(row[start - 1 : start]) if anchor >= reading.last_turn and start else (
        list(row[start : start + 1]) if anchor < reading.last_turn else []
    )


def _is_excused(reading: Reading, pattern: Pattern, match: tuple[int, ...]) -> bool:
    between = range(min(match) + 1, max(match))
    if pattern.barrier and any(pattern.barrier in reading.concepts[i] for i in between if i not in match):
        return True
    sentence = reading.sentence[match[0]]
    return any(reading.sentence[place] == sentence for name in pattern.unless for place in reading.places[name])


# The rule file


def _load(path: Path) -> RuleSet:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    lexicon = Lexicon()
    for concept, terms in data["concepts"].items():
        for term in terms.split():
            _learn(lexicon, concept, _fold(term))
    for concept, terms in data["typos"].items():
        for term in terms.split():
            for key in _shortened(_fold(term)):
                lexicon.typos[key].add(concept)
    return RuleSet(
        version=data["version"],
        lexicon=lexicon,
        inner=re.compile("|".join(sorted(map(re.escape, lexicon.inner), key=len, reverse=True))),
        lengths=range(min(map(len, lexicon.prefixes)), max(map(len, lexicon.prefixes)) + 1),
        not_typos=frozenset(map(_fold, data["not_typos"].split())),
        negatable=frozenset(data["negatable"].split()),
        signs=tuple(_pattern(row) for row in data["signs"]),
        rules=tuple(_rules(data["rules"])),
    )


def _learn(lexicon: Lexicon, concept: str, term: str) -> None:
    """A term is a word, the start of one (swell*), a part of one (*schwoll*) or a phrase (left_arm)."""
    if term.startswith("*"):
        lexicon.inner[term.strip("*")].add(concept)
    elif term.endswith("*"):
        lexicon.prefixes[term[:-1]].add(concept)
    elif "_" in term:
        first, *tail = term.split("_")
        lexicon.phrases[first].append((tuple(tail), concept))
    else:
        lexicon.exact[term].add(concept)


def _rules(tiers: Mapping[str, Mapping[str, Iterable[Mapping[str, Any]]]]) -> Iterator[Pattern]:
    for tier, categories in tiers.items():
        for category, rows in categories.items():
            for row in rows:
                yield _pattern(row, tier, category)


def _pattern(row: Mapping[str, Any], tier: str = "", category: str = "") -> Pattern:
    ordered = "order" in row
    parts = tuple(tuple(part.split("|")) for part in (row["order"] if ordered else row["near"]))
    reach = row.get("reach", 3 if ordered else EVERYWHERE)
    return Pattern(
        name=row["name"],
        tier=tier,
        category=category,
        parts=parts,
        ordered=ordered,
        reach=reach,
        barrier=row.get("barrier", ""),
        unless=tuple(row.get("unless", ())),
    )


RULES = _load(Path(__file__).with_suffix(".toml"))
