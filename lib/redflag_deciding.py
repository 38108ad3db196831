"""Which rules decide by themselves: those whose words a short message affirms of somebody now; the rest is evidence for the
classifier, which tells lessons, denials and memories from news better than rules do (docs/assistant-evaluation.md).
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from lib import redflag_muting, redflag_published, redflag_stretches
from lib.redflag_denial import NEGATION_REACH
from lib.redflag_reading import Reading
from lib.redflag_rules import EVERYWHERE, RULES, Pattern
from lib.redflag_stretches import Stretch

NOW = frozenset(("now", "present_patient"))
SOMEBODY = frozenset(("person", "personal"))
LATER = frozenset(("since", "again"))
NEGATORS = frozenset(("negator", "negator_after", "refuse", "nothing"))
LONGEST_QUESTION, BARE = 12, 3
# Words, besides those of requests: what is told at length is the classifier's. A danger told of somebody may take two more, and
# three where the message begins with it.
LONGEST, LONGEST_TOLD, LONGEST_OPENING, LONGEST_HERE = 12, 14, 15, 25
GREETING = 2  # words that may stand before such a beginning
# One word that needs a dentist today ("swollen"), said of nobody now: in more words than these half are about something else.
LONGEST_BARE = 9
# "My child", "thanks", "asks whether": beside somebody now these say nothing else.
SOFT = frozenset(("~long_ago", "~love_it", "~thankful", "~named", "~questionnaire"))
DETACHED_NOW = RULES.detached - SOFT
WANTED = frozenset(("~booking", "ambulance"))  # "should I call an ambulance" is no small talk
DETACHED_REQUEST = RULES.detached - RULES.errands | {"~money"}
PUBLISHED = frozenset(rule.parts[0][0] for rule in redflag_published.PUBLISHED)
Hit = tuple[Pattern, tuple[int, ...]]


def deciding(reading: Reading) -> Iterator[Hit]:
    """The hits of the last turn that stand by themselves."""
    hits = [hit for hit in reading.hits if max(hit[1]) >= reading.last_turn]
    cries = [hit for hit in hits if _is_cry(reading, hit)]
    yield from cries
    stretches = list(redflag_stretches.cut(reading)) if hits or not PUBLISHED.isdisjoint(reading.places) else []
    standing = list(_standing(reading, stretches, [hit for hit in hits if hit not in cries]))
    yield from standing
    if stretches and not cries and not standing:
        yield from redflag_published.told(reading, stretches)


def _standing(reading: Reading, stretches: list[Stretch], hits: list[Hit]) -> Iterator[Hit]:
    if not hits:
        return
    length = _length(reading, stretches)
    found = [(hit, _stretch_of(stretches, hit)) for hit in hits]
    if length > LONGEST_HERE:
        found = [(hit, own) for hit, own in found if hit[0].published and _says_now(own)]
    if found:
        yield from _affirmed(reading, stretches, found, length)


def alone(reading: Reading, hits: Mapping[int, Sequence[Hit]]) -> Mapping[int, tuple[bool, bool]]:
    """By sentence, as the hits are: whether any would stand if that were all that is said, and whether any tells of somebody."""
    stretches: dict[int, list[Stretch]] = defaultdict(list)
    for stretch in redflag_stretches.cut(reading):
        stretches[stretch.sentence].append(stretch)
    return {sentence: _alone(reading, stretches[sentence], found) for sentence, found in hits.items()}


def _alone(reading: Reading, stretches: list[Stretch], hits: Sequence[Hit]) -> tuple[bool, bool]:
    found = [(hit, _stretch_of(stretches, hit)) for hit in hits]
    length = sum(own.stop - own.start for own in stretches if not own.is_request)
    return any(_affirmed(reading, stretches, found, length)), any(own.tells_of_somebody for _hit, own in found)


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
        elif rule.published:
            affirmed = affirmed and not redflag_published.is_mentioned(own, max(match))
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
        if not (is_ones_own or own.tells_of_somebody):
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
    return not own.closes and own.reading.words[own.start] not in RULES.question_verbs and own.tells_of_somebody


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
