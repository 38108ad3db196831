"""Takes back what is denied, over, long ago, a figure of speech or a general question; the rest is affirmed."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from lib import redflag_matching, redflag_reading
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES

NEGATION_REACH = 5
LIST_REACH = 16
ENDED_REACH = 7
FIGURE_REACH = 7
AFTERTHOUGHT = 5
ABBREVIATED = 3
LONGEST_CRY = 16
AND = frozenset(("and", "y", "et", "und"))
DATED_BY = frozenset((
    "in", "en", "im", "em", "de", "du", "del", "since", "seit", "desde", "depuis", "jahr", "jahre", "ano", "annee", "early",
    "late", "anfang", "ende", "hat", "habe", "haben", "hatte"))
BORN = frozenset((
    "born", "dob", "geboren", "geb", "jahrgang", "nacido", "nacida", "nacio", "ne", "nee", "naissance", "nacimiento"))
DONE_WELL = frozenset(("breathe", "swallow", "breathe_verb"))
DENIABLE = DONE_WELL | RULES.negatable
DENIALS = frozenset(("negator", "negator_after", "resolved", "fine"))
NOT_WELL = frozenset(("negator", "refuse", "cannot", "difficulty", "still", "short_of"))
FRAMING = frozenset((
    "course_material", "teaching", "in_general", "asking", "impersonal", "past", "past_noun", "figurative"))
BODY = {"tooth", "face", "jaw", "mouth", "throat", "gum_area", "chest", "pain", "swelling", "bleed"}


def mute(reading: Reading) -> None:
    """Leaves in `reading.places` the concepts that are affirmed, and fills `reading.muted` with the words of all others."""
    _drop_numbers(reading)
    _mark_frames(reading)
    denials = sorted(i for name in DENIALS for i in reading.where(name))
    reading.muted = _general(reading)
    for i in reading.muted:
        reading.take_back(i, reading.concepts[i])
    _deny(reading, denials)


def _deny(reading: Reading, denials: Sequence[int]) -> None:
    """Signs are looked at that have a denial within reach."""
    signs = {i for name in DENIABLE & reading.places.keys() for i in reading.places[name]}
    for i in signs:
        if bisect_left(denials, i - LIST_REACH) == bisect_right(denials, i + ENDED_REACH):
            continue
        denied = reading.concepts[i] - _affirmed(reading, i, reading.concepts[i])
        if denied:
            reading.take_back(i, denied)
            reading.muted.add(i)


def _affirmed(reading: Reading, i: int, names: frozenset[str]) -> frozenset[str]:
    if not names.isdisjoint(DONE_WELL) and _is_done_well(reading, i):
        return frozenset()
    if names.isdisjoint(RULES.negatable) or not (_is_negated(reading, i) or _is_resolved(reading, i)):
        return names
    return names - RULES.negatable


def _drop_numbers(reading: Reading) -> None:
    """A year dates what is told ("abscess in 2019"); a birthday, a room, a file's number ("can't breathe, room 2016") do not."""
    years = [i for i in reading.where("past") if reading.words[i].isdecimal()]
    if years:
        present = {reading.sentence[i] for i in reading.where("present_verb")}
        for i in years:
            if not _is_date(reading, i, present):
                reading.mean(i, reading.concepts[i] - {"past"})


def _is_date(reading: Reading, i: int, present: set[int]) -> bool:
    before = reading.words[max(0, i - 3):i]
    if not BORN.isdisjoint(before) or (before and before[-1][:1].isdecimal()):
        return False
    return bool(before and before[-1] in DATED_BY) or reading.sentence[i] not in present


def _mark_frames(reading: Reading) -> None:
    """Frames are read before anything is muted, as they decide what is."""
    for i, name in [(max(match), frame.name) for frame in RULES.frames for match in redflag_matching.matches(reading, frame)]:
        reading.mean(i, reading.concepts[i] | {name})


# General questions, figures of speech and earlier times


def _general(reading: Reading) -> set[int]:
    muted: set[int] = set()
    framed = {reading.sentence[i] for name in FRAMING & reading.places.keys() for i in reading.places[name]}
    for span in map(reading.span_of, framed):
        names = reading.names(span)
        muted.update(_general_part(reading, span, names))
        if "impersonal" in names:
            muted.update(_impersonal(reading, span))
        if names & {"past", "past_noun"}:
            muted.update(_past(reading, span))
        if "figurative" in names:
            muted.update(_figures_of_speech(reading, span))
    return muted


def _general_part(reading: Reading, span: range, names: set[str]) -> range:
    """The part of a sentence that teaches, asks or administers, where nobody is ill now."""
    if asks_for_somebody(reading, span, span.stop):
        return range(0)
    if "course_material" in names and not names & {"now", "present_patient"}:
        return span
    if "teaching" in names and not names & {"now", "setting", "present_patient"}:
        return span
    if names & {"now", "setting", "personal", "present_patient"}:
        return range(0)
    if "in_general" in names and names.isdisjoint(RULES.live):
        return span
    return _from_first(reading, span, "asking") if "asking" in names else range(0)


def asks_for_somebody(reading: Reading, sentence: range, before: int) -> bool:
    """ "What do we do if the patient can't breathe", and little else: who asks that of one they point at, `before` their sign,
    stands beside them more often than not. "What do you do if somebody can't" teaches, and "if I can't" is what fear says."""
    if len(reading.words) - reading.last_turn > LONGEST_CRY or sentence.start < reading.last_turn:
        return False
    asks = reading.words[sentence.start] in RULES.question_verbs or reading.sentence[sentence.start] in reading.asked
    if not asks or "course_material" in reading.names(sentence):
        return False
    condition = next((i for i in sentence if reading.words[i] in RULES.conditionals), sentence.stop)
    is_help = RULES.wondering.isdisjoint(reading.words[sentence.start:condition])
    return is_help and any(is_pointed_at(reading, i) for i in range(condition + 1, before))


def is_pointed_at(reading: Reading, i: int) -> bool:
    """ "She", "my wife", "unser 4-jähriger"."""
    words, before = reading.words, i - 1
    if words[before].isdecimal() and before:
        before -= 1
    return words[i] in RULES.pronouns or (words[i] in RULES.near_ones and words[before] in RULES.determiners)


def _impersonal(reading: Reading, sentence: range) -> Iterator[int]:
    """ "Does the insurance cover emergencies and broken teeth": the rest of the list, as far as nothing is happening."""
    listing = False
    for span in redflag_reading.spans(reading.clause, sentence):
        names = reading.names(span)
        asks = "impersonal" in names
        goes_on = listing and not names & {"personal", "present_verb", "contrast"}
        listing = (asks or goes_on) and not names & (RULES.live | {"now"})
        if listing:
            yield from _from_first(reading, span, "impersonal") if asks else span


def _from_first(reading: Reading, span: range, name: str) -> range:
    return range(next(i for i in span if name in reading.concepts[i]), span.stop)


def _past(reading: Reading, sentence: range) -> Iterator[int]:
    """The clauses of a sentence about earlier times, without those that speak of today.

    "I fainted once, years ago": a short clause that only says when dates the one before it, too.
    A past sign reaches clauses without a verb ("abscess in 2019, fever"); "filling in 2019, fever" has a fever now.
    """
    clauses = [(span, reading.names(span)) for span in redflag_reading.spans(reading.clause, sentence)]
    spreads = any("past" in names and names & (RULES.negatable | {"treated"}) for _, names in clauses)
    for i, (span, names) in enumerate(clauses):
        is_past = names & {"past", "past_noun"} or (spreads and "present_verb" not in names)
        if is_past and not names & {"now", "setting"}:
            yield from span
            if i and len(span) <= AFTERTHOUGHT and not clauses[i - 1][1] & {"now", "setting"}:
                yield from clauses[i - 1][0]


def _figures_of_speech(reading: Reading, sentence: range) -> Iterator[int]:
    """ "The bill is killing me": the image only, and only beside its topic; with a part of the body it is no image."""
    for span in redflag_reading.spans(reading.clause, sentence):
        names = reading.names(span)
        if "figurative" in names and "figure_topic" in names and not _is_bodily(reading, span):
            yield from (i for i in span if "figurative" in reading.concepts[i] and _has_topic(reading, span, i))


def _is_bodily(reading: Reading, clause: range) -> bool:
    return any("figurative" not in reading.concepts[i] and reading.concepts[i] & BODY for i in clause)


def _has_topic(reading: Reading, clause: range, i: int) -> bool:
    """Near the image; "is bleeding and wants to know the price" is none."""
    near = range(max(clause.start, i - FIGURE_REACH), min(clause.stop, i + FIGURE_REACH + 1))
    return any("figure_topic" in reading.concepts[k] and "want" not in reading.names(range(i, k)) for k in near)


# Negation


def _is_negated(reading: Reading, i: int) -> bool:
    return _is_negated_before(reading, i) or _is_negated_after(reading, i)


def _is_negated_before(reading: Reading, i: int) -> bool:
    """A negator at most five words earlier, with nothing but small words and other signs between."""
    listed = False
    steps = 0
    for j in range(i - 1, max(-1, i - LIST_REACH), -1):
        names = reading.concepts[j]
        if reading.sentence[j] != reading.sentence[i] or "contrast" in names:
            return False
        if reading.clause[j] != reading.clause[i] and not listed:
            listed = _ends_list_item(reading, i) and not _is_said_anew(reading, j, i)
            if not listed:
                return False
        if "negator" in names:
            return _is_negator(reading, j) and (not listed or _is_list(reading, j, i))
        if reading.words[j] in AND and not _is_said_anew(reading, j, i):
            listed = True
            continue
        is_sign = not names.isdisjoint(RULES.negatable)
        is_unknown = (listed and (not names or len(reading.words[j]) <= ABBREVIATED)) or (not names and j in reading.bound)
        steps += not is_sign
        if steps >= NEGATION_REACH or not (is_sign or is_unknown or names & {"filler", "or", "face"}):
            return False
    return False


def _is_said_anew(reading: Reading, j: int, i: int) -> bool:
    """ "Denies fever and has bleeding", "verneint Schmerzen, blutet aber": with a verb of its own it is no item of a list."""
    return any("present_verb" in reading.concepts[k] for k in range(j + 1, i + 1))


def _is_negator(reading: Reading, j: int) -> bool:
    """Neither "no idea why it is swollen" nor "n'arrête pas de saigner" takes the sign back."""
    return "not_negator" not in reading.concepts[j + 1] and not (j and "stop" in reading.concepts[j - 1])


def _ends_list_item(reading: Reading, i: int) -> bool:
    following = i + 1
    if following == len(reading.words) or reading.clause[following] != reading.clause[i]:
        return True
    return "or" in reading.concepts[following] or reading.words[following] in AND


def _is_list(reading: Reading, start: int, i: int) -> bool:
    """ "Denies fever, trismus" and "no fever, trismus or pain" deny all; "no fever, swelling" denies the fever only."""
    if "denies" in reading.concepts[start]:
        return True
    ahead = range(start, min(i + 5, len(reading.words)))
    return any("or" in reading.concepts[k] and reading.sentence[k] == reading.sentence[i] for k in ahead)


def _is_negated_after(reading: Reading, i: int) -> bool:
    """ "Blutet nicht mehr", "saigne pas", "swelling: none", "geschwollen ist gar nichts"."""
    for j in range(i + 1, min(i + 4, len(reading.words))):
        names = reading.concepts[j]
        if reading.sentence[j] != reading.sentence[i]:
            return False
        if "negator_after" in names:
            ahead = range(j + 1, min(j + 3, len(reading.words)))
            following = set().union(*(reading.concepts[k] for k in ahead if reading.clause[k] == reading.clause[j]))
            return not following & {"not_negator", "stop", "resolved"} and not _denies_the_next(reading, i, j)
        if "filler" not in names:
            return False
    return False


def _denies_the_next(reading: Reading, i: int, j: int) -> bool:
    """ "Geschwollen, kein Fieber": the negator opens a clause of its own."""
    following = j + 1
    return (reading.clause[j] != reading.clause[i] and following < len(reading.words)
            and reading.clause[following] == reading.clause[j])


def _is_done_well(reading: Reading, i: int) -> bool:
    """ "Breathing fine", "schlucken geht"; not "no respira bien" or "schlucken geht kaum"."""
    clause = reading.clause[i]
    ahead = [k for k in range(i + 1, min(i + 3, len(reading.words))) if reading.clause[k] == clause]
    around = [k for k in range(max(0, i - 4), min(i + 9, len(reading.words))) if reading.clause[k] == clause]
    return (any("fine" in reading.concepts[k] for k in ahead)
            and all(reading.concepts[k].isdisjoint(NOT_WELL) for k in around))


# What is over


def _is_resolved(reading: Reading, i: int) -> bool:
    """ "The bleeding stopped", "stopped bleeding"; not "has not stopped", "stopped but started again"."""
    endings = [j for j in _nearby(reading, i, 3, ENDED_REACH) if "resolved" in reading.concepts[j]]
    return any(_ends(reading, i, j) for j in endings) and not any(
        not reading.concepts[j].isdisjoint(("again", "endless")) for j in _nearby(reading, i, 0, 12)
    )


def _ends(reading: Reading, i: int, j: int) -> bool:
    return (
        (j > i or "resolved_before" in reading.concepts[j])
        and not any("negator" in reading.concepts[k] for k in _nearby(reading, j, 3, 1))
        and not any("onward" in reading.concepts[k] for k in _nearby(reading, j, 0, 2))
    )


def _nearby(reading: Reading, i: int, before: int, after: int) -> Iterator[int]:
    window = range(max(0, i - before), min(len(reading.words), i + after + 1))
    return (j for j in window if reading.sentence[j] == reading.sentence[i])
