"""What somebody was typing when the page went away: their own, for seven days."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lib.db import Scope


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


def _forget_old(scope: Scope) -> None:
    scope.run("""
        delete from drafts
        where clinic_id = :clinic_id
          and user_id = :user_id
          and updated_at <= now() - interval '7 days'
        """, user_id=scope.identity.user_id)
