"""Every article of a clinic's knowledge in one list: its own first, then the built-in ones. Read-only."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from lib import auth, search_words
from lib.db import Scope

PAGE = 100
OPENING = 300
MOST_WORDS = 10
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Listed:
    """`opening`: how its text begins, as Markdown. `id`, `changed_at`: of one of the clinic's own. `slug`, `drafted_on` and, once
    somebody has reviewed it, `reviewed_on` and `reviewed_by`: of a built-in one."""

    id: UUID | None
    slug: str | None
    title: str
    opening: str
    changed_at: datetime | None
    drafted_on: date | None
    reviewed_on: date | None
    reviewed_by: str | None
    total: int
    """How many there are in all pages."""


def find(scope: Scope, *, term: str = "", archived: bool = False, page: int = 1, limit: int = PAGE) -> list[Listed]:
    """Each word of `term` begins one of the title, the other names or the text, as typed or without its ending; accents matter
    in texts only. Titles that have all of them come first. `archived`: the clinic's own that are out of use, for owners."""
    auth.require(scope.identity, "knowledge.write" if archived else "knowledge.read")
    typed = _words(term)
    if term.strip() and not typed:
        return []
    return scope.many(Listed, r"""
        with shelf as (
            select id, cast(null as text) as slug, title, other_names as names, body, updated_at as changed_at,
                   cast(null as date) as drafted_on, cast(null as date) as reviewed_on, cast(null as text) as reviewed_by
            from clinic_articles
            where clinic_id = :clinic_id and (archived_at is not null) = :archived
            union all
            select null, a.slug, a.title, a.other_names || a.keywords, a.body, null, a.drafted_on,
                   coalesce(cast(r.reviewed_at at time zone :zone as date), a.reviewed_on),
                   coalesce(m.display_name, a.reviewed_by)
            from articles a
            left join article_reviews r on r.clinic_id = :clinic_id and r.slug = a.slug
                and r.text_hash = sha256(convert_to(a.title || chr(10) || a.body, 'UTF8'))
            left join memberships m on m.clinic_id = r.clinic_id and m.user_id = r.user_id
            where not :archived
        ),
        asked as (
            select '\m' || typed as typed,
                   '\m(' || word || '|' || coalesce((ts_lexize('english_stem', word))[1], word) || ')' as plain
            from unnest(cast(:words as text[]), cast(:typed as text[])) as asked (word, typed)
        ),
        found as (
            select shelf.*,
                   not exists (select from asked where plain_title !~ plain) as in_title,
                   not exists (
                       select from asked
                       where plain_title !~ plain and plain_names !~ plain and lower(body) !~ plain and lower(body) !~ typed
                   ) as matches
            from shelf
            cross join lateral (
                select regexp_replace(normalize(lower(title), nfd), '[\u0300-\u036f]', '', 'g') as plain_title,
                       regexp_replace(normalize(lower(app.join_words(names)), nfd), '[\u0300-\u036f]', '', 'g') as plain_names
            ) as without_accents
        )
        select id, slug, title, left(body, :opening) as opening, changed_at, drafted_on, reviewed_on, reviewed_by,
               count(*) over () as total
        from found
        where matches
        order by id is null, not in_title, lower(title), id, slug
        limit :limit offset :skipped
        """, words=[_plain(word) for word in typed], typed=typed, archived=archived, zone=scope.identity.time_zone,
              opening=OPENING, limit=limit, skipped=(page - 1) * limit)


def _words(term: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFC", term[:search_words.LONGEST_TERM]).lower())[:MOST_WORDS]


def _plain(word: str) -> str:
    """Without accents. Some letters are several, not all of them letters: ⑴ is (1), which would be read as a pattern."""
    return "".join(WORD.findall(search_words.fold(word))) or word
