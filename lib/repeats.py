"""Requests that may be sent twice and act once: what was made under an `Idempotency-Key` is remembered for a day."""

from lib import tokens
from lib.db import Scope
from lib.errors import Invalid
from lib.texts import _


def find(scope: Scope, route: str, key: str, body: bytes) -> str | None:
    """What the same request made before; None: it is new, and this transaction has the key now. A second one at the same
    moment waits here for the first. Raises Invalid for a key that came with another body."""
    _forget(scope, route, key)
    if scope.run("""
            insert into repeats (clinic_id, user_id, key_hash, body_hash)
            values (:clinic_id, :user_id, :key_hash, :body_hash)
            on conflict (clinic_id, user_id, key_hash) do nothing
            """, **_named(scope, route, key), body_hash=tokens.digest(body.decode("latin-1"))):
        return None
    made: str | None = scope.value("""
        select made
        from repeats
        where clinic_id = :clinic_id
          and user_id = :user_id
          and key_hash = :key_hash
          and body_hash = :body_hash
        """, **_named(scope, route, key), body_hash=tokens.digest(body.decode("latin-1")))
    if made is None:
        raise Invalid(_("This Idempotency-Key came with another request before. Use a new one."))
    return made


def keep(scope: Scope, route: str, key: str, made: object) -> None:
    """`made`: the id of what came of it. In the transaction that made it, or nobody could tell after a crash."""
    scope.run("""
        update repeats
        set made = :made
        where clinic_id = :clinic_id
          and user_id = :user_id
          and key_hash = :key_hash
        """, **_named(scope, route, key), made=str(made))


def release(scope: Scope, route: str, key: str) -> None:
    """Nothing came of it: the key is free again."""
    scope.run("""
        delete from repeats
        where clinic_id = :clinic_id
          and user_id = :user_id
          and key_hash = :key_hash
        """, **_named(scope, route, key))


def _forget(scope: Scope, route: str, key: str) -> None:
    scope.run("""
        delete from repeats
        where clinic_id = :clinic_id
          and user_id = :user_id
          and key_hash = :key_hash
          and created_at < now() - interval '24 hours'
        """, **_named(scope, route, key))


def _named(scope: Scope, route: str, key: str) -> dict[str, object]:
    return {"user_id": scope.identity.user_id, "key_hash": tokens.digest(f"{scope.identity.client} {route} {key}")}
