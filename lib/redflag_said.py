"""Words by which redflag_published tells news of somebody from what is asked, past, taught or made up, in four languages."""

import re

from lib.redflag_rules import RULES, fold
from lib.redflag_stretches import TOLD_OF


def words(text: str) -> frozenset[str]:
    return frozenset(map(fold, text.split()))


SIGN_VERBS = words("bleeds blutet blute sangra sangro saigne")
OF_ONE = words("am im ive tengo estoy tenemos sangro ai suis avons habe bin blute")
OF_OTHERS = words("is are s has hes shes presents tiene tienen está están ha he a est sont ont hat ist sind")
BEHIND_S = words("got a an in very badly really so bleeding swollen")  # "mum's bleeding", but not "mum's swelling"
FRENCH = words("""
    une il elle on qui mon ma et du des les aux dans pour notre votre sa ses est ce cette monsieur madame dame femme fille
    mère père fils mari patient patiente enfant garçon petite le c l d s""")
FRENCH_OBJECTS = words("un une la le l les des du de d sa son ses très mal toujours aussi beaucoup encore cassé plusieurs")
INFINITIVES, FINITE_BESIDE = words("have haben"), words("i we they who both wir")
GERMAN_HAVE, PERFECT = words("hat habe haben"), re.compile("(?!bekommen|gekriegt).*(ge.+(t|en)|iert)|(be|ver|zer|er|ent).+t")
FINAL = words("hat habe ist bin")
WITH = words("with con avec mit")
AUXILIARIES = words("has have ive ha he han a ai avons ont hat habe haben hast hemos")
PARTICIPLES = words("bled geblutet saigné gonflé enflé sangrado")  # behind these verbs how it was
HAD = words("eu été tenido estado sido muerto gehabt gewesen gestorben had been died fait mort morte")
WAS = words("""
    was were wasnt werent had did didnt could couldnt bled era eran estaba estaban tenía tenían podía podían había fue fueron tuvo
    tuve sangró sangraba était étais étaient avait avais avaient pouvait pouvaient arrivait saignait gonflait
    war waren hatte hatten konnte konnten bekam bekamen wurde wurden blutete gehabt gewesen""")
UNLESS = RULES.conditionals | words("""
    when whenever once until before case cuando caso hasta antes quand cas lorsque avant wann bis bevor nachdem beim every cada
    chaque jedes""")
SOMETIMES = UNLESS | words("""
    sometimes occasionally veces ocasionalmente vez parfois occasionnellement temps manchmal gelegentlich ab
    often usually oft öfter öfters häufig regelmäßig immer souvent régulièrement menudo siempre seguido
    brushing flossing putzen zähneputzen zahnseide bürsten brossage brosse fil cepillarme cepillado cepillo hilo seda
    bit bisschen bissl etwas peu poco poquito slight slightly goutte gota gotita drop drops minimal wee tiny leichte leichtes
    léger
    légère légèrement leve finanziell financially
    heart coeur corazón herz konto balance cartera portefeuille orgullo""")
GENERIC = words("""
    whoever anyone anybody people patients quien quienes pacientes gente gens patients wer jeder jede jedem patienten leute""")
ELSEWHERE = words("""
    nose knee finger fingers thumb toe foot rodilla nariz dedo pie genou nez doigt pouce orteil nase knie finger daumen zeh
    fuß""")
ANIMALS = words("""
    puppy kitten mare cow bird goat tortoise lizard iguana budgie cachorro yegua vaca tortuga pájaro cabra chiot chaton
    jument vache
    tortue oiseau chèvre kater welpe kaninchen wellensittich vogel dackel mops kuh stute wallach leguan schildkröte ratte
    ziege""")
TOPICS = UNLESS | words("""
    about regarding for because that to against para por que sobre contra pour contre after después tras après nach für wegen
    dass gegen zu""")
CASES = RULES.conditionals | words("case caso cas")
ABOUT = words("about über sobre")
ONCE = words("mal einmal once vez fois nie nunca jamais never")
NEVER, SO = words("weder nie niemals nunca jamais never neither"), words("so tan such si aussi noch")
INFINITIVE = {("zu", "haben"), ("to", "have"), ("d", "avoir"), ("de", "tener"), ("teme", "tener")}
ASKING = {("haben", "wir"), ("ist", "es"), ("is", "it"), ("do", "we"), ("avons", "nous"), ("es", "normal")}
SEEMING = words("seems appears scheint parece semble")
RARELY = words("sometimes occasionally ocasionalmente parfois occasionnellement manchmal gelegentlich")
NOT_DENYING = words("sin without ohne sans")  # "a walk-in without an appointment"
NOWHERE = words("nobody nadie niemand nix nich nüt nüd nowhere hardly nirgends nirgendwo kaum nulle apenas")
NEGATORS = frozenset(("negator", "negator_after", "nothing", "plain_not"))
FILED = frozenset((
    "asking", "course_material", "teaching", "paperwork", "~admin", "~money", "~teach_more", "~translate", "~dream",
    "~questionnaire", "~afraid"))
WHO = TOLD_OF - {"personal"}
MOUTH = frozenset(("tooth", "face", "jaw", "mouth", "throat", "gum_area", "tongue", "lip", "eye", "neck"))
STAGES = frozenset(("course_material", "teaching", "~dream", "~lesson", "~translate"))
OWN_STAGES = STAGES | {
    "~animal", "~joke", "~drill", "in_general", "impersonal", "asking", "figure_topic", "~money", "~named", "~afraid",
    "~thankful"}
DATES = frozenset(("past", "past_noun", "~long_ago", "~months_ago", "month_name"))
LATER = frozenset(("since", "again"))
OTHERS_DO = TOLD_OF | {"present_verb"}
OVER = frozenset(("~recovered", "~joke"))
# Words of texts to write, plays, tales and lessons that no frame has.
WRITTEN = words("""
    write rewrite reword draft proofread script scripts role roles scene novel thriller poem homework mcq drill simulation series
    plays teddy lego
    escribe escribid redacta redactar reformular guion rol roles escena novela deberes tarea tareas simulacro serie juega peluche
    acta
    écris écrire rédige rédiger reformuler rôle rôles scène roman polar devoir devoirs exercice série joue doudou peluche rendu
    schreib schreibe formulieren umschreiben skript leitfaden telefonleitfaden rollenspiel rolle rollen szene roman krimi aufgabe
    hausaufgabe hausaufgaben drehbuch übung serie spielt stofftier protokoll""")
STAGED = WRITTEN - {"joue"} | words("""
    dialogue dialogues hypothetical studying boards diálogo sociodrama chuleta prueba hipótesis hypothèse fictif fictive
    dialog dialoge
    testanruf testnachricht testmail lernapp fallbeispiel fiktiv
    entwarnung spaß scherz aprilscherz ketchup theaterblut kunstblut fehlalarm broma blague joke kidding
    translate traduce traducir traduis traduire übersetze übersetzen
    doll poupée muñeca puppe dragon""")
CHEEKS = words("backe wange backen")  # "eine dicke Backe"
LUMPS = words("lump lumps knoten beule bulto bultos boule bosse ball knot")
CAUSED = words("me te nos")  # "me tiene hinchado con eso"
OF = words("de d of von la l the")
PEOPLE = RULES.near_ones | RULES.pronouns | words("""
    someone somebody caller client colleague neighbour student trainee apprentice assistant girl boy walk
    alguien persona cliente compañera compañero vecina vecino estudiante alumna alumno chica
    quelqu personne cliente collègue voisin voisine étudiant étudiante stagiaire élève apprentie petite
    jemand kunde kundin kollege kollegin nachbar nachbarin student studentin azubi auszubildende auszubildender lehrling schüler
    schülerin kleine kleiner""")
WRITERS, WROTE_FROM = words("i j je ich"), words("from of because du de car parce von aus weil wegen")
REPORTED, OTHERS = words("blute habe"), words("er sie es")  # "sie blute finanziell aus"
ONESELF = words("i je ich yo")
QUESTIONS = RULES.question_verbs - {"a", "y", "son"}  # "a walk-in", "y él", "son patient"
