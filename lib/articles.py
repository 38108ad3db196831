"""The articles of the built-in knowledge base: read from Markdown files, published to the database, fetched from it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection, text

from lib.db import Scope

FOLDER = Path(__file__).resolve().parent.parent / "knowledge"
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)


@dataclass(frozen=True)
class Source:
    organisation: str
    title: str
    url: str
    read_on: date


@dataclass(frozen=True)
class Article:
    """`body` is Markdown. An article is a draft until `reviewed_by` names the clinician who read it."""

    slug: str
    title: str
    language: str
    other_names: tuple[str, ...]
    keywords: tuple[str, ...]
    body: str
    sources: tuple[Source, ...]
    source_note: str
    drafted_on: date
    reviewed_on: date | None
    reviewed_by: str | None


def cite(articles: Iterable[Article]) -> list[dict[str, str]]:
    """Their sources, as an answer names them."""
    return [{"organisation": source.organisation, "title": source.title, "url": source.url, "read_on": str(source.read_on)}
            for article in articles for source in article.sources]


def read_folder(folder: Path = FOLDER) -> list[Article]:
    """Every article of the folder, by slug. ValueError names the file whose front matter is wrong."""
    return [_read(path) for path in sorted(folder.glob("*.md"))]


def publish(connection: Connection, articles: Iterable[Article]) -> None:
    """Make the table equal to `articles`. A review made in the app stays as long as the text it approved does."""
    rows = [_row(article) for article in sorted(articles, key=lambda article: article.slug)]
    connection.execute(text("""
        delete from articles
        where slug <> all(cast(:slugs as text[]))
        """), {"slugs": [row["slug"] for row in rows]})
    if rows:
        connection.execute(text("""
            insert into articles (slug, language, title, other_names, keywords, body, sources, source_note,
                                  drafted_on, reviewed_on, reviewed_by)
            values (:slug, :language, :title, :other_names, :keywords, :body, cast(:sources as jsonb), :source_note,
                    :drafted_on, :reviewed_on, :reviewed_by)
            on conflict (slug) do update
            set language = excluded.language,
                title = excluded.title,
                other_names = excluded.other_names,
                keywords = excluded.keywords,
                body = excluded.body,
                sources = excluded.sources,
                source_note = excluded.source_note,
                drafted_on = excluded.drafted_on,
                reviewed_on = case
                    when excluded.reviewed_on is null and excluded.body = articles.body then articles.reviewed_on
                    else excluded.reviewed_on end,
                reviewed_by = case
                    when excluded.reviewed_on is null and excluded.body = articles.body then articles.reviewed_by
                    else excluded.reviewed_by end
            where (articles.language, articles.title, articles.other_names, articles.keywords, articles.body, articles.sources,
                   articles.source_note, articles.drafted_on)
                is distinct from (excluded.language, excluded.title, excluded.other_names, excluded.keywords, excluded.body,
                                  excluded.sources, excluded.source_note, excluded.drafted_on)
                or excluded.reviewed_on is not null
            """), rows)


def get(scope: Scope, slug: str) -> Article:
    stored = scope.one(_Stored, """
        select slug, title, language, other_names, keywords, body, sources, source_note, drafted_on, reviewed_on, reviewed_by
        from articles
        where slug = :slug
        """, slug=slug)
    front = {**vars(stored), "sources": stored.sources}
    return _article(front, stored.body)


# Reading files


def _read(path: Path) -> Article:
    match = FRONT_MATTER.match(path.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{path.name}: no front matter between two lines of ---")
    try:
        article = _article(yaml.load(match[1], yaml.CSafeLoader), match[2].strip())
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name}: {error!r}") from error
    if article.slug != path.stem:
        raise ValueError(f"{path.name}: the slug {article.slug!r} is not the file's name")
    if not article.body:
        raise ValueError(f"{path.name}: no text")
    return article


def _article(front: Mapping[str, Any], body: str) -> Article:
    sources = tuple(_source(row) for row in front["sources"])
    if not sources and not front["source_note"]:
        raise KeyError("an article without sources needs a source_note")
    return Article(
        slug=_text(front, "slug"),
        title=_text(front, "title"),
        language=_text(front, "language"),
        other_names=_texts(front, "other_names"),
        keywords=_texts(front, "keywords"),
        body=body,
        sources=sources,
        source_note=front["source_note"],
        drafted_on=_date(front["drafted_on"]),
        reviewed_on=_date(front["reviewed_on"]) if front["reviewed_on"] else None,
        reviewed_by=front["reviewed_by"],
    )


def _source(row: Mapping[str, Any]) -> Source:
    return Source(_text(row, "organisation"), _text(row, "title"), _text(row, "url"), _date(row["read_on"]))


def _text(front: Mapping[str, Any], key: str) -> str:
    value = front[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key} is not a text")
    return value


def _texts(front: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = front[key]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{key} is not a list of texts")
    return tuple(values)


def _date(value: Any) -> date:
    if isinstance(value, str):
        return date.fromisoformat(value)
    if not isinstance(value, date):
        raise TypeError(f"{value!r} is not a date")
    return value


def _row(article: Article) -> dict[str, Any]:
    sources = [{**vars(source), "read_on": source.read_on.isoformat()} for source in article.sources]
    return {
        **vars(article),
        "other_names": list(article.other_names),
        "keywords": list(article.keywords),
        "sources": json.dumps(sources),
    }


# Reading the table


@dataclass(frozen=True)
class _Stored:
    slug: str
    title: str
    language: str
    other_names: list[str]
    keywords: list[str]
    body: str
    sources: list[dict[str, str]]
    source_note: str
    drafted_on: date
    reviewed_on: date | None
    reviewed_by: str | None
