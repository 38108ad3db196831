"""Each of the six published words, affirmed of a patient now, is at least urgent, however much is told around it."""

import pytest

from lib import redflags

WORDS = {
    "en": ("severe pain", "bleeding", "a swollen gum", "an emergency", "a broken tooth", "an infection"),
    "es": ("dolor fuerte", "sangrado", "la encía hinchada", "una emergencia", "un diente roto", "una infección"),
    "fr": ("une douleur intense", "un saignement", "la gencive gonflée", "une urgence", "une dent cassée", "une infection"),
    "de": ("starke Schmerzen", "eine Blutung", "das Zahnfleisch geschwollen", "einen Notfall", "einen abgebrochenen Zahn", "eine Infektion"),
}
STORIES = {
    "en": [
        "Hello, my son came home from football this afternoon and now he has this: {}, we do not know what we should do with him",
        "Good morning, I am writing because since this morning my mother has had it again: {}, she is at home with me and rather worried about it",
        "my patient in chair two says it started today after lunch and right now there is {} on the lower left side, I would like your advice please",
        "Hi, it's Mrs Green here, I'm calling for my husband because he has {} today and the other practice is closed until Monday",
        "The mother of the patient in room three tells me that he has {} right now and asks whether she ought to wait for the doctor",
        "Sorry to bother you on a Sunday, but I have {} since last night, I slept badly and I do not know whether it can wait",
        "We are on holiday near the lake and our daughter has {} now, she is ten and otherwise healthy, where should we go please",
    ],
    "es": [
        "Hola, mi hijo ha llegado a casa del fútbol esta tarde y ahora tiene esto: {}, no sabemos qué debemos hacer con él",
        "Buenos días, les escribo porque desde esta mañana mi madre tiene otra vez lo mismo: {}, está en casa conmigo y bastante preocupada por ello",
        "mi paciente del sillón dos dice que empezó hoy después de comer y ahora mismo hay {} en el lado inferior izquierdo, querría su consejo",
        "Hola, soy la señora Ruiz, llamo por mi marido porque hoy tiene {} y la otra consulta está cerrada hasta el lunes por la mañana",
        "La madre del paciente de la sala tres me dice que ahora mismo tiene {} y pregunta si debe esperar a que llegue el doctor",
        "Perdonen que moleste en domingo, pero tengo {} desde anoche, he dormido mal y no sé si puede esperar hasta mañana por la tarde",
        "Estamos de vacaciones cerca del lago y nuestra hija tiene {} ahora, tiene diez años y por lo demás está sana, adónde vamos por favor",
    ],
    "fr": [
        "Bonjour, mon fils est rentré du football cet après-midi et maintenant il a ceci : {}, nous ne savons pas ce que nous devons faire avec lui",
        "Bonjour, je vous écris parce que depuis ce matin ma mère a encore la même chose : {}, elle est à la maison avec moi et plutôt inquiète",
        "mon patient du fauteuil deux dit que cela a commencé aujourd'hui après le repas et maintenant il y a {} en bas à gauche, votre avis svp",
        "Bonjour, c'est madame Morel, j'appelle pour mon mari parce qu'il a {} aujourd'hui et l'autre cabinet est fermé jusqu'à lundi matin",
        "La mère du patient de la salle trois me dit qu'il a {} en ce moment et demande si elle doit attendre le médecin",
        "Désolé de vous déranger un dimanche, mais j'ai {} depuis hier soir, j'ai mal dormi et je ne sais pas si cela peut attendre",
        "Nous sommes en vacances près du lac et notre fille a {} maintenant, elle a dix ans et sinon elle va bien, où devons-nous aller",
    ],
    "de": [
        "Hallo, mein Sohn kam heute Nachmittag vom Fußball nach Hause und hat jetzt Folgendes: {}, wir wissen nicht, was wir mit ihm machen sollen",
        "Guten Morgen, ich schreibe, weil meine Mutter seit heute früh wieder dasselbe hat: {}, sie ist bei mir zu Hause und ziemlich besorgt deswegen",
        "mein Patient auf Stuhl zwei sagt, es begann heute nach dem Essen, und jetzt gerade ist da {} unten links, ich hätte gern Ihren Rat dazu",
        "Hallo, hier ist Frau Grün, ich rufe für meinen Mann an, weil er heute {} hat und die andere Praxis bis Montag geschlossen ist",
        "Die Mutter des Patienten in Zimmer drei sagt mir, dass er gerade {} hat, und fragt, ob sie auf den Arzt warten soll",
        "Entschuldigen Sie die Störung am Sonntag, aber ich habe seit gestern Abend {}, habe schlecht geschlafen und weiß nicht, ob es warten kann",
        "Wir sind am See im Urlaub und unsere Tochter hat jetzt {}, sie ist zehn und sonst gesund, wohin sollen wir bitte gehen",
    ],
}
# The same words in a story that is over.
OVER = {
    "en": ["The swelling my husband had on Monday has gone down since you saw him and he is eating again, many thanks to all of you there",
           "Since the broken tooth was crowned in spring I have had no trouble with it at all and would like my usual cleaning in the new year"],
    "es": ["La hinchazón que mi marido tenía el lunes ha bajado desde que ustedes lo vieron y ya come otra vez, muchas gracias a todo el equipo",
           "Desde que me pusieron la corona en el diente roto en primavera no he tenido ninguna molestia y quisiera mi limpieza de siempre en enero"],
    "fr": ["Le gonflement que mon mari avait lundi a disparu depuis que vous l'avez vu et il mange de nouveau, merci beaucoup à toute l'équipe",
           "Depuis que la dent cassée a reçu sa couronne au printemps je n'ai plus eu aucun souci et je voudrais mon détartrage habituel en janvier"],
    "de": ["Die Schwellung, die mein Mann am Montag hatte, ist zurückgegangen, seit Sie ihn gesehen haben, und er isst wieder, vielen Dank an alle",
           "Seit der abgebrochene Zahn im Frühjahr seine Krone bekam, hatte ich gar keine Beschwerden mehr und möchte im Januar meine übliche Reinigung"],
}


@pytest.mark.parametrize(("language", "story"), [(language, story) for language, stories in STORIES.items() for story in stories])
def test_a_published_word_told_at_length_is_at_least_urgent(language, story):
    told = [story.format(word) for word in WORDS[language]]

    assert [text for text in told if redflags.check(text).tier is None] == []
    assert min(len(text.split()) for text in told) > 12  # beyond what any affirmed word decides


@pytest.mark.parametrize("text", [text for texts in OVER.values() for text in texts])
def test_what_is_over_is_no_alarm_at_length(text):
    assert redflags.check(text).tier is None


def test_length_itself_takes_nothing_back():
    around = "We drove up on Friday, the children played, the weather was fine and the neighbours came over for dinner. " * 20

    assert redflags.check(f"{around} My husband has a broken tooth now and does not know what to do. {around}").tier is not None


@pytest.mark.parametrize(("text", "tier"), [
    ("no le gusta nada venir al dentista pero hoy tiene la lengua hinchada", "E"),
    ("we did nothing special at all this whole long morning and then her tongue is swelling", "E"),
    ("no swelling of the tongue today", None)])
def test_only_a_negator_within_five_words_takes_a_sign_back(text, tier):
    assert redflags.check(text).tier == tier
