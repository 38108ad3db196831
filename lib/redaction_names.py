"""Finds the parts of one person's name: as whole words of any case, with a possessive or a German genitive behind them."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from lib.redaction_reading import Reading, Span
from lib.search_words import spellings

MOST_PARTS = 12
LONGEST_UNSPACED = 8
LONGEST_SPACED = 20

# Said of nobody when they stand alone: particles, titles and numerals.
_PARTICLES = """
    al ap ibn bin bint da das de del della dello den der des di dos du el la las les los van von vom ter ten te tot und zu zum
    zur af av of the dr prof mr mrs ms miss sr sra jr herr frau sir mme mlle ii iii iv
"""

# Names that are words of a clinic's messages in one of the four languages: the patient's only where they are capitalised.
_COMMON = """
    an and are art as at be best better big black blue bone bones book bridge brown but by can cap caps care chance chip clean
    cold cross crown cut day days deal do drill early ever face fine foot free go gold good grant gray green grey gum gums
    hall hand hard he head heart her hi his hope hot house if in is it jaw just long lip lips lo love low mark may me mouth my
    neck new nice no noble not nurse of oh ok old on or page pain patient pink pool poor powder power price quick rash raw red
    rich right root rose royal salt sharp she short silver small smart so sore spring star stone strong summer sun sweet to
    tongue tooth teeth up us walk wall warm was way we weak well wells white will winter wise young april august birth date
    dentist doctor email id number phone alba ano blanca blanco boca bueno calle cara caries claro con corona delgado diente
    dolor dolores en es fuerte guapo hay hoy leche luz mano mar mas mayo mi muela paz pena perla puente raiz remedios rojo
    rosa sal salud se si sin sol son su todo toro tu un una ven vida ya ai au aux beau bec belle blanc bon bonne bouche ce
    claire couronne dans dent dents des doux droit elle est et fleur fort grand gros hier il jour juste le les leur lui ma mai
    main midi mon nez noir nous os ou par pas petit plus pont que qui rouge roux sa sage ses sur ta te ton tout une vous ab
    alt am auf aus bei blau braun er gross gut hat herz heute im ist ja jung kalt kiefer klein kopf krank krone kurz lang
    links man mit mund nach neu neun noch nun ob rot sauer schmerz schnell schon schwach schwarz sehr sein sie stark uhr weh
    weiss wie wir wo wunder wurzel zahn zahne zunge zwei
"""
PARTICLES, COMMON = frozenset(_PARTICLES.split()), frozenset(_COMMON.split())
# Short words of the four languages, folded: those that stand ten times in the questions and articles of this repository.
WORDS = COMMON | PARTICLES | frozenset(Path(__file__).with_name("redaction_words.txt").read_text(encoding="utf-8").split())

_BETWEEN = r"[\s\-'.,·・]"
_STRAY = r"[\s\-._]"
_ONE_LETTER = frozenset(("ss", "ae", "oe", "th"))  # as ß, æ, œ and þ are folded
_LETTERED = re.compile(r"\b(?:teeth|tooth|zahne?|dientes?|piezas?|dents?)\s{1,2}\Z")
_TITLE = re.compile(r"(?P<article>\b(?:the|a|die|der|eine[rn]?|la|le|une?|cette|diese[rn]?)\s{1,2})?"
                    r"\b(?P<title>mrs?|ms|mister|herrn?|hr|frau|sra?|srta|senor(?:a|ita)?|don|dona|monsieur|madame|mme|mlle)\b"
                    r"(?P<dot>\.?)\s{1,2}\Z")
_SPANISH = frozenset(("sr", "sra", "srta", "senor", "senora", "senorita", "don", "dona"))  # take an article before a name
_NO_TITLES = frozenset(("ms", "hr", "don"))  # the sclerosis, hours and "I don will": these need a dot or a capital
# Follow "the woman" and "madame" as what they are.
_NO_NAMES = """
    and are but can got had has not was way hat ist nur nun noch mit auf aus bei mal nach sehr schon stark est des les que qui ses
    sur par pas con del hay las los mas sin son ton una ven
"""
_BEHIND_A_TITLE = frozenset(_NO_NAMES.split())
_REACH = 24
_HAN_OR_HANGUL = re.compile("[\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff]|" + _HAN_OR_HANGUL.pattern)


class NameFinder:
    def __init__(self, full_name: str) -> None:
        names = [parts for spelling in spellings(full_name) if (parts := _split(spelling))]
        chunks = [parts for spelling in spellings(full_name) for chunk in spelling.split() if len(parts := _split(chunk)) > 1]
        single = {way for parts in names for part in parts for way in _ways(part) if len(way) > 1 and way not in PARTICLES}
        self._spaced = _spaced(single | {"".join(parts) for parts in names if max(map(len, parts)) < 3})
        single |= {way for parts in names for way in _with_particles(parts)}
        if not single:
            single = {"".join(parts) for parts in names}
        together = [*names, *chunks, *(pair for parts in names for pair in _pairs(parts))]
        whole = [_joined(parts) for parts in together if len(parts) > 1 and max(map(len, parts)) > 1]
        unspaced = [part for part in single if _UNSPACED.search(part)]
        self._words = _words(whole, [part for part in single if part not in unspaced])
        self._unspaced = _either([*whole, *map(_joined, unspaced)]) if unspaced else None
        particles = _either(map(re.escape, {part for parts in names for part in parts if part in PARTICLES or len(part) == 1}))
        self._gap = re.compile(rf"{_BETWEEN}{{0,3}}(?:(?:{particles.pattern}){_BETWEEN}{{1,3}}){{0,4}}")

    def find(self, reading: Reading) -> list[Span]:
        found = [match.span("name") for match in self._words.finditer(reading.folded) if _is_name(match, reading)]
        found += [match.span("name") for match in self._spaced.finditer(reading.folded) if _is_in_pieces(match, reading.folded)]
        if self._unspaced:
            found += [match.span() for match in self._unspaced.finditer(reading.folded)]
        return self._merged(sorted(found), reading.folded)

    def _merged(self, found: list[Span], folded: str) -> list[Span]:
        """María, de la and Cruz are one person."""
        merged: list[Span] = []
        for start, end in found:
            before = merged[-1] if merged else None
            if before and (start <= before[1] or self._gap.fullmatch(folded, before[1], start)):
                merged[-1] = (before[0], max(end, before[1]))
            else:
                merged.append((start, end))
        return merged


def _split(name: str) -> list[str]:
    return [part for part in re.split(r"[\s\-'.,·・()\[\]\"„“”«»/;_\0]+", name) if part][:MOST_PARTS]


def _pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    """ "Hanspeter" of Hans Peter Weber, "JohnSmith" of Smith, John; no two words that are words of messages, too."""
    turned = [(parts[1], parts[0])] if len(parts) == 2 else []
    for one, other in [*pairwise(parts), *turned]:
        if PARTICLES.isdisjoint((one, other)) and not COMMON.issuperset((one, other)):
            yield one, other


def _with_particles(parts: list[str]) -> Iterator[str]:
    """ "Delacruz" and "Lacruz" of de la Cruz, "VanDam" of van Dam, "vdBerg" of van den Berg; no "delay" of
    De Lay."""
    run, initials = [""], ""
    for part in parts:
        if part in PARTICLES:
            run, initials = [*(before + part for before in run), part], initials + part[0]
        else:
            befores = [before for before in [*run, initials] if len(before) > 1 and len(part) > 1]
            yield from (before + way for before in befores for way in _ways(part) if before + way not in WORDS)
            run, initials = [""], ""


def _ways(part: str) -> Iterator[str]:
    """Mueller is Müller, Aagaard is Ågård; of 王小明 and 김민수 one may say 小明 and 민수."""
    yield part
    short = re.sub(r"(?<=[aou])e|(?<=a)a", "", part)
    if len(short) > 3:
        yield short
    if len(part) <= LONGEST_UNSPACED and _HAN_OR_HANGUL.fullmatch(part):
        for length in range(2, len(part)):
            yield part[:length]
            yield part[-length:]


def _joined(parts: Iterable[str]) -> str:
    return (_BETWEEN + "{0,3}").join(map(re.escape, parts))


def _words(whole: Iterable[str], single: Iterable[str]) -> re.Pattern[str]:
    """Whole names before their parts. What stands behind a name stays: José's, Müllers, Fritz'."""
    name = f"(?P<whole>{_either(whole).pattern})|(?P<part>{_either(map(re.escape, single)).pattern})"
    return _as_words(name)


def _spaced(single: Iterable[str]) -> re.Pattern[str]:
    """ "M a r i a" and "Mul ler", in scripts that part their words."""
    parts = [part for part in single if 2 < len(part) <= LONGEST_SPACED and not _UNSPACED.search(part)]
    return _as_words(_either((_STRAY + "{0,3}").join(map(re.escape, part)) for part in parts).pattern)


def _as_words(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_])(?P<name>{name})(?:'?s)?(?![^\W\d_])")


def _either(patterns: Iterable[str]) -> re.Pattern[str]:
    """Of none: what matches nothing."""
    return re.compile("|".join(sorted(set(patterns), key=len, reverse=True)) or r"(?!)")


def _is_name(match: re.Match[str], reading: Reading) -> bool:
    """A name that is a word, too, is one behind a title: herr klein."""
    name, start = match["name"], match.start("name")
    if match["part"] is None:
        return name not in WORDS or reading.is_capital(start)
    return name not in COMMON | PARTICLES or reading.is_capital(start) or _is_titled(name, start, reading)


def _is_titled(name: str, start: int, reading: Reading) -> bool:
    """Not where "die Frau stark blutet" and "his MS will get worse"."""
    before = max(0, start - _REACH)
    title = _TITLE.search(reading.folded, before, start)
    if not title or len(name) < 3 or name in _BEHIND_A_TITLE:
        return False
    if title["title"] in _NO_TITLES and not title["dot"]:
        capital, second = title.start("title"), title.start("title") + 1
        return reading.is_capital(capital) and not reading.is_capital(second)
    return not title["article"] or title["title"] in _SPANISH


def _is_in_pieces(match: re.Match[str], folded: str) -> bool:
    """Letter by letter, or in pieces that are no words themselves: "al an" is no Alan, "drink water" no Drinkwater."""
    written, start = match["name"], match.start("name")
    pieces = re.split(_STRAY + "+", written)
    if len(pieces) > 2 and all(len(piece) == 1 or piece in _ONE_LETTER for piece in pieces):
        return not _are_single(pieces, written, folded[max(0, start - _REACH):start])
    if len(pieces) < 2 or min(map(len, pieces)) == 1:
        return False
    if "-" in written:
        return (COMMON | PARTICLES).isdisjoint(pieces) and not WORDS.issuperset(pieces)
    return WORDS.isdisjoint(pieces)


def _are_single(letters: list[str], written: str, before: str) -> bool:
    """Words or vitamins of one letter, a y e, and milk teeth as they are lettered in the United States: teeth A B E."""
    if " " in written and all(letter in "aeiouy" for letter in letters):
        return True
    rise = all(one < other <= "t" for one, other in pairwise(letters))
    return rise and _LETTERED.search(before) is not None
