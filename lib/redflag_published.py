"""Finds the six published words where somebody is said to have them now: "the lady in chair 2 is bleeding, the invoice can wait".

Whoever, a verb of today and the word, in this order, are news at any length. What another clause speaks of takes them back only
where it makes the whole a lesson, a text, a drill, a dream or a tale of what is over.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from lib import redflag_classifier, redflag_hearing, redflag_stretches
from lib import redflag_said as said
from lib.memo import Memo
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES, Pattern
from lib.redflag_stretches import Stretch

PUBLISHED = [rule for rule in RULES.rules if rule.published]
LONGEST_SUBJECT = 25
AHEAD = 4  # words from the verb to the sign, or to the "with" before it
DOUBTED = -6.0  # in logarithms of the odds


def told(reading: Reading, stretches: Sequence[Stretch]) -> Iterator[tuple[Pattern, tuple[int, ...]]]:
    """Of each rule the first word that is so told."""
    news: list[tuple[Pattern, tuple[int, ...]]] = []
    # Of a stretch once, however often it says a word.
    is_news: Memo[int, bool] = Memo(lambda at: _is_news(reading, stretches[at], stretches))
    for rule in PUBLISHED:
        said_at = (i for i in reading.where(rule.parts[0][0]) if i >= reading.last_turn)
        owns = ((i, bisect_right(stretches, i, key=lambda stretch: stretch.start) - 1) for i in said_at)
        first = next((i for i, at in owns if _is_told(reading, rule, stretches[at], i) and is_news[at]), None)
        if first is not None:
            news.append((rule, (first,)))
    if news and not (_is_staged_or_over(stretches) or _is_doubted(reading)):
        yield from news


def _is_doubted(reading: Reading) -> bool:
    """What other sentences make of it, the classifier tells better: "My doll has a new dress. She is bleeding." """
    if reading.sentence[-1] == reading.sentence[reading.last_turn]:
        return False
    return redflag_classifier.scores(redflag_hearing.hear(reading)[reading.last_turn:])["U"] < DOUBTED


def is_mentioned(own: Stretch, sign: int) -> bool:
    """ "If I ever have severe pain", "a question about bleeding", "he once had an infection"; told of nobody now."""
    words = own.reading.words
    before, clause = words[own.start:sign], words[own.start:own.stop]
    if "now" in own.ideas:
        return False
    if not (said.CASES.isdisjoint(before) and said.ABOUT.isdisjoint(before[-3:])):
        return True
    if not (said.NEVER.isdisjoint(before) or not said.SO.isdisjoint(before)) or _is_weighed(clause):
        return True
    if not said.RARELY.isdisjoint(clause):
        return True
    is_once = not (said.ONCE.isdisjoint(clause) or said.WAS.isdisjoint(clause))
    return is_once or _is_made_up(own.reading)


def _is_weighed(clause: Sequence[str]) -> bool:
    """ "Is it normal to have severe pain"; not "he seems to have an infection"."""
    has_infinitive = not said.INFINITIVE.isdisjoint(pairwise(clause)) or tuple(clause[:2]) in said.ASKING
    return has_infinitive and said.SEEMING.isdisjoint(clause)


def _is_meant(reading: Reading, rule: Pattern, sign: int) -> bool:
    """ "The wait is killing me" is no pain, and "the emergency lane" none either."""
    if rule.name == "emergency":
        return said.OF.isdisjoint(reading.words[max(0, sign - 2):sign])
    if rule.name == "severe pain":
        return "figurative" not in reading.concepts[sign]
    if rule.name == "swelling":
        word = reading.words[sign]
        return word in said.CHEEKS or ("swelling" in reading.concepts[sign] and word not in said.LUMPS)
    return reading.words[sign] != "blut"


def _is_news(reading: Reading, own: Stretch, stretches: Sequence[Stretch]) -> bool:
    return not (_asks(reading, own) or _is_taken_back(reading, own) or _is_lesson(reading, own, stretches))


def _is_told(reading: Reading, rule: Pattern, own: Stretch, sign: int) -> bool:
    if sign in reading.quoted or not _is_meant(reading, rule, sign):
        return False
    verb = _verb(reading, own, sign)
    return verb is not None and _is_said_of_somebody(reading, own, verb) and own.ideas.isdisjoint(rule.unless)


def _asks(reading: Reading, own: Stretch) -> bool:
    if own.opens and reading.words[own.start] in said.QUESTIONS:
        return True
    return own.closes and own.sentence in reading.asked


def _is_taken_back(reading: Reading, own: Stretch) -> bool:
    """As of some day, of some times, or not at all."""
    span = range(own.start, own.stop)
    words = reading.words[own.start:own.stop]
    if not said.SOMETIMES.isdisjoint(words) or not said.WAS.isdisjoint(words):
        return True
    if not (said.NOWHERE | said.ELSEWHERE).isdisjoint(words):
        return True
    if any(_denies(reading, i) for i in span):
        return True
    says_now = any("now" in names and names.isdisjoint(said.LATER) for names in reading.concepts[own.start:own.stop])
    return not says_now and not own.ideas.isdisjoint(said.DATES)


def _denies(reading: Reading, i: int) -> bool:
    if reading.words[i] in said.NOT_DENYING:
        return False
    return not reading.concepts[i].isdisjoint(said.NEGATORS) or "~denied" in redflag_hearing.hints(reading.words[i])


def _verb(reading: Reading, own: Stretch, sign: int) -> int | None:
    """Before the sign; in German at the end of the clause, too: "weil er starke Schmerzen hat"."""
    near = range(sign, max(own.start, sign - AHEAD) - 1, -1)
    beside = next((i for i in near if reading.words[i] in said.WITH), sign)  # "is here at the desk with a broken tooth"
    ahead = range(sign, max(own.start, beside - AHEAD) - 1, -1)
    verb = next((i for i in ahead if _is_verb(reading, i)), None)
    if verb is not None:
        return verb if _leads_to(reading, verb, sign) else None
    return own.stop - 1 if own.stop - 2 <= sign and reading.words[own.stop - 1] in said.FINAL else None


def _is_verb(reading: Reading, i: int) -> bool:
    word, before = reading.words[i], reading.words[i - 1] if i else ""
    if word in said.INFINITIVES:
        return before in said.FINITE_BESIDE
    if word in said.SIGN_VERBS:
        return before not in said.AUXILIARIES and not reading.shown[i].endswith("é")
    if word in ("a", "s"):
        return _is_one_letter_verb(reading, i)
    return word in said.OF_ONE or (word in said.OF_OTHERS and before not in said.CAUSED)


def _is_one_letter_verb(reading: Reading, i: int) -> bool:
    """ "Mum's bleeding", "elle a une infection"; not "mum's swelling", "a broken tooth", "voy a un dentista"."""
    following = reading.words[i + 1:i + 2]
    if reading.words[i] == "s":
        return not said.BEHIND_S.isdisjoint(following)
    if reading.shown[i] == "à":
        return False
    beside = reading.words[max(0, i - 6):i] + reading.words[i + 1:i + 3]
    return not said.FRENCH_OBJECTS.isdisjoint(following) and not said.FRENCH.isdisjoint(beside)


def _leads_to(reading: Reading, verb: int, sign: int) -> bool:
    """ "Has on the left a broken tooth"; not "has a poster about", "has to write on"."""
    between = range(verb + 1, sign)
    words = reading.words[between.start:between.stop]
    if not said.TOPICS.isdisjoint(words) or not said.HAD.isdisjoint(words[:1]):
        return False
    if reading.words[verb] in said.AUXILIARIES and (reading.words[sign] in said.PARTICIPLES or _is_perfect(reading, verb, sign)):
        return False
    return said.FILED.isdisjoint(redflag_stretches.ideas(reading, between))


def _is_perfect(reading: Reading, verb: int, sign: int) -> bool:
    """ "Hat viele Notfälle gesehen" is how it was; "hat Schmerzen bekommen" is not over."""
    last = bisect_right(reading.clause, reading.clause[sign]) - 1
    return reading.words[verb] in said.GERMAN_HAVE and last > sign and bool(said.PERFECT.fullmatch(reading.words[last]))


def _is_said_of_somebody(reading: Reading, own: Stretch, verb: int) -> bool:
    start = max(own.start, verb - LONGEST_SUBJECT)
    before = reading.words[start:verb]
    if not said.UNLESS.isdisjoint(before) or ("s", "il") in pairwise(before):
        return False
    if reading.words[verb] in said.REPORTED and not said.OTHERS.isdisjoint(before):
        return False
    if reading.words[verb] in said.OF_ONE or not said.ONESELF.isdisjoint(before):
        return True
    if not said.GENERIC.isdisjoint(before):
        return False
    if verb <= own.start + 1:
        start = max(reading.last_turn, verb - 2 * LONGEST_SUBJECT)
    return _names_somebody(reading, range(start, verb), own)


def _names_somebody(reading: Reading, subject: range, own: Stretch) -> bool:
    """ "My wife", "Mr Lee", "my gum"; not "my wallet". Spanish names nobody twice, so that `subject` may begin before `own`."""
    if not said.PEOPLE.isdisjoint(reading.words[subject.start:subject.stop]):
        return True
    ideas = redflag_stretches.ideas(reading, subject)
    return not ideas.isdisjoint(said.WHO) or ("personal" in ideas and not said.MOUTH.isdisjoint(own.ideas))


def _is_lesson(reading: Reading, own: Stretch, stretches: Iterable[Stretch]) -> bool:
    """Behind the news, in the same sentence, whatever is read, played or taught is of others: "he is bleeding, I am in class"."""
    spoken = (i for i in range(own.start, own.stop) if reading.words[i] not in said.PEOPLE)
    if any(not said.OWN_STAGES.isdisjoint(redflag_stretches.ideas(reading, range(i, i + 1))) for i in spoken):
        return True
    if not _tells_of_oneself(own) and _is_of_animals(reading, stretches):
        return True
    others = (one for one in stretches if one.start < own.start or one.sentence > own.sentence or not _has_verb(one))
    return any(not said.STAGES.isdisjoint(one.ideas) for one in others)


def _is_of_animals(reading: Reading, stretches: Iterable[Stretch]) -> bool:
    return not said.ANIMALS.isdisjoint(reading.words) or any("~animal" in one.ideas for one in stretches)


def _tells_of_oneself(own: Stretch) -> bool:
    return not (said.OF_ONE | said.ONESELF).isdisjoint(own.reading.words[own.start:own.stop])


def _has_verb(stretch: Stretch) -> bool:
    words = stretch.reading.words[stretch.start:stretch.stop]
    return not (said.OTHERS_DO.isdisjoint(stretch.ideas) and RULES.telling.isdisjoint(words))


def _is_staged_or_over(stretches: Sequence[Stretch]) -> bool:
    if any(not said.OVER.isdisjoint(stretch.ideas) for stretch in stretches):
        return True
    return _is_made_up(stretches[0].reading)


def _is_made_up(reading: Reading) -> bool:
    return any(_is_staged(reading, i) for i in range(reading.last_turn, len(reading.words)) if reading.words[i] in said.STAGED)


def _is_staged(reading: Reading, i: int) -> bool:
    """ "Write a dialogue"; not "I write from work"."""
    is_own = i > 0 and reading.words[i - 1] in said.WRITERS
    return not (is_own and not said.WROTE_FROM.isdisjoint(reading.words[i + 1:i + 2]))
