"""Replaces what is known of a patient, and what looks like a mailbox or a long number, before a text leaves the clinic.

It reduces what is told of patients and does not remove it: names of others, addresses, places, nicknames, typing errors and
whatever a story gives away stay. So a provider needs its agreement with the clinic all the same.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from string import ascii_letters
from typing import Any

from lib import redaction_numbers
from lib.redaction_dates import UNITS, DateFinder
from lib.redaction_names import COMMON, WORDS, NameFinder
from lib.redaction_numbers import PhoneFinder
from lib.redaction_reading import Reading, Span, composed, is_invisible
from lib.search_words import spellings

PLACEHOLDERS = {"name": "[patient]", "birth_date": "[birth date]", "phone": "[phone]", "email": "[email]", "id": "[id]",
                "number": "[number]"}
SHORTEST_ID = 4  # a shorter one would take every tooth and many a dose with it
SHORTEST_LOCAL = 5  # letters and digits before the @ that count alone, too: "a.m" is a time of the day

_LOCAL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~\-]")
_DOMAIN = re.compile(r"@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8}")
_LONGEST_LOCAL = 64
_AT = r"\s{0,2}(?:@|%40|[(\[{<]?\s?(?:at|arroba|arobase|klammeraffe)\s?[)\]}>]?|[(\[{<]a[)\]}>])\s{0,2}"
_DOT = r"(?:\s{0,2}(?:[.,·]|[(\[{<]?\s?(?:dot|punto|point|punkt)\s?[)\]}>]?)\s{0,2}|\s{1,2})"
_SPOKEN = {"+": r"(?:\+|%2b|\s{0,2}plus\s{0,2})", ".": _DOT}

_BETWEEN = r"[\s\-_./:#]{0,3}(?:(?<=[\s\-_./:#])n[.or°]{0,3}[\s:]?)?"  # HC n.º 10293; "in 2000" is no I-2000
_LABELS = r"""
    patient patientin patiente paciente record file chart id mrn number no no\. nr nr\. n° nummer akte karte historia expediente
    ficha numero dossier fiche
"""
_LABEL = "(?:" + "|".join(rf"(?<=\b{label}[ :])" for label in _LABELS.split()) + ")"
_BEHIND_LABEL = re.compile(_LABEL)
_BEFORE_LABEL, _BEFORE_NUMBER = 30, 5
_NUMBER_LABEL = re.compile(r"\b(?:patient(?:in|e)?|paciente|id|mrn|num(?:ber|mer|ero)|no\.?|nr\.?|n°)[ :]\Z")
_OF_SOMETHING_ELSE = re.compile(r"""
    \b(?: goz | goa | bema | iso | din | ref | lot | batch | charge | code | codigo | art | article | articulo | artikel
    | catalogue?
    | catalogo | position | pos | ziffer | implant | shade | farbe | tooth | zahn | serial | serien?
    | page | pagina | seite )
    [\s.\-]{0,2} (?: num(?:ber|mer|ero) | no\.? | nr\.? | n° | id ) [\ :]\Z
    """, re.VERBOSE)
_YEAR = re.compile(r"(?:19|20)\d\d")
_CURRENCY = re.compile(r"(?:[$€£¥]|\b(?:eur|usd|chf|gbp))\s?\Z")
_RANGE = r"(?:[\-/x]|\s(?:to|or|bis|oder|hasta|ou)\s)"
_IS_AMOUNT = re.compile(rf"(?:[.,]\d{{1,3}})?(?:{_RANGE}\d[\d.,]{{0,8}})?\s{{0,2}}(?:{UNITS}|[gl](?![^\W_]|['.]))")
_IS_HOUR = re.compile(r"\s?(?:h|hrs?|hours?|uhr|horas?|heures?)(?![^\W_])")
_HOUR = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d\Z")

# Letters of mailboxes that stand before a number in messages, too: zahn36, ibu600, day10.
_BEFORE_NUMBERS = """
    tooth teeth zahn zahne diente dientes dent dents pieza muela molar ibu ibuprofen paracetamol amoxi amoxicillin amox para
    vit vitb vitd vitamin vitamina day days tag tage dia dias jour jours week weeks woche semana age alter edad typ type
    tipo class klasse clase grade grad grado stage asa psi iso goz bema max min mg ml vas teil part step schritt paso
"""
_COUNTED = frozenset(_BEFORE_NUMBERS.split())
_LONGEST_MADE = 64
_TIGHT = r"[\-_./]?"
_IN_DIGITS = r"[\s\-_./]?"
_IN_PAIRS = r"(?:(?<=\d\d)[\s\-_./](?=\d\d))"
_PARTED_DIGITS = 5  # a number of so many digits is known when they are parted, too: fewer are a row of teeth


@dataclass(frozen=True)
class Subject:
    """What is known of the patient a question is about."""

    full_name: str = ""
    date_of_birth: date | None = None
    phone: str | None = None
    email: str | None = None
    ids: tuple[str, ...] = ()


class Redactor:
    """`counts`: what was replaced since it was made, by kind; only kinds that occurred."""

    def __init__(self, *subjects: Subject) -> None:
        """One person, as they are known now and as they were before."""
        self.counts: dict[str, int] = {}
        emails, names = _each(subjects, "email"), _each(subjects, "full_name")
        self._emails = [pattern for email in emails if (pattern := _email(email, names))]
        ids = tuple(dict.fromkeys(one for subject in subjects for one in subject.ids))
        self._ids, self._labelled = _ids(ids)
        self._births = [DateFinder(birth) for birth in _each(subjects, "date_of_birth")]
        self._phones = [PhoneFinder(phone) for phone in _each(subjects, "phone")]
        self._names = [NameFinder(name) for name in _each(subjects, "full_name")]

    def redact(self, text: str, *, known_only: bool = False) -> str:
        """Letters and their accents come back as one character each. `known_only`: what merely looks like a mailbox or a number
        stays."""
        text = composed(text)
        found = _apart(sorted({one for invisible in _readings(text) for one in self._find(Reading(text, invisible), known_only)}))
        self.counts = dict(Counter(self.counts) + Counter(kind for _, _, kind in found))
        pieces, end = [], 0
        for start, stop, kind in found:
            pieces += [text[end:start], PLACEHOLDERS[kind]]
            end = stop
        return "".join([*pieces, text[end:]])

    def _find(self, reading: Reading, known_only: bool) -> Iterator[tuple[int, int, str]]:
        for kind, spans in self._steps(reading, known_only):
            yield from ((*reading.written(span), kind) for span in spans)
            reading.blank(spans)

    def _steps(self, reading: Reading, known_only: bool) -> Iterator[tuple[str, list[Span]]]:
        """Each step sees the text without what the steps before it found."""
        known = [span for pattern in self._emails for span in _matches(pattern, reading)]
        yield "email", [*known, *([] if known_only else _emails(reading.folded))]
        in_phones = redaction_numbers.places(self._known_phones(reading))
        yield "id", [one for one in self._known_ids(reading) if not in_phones.issuperset(range(*one))]
        yield "birth_date", [span for birth in self._births for span in birth.find(reading)]
        phones, numbers = redaction_numbers.numbers(reading, self._known_phones(reading))
        yield "phone", phones
        yield "number", [] if known_only else numbers
        yield "name", [span for name in self._names for span in name.find(reading)]

    def _known_ids(self, reading: Reading) -> list[Span]:
        return [*(one for one in _matches(self._ids, reading) if not _is_something_else(reading, *one)),
                *(one for one in _matches(self._labelled, reading) if not _is_not_labelled(reading.folded, *one))]

    def _known_phones(self, reading: Reading) -> list[Span]:
        return [span for phone in self._phones for span in phone.find(reading)]


def _each(subjects: Sequence[Subject], field: str) -> list[Any]:
    """Without what is not known, and once."""
    return [*filter(None, dict.fromkeys(getattr(subject, field) for subject in subjects))]


def _readings(text: str) -> list[str]:
    return ["", " "] if any(map(is_invisible, text)) else [""]


def _apart(found: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Overlapping findings become one, of the kind that begins first."""
    apart: list[tuple[int, int, str]] = []
    for start, end, kind in found:
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]), apart[-1][2])
        else:
            apart.append((start, end, kind))
    return apart


def _matches(pattern: re.Pattern[str] | None, reading: Reading) -> list[Span]:
    return [match.span() for match in pattern.finditer(reading.folded)] if pattern else []


def _emails(folded: str) -> Iterator[Span]:
    """From each @ to both sides: a pattern would look ahead from every letter of the text."""
    for domain in _DOMAIN.finditer(folded):
        start = domain.start()
        while start and domain.start() - start < _LONGEST_LOCAL and _LOCAL.match(folded, start - 1):
            start -= 1
        if start < domain.start():
            yield start, domain.end()


def _email(email: str, names: list[str]) -> re.Pattern[str] | None:
    """Also as it is told, name at web dot de, and without its domain."""
    local, at, domain = re.sub(r"\s", "", Reading(email).folded).partition("@")
    host, dot, _ = domain.rpartition(".")
    end = _AT + _spoken(domain)
    if host and dot:
        end = rf"(?:{end}|\s?@\s?{_spoken(host)})"
    ways = "|".join(filter(None, [f"{_spoken(local)}{end}", _alone(local, names)]))
    return re.compile(rf"(?<![^\W_])(?:{ways})(?![^\W_])") if at and local and domain else None


def _alone(local: str, names: list[str]) -> str:
    """Where it is no word: redfox77, josem84 of jose.m84, tdangelo of D'Angelo. What would be a word without its signs needs
    them: b.ridge. Empty: never."""
    bare = re.sub(r"[\W_]", "", local)
    pieces = re.findall(r"[^\W\d_]+", local)
    if len(bare) < SHORTEST_LOCAL or bare.isdigit() or _COUNTED.issuperset(pieces):
        return ""
    if not bare.isalpha() or (bare not in WORDS and any(_is_made_of(bare, name) for name in names)):
        return _in_parts(local)
    is_phrase = all(piece in WORDS or (len(piece) == 1 and "-" in local) for piece in pieces)  # post-op, x-rays
    return "" if local.isalpha() or is_phrase else re.escape(local)


def _in_parts(local: str) -> str:
    """With its signs or without."""
    return _TIGHT.join(map(re.escape, re.split(r"[\-_.]+", local)))


def _is_made_of(word: str, name: str) -> bool:
    """Of parts of the name and their first letters, with more than one of them and one of four letters and more; shorter ones
    stand in many a word."""
    return len(word) <= _LONGEST_MADE and any(_is_joined(word, re.findall(r"[^\W\d_]+", way)) for way in spellings(name))


def _is_joined(word: str, parts: list[str]) -> bool:
    known = {part for part in parts if len(part) > 3} - COMMON
    if word in known or not any(part in word for part in known):
        return False
    reached = {0}
    for place in range(len(word)):
        if place in reached:
            reached |= {place + len(part) for part in (*parts, *(part[0] for part in parts)) if word.startswith(part, place)}
    return len(word) in reached


def _spoken(part: str) -> str:
    return "".join(_SPOKEN.get(piece[0], re.escape(piece)) for piece in re.findall(r"\.+|\+|[^.+]+", part))


def _ids(ids: tuple[str, ...]) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """As they are, and behind a word for them."""
    folded = [Reading(one).folded for one in ids]
    return _any([_id(one) for one in folded]), _any([_labelled(one) for one in folded])


def _any(patterns: list[str]) -> re.Pattern[str] | None:
    found = [*filter(None, patterns)]
    return re.compile("|".join(sorted(found, key=len, reverse=True))) if found else None


def _is_something_else(reading: Reading, start: int, end: int) -> bool:
    """An amount, 2000 mg, or a word before a number: "8 am 2000 mg" and "at 77 120" are no AM-2000 and AT-77120."""
    written = reading.folded[start:end]
    letters = written[:len(written) - len(written.lstrip(ascii_letters))]
    if letters and letters not in WORDS and len(letters) > 1:
        return False
    is_parted = len(letters) > 1 and re.match(r"\s+\d", written[len(letters):]) is not None
    if is_parted and not reading.is_capital(start) and not _BEHIND_LABEL.match(reading.folded, start):
        return True
    return _is_amount(reading.folded, start + len(letters), end)


def _is_amount(folded: str, start: int, end: int) -> bool:
    return (_IS_AMOUNT.match(folded, end) is not None
            or _CURRENCY.search(folded, max(0, start - _BEFORE_NUMBER), start) is not None
            or (_HOUR.match(folded, start, end) is not None and _IS_HOUR.match(folded, end) is not None))


def _is_not_labelled(folded: str, start: int, end: int) -> bool:
    """An amount, a year of the record, or the number of something else: GOZ Nr. 2197."""
    before = folded[max(0, start - _BEFORE_LABEL):start]
    is_year = _YEAR.fullmatch(folded, start, end) is not None and not _NUMBER_LABEL.search(before)
    return is_year or _OF_SOMETHING_ELSE.search(before) is not None or _is_amount(folded, start, end)


def _id(one: str) -> str:
    """With or without its leading zeros and whatever is written around it, between letters and digits and in a long number."""
    pieces = re.findall(r"\d+|[^\W\d_]+", one)
    joined = "".join(pieces)
    if len(joined) < SHORTEST_ID:
        return ""
    if joined.isdigit():
        return _number(pieces)
    before, after = (r"\d" if edge.isdigit() else r"[^\W\d_]" for edge in (joined[0], joined[-1]))
    return rf"(?<!{before}){_mixed(one, pieces)}(?!{after})"


def _labelled(one: str) -> str:
    """Without its letters: patient 10427."""
    digits = re.findall(r"\d+", one)
    has_letters = re.search(r"[^\W\d_]", one) is not None
    if not has_letters or len(digits) != 1 or len(digits[0]) < SHORTEST_ID:
        return ""
    return rf"(?=\d){_LABEL}{_grouped(digits[0], digits[0])}(?!\d)"


def _number(pieces: list[str]) -> str:
    """As it is stored or in groups; digit by digit only where no other digit stands beside it."""
    digits = "".join(pieces)
    zeros, bare = _without_zeros(digits, digits)
    ways = [rf"(?<!\d){zeros}{_BETWEEN.join([pieces[0].lstrip('0') if zeros else pieces[0], *pieces[1:]])}(?!\d)"]
    if len(bare) >= _PARTED_DIGITS:
        ways += [rf"(?<!\d){_grouped(digits, digits)}(?!\d)",
                 rf"(?<!\d)(?<!\d[\s\-_./]){_IN_DIGITS.join(bare)}(?!\d|[\s\-_./]\d)"]
    return "|".join(ways)


def _mixed(one: str, pieces: list[str]) -> str:
    """A short one is parted by a sign only if it is stored in one piece: "at 12" is no AT12."""
    joined = "".join(pieces)
    digits = "".join(filter(str.isdigit, joined))
    between = _TIGHT if joined == one and len(joined) == SHORTEST_ID else _BETWEEN
    return between.join(_grouped(piece, digits) if piece.isdigit() else piece for piece in pieces)


def _grouped(piece: str, digits: str) -> str:
    zeros, bare = _without_zeros(piece, digits)
    return zeros + (_IN_PAIRS + "?" if zeros else "") + (_IN_PAIRS + "?" if len(bare) >= _PARTED_DIGITS else "").join(bare)


def _without_zeros(piece: str, digits: str) -> tuple[str, str]:
    """Its leading zeros may be left out, unless too little of the id remains."""
    bare = piece.lstrip("0")
    return ("0*", bare) if bare and len(digits.lstrip("0")) >= SHORTEST_ID else ("", piece)
