"""API clients, by the owner who lets them in."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api import once, refusals
from api.route import OneHop
from api.session import may
from lib import api_clients, db
from lib.identity import Identity

router = APIRouter(prefix="/api-clients", tags=["api clients"], route_class=OneHop)
Owner = Annotated[Identity, Depends(may("clinic.settings"))]


class NewClient(BaseModel):
    """`scopes`: permissions of the role. `networks`: addresses or networks it may call from; empty: everywhere.
    `request_limit`: in fifteen minutes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "name": "Practice software", "role": "receptionist", "scopes": ["patients.read", "patients.write"],
        "networks": ["203.0.113.7"], "request_limit": 1000}]})

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Annotated[str, Field(max_length=20)]
    scopes: Annotated[list[Annotated[str, Field(max_length=60)]], Field(min_length=1, max_length=60)]
    networks: Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=50)] = []
    request_limit: Annotated[int, Field(ge=1, le=api_clients.MOST_REQUESTS)] = 1000


class Client(BaseModel):
    """`made_by`: the owner in whose name it acts. `last_used_at`: to the minute."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [{
        "id": "01932c07-2c3e-7f21-9a32-4c6e8d0f1b50", "name": "Practice software", "role": "receptionist",
        "scopes": ["patients.read", "patients.write"], "networks": ["203.0.113.7/32"], "request_limit": 1000,
        "made_by": "Ann Adams", "created_at": "2026-03-01T09:30:00Z", "last_used_at": "2026-03-01T09:45:00Z",
        "revoked_at": None}]})

    id: UUID
    name: str
    role: str
    scopes: list[str]
    networks: list[str]
    request_limit: int
    made_by: str
    created_at: AwareDatetime
    last_used_at: AwareDatetime | None
    revoked_at: AwareDatetime | None


class Made(BaseModel):
    """`token`: shown this once. Sent as `Authorization: Bearer …`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": "01932c07-2c3e-7f21-9a32-4c6e8d0f1b50", "token": "chairside_…"}]})

    id: UUID
    token: str


@router.get("")
def find(identity: Owner) -> list[Client]:
    with db.scope(identity) as scope:
        return [Client.model_validate(client) for client in api_clients.find(scope)]


@router.post("", status_code=201, responses=refusals.of(409))
def add(new: NewClient, identity: Owner, request: Request, key: once.Key = None) -> Made:
    """409: it came with this Idempotency-Key before, and its token was shown then."""
    with db.scope(identity) as scope:
        once.claim(scope, request, key, new)
        client_id, token = api_clients.add(scope, api_clients.Wanted(**new.model_dump()))
    return Made(id=client_id, token=token)


@router.delete("/{client_id}", status_code=204)
def revoke(client_id: UUID, identity: Owner) -> Response:
    with db.scope(identity) as scope:
        api_clients.revoke(scope, client_id)
    return Response(status_code=204)
