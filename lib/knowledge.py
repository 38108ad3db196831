"""The built-in knowledge base: finds the article that a question is about, or says that it has none.

`find` is for where there is a database: the ranking in memory (lib/ranking.py, with rapidfuzz for what is mistyped) makes a
short list, and PostgreSQL's full text weighs it again. `look_up` does without full text, among articles that the caller read.

The thresholds were chosen on the half of the labelled questions that evaluation/ tunes on, see docs/adr/011.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TypeVar

from lib import articles, first_aid
from lib.articles import Article, Source, publish, read_folder
from lib.db import Scope
from lib.question_words import EVERYDAY, is_dental
from lib.ranking import Index, Listed, Match

__all__ = ["Article", "Listed", "Source", "find", "look_up", "publish", "read_folder"]

QUESTION_CHARACTERS = 4_000
ENOUGH = 0.6  # the share of the question that its article must explain
ENOUGH_DENTAL = 0.5  # less, where it names teeth, mouth or dentist: a crown of England is no dental crown
ENOUGH_NAMED = 0.34  # what the name found in it must weigh
ENOUGH_TOGETHER = 0.8  # or, of a question with two matters, it and another article
NEAR, FURTHER = 0.34, 2  # what else a provider reads: two articles at most, that are named and explain a third
NEARLY = 0.3  # the clinic's own article comes first if it explains less by no more than this
SHORTLIST = 8  # articles whose text is weighed
FULL_TEXT = 0.2  # what the full-text rank may add to an article's weight

PRICE = "price"  # the one word for cost, fee, prix, precio, Preis in question_words.toml
COSTS = "costs"

T = TypeVar("T", bound=Listed)
Weigh = Callable[[Sequence[Match[Article]], Sequence[str]], Sequence[Match[Article]]]


def find(scope: Scope, question: str, own: Sequence[T] = ()) -> Article | T | None:
    """The article the question is about, the clinic's `own` first; or None: better no answer than the nearest one."""
    found = _choose(question[:QUESTION_CHARACTERS], _built_in(), own, partial(_with_full_text, scope))
    return articles.get(scope, found.slug) if isinstance(found, Article) else found


def look_up(question: str, published: Sequence[Article], own: Sequence[T] = ()) -> Article | T | None:
    """As `find`, without a database: among the articles given."""
    return _choose(question[:QUESTION_CHARACTERS], _index(tuple(published)), own, lambda matches, _words: matches)


def beside(question: str, found: Article | T, own: Sequence[T] = ()) -> list[Article | T]:
    """What else the question names, the surest first: no answer by itself, but a help to a provider that reads it all."""
    asked, index = question[:QUESTION_CHARACTERS], _built_in()
    private = Index(own, index)
    matches: list[Match[Article] | Match[T]] = [*private.ranked(private.read(asked)), *index.ranked(index.read(asked))]
    near = sorted((match for match in matches if min(match.named, match.sure) >= NEAR), key=lambda match: -match.sure)
    return [match.article for match in near if match.article.title != found.title][:FURTHER]


def _choose(question: str, index: Index[Article], own: Sequence[T], weigh: Weigh) -> Article | T | None:
    found = _nearest(question, index, own, weigh)
    return None if isinstance(found, Article) and first_aid.is_mistaken(found.slug, question) else found


def _nearest(question: str, index: Index[Article], own: Sequence[T], weigh: Weigh) -> Article | T | None:
    private = Index(own, index)
    of_the_clinic, general = _own(question, private), _general(question, index, weigh)
    if of_the_clinic and (general is None or of_the_clinic.sure >= general.sure - NEARLY):
        return of_the_clinic.article
    if general and general.article.slug == COSTS and (prices := _price_list(question, private)):
        return prices
    if called := private.called(question) or index.called(question):
        return called
    return general.article if general else private.mentioned(question) or index.mentioned(question)


def _price_list(question: str, index: Index[T]) -> T | None:
    """Of the clinic, whatever treatments it names: it knows what they cost there, the built-in article does not."""
    return index.on(PRICE) if PRICE in index.read(question) else None


def _own(question: str, index: Index[T]) -> Match[T] | None:
    words = index.read(question)
    matches = index.ranked(words)
    return _good_enough([match for match in matches if PRICE in match.explained] if PRICE in words else matches, question)


def _general(question: str, index: Index[Article], weigh: Weigh) -> Match[Article] | None:
    """The price of anything the articles know is a matter for the article on costs."""
    words = index.read(question)
    matter = [word for word in words if word != PRICE]
    found = _good_enough(weigh(index.ranked(matter), index.spelled(matter)), question)
    if found and len(matter) < len(words):
        return next((replace(found, article=entry.article) for entry in index.entries if entry.article.slug == COSTS), found)
    if found or not EVERYDAY.union([""]).issuperset(matter):
        return found
    return _good_enough(weigh(index.ranked(words), index.spelled(words)), question)


def _good_enough(matches: Sequence[Match[T]], question: str) -> Match[T] | None:
    """The best match, if it explains enough of the question, or almost all of it together with another."""
    named = [match for match in matches if match.named >= ENOUGH_NAMED]
    if not named:
        return None
    best, *others = named
    enough = best.sure >= (ENOUGH_DENTAL if is_dental(question) else ENOUGH)
    return best if enough or any(best.sure_with(other) >= ENOUGH_TOGETHER for other in others) else None


# Full text


@dataclass(frozen=True)
class _Found:
    slug: str
    rank: float


def _with_full_text(scope: Scope, matches: Sequence[Match[Article]], words: Sequence[str]) -> list[Match[Article]]:
    """Of the best, those that are published, weighed again: an article that speaks of the words close together gains."""
    ranks = _full_text(scope, [match.article.slug for match in matches[:SHORTLIST]], words)
    highest = max(ranks.values(), default=0) or 1
    weighed = [replace(match, weight=match.weight + FULL_TEXT * ranks[match.article.slug] / highest)
               for match in matches[:SHORTLIST] if match.article.slug in ranks]
    return sorted(weighed, key=lambda match: -match.weight)


def _full_text(scope: Scope, slugs: Sequence[str], words: Sequence[str]) -> dict[str, float]:
    if not slugs:
        return {}
    found = scope.many(_Found, """
        with asked as (
            select string_agg(quote_literal(lexeme), ' | ')::tsquery as query
            from unnest(to_tsvector('english', array_to_string(cast(:words as text[]), ' ')))
        )
        select slug, coalesce(ts_rank_cd(search, query), 0) as rank
        from articles
        cross join asked
        where slug = any(:slugs)
        """, slugs=list(slugs), words=list(words))
    return {one.slug: one.rank for one in found}


# The articles that ship with this version are those that start-up publishes: they are read once.
@lru_cache(maxsize=1)
def _built_in() -> Index[Article]:
    return Index(read_folder())


@lru_cache(maxsize=2)
def _index(published: tuple[Article, ...]) -> Index[Article]:
    return Index(published)
