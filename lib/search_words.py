"""Words that find a patient: what is stored for a patient, and what is asked for by a search term.

Both sides fold alike and reach PostgreSQL as finished lexemes, so no text parser of the database is involved. A phone
number is stored backwards after a `#`: its end is then the start of a lexeme.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

import phonenumbers

# A lexeme may have 2,046 bytes; stored and asked words are cut alike, so that a longer word still matches.
LONGEST = 100
MOST_WORDS = 10
LONGEST_TERM = 1_000
NOBODY = "'%':*"  # no stored word begins like that

_APOSTROPHES = dict.fromkeys(map(ord, "’‘‛ʼʻʹʾʿ′`´＇"), "'")
_LETTERS = str.maketrans({
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ħ": "h", "ŧ": "t", "ŋ": "n",
    "ƒ": "f", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ə": "e", "ɛ": "e", "ɔ": "o", "ς": "σ", "ـ": None, "\0": None,
})  # fmt: skip
# Germans write Mueller for Müller, Danes Aagaard for Ågård; both spellings find both.
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
# Scripts written without spaces: a given name is found inside the whole name.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_PHONE = re.compile(r"(?<![^\W_])\+?\(?\d(?:[\d\s()./-]*\d)?(?:\s*(?:x|ext)\.?\s*\d{1,6})?(?![^\W_])")
_EXTENSION = re.compile(r"\s*(?:x|ext|#|;)[.:\s]*\d{1,6}\s*$", re.IGNORECASE)


def fold(text: str) -> str:
    """Lower case without accents, one spelling for each letter and digit, apostrophes straight."""
    text = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).casefold()
    kept = "".join(map(_bare, unicodedata.normalize("NFKD", text)))
    return unicodedata.normalize("NFC", kept.translate(_LETTERS))


def _bare(character: str) -> str:
    """Drops accents and invisible characters, and keeps the marks that are vowels (Hindi, Thai) or tell か from が."""
    mark, kind = unicodedata.combining(character), unicodedata.category(character)
    if mark == 1 or 10 <= mark <= 36 or mark >= 200 or kind in ("Cf", "Cs") or _selects_a_variant(character):
        return ""
    return str(unicodedata.decimal(character)) if kind == "Nd" else character


def _selects_a_variant(character: str) -> bool:
    return character == "\u034f" or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def words(full_name: str, email: str | None, phone: str | None, country: str = "") -> list[str]:
    """The lexemes to store for a patient, as `array_to_tsvector` takes them. `country` is an ISO code such as DE."""
    found = {
        *_name_words(full_name[:LONGEST_TERM]),
        *_tails(fold((email or "")[:LONGEST_TERM])),
        *_phone_words((phone or "")[:LONGEST], country),
    }
    return sorted({word[:LONGEST] for word in found} - {""})


def _name_words(name: str) -> Iterator[str]:
    for spelling in spellings(name):
        chunks = spelling.split()
        for chunk in [*chunks, *(["".join(chunks)] if _UNSPACED.search(spelling) else [])]:
            for part in [*_parts(chunk), "".join(_parts(chunk))]:
                yield from _suffixes(part) if _UNSPACED.search(part) else [part]


def spellings(text: str) -> list[str]:
    """Folded, and folded the way Germans and Danes spell their letters out: muller and mueller."""
    lower = unicodedata.normalize("NFC", text.lower())
    return list(dict.fromkeys((fold(text), fold(lower.translate(_SPELT_OUT)))))


def _parts(chunk: str) -> list[str]:
    """Runs of letters, their marks, and digits."""
    return "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in chunk).split()


def _suffixes(text: str) -> list[str]:
    return [text[start : start + LONGEST] for start in range(len(text))]


def _tails(email: str) -> list[str]:
    """anna.bell@example.com, bell@example.com, example.com, com: a part is found as the start of one of them."""
    return [email[match.start() : match.start() + LONGEST] for match in re.finditer(r"(?<![^\W_])[^\W_]", email)]


def _digits(text: str) -> str:
    return re.sub(r"\D", "", fold(text))


def _phone_words(phone: str, country: str) -> Iterator[str]:
    number = _EXTENSION.sub("", phone)
    several = re.split(r"[,;/]", number)
    for digits in {_digits(part) for part in [phone, number, *several]} | {*_national(number, country)}:
        if digits:
            yield from ("#" + digits[::-1], digits)


def _national(phone: str, country: str) -> list[str]:
    """The digits without and with the trunk prefix, and with the country's code; none if it can't be read."""
    try:
        number = phonenumbers.parse(fold(phone)[:40], country.upper() or None)
    except phonenumbers.NumberParseException:
        return []
    forms = phonenumbers.PhoneNumberFormat
    written = [phonenumbers.format_number(number, form) for form in (forms.NATIONAL, forms.E164)]
    return [phonenumbers.national_significant_number(number), *map(_digits, written)]


def query(term: str, country: str = "") -> str:
    """The text to cast to `tsquery`: every word must match. Empty if nothing is asked; signs alone find nobody."""
    if not term.strip():
        return ""
    term = term[:LONGEST_TERM]
    asked = [_ask_number(group, country) for group in _PHONE.findall(term)]
    asked += map(_ask_chunk, _PHONE.sub(" ", term).split())
    return " & ".join([one for one in asked if one][:MOST_WORDS]) or NOBODY


def _ask_number(group: str, country: str) -> str:
    digits = _digits(group)
    ways = dict.fromkeys([digits, digits.lstrip("0") or digits, *_significant(group, country)])
    return _any(_prefix(word) for way in ways for word in ("#" + way[::-1], way))


def _significant(group: str, country: str) -> list[str]:
    try:
        number = phonenumbers.parse(fold(group), country.upper() or None)
    except phonenumbers.NumberParseException:
        return []
    # In the United States the end of a number, 1980, would lose its 1 as if that were the trunk prefix.
    clear = group.startswith("+") or phonenumbers.is_possible_number(number)
    return [phonenumbers.national_significant_number(number)] if clear else []


def _ask_chunk(chunk: str) -> str:
    if "@" in chunk.strip("@"):
        return _any(_prefix(email) for email in _tails(fold(chunk).rstrip(".,;:>)"))[:1])
    ways = [way for spelling in spellings(chunk) for way in _ask_parts(_parts(spelling)[:MOST_WORDS])]
    return _any(dict.fromkeys(ways))


def _ask_parts(parts: list[str]) -> list[str]:
    """O'Neill is found whether it was typed with its apostrophe, without, or with a space."""
    if len(parts) < 2:
        return [_prefix(part) for part in parts]
    return [_prefix("".join(parts)), "(" + " & ".join(map(_prefix, parts)) + ")"]


def _any(ways: Iterable[str]) -> str:
    found = list(ways)
    return "(" + " | ".join(found) + ")" if len(found) > 1 else "".join(found)


def _prefix(word: str) -> str:
    quoted = word[:LONGEST].replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}':*"
