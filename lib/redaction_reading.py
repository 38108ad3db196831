"""A text as it is compared (folded), with the way back to the text as it was written."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from lib.search_words import fold

GONE = "\0"  # stands where something was found already: no letter, no digit, no separator
_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_BLANK_LETTERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # letters by category, invisible on every screen

Span = tuple[int, int]


class Reading:
    """`folded` has no accents, no upper case and no invisible characters. Spans are places in it until `written` says where
    they are in the text."""

    def __init__(self, text: str, invisible: str = "") -> None:
        """`invisible`: what zero-width characters are read as. They may break a name in two, or part it from the next word."""
        pieces = [invisible if is_invisible(character) else _fold(character) for character in text]
        self.text = text
        self.folded = "".join(pieces)
        self._origins = [place for place, piece in enumerate(pieces) for _ in piece]

    def written(self, span: Span) -> Span:
        """With the invisible characters and loose accents that follow."""
        start, end = span
        after = self._origins[end] if end < len(self._origins) else len(self.text)
        return self._origins[start], max(after, self._origins[end - 1] + 1)

    def is_capital(self, place: int) -> bool:
        character = self.text[self._origins[place]]
        return character.isupper() or character.istitle()

    def blank(self, spans: Iterable[Span]) -> None:
        """So that nothing is found twice, and nothing across what was found."""
        characters = list(self.folded)
        for start, end in spans:
            characters[start:end] = GONE * (end - start)
        self.folded = "".join(characters)


def composed(text: str) -> str:
    """One character for a letter and its accents. In pieces, because thousands of accents on one letter take their square."""
    return "".join(unicodedata.normalize("NFC", piece) for piece in re.findall(r"\S{1,500}|\s+", text))


@lru_cache(maxsize=10_000)
def is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or character in _BLANK_LETTERS


@lru_cache(maxsize=10_000)
def _fold(character: str) -> str:
    if "\u3400" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7af":
        return character  # tens of thousands, and none of them has an accent or a case
    if character in _BREAKS:
        return "\n"
    if character.isspace():
        return " "
    if unicodedata.category(character) == "Pd" or character == "−":
        return "-"
    return fold(character)
