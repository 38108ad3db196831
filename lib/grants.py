"""What a program gets when a person signs in by it: a token for a quarter of an hour, and another one for the next quarter."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from lib import audit, auth, db, metrics, tokens
from lib.auth import Account
from lib.errors import Conflict, NotSignedIn
from lib.identity import Identity
from lib.texts import _

AUDIENCE = "api"
LIFE = timedelta(minutes=15)


@dataclass(frozen=True)
class Grant:
    """`access`: a JWT, good as long as its session is, and for fifteen minutes. `refresh`: good once."""

    access: str
    refresh: str


def issue(account: Account, *, keep: bool, device: str, address: str, request_id: str = "") -> Grant:
    """A session of the program's own. Call only where `auth.issue_ticket` may be called."""
    ticket = auth.issue_ticket(account, keep=keep)
    cookie = auth.redeem_ticket(ticket, device=device, address=address, request_id=request_id).token
    token = tokens.read(cookie)
    session, grant = tokens.digest(token.id), _make(account, token.id)
    with db.nobody() as connection:
        connection.execute(db.statement("select app.begin_refresh(:session, :token)"),
                           {"session": session, "token": tokens.digest(grant.refresh)})
    return grant


def refresh(token: str, *, address: str = "", request_id: str = "", place: str = "") -> Grant:
    """The next pair. A token that is shown again after it was used ends the session, with all that came of it: two have it.
    Of two calls at the same moment one gets the pair, and the other Conflict."""
    token_id = token.partition(".")[0]
    identity = auth.resume(token_id, address=address, request_id=request_id, place=place)
    grant = _make(identity, token_id)
    with db.scope(identity) as scope:
        became = scope.value("select app.rotate_refresh(:session, :old, :new)", session=identity.session,
                             old=tokens.digest(token), new=tokens.digest(grant.refresh))
        if became == "reused":
            audit.record(scope, "refresh_reused", "session")
    if became == "met":
        raise Conflict(_("Another call has just refreshed this session. Use what it got."))
    if became != "rotated":
        _tell(became, identity)
        raise NotSignedIn
    return grant


def recognise(access: str, *, address: str = "", request_id: str = "", place: str = "", active: bool = True) -> Identity:
    return auth.recognise(access, audience=AUDIENCE, address=address, request_id=request_id, place=place, active=active)


def _make(who: Account | Identity, token_id: str) -> Grant:
    """The refresh token begins with the secret of its session, by which both are found."""
    user_id = who.user_id if isinstance(who, Identity) else who.id
    assert user_id
    return Grant(tokens.make(user_id, who.email, token_id, LIFE, AUDIENCE), f"{token_id}.{secrets.token_urlsafe(32)}")


def _tell(became: str, identity: Identity) -> None:
    metrics.token_failures.labels("refresh").inc()
    audit.record_security(f"refresh_{became}", user_id=identity.user_id, address=identity.address, request_id=identity.request_id)
