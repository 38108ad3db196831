"""Finds phone numbers and other long runs of digits, and leaves the numbers that dentistry is made of."""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import islice, pairwise

from lib.redaction_dates import NUMERALS, in_words
from lib.redaction_reading import GONE, Reading, Span

FEWEST = 7  # digits of a run that is masked, and of a known phone number that must agree
_SHORTEST_PHONE = 5
_EXTENSION = re.compile(r"\s*(?:x|ext|#|;)[.:\s]*\d{1,6}\s*$")
_WIDEST_GAP = 6
_PAIRS = 4
_WIDEST_STEP = 10
_ZERO = "zero|oh?|null|cero"
_TOLD_GAP = r"[\s,.\-]{1,3}"
_RUN = re.compile(r"(?:\+ ?|\((?=\+?\d{1,5} ?\))){0,2}\d(?:[ \-./()·_]{0,4}\d)*")

_APART = r"(?<!\d)(?<!\d[ ./\-)])"
_CURRENCY = r"(?:[$€£¥]|\b(?:eur|usd|chf|gbp)\b)"
_UNIT = r"(?:(?:mg|mcg|[uμ]g|kg|ml|mm|cm|euros?|eur|usd|chf|gbp|dollars?|dolares)\b|[%€$£¥])"
_AMOUNT = r"(?:[1-9]\d{0,2}(?:[ .,']\d{3}){1,4}(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?)"  # of few groups: each may begin one
_POTENCY = r"(?:iu|ui|ie|i\.e|units?|unidades|unites|einheiten)\b"
_THOUSANDS = r"[1-9]\d{0,2}(?:[ .,']?\d{3})?[ .,']?000"  # only such are potencies, or a mobile "i.e." would be one
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_DATE = rf"(?:{_YEAR}[\-./]{_MONTH}[\-./]{_DAY}|{_DAY}[\-./] ?{_DAY}[\-./] ?(?:{_YEAR}|\d\d)|{_MONTH}/{_YEAR})(?!\d)"
_HOUR = r"(?:[01]?\d|2[0-3])[.h][0-5]\d"
_INNOCENT = re.compile("|".join([
    rf"(?<!\d)(?<!\d[./\-])(?:{_DATE} ?[\-/] ?|{_DAY}\.{_MONTH}\. ?- ?)?{_DATE}(?![./\-]\d)",
    rf"{_APART}{_HOUR} ?- ?{_HOUR}(?!\d|[ ./\-]\d)",
    rf"{_APART}1:\d{{1,3}}[ .,']?000(?!\d)",
    rf"{_CURRENCY} ?{_AMOUNT}(?!\d)",
    rf"{_APART}(?:{_AMOUNT} ?[\-/] ?)?{_AMOUNT} ?{_UNIT}",
    rf"{_APART}(?:{_THOUSANDS} ?[\-/] ?)?{_THOUSANDS} ?{_POTENCY}",
]))
_PRESSURE = re.compile(rf"{_APART}([6-9]\d|[12]\d\d)/([3-9]\d|1[0-5]\d)(?!\d|/|[ .\-]{{1,3}}\d{{3}})")


def _row(number: str, apart: str = r"[ /]{1,3}") -> str:
    return rf"{number}(?:{apart}{number})+"


_SIZE, _SITE, _CLOCK = r"(?:0|[1-9]\d?)\.\d", "[1-6]", r"(?:[01]?\d|2[0-3])\.[0-5][05]"
_ROW = re.compile("|".join([  # of what no phone number is written like
    _row(_SIZE),
    _row(r"(?:[1-4]\.[1-8]|[5-8]\.[1-5])", r"[ \-/]{1,3}"),
    _row("(?:[1-4]-[1-8]|[5-8]-[1-5])"),
    _row(_CLOCK, r"[ \-/]{1,3}"),
    _row(r"(?:[6-9]\d|[12]\d\d)/(?:[3-9]\d|1[0-5]\d)", " {1,3}"),
    _row(r"\d{1,2}/10", " {1,3}"),
    _row("[ /]{1,3}".join([_SITE] * 3)),
    _row("-".join([_SITE] * 3)),
    _row(f"{_SITE}{{3}}", "/"),
    r"([1-9]\d{0,2}0)(?:-(?:\1|0)){1,3}",
]))
_HOURS = re.compile(_row(r"(?:[01]?\d|2[0-4])-(?:[01]?\d|2[0-4])"))
_LINK = r"[\s.:#=(,\-]{0,3}(?:(?:numbers?|nos?|nr|of|are|is|were|was|de|des|von|son|sont|sind)\b[\s.:#]{1,3}){0,2}\Z"
_TEETH = re.compile(r"\b(?:tooth|teeth|zahne?n?|dientes?|piezas?|muelas?|dents?)" + _LINK)
_MEASURED = re.compile(r"\b(?:probing|depths?|ppd|cal|bop|psi|bpe|cpitn|pockets?|sondierung\w*|taschen(?:tiefen?)?|sonda[jg]es?"
                       r"|bolsas|poches|profondeurs?|profundidad(?:es)?|iso|vas|temp(?:eratur\w*)?|fees?|preise?|honorare?|tarifa?s?"
                       r"|honoraires|goz|goa|bema)" + _LINK)
_CODES = re.compile(r"\b(?:goz|goa|bema)" + _LINK)
_UNIT_BEHIND = re.compile(rf" ?(?:{_UNIT}|(?:uhr|mmhg)\b)")
_PHONE_LIKE = re.compile(r"[6-9]\d\d(?:[ \-./]\d{3}){2}|[6-9]\d\d(?:[ \-./]\d\d){3}|\d{3}[ \-./]\d{3}[ \-./]\d{4}")
_REACH = 40


def numbers(reading: Reading, phones: list[Span]) -> tuple[list[Span], list[Span]]:
    """Known phone numbers, each with all of the run it stands in, and the other runs that are long."""
    reading.blank(_innocent(reading.folded, phones))
    runs = [match.span() for match in _RUN.finditer(reading.folded)]
    taken = places(phones)
    known = [run for run in runs if not taken.isdisjoint(range(*run))]
    others = [run for run in runs if taken.isdisjoint(range(*run)) and not _is_kept(reading.folded, *run)]
    return phones + known, others


def _innocent(folded: str, phones: list[Span]) -> list[Span]:
    """Dates, times, amounts and blood pressures."""
    found = [match.span() for match in _INNOCENT.finditer(folded)]
    found += [match.span() for match in _PRESSURE.finditer(folded) if int(match[1]) > int(match[2])]
    taken = places(phones)
    return [span for span in found if taken.isdisjoint(range(*span))]


def places(spans: list[Span]) -> set[int]:
    return {place for span in spans for place in range(*span)}


def _is_kept(folded: str, start: int, end: int) -> bool:
    run = folded[start:end]
    groups = re.findall(r"\d+", run)
    if sum(map(len, groups)) < FEWEST:
        return True
    if run.startswith("+") or len(groups) == 1:
        return False
    return (all(map(_is_tooth_or_year, groups)) or _count_up(groups) or _ROW.fullmatch(run) is not None
            or (_HOURS.fullmatch(run) is not None and _rise(groups))
            or _is_explained(run, groups, folded[max(0, start - _REACH):start], folded[end:end + _REACH]))


def _is_explained(run: str, groups: list[str], before: str, behind: str) -> bool:
    """By a word right before it or a unit behind it; never what is written like a phone number."""
    if "(" in run or _PHONE_LIKE.fullmatch(run):
        return False
    if _CODES.search(before) and all(len(group) == 4 for group in groups):
        return True
    if any(len(group) > 3 or (len(group) > 1 and group[0] == "0") for group in groups):
        return False
    if _TEETH.search(before):
        return all(_is_tooth_or_year(group) or 1 <= int(group) <= 32 for group in groups)
    return _are_alike(groups) and (_MEASURED.search(before) is not None or _UNIT_BEHIND.match(behind) is not None)


def _are_alike(groups: list[str]) -> bool:
    """Unlike the groups of a phone number, that may be called "fee", too: 30 123 45 67."""
    return len({len(group) for group in groups}) == 1 or max(map(len, groups)) < 3 or _rise(groups)


def _is_tooth_or_year(group: str) -> bool:
    """FDI: quadrants 1 to 4 have eight teeth, the milk teeth's 5 to 8 have five."""
    return re.fullmatch(r"[1-4][1-8]|[5-8][1-5]|(?:19|20)\d\d", group) is not None


def _count_up(groups: list[str]) -> bool:
    """1 2 3 up to 32: teeth as they are numbered in the United States."""
    return all(len(group) < 3 and group[0] != "0" and int(group) <= 32 for group in groups) and _rise(groups)


def _rise(groups: list[str]) -> bool:
    return all(int(one) < int(next_one) for one, next_one in pairwise(groups))


class PhoneFinder:
    """Compares digits only: the last seven must agree, so that it does not matter how the number begins."""

    def __init__(self, phone: str) -> None:
        ways = {Reading(way).folded for way in (phone, *re.split("[,;/]", phone))}
        digits = {re.sub(r"\D", "", way) for folded in ways for way in (folded, _EXTENSION.sub("", folded))}
        self._numbers = sorted(way for way in digits if len(way) >= _SHORTEST_PHONE)

    @cached_property
    def _told(self) -> re.Pattern[str]:
        return re.compile("|".join(way for number in self._numbers for way in _told(number)) or r"(?!)")

    def find(self, reading: Reading) -> list[Span]:
        places = [match.start() for match in re.finditer(r"\d", reading.folded)]
        digits = "".join(reading.folded[place] for place in places)
        return [*(span for number in self._numbers for span in _occurrences(number, digits, places, reading.folded)),
                *(match.span() for match in (self._told.finditer(reading.folded) if _tells(reading.folded) else ()))]


def _tells(folded: str) -> bool:
    """Few texts hold as many numerals as a phone number has, and its pattern is compiled for those alone."""
    return len([*islice(NUMERALS.finditer(folded), _PAIRS)]) == _PAIRS


def _told(number: str) -> list[str]:
    """Its end in words, digit by digit and in pairs: six five two, soixante-cinq vingt-deux."""
    pairs = [number[place:place + 2] for place in range(len(number) % 2, len(number), 2)]
    ends = [end for end in (_end(list(number), FEWEST), _end(pairs, _PAIRS)) if sum(map(len, end)) >= FEWEST]
    return [rf"(?<![^\W_]){_TOLD_GAP.join(map(_in_words, end))}(?![^\W_])" for end in ends]


def _end(groups: list[str], fewest: int) -> list[str]:
    """As many groups as it takes and as make no counting; of a number that only counts, none."""
    ends = (groups[-length:] for length in range(fewest, len(groups) + 1))
    return next((end for end in ends if not _is_counting(end)), [])


def _is_counting(groups: Sequence[str]) -> bool:
    """One, two, three up to seven; ten, twenty, thirty, forty."""
    return len(steps := {int(other) - int(one) for one, other in pairwise(groups)}) == 1 and 0 < min(steps) <= _WIDEST_STEP


def _in_words(digits: str) -> str:
    words = in_words(int(digits))
    return _TOLD_GAP.join([f"(?:{_ZERO})"] * (len(digits) - len(digits.lstrip("0"))) + ([f"(?:{words})"] if words else []))


def _occurrences(number: str, digits: str, places: list[int], folded: str) -> list[Span]:
    found = []
    tail = number[-FEWEST:]
    start = digits.find(tail)
    while start >= 0:
        end = start + len(tail)
        if all(_connected(folded, places, k) for k in range(start + 1, end)):
            first, last = _grown(number, digits, places, folded, start, end)
            if len(tail) == FEWEST or (first, last) == (start, end):
                found.append((places[first], places[last - 1] + 1))
            end = last
        start = digits.find(tail, end)
    return found


def _grown(number: str, digits: str, places: list[int], folded: str, start: int, end: int) -> Span:
    """By the digits that touch it, and to the left by those of the number that stand further off."""
    expected = list(number[:-FEWEST])
    while start > 0 and (places[start - 1] == places[start] - 1
                         or (expected and digits[start - 1] == expected[-1] and _connected(folded, places, start))):
        start -= 1
        expected = expected[:-1]
    while end < len(places) and places[end] == places[end - 1] + 1:
        end += 1
    return start, end


def _connected(folded: str, places: list[int], k: int) -> bool:
    """Whether only signs and spaces stand between a digit and the one before."""
    between = folded[places[k - 1] + 1:places[k]]
    return len(between) <= _WIDEST_GAP and GONE not in between and not any(map(str.isalpha, between))
