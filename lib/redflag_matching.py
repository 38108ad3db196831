"""Finds the places where a pattern's concepts stand together."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from lib.redflag_reading import Reading
from lib.redflag_rules import EVERYWHERE, Pattern

SHORT_FOLLOW_UP = 15


def candidates(reading: Reading, patterns: Sequence[Pattern], index: Mapping[str, frozenset[int]]) -> Iterator[Pattern]:
    """Those of the patterns that may match, in their order; what is found on the way is looked at, too. `index`: `begun_by`'s."""
    found = reading.places.keys()
    for place in sorted(set[int]().union(*(index[name] for name in found if name in index))):
        if not found.isdisjoint(patterns[place].parts[-1]):
            yield patterns[place]


def begun_by(patterns: Sequence[Pattern]) -> Mapping[str, frozenset[int]]:
    """By concept, the places of the patterns that begin with it, and of those that these begin in turn."""
    begun: dict[str, frozenset[int]] = defaultdict(frozenset)
    for place, pattern in reversed([*enumerate(patterns)]):
        for name in pattern.parts[0]:
            begun[name] |= {place} | begun[pattern.name]
    return dict(begun)


def of_all(reading: Reading, patterns: Sequence[Pattern]) -> list[tuple[str, tuple[int, ...]]]:
    """The names and matches of a few patterns, all found before any of them changes the reading."""
    found = reading.places.keys()
    likely = [one for one in patterns if not (found.isdisjoint(one.parts[0]) or found.isdisjoint(one.parts[-1]))]
    return [(one.name, match) for one in likely for match in matches(reading, one)]


def matches(reading: Reading, pattern: Pattern) -> Iterator[tuple[int, ...]]:
    found = reading.places.keys()
    for part in pattern.parts:
        if found.isdisjoint(part):
            return
    if not found.isdisjoint(pattern.absent):
        return
    rows = [_places(reading, part) for part in pattern.parts]
    find = _follow if pattern.ordered else _gather
    for anchor in rows[0]:
        match = find(reading, pattern, anchor, rows)
        if match and not _is_excused(reading, pattern, match):
            yield match


def _places(reading: Reading, names: tuple[str, ...]) -> list[int]:
    if len(names) == 1:
        return reading.places[names[0]]
    return sorted({place for name in names for place in reading.places.get(name, ())})


def _follow(reading: Reading, pattern: Pattern, anchor: int, rows: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    match = [anchor]
    for row in rows[1:]:
        at = bisect_right(row, match[-1])
        if at == len(row) or row[at] - match[-1] > pattern.reach + 1:
            return None
        match.append(row[at])
    if reading.sentence[match[0]] != reading.sentence[match[-1]]:
        return None
    return tuple(match)


def _gather(reading: Reading, pattern: Pattern, anchor: int, rows: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    match = [anchor]
    for row in rows[1:]:
        place = _nearest(reading, pattern, anchor, row)
        if place is None:
            return None
        match.append(place)
    return tuple(match)


def _nearest(reading: Reading, pattern: Pattern, anchor: int, row: Sequence[int]) -> int | None:
    at = bisect_left(row, anchor)
    near: Sequence[int] = row[max(0, at - 1):at + 2]
    if pattern.reach < EVERYWHERE:
        sentence, reach = reading.sentence, pattern.reach
        near = [place for place in near if -reach <= place - anchor <= reach and sentence[place] == sentence[anchor]]
        near = near or _in_other_turn(reading, anchor, row)
    return min(near, key=lambda place: abs(place - anchor), default=None)


def _in_other_turn(reading: Reading, anchor: int, row: Sequence[int]) -> list[int]:
    """A short follow-up ("now the neck too") completes what the turns before began."""
    if len(reading.words) - reading.last_turn > SHORT_FOLLOW_UP:
        return []
    start = bisect_left(row, reading.last_turn)
    if anchor < reading.last_turn:
        return list(row[start:start + 1])
    return list(row[start - 1:start]) if start else []


def _is_excused(reading: Reading, pattern: Pattern, match: tuple[int, ...]) -> bool:
    between = range(min(match) + 1, max(match))
    if pattern.barrier and any(pattern.barrier in reading.concepts[i] for i in between if i not in match):
        return True
    return any(_is_said(reading, name, match[0]) for name in pattern.unless)


def _is_said(reading: Reading, name: str, place: int) -> bool:
    """Whether the concept stands in the sentence of `place`."""
    row, sentence = reading.places.get(name, ()), reading.sentence
    at = bisect_left(row, sentence[place], key=lambda i: sentence[i])
    return at < len(row) and sentence[row[at]] == sentence[place]
