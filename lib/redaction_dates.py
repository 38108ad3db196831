"""Finds one date in the ways people write it in English, Spanish, French and German, and programs everywhere."""

import re
from datetime import date

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


class DateFinder:
    def __init__(self, day: date) -> None:
        words = "|".join(sorted(_names(day.month), key=len, reverse=True))
        day_in_words = rf"(?:0?{day.day}{_ORDINAL}|(?:{_DAYS[day.day - 1]})(?![^\W_]))"
        month_in_numbers = rf"(?:\s(?:del?|of|of\sthe|du)\s0?{day.month}{_ORDINAL}|{_GAP}(?:{_DAYS[day.month - 1]}))(?![^\W_])"
        day_and_month = rf"{day_in_words}{_GAP}(?:{words})(?![^\W\d_])\.?|(?:{words})\.?{_GAP}{day_in_words}"
        year_in_words, end_in_words = _year_in_words(day.year)
        year = rf"(?:{day.year}|'?{day.year % 100:02}|(?:{year_in_words}|{end_in_words})(?![^\W_]))"
        self._full = re.compile("|".join([
            *_in_digits(day),
            rf"(?<![^\W_])(?:{day_and_month}|{day_in_words}{month_in_numbers}){_GAP}{year}(?!\d)",
            rf"(?:(?<!\d){day.year}|(?<![^\W_])(?:{year_in_words})){_GAP}(?:{day_and_month})(?![^\W_])",
        ]))
        numbers = rf"0?{day.day}[./\-]0?{day.month}|0?{day.month}[./\-]0?{day.day}"
        spaced = rf"0?{day.day} 0?{day.month} {day.year % 100:02}|0?{day.month} 0?{day.day} {day.year % 100:02}"
        self._cued = re.compile(rf"(?<![^\W_])(?:{day_and_month}|{numbers}|{spaced}|{year_in_words})(?![^\W_]|[./\- ]{{0,3}}\d)")

    def find(self, reading: Reading) -> list[Span]:
        """The day without its year, three short numbers, and the year in words count beside a word for birth only: visits have
        days, too. The year alone in digits stays."""
        folded = reading.folded
        return [match.span() for match in self._full.finditer(folded)] + [
            match.span() for match in self._cued.finditer(folded)
            if _CUE.search(folded[max(0, match.start() - _REACH):match.start()])
            or _CUE_BEHIND.match(folded, match.end(), match.end() + _REACH)]


def _year_in_words(year: int) -> tuple[str, str]:
    """Patterns of it and of its last two numerals: mil novecientos ochenta y cuatro, twenty oh one, two thousand."""
    century = _CENTURIES.get(year // 100, _NEVER)
    if not year % 100:
        return century, _NEVER
    end = rf"(?:oh?{_JOINT})?(?:{in_words(year % 100)})"
    return rf"(?:{century}{'|twenty' if year >= 2000 else ''}){_JOINT}{end}", end


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
