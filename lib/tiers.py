"""The tier that a provider sees: lib/prompts.py asks it to begin with "TIER: E" on a line of its own; models decorate it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lib.events import Delta, Done, Event

# What may stand around each part: blanks, Markdown, brackets, quotes, an item's number, and what nobody sees.
NOISE = r"[\s*_#>`~()\[\]{}\"'“”„«»‹›.\d\ufeff\u200b-\u200f\u2060-]*"
NAME = r"(?:E(?:MERGENCY)?|U(?:RGENT)?|NONE)(?![^\W_])"
NAMES = rf"{NAME}(?:\s*(?:/|\||,|or|to|-)\s*{NAME})*"
LINE = re.compile(rf"{NOISE}TIER{NOISE}[:：=]{NOISE}({NAMES})[*_`~.)\]}}\"'”“»›]*[ \t]*\n*", re.IGNORECASE)
BEGUN = re.compile(rf"{NOISE}(?:T|TI|TIE|TIER(?P<more>.*))?\Z", re.IGNORECASE | re.DOTALL)
LONGEST = 40  # characters behind "TIER" that are waited for at most, where they make no line
# Open models think aloud first, where nobody told their server to keep that to itself.
OPENING = "<think>"
THOUGHTS = re.compile(r"\s*<think>.*?(?:</think>\s*|\Z)", re.IGNORECASE | re.DOTALL)


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
    if OPENING.startswith(text.strip().lower()):
        return True
    said = _without_thoughts(text)
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
    thoughts = THOUGHTS.match(text)
    return text[thoughts.end():] if thoughts else text
