"""Leaves out where somebody is besides: "he can't breathe and the doctor is on a course", "my husband fainted at work". A course,
a school or an exam then makes no lesson of what is told beside it.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import compress

from lib import redflag_hearing
from lib.memo import Memo
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES
from lib.redflag_said import words

REACH = 3  # words from the verb to the preposition ("is away today on a course"), and from there to the place
BEING = words("is are s hes shes im estoy está están est suis sont ist bin sind")
GIVING = words("gives giving teaches teaching dando imparte impartiendo donne donnent anime hält halten")
HAVING = words("have tengo ai habe")  # "I have an exam at ten"
WHEN = words("at a à um am on today tomorrow hoy mañana aujourd demain heute morgen")
AT = words("at on in en a à au aux dans auf bei beim im in an am der")
WORK, AT_WORK = words("trabajo"), words("en al del desde el mi su")
VERBS = BEING | GIVING | HAVING
LESSONS = frozenset(("~teach_more", "~teaching", "~lesson", "~drill"))
FORMAL = frozenset(("course_material", "teaching"))


def leave_out(reading: Reading) -> None:
    for i in {*_at_work(reading), *_elsewhere(reading)}:
        reading.mean(i, reading.concepts[i] - FORMAL)
        reading.words[i] = ""  # nor are its letters those of a lesson


def _at_work(reading: Reading) -> Iterator[int]:
    """ "En el trabajo", "al trabajo", "del trabajo"; "un trabajo de clase" is a text."""
    for i in compress(range(len(reading.words)), map(WORK.__contains__, reading.words)):
        if reading.words[i - 1] in AT_WORK and "course_material" not in reading.names(range(i, i + 3)):
            yield i


def _elsewhere(reading: Reading) -> Iterator[int]:
    """The words of the place, unless signs are told of between: "is bleeding on a course" is another matter."""
    lessons = map(IS_LESSON.__getitem__, zip(reading.words, reading.concepts, strict=True))
    for lesson in [*compress(range(len(reading.words)), lessons)]:
        verb = _verb_before(reading, lesson)
        if verb is not None and RULES.negatable.isdisjoint(reading.names(range(verb + 1, lesson + 1))):
            yield from range(lesson, min(lesson + 2, bisect_right(reading.clause, reading.clause[verb])))


def _verb_before(reading: Reading, lesson: int) -> int | None:
    near = range(lesson - 1, max(-1, lesson - 2 * REACH), -1)
    verbs = (i for i in near if reading.words[i] in VERBS and reading.clause[i] == reading.clause[lesson])
    return next((verb for verb in verbs if _leads_there(reading, verb, lesson)), None)


def _leads_there(reading: Reading, verb: int, lesson: int) -> bool:
    """ "Is on a course", "gives a lecture", "I have an exam at ten"."""
    word, between = reading.words[verb], reading.words[verb + 1:lesson]
    if word in BEING:
        return not AT.isdisjoint(between)
    is_dated = word not in HAVING or not WHEN.isdisjoint(between + reading.words[lesson + 1:lesson + 2])
    return len(between) <= REACH + 1 and is_dated


def _is_lesson(word_and_concepts: tuple[str, frozenset[str]]) -> bool:
    word, concepts = word_and_concepts
    return not LESSONS.isdisjoint(redflag_hearing.hints(word)) or not FORMAL.isdisjoint(concepts)


IS_LESSON = Memo(_is_lesson)
