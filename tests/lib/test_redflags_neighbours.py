"""Messages that share their words with others of another tier: a danger beside a question on procedure, what was
last time, what somebody healthy may not manage, surnames without their capital, and what is asked of no implant in particular."""

import pytest

from lib import redflags
from tests.lib.test_redflags_requests import IN_DANGER, LANGUAGES, WHO

ROUTINES = {
    "en": [" what is our protocol", ", what's the protocol?", ". Which guideline applies?"],
    "es": [" cuál es nuestro protocolo", ", ¿cuál es el protocolo?", ". ¿Qué protocolo seguimos?"],
    "fr": [" quel est notre protocole", ", quel est le protocole ?", ". Quelle procédure ?"],
    "de": [" wie ist unser Ablauf", ", was ist unser Protokoll?", ". Welche Leitlinie gilt?"]}
CASES = {"en": "what is our protocol if a patient {}", "es": "cuál es nuestro protocolo si un paciente {}",
         "fr": "quel est notre protocole si un patient {}", "de": "was ist unser Protokoll, wenn ein Patient {}"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_on_procedure_takes_no_danger_back(language):
    messages = [f"{who} {sign}{asked}" for who in WHO[language] for sign in IN_DANGER[language] for asked in ROUTINES[language]]

    assert [text for text in messages if redflags.check(text).tier != "E"] == []
    assert [sign for sign in IN_DANGER[language] if redflags.check(CASES[language].format(sign)).tier] == []


@pytest.mark.parametrize("text", [
    "pt has chest pain what is our protocol", "patient can't breathe, what's the protocol", "he is choking whats our procedure",
    "patient collapsed what is the procedure", "Mr Jones has chest pain what is our protocol", "pt collapsed, which guideline do we follow",
    "paciente con dolor en el pecho, cuál es nuestro protocolo", "el paciente no puede respirar, ¿cuál es el protocolo?",
    "mi paciente se está ahogando cuál es nuestro procedimiento", "la paciente no respira, qué protocolo seguimos",
    "patient fait un malaise quel est notre protocole", "le patient n'arrive plus à respirer, quel est le protocole ?",
    "patiente a mal à la poitrine quelle est notre procédure", "madame Dupont a une douleur dans la poitrine quel est le protocole",
    "Patientin hat Brustschmerzen, wie ist unser Ablauf", "Patient bekommt keine Luft, was ist unser Protokoll",
    "Herr Müller hat Brustschmerzen, wie ist unser Ablauf?", "Pat. hat Atemnot. Wie ist unser Ablauf?",
    "what is our protocol patient has chest pain", "cuál es nuestro protocolo, la paciente no puede respirar",
    "quel est notre protocole, le patient ne respire plus", "wie ist unser Ablauf, Patientin hat Brustschmerzen"])
def test_who_asks_for_the_procedure_beside_somebody_in_danger_asks_for_help(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "protocol for uncontrolled bleeding", "what is our protocol for chest pain", "what is our protocol if a patient has chest pain",
    "when a patient can't breathe, what's the protocol", "which protocol do we follow for choking", "chest pain protocol",
    "patient has no chest pain, what is our protocol", "patient had a stroke 3 months ago, what is our protocol",
    "patient wants to know about bleeding, what is our protocol", "the patient asks what happens if she stops breathing, what is our protocol",
    "cuál es nuestro protocolo para dolor en el pecho", "cuál es el protocolo si un paciente tiene dolor en el pecho",
    "qué protocolo seguimos en una reacción alérgica", "quel est notre protocole en cas de malaise",
    "quel est le protocole si un patient n'arrive plus à respirer", "wie ist unser Ablauf bei Brustschmerzen",
    "was ist unser Protokoll, wenn ein Patient keine Luft bekommt", "Patientin hat keine Brustschmerzen, wie ist unser Ablauf"])
def test_who_asks_for_the_procedure_in_a_case_learns(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "she fainted last time she had an injection", "last time he fainted", "my son passed out last time", "last visit she passed out",
    "la última vez se desmayó", "se desmayó en la última visita",
    "la última vez que me pusieron anestesia me desmayé", "la dernière fois elle s'est évanouie",
    "elle s'est évanouie la dernière fois", "letztes Mal ist er ohnmächtig geworden",
    "beim letzten Mal war sie kurz bewusstlos"])
def test_what_happened_last_time_is_over(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "she fainted", "she fainted again, last time it was the injection", "last time he was fine now he is unconscious",
    "he collapsed, last time he was fine", "she collapsed like last time", "la última vez estaba bien, ahora se ha desmayado",
    "se ha desmayado como la última vez", "la dernière fois tout allait bien, là elle s'est évanouie", "il s'est évanoui comme la dernière fois",
    "letztes Mal ging es gut, jetzt ist er ohnmächtig", "es blutet stark wie letztes Mal"])
def test_and_takes_nothing_back_of_what_happens_now(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "I can't swallow big tablets", "I have trouble swallowing large pills", "no puedo tragar pastillas grandes",
    "mi hijo no puede tragar comprimidos grandes", "je n'arrive pas à avaler les gros comprimés", "il ne peut pas avaler de gros comprimés",
    "ich kann große Tabletten nicht schlucken", "I can't breathe through my nose", "no puedo respirar por la nariz",
    "je n'arrive pas à respirer par le nez", "kann durch die Nase nicht atmen", "ich bekomme durch die Nase keine Luft",
    "cannot open mouth wide for impressions", "no puede abrir mucho la boca para las impresiones",
    "ne peut pas ouvrir grand la bouche pour les empreintes", "kann den Mund für Abdrücke nicht weit öffnen"])
def test_what_somebody_healthy_may_not_manage_is_no_emergency(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "can't swallow even water", "he can't swallow big tablets or even water", "can't swallow big tablets, and now my throat is closing up",
    "no puedo tragar ni agua", "no puedo tragar pastillas grandes ni agua", "je n'arrive pas à avaler même de l'eau",
    "ich kann große Tabletten nicht schlucken und Wasser auch nicht", "can't breathe", "can't breathe through my nose or mouth",
    "can't breathe through nose, throat is closing", "my baby can't breathe through his nose", "no puedo respirar ni por la nariz ni por la boca",
    "je ne peux pas respirer ni par le nez ni par la bouche", "kann nicht durch die Nase atmen und die Zunge ist geschwollen",
    "can't open my mouth", "can't open my mouth wide since yesterday", "no puedo abrir la boca", "je n'arrive plus à ouvrir la bouche",
    "kann den Mund nicht öffnen"])
def test_what_nobody_healthy_fails_to_manage_is_one(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize(("name", "sign"), [
    ("frau blut hat abgesagt", "meine frau blut"), ("frau blut kommt um drei", "frau blut im mund"), ("herr blut hat abgesagt", "frau blutet stark"),
    ("frau schmerz ruft an", "frau blut kommt aus dem mund"), ("Frau Blut hat abgesagt", "meine frau hat blut im mund")])
def test_a_surname_without_its_capital_is_known_by_what_desks_write_of_it(name, sign):
    assert redflags.check(name).tier is None
    assert redflags.check(sign).tier is not None


@pytest.mark.parametrize(("asked", "told"), [
    ("does an implant bleed a lot", "my implant bleeds a lot"), ("is it normal for an implant to bleed a lot", "is it normal that my implant bleeds a lot"),
    ("es normal que sangre mucho un implante", "mi implante sangra mucho"), ("est ce que ça saigne beaucoup un implant", "ça saigne beaucoup l'implant"),
    ("est-ce qu'une extraction saigne longtemps", "est ce que c'est normal que ça saigne beaucoup"),
    ("blutet ein implantat stark", "mein implantat blutet stark"), ("ist es normal dass eine extraktion stark blutet", "das implantat blutet stark"),
    ("blutet eine extraktion lange", "blutet eine extraktion seit gestern stark")])
def test_what_is_asked_of_none_in_particular_is_general_without_a_question_mark_too(asked, told):
    assert redflags.check(asked).tier is None
    assert redflags.check(told).tier is not None


@pytest.mark.parametrize("text", ["a crown fell out and it bleeds heavily", "is it normal bleeding heavily after an extraction",
                                  "es blutet stark, eine krone ist ab", "est-ce normal, un implant saigne depuis deux heures"])
def test_one_that_bleeds_now_is_none_of_these(text):
    assert redflags.check(text).tier is not None
