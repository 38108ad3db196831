"""Everyday sentences of a front desk that share their words with emergencies: treatment that somebody refuses, machines that hang,
an arm in a cast, boxes of gloves, an EpiPen that is carried along; and beside each the danger that must stay one."""

import pytest

from lib import redflags

REFUSED = {
    "en": ["I don't want to go on with Invisalign", "I don't want to go on with the treatment", "I can't go on with these braces",
           "I want to end it with Invisalign", "I don't want to come on Monday", "she doesn't want any more appointments this year",
           "I don't want to pay this bill twice", "I can't go on paying these instalments"],
    "es": ["No quiero seguir con los brackets", "Ya no quiero seguir con el tratamiento", "no quiero seguir pagando", "no quiero seguir esperando",
           "no quiero venir el lunes", "No quiere seguir con la ortodoncia, es muy caro"],
    "fr": ["je veux en finir avec ce devis", "je veux en finir avec ces bagues", "je ne veux plus continuer le traitement",
           "je ne veux plus de rendez-vous", "je n'en peux plus d'attendre", "je ne veux plus venir le mardi"],
    "de": ["Ich will nicht mehr kommen", "Ich will keinen Termin mehr", "Er will nicht mehr behandelt werden", "ich kann nicht mehr kommen",
           "Ich habe keine Lust mehr auf die Spange", "Ich will nicht mehr warten", "sie will nicht mehr zu uns kommen", "ich will nicht mehr bezahlen"]}
GIVEN_UP = {
    "en": ["I don't want to go on", "I can't go on with this pain, I want to die", "I don't want to go on, please cancel my appointment",
           "I don't want to go on living with this treatment", "I don't want any more appointments, goodbye everyone",
           "I don't want to wake up from the treatment", "I don't want treatment, I want it to be over"],
    "es": ["no quiero seguir viviendo", "no quiero seguir", "no quiero seguir con esta vida", "no quiero seguir, cancelen mi cita",
           "no quiero más citas, adiós a todos", "no quiero seguir con el tratamiento ni con nada"],
    "fr": ["je veux en finir", "je veux en finir avec la vie", "je veux en finir, annulez mon rendez-vous", "je ne veux plus vivre avec ce traitement",
           "je ne veux plus de rendez-vous, adieu"],
    "de": ["Ich will nicht mehr", "ich kann nicht mehr", "ich will nicht mehr leben", "Ich will nicht mehr leben mit dieser Spange",
           "ich will nicht mehr bitte termin absagen", "Ich will nicht mehr, bitte sagt meinen Termin ab",
           "Ich will keine Behandlung mehr, ich will nur noch sterben"]}
THINGS = {
    "en": ["The server is unresponsive", "The tap won't stop running", "The wheelchair lift collapsed", "the x-ray machine won't respond",
           "chest freezer delivery today", "the front door won't open", "Our phones are not responding since the update"],
    "es": ["La impresora no responde", "El ordenador de recepción no responde", "El grifo no para de gotear", "La puerta no se abre",
           "El servidor no reacciona"],
    "fr": ["L'ordinateur ne répond plus", "La porte ne s'ouvre plus", "Le robinet n'arrête pas de couler", "Le serveur ne réagit pas",
           "L'imprimante ne répond pas"],
    "de": ["Der Computer reagiert nicht", "Das Telefon hört nicht auf zu klingeln", "Die Tür geht nicht mehr auf",
           "Der Wasserhahn hört nicht auf zu tropfen", "Der Server ist zusammengebrochen"]}
PEOPLE = {
    "en": ["the patient in the chair is unresponsive", "he collapsed at the printer", "computer 2 is free but chair 2 is not responding",
           "The chair collapsed under her and she is unconscious", "the chair tipped over and she hit her head",
           "the wheelchair lift collapsed and the patient is unconscious", "the lady at the door is not responding"],
    "es": ["no responde, está en el sillón", "se desplomó en la puerta", "la señora del sillón no reacciona", "El grifo no para y ella no respira"],
    "fr": ["Il ne répond pas, il est dans le fauteuil", "Elle s'est effondrée devant l'ordinateur", "La porte est bloquée et il ne respire plus"],
    "de": ["er reagiert nicht", "Der Mann am Drucker ist umgekippt", "Die Tür klemmt und sie bekommt keine Luft", "Stuhl 2 reagiert nicht",
           "Der Stuhl ist umgekippt und sie ist bewusstlos"]}
CARRIED = [
    "patient carries an epipen", "pt has an epipen", "pt has an epipen, what is our protocol", "pt has an epipen, can she have anaesthesia?",
    "lleva un epipen", "la paciente lleva un epipen", "hat einen EpiPen dabei", "Patientin hat einen EpiPen dabei", "porte un épipen",
    "il a un épipen dans son sac"]
USED = [
    "get the epipen", "used the epipen", "needs his epipen now", "epipen given", "she has had her epipen", "he has used an epipen",
    "pt has an epipen and her lips are swelling", "pt has an epipen and was stung by a wasp", "pt has an epipen, feels unwell",
    "lleva un epipen puesto, no respira", "trae el epipen", "holt den EpiPen", "hat den EpiPen bekommen", "Vite, un épipen"]


@pytest.mark.parametrize("language", REFUSED)
def test_who_refuses_treatment_visits_or_bills_does_not_want_to_die(language):
    assert [text for text in REFUSED[language] if redflags.check(text).tier] == []
    assert [text for text in GIVEN_UP[language] if redflags.check(text).tier != "E"] == []


@pytest.mark.parametrize("language", THINGS)
def test_a_thing_that_hangs_falls_over_or_does_not_open_is_nobody(language):
    assert [text for text in THINGS[language] if redflags.check(text).tier] == []
    assert [text for text in PEOPLE[language] if redflags.check(text).tier != "E"] == []


@pytest.mark.parametrize("text", [
    "My left arm is in a cast", "Mein linker Arm ist im Gips", "tengo el brazo izquierdo escayolado",
    "mon bras gauche est dans le plâtre", "my right arm is in a sling"])
def test_an_arm_in_a_cast_is_no_heart(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "my left arm hurts and my jaw", "left arm pain", "my left arm is in a cast and my chest is tight", "Mein linker Arm tut weh und der Kiefer auch",
    "me duele el brazo izquierdo y la mandíbula", "j'ai mal au bras gauche et à la mâchoire"])
def test_one_that_hurts_may_be(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "he took the whole box of gloves home", "Sie nahm die ganze Packung Masken mit", "Il a pris toute la boîte de gants",
    "se llevó la caja entera de guantes", "Er hat die ganze Packung Handschuhe mitgenommen"])
def test_a_box_of_gloves_is_no_overdose(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "took the whole box", "took the whole box of tablets", "took all the tablets and a box of masks", "sie hat die ganze Packung genommen",
    "il a pris toute la boîte", "se tomó la caja entera"])
def test_any_other_box_is_one(text):
    assert redflags.check(text).tier == "E"


def test_an_epipen_that_somebody_has_is_not_one_that_is_needed():
    assert [text for text in CARRIED if redflags.check(text).tier == "E"] == []
    assert [text for text in USED if redflags.check(text).tier != "E"] == []


@pytest.mark.parametrize("text", [
    "Le patient nie toute dysphagie ou dyspnée", "Le patient nie avoir de la fièvre", "Avant, mes gencives saignaient au brossage, plus maintenant",
    "before my gums bled, not any more", "antes me sangraban las encías, ya no", "früher hat mein Zahnfleisch geblutet, jetzt nicht mehr"])
def test_what_is_denied_or_was_before_is_not_now(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "Le patient a une dysphagie et une dyspnée", "avant je saignais un peu, maintenant ça saigne beaucoup",
    "before it bled a little, not any more, now my face is swollen", "antes sangraba poco, ya no para de sangrar",
    "früher hat es kaum geblutet, jetzt blutet es stark"])
def test_what_is_now_stays(text):
    assert redflags.check(text).tier is not None


@pytest.mark.parametrize("text", [
    "I don't see any point in being alive with this pain any longer", "no point in living any more", "I see no reason to go on living",
    "ya no le veo sentido a vivir", "no veo motivo para vivir", "je ne vois plus l'intérêt de vivre", "je ne vois pas de raison de vivre",
    "ich sehe keinen Sinn mehr im Leben", "es hat keinen Sinn mehr zu leben"])
def test_who_sees_no_point_in_living_is_in_danger_by_the_rules_alone(text):
    assert redflags.highest(tuple(redflags.by_rules(redflags.read(text)))) == "E"
