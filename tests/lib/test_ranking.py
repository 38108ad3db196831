from dataclasses import dataclass

import pytest

from lib.ranking import Index


@dataclass(frozen=True)
class Page:
    title: str
    other_names: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    body: str = ""


CROWNS = Page("Dental crowns", ("crown", "couronne"), ("porcelain",), "A crown covers a weak tooth. Bridges join several.")
BRIDGES = Page("Bridges", ("dental bridge",), (), "A bridge closes a gap between two teeth.")
COLD = Page("Sensitive teeth", ("tooth hurts with cold drinks",))
INDEX = Index([CROWNS, BRIDGES, COLD])


def best(question: str):
    return next(iter(INDEX.ranked(INDEX.read(question))), None)


def test_a_name_in_the_question_wins_over_a_word_of_the_text():
    assert [match.article for match in INDEX.ranked(INDEX.read("a porcelain bridge"))] == [BRIDGES]
    assert best("a crown or a bridge over two teeth").article == CROWNS  # whose text has the bridges too


def test_what_the_article_does_not_know_makes_it_less_sure():
    assert best("a new crown").sure == 1
    assert best("crown of Denmark").sure < best("crown of porcelain").sure
    assert best("a crown for my knee").sure < best("crown of Denmark").sure


def test_a_matter_is_not_asked_beside_a_sign_that_the_article_is_named_for():
    index = Index([Page("Broken teeth", ("broken tooth",)), Page("Root canal", (), (), "Call if it is broken.")])

    assert index.ranked(index.read("a broken tooth at sport"))[0].sure == 1
    assert index.ranked(index.read("root canal and sport"))[0].sure <= 0.5
    assert index.ranked(index.read("root canal, broken, and sport"))[0].sure < 0.7  # which it only tells of


def test_a_long_name_may_miss_a_word_and_a_short_one_may_not():
    assert best("my tooth hurts when something cold touches it").article == COLD
    assert best("sensitive people") is None


@pytest.mark.parametrize("question", ["crwon", "bridegs please", "cruown"])
def test_a_mistyped_word_is_put_right(question):
    assert best(question).article in (CROWNS, BRIDGES)


@pytest.mark.parametrize("word", ["recomended", "neccessary", "especialmnte", "normalerwise"])
def test_a_mistyped_word_that_says_nothing_says_nothing_still(word):
    assert INDEX.read(f"crown {word}") == ["crown", ""]


def test_no_short_word_is_taken_for_one_that_says_nothing():
    assert INDEX.read("wisk") == ["wisk"]


def test_who_asks_about_insurance_asks_nothing_else():
    insurance = Page("Insurance", (), (), "What a plan pays for.")
    index = Index([Page("Porcelain veneers"), insurance])

    assert index.ranked(index.read("insurance for porcelain veneers"))[0].article == insurance


def test_a_word_written_apart_is_one():
    index = Index([Page("Toothpaste"), Page("Check-up")])

    assert [index.ranked(index.read(asked))[0].article.title for asked in ("tooth paste", "check up", "checkup")] == [
        "Toothpaste", "Check-up", "Check-up"]


def test_a_story_of_too_many_words_has_no_article():
    assert best("crown " + " ".join(f"{one}{other}" * 2 for one in "bdfgk" for other in "aeiouxyzw")) is None


def test_the_words_for_a_full_text_search_are_spelled_as_the_names_are():
    assert INDEX.spelled(INDEX.read("las coronas")) == ["couronne", "crown", "crowns"]
