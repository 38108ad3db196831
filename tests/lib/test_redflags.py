import csv
import itertools
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from evaluation import corpus
from evaluation import redflags as evaluation
from lib import redflag_classifier, redflag_hearing, redflag_model, redflag_rules, redflags

# `first_pass` is the tier a message of batch 2 or 3 got from version 2026-11-20.1, which had not seen it. Batch 2A was used to
# mend the rules, 2B to measure them, 3 came after both. Batch 4 has its `first_pass` from 2026-11-20.2 and was used to mend the
# rules, 4B to measure them, and then to mend them too. Batch 5 was open until the classifier found it. Messages of batch "open"
# still get a wrong tier.
CORPUS = list(csv.DictReader(Path(__file__).with_name("redflags_corpus.csv").open(encoding="utf-8")))
EMERGENCIES = [row for row in CORPUS if row["tier"] == "E" and row["batch"] != "open"]
FRAMES = {
    "en": ["my husband says it's nothing but {}", "sorry to bother you, {}", "{}?", "is it normal that {}", "what should i do {}",
           "my doctor said not to worry. {}", "no pain but {}", "{} how much does it cost", "{} do you take insurance",
           "I had a filling last year and {}", "asking for my neighbour: {}"],
    "es": ["mi marido dice que no es nada pero {}", "perdone la molestia, {}", "¿{}?", "qué hago {}", "{} cuánto cuesta la consulta",
           "sin dolor pero {}", "{} ¿lo cubre el seguro?"],
    "fr": ["mon mari dit que ce n'est rien mais {}", "désolé de vous déranger, {}", "{} ?", "que faire {}", "pas de douleur mais {}",
           "{} combien coûte la consultation"],
    "de": ["mein Mann sagt es ist nichts aber {}", "entschuldigung für die störung, {}", "{}?", "was tun {}", "keine schmerzen aber {}",
           "{} was kostet die behandlung", "{} zahlt das die Kasse"],
}


def cpu_seconds(text: str) -> float:
    return cheapest(lambda: redflags.check(text))


def cheapest(work) -> float:
    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start
    return min(once() for _ in range(5))


@pytest.mark.parametrize("language", ["en", "es", "fr", "de", "mixed"])
def test_every_message_of_the_corpus_gets_its_tier_but_the_open_ones(language):
    own = [row for row in CORPUS if row["language"] == language]
    wrong = [row["text"] for row in own if (redflags.check(row["text"]).tier or "none") != row["tier"]]

    assert wrong == [row["text"] for row in own if row["batch"] == "open"]


def test_the_corpus_is_broad_enough():
    counts = {tier: sum(row["tier"] == tier for row in CORPUS) for tier in ("E", "U", "none")}

    assert counts["E"] >= 40
    assert counts["U"] >= 25
    assert counts["none"] >= 60
    assert {row["language"] for row in CORPUS} == {"en", "es", "fr", "de", "mixed"}


def test_the_open_messages_stay_few():
    assert sum(row["batch"] == "open" for row in CORPUS) <= 9


@pytest.mark.parametrize(("language", "frame"), [(language, frame) for language, frames in FRAMES.items() for frame in frames])
def test_an_emergency_stays_one_when_it_is_asked_played_down_or_told_by_another(language, frame):
    asked = [frame.format(row["text"].rstrip(".?!")) for row in EMERGENCIES if row["language"] == language]

    assert [text for text in asked if redflags.check(text).tier != "E"] == []


@pytest.mark.parametrize(("image", "literal", "tier"), [
    ("your prices are killing me", "this tooth is killing me, what are your prices", "U"),
    ("me ahogo con las facturas", "me ahogo, ¿cuánto cuesta la visita?", "E"),
    ("le prix m'a coupé le souffle", "je n'arrive plus à reprendre mon souffle", "E"),
    ("does my plan cover emergencies and broken teeth", "does my plan cover it, I have a broken tooth", "U"),
    ("which toothpaste is best for bleeding gums", "since the new toothpaste my gums are bleeding", "U"),
    ("where is the anaphylaxis kit", "get the anaphylaxis kit, her lips are swelling", "E"),
    ("write a training quiz on chest pain in the chair", "chest pain in the chair, 61 years old", "E"),
    ("an abscess in 2019, drained", "a filling in 2019 and swollen jaw, 39 degrees", "E"),
    ("took 2 ibuprofen 20 minutes ago", "took 20 ibuprofen", "E"),
])
def test_a_figure_of_speech_or_a_general_question_is_no_sign(image, literal, tier):
    assert redflags.check(image).tier is None
    assert redflags.check(literal).tier == tier


@pytest.mark.parametrize("message", [
    "I have severe pain", "it is bleeding", "my gum is swollen", "this is an emergency", "I have a broken tooth", "there is an infection",
    "tengo un dolor fuerte", "está sangrando", "está hinchado", "es una emergencia", "tengo un diente roto", "tengo una infección",
    "une douleur intense", "ça saigne", "c'est gonflé", "c'est une urgence", "j'ai une dent cassée", "j'ai une infection",
    "starke Schmerzen", "es blutet", "es ist geschwollen", "ein Notfall", "ein abgebrochener Zahn", "eine Infektion",
])
def test_each_published_word_is_at_least_urgent(message):
    assert redflags.check(message).tier is not None


@pytest.mark.parametrize(("earlier", "text", "tier"), [
    (["My cheek is swollen"], "now I have a fever too", "E"),
    (["Tengo la cara hinchada"], "y ahora también el cuello", "E"),
    (["Mein Zahnfleisch blutet"], "es hört nicht auf", "E"),
    (["My jaw hurts"], "and there is a pain in my left arm", "E"),
    (["I can't breathe"], "what time do you open?", None),
    (["My gum is swollen"], "thank you", None),
    (["I have a fever", "a", "b", "c"], "my cheek is swollen", "U"),
])
def test_signs_split_over_messages_are_joined_and_old_ones_do_not_count_again(earlier, text, tier):
    assert redflags.check(text, earlier).tier == tier


@pytest.mark.parametrize("text", [
    "no swelling", "no signs of infection", "denies fever, dysphagia, trismus", "no fever, trismus or swelling", "sin fiebre ni hinchazón",
    "pas de gonflement", "keine starken Schmerzen", "blutet nicht mehr", "no difficulty swallowing", "it's not an emergency",
])
def test_a_negated_sign_is_no_sign(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize(("text", "tier"), [
    ("no fever but my face is swollen", "U"),
    ("sin fiebre pero la cara está hinchada", "U"),
    ("pas de fièvre mais ma joue est gonflée", "U"),
    ("kein Fieber aber die Backe ist geschwollen", "U"),
    ("no fever, swelling is huge", "U"),
    ("no idea why it is bleeding", "U"),
    ("it has not stopped bleeding", "E"),
    ("ça n'arrête pas de saigner", "E"),
    ("it hasn't stopped being swollen", "U"),
    ("ça saigne plus", "U"),
])
def test_a_negation_reaches_no_further_than_its_noun(text, tier):
    assert redflags.check(text).tier == tier


@pytest.mark.parametrize("text", [
    "what should we do if the patient in the chair can't breathe", "What should I do if my mother can't breathe?",
    "Is it an emergency if he can't breathe?", "¿Qué hacemos si el paciente no puede respirar?", "que hago si mi madre se desmaya",
    "Was sollen wir tun, wenn die Patientin keine Luft bekommt?", "wie reagieren wir, wenn der Patient einen Krampfanfall hat",
    "Que faire si la patiente ne respire plus ?", "Que faire si la patiente n'arrive plus à respirer ?", "Que faire si l'enfant s'étouffe ?",
    "Was tun, wenn unsere Patientin keine Luft bekommt?", "¿Qué hago si su hija no puede respirar?", "What do we do if my husband's tongue swells up and he can't breathe",
])
def test_what_to_do_if_somebody_one_points_at_is_in_danger_is_an_emergency(text):
    """A question in form; who asks it stands beside them."""
    assert redflags.check(text).tier == "E"
    assert redflags.check(text, ["What happens at a check-up?"]).tier == "E"


@pytest.mark.parametrize("text", [
    "What do you do if somebody can't breathe?", "What if I can't breathe during the treatment?", "Call 112 if the patient can't breathe",
    "what happens if the patient stops breathing under sedation?", "Was passiert, wenn der Patient in der Narkose nicht atmet?",
    "¿Qué se hace si alguien no puede respirar?", "Prüfungsfrage 7 lautet: Was tun, wenn der Patient kollabiert?",
    "First-aid course: what do we do if the patient can't breathe?", "What should I do if the patient has no trouble breathing?",
])
def test_what_to_do_in_general_is_none(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", ["CAN'T BREATHE", "can’t breathe", "cant breathe", "can't breath", "Je n’arrive plus à respirer", "no puedo respirár"])
def test_case_accents_apostrophes_and_typos_do_not_matter(text):
    assert redflags.check(text).tier == "E"


def test_today_outweighs_history_and_teaching():
    assert redflags.check("She had an abscess years ago and now she can't open her mouth").tier == "E"
    assert redflags.check("What is the protocol? My patient is in the chair. He can't breathe.").tier == "E"
    assert redflags.check("An abscess in 2019, bleeding again today").tier == "U"


def test_a_wife_who_bleeds_is_not_a_surname():
    assert redflags.check("Meine Frau Blutet stark").tier == "E"
    assert redflags.check("Frau Blut kommt um drei").tier is None


@pytest.mark.parametrize(("text", "tier"), [
    ("Monsieur, Saignement qui n'arrête pas", "E"), ("Pt Kieferklemme", "E"), ("Patient Unresponsive", "E"),
    ("Dr. Blood at three", None), ("my surname is Swellings", None),
])
def test_a_title_is_followed_by_a_name_unless_somebody_is_addressed(text, tier):
    assert redflags.check(text).tier == tier


@pytest.mark.parametrize(("text", "tier"), [
    ("no hx of MI, CVA, seizures", None), ("hx MI, crushing chest pain", "E"),
    ("I passed out once, years ago", None), ("how would a dentist stop heavy bleeding?", None),
    ("bleeding ++ after xla", "E"), ("?mandible # after RTA", "E"), ("he went k.o. at rugby, two teeth gone", "E"),
    ("el bulto bajo la mandíbula creció el doble", "E"),
    ("I have swelling around my eye and a toothache for weeks", "E"),
    ("my lips have been swelling lately, and mouth ulcers", "U"),
])
def test_how_staff_write_and_when_it_was(text, tier):
    assert redflags.check(text).tier == tier


def test_every_rule_is_of_a_known_category():
    urgent = {"pain", "other"}

    assert {rule.category for rule in redflags.RULES.rules if rule.tier == "E"} == set(redflags.CATEGORIES)
    assert {rule.category for rule in redflags.RULES.rules if rule.tier == "U"} <= set(redflags.CATEGORIES) | urgent


@pytest.mark.parametrize(("text", "categories"), [
    ("her lips are turning purple", {"airway"}),
    ("aspirated a bur, coughing", {"airway"}),
    ("it won't stop bleeding", {"bleeding"}),
    ("my cheek is swollen up to the eye", {"infection"}),
    ("I think my jaw is broken", {"trauma"}),
    ("he is having a heart attack", {"heart"}),
    ("her lips are swelling after the injection", {"allergy"}),
    ("he took the whole box of tablets", {"self_harm"}),
    ("patient is not responding", {"collapse"}),
    ("he fainted in the chair", {"collapse"}),
    ("seizure in chair", {"collapse"}),
    ("half of her face droops", {"collapse"}),
    ("insulin patient confused and sweating", {"collapse"}),
    ("call an ambulance", {"collapse"}),
    ("he fell on his chin and blacked out", {"trauma", "collapse"}),
])
def test_an_emergency_has_the_category_that_its_first_aid_needs(text, categories):
    assert {finding.category for finding in redflags.check(text).findings if finding.tier == "E"} == categories


@pytest.mark.parametrize("colour", ["blue", "purple", "grey", "bluish", "violet"])
def test_lips_of_any_dark_colour_are_an_emergency_and_a_grey_tooth_is_none(colour):
    assert redflags.check(f"her lips are turning {colour}").tier == "E"
    assert redflags.check(f"the baby went {colour}").tier == "E"
    assert redflags.check(f"my tooth is turning {colour}" if colour != "blue" else "my tooth looks blue").tier is None


def test_a_finding_names_rule_category_and_words():
    verdict = redflags.check("My cheek is swollen up to the eye")

    assert [finding.tier for finding in verdict.findings] == ["E", "U"]
    assert verdict.findings[0].category == "infection"
    assert verdict.findings[0].text == "swollen eye"
    assert verdict.version == redflags.VERSION


@pytest.mark.parametrize("text", ["", "   \n", "!!!", "12345", "🦷", "'''", "\u200b"])
def test_a_message_without_words_is_no_emergency(text):
    assert redflags.check(text) == redflags.Verdict(None, (), redflags.VERSION)


@pytest.mark.parametrize("key", ["x", "a", "h", "e", "?", "0", "é"])
def test_a_key_that_is_leant_on_is_no_emergency_after_a_question_either(key):
    assert redflags.check(key * 4_001).tier is None
    assert redflags.check(key * 4_001, ["What is a root canal?"]).tier is None


@pytest.mark.parametrize("text", [
    "Patient Ann Lee 12.03.2016 can't breathe, tongue swollen", "He can't breathe and his tongue is swollen, case 2016",
    "She can't breathe and her lips are swollen, room 2014", "No puede respirar, nacido en 2016, lengua hinchada",
    "Mein Sohn, Jahrgang 2015, kriegt keine Luft, Zunge geschwollen", "my daughter, born 2016, can't breathe and her tongue is swollen"])
def test_a_year_that_dates_nothing_takes_nothing_back(text):
    assert redflags.check(text).tier == "E"


@pytest.mark.parametrize("text", [
    "abscess in 2019, all fine now", "jaw broken in 2017, plate still in, need a filling", "hx: MI 2018, DVT 2020. Exam only",
    "Er hat 2018 einen Schlaganfall gehabt, darf er Ibuprofen nehmen?", "stroke 2018, on clopidogrel"])
def test_a_year_that_dates_a_sign_does(text):
    assert redflags.check(text).tier is None


@pytest.mark.parametrize("text", [
    "Nix geschwollen, nix heiß, nix rot", "Geschwollen ist gar nichts", "cero fiebre, cero pus", "sollen wir zur Kontrolle kommen?"])
def test_it_is_denied_in_plain_words_too_and_a_small_word_is_no_slip(text):
    assert list(redflags.by_rules(redflags.read(text))) == []


def by_rules(text: str) -> str | None:
    return redflags.highest(tuple(redflags.by_rules(redflags.read(text))))


@pytest.mark.parametrize(("affirmed", "taken_back"), [
    ("no sé, está hinchado", "no se ha hinchado"),
    ("no se me quita la hinchazón", "Todo bien doctora, no se hinchó nada"),
    ("no sé por qué está hinchada la cara", "doctor no se ha hinchado como usted advirtió"),
    ("denies fever and has bleeding", "denies fever and bleeding"),
    ("niega fiebre y tiene sangrado", "niega fiebre y sangrado"),
    ("Patient verneint Schmerzen, blutet aber stark", "Patient verneint Brustschmerz, Atemnot und Schluckstörung"),
    ("shortness of breath", "Patient denies chest pain, shortness of breath and dysphagia"),
    ("gencive gonflée", "presque plus gonflé"),
    ("my gum is swollen, no sign of it going down", "my gum was swollen, it is going down"),
])
def test_what_is_denied_in_a_list_and_what_is_said_anew_after_it(affirmed, taken_back):
    """ "Se" and "sé" (I know) are one word without the accent: no Spanish denial had been heard."""
    assert by_rules(affirmed) is not None
    assert by_rules(taken_back) is None


@pytest.mark.parametrize("text", ["Frau Schmidt Atemnot im Wartezimmer", "Herr Meier Atemnot", "Frau Weber Zungenschwellung"])
def test_in_german_what_stands_after_the_name_is_no_second_name(text):
    assert by_rules(text) == "E"


@pytest.mark.parametrize("text", ["Hr. Eiterer bittet um Rückruf", "Familie Blut kommt morgen", "Ich heiße Luise Fieber, Zahnreinigung?"])
def test_the_name_itself_is_still_none(text):
    assert by_rules(text) is None


@pytest.mark.parametrize("text", ["weiter", "zweiter Termin", "Mitarbeiter", "gescheitert", "heiter"])
def test_pus_is_no_part_of_other_words(text):
    assert "pus" not in redflags.read(text).places


@pytest.mark.parametrize("text", ["Eiter kommt heraus", "Zahn eitrig", "Zahnfleisch vereitert", "es eitert"])
def test_pus_is_found(text):
    assert by_rules(text) == "U"


def test_one_word_said_of_nobody_decides_in_a_short_message_only():
    assert by_rules("gum swollen since the filling, when can I come") == "U"
    assert by_rules("day two after wisdom teeth, all as told, some swelling, soup again and ice") is None
    assert by_rules("my gum is swollen on day two after wisdom teeth, soup again") == "U"


def test_somebody_ill_beside_a_school_is_still_ill():
    assert by_rules("my son's tooth broke at school, it is bleeding") == "U"


def test_a_visit_to_the_hygienist_denies_nothing():
    """ "Prophylaxe" is her chair in German; as a prevention it had taken back the swelling and the breath that followed."""
    assert {"swelling", "airway_word"} <= redflags.read("aus der Prophylaxe, jetzt Gesichtsschwellung, Atemnot").places.keys()


@pytest.mark.parametrize("text", ["ich bring mich jetzt um", "ich bringe mich heute um", "i bring mi um"])
def test_who_says_it_in_so_many_words_is_heard(text):
    assert [finding.category for finding in redflags.by_rules(redflags.read(text))] == ["self_harm"]


@pytest.mark.parametrize("text", [
    "bleeding for 40 minutes", "my tooth broke during my shift, it is swollen", "your team pulled my tooth and it is bleeding",
    "my face is swollen, of course it is sunday", "muela rota", "mi hija tiene una muela rota", "die Schwellung geht nicht weg"])
def test_a_small_word_beside_a_published_one_takes_nothing_back(text):
    """Minutes, shifts and teams were words of drills, "rota" one of offices, "weg" one of streets."""
    assert [finding.tier for finding in redflags.by_rules(redflags.read(text))] != []


@pytest.mark.parametrize("text", ["mandíbula rota", "paciente con mandíbula rota", "me cuesta tragar, cuello hinchado", "Schulter schmerzt, Brust eng"])
def test_neither_does_the_start_of_another_word(text):
    """ "cuesta" is no price there, and "Schulter" no school."""
    assert "E" in {finding.tier for finding in redflags.by_rules(redflags.read(text))}


@pytest.mark.parametrize("cry", ["can't breathe ", "no puedo respirar ", "je respire plus ", "kriege keine Luft ", "he is choking "])
@pytest.mark.parametrize("times", [2, 10, 1000])
def test_a_cry_that_is_repeated_is_no_long_story(cry, times):
    assert by_rules(cry * times) == "E"


def test_a_drawn_out_word_is_that_word():
    assert redflags.check("heeeeeeelp she can't breeeeeeathe").tier == redflags.check("help she can't breathe").tier == "E"


@pytest.mark.parametrize("unit", [
    "my tooth is fine and I would like an appointment next week please ", "swollen ", "no ", "no swelling, ", "can't ", "a", "bleeding stopped ",
    "tooth 9 ", "2016 ", "born 2016 ", "nicht auf zu ", "patient ", ". ", "what is swelling ", "'", "l'",
    '"no air', "„", "« ", "'no air ", "😭", "\n", "no se ", "last year bleeding ", "the insurance covers swelling and ", "schwoll",
])
def test_the_time_grows_with_the_length_only(unit):
    text = unit * (20_000 // len(unit))

    assert cpu_seconds(text) < 25 * max(cpu_seconds(text[:2_000]), 0.0002)


@pytest.fixture(scope="module")
def thousands():
    """Messages put end to end: fuller of signs than any that somebody writes."""
    texts = [message.text for message in corpus.messages("aside")]
    long = ["".join(itertools.islice((f"{text}. " for text in texts[start:]), 40))[:1_000] for start in range(0, 400, 40)]
    assert {len(text) for text in long} == {1_000}
    return long


def test_a_thousand_characters_cost_no_more_than_a_few_plain_loops(thousands):
    """Of each the cheapest of some rounds, so that what else runs here counts as little as it can (docs/assistant-evaluation.md)."""
    rounds = [([cpu_seconds(text) for text in thousands], cheapest(lambda: sum(range(20_000)))) for _ in range(5)]
    messages, loops = zip(*rounds, strict=True)

    assert median(map(min, zip(*messages, strict=True))) < 8 * min(loops)


def test_a_thousand_characters_take_a_few_thousand_calls(thousands):
    """No clock: what is done for each word shows here before it shows in milliseconds."""
    calls = 0

    def count(_frame, event, _what):
        nonlocal calls
        calls += event in ("call", "c_call")

    for text in thousands:
        redflags.check(text)
    sys.setprofile(count)
    try:
        for text in thousands:
            redflags.check(text)
    finally:
        sys.setprofile(None)

    assert 1_000 < calls / len(thousands) < 3_900


def test_a_sign_at_the_end_of_a_long_message_is_found():
    assert redflags.check("I would like to move my appointment. " * 500 + "I can't breathe").tier == "E"


@pytest.mark.parametrize(("plain", "detached"), [
    ("his lips are swelling", "please translate: if your lips are swelling"),
    ("he is choking", "we need a man who is choking for our film"),
])
def test_a_rule_decides_where_it_is_told_plainly_and_leaves_the_rest_to_the_classifier(plain, detached):
    assert "E" in {finding.tier for finding in redflags.by_rules(redflags.read(plain))}
    assert list(redflags.by_rules(redflags.read(detached))) == []
    assert "E" in {rule.tier for rule, _ in redflags.read(detached).hits}


@pytest.mark.parametrize(("affirmed", "taken_back"), [
    ("she blacked out, tiny chip", "she didn't black out, tiny chip"),
    ("quiero morirme, es por la cuenta", "no quiero morirme, lo dije por la cuenta"),
    ("hab zu viele Tabletten genommen", "hab nicht zu viele Tabletten genommen"),
    ("no respira bien", "sin hinchazón, respiro normal"),
    ("Schlucken geht nicht mehr", "kein Fieber, Schlucken geht"),
    ("they say she can't breathe! Call an ambulance!", "the caption says 'she can't breathe! Call an ambulance!'"),
    ("blow to the chin, vomiting since", "blow to the chin, no vomiting"),
])
def test_an_emergency_that_is_denied_done_well_or_quoted_decides_nothing(affirmed, taken_back):
    assert "E" in {finding.tier for finding in redflags.by_rules(redflags.read(affirmed))}
    assert "E" not in {finding.tier for finding in redflags.by_rules(redflags.read(taken_back))}


def test_what_is_long_past_detaches_what_another_sentence_tells():
    assert "E" not in {finding.tier for finding in redflags.by_rules(redflags.read("That was in 2003. My throat closed."))}
    assert redflags.check("That was in 2003. Today my throat is closing.").tier == "E"


def test_a_clause_about_now_decides_beside_anything():
    assert redflags.check("please resend the invoice, his face is lopsided and I see double vision").tier == "E"
    assert list(redflags.by_rules(redflags.read("thanks for the invoice and now I can't breathe"))) != []


def test_a_bare_noun_decides_only_where_it_is_said_of_now():
    assert list(redflags.by_rules(redflags.read("Stroke and seizure, the difference in plain words"))) == []
    assert "E" in {finding.tier for finding in redflags.by_rules(redflags.read("I think my patient is having a stroke now"))}


def test_what_is_told_at_length_is_evidence_for_the_classifier():
    told = "we were at my sister's for the weekend and on the way back in the car with the dog and all the bags he blacked out and then"
    assert "E" in {finding.tier for finding in redflags.by_rules(redflags.read("he blacked out"))}
    assert "E" in {rule.tier for rule, _ in redflags.read(told).hits}
    assert "E" not in {finding.tier for finding in redflags.by_rules(redflags.read(told))}


# The classifier


def test_the_model_was_made_from_the_messages_as_they_are():
    assert redflag_classifier.MODEL.digest == corpus.digest(), "run python -m scripts.train_redflags"


def test_the_model_is_small_and_loads_at_once():
    """In 27 ms where nothing else runs; a loop beside it tells how busy it is here."""
    assert redflag_model.PATH.stat().st_size < 2_500_000
    assert cheapest(lambda: redflag_model.load(redflag_model.PATH)) < 150 * cheapest(lambda: sum(range(20_000)))


@pytest.mark.parametrize("harmless", ["Is a filling safe? ", "is a filling safe ", "do you take insurance ", "¿Es seguro un empaste? "])
def test_who_repeats_a_harmless_question_is_no_emergency(harmless):
    assert redflags.check(harmless * 20).tier is None


def test_what_is_said_again_word_for_word_counts_once():
    said = [heard.word for heard in redflag_hearing.once(heard_in("my tongue is big, my tongue is big and my tongue hurts"))]

    assert " ".join(said) == "my tongue is big my tongue and my tongue hurts"


@pytest.mark.parametrize("beside", ["https://example.org/" + "long" * 20, "x" * 5_000])
def test_a_chunk_that_is_too_long_to_be_kept_is_read_as_any_other(beside):
    redflags.redflag_reading.SPLIT.clear()

    assert redflags.read(f"{beside} I can't breathe").words[-3:] == ["i", "cant", "breathe"]
    assert by_rules(f"{beside} I can't breathe") == "E"
    assert redflags.redflag_reading.SPLIT.keys() == {"I", "can't", "breathe"}


def test_a_version_names_rules_and_classifier():
    assert redflags.check("").version == f"{redflags.RULES.version}+{redflag_classifier.MODEL.version}"


@pytest.mark.parametrize("said", [None, "U", "E"])
@pytest.mark.parametrize("raised", [None, "U", "E"])
def test_the_classifier_raises_a_tier_and_never_lowers_one(monkeypatch, said, raised):
    text = {None: "do you sell tongue scrapers", "U": "my gum is swollen", "E": "I can't breathe"}[said]
    monkeypatch.setattr(redflag_classifier, "_judged", lambda words: redflag_classifier.Judged(
        np.array([[3.0 if tier == raised else -1.0] for tier in redflag_classifier.TIERS]), np.ones((1, len(redflag_classifier.MODEL.kinds)))))
    verdict = redflags.check(text)

    assert verdict.tier == max(said, raised, key=redflags.RANK.__getitem__)
    assert (verdict.findings[-1:] != () and verdict.findings[-1].rule == "classifier") == (verdict.tier != said)


@pytest.fixture
def ignorant():
    known = redflag_classifier.MODEL
    redflag_classifier.use(replace(known, words={}, ideas={}, partners={}))
    yield
    redflag_classifier.use(known)


def test_what_the_rules_find_stays_when_the_classifier_knows_nothing(ignorant):
    found = {text: redflags.check(text).findings for text in ("I can't breathe", "my gum is swollen")}

    assert [[finding.tier for finding in findings if finding.rule != "classifier"] for findings in found.values()] == [["E"], ["U"]]


@pytest.mark.parametrize("text", [
    "No fever but 20 tablets taken, Zunge geschwollen, je n'arrive plus à avaler, se me cierra la garganta",
    " ".join(message.text for message in corpus.messages("aside")[:40])])
def test_what_it_sums_up_is_what_it_was_trained_on(text):
    """The weights are added up without the names of the features being made; both ways must come to the same."""
    heard = redflag_hearing.once(heard_in(text))[:redflag_classifier.WINDOW]
    model = redflag_classifier.MODEL
    words = [model.words[name] for name in redflag_hearing.word_names(heard) if name in model.words]
    ideas = [place for name in redflag_hearing.idea_names(heard) if (place := place_of(model, name)) is not None]
    sums = sum(model.rows[places].sum(axis=0) / len(places) ** 0.5 for places in (words, ideas))
    share = np.exp(model.logits(sums).astype(np.float64))
    share /= share.sum()
    of_e = sum(part for part, (tier, _) in zip(share, model.kinds, strict=True) if tier == "E")

    assert len(words) > 50
    assert len(ideas) > 50
    assert redflag_classifier.scores(heard)["E"] == pytest.approx(np.log(of_e / (1 - of_e)) - model.threshold["E"], abs=0.01)


def test_at_the_start_of_a_message_no_name_stands_before_the_word():
    """A surname is no word for the classifier ("Mr Schmerz" leaves an empty one), and the start is no surname."""
    empty, known = next(name.split(" ") for name in redflag_classifier.MODEL.words if name.startswith(" ") and name.count(" ") == 1)
    place = redflag_classifier.MODEL.words[f"{empty} {known}"]
    before, word = redflag_classifier.NUMBERS[empty], redflag_classifier.NUMBERS[known]

    assert place not in redflag_classifier._grams(np.array([word]))[0]
    assert place in redflag_classifier._grams(np.array([before, word]))[0]


def place_of(model, name):
    one, _, other = name.partition("&")
    if not other:
        return model.ideas.get(name)
    place = model.pairs[model.partners[one], model.partners[other]] if {one, other} <= model.partners.keys() else redflag_model.NO_ROW
    return None if place == redflag_model.NO_ROW else place


def heard_in(text):
    reading = redflags.read(text)
    return redflag_hearing.hear(reading)


@pytest.mark.parametrize("words", ["saliva speichel salive", "ahogo ersticke étouffe", "gauze gasa compresse tupfer"])
def test_words_of_the_same_meaning_share_a_hint(words):
    assert set.intersection(*(set(redflag_hearing.hints(redflag_rules.fold(word))) for word in words.split())) != set()


def test_an_emergency_of_the_classifier_has_a_category_with_first_aid():
    raised = [redflags.by_classifier(redflags.read(message.text)) for message in corpus.messages("aside") if message.tier == "E"]
    categories = {finding.category for finding in raised if finding and finding.tier == "E"}

    assert categories <= set(redflags.CATEGORIES)
    assert len(categories) >= 6


def test_the_classifier_hears_nothing_that_was_taken_back():
    denied = redflags.read("no swelling, no fever and no bleeding")

    assert "swelling" not in denied.affirmed(range(len(denied.words)))
    assert redflags.by_classifier(redflags.read("Last year she was choking and could not breathe")) is None


def test_a_sign_does_not_drown_in_a_long_message():
    sign = max((message.text for message in corpus.messages("train") if message.tier == "E"),
               key=lambda text: redflag_classifier.scores(heard_in(text))["E"])
    around = "I would like to move my appointment to another week. " * 30

    assert redflag_classifier.scores(heard_in(around + sign + ". " + around))["E"] > 0
    assert redflag_classifier.scores(heard_in(around))["E"] < 0


@pytest.mark.parametrize("text", ["She asks what she should eat", "tengo mal aliento todo el día", "le fluor est-il dangereux",
                                  "Diabetes und Zahnfleisch", "my breath stinks even after brushing", "is the entrance on the left"])
def test_a_few_ordinary_words_raise_no_alarm(text):
    assert redflags.check(text).tier is None


# The messages set aside (evaluation/redflags)


def test_the_messages_are_many_enough_and_no_message_has_changed_sides():
    everything = corpus.messages("train", "aside")
    for language in corpus.LANGUAGES:
        own = [message.tier for message in everything if message.language == language]
        assert (own.count("E") >= 100, own.count("U") >= 50, own.count(None) >= 150) == (True, True, True), language

    moved = [message.text for message in everything if message.register and message.part != corpus.part_of(message.text, message.batch)]
    assert moved == []


def test_the_goals_are_met_on_the_messages_set_aside():
    judged = [evaluation.judge(message) for message in corpus.messages("aside")]

    assert list(evaluation.missed_goals(judged)) == []
