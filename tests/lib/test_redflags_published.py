"""Each of the six published words is at least urgent where a clause says that somebody has it, whatever other clauses speak of; the
same words in what is over, planned, asked, taught, billed or made up are not taken for news."""

from itertools import product

import pytest

from lib import redflags

HAS = {
    "en": {"pain": "is in severe pain", "bleeding": "is bleeding", "swollen": "has a swollen cheek", "emergency": "has an emergency",
           "tooth": "has a broken tooth", "infection": "has an infection"},
    "es": {"pain": "tiene un dolor muy fuerte", "bleeding": "está sangrando", "swollen": "tiene la mejilla hinchada",
           "emergency": "tiene una emergencia", "tooth": "tiene un diente roto", "infection": "tiene una infección"},
    "fr": {"pain": "a une douleur atroce", "bleeding": "saigne", "swollen": "a la joue gonflée", "emergency": "a une urgence",
           "tooth": "a une dent cassée", "infection": "a une infection"},
    "de": {"pain": "hat heftige Zahnschmerzen", "bleeding": "blutet", "swollen": "hat eine geschwollene Wange",
           "emergency": "hat einen Notfall", "tooth": "hat einen abgebrochenen Zahn", "infection": "hat eine Infektion"},
}
BESIDE = {
    "bill": {"en": "The man on the sofa by the door {}, we can sort out his receipt later",
             "es": "El señor del sofá de la entrada {}, la factura ya la arreglamos luego",
             "fr": "Le monsieur du canapé à l'entrée {}, on réglera la facture plus tard",
             "de": "Der Herr auf dem Sofa am Eingang {}, die Rechnung klären wir später"},
    "greeting": {"en": "Good evening, Nina from the front desk speaking: Mrs Ford {}",
                 "es": "Buenas tardes, le habla Nina de la entrada: la señora Ferrer {}",
                 "fr": "Bonsoir, Nina de l'accueil au téléphone : madame Faure {}",
                 "de": "Guten Abend, Nina vom Empfang hier: Frau Feld {}"},
    "course": {"en": "My patient {} and Dr Hart is away on a course",
               "es": "Mi paciente {} y la doctora Haro está en un curso",
               "fr": "Mon patient {} et le docteur Hardy est en formation",
               "de": "Mein Patient {} und Doktor Hart ist auf Fortbildung"},
    "school": {"en": "My daughter {}, she is at school and I cannot leave the shop",
               "es": "Mi hija {}, está en el colegio y no puedo dejar la tienda",
               "fr": "Ma fille {}, elle est à l'école et je ne peux pas quitter le magasin",
               "de": "Meine Tochter {}, sie ist in der Schule und ich kann nicht aus dem Laden weg"},
    "holiday": {"en": "We are camping by a lake and my husband {}, where do we drive",
                "es": "Estamos de camping junto a un lago y mi marido {}, adónde vamos",
                "fr": "Nous campons près d'un lac et mon mari {}, où aller",
                "de": "Wir zelten an einem See und mein Mann {}, wohin fahren wir"},
    "form": {"en": "The lady at the window {}, her sister is filling in the form",
             "es": "La señora de la ventanilla {}, su hermana rellena el formulario",
             "fr": "La dame du guichet {}, sa sœur remplit le formulaire",
             "de": "Die Dame am Schalter {}, ihre Schwester füllt das Formular aus"},
}
# A lesson, a text, a play, a thing, somebody's past, a question: none of these is a patient who has it now.
NONE = {
    "lesson": {"en": "The trainees have a class on {} next month", "es": "Las alumnas tienen una clase sobre {} el mes que viene",
               "fr": "Les stagiaires ont un cours sur {} le mois prochain", "de": "Die Azubis haben nächsten Monat Unterricht über {}"},
    "bill": {"en": "She has an invoice for {} that the insurer will not pay", "es": "Ella tiene una factura por {} que el seguro no paga",
             "fr": "Elle a une facture pour {} que la mutuelle refuse", "de": "Sie hat eine Rechnung für {}, die die Kasse nicht zahlt"},
    "question": {"en": "What does your price list say for {}?", "es": "¿Qué dice su lista de precios para {}?",
                 "fr": "Que dit votre liste de prix pour {} ?", "de": "Was steht in Ihrer Preisliste für {}?"},
    "denied": {"en": "My son has never had {}, we come for a check-up", "es": "Mi hijo nunca ha tenido {}, venimos a revisión",
               "fr": "Mon fils n'a jamais eu {}, nous venons pour un contrôle", "de": "Mein Sohn hatte noch nie {}, wir kommen zur Kontrolle"},
}
NAMES = {
    "en": ("bleeding", "an emergency", "a broken tooth", "an infection"),
    "es": ("un sangrado", "una emergencia", "un diente roto", "una infección"),
    "fr": ("un saignement", "une urgence", "une dent cassée", "une infection"),
    "de": ("eine Blutung", "einen Notfall", "einen abgebrochenen Zahn", "eine Infektion"),
}


@pytest.mark.parametrize(("idea", "language", "word"), product(BESIDE, HAS, HAS["en"]))
def test_a_published_word_told_of_somebody_is_at_least_urgent_whatever_is_said_besides(idea, language, word):
    assert redflags.check(BESIDE[idea][language].format(HAS[language][word])).tier is not None


@pytest.mark.parametrize(("idea", "language", "place"), product(NONE, NAMES, range(4)))
def test_a_published_word_that_nobody_has_now_is_no_alarm(idea, language, place):
    assert redflags.check(NONE[idea][language].format(NAMES[language][place])).tier is None


@pytest.mark.parametrize("text", [
    "mandíbula rota en el trabajo", "mi mujer perdió el conocimiento en el trabajo", "no puede respirar y la doctora está en un curso",
    "he can't breathe and the dentist is at a training day", "elle ne peut plus respirer et le dentiste est en formation",
    "sie bekommt keine Luft und der Zahnarzt ist auf einer Schulung"])
def test_where_somebody_is_takes_no_emergency_back(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "In our role play the caller is bleeding and the trainee answers", "My horse is bleeding, do you know a vet",
    "Write a short dialogue: the patient has a broken tooth", "My wallet is bleeding, can I pay in instalments",
    "Escribe un diálogo: la señora tiene un diente roto", "Mein Geldbeutel blutet, geht auch Ratenzahlung",
    "Rédige un dialogue : le patient a une dent cassée", "Schreib einen Dialog: der Patient hat einen abgebrochenen Zahn"])
def test_what_is_played_written_or_meant_otherwise_is_no_alarm(text):
    assert redflags.check(text).tier is None
