"""Finds one date in the ways people write it in English, Spanish, French and German, and programs everywhere."""

import re
from datetime import date
from functools import cached_property, lru_cache

from lib.dates import MONTHS
from lib.redaction_reading import Reading, Span

_ROMAN = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"]
_SIGN = r"[./\-_,·|:;\\*~=]"
_MARK = rf"(?:\s{{0,2}}{_SIGN}\s{{0,2}}|\s{{1,2}}|\s?[年月日년월일]\s?)"
_SHORT_MARK = r"\s?[./\-_]\s?"
_ORDINAL = r"(?:st|nde?|rd|th|i?(?:em)?e|ere?|ro|te[nrsm]?|o|a|\.)?"
_LINKS = "de|del|du|of|the|in|im|en|der|des|den|le|el|day|tag|dia|jour|year|jahre?s?|ano|annee|l'annee"
_GAP = rf"[\s.,\-/']{{0,3}}(?:(?:{_LINKS})[\s.,]{{1,2}}){{0,4}}"
_BIRTH = r"""born | birth\ ?da(?:y|te) | (?:date|year)\ of\ birth | d\.?o\.?b\b | nacid[oa] | nacio | nacimiento | cumpleanos
    | nee | naissance | anniversaire | geb | geboren | geburtstag | geburtsdatum | geburtsjahr | jahrgang"""
_CUE = re.compile(rf"""
    \b(?: {_BIRTH} | ne )\b
    [\s.,:\-()/']{{0,3}} (?: (?:is|was|on|in|el|es|le|est|am|ist|the|der|den|de|del|of|un|une|im|en
        |year|jahre?|ano|annee|l'annee)\b [\s:]{{1,2}} ){{0,3}} \Z
    """, re.VERBOSE)
_CUE_BEHIND = re.compile(rf"""
    [\s.,:\-()/']{{0,3}} (?: (?:is|was|es|est|ist)\s (?:\w{{1,5}}\s){{0,2}} )? (?: {_BIRTH} )\b
    """, re.VERBOSE)
_REACH = 40
_ANY_CUE = re.compile(rf"\b(?:{_BIRTH}|ne)\b", re.VERBOSE)
# Not what may begin the next sentence: mal à la dent, Zahn 36. "I.e." only behind a round number.
_NAMES_OF_UNITS = r"""
    mg mcg [uμ]g kg ml cl dl [mnc]m ncm ppm rpm kv kcal [khm]pa bar iu ui (?<=00)i\.?e (?<=00\s)i\.?e units? unidades
    unites einheiten (?:milli|mili|micro|mikro|kilo)?gram(?:m?e?s?|os?) milli?lit(?:er|re|ro)s? percent per\scent
    prozent por\sciento pour\scent euros? eur usd chf gbp dollars? dolares pounds libras francs? franken hundred
    thousand steps times veces fois minut[eo][sn]? hours stunden horas heures days tagen? dias jours weeks wochen
    semanas semaines months monaten? meses mois
"""
UNITS = rf"(?:[%‰€$£¥]|(?:{'|'.join(_NAMES_OF_UNITS.split())})(?![^\W_]))"
_MEASURED = re.compile(rf"\s{{0,2}}{UNITS}")
_ORDINALS = re.compile(r"""
    0?\d+(?:[^\W\d_]+|\.) | first | second | third | \w*th | twenty\W?(?:first|second|third) | thirty\W?first
    | primer[oa]? | segundo | tercer[oa]? | cuarto | quinto | sexto | sep?timo | octavo | noveno | \w*decimo | premier | \w*ieme
    | (?!siete|veinte|trente)\w{2,}te[nrsm]?
    """, re.VERBOSE)
_SPOKEN_MONTH_FIRST = re.compile(r"(?:may|mar|sept?|dec|i|v|x)\W+[a-z]")  # words of messages: "may one eighty"
_LOW = 32  # days, months and counts are lower
_JOINT = r"[\s\-]?"
_NEVER = "(?!)"
_CONTRACTED = {3: {"mzo"}, 4: {"abl"}, 8: {"agto"}, 9: {"sbre"}, 10: {"obre"}, 11: {"nvbre"}, 12: {"dcbre"}}


def _patterns(lines: str) -> list[str]:
    """A blank may be a hyphen or missing."""
    return [line.strip().replace(" ", _JOINT) for line in lines.strip().splitlines()]


# The days, the tens from 20 to 90 and the centuries in words, as patterns: English, Spanish, French and German.
_DAYS = _patterns(r"""
    one|first|uno?|primer[oa]?|une?|premier|eins?|erste[nrsm]?
    two|second|dos|segundo|deux|deuxieme|zwei|zwo|zweite[nrsm]?
    three|third|tres|tercer[oa]?|trois|troisieme|drei|dritte[nrsm]?
    four|fourth|cuatro|cuarto|quatre|quatrieme|vier|vierte[nrsm]?
    five|fifth|cinco|quinto|cinq|cinquieme|fue?nf|fue?nfte[nrsm]?
    six|sixth|seis|sexto|sixieme|sechs|sechste[nrsm]?
    seven|seventh|siete|sep?timo|sept|septieme|sieben|sieben?te[nrsm]?|siebte[nrsm]?
    eight|eighth?|ocho|octavo|huit|huitieme|acht|achte[nrsm]?
    nine|ninth|nueve|noveno|neuf|neuvieme|neun|neunte[nrsm]?
    ten|tenth|diez|decimo|dix|dixieme|zehn|zehnte[nrsm]?
    eleven|eleventh|once|undecimo|onze|onzieme|elf|elfte[nrsm]?
    twelve|twelfth|doce|duodecimo|douze|douzieme|zwoe?lf|zwoe?lfte[nrsm]?
    thirteen|thirteenth|trece|treize|treizieme|dreizehn|dreizehnte[nrsm]?
    fourteen|fourteenth|catorce|quatorze|quatorzieme|vierzehn|vierzehnte[nrsm]?
    fifteen|fifteenth|quince|quinze|quinzieme|fue?nfzehn|fue?nfzehnte[nrsm]?
    sixteen|sixteenth|dieciseis|diez y seis|seize|seizieme|sechzehn|sechzehnte[nrsm]?
    seventeen|seventeenth|diecisiete|diez y siete|dix sept|dix septieme|siebzehn|siebzehnte[nrsm]?
    eighteen|eighteenth|dieciocho|diez y ocho|dix huit|dix huitieme|achtzehn|achtzehnte[nrsm]?
    nineteen|nineteenth|diecinueve|diez y nueve|dix neuf|dix neuvieme|neunzehn|neunzehnte[nrsm]?
    twenty|twentieth|veinte|vingt|vingtieme|zwanzig|zwanzigste[nrsm]?
    twenty one|twenty first|veintiuno?|vingt et un|vingt et unieme|ein und zwanzig|ein und zwanzigste[nrsm]?
    twenty two|twenty second|veintidos|vingt deux|vingt deuxieme|zwei und zwanzig|zwei und zwanzigste[nrsm]?
    twenty three|twenty third|veintitres|vingt trois|vingt troisieme|drei und zwanzig|drei und zwanzigste[nrsm]?
    twenty four|twenty fourth|veinticuatro|vingt quatre|vingt quatrieme|vier und zwanzig|vier und zwanzigste[nrsm]?
    twenty five|twenty fifth|veinticinco|vingt cinq|vingt cinquieme|fue?nf und zwanzig|fue?nf und zwanzigste[nrsm]?
    twenty six|twenty sixth|veintiseis|vingt six|vingt sixieme|sechs und zwanzig|sechs und zwanzigste[nrsm]?
    twenty seven|twenty seventh|veintisiete|vingt sept|vingt septieme|sieben und zwanzig|sieben und zwanzigste[nrsm]?
    twenty eight|twenty eighth?|veintiocho|vingt huit|vingt huitieme|acht und zwanzig|acht und zwanzigste[nrsm]?
    twenty nine|twenty ninth|veintinueve|vingt neuf|vingt neuvieme|neun und zwanzig|neun und zwanzigste[nrsm]?
    thirty|thirtieth|treinta|trente|trentieme|dreissig|dreissigste[nrsm]?
    thirty one|thirty first|treinta y uno?|trente et un|trente et unieme|ein und dreissig|ein und dreissigste[nrsm]?
    """)
_TENS = _patterns(r"""
    twenty|veinte|vingts?|zwanzig
    thirty|treinta|trente|dreissig
    fou?rty|cuarenta|quarante|vierzig
    fifty|cincuenta|cinquante|fue?nfzig
    sixty|sesenta|soixante|sechzig
    seventy|setenta|septante|siebzig
    eighty|ochenta|quatre vingts?|huitante|achtzig
    ninety|noventa|nonante|neunzig
    """)
_CENTURIES = dict(zip((19, 20), _patterns(r"""
    nineteen(?: hundred(?: and)?)?|mil novecientos|mill?e? neuf cents?|dix neuf cents?|neunzehn hundert(?: und)?
    two thousand(?: and)?|dos mil|deux mille|zwei tausend(?: und)?
    """), strict=True))

NUMERALS = re.compile(rf"(?<![^\W\d_])(?:{'|'.join([*_DAYS, *_TENS, 'zero', 'oh?', 'null', 'cero'])})(?![^\W\d_])")


class DateFinder:
    """Compiles what a text gives cause to: most have none of the words."""

    def __init__(self, day: date) -> None:
        self._date = day
        self._month_names = frozenset(_names(day.month))

    def find(self, reading: Reading) -> list[Span]:
        """The day without its year, three short numbers, and the year in words count beside a word for birth only: visits have
        days, too. The year alone in digits stays."""
        folded = reading.folded
        words = frozenset(re.findall(r"[^\W\d_]+", folded))
        found: list[re.Match[str]] = []
        if re.search(r"\d", folded):
            found += self._digits.finditer(folded)
        if not self._month_names.isdisjoint(words):
            named = self._named.finditer(folded)
            found += (match for match in named if self._is_named(match) or _is_beside(folded, *match.span()))
        if any(map(_month_in_words(self._date.month).fullmatch, words)) or (re.search(r"\d", folded) and _OF.search(folded)):
            told = self._told.finditer(folded)
            found += (match for match in told if self._is_told(match) or _is_beside(folded, *match.span()))
        if _ANY_CUE.search(folded):
            found += (match for match in self._cued.finditer(folded) if _is_beside(folded, *match.span()))
        return [match.span() for match in found if not _MEASURED.match(folded, match.end())]

    def _is_named(self, match: re.Match[str]) -> bool:
        """The year told by its end alone, eighty-four, is none where it may be a count: may one, two."""
        end = match["end"]
        if end is None or end.startswith("oh"):
            return True
        return self._date.year % 100 >= _LOW and not _SPOKEN_MONTH_FIRST.match(match[0])

    def _is_told(self, match: re.Match[str]) -> bool:
        """One, two, three are no date: it takes a whole year or a high one, and ordinals or links, siete del tres del ochenta."""
        end, year, link, gap = match["end"], match["year"], match["link"], match["gap"]
        if end is not None and self._date.year % 100 < _LOW and not end.startswith("oh"):
            return False
        if _ORDINALS.fullmatch(match["month"]) and "," not in link and (
                match["day"].isdigit() or _ORDINALS.fullmatch(match["day"])):
            return True
        if re.search(r"\bde?[lu]?\b", link) and not re.search(r"\b(?:in|im|en)\b(?!\sel\b)", gap):
            return len(year) > 3 or re.search(r"\bdel?\b", gap) is not None
        return match["whole"] is not None and self._date.year % 100 > 0 and "," not in link

    @cached_property
    def _digits(self) -> re.Pattern[str]:
        return re.compile("|".join(_in_digits(self._date)))

    @cached_property
    def _named(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![^\W_])(?:{self._day_and_month}){_GAP}{self._year}(?!\d)"
                          rf"|(?:(?<!\d){self._date.year}|(?<![^\W_])(?:{self._years[0]})){_GAP}(?:{self._day_and_month})(?![^\W_])")

    @cached_property
    def _told(self) -> re.Pattern[str]:
        """With the month as a number."""
        month = self._date.month
        numbers = rf"(?P<link>\s(?:del?|of|of\sthe|du)\s|{_GAP})(?P<month>0?{month}{_ORDINAL}|{_DAYS[month - 1]})(?![^\W_])"
        return re.compile(rf"(?<![^\W_])(?P<day>{self._day}){numbers}(?P<gap>{_GAP}){self._year}(?!\d)")

    @cached_property
    def _cued(self) -> re.Pattern[str]:
        day = self._date
        numbers = rf"0?{day.day}[./\-]0?{day.month}|0?{day.month}[./\-]0?{day.day}"
        spaced = rf"0?{day.day} 0?{day.month} {day.year % 100:02}|0?{day.month} 0?{day.day} {day.year % 100:02}"
        ways = rf"{self._day_and_month}|{numbers}|{spaced}|{self._years[0]}"
        return re.compile(rf"(?<![^\W_])(?:{ways})(?![^\W_]|[./\- ]{{0,3}}\d)")

    @property
    def _day(self) -> str:
        return rf"(?:0?{self._date.day}{_ORDINAL}|(?:{_DAYS[self._date.day - 1]})(?![^\W_]))"

    @property
    def _day_and_month(self) -> str:
        words = "|".join(sorted(self._month_names, key=len, reverse=True))
        return rf"{self._day}{_GAP}(?:{words})(?![^\W\d_])\.?|(?:{words})\.?{_GAP}{self._day}"

    @property
    def _years(self) -> tuple[str, str]:
        return _year_in_words(self._date.year)

    @property
    def _year(self) -> str:
        whole, end = self._years
        in_words = rf"(?:(?P<whole>{whole})|(?P<end>{end}))(?![^\W_])"
        return rf"(?P<year>{self._date.year}|'?{self._date.year % 100:02}|{in_words})"


_OF = re.compile(r"\d[^\W\d_]{0,3}\.?\s(?:del?|of|of\sthe|du)\s\d")


def _is_beside(folded: str, start: int, end: int) -> bool:
    """A word for birth."""
    return (_CUE.search(folded[max(0, start - _REACH):start]) is not None
            or _CUE_BEHIND.match(folded, end, end + _REACH) is not None)


@lru_cache(maxsize=12)
def _month_in_words(month: int) -> re.Pattern[str]:
    return re.compile(_DAYS[month - 1])


def _year_in_words(year: int) -> tuple[str, str]:
    """Patterns of it and of its last two numerals: mil novecientos ochenta y cuatro, twenty oh one, two thousand."""
    century = f"(?:{_CENTURIES.get(year // 100, _NEVER)})"
    if not year % 100:
        return century, _NEVER
    bare = in_words(year % 100)
    end = rf"(?:oh?{_JOINT})?(?:{bare})"
    twenty = "" if year < 2000 else rf"|twenty{_JOINT}{'' if year % 100 > 9 else f'oh?{_JOINT}'}(?:{bare})"
    return rf"{century}{_JOINT}{end}{twenty}", end


def in_words(number: int) -> str:
    """A pattern of a number below a hundred; in twenties, too, as the French count: quatre-vingt-dix-neuf."""
    if number <= len(_DAYS):
        return _DAYS[number - 1] if number else ""
    return "|".join(_ten_and(ten, number - 10 * ten) for ten in {number // 10, number // 20 * 2})


def _ten_and(ten: int, rest: int) -> str:
    words = rf"(?:{_TENS[ten - 2]})"
    if not rest:
        return words
    return rf"{words}{_JOINT}(?:(?:y|et){_JOINT})?(?:{_DAYS[rest - 1]})|(?:{_DAYS[rest - 1]}){_JOINT}und{_JOINT}{words}"


def _names(month: int) -> set[str]:
    """märz, märz abbreviated in every way that has three letters, and III."""
    names = MONTHS[month - 1]
    return {name[:length] for name in names for length in range(3, len(name) + 1)} | _CONTRACTED.get(month, set()) | {
        _ROMAN[month - 1]}


def _in_digits(day: date) -> list[str]:
    """Also as the other half of the world would read it, and as scanners and barcodes have it."""
    y, yy, m, d = f"{day.year}", f"{day.year % 100:02}", f"0?{day.month}", f"0?{day.day}"
    short = _SHORT_MARK
    parted = [rf"{y}{_MARK}{m}{_MARK}{d}", rf"{y}{_MARK}{d}{_MARK}{m}", rf"{d}{_MARK}{m}{_MARK}{y}", rf"{m}{_MARK}{d}{_MARK}{y}",
              rf"{d}{short}{m}{short}'?{yy}", rf"{m}{short}{d}{short}'?{yy}", rf"{yy}{short}{m}{short}{d}"]
    joined = [day.strftime(form) for form in ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%d%m%y", "%m%d%y", "%y%m%d")]
    return [rf"(?<!\d)(?:{'|'.join([*parted, *joined])})(?!\d)(?:\s?[日일])?"]
