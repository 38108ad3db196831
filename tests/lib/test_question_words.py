import pytest

from lib import question_words


@pytest.mark.parametrize(("one", "other"), [
    ("crown", "crowns"), ("encía", "ENCIAS"), ("Zähne", "zahn"), ("cavity", "cavities"), ("implante", "Implantat"), ("saigne", "saignement"),
    ("blutet", "bleeding"), ("teeth", "muela"), ("couronnes", "Krone"), ("scared", "pánico"), ("wackelt", "wobbly"), ("brosser", "toothbrush"), ("funda", "crown"),
    ("décollée", "cayó"), ("aprieto", "clenching"), ("frotte", "roza"), ("Xarelto", "Sintrom"), ("Sekundenkleber", "superglue"),
])
def test_inflections_and_translations_share_a_stem(one, other):
    assert question_words.stem(question_words.fold(one)) == question_words.stem(question_words.fold(other))


@pytest.mark.parametrize(("one", "other"), [
    ("filling", "filled"), ("white", "whitening"), ("teeth", "teething"), ("implant", "plants"), ("cancer", "canker"),
])
def test_words_that_only_look_alike_do_not(one, other):
    assert question_words.stem(one) != question_words.stem(other)


@pytest.mark.parametrize(("word", "topic"), [
    ("sage", "sagesse"), ("course", "couronne"), ("sechs", "sèche"), ("nurse", "nursing"), ("termino", "Termin"), ("burst", "Bürste"),
    ("bague", "bagues"), ("revient", "revisión"), ("garden", "garde"), ("dumm", "dummy"), ("angine", "angina"), ("contesta", "contención"),
])
def test_nor_does_a_word_of_another_language_that_has_the_same_ending_cut_off(word, topic):
    assert question_words.stem(word) == word != question_words.stem(question_words.fold(topic))


def test_a_word_that_stands_apart_stands_for_nothing_else():
    assert sorted(question_words.APART & question_words.SAME.keys()) == []
    assert not question_words.APART.intersection(question_words.SAME.values())


@pytest.mark.parametrize("word", ["nurse", "falla", "guardo", "calma", "sechs"])
def test_what_says_nothing_of_the_matter_may_stand_beside_any(word):
    assert question_words.stem(word) == word
    assert word in question_words.EVERYDAY


@pytest.mark.parametrize("word", ["sage", "angine", "costado", "course"])
def test_what_is_a_matter_of_its_own_may_not(word):
    assert question_words.stem(word) == word
    assert word not in question_words.EVERYDAY


def test_only_matters_yield_and_only_to_words_that_are_one_for_several():
    assert question_words.YIELDS.keys() <= question_words.ELSEWHERE
    assert all(question_words.stem(word) == word for to in question_words.YIELDS.values() for word in to)
    assert not any("$" in word for to in question_words.YIELDS.values() for word in to)


@pytest.mark.parametrize(("word", "parts"), [
    ("zahnfleischbluten", ("gum", "bleed")), ("implantatkosten", ("implant", "price")), ("zahnarztangst", ("fear",)),
    ("prothesenreinigung", ("denture", "clean")), ("zahnungsschmerzen", ("teething", "pain")), ("weisheitszahn", ("wisdom", "tooth")), ("unverstandlich", ("unverstandlich",)),
])
def test_a_compound_counts_by_its_parts(word, parts):
    assert question_words.stems(word) == parts


def test_several_words_may_stand_for_one():
    assert question_words.split("J'ai mal aux dents") == ["j", "ai", "pain", "dents"]
    assert question_words.split("How much is too much?") == ["much", "much"]


def test_what_rules_a_question_is_one_word_for_several():
    assert all(question_words.stem(word) == word for word in question_words.RULING)


def test_no_word_is_idle_that_has_a_meaning():
    assert sorted(question_words.IDLE & question_words.SAME.keys()) == []
