"""Who stands for a built-in article in this clinic: a clinician with approved credentials who read the text as it is now."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from lib import articles, audit, auth, credentials
from lib.articles import Article
from lib.db import Scope
from lib.errors import Changed, Forbidden
from lib.texts import _


@dataclass(frozen=True)
class Review:
    name: str
    reviewed_on: date
    """The day at the clinic."""


@dataclass(frozen=True)
class _Named:
    slug: str
    name: str
    reviewed_on: date


def text_hash(article: Article) -> bytes:
    """Of what a reviewer reads: SHA-256 of title and body, a line feed between them. `of` computes the same in SQL."""
    return hashlib.sha256(f"{article.title}\n{article.body}".encode()).digest()


def may_review(scope: Scope) -> bool:
    return auth.may(scope.identity, "knowledge.review") and _approved(scope)


def _approved(scope: Scope) -> bool:
    found = credentials.own(scope)
    return found is not None and found.status == "approved"


def _require_reviewer(scope: Scope) -> None:
    if not auth.may(scope.identity, "knowledge.review"):
        raise Forbidden(_("Articles are reviewed by clinicians of this clinic with approved credentials."))
    if not _approved(scope):
        raise Forbidden(_("Only clinicians with approved credentials may review an article. Submit yours on the page Account."))


def review(scope: Scope, slug: str, *, read: bytes | None = None) -> None:
    """In this person's name; Forbidden says what they lack. `read`: the `text_hash` they had before them, so that a text which
    is newer by now raises Changed."""
    _require_reviewer(scope)
    current = text_hash(articles.get(scope, slug))
    if read not in (None, current):
        raise Changed(_("This article has a newer text than the one you read. Please read it again; nothing was marked."))
    scope.run("""
        insert into article_reviews (clinic_id, slug, user_id, text_hash)
        values (:clinic_id, :slug, :me, :text_hash)
        on conflict (clinic_id, slug) do update
        set user_id = excluded.user_id, text_hash = excluded.text_hash, reviewed_at = excluded.reviewed_at
        """, slug=slug, me=scope.identity.user_id, text_hash=current)
    audit.record(scope, "review", "article", slug)


def of(scope: Scope, slugs: Sequence[str]) -> dict[str, Review]:
    """Of these articles' current texts. A text that has changed since its review is a draft again, and is left out."""
    auth.require(scope.identity, "knowledge.read")
    rows = scope.many(_Named, """
        select r.slug, m.display_name as name, cast(r.reviewed_at at time zone :zone as date) as reviewed_on
        from article_reviews r
        join articles a on a.slug = r.slug and r.text_hash = sha256(convert_to(a.title || chr(10) || a.body, 'UTF8'))
        join memberships m on m.clinic_id = r.clinic_id and m.user_id = r.user_id
        where r.clinic_id = :clinic_id and r.slug = any(cast(:slugs as text[]))
        """, slugs=list(slugs), zone=scope.identity.time_zone)
    return {row.slug: Review(row.name, row.reviewed_on) for row in rows}


def stamped(scope: Scope, article: Article) -> Article:
    """With `reviewed_on` and `reviewed_by` from this clinic's review of exactly this text; without one, as it came."""
    found = scope.first(Review, """
        select m.display_name as name, cast(r.reviewed_at at time zone :zone as date) as reviewed_on
        from article_reviews r
        join memberships m on m.clinic_id = r.clinic_id and m.user_id = r.user_id
        where r.clinic_id = :clinic_id and r.slug = :slug and r.text_hash = :text_hash
        """, slug=article.slug, text_hash=text_hash(article), zone=scope.identity.time_zone)
    return replace(article, reviewed_on=found.reviewed_on, reviewed_by=found.name) if found else article
