"""What somebody was typing when the page went away: their own, for seven days."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lib import auth
from lib.db import Scope
from lib.errors import NotFound


@dataclass(frozen=True)
class Draft:
    data: dict[str, Any]
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
        set data = excluded.data
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


# a question that was not asked yet -----------------------------------------------------------------------------------


def load_question(scope: Scope, patient_id: UUID | None) -> str:
    """What its author left in the box of this thread; "" for nothing."""
    _require_thread(scope, patient_id)
    draft = load(scope, _of_thread(patient_id))
    return str(draft.data["text"]) if draft else ""


def keep_question(scope: Scope, patient_id: UUID | None, text: str) -> None:
    """Raises NotFound for a patient whom this clinic does not know."""
    _require_thread(scope, patient_id)
    if patient_id and not scope.value("select 1 from patients where clinic_id = :clinic_id and id = :id", id=patient_id):
        raise NotFound
    save(scope, _of_thread(patient_id), {"text": auth.clean(text)})


def discard_question(scope: Scope, patient_id: UUID | None, text: str) -> None:
    """Once it was asked, or rubbed out. Whatever else another tab has typed into the same box since stays."""
    _require_thread(scope, patient_id)
    scope.run("""
        delete from drafts
        where clinic_id = :clinic_id
          and user_id = :user_id
          and form = :form
          and data ->> 'text' = :text
        """, user_id=scope.identity.user_id, form=_of_thread(patient_id), text=auth.clean(text))


def _require_thread(scope: Scope, patient_id: UUID | None) -> None:
    auth.require(scope.identity, "chat.patient" if patient_id else "chat.ask")


def _of_thread(patient_id: UUID | None) -> str:
    """The policy `thread` on the table knows this name."""
    return f"question:{patient_id or 'general'}"


def _forget_old(scope: Scope) -> None:
    scope.run("""
        delete from drafts
        where clinic_id = :clinic_id
          and user_id = :user_id
          and updated_at <= now() - interval '7 days'
        """, user_id=scope.identity.user_id)
