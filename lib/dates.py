"""Dates as people and programs write them in English, Spanish, French and German."""

import re
from collections.abc import Iterable
from datetime import date, timedelta

from babel import Locale, UnknownLocaleError

from lib.patient_form import latest_today
from lib.search_words import fold

MONTHS = [
    {fold(name) for name in names.split()}
    for names in (
        "january enero janvier januar jänner",
        "february febrero février februar feber",
        "march marzo mars märz maerz mrz",
        "april abril avril",
        "may mayo mai",
        "june junio juin juni",
        "july julio juillet juli",
        "august agosto août",
        "september septiembre setiembre septembre sept",
        "october octubre octobre oktober",
        "november noviembre novembre",
        "december diciembre décembre dezember",
    )
]
FILLERS = {"de", "del", "of", "the", "st", "nd", "rd", "th", "er", "den", "le", "el", "der"}
_TIME = re.compile(r"(?<=\d)(?:T|\s+)\d{1,2}[:h.]\d{2}.*$", re.IGNORECASE | re.DOTALL)
_NUMBERS = re.compile(r"(\d{1,4})\s*[./\-\s]\s*(\d{1,2})\s*[./\-\s]\s*(\d{1,4})")


def habit(country: str) -> str:
    """The order in which a country (ISO code) writes dates: "ymd", "dmy" or "mdy"; "dmy" where it is not known."""
    try:
        pattern = Locale.parse(f"und_{country.upper()}").date_formats["short"].pattern
    except (UnknownLocaleError, ValueError):
        return "dmy"
    return "".join(dict.fromkeys(re.sub("[^dmy]", "", pattern.lower())))


def guess_date_order(values: Iterable[str], habit: str) -> str:
    """From the whole column: a number over 12 is a day, one of four digits or over 31 a year; else the habit."""
    found = [match for value in values if (match := _NUMBERS.fullmatch(_without_time(value)))]
    loose = [match for match in found if not _is_year(match[1])]
    if found and not loose:
        return "ymd"
    day_first = sum(int(match[1]) > 12 for match in loose)
    month_first = sum(int(match[2]) > 12 for match in loose)
    if day_first == month_first:
        return habit
    return "dmy" if day_first > month_first else "mdy"


def read(text: str, order: str) -> date | None:
    """The day, in the column's order ("ymd", "dmy", "mdy"); None if it can't be read without doubt."""
    text = _without_time(text)
    try:
        return _serial(text) or _in_numbers(text, order) or _in_words(text)
    except (ValueError, OverflowError):
        return None


def _without_time(text: str) -> str:
    return _TIME.sub("", text.strip()).strip()


def _is_year(number: str) -> bool:
    return len(number) > 2 or int(number) > 31


def _serial(text: str) -> date | None:
    """Days since 1900 as Excel counts them, or eight digits."""
    if re.fullmatch(r"[1-9][0-9]{4}(\.[0-9]+)?", text):
        return date(1899, 12, 30) + timedelta(days=int(float(text)))
    if re.fullmatch(r"(18|19|20)[0-9]{6}", text):
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    return None


def _in_numbers(text: str, order: str) -> date | None:
    match = _NUMBERS.fullmatch(text)
    if not match:
        return None
    if _is_year(match[1]):
        order = "ymd"
    elif order == "ymd" and _is_year(match[3]):
        order = "dmy" if int(match[1]) > 12 else "mdy" if int(match[2]) > 12 else ""
    parts = dict(zip(order, match.groups(), strict=False))
    return _day(parts["y"], int(parts["m"]), int(parts["d"])) if parts else None


def _in_words(text: str) -> date | None:
    tokens = [token for token in re.findall(r"[^\W\d_]+|\d+", fold(text)) if token not in FILLERS]
    numbers = [token for token in tokens if token.isdigit()]
    months = {month for token in tokens if not token.isdigit() for month in _months(token)}
    if len(numbers) != 2 or len(months) != 1 or len(tokens) > 4:
        return None
    day, year = reversed(numbers) if len(numbers[0]) == 4 else numbers
    return _day(year, months.pop(), int(day))


def _months(token: str) -> list[int]:
    return [
        place
        for place, names in enumerate(MONTHS, 1)
        if len(token) >= 3 and any(name.startswith(token) for name in names)
    ]


def _day(year: str, month: int, day: int) -> date | None:
    """A year of two digits is the last one that is not in the future."""
    if len(year) == 4:
        return date(int(year), month, day)
    if len(year) != 2:
        return None
    recent = date(2000 + int(year), month, day)
    return recent if recent <= latest_today() else date(1900 + int(year), month, day)
