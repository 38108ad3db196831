import csv
import time
from pathlib import Path

import pytest

from lib import redflags

# `first_pass` is the tier a message of batch 2 or 3 got from version 2026-11-20.1, which had not seen it. Batch 2A was used to
# mend the rules, 2B to measure them, 3 came after both. Batch 4 has its `first_pass` from 2026-11-20.2 and was used to mend the
# rules, 4B to measure them, and then to mend them too. Messages of batch "open" still get a wrong tier.
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
    def once() -> float:
        start = time.process_time()
        redflags.check(text)
        return time.process_time() - start
    return min(once() for _ in range(5))


def known(row: dict[str, str]):
    marks = [pytest.mark.xfail(strict=True)] if row["batch"] == "open" else []
    return pytest.param(row, marks=marks, id=f"{row['language']}-{row['tier']}-{row['text'][:40]}")


@pytest.mark.parametrize("row", [known(row) for row in CORPUS])
def test_every_message_of_the_corpus_gets_its_tier(row):
    verdict = redflags.check(row["text"])

    assert verdict.tier == (None if row["tier"] == "none" else row["tier"]), verdict.findings


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
    assert verdict.version == redflags.RULES.version


@pytest.mark.parametrize("text", ["", "   \n", "!!!", "12345", "🦷", "'''", "\u200b"])
def test_a_message_without_words_is_no_emergency(text):
    assert redflags.check(text) == redflags.Verdict(None, (), redflags.RULES.version)


@pytest.mark.parametrize("unit", [
    "my tooth is fine and I would like an appointment next week please ", "swollen ", "no ", "no swelling, ", "can't ", "a", "bleeding stopped ",
    "tooth 9 ", "nicht auf zu ", "patient ", ". ", "what is swelling ", "'", "l'",
    "😭", "\n", "no se ", "last year bleeding ", "the insurance covers swelling and ", "schwoll",
])
def test_the_time_grows_with_the_length_only(unit):
    text = unit * (20_000 // len(unit))

    assert cpu_seconds(text) < 25 * max(cpu_seconds(text[:2_000]), 0.0002)


def test_a_typical_message_takes_half_a_millisecond():
    assert cpu_seconds("My mum had this bad tooth for a week and now she can't swallow, she takes warfarin. " * 2) < 0.002


def test_a_sign_at_the_end_of_a_long_message_is_found():
    assert redflags.check("I would like to move my appointment. " * 500 + "I can't breathe").tier == "E"
