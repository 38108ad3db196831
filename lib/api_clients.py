"""Programs that an owner lets in: what they may, whence, how often, and their secret, which is shown once."""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from lib import audit, auth, clinics, db, metrics, quarantine, rate_limits, tokens
from lib.db import Scope
from lib.errors import Forbidden, Invalid, NotFound, NotSignedIn
from lib.identity import Identity
from lib.texts import _

PREFIX = "chairside_"
# What stays with people: their own account, the house's doors, and help with somebody's password.
NEVER = frozenset({"account.own", "clinic.settings", "team.reset"})
MOST_REQUESTS = 1_000_000


@dataclass(frozen=True)
class Client:
    """`networks`: where it may call from (CIDR); empty: everywhere. `request_limit`: in fifteen minutes. `made_by`: the owner
    in whose name it acts."""

    id: UUID
    name: str
    role: str
    scopes: list[str]
    networks: list[str]
    request_limit: int
    made_by: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class Wanted:
    name: str
    role: str
    scopes: list[str]
    networks: list[str] = field(default_factory=list)
    request_limit: int = 1000


@dataclass(frozen=True)
class Known(Identity):
    client_networks: list[str] = field(default_factory=list)


def offered(role: str) -> list[str]:
    """The scopes that a client of this role may have."""
    return sorted(name for name, roles in auth.PERMISSIONS.items() if role in roles and name not in NEVER)


def find(scope: Scope) -> list[Client]:
    """Those that work first, the newest of them first; of the revoked ones the newest."""
    auth.require(scope.identity, "clinic.settings")
    return scope.many(Client, """
        select c.id, c.name, c.role, c.scopes, cast(c.networks as text[]) as networks, c.request_limit,
               m.display_name as made_by, c.created_at, c.last_used_at, c.revoked_at
        from api_clients c
        join memberships m on m.clinic_id = c.clinic_id and m.user_id = c.created_by
        where c.clinic_id = :clinic_id
        order by c.revoked_at is not null, c.id desc
        limit 200
        """)


def add(scope: Scope, wanted: Wanted) -> tuple[UUID, str]:
    """Its id and what it shows with each request. Only the hash of that is kept."""
    auth.require(scope.identity, "clinic.settings")
    _check(wanted)
    secret = secrets.token_urlsafe(32)
    client_id: UUID = scope.value("""
        insert into api_clients (clinic_id, name, secret_hash, role, scopes, networks, request_limit, created_by)
        values (:clinic_id, :name, :secret_hash, :role, :scopes, cast(:networks as cidr[]), :request_limit, :user_id)
        returning id
        """, name=auth.check_name(wanted.name, _("Name")), secret_hash=tokens.digest(secret), role=wanted.role,
             scopes=sorted(set(wanted.scopes)), networks=clinics.networks(wanted.networks), request_limit=wanted.request_limit,
             user_id=scope.identity.user_id)
    audit.record(scope, "add_client", "api_client", client_id)
    return client_id, f"{PREFIX}{_name(scope.identity.clinic_id, client_id)}.{secret}"


def revoke(scope: Scope, client_id: UUID) -> None:
    """For good, from its next request on."""
    auth.require(scope.identity, "clinic.settings")
    if not scope.run("""
            update api_clients
            set revoked_at = transaction_timestamp()
            where clinic_id = :clinic_id
              and id = :id
              and revoked_at is null
            """, id=client_id):
        raise NotFound
    audit.record(scope, "revoke_client", "api_client", client_id)


def recognise(token: str, *, address: str = "", request_id: str = "", place: str = "") -> Identity:
    """In the name of the owner who made it, with its own role and scopes. The row is read every time. In a restored copy nobody:
    a program can't see that these are not the clinic's own records, and would write into them."""
    clinic_id, client_id, secret = _read(token)
    known = partial(Known, session=mark(client_id), client=client_id, address=address,
                    request_id=request_id, place=place)
    identity = db.ask(known, """
        select user_id, clinic_id, role, email, full_name, clinic_name, country, time_zone, currency, language,
               emergency_number, networks, scopes, client_networks, request_limit
        from app.resume_client(:clinic, :client, :secret)
        """, clinic=clinic_id, client=client_id, secret=tokens.digest(secret))
    if identity is None:
        metrics.token_failures.labels("client").inc()
        raise NotSignedIn(_("This API client is not known, or was revoked."))
    refused = _refusal(identity, address)
    if refused:
        audit.record_refusal(identity)
        raise Forbidden(refused)
    return identity


def _refusal(known: Known, address: str) -> str:
    """"" for none."""
    if quarantine.copied():
        return _("This is a restored copy, not released yet. API clients are let in again when it is.")
    if known.client_networks and not auth.within(address, known.client_networks):
        return _("This API client may not call from this address.")
    return ""


def spend(identity: Identity) -> None:
    if identity.client:
        rate_limits.spend_request(identity.client, identity.request_limit)


def mark(client_id: UUID) -> bytes:
    """What stands for it in the audit log, where a person's session does."""
    return tokens.digest(f"client {client_id}")


def _check(wanted: Wanted) -> None:
    if wanted.role not in auth.PERMISSIONS["patients.read"]:
        raise Invalid(_("This role is not known."))
    beyond = sorted(set(wanted.scopes) - set(offered(wanted.role)))
    if beyond:
        raise Invalid(_("The role of this API client does not have: {scopes}").format(scopes=", ".join(beyond)[:200]))
    if not wanted.scopes:
        raise Invalid(_("An API client needs at least one scope."))
    if not 1 <= wanted.request_limit <= MOST_REQUESTS:
        raise Invalid(_("A limit is between 1 and 1,000,000 requests."))
    if len(wanted.name) > 100:
        raise Invalid(_("A name has at most 100 characters."))


def _name(clinic_id: UUID, client_id: UUID) -> str:
    """Both ids, so that one row of one clinic is looked at."""
    return base64.urlsafe_b64encode(clinic_id.bytes + client_id.bytes).rstrip(b"=").decode()


def _read(token: str) -> tuple[UUID, UUID, str]:
    name, _dot, secret = token.removeprefix(PREFIX).partition(".")
    try:
        ids = base64.urlsafe_b64decode(name + "=")
        return UUID(bytes=ids[:16]), UUID(bytes=ids[16:]), secret
    except ValueError:
        raise NotSignedIn from None
