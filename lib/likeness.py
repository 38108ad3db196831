"""Whether two rows tell of the same person: what an import compares, and how it says so."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from lib import patients
from lib.db import Scope
from lib.intake import Row
from lib.texts import _

Mark = tuple[str, ...]


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
        select id, external_id, name_key, date_of_birth, phone_key, email_norm, archived_at is not null as archived
        from patients
        where clinic_id = :clinic_id
          and (name_key = any(:names) or phone_key = any(:phones) or email_norm = any(:emails))
        order by id
        """, names=[one.name_key for one in people if one.name_key], phones=[one.phone_key for one in people if one.phone_key],
             emails=[one.email_norm for one in people if one.email_norm])


def remember(others: MutableMapping[Mark, Someone], someone: Someone) -> None:
    """The first one with a mark keeps it."""
    numbers = [("number", someone.external_id)] if someone.external_id else []
    for mark in (*numbers, *_marks(someone), *_certain_marks(someone)):
        others.setdefault(mark, someone)


def marks(someone: Someone) -> list[Mark]:
    """What makes this row a repetition of whoever has the same. Its number counts more than a name, a phone or a mailbox."""
    if someone.external_id:
        return [("number", someone.external_id), *_certain_marks(someone)]
    return _marks(someone)


def of_one_family(mark: Mark, one: Someone, other: Someone) -> bool:
    """Families share a phone number or a mailbox: another name with another birth date is another person."""
    born = one.date_of_birth and other.date_of_birth and one.date_of_birth != other.date_of_birth
    return mark[0] in ("phone", "email") and bool(born) and one.name_key != other.name_key


def _marks(one: Someone) -> list[Mark]:
    name, phone, email = one.name_key, one.phone_key or "", one.email_norm or ""
    first = ("name", name, str(one.date_of_birth)) if one.date_of_birth else ("bare", name, phone, email)
    contacts = [("phone", phone), ("email", email)]
    return [first, *((kind, value) for kind, value in contacts if value)]


def _certain_marks(one: Someone) -> list[Mark]:
    """Two people may share a name and a birthday, but not a phone number or a mailbox as well."""
    contacts = [("name, phone", one.phone_key), ("name, email", one.email_norm)]
    return [(kind, value, one.name_key, str(one.date_of_birth)) for kind, value in contacts if value and one.date_of_birth]


def reason(mark: Mark, other: Someone) -> str:
    who = _("line {line} of this file").format(line=other.line) if other.line else (
        _("an archived patient") if other.archived else _("a patient who is there already"))
    return {
        "number": _("Same record number as {who}."),
        "name": _("Same name and date of birth as {who}."),
        "bare": _("Same name as {who}, and neither has a date of birth."),
        "phone": _("Same phone number as {who}."),
        "email": _("Same e-mail address as {who}."),
        "name, phone": _("Same name, date of birth and phone as {who}, but another record number."),
        "name, email": _("Same name, date of birth and e-mail as {who}, but another record number."),
    }[mark[0]].format(who=who)
