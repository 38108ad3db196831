"""One list of what a clinic may read: its own articles first, then the built-in ones."""

from uuid import uuid4

import pytest

from lib import articles, clinic_articles, db, library
from lib.clinic_articles import Wording
from lib.errors import Forbidden

BUILT_IN = articles.read_folder()


def add(who, title, *other_names, body="A text."):
    article_id = uuid4()
    with db.scope(who) as scope:
        clinic_articles.add(scope, Wording(title, other_names, body), article_id=article_id)
    return article_id


def find(who, term="", **more):
    with db.scope(who) as scope:
        return library.find(scope, term=term, **more)


def titles(rows):
    return [row.title for row in rows]


def test_the_clinics_own_come_first_each_kind_by_title(alice, mona, rita):
    hours, aftercare = add(alice, "Opening hours"), add(alice, "aftercare")
    for who in (alice, mona, rita):
        found = find(who, limit=500)
        assert [row.id for row in found[:2]] == [aftercare, hours]
        assert titles(found[2:]) == sorted(titles(found[2:]), key=str.lower)
        assert {row.slug for row in found[2:]} == {article.slug for article in BUILT_IN}
        assert found[0].total == len(BUILT_IN) + 2


def test_an_outsider_finds_the_built_in_ones_only(alice, charlie):
    add(alice, "Opening hours", body="canaryhours")
    assert len(find(charlie, limit=500)) == len(BUILT_IN)
    assert find(charlie, "canaryhours") == []


def test_the_list_comes_in_pages(alice):
    for number in range(7):
        add(alice, f"Own {number}")
    first, second = find(alice, limit=5), find(alice, limit=5, page=2)
    assert titles(first) == [f"Own {number}" for number in range(5)]
    assert titles(second)[:2] == ["Own 5", "Own 6"]
    assert first[0].total == second[0].total == len(BUILT_IN) + 7


@pytest.mark.parametrize("term", ["crown", "CROWNS", "dental cro", "coro"])
def test_a_word_is_found_by_its_beginning_and_in_any_number(alice, term):
    assert "Dental crowns" in titles(find(alice, term))


@pytest.mark.parametrize(("term", "title"), [("protesis", "Caring for dentures"), ("prótesis", "Caring for dentures"),
                                             ("pro\u0301tesis", "Caring for dentures"), ("brackets", "Braces and straightening teeth")])
def test_other_names_are_found_with_and_without_accents(alice, term, title):
    assert title in titles(find(alice, term))


def test_what_stands_in_the_text_is_found_after_what_stands_in_the_title(alice):
    found = titles(find(alice, "whitening"))
    assert found[0] == "Teeth whitening"
    assert len(found) > 1


def test_every_word_must_be_found(alice):
    add(alice, "Parking", "garage", body="Behind the house, the first hour is free.")
    assert titles(find(alice, "garage hour")) == ["Parking"]
    assert find(alice, "garage crown") == []


@pytest.mark.parametrize("term", ["zzzz", "%", "***", "(", "🦷", "a" * 5_000, "\0"])
def test_what_nobody_wrote_finds_nothing_and_breaks_nothing(alice, term):
    assert find(alice, term) == []


def test_a_sign_that_folds_into_a_pattern_is_no_pattern(alice):
    assert find(alice, "zzzz ⑴ ㈠ ⒈") == []


def test_archived_ones_have_a_list_of_their_own_for_owners(alice, bob):
    article_id = add(alice, "Old prices")
    with db.scope(alice) as scope:
        clinic_articles.archive(scope, article_id)
    assert "Old prices" not in titles(find(alice, limit=500))
    assert titles(find(alice, archived=True)) == ["Old prices"]
    with pytest.raises(Forbidden):
        find(bob, archived=True)
