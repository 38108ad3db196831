"""The tier that a provider sees: lib/prompts.py asks it to begin with "TIER: E" on a line of its own; models decorate it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lib.events import Delta, Done, Event

TAG = r"</?[a-z]+>"
EDGE = rf"(?:[\W\d_]|{TAG})*"  # before it: an item's number, Markdown, brackets, a picture, what nobody sees
BETWEEN = rf"(?=(?:[\W_]|{TAG})*?[:：=|–—-])(?:[\W_]|{TAG}){{1,12}}"
NAME = r"(?:E(?:MERGENCY)?|U(?:RGENT)?|NONE)(?![^\W_])"
TAIL = rf"(?:[*_`~.)\]}}\"'”“»›|>]|{TAG})*[ \t]*"
# "NONE or U" is two where they are all of their line; in "NONE - U-shaped roots …" an answer begins.
NAMES = rf"(?:{NAME}(?:[^\S\n]*(?:/|\||,|or|to|-)[^\S\n]*{NAME})+(?={TAIL}(?:\n|\Z))|{NAME})"
LINE = re.compile(rf"{EDGE}TIER{BETWEEN}({NAMES}){TAIL}\n*", re.IGNORECASE)
BEGUN = re.compile(rf"{EDGE}(?:<|<[a-z/]*|T|TI|TIE|TIER(?P<more>.*))?\Z", re.IGNORECASE | re.DOTALL)
LONGEST, MOST = 40, 200  # characters that are waited for at most: behind "TIER", where they make no line, and in all
# Open models think aloud first, where nobody told their server to keep that to itself.
OPENING, CLOSING = "<think>", "</think>"


@dataclass(frozen=True)
class Tier:
    """What the provider says it sees: "E" or "U"."""

    name: str


def told(events: Iterator[Event]) -> Iterator[Event | Tier]:
    """The first line, where it names a tier, becomes one, and thoughts before it are left out; everything else passes."""
    held: str | None = ""
    for event in events:
        if held is None or not isinstance(event, Delta | Done):
            yield event
            continue
        held += event.text if isinstance(event, Delta) else ""
        if isinstance(event, Delta) and _is_open(held):
            continue
        yield from _split(held)
        held = None
        if isinstance(event, Done):
            yield event


def _is_open(text: str) -> bool:
    """Not enough came yet to tell."""
    begun = text.lstrip()
    if OPENING.startswith(begun) or (begun.startswith(OPENING) and CLOSING not in begun):
        return True
    said = _without_thoughts(text)
    return len(said) < MOST and _may_name_one(said)


def _may_name_one(said: str) -> bool:
    begun, found = BEGUN.match(said), LINE.match(said)
    return begun is not None and len(begun["more"] or "") < LONGEST and not (found and "\n" in said[found.start(1):])


def _split(text: str) -> Iterator[Event | Tier]:
    """Where the line names two, the higher one counts."""
    text = _without_thoughts(text)
    found = LINE.match(text)
    names = {name[0].upper() for name in re.findall(NAME, found[1], re.IGNORECASE)} if found else set()
    for name in sorted(names - {"N"})[:1]:
        yield Tier(name)
    rest = text[found.end():] if found else text
    if rest:
        yield Delta(rest)


def _without_thoughts(text: str) -> str:
    """What never ends was nothing but thoughts."""
    begun = text.lstrip()
    return begun.partition(CLOSING)[2].lstrip() if begun.startswith(OPENING) else text
