"""Whether two rows tell of the same person: what an import compares, and how it says so."""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from lib import patients
from lib.db import Scope
from lib.intake import Row
from lib.texts import _

Mark = tuple[str, ...]
Marked = tuple["Someone", ...]
SHARING = 20  # of those who share one mark, this many are compared: a thousand rows may have the clinic's own number
# Words that are nobody's name, and those that tell a son from his father.
TITLES = {"mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "mme", "mlle", "sra", "srta", "don", "dona"}
GENERATIONS = {"jr", "sr", "jun", "sen", "junior", "senior", "ii", "iii", "iv", "hijo", "fils"}


@dataclass(frozen=True)
class Someone:
    """A patient of the clinic (`id`), or a row of the file (`line`)."""

    external_id: str | None
    name_key: str
    date_of_birth: date | None
    phone_key: str | None
    email_norm: str | None
    id: UUID | None = None
    archived: bool = False
    line: int = 0


def of_rows(scope: Scope, rows: list[Row]) -> list[Someone]:
    mailboxes = _mailboxes(scope, [row.form.email for row in rows if row.form and row.form.email])
    return [_of_row(row, scope.identity.country, mailboxes) for row in rows]


def _of_row(row: Row, country: str, mailboxes: dict[str | None, str]) -> Someone:
    form = row.form
    if form is None:
        return Someone(None, "", None, None, None, line=row.line)
    return Someone(form.external_id, patients.name_key(form.full_name), form.date_of_birth,
                   patients.phone_key(form.phone, country), mailboxes.get(form.email), line=row.line)


@dataclass(frozen=True)
class _Mailbox:
    email: str
    email_norm: str


def _mailboxes(scope: Scope, emails: list[str]) -> dict[str | None, str]:
    """As the database folds them, which knows other capitals than Python."""
    found = scope.many(_Mailbox, """
        select email, app.fold_email(email) as email_norm
        from unnest(cast(:emails as text[])) as t (email)
        """, emails=emails)
    return {one.email: one.email_norm for one in found}


def find(scope: Scope, people: list[Someone]) -> list[Someone]:
    """The patients who share a name, a phone number or a mailbox with any of these, archived ones too."""
    return scope.many(Someone, """
        select coalesce(merged_into, id) as id, external_id, name_key, date_of_birth, phone_key, email_norm,
               archived_at is not null as archived
        from patients
        where clinic_id = :clinic_id
          and (name_key = any(:names) or phone_key = any(:phones) or email_norm = any(:emails))
        order by id
        """, names=[one.name_key for one in people if one.name_key], phones=[one.phone_key for one in people if one.phone_key],
             emails=[one.email_norm for one in people if one.email_norm])


def remember(others: MutableMapping[Mark, Marked], someone: Someone) -> None:
    """In the order of the file."""
    numbers = [("number", someone.external_id)] if someone.external_id else []
    for mark in (*numbers, *_marks(someone), *_certain_marks(someone)):
        others[mark] = (*others.get(mark, ()), someone)[:SHARING]


def sharing(someone: Someone, *others: Mapping[Mark, Marked]) -> Iterator[tuple[Mark, Someone]]:
    """Whoever has one of this row's marks, the most telling mark first."""
    return ((mark, other) for mark in marks(someone) for found in others for other in found.get(mark, ()))


def marks(someone: Someone) -> list[Mark]:
    """What makes this row a repetition of whoever has the same. Its number counts more than a name, a phone or a mailbox."""
    if someone.external_id:
        return [("number", someone.external_id), *_certain_marks(someone)]
    return _marks(someone)


def is_same(mark: Mark, one: Someone, other: Someone) -> bool:
    """Families share a phone number or a mailbox, so these count only between people of one name.

    Of one name are "José Müller", "Mueller, Jose" and "José A. Müller": the same words in any order, or some more beside
    two that are equal. One letter is enough to make two people: twins are called Julia and Julian, or Jan and Jon. Somebody
    registered twice is in the report with a note and can be put right; a patient taken for a sister would be lost.
    """
    if mark[0] not in ("phone", "email") or one.name_key == other.name_key:
        return True
    born = {one.date_of_birth, other.date_of_birth} - {None}
    return len(born) < 2 and _of_one_name(_name_words(one.name_key), _name_words(other.name_key))


def _of_one_name(one: set[str], other: set[str]) -> bool:
    if one == other:
        return True
    return (one < other or other < one) and len((one & other) - TITLES) > 1 and not (one ^ other) & GENERATIONS


def _name_words(name_key: str) -> set[str]:
    """Umlauts in one spelling: Mueller is Müller, but Zoe is not Zo."""
    words = re.split(r"[\s,;.()/-]+", name_key.replace("'", ""))
    return {re.sub("(?<=[aou])e|(?<=a)a", "", word) if len(word) > 4 else word for word in words} - {""}


def _marks(one: Someone) -> list[Mark]:
    name, phone, email = one.name_key, one.phone_key or "", one.email_norm or ""
    first = ("name", name, str(one.date_of_birth)) if one.date_of_birth else ("bare", name, phone, email)
    contacts = [("phone", phone), ("email", email)]
    return [first, *((kind, value) for kind, value in contacts if value)]


def _certain_marks(one: Someone) -> list[Mark]:
    """Two people may share a name and a birthday, but not a phone number or a mailbox as well."""
    contacts = [("name, phone", one.phone_key), ("name, email", one.email_norm)]
    return [(kind, value, one.name_key, str(one.date_of_birth)) for kind, value in contacts if value and one.date_of_birth]


def _who(other: Someone) -> str:
    if other.line:
        return _("line {line} of this file").format(line=other.line)
    return _("an archived patient") if other.archived else _("a patient who is there already")


def shared(mark: Mark, other: Someone) -> str:
    """What two different people have in common, for somebody to look at."""
    sentence = _("Shares the phone number with {who}.") if mark[0] == "phone" else _("Shares the e-mail address with {who}.")
    return sentence.format(who=_who(other))


def reason(mark: Mark, other: Someone) -> str:
    return {
        "number": _("Same record number as {who}."),
        "name": _("Same name and date of birth as {who}."),
        "bare": _("Same name as {who}, and neither has a date of birth."),
        "phone": _("Same phone number as {who}."),
        "email": _("Same e-mail address as {who}."),
        "name, phone": _("Same name, date of birth and phone as {who}, but another record number."),
        "name, email": _("Same name, date of birth and e-mail as {who}, but another record number."),
    }[mark[0]].format(who=_who(other))
