"""`Idempotency-Key`: a create that is sent twice acts once, and answers twice."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import Header, Request
from pydantic import BaseModel

from lib import db, repeats
from lib.db import Scope
from lib.errors import Conflict
from lib.identity import Identity
from lib.texts import _

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200,
                                   description="The same key and body within 24 hours act once. Of two at once, one waits.")]


def make(scope: Scope, request: Request, key: str | None, body: BaseModel, create: Callable[[], UUID]) -> UUID:
    """The id of what `create` made, now or when this request came before."""
    if key is None:
        return create()
    route = _route(request)
    made = repeats.find(scope, route, key, _compared(body))
    if made is not None:
        return UUID(made)
    new = create()
    repeats.keep(scope, route, key, new)
    return new


def act(identity: Identity, request: Request, key: str | None, body: BaseModel, create: Callable[[], UUID]) -> UUID:
    """`make` for what needs transactions of its own. Of two at once, the second gets Conflict; so does whoever repeats what a
    crash cut off, because nobody knows how far it came."""
    if key is None:
        return create()
    route = _route(request)
    with db.scope(identity) as scope:
        made = repeats.find(scope, route, key, _compared(body))
    if made is not None:
        return _known(made)
    try:
        new = create()
    except Exception:
        with db.scope(identity) as scope:
            repeats.release(scope, route, key)
        raise
    with db.scope(identity) as scope:
        repeats.keep(scope, route, key, new)
    return new


def claim(scope: Scope, request: Request, key: str | None, body: BaseModel) -> None:
    """For what shows a secret that nobody keeps, in the transaction that makes it: a repeat makes nothing and raises Conflict."""
    if key is not None and repeats.find(scope, _route(request), key, _compared(body)) is not None:
        raise Conflict(_("This was done already, and its secret was shown once. Nothing was made now. If the secret is lost, "
                         "take back what was made and begin anew with another Idempotency-Key."))


def _route(request: Request) -> str:
    return f"{request.method} {request.url.path}"


def _compared(body: BaseModel) -> bytes:
    """Fields that only say how to answer are excluded by their models."""
    return body.model_dump_json().encode()


def _known(made: str) -> UUID:
    if not made:
        raise Conflict(_("The same request is being worked on."))
    return UUID(made)
