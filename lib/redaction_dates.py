"""Finds one date in the ways people write it in English, Spanish, French and German, and programs everywhere."""

import re
from datetime import date

from lib.dates import MONTHS
from lib.redaction_reading import Reading, Span

_ROMAN = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"]
_MARK = r"(?: {0,2}[./\-_,·] {0,2}| {1,2}|\s?[年月日년월일]\s?)"
_ORDINAL = r"(?:st|nd|rd|th|er|ere|ro|ero|te[nrsm]?|o|a|\.)?"
_GAP = r"[\s.,\-/']{0,3}(?:(?:de|del|of|the|den|der|le|el)[\s.]{1,2}){0,2}"
_CUE = re.compile(r"""
    \b(?: born | birth\ ?da(?:y|te) | date\ of\ birth | d\.?o\.?b\b | nacid[oa] | nacio | nacimiento | cumpleanos
        | ne | nee | naissance | anniversaire | geb | geboren | geburtstag | geburtsdatum )\b
    [\s.,:\-()/']{0,3} (?: (?:is|was|on|in|el|es|le|est|am|ist|the|der|den|de|del|of|un|une)\b [\s:]{1,2} ){0,3} \Z
    """, re.VERBOSE)
_REACH = 40
_ORDINAL_ONE = "first|premier|primero|uno|erster?n?"


class DateFinder:
    def __init__(self, day: date) -> None:
        words = "|".join(sorted(_names(day.month), key=len, reverse=True))
        day_in_words = rf"(?:0?{day.day}{_ORDINAL}{f'|{_ORDINAL_ONE}' if day.day == 1 else ''})"
        day_and_month = rf"{day_in_words}{_GAP}(?:{words})(?![^\W\d_])\.?|(?:{words})\.?{_GAP}{day_in_words}"
        year = rf"(?:{day.year}|'?{day.year % 100:02})"
        self._full = re.compile("|".join([
            *_in_digits(day),
            rf"(?<![^\W_])(?:{day_and_month}){_GAP}{year}(?!\d)",
            rf"(?<!\d){day.year}{_GAP}(?:{day_and_month})(?![^\W_])",
        ]))
        numbers = rf"0?{day.day}[./\-]0?{day.month}|0?{day.month}[./\-]0?{day.day}"
        spaced = rf"0?{day.day} 0?{day.month} {day.year % 100:02}|0?{day.month} 0?{day.day} {day.year % 100:02}"
        self._cued = re.compile(rf"(?<![^\W_])(?:{day_and_month}|{numbers}|{spaced})(?![^\W_]|[./\- ]{{0,3}}\d)")

    def find(self, reading: Reading) -> list[Span]:
        """The day without its year, and three short numbers, count behind a word for birth only: visits have days, too."""
        folded = reading.folded
        return [match.span() for match in self._full.finditer(folded)] + [
            match.span() for match in self._cued.finditer(folded)
            if _CUE.search(folded[max(0, match.start() - _REACH):match.start()])]


def _names(month: int) -> set[str]:
    """märz, märz abbreviated in every way that has three letters, and III."""
    names = MONTHS[month - 1]
    return {name[:length] for name in names for length in range(3, len(name) + 1)} | {_ROMAN[month - 1]}


def _in_digits(day: date) -> list[str]:
    """Also as the other half of the world would read it, and as scanners and barcodes have it."""
    y, yy, m, d = f"{day.year}", f"{day.year % 100:02}", f"0?{day.month}", f"0?{day.day}"
    short = r" ?[./\-_] ?"
    parted = [rf"{y}{_MARK}{m}{_MARK}{d}", rf"{y}{_MARK}{d}{_MARK}{m}", rf"{d}{_MARK}{m}{_MARK}{y}", rf"{m}{_MARK}{d}{_MARK}{y}",
              rf"{d}{short}{m}{short}'?{yy}", rf"{m}{short}{d}{short}'?{yy}", rf"{yy}{short}{m}{short}{d}"]
    joined = [day.strftime(form) for form in ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%d%m%y", "%m%d%y", "%y%m%d")]
    return [rf"(?<!\d)(?:{'|'.join([*parted, *joined])})(?!\d)(?:\s?[日일])?"]
