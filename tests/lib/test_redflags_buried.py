"""A danger that one sentence of a long message tells is found, whatever else the office writes around it; lessons, texts to write,
plays and memories in which the same sentence stands are none."""

import pytest

from lib import redflag_deciding, redflags

OFFICE = {
    "en": ["Could someone ring the lab about the bridge? Dr Ash is away on Tuesday. {} Order two boxes of gloves and the blue bibs. "
           "Kind regards",
           "Good morning, I never received the invoice for my crown. Mornings suit me best. {} My insurance number is new, I will bring "
           "the card. Many thanks"],
    "es": ["¿Podéis llamar al laboratorio por el puente? La doctora libra el martes. {} Pedid dos cajas de guantes y los baberos azules. "
           "Un saludo",
           "Buenos días, no me llegó la factura de la corona. Me va mejor por la mañana. {} Mi número de seguro es nuevo, llevaré la "
           "tarjeta. Muchas gracias"],
    "fr": ["Quelqu'un peut-il appeler le labo pour le bridge ? La docteure est absente mardi. {} Il faut deux boîtes de gants et les "
           "bavettes bleues. Cordialement",
           "Bonjour, je n'ai pas reçu la facture de ma couronne. Le matin me convient mieux. {} Mon numéro de mutuelle est nouveau, "
           "j'apporterai la carte. Merci beaucoup"],
    "de": ["Kann jemand das Labor wegen der Brücke anrufen? Frau Doktor ist am Dienstag nicht da. {} Zwei Kartons Handschuhe und die "
           "blauen Servietten nachkaufen. Viele Grüße",
           "Guten Morgen, mir fehlt noch die Rechnung für die Krone. Vormittags passt es besser. {} Meine Versicherungsnummer ist neu, "
           "ich bringe die Karte mit. Vielen Dank"],
}
DANGERS = {
    "en": ["He has crushing chest pain.", "My son can't breathe properly and his lips are swelling.",
           "The lady in chair two has fainted and isn't responding.", "Her face is swollen up to the eye and she has a fever.",
           "She can't swallow her own saliva and her neck is swollen.", "My husband's socket is still bleeding and it won't stop.",
           "My daughter has hives all over and is wheezing after the antibiotic.", "He took the whole box of paracetamol."],
    "es": ["Tiene un dolor fuerte y opresión en el pecho.", "Mi hijo no puede respirar bien y se le hinchan los labios.",
           "La señora del sillón dos se ha desmayado y no responde.", "Tiene la cara hinchada hasta el ojo y fiebre.",
           "No puede tragar ni su propia saliva y tiene el cuello hinchado.", "A mi marido le sigue sangrando la muela y no para.",
           "Mi hija tiene ronchas por todo el cuerpo y le pita el pecho después del antibiótico.",
           "Se ha tomado la caja entera de paracetamol."],
    "fr": ["Il a une forte douleur qui serre la poitrine.", "Mon fils n'arrive pas à respirer et ses lèvres gonflent.",
           "La dame du fauteuil deux s'est évanouie et ne répond pas.", "Elle a le visage gonflé jusqu'à l'œil et de la fièvre.",
           "Elle n'arrive plus à avaler sa salive et son cou est gonflé.", "Mon mari saigne encore et ça ne s'arrête pas.",
           "Ma fille a de l'urticaire partout et siffle en respirant après l'antibiotique.",
           "Il a pris toute la boîte de paracétamol."],
    "de": ["Er hat starken Druck auf der Brust.", "Mein Sohn bekommt keine Luft und die Lippen schwellen an.",
           "Die Dame auf Stuhl zwei ist ohnmächtig und reagiert nicht.", "Ihr Gesicht ist bis zum Auge geschwollen und sie hat Fieber.",
           "Sie kann ihren Speichel nicht schlucken und ihr Hals ist geschwollen.", "Mein Mann blutet weiter und es hört nicht auf.",
           "Meine Tochter hat überall Quaddeln und pfeift beim Atmen nach dem Antibiotikum.",
           "Er hat die ganze Packung Paracetamol genommen."],
}
BURIED = [(language, office, danger) for language, offices in OFFICE.items() for office in offices for danger in DANGERS[language]]
HARMLESS = {
    "minutes": [
        "Minutes of Monday. First the rota. Then a case. The patient has crushing chest pain and the nurse calls 999, Anna played it well. "
        "Last the holiday list. Please send it to everyone by Friday.",
        "Acta del lunes. Primero los turnos. Luego un caso. El paciente tiene un dolor fuerte en el pecho y la auxiliar llama al 112, Ana lo "
        "hizo muy bien. Al final las vacaciones. Enviadla a todos antes del viernes.",
        "Compte rendu de lundi. D'abord le planning. Puis un cas. Le patient a une forte douleur dans la poitrine et l'assistante appelle le "
        "15, Anna a très bien joué. Enfin les congés. À envoyer à tous avant vendredi.",
        "Protokoll vom Montag. Zuerst der Dienstplan. Dann ein Fall. Der Patient hat starke Brustschmerzen und die Helferin ruft die 112, Anna "
        "hat das gut gespielt. Zuletzt der Urlaub. Bitte bis Freitag an alle schicken."],
    "letter": [
        "Write a letter to the insurer for Mr Hall. He fell in our car park in March. He lost consciousness and broke his jaw. The hospital "
        "discharged him after two days. Ask them for the claim number and keep it formal.",
        "Escribe una carta al seguro por el señor Gil. Se cayó en nuestro aparcamiento en marzo. Perdió el conocimiento y se rompió la "
        "mandíbula. El hospital le dio el alta a los dos días. Pide el número de parte, tono formal.",
        "Écris une lettre à l'assurance pour M. Gall. Il est tombé sur notre parking en mars. Il a perdu connaissance. L'hôpital l'a laissé "
        "sortir après deux jours. Demande le numéro de dossier, ton formel.",
        "Schreib einen Brief an die Versicherung für Herrn Hall. Er ist im März auf unserem Parkplatz gestürzt. Er hat das Bewusstsein "
        "verloren und sich den Kiefer gebrochen. Nach zwei Tagen wurde er entlassen. Frag nach der Schadennummer, förmlich."],
    "play": [
        "We need a role play for the new trainees. The caller says her son is choking and his lips are blue. The trainee asks the right "
        "questions. Write both parts and a short solution. One page please.",
        "Necesitamos un juego de roles para las nuevas. La persona que llama dice que su hijo se ahoga y tiene los labios azules. La alumna "
        "hace las preguntas correctas. Escribe los dos papeles y la solución. Una página.",
        "Il nous faut un jeu de rôle pour les nouvelles. La personne au téléphone dit que son fils s'étouffe et que ses lèvres sont bleues. "
        "La stagiaire pose les bonnes questions. Écris les deux rôles et un corrigé. Une page.",
        "Wir brauchen ein Rollenspiel für die Neuen. Die Anruferin sagt, ihr Sohn bekommt keine Luft und seine Lippen sind blau. Die "
        "Auszubildende stellt die richtigen Fragen. Schreib beide Rollen und eine Lösung. Eine Seite bitte."],
    "memory": [
        "Three weeks ago I came with my husband. He couldn't breathe and his face was swollen up to the eye. They operated the same night. "
        "He is well now and back at work. Thank you to the lady at the desk.",
        "Hace tres semanas fui con mi marido. No podía respirar y tenía la cara hinchada hasta el ojo. Lo operaron esa misma noche. Ya está "
        "bien y trabajando. Gracias a la señora de la recepción por no dejarnos ir.",
        "Mon père est de retour. Au printemps son cou était gonflé et il ne pouvait plus avaler. Il a passé dix jours là-bas. Il mange de "
        "tout et il vous embrasse. Merci à la dame de l'accueil pour sa patience.",
        "Vor drei Wochen kam ich mit meinem Mann. Er bekam keine Luft. Er wurde noch in der Nacht operiert. Es geht ihm gut, er arbeitet "
        "wieder. Wir bringen am Freitag Kuchen vorbei, danke an die Dame am Empfang."],
    "homework": [
        "Can you check my homework for the assistant course? Mr Bell is seventy. He has chest pain and is sweating. He sits in the chair. I "
        "lay him flat. My teacher says that this is wrong. Why?",
        "¿Me corrigen los deberes del curso de auxiliar? El señor Bo tiene setenta años. Se queja de dolor en el pecho y suda. Está en el sillón. Yo "
        "lo tumbo. La profesora dice que está mal. ¿Por qué?",
        "Pouvez-vous corriger mon devoir d'assistante ? M. Bo a soixante-dix ans. Il a une douleur dans la poitrine et il transpire. Je "
        "l'allonge dans le fauteuil. La formatrice dit que c'est faux. Pourquoi ?",
        "Können Sie meine Hausaufgabe für den Helferinnenkurs ansehen? Herr Bo ist siebzig. Er hat Brustschmerzen und schwitzt. Er sitzt im "
        "Stuhl. Ich lege ihn flach hin. Die Lehrerin sagt, das ist falsch. Warum?"],
    "newsletter": [
        "Text for the newsletter. Headline: when minutes count. Somebody has crushing chest pain: call 999. A child's lips are swelling: call "
        "999. A tooth is knocked out: milk and come to us. Please make it friendly.",
        "Texto para el folleto. Título: cuando cada minuto cuenta. Alguien tiene un dolor fuerte en el pecho: llamar al 112. Se hinchan los "
        "labios de un niño: llamar al 112. Se cae un diente: leche y a la clínica. Que sea amable.",
        "Texte pour le dépliant. Titre : quand chaque minute compte. Quelqu'un a une forte douleur dans la poitrine : appeler le 15. Les "
        "lèvres d'un enfant gonflent : appeler le 15. Une dent tombe : du lait et au cabinet. Ton aimable.",
        "Text für das Merkblatt. Titel: Wenn Minuten zählen. Jemand hat starke Brustschmerzen: 112 rufen. Einem Kind schwellen die Lippen an: "
        "112 rufen. Ein Zahn ist ausgeschlagen: Milch und in die Praxis. Bitte freundlich."],
}


@pytest.mark.parametrize("language", OFFICE)
def test_a_danger_between_the_sentences_of_an_office_is_found(language):
    told = [office.format(danger) for own, office, danger in BURIED if own == language]

    assert [text for text in told if redflags.check(text).tier != "E"] == []
    assert min(len(text.split()) for text in told) > redflag_deciding.LONGEST_HERE


@pytest.mark.parametrize("text", [text.format("") for texts in OFFICE.values() for text in texts])
def test_the_office_by_itself_is_no_alarm(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize(("idea", "text"), [(idea, text) for idea, texts in HARMLESS.items() for text in texts])
def test_the_same_sentence_taught_written_played_or_remembered_is_no_emergency(idea, text):
    assert redflags.check(text).tier != "E", idea


def test_a_harmless_first_mention_hides_no_danger_behind_it():
    office = OFFICE["en"][0]
    memory = "In 2018 he had chest pain and it was his stomach. The lab has sent the shade guide back without a note."

    assert redflags.check(f"{memory} {office.format('')}").tier != "E"
    assert redflags.check(f"{memory} {office.format(DANGERS['en'][0])}").tier == "E"


@pytest.mark.parametrize("text", [
    "Could someone ring the lab? Does he have crushing chest pain? Order two boxes of gloves and the blue bibs, the small ones, and tell me "
    "when the plumber comes. Kind regards to all",
    'Could someone ring the lab? The form says "he has crushing chest pain". Order two boxes of gloves and the blue bibs, the small ones, '
    "and tell me when the plumber comes. Kind regards to all",
    "Could someone ring the lab? He had crushing chest pain, which was his stomach. Order two boxes of gloves and the blue bibs, the small "
    "ones, and tell me when the plumber comes. Kind regards to all",
])
def test_what_is_asked_quoted_or_was_so_is_not_heard_by_itself(text):
    assert redflags.check(text).tier != "E"


def test_a_danger_of_an_earlier_turn_is_not_heard_again():
    office = OFFICE["en"][0].format("")

    assert redflags.check(f"{office} {office}", earlier=["He has crushing chest pain."]).tier != "E"
