"""The words of a question in English, Spanish, French or German: folded, and brought to one stem for all that means the same.

The lists are in question_words.toml. Nobody is asked for the language: a question of five words seldom tells it, and the
names of the articles are in all four.
"""

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

WORD = re.compile(r"[^\W_]+")
LETTERS = str.maketrans({"ß": "ss", "œ": "oe", "æ": "ae", "ø": "o"})
# The endings of the four languages, by how many letters must be left: "boca" is no "boc". Longer ones are tried first.
_LEFT = {
    3: ["s"],
    4: ["ings", "ing", "ies", "ado", "ada", "ung", "ed", "es", "e", "a", "o", "y"],
    5: ["iones", "ments", "ment", "ions", "ion", "ent", "en", "et", "ee", "is", "an", "n", "t"],
}
ENDINGS = sorted(((ending, left) for left, endings in _LEFT.items() for ending in endings), key=lambda ending: -len(ending[0]))
REFLEXIVE = re.compile(r"(?<=..[aei]r)(?:me|se|te|los?|las?)$")  # cepillar-me, quitar-lo
COMPOUND = 8  # letters, at least
PART = 4
LINKS = ("", "s", "n", "en", "es")


def fold(word: str) -> str:
    """Without capitals and accents: people leave them out."""
    letters = unicodedata.normalize("NFKD", word.lower().translate(LETTERS))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def split(text: str) -> list[str]:
    words = " ".join(WORD.findall(fold(text)))
    return PHRASES.sub(lambda found: FIRST[found[0]], words).split()


def is_dental(text: str) -> bool:
    """Whether it has a word that is said of teeth and mouths only."""
    return any(not DENTAL.isdisjoint(stems(word)) for word in split(text))


def stems(word: str) -> tuple[str, ...]:
    """Of a folded word: its stem, or those of its parts."""
    whole = stem(word)
    if whole in FIRST or len(word) < COMPOUND:
        return (whole,)
    return next((parts for at in range(len(word) - PART, PART - 1, -1) if (parts := _parts(word[:at], word[at:]))), (whole,))


def stem(word: str) -> str:
    if word in APART:
        return word
    bare = _bare(word)
    return FIRST.get(word, FIRST.get(bare, bare))


def _parts(left: str, right: str) -> tuple[str, ...]:
    """Zahnfleisch-bluten, Implantat-kosten; Zahnarzt-angst, whose first part says nothing of the matter."""
    ends = [left.removesuffix(link) for link in LINKS if left.endswith(link)]
    first = next((end for end in ends if stem(end) in FIRST or end in COMPOUNDING), "")
    if not first or stem(right) not in FIRST:
        return ()
    return (stem(right),) if first in COMPOUNDING else (stem(first), stem(right))


def _bare(word: str) -> str:
    word = REFLEXIVE.sub("", word)
    for ending, left in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= left:
            return _bare(word[:-len(ending)])
    return word


def _listed(kind: str) -> frozenset[str]:
    return frozenset(word for words in _LISTS[kind].values() for word in WORD.findall(fold(words)))


_LISTS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
BESIDE = _listed("beside")
APART = _listed("apart") | BESIDE
SAME = {word: first for first, words in _LISTS["same"].items() for word in (first, *words.split())}
FIRST: dict[str, str] = ({_bare(word): first for word, first in SAME.items()} | SAME
                         | {phrase: first for first, phrases in _LISTS["phrases"].items() for phrase in phrases})
PHRASES = re.compile(rf"\b(?:{'|'.join(sorted((word for word in FIRST if ' ' in word), key=len, reverse=True))})\b")
COMPOUNDING = {"zahnarzt", "haupt", "kinder"}
FAR_AWAY = _listed("elsewhere")
ASKING = _listed("asking") - _listed("stop") - FAR_AWAY
IDLE = ASKING | _listed("stop") - FAR_AWAY
IDLE_IN_OWN = IDLE - _listed("own") | _listed("titles")
OWN_MATTERS = frozenset(map(stem, _listed("own")))
EVERYDAY = frozenset(map(stem, _listed("everyday"))) | BESIDE
ELSEWHERE = frozenset(map(stem, FAR_AWAY))
YIELDS = {matter: frozenset(to.replace("$signs", _LISTS["yield"]["signs"]).replace("$things", _LISTS["yield"]["things"]).split())
          for matter, to in _LISTS["yield"].items() if matter not in ("signs", "things")}
RULING = frozenset(map(stem, _listed("ruling")))
WELL_KNOWN = EVERYDAY | ELSEWHERE | APART | set(FIRST.values())
DENTAL = frozenset(map(stem, _listed("dental")))
