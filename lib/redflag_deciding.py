"""Which rules decide by themselves: those whose words a short message affirms of somebody now; the rest is evidence for the
classifier, which tells lessons, denials and memories from news better than rules do (docs/assistant-evaluation.md).

A clause is cut where a request begins ("swollen gum | how much is a visit"): what is wanted besides does not take the sign
back, and a wish for an appointment speaks of somebody now.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, compress, pairwise

from lib import redflag_hearing, redflag_muting, redflag_reading
from lib.redflag_denial import NEGATION_REACH
from lib.redflag_muting import BODY, BORN
from lib.redflag_reading import Reading
from lib.redflag_rules import EVERYWHERE, RULES, Pattern

NOW = frozenset(("now", "present_patient"))
SOMEBODY = frozenset(("person", "personal"))
TOLD_OF = frozenset(("person", "title", "present_patient", "personal", "~relative"))
LATER = frozenset(("since", "again"))
NEGATORS = frozenset(("negator", "negator_after", "refuse", "nothing"))
LONGEST_QUESTION, BARE = 12, 3
# Words, besides those of requests: what is told at length is the classifier's. A danger told of somebody may take two more, and
# three where the message begins with it.
LONGEST, LONGEST_TOLD, LONGEST_OPENING, LONGEST_HERE = 12, 14, 15, 25
SHORTEST_REQUEST = 3
ARTICLES = frozenset(("the", "a", "an", "el", "la", "un", "una", "l", "le", "une", "der", "die", "den", "dem", "ein", "eine"))
LINKING = RULES.conditionals | {"that", "que", "dass", "when", "quand", "cuando", "wenn", "and", "y", "et", "und"}
GREETING = 2  # words that may stand before such a beginning
# One word that needs a dentist today ("swollen"), said of nobody now: in more words than these half are about something else.
LONGEST_BARE = 9
# "My child", "thanks", "asks whether": beside somebody now these say nothing else.
SOFT = frozenset(("~long_ago", "~love_it", "~thankful", "~named", "~questionnaire"))
DETACHED_NOW = RULES.detached - SOFT
WANTED = frozenset(("~booking", "ambulance"))  # "should I call an ambulance" is no small talk
DETACHED_REQUEST = RULES.detached - RULES.errands | {"~money"}
DATING = frozenset(("~long_ago", "~past"))
OLD, WAS = frozenset(("old", "alt")), frozenset(("was", "were", "war", "waren", "when"))
AGO, FOR_LONG = frozenset(("ago", "her", "atras")), frozenset(("y", "mas", "plus", "than"))  # "il y a", "hace más de"
AGED = frozenset(("aged", "is", "hes", "shes", "im", "am", "de", "tiene", "tengo", "con", "a", "ai", "avec", "ist", "bin", "mit"))
Hit = tuple[Pattern, tuple[int, ...]]


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


def deciding(reading: Reading) -> Iterator[Hit]:
    """The hits of the last turn that stand by themselves."""
    hits = [hit for hit in reading.hits if max(hit[1]) >= reading.last_turn]
    if not hits:
        return
    cries = [hit for hit in hits if _is_cry(reading, hit)]
    yield from cries
    stretches = list(_stretches(reading))
    length = _length(reading, stretches)
    found = [(hit, _stretch_of(stretches, hit)) for hit in hits if hit not in cries]
    if length > LONGEST_HERE:
        found = [(hit, own) for hit, own in found if hit[0].published and _says_now(own)]
    if found:
        yield from _affirmed(reading, stretches, found, length)


def _affirmed(reading: Reading, stretches: list[Stretch], found: list[tuple[Hit, Stretch]], length: int) -> Iterator[Hit]:
    around = _around(stretches)
    told = set().union(*around.values())
    said = set().union(*(stretch.ideas for stretch in stretches))
    asking = _asking(reading, stretches)
    for hit, own in found:
        rule, match = hit
        affirmed = reading.quoted.isdisjoint(match) and _is_affirmed(reading, own, around, told)
        if rule.tier == "E":
            affirmed = affirmed and (own.sentence not in asking or _is_told_first(own)) and _is_stated(reading, own, hit, said)
        if affirmed and length <= _longest(rule, own, around[own.sentence], said):
            yield hit


def _is_cry(reading: Reading, hit: Hit) -> bool:
    rule, match = hit
    return rule.tier == "E" and reading.quoted.isdisjoint(match) and redflag_muting.asks_for_somebody(
        reading, reading.span_of(reading.sentence[min(match)]), max(match))


def _stretch_of(stretches: list[Stretch], hit: Hit) -> Stretch:
    return stretches[bisect_right(stretches, max(hit[1]), key=lambda stretch: stretch.start) - 1]


def _length(reading: Reading, stretches: Iterable[Stretch]) -> int:
    """The words of the last turn, besides those of requests. What is said again word for word makes no long story of a cry."""
    told = [range(max(stretch.start, reading.last_turn), stretch.stop) for stretch in stretches if not stretch.is_request]
    length = sum(map(bool, chain.from_iterable(reading.words[span.start:span.stop] for span in told)))
    if length <= LONGEST or len(set(reading.words)) > LONGEST_HERE:
        return length
    return len({(reading.words[i], *reading.words[max(0, i - 2):i]) for i in chain.from_iterable(told)})


def _longest(rule: Pattern, own: Stretch, beside: set[str], said: set[str]) -> int:
    if rule.published and _says_now(own) and _speaks_of_somebody(beside):
        return EVERYWHERE
    if rule.tier == "E":
        if "now" in own.ideas or "setting" in said:
            return LONGEST_HERE
        is_ones_own = rule.category == "self_harm" and "personal" in own.ideas and "figurative" not in own.ideas
        if not (is_ones_own or _tells_of_somebody(own)):
            return LONGEST
        return LONGEST_OPENING if own.start <= own.reading.last_turn + GREETING else LONGEST_TOLD
    return LONGEST if len(rule.parts) > 1 or "present_patient" in said else LONGEST_BARE


def _says_now(own: Stretch) -> bool:
    """In its sentence, and not by "since" or "again" alone: at length these tell how it went on ("since then nothing")."""
    reading = own.reading
    span = reading.span_of(own.sentence)
    beside = reading.concepts[max(reading.last_turn, span.start):span.stop]
    return any("now" in names and names.isdisjoint(LATER) for names in beside)


def _speaks_of_somebody(said: set[str]) -> bool:
    """ "My husband has", "she is", "I have": a person, and a verb that says how they are."""
    return "present_patient" in said or ("present_verb" in said and not said.isdisjoint(SOMEBODY))


def _asking(reading: Reading, stretches: Iterable[Stretch]) -> set[int]:
    """The sentences that ask, but not those in which the question is a request beside the sign."""
    return reading.asked - {stretch.sentence for stretch in stretches if stretch.is_request}


def _is_told_first(own: Stretch) -> bool:
    """ "My wife can't breathe, could it be the crown?": the question comes behind what it is about."""
    return not own.closes and own.reading.words[own.start] not in RULES.question_verbs and _tells_of_somebody(own)


def _tells_of_somebody(own: Stretch) -> bool:
    if not any(_tells(own.reading, i) for i in range(own.start, own.stop)):
        return False
    pointed_at = (redflag_muting.is_pointed_at(own.reading, i) for i in range(max(own.start, 1), own.stop))
    return not own.ideas.isdisjoint(TOLD_OF) or any(pointed_at)


def _is_stated(reading: Reading, own: Stretch, hit: Hit, said: set[str]) -> bool:
    """Nothing in the message is long ago, unless the clause says "now", and the only negators near are parts of signs.

    "No quiero morirme" and "didn't black out" are not; "can't breathe" is.
    """
    rule, match = hit
    if "now" not in own.ideas and ("~long_ago" in said or (rule.weak and own.ideas.isdisjoint(NOW))):
        return False
    near = range(max(own.start, min(match) - NEGATION_REACH), min(own.stop, max(match) + NEGATION_REACH + 1))
    negators = {i for i in near if not reading.concepts[i].isdisjoint(NEGATORS)}
    return not negators or not negators.isdisjoint(reading.bound.union(match))


def _is_affirmed(reading: Reading, own: Stretch, around: dict[int, set[str]], told: set[str]) -> bool:
    if own.is_request:
        return not own.ideas.isdisjoint(WANTED) and own.ideas.isdisjoint(DETACHED_REQUEST)
    is_now = not own.ideas.isdisjoint(NOW)
    if not own.ideas.isdisjoint(DETACHED_NOW if is_now else RULES.detached):
        return False
    if is_now:
        return True
    beside = around[own.sentence]
    told_beside = "present_patient" not in beside and not beside.isdisjoint(RULES.detached)
    return not told_beside and told.isdisjoint(RULES.frames_everywhere) and not _is_general(reading, own)


def _is_general(reading: Reading, own: Stretch) -> bool:
    """ "Is bleeding normal?" and "if it bleeds"; not "bleeding?", nor "bleeding, is that normal?", where another part asks."""
    first = reading.words[own.start]
    if first in RULES.conditionals:
        return True
    if own.sentence not in reading.asked:
        return False
    length = own.stop - own.start
    is_bare = length <= BARE and all(reading.concepts[own.start:own.stop])
    is_closing = own.closes and length <= LONGEST_QUESTION and not is_bare
    return is_closing or (own.opens and first in RULES.question_verbs)


def _around(stretches: Iterable[Stretch]) -> dict[int, set[str]]:
    """By sentence what may detach a sign in it: no errands, as these detach the clause they stand in only."""
    ideas: dict[int, set[str]] = defaultdict(set)
    for stretch in stretches:
        ideas[stretch.sentence] |= set() if stretch.is_routine else stretch.ideas - RULES.errands
    return ideas


def _stretches(reading: Reading) -> Iterator[Stretch]:
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
