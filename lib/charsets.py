"""The encodings of old programs: a guess from the words of a text, and the names people know them by."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from math import log

from lib.texts import _

# One person's name is spelt with the letters of one language; a wrong encoding mixes them: Dvoøák, Müÿa.
ALPHABETS = [
    set(letters)
    for letters in (
        "äöüßéèáç", "éèêëàâçîïôöûùüÿœæ", "áéíóúñüïç", "áâãàçéêíóôõúü", "àèéìíòóùú", "åäöéæøüáèô", "áéíóúýðþæö",
        "ëïéèöüç", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "ąćęłńóśźż", "áéíóöőúüű", "čćđšž", "ăâîşţ", "çğıöşüâî\u0307",
    )
]  # fmt: skip
EDGE_SIGNS = "’‘“”„–—…€£§°²³µ½¼¾«»‹›¿¡ºª·×±™†\u00a0"
LATIN = ("cp1252", "iso8859_15", "mac_roman", "cp1250", "cp1254", "iso8859_2", "cp850")
# The letters of a script, the frequent ones first, and the encodings that hold them.
SCRIPTS = {
    "аоиевнрлктсмдпуягбйзьычхшюжцщфэіїєґђјљњћџёъѓќѕў": ("cp1251", "koi8_u", "iso8859_5", "cp866"),
    "αοιςστνερηλκμπυωγδχάόίέθφήύώψβξζϊϋΐΰ": ("cp1253", "iso8859_7"),
    "יוהלארמנתבשםדקחןפגעסכטצזךףץ": ("cp1255",),
    "ايملنرعهبدوحسفتةكقجصىشخطأزثذضءغظئؤإآپچژگ": ("cp1256",),
    "านรกมยอ์ิงสีวัเทลดตพ่ชคบาุจะขปหไณศธแ้ใภูฐื็ญโผซฎถฉฑฆฒฏฬฮฝฟฌฤ": ("cp874",),
}
# The first bytes of the characters that names are written with.
COMMON = {
    "cp949": range(0xB0, 0xC9),
    "gb18030": range(0xB0, 0xD8),
    "cp950": range(0xA4, 0xC7),
    "cp932": (0x82, 0x83, *range(0x88, 0x99)),
}
HABITS = {
    "cp1250": "CZ SK PL HU SI HR BA RO RS", "cp1254": "TR", "cp1251": "RU UA BG BY KZ MK", "cp1253": "GR CY", "cp1255": "IL",
    "cp1256": "EG SA AE JO LB SY IQ MA DZ TN LY YE KW QA BH OM IR", "cp874": "TH", "gb18030": "CN SG", "cp950": "TW HK MO",
    "cp932": "JP", "cp949": "KR",
}  # fmt: skip
# Mean logarithms of the probability of one letter: the right language has about -3.
STRANGE, BEARABLE, PLAUSIBLE, HABIT = -8.0, -5.0, -3.3, 0.3
FEW = 0.25
SAMPLE = 500_000


def labels() -> dict[str, str]:
    return {
        "utf-8": _("Unicode (UTF-8)"),
        "cp1252": _("Western European (Windows-1252)"),
        "iso8859_15": _("Western European (ISO 8859-15)"),
        "mac_roman": _("Western European (Macintosh)"),
        "cp850": _("Western European (DOS 850)"),
        "cp1250": _("Central European (Windows-1250)"),
        "iso8859_2": _("Central European (ISO 8859-2)"),
        "cp1254": _("Turkish (Windows-1254)"),
        "cp1257": _("Baltic (Windows-1257)"),
        "cp1251": _("Cyrillic (Windows-1251)"),
        "iso8859_5": _("Cyrillic (ISO 8859-5)"),
        "koi8_u": _("Cyrillic (KOI8)"),
        "cp866": _("Cyrillic (DOS 866)"),
        "cp1253": _("Greek (Windows-1253)"),
        "iso8859_7": _("Greek (ISO 8859-7)"),
        "cp1255": _("Hebrew (Windows-1255)"),
        "cp1256": _("Arabic (Windows-1256)"),
        "cp874": _("Thai (Windows-874)"),
        "gb18030": _("Chinese, simplified (GB 18030)"),
        "cp950": _("Chinese, traditional (Big5)"),
        "cp932": _("Japanese (Shift JIS)"),
        "euc_jp": _("Japanese (EUC-JP)"),
        "cp949": _("Korean (EUC-KR, Windows-949)"),
    }


def label(encoding: str) -> str:
    return labels().get(encoding) or {"utf-8-sig": _("Unicode (UTF-8)")}.get(encoding, _("Unicode (UTF-16)"))


def guess(data: bytes, country: str = "") -> str:
    """The encoding of a text that is not Unicode. `country` (an ISO code) decides where the words leave it open."""
    sample = _telling_lines(data) or data
    latin = [(_strangeness(text), place, name) for place, name in enumerate(_latin(country)) if (text := decoded(sample, name))]
    ranked = [name for _strange, _place, name in sorted(latin)]
    if min(latin)[0][0] > FEW:
        ranked = [*_foreign(sample, country), *ranked]
    return next(name for name in ranked if decoded(data, name))


def decoded(data: bytes, encoding: str) -> str:
    """Empty if it is not written in this encoding."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _telling_lines(data: bytes) -> bytes:
    found, size = [], 0
    for line in data.splitlines():
        if not line.isascii() and size < SAMPLE:
            found.append(line)
            size += len(line)
    return b"\n".join(found)


def _is_habit(encoding: str, country: str) -> bool:
    return bool(country) and country.upper() in HABITS.get(encoding, "").split()


def _latin(country: str) -> list[str]:
    return sorted(LATIN, key=lambda name: not _is_habit(name, country))


# the letters of Europe -----------------------------------------------------------------------------------------------


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]*[^\x00-\x7f](?:[^\W\d_]|['’-]|[^\x00-\x7f])*", text))


def _strangeness(text: str) -> tuple[float, bool]:
    """The share of words that no language writes, and whether the file's letters come from several languages."""
    words = {word.strip(EDGE_SIGNS) for word in _words(text)} - {""}
    letters = {letter for word in words for letter in word.lower() if letter > "\x7f" and letter.isalpha()}
    strange = sum(map(_is_strange, words)) / max(len(words), 1)
    return strange, not any(letters <= alphabet for alphabet in ALPHABETS)


def _is_strange(word: str) -> bool:
    letters = {letter for letter in word.lower() if letter > "\x7f" and letter not in "’\u00a0"}
    if len(word) > 3 and not re.search("[A-Za-z]", word):
        return True
    return not any(letters <= alphabet for alphabet in ALPHABETS) or _flips_case(word)


def _flips_case(word: str) -> bool:
    """JosŽ and MŸller, but not MÜLLER."""
    return any(
        before.isalpha() and letter > "\x7f" and letter.isupper() and (before.islower() or after.islower())
        for before, letter, after in zip(word, word[1:], word[2:] + " ", strict=False)
    )


# other scripts -------------------------------------------------------------------------------------------------------


def _foreign(sample: bytes, country: str) -> list[str]:
    """The likeliest first; none whose words could not be written."""
    found = [
        (likelihood(text) + HABIT * _is_habit(name, country), name)
        for name, likelihood in _judges()
        if (text := decoded(sample, name))
    ]
    found.sort(key=lambda one: -one[0])
    return [name for score, name in found if score > BEARABLE]


def _judges() -> Iterator[tuple[str, Callable[[str], float]]]:
    for letters, encodings in SCRIPTS.items():
        yield from ((name, partial(_likelihood, letters)) for name in encodings)
    yield from ((name, partial(_commonness, name)) for name in COMMON)


def _likelihood(letters: str, text: str) -> float:
    """Frequent letters are likely, as Zipf counts them; a word with a letter of another script is not."""
    total = sum(1 / (rank + 4) for rank in range(len(letters)))
    likely = {letter: -log((rank + 4) * total) for rank, letter in enumerate(letters)}
    return _mean([score for word in _words(text) for score in _letters(word, likely)])


def _letters(word: str, likely: dict[str, float]) -> list[float]:
    letters = [letter for letter in word.lower() if letter not in "'-"]
    if not likely.keys() >= set(letters) - set(EDGE_SIGNS) or _flips_case(word):
        return [STRANGE] * len(letters)
    return [likely.get(letter, STRANGE) for letter in letters]


def _commonness(encoding: str, text: str) -> float:
    """Chinese, Japanese and Korean: most characters of a name are among the common ones, which stand together."""
    letters = [one for one in text if one > "\x7f" and one.isalpha()]
    return _mean([PLAUSIBLE if _is_common(one.encode(encoding), encoding) else STRANGE for one in letters])


def _is_common(code: bytes, encoding: str) -> bool:
    low = encoding in ("cp932", "cp950")
    return len(code) == 2 and code[0] in COMMON[encoding] and (low or code[1] > 0xA0)


def _mean(scores: list[float]) -> float:
    return sum(scores) / len(scores) if scores else STRANGE
