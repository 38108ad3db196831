"""Which signs are denied, done well or over: "no fever", "atmet gut", "the bleeding has stopped"; and what is no sign at all
though it sounds so: "can't swallow big tablets", "I don't want to go on with Invisalign", "the printer does not respond"."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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

LONGEST, GREETED, ASKED_POLITELY = 12, 2, 3  # words of the turn; of a greeting before it; of a "please" behind it


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GREETING = _words("hi hello hallo hola bonjour bonsoir good guten buenos buenas morning afternoon evening tag morgen dias tardes")
PLEASE = _words("please bitte por favor svp s il vous plait")
ARTICLES = _words("the a an el la los las un una le l les une des der die das den dem ein eine einen")
OURS = _words("""
    my our this these mi mis nuestro nuestra este esta estos estas mon ma mes notre nos ce cet cette ces
    mein meine meinen meinem meiner unser unsere unseren diese dieser diesen""")
PEOPLE = "i he she we yo je j il elle on nous ich er sie wir "
RELATIVES = _words("""
    son daughter husband wife mother father hijo hija marido mujer madre padre fils fille mari femme mere pere
    sohn tochter mann frau mutter vater""")


@dataclass(frozen=True)
class Beside:
    """The words that may stand before, between and behind those of a frame without telling of anybody in danger."""

    before: frozenset[str]
    between: frozenset[str]
    behind: frozenset[str]


def _beside(before: str, between: str, behind: str, *everywhere: frozenset[str]) -> Beside:
    return Beside(*(_words(text).union(*everywhere) for text in (before, between, behind)))


def _anywhere(text: str, *everywhere: frozenset[str]) -> Beside:
    return _beside(text, text, text, *everywhere)


BESIDE = {
    "by_nose": _anywhere("""
        i my through the no por mi la n je arrive pas a par le mon ich durch die meine kann bekomme kriege keine"""),
    "big_tablet": _beside(
        "i he she have trouble no n ne je il elle ich er sie kann grosse grossen",
        "a to big large huge pastillas comprimidos capsulas muy tan pas de des les gros grosses", "", OURS, RELATIVES),
    "impression": _anywhere("i my mouth the for no la boca para las ne peut bouche pour les kann den mund fur die"),
    "over": _anywhere("my gums not any me las encias ya no mes gencives au brossage plus hat mein zahnfleisch jetzt nicht mehr"),
    "cold_box": _anywhere("the our new delivery arrives arrived comes today tomorrow"),
    "in_cast": _anywhere("""
        left right is in a the tengo el brazo izquierdo derecho bras gauche droit est dans le
        linker linke rechter rechte ist im""", OURS),
    "supply": _anywhere("he she the of home se ha la de il elle a toute sie er mit hat die"),
    "carried": _beside(
        "the patient pt he she la el paciente le patiente il elle der die patientin",
        "a an always un una siempre une toujours einen immer",
        "dabei dans son sac what whats is our the protocol can could she he have local anaesthesia anesthesia"),
    "last_time": _anywhere(PEOPLE + """
        the last had an injection anaesthesia anesthesia passed out visit appointment la ultima se me en que pusieron anestesia
        derniere s est beim letzten letztes war ist kurz geworden""", OURS, RELATIVES),
    "any_treatment": _beside(
        "is it es est ce c normal ist blutet", "to a an root tooth mucho un una ca beaucoup longtemps une ein eine stark lange",
        "a lot much mucho beaucoup longtemps stark lange"),
    "refused": _beside(
        PEOPLE + "do does did not want wants to end no ya n ne en veux veut peux peut nicht kann will habe hat",
        "to any more anymore want go carry continue quiero quiere plus veux veut continuer de nicht mehr kann zu uns",
        """for at on more anymore any twice year week monday tuesday wednesday thursday friday
        lunes martes miercoles jueves viernes d de vous lundi mardi mercredi jeudi vendredi mehr werden am montag""",
        ARTICLES, OURS),
    "of_a_thing": _beside(
        "front back x ray main reception wheelchair stair",
        "is are was has wont does doesnt do dont no de recepcion ha se n est s ist sind hat hort reagiert",
        """respond responding react reacting stop stopping running dripping ringing anymore since the update
        responde reacciona para de gotear sonar repond reagit pas plus arrete couler sonner
        reagiert mehr auf zu klingeln tropfen""", ARTICLES, OURS),
    "shut": _beside("front back", "se s geht", "open opening abre s ouvre pas plus mehr auf offnen", ARTICLES, OURS),
}
THINGS, DETERMINING = frozenset(("of_a_thing", "shut")), ARTICLES | OURS
HARMLESS = [frame for frame in RULES.frames if frame.name in BESIDE]
SIGNS = RULES.live.union(RULES.negatable, *(part for pattern in (*RULES.rules, *RULES.signs) for part in pattern.parts))
PLACING = frozenset((
    "in", "on", "at", "by", "beside", "behind", "under", "from", "with", "near", "im", "am", "an", "auf", "bei", "beim", "hinter",
    "neben", "vor", "mit", "en", "a", "al", "ante", "bajo", "tras", "con", "junto", "dans", "sur", "sous", "pres", "derriere",
    "devant", "avec"))


def drop_harmless(reading: Reading) -> None:
    """What only sounds like a sign, and only where it is the whole turn: every other word of it is known to add nothing."""
    turn = _turn(reading)
    if len(turn) <= LONGEST and reading.names(range(reading.last_turn)).isdisjoint(SIGNS):
        found = redflag_matching.of_all(reading, HARMLESS)
        if any(_is_all(reading, turn, name, match) for name, match in found):
            for i in turn:
                unsay(reading, i)
    _drop_places(reading)


def _turn(reading: Reading) -> range:
    """The last turn without a greeting and a "please"."""
    start, stop = reading.last_turn, len(reading.words)
    while start < min(stop, reading.last_turn + GREETED) and reading.words[start] in GREETING:
        start += 1
    while stop > max(start, len(reading.words) - ASKED_POLITELY) and reading.words[stop - 1] in PLEASE:
        stop -= 1
    return range(start, stop)


def unsay(reading: Reading, i: int) -> None:
    """Neither what the word means nor its letters are those of a sign."""
    reading.mean(i, frozenset())
    reading.words[i] = ""


def _is_all(reading: Reading, turn: range, name: str, match: tuple[int, ...]) -> bool:
    """Whether the turn says nothing besides; "I don't want to wait" may say for which appointment."""
    first, last = min(match), max(match)
    if first < turn.start or last >= turn.stop or not _is_in_one(reading, turn, name, last):
        return False
    words, beside, is_refused = reading.words, BESIDE[name], name == "refused"
    between = (words[i] for i in range(first, last) if i not in match)
    behind = (words[i] for i in range(last + 1, turn.stop) if not (is_refused and "visit" in reading.concepts[i]))
    return _is_subject(words[turn.start:first], name) and beside.between.issuperset(between) and beside.behind.issuperset(behind)


def _is_subject(before: list[str], name: str) -> bool:
    """ "The door", "our printer"; "door not responding" may tell of somebody at it."""
    return BESIDE[name].before.issuperset(before) and not (name in THINGS and DETERMINING.isdisjoint(before))


def _is_in_one(reading: Reading, turn: range, name: str, last: int) -> bool:
    """One clause, counting "est-ce que" and "la vez que" in; behind "pt has an epipen" may be one that asks."""
    clause, is_carried = reading.clause, name == "carried"
    if is_carried and reading.sentence[last] in reading.asked and clause[last] == clause[turn.stop - 1]:
        return False
    told = range(turn.start + 1, last + 1) if is_carried else turn[1:]
    return name == "over" or all(clause[i] == clause[i - 1] or reading.words[i] == "que" for i in told)


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
