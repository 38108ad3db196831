"""What somebody was typing when the page went away: their own, for seven days."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lib import auth
from lib.db import Scope
from lib.errors import NotFound

# The fields whose text a tab sends while it is typed, and who may fill each. A kind alone: followed by the id it is about.
# No password, code or key has a name here, so none is taken.
FIELDS = {
    "question:general": "chat.ask", "question": "chat.patient", "acknowledge": "emergencies.read", "rate": "chat.ask",
    "review": "credentials.decide", "invite:email": "team.manage", "profile:name": "account.own",
    "credentials:specialization": "credentials.submit", "credentials:licence": "credentials.submit",
    "clinic:name": "clinic.settings", "clinic:currency": "clinic.settings", "clinic:number": "clinic.settings",
    "clinic:networks": "clinic.settings", "provider:url": "clinic.settings", "provider:model": "clinic.settings",
    "client:name": "clinic.settings", "client:networks": "clinic.settings",
}


@dataclass(frozen=True)
class Draft:
    data: dict[str, Any]
    updated_at: datetime


@dataclass(frozen=True)
class Text:
    """What stands in one field (`FIELDS`)."""

    form: str
    text: str
    updated_at: datetime


def load(scope: Scope, form: str) -> Draft | None:
    return scope.first(Draft, """
        select data, updated_at
        from drafts
        where clinic_id = :clinic_id
          and user_id = :user_id
          and form = :form
          and updated_at > now() - interval '7 days'
        """, user_id=scope.identity.user_id, form=form)


def save(scope: Scope, form: str, data: dict[str, Any]) -> None:
    """Raises Invalid when it is too large to keep (100,000 characters)."""
    _forget_old(scope)
    scope.run("""
        insert into drafts (clinic_id, user_id, form, data)
        values (:clinic_id, :user_id, :form, cast(:data as jsonb))
        on conflict (clinic_id, user_id, form) do update
        set data = case when drafts.data ->> 'text' = excluded.data ->> 'text' then drafts.data || excluded.data
            else excluded.data end
        """, user_id=scope.identity.user_id, form=form, data=json.dumps(data))


def discard(scope: Scope, form: str, tab: str) -> None:
    """Only what this tab wrote (`data["tab"]`): another one may have typed into the same form since."""
    scope.run("""
        delete from drafts
        where clinic_id = :clinic_id
          and user_id = :user_id
          and form = :form
          and data ->> 'tab' = :tab
        """, user_id=scope.identity.user_id, form=form, tab=tab)


# one text of one field -----------------------------------------------------------------------------------------------


def load_texts(scope: Scope, fields: Sequence[str]) -> dict[str, Text]:
    """What its author left in each; a field that holds nothing is left out."""
    for field in fields:
        _allow(scope, field)
    return {found.form: found for found in scope.many(Text, """
        select form, data ->> 'text' as text, updated_at
        from drafts
        where clinic_id = :clinic_id
          and user_id = :user_id
          and form = any(:fields)
          and updated_at > now() - interval '7 days'
        """, user_id=scope.identity.user_id, fields=list(fields))}


def keep_text(scope: Scope, field: str, text: str, *, refused: bool = False) -> None:
    """`refused`: the form was handed in with it and not taken; the same words stay so, however late a tab sends them again.

    Raises NotFound for a field that nobody has, or about what this person can't see.
    """
    of = _allow(scope, field)
    if of and not _exists(scope, field.partition(":")[0], of):
        raise NotFound
    save(scope, field, {"text": auth.clean(text), **({"refused": True} if refused else {})})


def discard_text(scope: Scope, field: str, text: str, *, late: bool = False) -> None:
    """Rubbed out, or a question that was asked. Whatever else another tab has typed into the same field since stays.

    `late`: it may have arrived after its form was saved; what was refused is still wanted.
    """
    _allow(scope, field)
    scope.run("""
        delete from drafts
        where clinic_id = :clinic_id
          and user_id = :user_id
          and form = :field
          and data ->> 'text' = :text
          and (not :late or data ->> 'refused' is null)
        """, user_id=scope.identity.user_id, field=field, text=auth.clean(text), late=late)


def discard_texts(scope: Scope, fields: Sequence[str]) -> None:
    """Of a form that is saved, or is to show what is stored again."""
    scope.run("""
        delete from drafts
        where clinic_id = :clinic_id
          and user_id = :user_id
          and form = any(:fields)
        """, user_id=scope.identity.user_id, fields=list(fields))


def _allow(scope: Scope, field: str) -> UUID | None:
    """The id that the field is about, if it is about one."""
    kind, _colon, of = field.partition(":")
    permission = FIELDS.get(field) or (FIELDS.get(kind) if of else None)
    if permission is None:
        raise NotFound
    auth.require(scope.identity, permission)
    try:
        return None if field in FIELDS else UUID(of)
    except ValueError:
        raise NotFound from None


def _exists(scope: Scope, kind: str, of: UUID) -> bool:
    return bool(scope.value("""
        select case :kind
            when 'question' then exists (select from patients where clinic_id = :clinic_id and id = :of)
            when 'acknowledge' then exists (select from emergencies where clinic_id = :clinic_id and id = :of)
            when 'rate' then exists (select from chat_messages where clinic_id = :clinic_id and id = :of)
            when 'review' then exists (select from clinician_credentials where clinic_id = :clinic_id and user_id = :of)
        end
        """, kind=kind, of=of))


def _forget_old(scope: Scope) -> None:
    scope.run("""
        delete from drafts
        where clinic_id = :clinic_id
          and user_id = :user_id
          and updated_at <= now() - interval '7 days'
        """, user_id=scope.identity.user_id)
