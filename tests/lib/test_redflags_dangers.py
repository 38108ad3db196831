"""Dangers that the rules had no words for, each beside a harmless twin in nearly the same words: asthma that the inhaler does not
help, button batteries, self-harm that is hinted at, skin that turns blue, bleeding without end, a heart that races, and what is
over of two things."""

import pytest

from lib import redflags

ASTHMA = {
    "en": ["I'm having an asthma attack", "asthma attack in surgery 1", "her asthma is bad and the puffer does nothing", "bad asthma and his inhaler has run out",
           "asthmatic patient, ventolin isn't helping", "asthma, four puffs of salbutamol and no effect"],
    "es": ["le ha dado un ataque de asma", "crisis de asma en el gabinete 2", "es asmático y el ventolín no le hace efecto",
           "asma fuerte y el inhalador está vacío", "asmática, el salbutamol no mejora nada"],
    "fr": ["il fait une crise d'asthme", "crise d'asthme en salle d'attente", "asthmatique, le salbutamol ne soulage pas",
           "son asthme est fort et l'inhalateur est vide", "asthme, la ventoline ne marche pas"],
    "de": ["sie hat einen Asthmaanfall", "Asthmaanfall im Behandlungszimmer", "Asthmatiker, das Spray hilft nicht", "er ist Asthmatiker, zehn Hübe Salbutamol und es wird einfach nicht besser, wir sind schon bei euch unten im Hof",
           "starkes Asthma und der Inhalator ist leer",
           "mein Asthma wird mit dem Spray nicht besser"]}
ASTHMATICS = {
    "en": ["my asthma is well controlled", "should I bring my inhaler", "is asthma a problem for the anaesthetic", "my last asthma attack was years ago",
           "history of asthma, uses salbutamol", "I have asthma and take ventolin, any problem with the filling?"],
    "es": ["tengo asma controlada", "¿llevo el inhalador a la cita?", "¿el asma es un problema para la anestesia?", "mi último ataque de asma fue hace años",
           "antecedentes de asma, usa salbutamol"],
    "fr": ["mon asthme est bien contrôlé", "j'apporte mon inhalateur ?", "l'asthme pose-t-il problème pour l'anesthésie ?",
           "ma dernière crise d'asthme date d'il y a longtemps", "antécédents d'asthme, prend de la ventoline"],
    "de": ["mein Asthma ist gut eingestellt", "soll ich mein Spray mitbringen", "ist Asthma ein Problem bei der Betäubung?",
           "mein letzter Asthmaanfall ist Jahre her", "Asthma bekannt, nimmt Salbutamol"]}
BATTERIES = {
    "en": ["my toddler swallowed a button battery", "he has swallowed the coin cell of the timer"],
    "es": ["la niña se ha tragado una pila de botón", "mi hijo se tragó la pila del cepillo"],
    "fr": ["ma fille a avalé une pile bouton", "le bébé a avalé la pile du thermomètre"],
    "de": ["unser Kind hat eine Knopfzelle verschluckt", "er hat die Batterie vom Timer geschluckt"]}
FLAT = {
    "en": ["the battery of the scaler is flat", "do you recycle button batteries?"], "es": ["la pila del mando está gastada", "¿recicláis pilas?"],
    "fr": ["la pile de la télécommande est morte", "vous reprenez les piles ?"], "de": ["die Batterie der Lampe ist leer", "nehmt ihr alte Knopfzellen?"]}
GIVING_UP = {
    "en": ["what's the point anymore, I'm doing it tonight", "she keeps cutting herself", "no point going on, going to do it today"],
    "es": ["no tiene sentido, esta noche lo hago", "mi hija se autolesiona", "dice que quiere desaparecer"],
    "fr": ["à quoi bon, ce soir je le fais", "mon fils s'automutile", "il dit qu'il veut disparaître"],
    "de": ["wozu noch, heute Abend mach ich es", "meine Tochter ritzt, sie ritzt sich jeden Tag", "heute mach ich Schluss"]}
GETTING_ON = {
    "en": ["what's the point of whitening twice?", "I'm doing it tonight, the online form", "the wire is cutting into my cheek"],
    "es": ["¿qué sentido tiene blanquear dos veces?", "esta noche lo hago, el formulario", "quiero que desaparezca la mancha"],
    "fr": ["à quoi bon deux détartrages ?", "ce soir je le fais, le formulaire", "je voudrais faire disparaître la tache"],
    "de": ["wozu noch eine Zahnreinigung?", "heute mach ich früher Schluss", "heute Abend mach ich das Formular fertig"]}
BLUE = {
    "en": ["the baby is turning blue", "she went blue in the chair"], "es": ["el bebé se está poniendo azul", "el niño se amorata"],
    "fr": ["mon fils devient bleu", "le bébé est devenu tout bleu", "le petit bleuit", "la patiente est devenue bleue"],
    "de": ["das Kind läuft blau an", "unser Sohn ist blau angelaufen", "sie wird blau", "der Patient ist ganz blau geworden"]}
BLUE_THINGS = {
    "en": ["the plaque dye turned her teeth blue", "my brace bands went blue"], "es": ["el diente se está poniendo gris", "las gomas se pusieron azules"],
    "fr": ["sa dent est devenue bleue", "les élastiques sont devenus bleus", "sa dent bleuit"],
    "de": ["der Zahn ist blau angelaufen", "die Gummis sind blau geworden"]}
ENDLESS = {
    "en": ["there is no end to the bleeding", "pregnant and bleeding down below", "I'm pregnant and there is vaginal bleeding"],
    "es": ["sangra sin fin", "estoy embarazada y sangro por abajo", "embarazada con sangrado vaginal"],
    "fr": ["le sang ne s'arrête pas", "la plaie saigne, le sang ne s'arrête plus", "je suis enceinte et j'ai des pertes de sang"],
    "de": ["es blutet ohne Ende", "die Blutung nimmt kein Ende", "ich bin schwanger und blute aus der Scheide"]}
ENDED = {
    "en": ["the bleeding has come to an end", "I'm pregnant, can I have a cleaning?"], "es": ["ha parado de sangrar", "estoy embarazada, ¿puedo hacerme una limpieza?"],
    "fr": ["le sang s'est arrêté", "je suis enceinte, je peux venir pour un détartrage ?"],
    "de": ["das Bluten hat aufgehört", "ich bin schwanger, kann ich zur Reinigung kommen?"]}
HEARTS = {
    "en": ["I have an angina attack right now", "my heart is racing and I'm about to pass out", "something is crushing my heart"],
    "es": ["le está dando una crisis de angina", "mi corazón va a 190 y me voy a desmayar", "siento que me aplasta el corazón"],
    "fr": ["il a une crise d'angor", "mon cœur bat à 170 et je vais tomber", "comme un poids qui m'écrase le cœur"],
    "de": ["Patient mit AP-Anfall in Zimmer 3", "mein Herz rast mit 190 und ich kippe gleich um", "es zerdrückt mir das Herz"]}
CALM = {
    "en": ["I had an angina attack last year", "my heart was racing to catch the bus, I'll be late"], "es": ["tuvo una crisis de angina el año pasado", "con el corazón les doy las gracias"],
    "fr": ["il a eu une crise d'angor l'an dernier", "merci du fond du cœur"], "de": ["AP-Anfall 2019, seither beschwerdefrei", "danke von Herzen"]}


@pytest.mark.parametrize(("dangers", "twins"), [
    (ASTHMA, ASTHMATICS), (BATTERIES, FLAT), (GIVING_UP, GETTING_ON), (BLUE, BLUE_THINGS), (ENDLESS, ENDED), (HEARTS, CALM)])
@pytest.mark.parametrize("language", ["en", "es", "fr", "de"])
def test_a_danger_is_heard_and_its_twin_is_none(language, dangers, twins):
    assert [text for text in dangers[language] if redflags.check(text).tier != "E"] == []
    assert [text for text in twins[language] if redflags.check(text).tier == "E"] == []


@pytest.mark.parametrize(("tier", "text"), [
    ("E", "my lip is swelling, the itch has gone"), ("E", "swollen up to the eye, the fever is gone"), ("U", "terrible pain, the anaesthetic has gone"),
    ("U", "my cheek is swollen and the pain is gone"), ("U", "screaming with pain since the numbness went away"),
    ("E", "la lengua hinchada, el dolor desapareció"), ("U", "dolor fuerte desde que se fue la anestesia"), ("U", "mejilla hinchada, se fue el dolor"),
    ("E", "les lèvres gonflées, la douleur est partie"), ("U", "douleur insupportable, l'anesthésie est passée"),
    ("E", "bis zum Auge geschwollen, Schmerzen sind weg"), ("U", "heftige Schmerzen, seit die Narkose weg ist"), ("U", "Backe ist geschwollen und die Schmerzen sind weg")])
def test_what_is_over_is_over_by_its_own_name(tier, text):
    assert redflags.check(text).tier == tier


@pytest.mark.parametrize("text", [
    "the swelling and the pain are gone", "the pain has gone", "swelling, pain and fever all gone", "my cheek was swollen, it has gone down",
    "la hinchazón y el dolor se fueron, ya no hay nada", "el dolor desapareció", "la douleur est partie", "le gonflement a disparu",
    "Schwellung und Schmerzen sind weg", "die Schmerzen sind weg", "the severe pain has gone, numbness too"])
def test_and_both_are_where_both_are_named(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize(("tier", "text"), [
    ("E", "meine Tochter kriegt in der Schule keine Luft"), ("E", "elle s'est évanouie au collège"), ("E", "no puede respirar, está en primaria"),
    ("E", "er kann in der Klasse nicht atmen"), ("U", "dent cassée au collège"), ("U", "diente roto en primaria"), ("U", "Zahn in der Schule abgebrochen"),
    (None, "als Kind bin ich in der Schule mal umgekippt"), (None, "damals in der Schule ist mir ein Zahn abgebrochen"),
    (None, "de niño me desmayé en primaria"), (None, "quand j'étais au collège je me suis évanouie")])
def test_a_school_is_long_ago_only_where_it_says_so(tier, text):
    assert redflags.check(text).tier == tier


@pytest.mark.parametrize("text", [
    "I need an emergency slot today", "any emergency slots free today please", "kann ich heute einen Notfalltermin haben", "Notfalltermin heute bitte",
    "emergency appointment today please", "necesito cita de urgencia hoy", "il me faut un rendez-vous en urgence aujourd'hui"])
def test_who_asks_for_an_emergency_appointment_today_needs_one(text):
    assert redflags.check(text).tier == "U"


@pytest.mark.parametrize("text", [
    "how much is an emergency slot", "do you keep emergency slots", "do you keep emergency slots every morning", "was kostet ein Notfalltermin",
    "wie viele Notfalltermine haben wir jeden Tag", "haltet ihr Notfalltermine frei", "the emergency slots are at nine",
    "we have two emergency slots in the diary, are these confirmed?"])
def test_who_asks_about_them_does_not(text):
    assert redflags.check(text).tier is None
