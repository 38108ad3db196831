"""What only this clinic can say: its opening hours, prices, policies. Read by everybody who works there, written by owners."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lib import audit, auth
from lib.db import Scope
from lib.errors import Changed, Invalid
from lib.texts import _, count

LONGEST_TITLE, LONGEST_NAME, LONGEST_BODY = 200, 100, 4_000
MOST_NAMES = 50
INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Wording:
    """What an owner writes. `body` is Markdown, shown without links, images and HTML."""

    title: str
    other_names: tuple[str, ...]
    body: str


@dataclass(frozen=True)
class ClinicArticle:
    """`changed_by`: who saved it last, by name."""

    id: UUID
    title: str
    other_names: tuple[str, ...]
    body: str
    version: int
    updated_at: datetime
    changed_by: str | None = None
    archived_at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "other_names", tuple(self.other_names))  # PostgreSQL's array comes as a list

    @property
    def keywords(self) -> tuple[str, ...]:
        """None are kept; whoever ranks articles of both kinds asks for them."""
        return ()

    @property
    def wording(self) -> Wording:
        return Wording(self.title, self.other_names, self.body)


# reading -------------------------------------------------------------------------------------------------------------


def active(scope: Scope) -> list[ClinicArticle]:
    """Those the assistant may answer from, by title. No scope of its own: who may ask is answered from them."""
    return scope.many(ClinicArticle, """
        select id, title, other_names, body, version, updated_at
        from clinic_articles
        where clinic_id = :clinic_id and archived_at is null
        order by lower(title), id
        """)


def get(scope: Scope, article_id: UUID) -> ClinicArticle:
    """Also an archived one, which owners read before they restore it."""
    auth.require(scope.identity, "knowledge.read")
    return scope.one(ClinicArticle, """
        select a.id, a.title, a.other_names, a.body, a.version, a.updated_at, m.display_name as changed_by, a.archived_at
        from clinic_articles a
        left join memberships m on m.clinic_id = a.clinic_id and m.user_id = a.changed_by
        where a.clinic_id = :clinic_id and a.id = :id and (a.archived_at is null or :all_of_them)
        """, id=article_id, all_of_them=auth.may(scope.identity, "knowledge.write"))


# writing -------------------------------------------------------------------------------------------------------------


def add(scope: Scope, wording: Wording, *, article_id: UUID) -> None:
    """A second call with the same `article_id` adds nothing."""
    auth.require(scope.identity, "knowledge.write")
    wording = check(wording)
    if scope.run("""
            insert into clinic_articles (clinic_id, id, user_id, title, other_names, body)
            values (:clinic_id, :id, :me, :title, :other_names, :body)
            on conflict (clinic_id, id) do nothing
            """, id=article_id, me=scope.identity.user_id, **_values(wording)):
        audit.record(scope, "add", "clinic_article", article_id,
                     fields=[name for name, value in _values(wording).items() if value])


def amend(scope: Scope, article_id: UUID, wording: Wording, *, version: int) -> None:
    """`version`: the one that was edited; a newer one in the database raises Changed."""
    auth.require(scope.identity, "knowledge.write")
    wording, before = check(wording), get(scope, article_id)
    former = _values(before.wording)
    changed = [name for name, value in _values(wording).items() if value != former[name]]
    if not changed:
        return
    if before.version != version or not scope.run("""
            update clinic_articles
            set title = :title, other_names = :other_names, body = :body
            where clinic_id = :clinic_id and id = :id and version = :version
            """, id=article_id, version=version, **_values(wording)):
        raise Changed(_("Somebody else changed this article meanwhile. Nothing was saved, and your text stays here."))
    audit.record(scope, "change", "clinic_article", article_id, fields=changed)


def archive(scope: Scope, article_id: UUID) -> None:
    """Out of the list and out of the assistant's answers; `restore` brings it back."""
    auth.require(scope.identity, "knowledge.write")
    get(scope, article_id)
    if scope.run("""
            update clinic_articles
            set archived_at = transaction_timestamp()
            where clinic_id = :clinic_id and id = :id and archived_at is null
            """, id=article_id):
        audit.record(scope, "archive", "clinic_article", article_id, fields=["archived_at"])


def restore(scope: Scope, article_id: UUID) -> None:
    auth.require(scope.identity, "knowledge.write")
    get(scope, article_id)
    if scope.run("""
            update clinic_articles
            set archived_at = null
            where clinic_id = :clinic_id and id = :id and archived_at is not null
            """, id=article_id):
        audit.record(scope, "restore", "clinic_article", article_id, fields=["archived_at"])


def _values(wording: Wording) -> dict[str, object]:
    return {"title": wording.title, "other_names": list(wording.other_names), "body": wording.body}


# what may be written -------------------------------------------------------------------------------------------------


def check(wording: Wording) -> Wording:
    """As it will be stored: spaces trimmed, no name twice. Raises Invalid with the sentence to show."""
    tidy = Wording(_line(wording.title), _names(wording.other_names), _text(wording.body))
    if not tidy.title:
        raise Invalid(_("A title is missing."))
    if not tidy.body:
        raise Invalid(_("The text is missing."))
    _fits(tidy.title, LONGEST_TITLE, _("A title has at most {most} characters; this one has {n}."))
    _fits(tidy.body, LONGEST_BODY, _("A text has at most {most} characters; this one has {n}. Please shorten it, or write two "
                                     "articles."))
    if len(tidy.other_names) > MOST_NAMES:
        raise Invalid(count("At most {n} other name, please.", "At most {n} other names, please.", MOST_NAMES))
    for name in tidy.other_names:
        _fits(name, LONGEST_NAME, _("Another name has at most {most} characters; “{start} …” has {n}."))
    return tidy


def _fits(text: str, most: int, sentence: str) -> None:
    if len(text) > most:
        raise Invalid(sentence.format(most=f"{most:,}", n=f"{len(text):,}", start=text[:40]))


def _line(text: str) -> str:
    return " ".join(INVISIBLE.sub(" ", text).split())


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Whatever their capitals, each once, as it was written first."""
    once: dict[str, str] = {}
    for name in map(_line, names):
        once.setdefault(name.casefold(), name)
    return tuple(name for name in once.values() if name)


def _text(text: str) -> str:
    return INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
