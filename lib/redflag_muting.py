"""Takes back what is long ago, a figure of speech or a general question, and then what is denied or over (redflag_denial); the
rest is affirmed."""

from collections.abc import Iterator

from lib import redflag_denial, redflag_harmless, redflag_matching, redflag_reading
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES

FIGURE_REACH = 7
AFTERTHOUGHT = 5
LONGEST_CRY = 16
DATED_BY = frozenset((
    "in", "en", "im", "em", "de", "du", "del", "since", "seit", "desde", "depuis", "jahr", "jahre", "ano", "annee", "early",
    "late", "anfang", "ende", "hat", "habe", "haben", "hatte"))
BORN = frozenset((
    "born", "dob", "geboren", "geb", "jahrgang", "nacido", "nacida", "nacio", "ne", "nee", "naissance", "nacimiento"))
FRAMING = frozenset((
    "course_material", "teaching", "in_general", "asking", "impersonal", "past", "past_noun", "figurative"))
FRAMES = [frame for frame in RULES.frames if frame not in redflag_harmless.HARMLESS]
INDEFINITE = frozenset(("a", "an", "any", "some", "un", "una", "une", "ein", "eine", "einer", "einem"))
INTERROGATIVES = frozenset((
    "what", "whats", "which", "how", "cual", "que", "como", "quel", "quelle", "wie", "was", "welche", "welches", "welcher"))
# Behind "our protocol": what it is for, so that nobody has it; and words that make a case of a patient, or a topic of a sign.
TOPIC = frozenset(("for", "about", "when", "if", "para", "sobre", "si", "cuando", "pour", "quand", "cas", "bei", "fur", "wenn"))
WHEN = frozenset(("when", "cuando", "quand"))
CASES = RULES.conditionals | WHEN | {"about", "regarding", "sobre", "uber"}
ASKED_REACH, TAIL = 4, 3
PATIENT = frozenset(("pt", "pat", "pac", "px", "guy"))
BODY = {"tooth", "face", "jaw", "mouth", "throat", "gum_area", "chest", "pain", "swelling", "bleed"}


def mute(reading: Reading) -> None:
    """Leaves in `reading.places` the concepts that are affirmed, and fills `reading.muted` with the words of all others."""
    _drop_numbers(reading)
    _drop_surnames(reading)
    redflag_harmless.drop_harmless(reading)
    redflag_denial.hear_no_relief(reading)
    redflag_denial.hear_despair(reading)
    _mark_frames(reading)
    denials = redflag_denial.places(reading)
    reading.muted = _general(reading)
    for i in reading.muted:
        reading.take_back(i, reading.concepts[i])
    redflag_denial.deny(reading, denials)


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


def _drop_surnames(reading: Reading) -> None:
    """ "frau blut hat abgesagt": without its capital it is a name beside what desks do, not "frau blut im mund"."""
    for k in [*reading.where("surname")]:
        if _is_named(reading, k):
            redflag_harmless.unsay(reading, k)


def _is_named(reading: Reading, k: int) -> bool:
    if not k or "title" not in reading.concepts[k - 1] or (k > 1 and "possessive" in reading.concepts[k - 2]):
        return False
    beside = set().union(*(reading.concepts[i] for i in reading.span_of(reading.sentence[k]) if i != k))
    return "desk" in reading.names(range(k + 2, k + 3)) and beside.isdisjoint(BODY | RULES.live)


def _mark_frames(reading: Reading) -> None:
    """Frames are read before anything is muted, as they decide what is."""
    for name, match in redflag_matching.of_all(reading, FRAMES):
        reading.mean(max(match), reading.concepts[max(match)] | {name})


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
    if asks_for_somebody(reading, span, span.stop) or asked_routine(reading, span):
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
    condition = next((i for i in sentence if _is_condition(reading, i)), sentence.stop)
    is_help = RULES.wondering.isdisjoint(reading.words[sentence.start:condition])
    return is_help and any(is_pointed_at(reading, i) for i in range(condition + 1, before))


def _is_condition(reading: Reading, i: int) -> bool:
    """ "If", and "when" of one in person: "when he can't breathe"; "when a patient can't breathe" teaches."""
    if reading.words[i] in RULES.conditionals:
        return True
    return reading.words[i] in WHEN and not RULES.pronouns.isdisjoint(reading.words[i + 1:i + 2])


def asked_routine(reading: Reading, sentence: range) -> range:
    """The question of "pt has chest pain, what is our protocol": beside what is told of somebody it asks for help. "What is our
    protocol for chest pain" and "when a patient has chest pain" teach."""
    for k in (i for i in reading.where("routine") if i in sentence and i >= reading.last_turn):
        asks = [i for i in range(max(sentence.start, k - ASKED_REACH), k) if reading.words[i] in INTERROGATIVES]
        behind = range(k + 1, sentence.stop)
        if not asks or not TOPIC.isdisjoint(reading.words[k + 1:sentence.stop]):
            continue
        if len(behind) <= TAIL and _is_told_of_one(reading, range(reading.last_turn, asks[0])):
            return range(asks[0], sentence.stop)
        if _is_told_of_one(reading, behind):
            return range(asks[0], k + 1)
    return range(0)


def _is_told_of_one(reading: Reading, span: range) -> bool:
    """Of "pt", "she", "Patientin"; not of "a patient", nor in a case ("if the patient"), nor what they ask about."""
    if len(span) > LONGEST_CRY or not CASES.isdisjoint(reading.words[span.start:span.stop]):
        return False
    return any(_is_one(reading, i) for i in span)


def _is_one(reading: Reading, i: int) -> bool:
    word, before = reading.words[i], reading.words[max(0, i - 1):i]
    if word in RULES.near_ones:
        return INDEFINITE.isdisjoint(before)
    return word in PATIENT or word in RULES.pronouns or "title" in reading.concepts[i]


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
