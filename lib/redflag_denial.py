"""Which signs are denied, done well or over: "no fever", "atmet gut", "the bleeding has stopped"; and what is no sign at all
though it sounds so: "can't swallow big tablets", "I don't want to go on with Invisalign", "the printer does not respond"."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from lib import redflag_matching
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES

NEGATION_REACH = 5
LIST_REACH = 16
ENDED_REACH = 7
ABBREVIATED = 3
AND = frozenset(("and", "y", "et", "und"))
DONE_WELL = frozenset(("breathe", "swallow", "breathe_verb"))
DENIABLE = DONE_WELL | RULES.negatable
DENIALS = frozenset(("negator", "negator_after", "resolved", "fine"))
NOT_WELL = frozenset(("negator", "refuse", "cannot", "difficulty", "still", "short_of"))

HARMLESS = [frame for frame in RULES.frames if frame.name in ("narrow", "refused", "of_a_thing")]
FIRST = 4  # words of a clause among which its subject stands
BESIDE = 2  # words that belong to what a thing does: "ne réagit pas"
PLACING = frozenset((
    "in", "on", "at", "by", "beside", "behind", "under", "from", "with", "near", "im", "am", "an", "auf", "bei", "beim", "hinter",
    "neben", "vor", "mit", "en", "a", "al", "ante", "bajo", "tras", "con", "junto", "dans", "sur", "sous", "pres", "derriere",
    "devant", "avec"))
SOMEBODY = RULES.near_ones | RULES.pronouns | {
    "me", "him", "her", "them", "us", "someone", "somebody", "anybody", "people", "baby", "infant", "pt", "pat", "pac", "px",
    "il", "sie", "mir", "mich", "ihm", "ihn", "ihr", "uns", "jemand", "moi", "lui", "quelqu", "alguien", "head", "kopf", "cabeza",
    "tete"}
# Beside what is refused or breaks these say that something else is told, too; and of these behind its first word.
MORE = RULES.negatable | {"self_harm", "took", "throat", "breathe", "swallow", "collapse_phrase"}
AFRESH = frozenset(("refuse", "plain_not", "aside"))


def drop_harmless(reading: Reading) -> None:
    """Of a narrow frame the words that match, of the others their whole clause."""
    for name, match in redflag_matching.of_all(reading, HARMLESS):
        for i in match if name == "narrow" else _clause_of(reading, name, match):
            unsay(reading, i)
    _drop_places(reading)


def unsay(reading: Reading, i: int) -> None:
    """Neither what the word means nor its letters are those of a sign."""
    reading.mean(i, frozenset())
    reading.words[i] = ""


def _clause_of(reading: Reading, name: str, match: tuple[int, ...]) -> range:
    """It is one clause, and nothing else is said in it: "I want to go on no more cancel my treatment" is two."""
    clause = reading.clause[match[0]]
    span = range(bisect_left(reading.clause, clause), bisect_right(reading.clause, clause))
    is_meant = match[-1] in span and (name == "refused" or _is_subject(reading, span.start, match[0]))
    return span if is_meant and not any(_is_more(reading, name, match, i) for i in span if i not in match) else range(0)


def _is_more(reading: Reading, name: str, match: tuple[int, ...], i: int) -> bool:
    """Besides "pas" in "ne réagit pas" and "seguir" in "no quiero seguir con los brackets"."""
    names, is_behind = reading.concepts[i], i > match[0]
    if is_behind and name == "of_a_thing" and i <= match[-1] + BESIDE:
        names -= {"collapse", "collapse_phrase"}
    if is_behind and "going_on" in names:
        names -= {"self_harm", "still"}
    return not names.isdisjoint(MORE) or (is_behind and not names.isdisjoint(AFRESH))


def _is_subject(reading: Reading, start: int, i: int) -> bool:
    """ "The printer does not respond"; not "at the printer", nor "chair 2", who is the patient there."""
    before, behind, sentence = reading.words[start:i], reading.words[i + 1:i + 2], reading.span_of(reading.sentence[i])
    if len(before) >= FIRST or not PLACING.isdisjoint(before) or any(map(str.isdecimal, behind)):
        return False
    return SOMEBODY.isdisjoint(reading.words[sentence.start:sentence.stop])


def _drop_places(reading: Reading) -> None:
    """ "He collapsed at the printer" is no figure of speech."""
    for i in reading.where("thing"):
        if "figure_topic" in reading.concepts[i] and not PLACING.isdisjoint(reading.words[max(0, i - 3):i]):
            reading.mean(i, reading.concepts[i] - {"figure_topic"})


def places(reading: Reading) -> list[int]:
    """Where something is denied or ends; looked for before anything is taken back."""
    return sorted(i for name in DENIALS for i in reading.where(name))


def deny(reading: Reading, denials: Sequence[int]) -> None:
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
