"""What is no sign at all though it sounds so: "can't swallow big tablets", "I don't want to go on with Invisalign", "the printer
does not respond". It is taken back only where the whole turn is known to say nothing else."""

from dataclasses import dataclass

from lib import redflag_matching
from lib.redflag_denial import AND
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES

LONGEST, GREETED, ASKED_POLITELY = 16, 2, 3  # words of the turn; of a greeting before it; of a "please" behind it


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GREETING = _words("hi hello hallo hola bonjour bonsoir good guten buenos buenas morning afternoon evening tag morgen dias tardes")
PLEASE = _words("please bitte por favor svp s il vous plait")
ARTICLES = _words("the a an el la los las un una le l les une des der die das den dem ein eine einen")
OURS = _words("""
    my our this these mi mis nuestro nuestra este esta estos estas mon ma mes notre nos ce cet cette ces mein meine meinen
    meinem meiner unser unsere unseren diese dieser diesen""")
PEOPLE = "i he she we yo je j il elle on nous ich er sie wir "
RELATIVES = _words("""
    son daughter husband wife mother father hijo hija marido mujer madre padre fils fille mari femme mere pere sohn tochter
    mann frau mutter vater""")


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


# Of a nose, of grown people: a baby has no other way to breathe.
COLD = """
    i my mein he s she his her through the por mi su la je arrive a par le mon son ich durch die meine seine bekomme bekommt
    kriege krieg kriegt husband wife partner marido mujer mari femme mann frau well properly bien bin estoy suis ve got have
    with a blocked stuffy nose resfriada resfriado enrhume enrhumee rhume nez erkaltet und y et and schnupfen at night nights
    de noche las noches nuit nachts does snore guard splint device can i still come keep appointment cambio cita sirve ferula
    para roncar gouttiere anti ronflement garde rdv hilft eine schnarchschiene soll verschieben termin brace consult"""
GAGGING = """
    mich jedes mal i me my on the a new makes make when put it at back can you any there have need needs and gag reflex con
    las los de impresion hay otra el la me mi reflejo les m j chaque fois une autre la bei beim den der die das ich muss fast
    gehts geht s anders mit keeps every time in x ray sensor impression tray trays choke gag gagging wurgen und y et ersticke
    alternative alternatives alternativa dans de d l hay que"""
STUFFY = """
    it s too hot stuffy re are in the a at reception waiting room fix repair please broken no air l accueil la salle d attente
    est en panne reparez svp vor am im empfang wartezimmer bitte reparieren kaputt hier keine luft ahogamos ahogando estamos
    la recepcion sala de espera el por favor arreglen averiado estropeado calor chaleur heat we on nous nos wir dans
    suffocating suffoque etouffe ersticken hitze klima clim aircon and et und y"""

MACHINE = """
    is are was has wont does doesnt do dont no de recepcion ha se n est s ist sind hat hort reagiert respond responding react
    reacting stop stopping running dripping ringing anymore since the update responde reacciona para gotear sonar repond
    reagit pas plus arrete couler sonner mehr auf zu klingeln tropfen lecken leaking losing pressure gasping wheezing choking
    again pierde presion ahoga al arrancar silba del ne essouffle etouffe not water terminal kartenterminal siffle pfeift
    rochelt reagiert and y et und down terminal geht nicht floor sink door toilet bathroom bano puerta porte tur parkett boden
    swollen hinchada hinchado esta por humedad a gonfle geschwollen aufgequollen ist with limescale in toilettes des"""

BESIDE = {
    "by_nose": _beside(COLD + " mouth no n pas kann keine", COLD + " no n pas nicht mal schlecht keine kann", COLD),
    "big_tablet": _beside(
        "i he she have trouble no n ne je il elle ich er sie kann grosse grossen",
        "a to big large huge pastillas comprimidos capsulas muy tan pas de des les gros grosses", "", OURS, RELATIVES),
    "impression": _anywhere("i my mouth the for no la boca para las ne peut bouche pour les kann den mund fur die"),
    "over": _anywhere("my gums not any me las encias ya no mes gencives au brossage plus hat mein zahnfleisch jetzt nicht mehr"),
    "cold_box": _anywhere("the our new delivery arrives arrived comes today tomorrow"),
    "in_cast": _anywhere("""
        left right is in a the tengo el brazo izquierdo derecho bras gauche droit est dans le linker linke rechter rechte ist
        im""", OURS),
    "supply": _anywhere("he she the of home se ha la de il elle a toute sie er mit hat die"),
    "carried": _beside(
        "the patient pt he she la el paciente le patiente il elle der die patientin",
        "a an always un una siempre une toujours einen immer",
        "dabei dans son sac what whats is our the protocol can could she he have local anaesthesia anesthesia"),
    "last_time": _anywhere(PEOPLE + """
        the last had an injection anaesthesia anesthesia passed out visit appointment la ultima se me en que pusieron
        anestesia derniere s est beim letzten letztes war ist kurz geworden""", OURS, RELATIVES),
    "any_treatment": _beside(
        "is it es est ce c normal ist blutet", "to a an root tooth mucho un una ca beaucoup longtemps une ein eine stark lange",
        "a lot much mucho beaucoup longtemps stark lange"),
    "refused": _beside(
        PEOPLE + "do does did not want wants to end no ya n ne en veux veut peux peut nicht kann will habe hat",
        "to any more anymore want go carry continue quiero quiere plus veux veut continuer de nicht mehr kann zu uns",
        """for at on more anymore any twice year week monday tuesday wednesday thursday friday
        lunes martes miercoles jueves viernes d de vous lundi mardi mercredi jeudi vendredi mehr werden am montag""",
        ARTICLES, OURS),
    "of_a_thing": _beside("front back x ray main reception wheelchair stair", MACHINE, MACHINE, ARTICLES, OURS),
    "of_an_engine": _beside("suction water", MACHINE, MACHINE, ARTICLES, OURS),
    "gag": _beside("is bad terrible " + GAGGING, GAGGING, "is " + GAGGING),
    "stuffy": _beside(STUFFY, STUFFY + " die", STUFFY + " ist esta"),
    "no_cooling": _beside("se fue la luz y nos quedamos estamos seguimos hoy", "aire", "hoy en la clinica consulta recepcion"),
    "in_youth": _anywhere("""
        je m tombais dans les pommes aux a chaque piqure piqures chez le dentiste devant l aiguille la vue du sang prises de
        mieux vaut allonger etais quand et"""),
    "planned": _anywhere("""
        need to for a patient child who has patients with next list the un une enfant patient qui pour liste d a de l un
        paciente nino que para la proximo proxima fur einen eine patienten patientin kind mit der die im nachsten"""),
    "asleep": _anywhere("""
        i was m so the a after night my you passed out sorry missed cold on watching in front of and appointment visit en el
        viendo delante turno mi cita lo y me le la devant sur mon rdv et suis j ai ich war auf dem sofa vor der nach
        nachtschicht und hab habe meinen termin"""),
    "feared": _anywhere("""
        the patient pt i am is afraid scared of fear peur jamais miedo angst nunca nie never happened has he she but though it
        to me him her la el paciente tiene tengo pero le me ha patiente patient a j ai de tomber dans les s m ca ne lui est
        mais die der patientin hat ich habe zu werden davor ist mir ihr ihm das noch"""),
    "delivered": _anywhere("""
        our and emergency drug kit tongue depressors zungenspatel notfallkoffer today has have been with heute wurde wurden
        und mit sind ist aujourd hui est sont et d urgence abaisse de emergencia emergencias hoy ha han y""", ARTICLES),
    "bled_by": _anywhere("nous nos uns is are dry l esta estan con las la aus comisiones", ARTICLES, OURS),
    "overworked": _anywhere("""
        is killing matando mata tue bringt mich ist esta me because as i m have to at the moment this week sorry today right
        now no puedo ir porque el esta semana je j le car cette semaine ce ich sage ab weil die diese woche im moment zur zeit
        my"""),
    "shut": _beside("front back", "se s geht", "open opening abre s ouvre pas plus mehr auf offnen", ARTICLES, OURS),
}
ACROSS = frozenset(("over", "by_nose", "gag", "stuffy", "no_cooling", "in_youth", "planned", "asleep", "feared", "overworked"))
KNOWN = {"refused": "visit", "by_nose": "sniffles"}  # whose words may stand there, too
THINGS, DETERMINING = frozenset(("of_a_thing", "shut")), ARTICLES | OURS
MANY = frozenset(("of_a_thing", "of_an_engine", "delivered"))
HARMLESS = [frame for frame in RULES.frames if frame.name in BESIDE]
SIGNS = RULES.live.union(RULES.negatable, *(part for pattern in (*RULES.rules, *RULES.signs) for part in pattern.parts))
PLACING = frozenset((
    "in", "on", "at", "by", "beside", "behind", "under", "from", "with", "near", "im", "am", "an", "auf", "bei", "beim", "hinter",
    "neben", "vor", "mit", "en", "a", "al", "ante", "bajo", "tras", "con", "junto", "dans", "sur", "sous", "pres", "derriere",
    "devant", "avec", "del", "du"))


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
    beside, known = BESIDE[name], KNOWN.get(name, "")
    before, between, behind = (
        [reading.words[i] for i in span if i not in match and known not in reading.concepts[i]]
        for span in (range(turn.start, first), range(first, last), range(last + 1, turn.stop)))
    return _is_subject(before, name) and beside.between.issuperset(between) and beside.behind.issuperset(behind)


def _is_subject(before: list[str], name: str) -> bool:
    """ "The door", "our printer"; "door not responding" may tell of somebody at it."""
    return BESIDE[name].before.issuperset(before) and not (name in THINGS and DETERMINING.isdisjoint(before))


def _is_in_one(reading: Reading, turn: range, name: str, last: int) -> bool:
    """One clause, counting "est-ce que" and "la vez que" in; behind "pt has an epipen" may be one that asks."""
    clause, is_carried = reading.clause, name == "carried"
    if is_carried and reading.sentence[last] in reading.asked and clause[last] == clause[turn.stop - 1]:
        return False
    told = range(turn.start + 1, last + 1) if is_carried else turn[1:]
    return name in ACROSS or all(clause[i] == clause[i - 1] or _goes_on(reading, i, name) for i in told)


def _goes_on(reading: Reading, i: int, name: str) -> bool:
    """ "The compressor whistles and chokes", "the network is down, the terminal too": of a thing one may tell more."""
    if name not in MANY or reading.words[i] == "que":
        return reading.words[i] == "que"
    return "thing" in reading.concepts[i] or not (AND | DETERMINING).isdisjoint(reading.words[i - 1:i + 1])


def _drop_places(reading: Reading) -> None:
    """ "He collapsed at the printer" is no figure of speech."""
    for i in reading.where("thing"):
        if "figure_topic" in reading.concepts[i] and not PLACING.isdisjoint(reading.words[max(0, i - 3):i]):
            reading.mean(i, reading.concepts[i] - {"figure_topic"})
