"""Cuts a clause where a request begins ("swollen gum | how much is a visit") and where somebody is told of behind one ("are you
open | my husband has chest pain"): what is wanted besides does not take a sign back, and a wish for an appointment speaks of
somebody now."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, pairwise

from lib import redflag_hearing, redflag_muting, redflag_reading
from lib.redflag_muting import BODY, BORN
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES

TOLD_OF = frozenset(("person", "title", "present_patient", "personal", "~relative"))
SHORTEST_REQUEST = 3
ARTICLES = frozenset(("the", "a", "an", "el", "la", "un", "una", "l", "le", "une", "der", "die", "den", "dem", "ein", "eine"))
LINKING = RULES.conditionals | {"that", "que", "dass", "when", "quand", "cuando", "wenn", "and", "y", "et", "und"}
DATING = frozenset(("~long_ago", "~past"))
OLD, WAS = frozenset(("old", "alt")), frozenset(("was", "were", "war", "waren", "when"))
AGO, FOR_LONG = frozenset(("ago", "her", "atras")), frozenset(("y", "mas", "plus", "than"))  # "il y a", "hace más de"
AGED = frozenset(("aged", "is", "hes", "shes", "im", "am", "de", "tiene", "tengo", "con", "a", "ai", "avec", "ist", "bin", "mit"))


@dataclass
class Stretch:
    """Part of a clause; `is_request` where it begins with a request, `is_routine` where that asks what the practice does then."""

    reading: Reading
    start: int
    stop: int
    is_request: bool
    is_routine: bool

    @property
    def sentence(self) -> int:
        return self.reading.sentence[self.start]

    @property
    def opens(self) -> bool:
        """Whether its sentence does."""
        return self.start == 0 or self.reading.sentence[self.start - 1] != self.sentence

    @property
    def closes(self) -> bool:
        return self.stop == len(self.reading.words) or self.reading.sentence[self.stop] != self.sentence

    @cached_property
    def ideas(self) -> set[str]:
        return ideas(self.reading, range(self.start, self.stop))

    @property
    def tells_of_somebody(self) -> bool:
        if not any(_tells(self.reading, i) for i in range(self.start, self.stop)):
            return False
        pointed_at = (redflag_muting.is_pointed_at(self.reading, i) for i in range(max(self.start, 1), self.stop))
        return not self.ideas.isdisjoint(TOLD_OF) or any(pointed_at)


def cut(reading: Reading) -> Iterator[Stretch]:
    routines = _asked_routines(reading)
    requests = _requests(reading) | routines.keys()
    ends = (end for end in routines.values() if end < len(reading.words))
    clauses = (span.start for span in redflag_reading.spans(reading.clause))
    starts = sorted(requests.union(_goings_on(reading, requests), ends, clauses))
    for start, stop in pairwise((*starts, len(reading.words))):
        yield Stretch(reading, start, stop, start in requests, start in routines)


def _asked_routines(reading: Reading) -> dict[int, int]:
    """Where such a question begins, and where it ends."""
    sentences = {reading.sentence[i] for i in reading.where("routine")}
    asked = [redflag_muting.asked_routine(reading, reading.span_of(sentence)) for sentence in sentences]
    return {words.start: words.stop for words in asked if words}


def ideas(reading: Reading, span: range) -> set[str]:
    words, concepts = reading.words[span.start:span.stop], reading.concepts[span.start:span.stop]
    hints = [*map(redflag_hearing.hints, words)]
    for i, (word, names) in enumerate(zip(words, concepts, strict=True)):
        if ("years" in names and _is_age(reading, span.start + i)) or (word.isdecimal() and _is_birth(reading, span.start + i)):
            hints[i] = tuple(hint for hint in hints[i] if hint not in DATING)
    return set().union(*concepts, *hints)


def _is_age(reading: Reading, i: int) -> bool:
    """ "Our 4 year old", "de 4 años", "il a 54 ans" are not long ago; "hace 4 años" and "il y a 4 ans" are."""
    words = reading.words
    if not i or not (words[i - 1].isdecimal() or "several" in reading.concepts[i - 1]):
        return False
    before, after = ["", "", *words[max(0, i - 3):i - 1]][-2:], words[i + 1] if i + 1 < len(words) else ""
    if after in AGO or before[0] in FOR_LONG or not WAS.isdisjoint(before):
        return False
    return after in OLD or before[1] in AGED


def _is_birth(reading: Reading, i: int) -> bool:
    """The year of a birth ("Jahrgang 2015") is not long ago."""
    return not BORN.isdisjoint(reading.words[max(0, i - 3):i])


def _goings_on(reading: Reading, requests: Iterable[int]) -> Iterator[int]:
    """Where somebody is told of behind a request, without any punctuation: "are you open | my husband has chest pain"."""
    first = {reading.clause[start]: start for start in sorted(requests, reverse=True)}
    for clause, start in first.items():
        behind = range(start + SHORTEST_REQUEST, bisect_right(reading.clause, clause) - 2)
        yield from (i for i in behind if reading.words[i - 1] not in LINKING and _is_told_of(reading, i))


def _is_told_of(reading: Reading, i: int) -> bool:
    """ "My husband has", "ma mâchoire est", "tengo"."""
    words = reading.words
    if words[i] == "tengo":
        return True
    if words[i] not in RULES.determiners or not _tells(reading, i + 2):
        return False
    is_mine = words[i] not in ARTICLES and not BODY.isdisjoint(reading.concepts[i + 1])
    return is_mine or (words[i + 1] in RULES.near_ones and words[i - 2] not in ARTICLES)  # "the report | my husband has"


def _tells(reading: Reading, i: int) -> bool:
    """Whether the word is a verb that says how somebody is: "para" is after "no", and "for" otherwise."""
    words = reading.words
    if words[i] == "para":
        return i > 0 and words[i - 1] == "no"
    return "present_verb" in reading.concepts[i] or words[i] in RULES.telling


def _requests(reading: Reading) -> set[int]:
    """Where one begins."""
    words, following, tails = reading.words, (*reading.words[1:], ""), RULES.requests
    begun = compress(range(len(words)), map(tails.__contains__, words))
    return {i for i in begun if (following[i] in tails[words[i]] or "" in tails[words[i]]) and _is_request(reading, i)}


def _is_request(reading: Reading, i: int) -> bool:
    """ "Puede venir" is, "no puede venir" is not."""
    if i and "negator" in reading.concepts[i - 1] and reading.clause[i - 1] == reading.clause[i]:
        return False
    words, sentence, tails = reading.words, reading.sentence, RULES.requests[reading.words[i]]
    return "" in tails or any(words[i + 2:i + 2 + len(tail)] == tail and sentence[i + 1 + len(tail)] == sentence[i]
                              for tail in tails[words[i + 1]])
