"""The built-in knowledge base: articles read from Markdown files, published to the database, found by a question."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler
from sqlalchemy import Connection, text

from lib.db import Scope

FOLDER = Path(__file__).resolve().parent.parent / "knowledge"
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
WORD = re.compile(r"[^\W_]+")
QUESTION_CHARACTERS = 4_000
MOST_WORDS = 40
TYPO_LENGTH = 5
TYPO_SCORE = 0.915
ENOUGH_EXPLAINED = 0.55

# Words that ask, but do not name the matter. The stop words of the four languages come from PostgreSQL.
ASKING = frozenset(re.findall(r"\w+", """
    advice advise also ask avoid behandlung believe besoin best bit bitte bothering brauche causas cause caused causes
    causing comment complication complications could cuál cuáles cuándo cómo day days deal debo dentist diagnose
    diagnosis docteur doctor dois doktor drug due experience experienced experiencing explain faire feel feeling felt
    find get give good got hacer handle happen happening having hello help hi información information informationen
    informations issue kann keep kind know lately like long lot make manage many may medical medication medications
    medicine medicines might month months much must möchte necesito need normal ok okay outlook patient patients people
    please possible prevent prevention problem problems puedo puis quelle quelles quels question quiero quoi qué really
    reason recently recommend risk saber safe savoir see should sign signs since soll something still suffering suggest
    support symptom symptome symptoms symptômes síntomas take taking tell tengo test tests think today traitement
    tratamiento tratamientos treat treated treating treatment treatments tun type types ursachen use used wann want
    warum way week weeks welche wie wissen wo work worried would wrong yesterday
"""))


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
            """), rows)


def find(scope: Scope, question: str) -> Article | None:
    """The article the question is about, or None: better no answer than the nearest one."""
    asked = _analyse(scope, question)
    matter = [word for word in asked if word.matters]
    if not 0 < len(matter) <= MOST_WORDS:
        return None
    lexemes = {"tooth" if word.word == "teeth" else word.lexeme for word in asked}
    scored = [(_score(candidate, lexemes, matter), candidate.rank, candidate.slug) for candidate in _candidates(scope, matter)]
    best = max(scored, default=None)
    return _get(scope, best[2]) if best and best[0] > (0, 0) else None


# Reading files


def _read(path: Path) -> Article:
    match = FRONT_MATTER.match(path.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{path.name}: no front matter between two lines of ---")
    try:
        article = _article(yaml.safe_load(match[1]), match[2].strip())
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


# Understanding the question


@dataclass(frozen=True)
class _Term:
    word: str


@dataclass(frozen=True)
class _Word:
    """A word of the question and its stem; `matters` when it says what the question is about."""

    word: str
    lexeme: str
    matters: bool


def _analyse(scope: Scope, question: str) -> list[_Word]:
    words = list(dict.fromkeys(WORD.findall(question[:QUESTION_CHARACTERS].lower())))
    return scope.many(_Word, """
        select word,
               coalesce(nullif(array_to_string(tsvector_to_array(to_tsvector('english', word)), ' '), ''), word) as lexeme,
               word <> all(cast(:asking as text[]))
               and to_tsvector('english', word) <> ''
               and to_tsvector('spanish', word) <> ''
               and to_tsvector('french', word) <> ''
               and to_tsvector('german', word) <> '' as matters
        from unnest(cast(:words as text[])) as asked (word)
        """, words=_corrected(words, _vocabulary(scope)), asking=sorted(ASKING))


def _vocabulary(scope: Scope) -> list[str]:
    """The longer words of all titles and names: what a mistyped word may have meant."""
    rows = scope.many(_Term, """
        select distinct word
        from articles
        cross join regexp_split_to_table(lower(app.join_words(title || other_names || keywords)), '[^[:alnum:]]+') as word
        where length(word) >= :shortest
        """, shortest=TYPO_LENGTH)
    return [row.word for row in rows]


def _corrected(words: Sequence[str], vocabulary: Sequence[str]) -> list[str]:
    """Mistyped words and words without their accents, as the articles spell them."""
    spelled = {_plain(word): word for word in vocabulary}
    return [_spell(word, spelled) for word in words]


def _spell(word: str, spelled: Mapping[str, str]) -> str:
    plain = _plain(word)
    if len(plain) < TYPO_LENGTH or plain in ASKING or word in spelled.values():
        return word
    if plain in spelled:
        return spelled[plain]
    near = process.extractOne(plain, spelled.keys(), scorer=JaroWinkler.similarity, score_cutoff=TYPO_SCORE)
    return spelled[near[0]] if near else word


def _plain(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


# Choosing the article


@dataclass(frozen=True)
class _Candidate:
    """`names` are the stems of the title and of each other name. `known` are the words of the question that the article
    has, `named` those among them that stand in its title, names or keywords."""

    slug: str
    names: list[str]
    named: list[str]
    known: list[str]
    rank: float


def _candidates(scope: Scope, matter: Sequence[_Word]) -> list[_Candidate]:
    return scope.many(_Candidate, r"""
        with asked as (
            select string_agg(quote_literal(lexeme), ' | ')::tsquery as query
            from unnest(to_tsvector('english', array_to_string(cast(:words as text[]), ' ')))
        ),
        wanted as (
            select word,
                   case when word in ('tooth', 'teeth') then 'tooth | teeth' else '' end::tsquery as one_or_more
            from unnest(cast(:words as text[])) as word
        )
        select slug,
               array(
                   select array_to_string(tsvector_to_array(to_tsvector('english', name)), ' ')
                   from unnest(title || other_names) as listed,
                        regexp_replace(replace(listed, '-', ' '), '\mteeth\M', 'tooth', 'gi') as name
               ) as names,
               array(
                   select word
                   from wanted
                   where ts_filter(search, '{a,b}') @@ (plainto_tsquery('english', word) || one_or_more)
               ) as named,
               array(
                   select word
                   from wanted
                   where search @@ (plainto_tsquery('english', word) || one_or_more)
               ) as known,
               ts_rank_cd(search, query) as rank
        from articles
        cross join asked
        where search @@ query
        """, words=[word.word for word in matter])


def _score(candidate: _Candidate, lexemes: set[str], matter: Sequence[_Word]) -> tuple[int, float]:
    """The words of the longest name that the question has in full, and the share of the question the article explains.

    A word found only in the text counts half: every article mentions pain and swelling somewhere.
    """
    names = (set(name.split()) for name in candidate.names)
    longest = max((len(name) for name in names if name and name <= lexemes), default=0)
    explained = (len(candidate.known) + len(candidate.named)) / 2 / len(matter)
    return (longest, explained) if longest and explained >= ENOUGH_EXPLAINED else (0, 0)


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


def _get(scope: Scope, slug: str) -> Article:
    stored = scope.one(_Stored, """
        select slug, title, language, other_names, keywords, body, sources, source_note, drafted_on, reviewed_on, reviewed_by
        from articles
        where slug = :slug
        """, slug=slug)
    front = {**vars(stored), "sources": stored.sources}
    return _article(front, stored.body)
