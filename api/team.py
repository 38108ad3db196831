"""The team: members, their roles, and invitations."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api import once, refusals
from api.route import OneHop
from api.session import may
from lib import db, settings, team
from lib.identity import Identity

router = APIRouter(prefix="/team", tags=["team"], route_class=OneHop)
Manager = Annotated[Identity, Depends(may("team.manage"))]
Role = Literal["owner", "manager", "clinician", "receptionist"]


class Member(BaseModel):
    """`email`: null where one does not manage this person. `ended_at`: a former colleague."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [{
        "user_id": "01932c07-2c3e-7d03-9c7b-6a2f4d0b5c32", "display_name": "Bob Brown", "email": "bob@example.org",
        "role": "clinician", "created_at": "2026-03-01T09:30:00Z", "ended_at": None}]})

    user_id: UUID
    display_name: str
    email: str | None
    role: str
    created_at: AwareDatetime
    ended_at: AwareDatetime | None


class NewRole(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "manager"}]})

    role: Role


class Invitation(BaseModel):
    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [{
        "id": "01932c07-2c3e-7d14-8e5f-2b4a6c8d0e91", "email": "bob@example.org", "role": "clinician", "invited_by": "Ann Adams",
        "expires_at": "2026-03-04T09:30:00Z"}]})

    id: UUID
    email: str
    role: str
    invited_by: str
    expires_at: AwareDatetime


class Invited(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "bob@example.org", "role": "clinician"}]})

    email: Annotated[str, Field(min_length=1, max_length=255)]
    role: Role


class Link(BaseModel):
    """To be handed to the invited person; shown this once, and mailed where mail is set up."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"link": "https://chairside.example.org/?invite=…"}]})

    link: str


@router.get("")
def members(identity: Manager) -> list[Member]:
    with db.scope(identity) as scope:
        return [Member.model_validate(one) for one in team.members(scope)]


@router.patch("/{user_id}", responses=refusals.of(409))
def change_role(user_id: UUID, new: NewRole, identity: Manager) -> Member:
    with db.scope(identity) as scope:
        team.change_role(scope, user_id, new.role)
        return Member.model_validate(team.get(scope, user_id))


@router.post("/{user_id}/deactivate", status_code=204, responses=refusals.of(409))
def deactivate(user_id: UUID, identity: Manager) -> Response:
    with db.scope(identity) as scope:
        team.deactivate(scope, user_id)
    return Response(status_code=204)


@router.post("/{user_id}/reactivate", status_code=204, responses=refusals.of(409))
def reactivate(user_id: UUID, identity: Manager) -> Response:
    with db.scope(identity) as scope:
        team.reactivate(scope, user_id)
    return Response(status_code=204)


@router.post("/{user_id}/sign-out", status_code=204)
def sign_out(user_id: UUID, identity: Manager) -> Response:
    """Of this clinic, on every device."""
    with db.scope(identity) as scope:
        team.sign_out(scope, user_id)
    return Response(status_code=204)


@router.get("/invitations")
def invitations(identity: Manager) -> list[Invitation]:
    """Those that can still be accepted."""
    with db.scope(identity) as scope:
        return [Invitation.model_validate(one) for one in team.invitations(scope)]


@router.post("/invitations", status_code=201, responses=refusals.of(409))
def invite(wanted: Invited, identity: Manager, request: Request, key: once.Key = None) -> Link:
    """A former invitation of this address is void: sent twice, the second link counts. 409: it came with this Idempotency-Key
    before, and its link was shown then."""
    with db.scope(identity) as scope:
        once.claim(scope, request, key, wanted)
        token = team.invite(scope, wanted.email, wanted.role)
    return Link(link=team.invitation_link(token, settings.get().url or _address(request)))


@router.delete("/invitations/{invitation_id}", status_code=204)
def withdraw(invitation_id: UUID, identity: Manager) -> Response:
    with db.scope(identity) as scope:
        team.withdraw(scope, invitation_id)
    return Response(status_code=204)


def _address(request: Request) -> str:
    """As who asks calls it. Where a proxy ends TLS, the request itself came without."""
    scheme = "https" if settings.get().tls else request.url.scheme
    return f"{scheme}://{request.url.netloc}"
