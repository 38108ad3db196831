"""A sign beside a booking, a bill or another question is still a sign; a general question that names one is none."""

import pytest

from lib import redflags

# Emergencies (E) and urgent signs (U) of somebody now, each beside something else that is wanted.
AFFIRMED = {
    "en": [
        ("U", "severe pain, can I book an appointment?"),
        ("U", "bleeding?"),
        ("U", "my insurance has run out but severe pain"),
        ("U", "reply to your invoice 221: swollen gum"),
        ("E", "I'm worried about the bill, and he can't swallow"),
        ("U", "swollen gum price of a visit?"),
        ("U", "broken tooth, how much would it be to fix?"),
        ("U", "there's an infection round my crown. Do you open on Saturdays?"),
        ("U", "is this an emergency? my gum is bleeding"),
        ("U", "bleeding since lunch, is that ok?"),
        ("U", "Emergency! Any slot this afternoon?"),
        ("U", "Could you move my cleaning forward, I have a swollen cheek"),
        ("U", "abscess on lower left, what are your fees?"),
        ("U", "please send me last year's invoice. Also severe pain in a molar"),
        ("E", "face swollen and fever, can I get an appointment next week?"),
        ("E", "Thanks for the reminder. He can't swallow his own spit, should we still come on Tuesday?"),
        ("E", "I still owe you for March, and my lips are swelling up after the antibiotic"),
        ("E", "do I pay a deposit? My daughter hit her chin and blacked out"),
        ("E", "bleeding won't stop after the extraction, are you open?"),
    ],
    "es": [
        ("U", "dolor muy fuerte, ¿puedo pedir una cita?"),
        ("U", "encía hinchada precio de la visita?"),
        ("U", "diente roto, ¿cuánto cuesta arreglarlo?"),
        ("U", "hay una infección en la corona. ¿Abren los sábados?"),
        ("U", "¿esto es normal? me sangra la encía"),
        ("U", "sangrando desde la comida, ¿qué hago?"),
        ("U", "¡Emergencia! ¿Tienen hueco esta tarde?"),
        ("U", "¿Pueden adelantar mi limpieza? tengo la mejilla hinchada"),
        ("U", "absceso abajo a la izquierda, ¿qué tarifas tienen?"),
        ("U", "mándenme la factura del año pasado por favor. Además, dolor insoportable en una muela"),
        ("E", "cara hinchada y fiebre, ¿me dan cita la semana que viene?"),
        ("E", "Gracias por el aviso. Mi padre no puede tragar ni la saliva, ¿vamos igual el martes?"),
        ("E", "les debo la factura de marzo y se me hinchan los labios con el antibiótico"),
        ("E", "¿hay que pagar depósito? Mi hija se golpeó la barbilla y perdió el conocimiento"),
        ("E", "no para de sangrar después de la extracción, ¿están abiertos?"),
    ],
    "fr": [
        ("U", "douleur très forte, je peux prendre rendez-vous ?"),
        ("U", "gencive gonflée prix d'une consultation ?"),
        ("U", "dent cassée, combien coûte la réparation ?"),
        ("U", "il y a une infection sous ma couronne. Vous ouvrez le samedi ?"),
        ("U", "c'est normal ? ma gencive saigne"),
        ("U", "ça saigne depuis midi, que faire ?"),
        ("U", "Urgence ! Une place cet après-midi ?"),
        ("U", "Pouvez-vous avancer mon détartrage, j'ai la joue gonflée"),
        ("U", "abcès en bas à gauche, quels sont vos tarifs ?"),
        ("U", "merci de renvoyer ma facture de l'an dernier. Par ailleurs douleur insupportable à une molaire"),
        ("E", "visage gonflé et fièvre, un rendez-vous la semaine prochaine ?"),
        ("E", "Merci pour le rappel. Mon père n'arrive plus à avaler sa salive, on vient quand même mardi ?"),
        ("E", "je vous dois la facture de mars et mes lèvres gonflent depuis l'antibiotique"),
        ("E", "faut-il un acompte ? Ma fille s'est cogné le menton et a perdu connaissance"),
        ("E", "ça n'arrête pas de saigner après l'extraction, vous êtes ouverts ?"),
    ],
    "de": [
        ("U", "starke Schmerzen, wann ist ein Termin frei?"),
        ("U", "Zahnfleisch geschwollen Preis für einen Besuch?"),
        ("U", "abgebrochener Zahn, was kostet die Reparatur?"),
        ("U", "da ist eine Infektion unter der Krone. Haben Sie samstags offen?"),
        ("U", "ist das normal? mein Zahnfleisch blutet"),
        ("U", "blutet seit mittags, was soll ich tun?"),
        ("U", "Notfall! Ist heute Nachmittag noch was frei?"),
        ("U", "Können Sie meine Reinigung vorziehen, ich habe eine geschwollene Backe"),
        ("U", "Abszess unten links, welche Preise haben Sie?"),
        ("U", "bitte schicken Sie mir die Rechnung vom letzten Jahr. Außerdem unerträgliche Schmerzen am Backenzahn"),
        ("E", "Kind hat dicke Backe und Fieber, Termin?"),
        ("E", "Gesicht geschwollen und Fieber, kriege ich nächste Woche einen Termin?"),
        ("E", "Danke für die Erinnerung. Mein Vater kann seinen Speichel nicht mehr schlucken, sollen wir trotzdem kommen?"),
        ("E", "ich schulde Ihnen noch die Rechnung vom März und meine Lippen schwellen seit dem Antibiotikum an"),
        ("E", "muss ich anzahlen? Meine Tochter ist aufs Kinn gefallen und war bewusstlos"),
        ("E", "es hört nach dem Ziehen nicht auf zu bluten, haben Sie offen?"),
    ],
}

# Nobody is ill now: asked in general, taught, translated, drilled, denied, long over, an image, a name.
GENERAL = {
    "en": [
        "Is bleeding normal after an extraction?", "abscess contagious?", "is there an emergency fee?", "my invoice says infection",
        "can an abscess spread", "Does a broken tooth always need a crown?",
        "What is the fee for treating an infection?", "how do you tell a swollen gland from an abscess",
        "please translate for the door: in an emergency ring the bell", "drill on Friday: patient collapses, who does what?",
        "no bleeding and no swelling, can I move my check-up?", "I had an abscess in 2018, do you still have the x-ray?",
        "Ms Payne and Mr Bleeding want to change their booking", "your invoice nearly gave me a heart attack, can I pay monthly?",
        "our quiz asks what to do when somebody chokes", "does the basic plan cover severe pain?",
    ],
    "es": [
        "¿Es normal el sangrado después de una extracción?", "puede extenderse un absceso",
        "¿Un diente roto siempre necesita corona?", "¿Cuánto se paga por tratar una infección?",
        "cómo se distingue un ganglio hinchado de un flemón", "tradúzcanlo para la puerta: en caso de emergencia llame al timbre",
        "simulacro el viernes: un paciente se desmaya, ¿quién hace qué?", "sin sangrado ni hinchazón, ¿puedo cambiar la revisión?",
        "tuve un absceso en 2018, ¿conservan la radiografía?", "la señora Dolores Sangrador quiere cambiar su cita",
        "casi me da un infarto con la factura, ¿puedo pagar a plazos?", "el examen pregunta qué hacer si alguien se atraganta",
        "¿el seguro básico cubre el dolor fuerte?",
    ],
    "fr": [
        "Un saignement est-il normal après une extraction ?", "un abcès peut-il s'étendre",
        "Une dent cassée a-t-elle toujours besoin d'une couronne ?", "Quel est le tarif pour traiter une infection ?",
        "comment distinguer un ganglion gonflé d'un abcès", "à traduire pour la porte : en cas d'urgence, sonnez",
        "exercice vendredi : un patient s'évanouit, qui fait quoi ?", "pas de saignement ni de gonflement, je peux décaler mon contrôle ?",
        "j'ai eu un abcès en 2018, vous avez encore la radio ?", "Madame Douleur souhaite changer son rendez-vous",
        "votre devis a failli me donner une crise cardiaque, on peut payer en trois fois ?",
        "le quiz demande que faire si quelqu'un s'étouffe", "la mutuelle rembourse-t-elle une dent cassée ?",
    ],
    "de": [
        "Ist eine Blutung nach dem Ziehen normal?", "kann sich ein Abszess ausbreiten",
        "Braucht ein abgebrochener Zahn immer eine Krone?", "Was kostet die Behandlung einer Infektion?",
        "wie unterscheidet man einen geschwollenen Lymphknoten von einem Abszess",
        "bitte für die Tür übersetzen: im Notfall klingeln", "Übung am Freitag: Patient wird ohnmächtig, wer macht was?",
        "keine Blutung und keine Schwellung, kann ich die Kontrolle verschieben?",
        "ich hatte 2018 einen Abszess, haben Sie das Röntgenbild noch?", "Frau Blut und Herr Schmerz möchten ihre Termine tauschen",
        "bei der Rechnung habe ich fast einen Herzinfarkt bekommen, geht Ratenzahlung?",
        "im Quiz wird gefragt, was man tut, wenn jemand erstickt", "zahlt die Kasse bei starken Schmerzen?",
    ],
}
SIX_WORDS = {
    "en": ["severe pain", "bleeding", "swollen gum", "emergency", "broken tooth", "infection"],
    "es": ["dolor fuerte", "sangrado", "encía hinchada", "emergencia", "diente roto", "infección"],
    "fr": ["douleur intense", "saignement", "gencive gonflée", "urgence", "dent cassée", "infection"],
    "de": ["starke Schmerzen", "Blutung", "Zahnfleisch geschwollen", "Notfall", "Zahn abgebrochen", "Infektion"],
}
REQUESTS = {
    "en": ["{}, can I book an appointment?", "{} can I come in today?", "{} how much is a visit?", "{}. When are you open?",
           "{}, is that ok?", "{}, what should I do?", "Can I come by? {}", "I'd like an appointment: {}", "thanks for the bill. {}"],
    "es": ["{}, ¿puedo pedir cita?", "{} puedo ir hoy?", "{} cuánto cuesta la visita?", "{}. ¿Cuándo abren?", "{}, ¿es normal?",
           "{}, ¿qué hago?", "¿Puedo pasarme? {}", "quisiera una cita: {}", "gracias por la factura. {}"],
    "fr": ["{}, je peux prendre rendez-vous ?", "{} je peux venir aujourd'hui ?", "{} combien coûte la visite ?",
           "{}. Quand ouvrez-vous ?", "{}, c'est normal ?", "{}, que dois-je faire ?", "Je peux passer ? {}",
           "je voudrais un rendez-vous : {}", "merci pour la facture. {}"],
    "de": ["{}, wann ist ein Termin frei?", "{} kann ich heute kommen?", "{} was kostet ein Besuch?", "{}. Wann haben Sie offen?",
           "{}, ist das normal?", "{}, was soll ich tun?", "Kann ich vorbeikommen? {}", "ich hätte gern einen Termin: {}",
           "danke für die Rechnung. {}"],
}
# Whoever passes on a call says it of somebody else, and in the same breath what that person wants.
WHO = {"en": ["My wife", "Mrs Jones", "Our son", "The patient"], "es": ["Mi mujer", "La señora García", "Nuestro hijo", "El paciente"],
       "fr": ["Ma femme", "Madame Dupont", "Notre fils", "Le patient"],
       "de": ["Meine Frau", "Frau Müller", "Unser Sohn", "Der Patient"]}
IN_DANGER = {
    "en": ["can't breathe", "has chest pain", "wants to die", "blacked out", "has a broken jaw", "can't swallow", "won't stop bleeding",
           "has a swollen face and a fever", "had a seizure", "is having an allergic reaction", "has swelling under the tongue",
           "took a whole packet of paracetamol"],
    "es": ["no puede respirar", "tiene dolor en el pecho", "quiere morirse", "se ha desmayado", "tiene la mandíbula rota", "no puede tragar",
           "no para de sangrar", "tiene la cara hinchada y fiebre", "tiene una reacción alérgica", "ha tenido una convulsión"],
    "fr": ["n'arrive plus à respirer", "a mal à la poitrine", "veut mourir", "s'est évanoui", "a la mâchoire cassée",
           "n'arrive plus à avaler", "n'arrête pas de saigner", "a le visage gonflé et de la fièvre", "fait une réaction allergique",
           "a fait une convulsion"],
    "de": ["kann nicht atmen", "hat Brustschmerzen", "will sterben", "ist ohnmächtig geworden", "hat einen gebrochenen Kiefer",
           "kann nicht schlucken", "hört nicht auf zu bluten", "hat ein geschwollenes Gesicht und Fieber", "hat eine allergische Reaktion",
           "hatte einen Krampfanfall"]}
IN_PAIN = {
    "en": ["has severe pain", "is bleeding", "has a swollen gum", "has an emergency", "has a broken tooth", "has an infection"],
    "es": ["tiene dolor fuerte", "está sangrando", "tiene la encía hinchada", "tiene una emergencia", "tiene un diente roto",
           "tiene una infección"],
    "fr": ["a une douleur intense", "saigne", "a la gencive gonflée", "a une urgence", "a une dent cassée", "a une infection"],
    "de": ["hat starke Schmerzen", "blutet", "hat geschwollenes Zahnfleisch", "hat einen Notfall", "hat einen abgebrochenen Zahn",
           "hat eine Infektion"]}
BESIDE = {
    "en": [".", ", can she come in?", ", can she wait until Monday?", ", should she come in?", ", could you see her today?",
           " and would like an appointment next week", " and wants to know the price", ", can my husband drive her in?",
           ", is she going to be ok?", ", what's happening to her?", ", do you have a slot?", " and asks if you are open"],
    "es": [".", ", ¿puede venir?", ", ¿puede esperar hasta el lunes?", ", ¿debe venir?", " y quiere una cita.", " y pregunta cuánto cuesta",
           ", ¿la pueden ver hoy?", ", ¿tiene que venir?", ", ¿qué le pasa?", " y quiere saber el precio"],
    "fr": [".", ", peut-elle venir ?", ", peut-il attendre lundi ?", ", doit-elle venir ?", " et voudrait un rendez-vous",
           " et demande combien ça coûte", ", est-ce qu'elle peut venir ?", ", pouvez-vous la voir ?", " et veut savoir le prix",
           ", qu'est-ce qu'elle a ?"],
    "de": [".", ", kann sie kommen?", ", kann er bis Montag warten?", ", soll sie kommen?", " und möchte einen Termin",
           " und fragt, was es kostet", ", können Sie sie heute sehen?", ", muss sie kommen?", ", was hat sie?",
           " und will den Preis wissen"]}
LANGUAGES = ("en", "es", "fr", "de")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sign_beside_a_request_keeps_its_tier(language):
    missed = [text for tier, text in AFFIRMED[language] if redflags.RANK[redflags.check(text).tier] < redflags.RANK[tier]]

    assert missed == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sign_named_in_general_stays_harmless(language):
    assert [(tier, text) for text in GENERAL[language] if (tier := redflags.check(text).tier)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_published_word_is_at_least_urgent_beside_any_request(language):
    messages = [request.format(word) for word in SIX_WORDS[language] for request in REQUESTS[language]]

    assert [text for text in messages if redflags.check(text).tier is None] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_rules_alone_keep_the_published_words(language):
    """Whatever the classifier has learnt."""
    messages = [request.format(word) for word in SIX_WORDS[language] for request in REQUESTS[language]]

    assert [text for text in messages if not list(redflags.by_rules(redflags.read(text)))] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("tier", "signs"), [("E", IN_DANGER), ("U", IN_PAIN)])
def test_whatever_somebody_else_wants_besides_takes_nothing_back(language, tier, signs):
    messages = [f"{who} {sign}{beside}" for who in WHO[language] for sign in signs[language] for beside in BESIDE[language]]

    assert [text for text in messages if redflags.RANK[redflags.check(text).tier] < redflags.RANK[tier]] == []


@pytest.mark.parametrize("text", [
    "My wife can't breathe, could it be the new crown?", "I can't breathe, could that be the crown?", "Mi marido no puede respirar, ¿será por la corona?",
    "Mon mari n'arrive plus à respirer, ça vient de la couronne ?", "Mein Mann kann nicht atmen, liegt das an der Krone?",
    "Die Dame auf Stuhl 2 kann nicht atmen, liegt das an der neuen Krone?"])
def test_a_question_behind_a_danger_asks_about_it(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "Our 4 year old can't swallow, we are on our way", "Nuestro hijo de 4 años no puede respirar, vamos de camino",
    "Notre enfant de 4 ans a un gonflement sous la langue, nous arrivons", "Mi padre tiene 84 años y no puede tragar",
    "Mon père a 84 ans et n'arrive plus à avaler", "My father is 84 years old and can't swallow", "Meine Tochter ist 6 Jahre alt und kann nicht atmen", "The patient in room 3 can't breathe, we paid the invoice last week"])
def test_an_age_and_an_aside_are_no_earlier_time(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "No podía respirar hace 4 años", "Il y a 4 ans mon fils n'arrivait plus à respirer", "My son was 4 years old when he couldn't breathe in the chair",
    "Vor 4 Jahren konnte er nicht schlucken", "Sie konnte nicht atmen, das ist 4 Jahre her", "No podía tragar, de eso hace más de 12 años",
    "When he was only 6 years old he couldn't swallow"])
def test_years_ago_are(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "The lady in chair 2 blacked out, could it be the new crown?", "Hola, mi madre ha tenido una convulsión. Su próxima cita es el martes.",
    "Mi cuñado no para de sangrar, ¿será por la corona nueva?", "Meine Mutter hatte einen Krampfanfall, liegt das an der neuen Krone?",
    "Bonjour, ma mère fait une réaction allergique, ça vient de la nouvelle couronne ?", "Unser 4-jähriger kann nicht atmen, liegt das an der neuen Krone?"])
def test_other_verbs_tell_of_somebody_too(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "The kid who had a seizure here in 2019 is fine, could it be the crown?", "Mi hijo ha crecido mucho, ¿se puede desmayar con la anestesia?",
    "Unser 4-jähriger hat Angst, kann er bei der Spritze ohnmächtig werden?"])
def test_and_not_of_what_is_over_or_feared(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "he has an allergic reaction what do we do", "choking what should we do", "code blue", "get the defib", "traed el desfibrilador",
    "défibrillateur vite", "defi schnell"])
def test_a_call_for_help_is_heard(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "me quiero matar", "je veux plus vivre", "ich mach Schluss mit meinem Leben", "cuántas pastillas hacen falta para morir",
    "combien de comprimés pour mourir", "wieviel Paracetamol ist tödlich ich halte das nicht mehr aus",
    "what is the lethal dose of paracetamol im done with this pain"])
def test_who_speaks_of_dying_is_heard(text):
    assert ("E", "self_harm") in {(found.tier, found.category) for found in redflags.check(text).findings}


@pytest.mark.parametrize("text", [
    "Endlich Schluss mit meinem Provisorium, danke!", "On ne peut plus vivre sans dents, combien coûte un dentier ?", "where is the crash cart now",
    "Hoja para el paciente sobre reacción alérgica, ¿cuál uso?", "collapsed bite, wants new dentures", "will I be unconscious for the op", "husband has a phobia and says he would rather die than come in"])
def test_words_that_only_sound_so_are_no_emergency(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "are you open my husband has chest pain", "are you open today my jaw is broken", "what are your prices my throat is closing",
    "was kostet ein notfall mein kiefer ist gebrochen", "cuanto cuesta una urgencia tengo la mandibula rota",
    "combien coûte une urgence ma mâchoire est cassée"])
def test_a_danger_behind_a_request_is_heard_without_any_punctuation(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "can you send me the report my husband has about his broken jaw", "can you give me the form my son has to fill about chest pain",
    "what do you charge if my jaw is broken", "do you see people when the patient has a broken jaw",
    "can you tell me whether my jaw is broken on the x-ray", "what do i do my husband has a cleaning tomorrow"])
def test_and_a_case_in_a_request_is_none(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "Can chest pain come from a tooth, could it be a crown?", "If somebody has a broken jaw, can they come in?", "No puede venir, le duele un poco",
    "Une infection peut-elle s'étendre au cou ?", "Kann sie nach der Narkose nicht atmen, oder geht das vorbei?"])
def test_what_might_be_is_no_danger_however_it_is_asked(text):
    assert redflags.check(text).tier != "E"


@pytest.mark.parametrize("text", [
    "Please turn today's findings into two sentences the patient understands.", "Translate this aftercare sheet into Spanish",
    "Her denture is loose and she would like it relined", "Rédige une réponse au patient mécontent",
    "Summarise what I should keep in mind before this visit", "Bitte fasse die Notizen der letzten Sitzung zusammen"])
def test_what_staff_ask_for_in_writing_is_no_emergency(text):
    assert redflags.check(text).tier is None
