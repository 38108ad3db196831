"""Which signs are denied, done well or over: "no fever", "atmet gut", "the bleeding has stopped"."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from lib.redflag_reading import Reading
from lib.redflag_rules import RULES

NEGATION_REACH = 5
LIST_REACH = 16
ENDED_REACH, BEHIND = 7, 4  # words to what has ended, and to its name behind that ("se fue el dolor")
ABBREVIATED = 3
AND = frozenset(("and", "y", "et", "und"))
DONE_WELL = frozenset(("breathe", "swallow", "breathe_verb"))
DENIABLE = DONE_WELL | RULES.negatable
DENIALS = frozenset(("negator", "negator_after", "resolved", "fine"))
ENDING = frozenset((
    "swelling", "bleed", "blood", "pain", "fever", "infection", "pus", "abscess", "allergy", "hives", "vomiting", "pimple",
    "sweating", "chest_pain", "airway_word", "rash", "pack", "remedy"))
NO_RELIEF = frozenset(("refuse", "negator", "plain_not"))
NOT_WELL = frozenset(("negator", "refuse", "cannot", "difficulty", "still", "short_of"))


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


def hear_no_relief(reading: Reading) -> None:
    """ "No better" and "no mejora" of an asthma are no recovery, which their letters would say."""
    for i in reading.where("relief") if "asthma" in reading.places else ():
        if not NO_RELIEF.isdisjoint(reading.names(range(max(0, i - 2), i))):
            reading.words[i] = ""


def hear_despair(reading: Reading) -> None:
    """ "What's the point, I'll do it tonight" asks nothing."""
    if "no_point" in reading.places and "will_do_it" in reading.places:
        for i in [*reading.where("asking")]:
            reading.mean(i, reading.concepts[i] - {"asking"})


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
        (j > i or ("resolved_before" in reading.concepts[j] and reading.clause[i] == reading.clause[j]))
        and not any("negator" in reading.concepts[k] for k in _nearby(reading, j, 3, 1))
        and not any("onward" in reading.concepts[k] for k in _nearby(reading, j, 0, 2))
        and not _ends_no_more(reading, j)
        and not (j > i and _ends_another(reading, i, j))
    )


def _ends_no_more(reading: Reading, j: int) -> bool:
    """ "Ne s'arrête plus" is not "il a arrêté"."""
    return "stop" in reading.concepts[j] and "fr_not" in reading.names(range(j + 1, j + 2)) and any(
        "french_ne" in reading.concepts[k] or reading.words[k] == "s" for k in range(max(0, j - 2), j))


def _ends_another(reading: Reading, i: int, j: int) -> bool:
    """ "Severe pain, the numbness is gone", "my face is swollen and the pain is gone": what ends has a name of its own. Of
    "swelling and pain are gone" it is both."""
    clause, own = _clause_of(reading, j), reading.concepts[i] & ENDING
    stop = min(clause.stop, j + BEHIND)
    if any("numbing" in reading.concepts[k] for k in range(i + 1, stop)):
        return True
    if i in clause:
        return False
    called = (reading.concepts[k] & ENDING for k in range(clause.start, stop))
    if not any(names and names.isdisjoint(own) for names in called):
        return False
    is_listed = reading.words[clause.start] in AND or "whole" in reading.names(range(clause.start, j))
    return not is_listed or "present_verb" in reading.names(_clause_of(reading, i))


def _clause_of(reading: Reading, i: int) -> range:
    return range(bisect_left(reading.clause, reading.clause[i]), bisect_right(reading.clause, reading.clause[i]))


def _nearby(reading: Reading, i: int, before: int, after: int) -> Iterator[int]:
    window = range(max(0, i - before), min(len(reading.words), i + after + 1))
    return (j for j in window if reading.sentence[j] == reading.sentence[i])
