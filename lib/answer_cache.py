"""Answers to general questions, found again by exactly the same key. Nothing that follows a patient, a history or a red flag is
ever kept, and no question is like another: a cache by likeness served one user's answer to another elsewhere."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lib.db import Scope

HOURS = 24
MOST = 500  # answers of a clinic


@dataclass(frozen=True)
class Kept:
    content: str
    metadata: dict[str, Any]
    cost_usd: Decimal | None


def key(asked: Sequence[str], messages: Sequence[dict[str, str]]) -> bytes:
    """Of everything that makes the answer: prompt, articles and whom it comes from, so a change of them finds nothing. `asked`:
    the address and, where it is known, the model."""
    return hashlib.sha256(json.dumps([*asked, list(messages)], ensure_ascii=False).encode("utf-8", "replace")).digest()


def find(scope: Scope, key: bytes) -> Kept | None:
    return scope.first(Kept, """
        select content, metadata, cost_usd
        from answer_cache
        where clinic_id = :clinic_id
          and key = :key
          and created_at > now() - make_interval(hours => :hours)
        """, key=key, hours=HOURS)


def forget_other_models(scope: Scope, model: str) -> None:
    """The assistant's own service asks another one by now than when they were kept, and no key tells."""
    scope.run("""
        delete from answer_cache
        where clinic_id = :clinic_id
          and metadata ->> 'model' is distinct from :model
        """, model=model)


def keep(scope: Scope, key: bytes, kept: Kept) -> None:
    """Bounded: what is too old or too much goes first."""
    scope.run("""
        delete from answer_cache c
        where c.clinic_id = :clinic_id
          and (c.created_at <= now() - make_interval(hours => :hours)
               or c.key in (
                   select k.key
                   from answer_cache k
                   where k.clinic_id = :clinic_id
                   order by k.created_at desc
                   offset :most - 1))
        """, hours=HOURS, most=MOST)
    scope.run("""
        insert into answer_cache (clinic_id, key, content, metadata, cost_usd)
        values (:clinic_id, :key, :content, cast(:metadata as jsonb), :cost_usd)
        on conflict do nothing
        """, key=key, content=kept.content, metadata=json.dumps(kept.metadata), cost_usd=kept.cost_usd)
