import re
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import text

from lib import articles

ARTICLES = articles.read_folder()
every_article = pytest.mark.parametrize("article", ARTICLES, ids=[article.slug for article in ARTICLES])
DOSE = re.compile(r"\b\d+([.,]\d+)?\s?(mg|milligrams?|ml|mcg|µg|grams?|tablets?|pills?|drops)\b", re.IGNORECASE)

FRONT = """---
slug: sample
title: Sample
language: en
other_names: [example]
keywords: [trial]
sources:
  - {organisation: Somebody, title: A page, url: "https://example.org/page", read_on: 2026-11-20}
source_note: ""
drafted_on: 2026-11-20
reviewed_on: null
reviewed_by: null
---

Text.
"""


# The articles


def test_there_are_enough_articles_and_each_slug_is_taken_once():
    assert len(ARTICLES) >= 80
    assert len({article.slug for article in ARTICLES}) == len(ARTICLES)


@every_article
def test_an_article_is_an_unreviewed_draft_of_readable_length(article):
    assert 150 <= len(article.body.split()) <= 260
    assert 2 <= len(article.body.split("\n\n")) <= 6
    assert article.language == "en"
    assert date(2026, 11, 20) <= article.drafted_on <= date(2026, 11, 28)
    assert article.reviewed_on is None
    assert article.reviewed_by is None


@every_article
def test_an_article_gives_no_dose(article):
    assert not DOSE.search(article.body)


@every_article
def test_an_article_says_when_to_call(article):
    assert re.search(r"\b(call|contact|in touch|give us a ring)\b", article.body, re.IGNORECASE)


@every_article
def test_an_article_cites_what_was_read_or_says_that_nothing_was(article):
    assert article.sources or article.source_note == "source not verified"
    assert all(source.url.startswith("https://") and source.read_on for source in article.sources)


@every_article
def test_no_single_name_is_a_word_that_every_question_has(article):
    names = {name.lower() for name in (article.title, *article.other_names)}

    assert not names & {"tooth", "teeth", "gum", "gums", "mouth", "pain", "dental", "dentist", "dolor", "douleur", "schmerzen"}


# Reading files


def test_a_file_becomes_an_article(tmp_path):
    (tmp_path / "sample.md").write_text(FRONT, encoding="utf-8")

    [article] = articles.read_folder(tmp_path)

    assert article.sources == (articles.Source("Somebody", "A page", "https://example.org/page", date(2026, 11, 20)),)
    assert article.other_names == ("example",)
    assert article.body == "Text."


@pytest.mark.parametrize(("old", "new"), [
    ("---\nslug", "slug"), ("slug: sample", "slug: other"), ("title: Sample\n", ""), ("language: en", "language: 7"),
    ("other_names: [example]", "other_names: example"), ("drafted_on: 2026-11-20", "drafted_on: soon"), (", read_on: 2026-11-20", ""),
    ("keywords: [trial]", "keywords: [trial"), ("Text.", ""),
    ('sources:\n  - {organisation: Somebody, title: A page, url: "https://example.org/page", read_on: 2026-11-20}', "sources: []"),
])
def test_a_wrong_file_is_named(tmp_path, old, new):
    (tmp_path / "sample.md").write_text(FRONT.replace(old, new), encoding="utf-8")

    with pytest.raises(ValueError, match=r"sample\.md"):
        articles.read_folder(tmp_path)


# Publishing


def test_publishing_twice_changes_nothing_and_a_review_lasts_as_long_as_its_text(owner):
    article = replace(ARTICLES[0], slug="sample")
    with owner.connect() as connection:
        articles.publish(connection, [*ARTICLES, article])
        connection.execute(text("update articles set reviewed_on = '2026-11-21', reviewed_by = 'Bob Brown' where slug = 'sample'"))
        articles.publish(connection, [*ARTICLES, article])
        kept = connection.execute(text("select reviewed_by from articles where slug = 'sample'")).scalar()
        articles.publish(connection, [*ARTICLES, replace(article, body="Other words.")])
        dropped = connection.execute(text("select reviewed_by from articles where slug = 'sample'")).scalar()
        articles.publish(connection, ARTICLES)
        slugs = connection.execute(text("select slug from articles order by slug")).scalars().all()
        connection.rollback()

    assert kept == "Bob Brown"
    assert dropped is None
    assert slugs == sorted(article.slug for article in ARTICLES)


def test_publishing_what_stands_there_writes_nothing(owner):
    stamps = text("select array_agg(ctid::text order by slug) from articles")
    with owner.connect() as connection:
        articles.publish(connection, ARTICLES)
        before = connection.execute(stamps).scalar()
        articles.publish(connection, ARTICLES)
        after = connection.execute(stamps).scalar()
        connection.rollback()
    assert before == after
