"""Signing in by a program: the form's own rules, limits, lock-outs and records, and tokens instead of a cookie."""

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api import refusals
from api.route import OneHop, in_turn
from api.session import ANYBODY, address, known, same_origin, who
from lib import auth, factors, grants, tokens
from lib.auth import Account
from lib.errors import NotSignedIn
from lib.identity import Identity
from lib.texts import _

router = APIRouter(prefix="/auth", tags=["auth"], route_class=OneHop)
PATIENCE = timedelta(minutes=5)  # between the password and the second factor
FACTOR = "factor"

Text = Annotated[str, Field(min_length=1, max_length=255)]
Password = Annotated[str, Field(min_length=1, max_length=1000)]


class NewClinic(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{
        "full_name": "Ann Adams", "clinic_name": "Adams Dental", "email": "ann@example.org",
        "password": "four unrelated plain words", "country": "US", "time_zone": "America/New_York"}]})

    full_name: Text
    clinic_name: Text
    email: Text
    password: Password
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = "US"
    time_zone: Annotated[str, Field(max_length=64)] = ""


class SignIn(BaseModel):
    """`keep`: seven days instead of 30 minutes idle and 12 hours in all, where the clinic allows it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "email": "ann@example.org", "password": "four unrelated plain words", "keep": False}]})

    email: Text
    password: Password
    keep: bool = False


class Code(BaseModel):
    """`mfa_token`: what the password got. `code`: of the authenticator app, or a recovery code."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"mfa_token": "eyJ…", "code": "123456", "keep": False}]})

    mfa_token: Annotated[str, Field(min_length=1, max_length=2000)]
    code: Annotated[str, Field(min_length=1, max_length=40)]
    keep: bool = False


class Renewal(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"refresh_token": "…"}]})

    refresh_token: Annotated[str, Field(min_length=1, max_length=200)]


class Tokens(BaseModel):
    """`mfa_token` alone: the password was right, and POST /auth/mfa/verify is next. `expires_in`: seconds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "access_token": "eyJ…", "refresh_token": "…", "token_type": "Bearer", "expires_in": 900, "mfa_token": None}]})

    access_token: str | None = None
    refresh_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int | None = None
    mfa_token: str | None = None


class Me(BaseModel):
    """`client`: the API client that asks, in the name of `user_id`. `permissions`: of the role, or the client's scopes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "user_id": "01932c07-2c3e-7d02-8b6a-5f1e3c9a4b21", "client": None, "email": "ann@example.org", "full_name": "Ann Adams",
        "clinic_id": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10", "clinic_name": "Adams Dental", "role": "owner", "language": "en",
        "time_zone": "America/New_York", "must_enrol": False, "permissions": ["patients.read", "patients.write"]}]})

    user_id: UUID
    client: UUID | None
    email: str
    full_name: str
    clinic_id: UUID
    clinic_name: str
    role: str
    language: str
    time_zone: str
    must_enrol: bool
    permissions: list[str]


@router.post("/register", status_code=201, responses=refusals.of(409), dependencies=[Depends(in_turn)], openapi_extra=ANYBODY)
def register(new: NewClinic, request: Request) -> Tokens:
    """A person and the clinic they own. 403 where sign-up is closed."""
    account = auth.sign_up(**{**new.model_dump(), "email": auth.clean(new.email)}, address=address(request))
    return _let_in(account, request, keep=False)


@router.post("/login", dependencies=[Depends(in_turn)], openapi_extra=ANYBODY)
def login(sign_in: SignIn, request: Request) -> Tokens:
    account = auth.find_account(sign_in.email)
    if not auth.verify(account, sign_in.password, address=address(request), request_id=request.state.request_id):
        raise NotSignedIn(_("This email and password don't match an account. Check both and try again."))
    if account.factor:
        assert account.id
        return Tokens(mfa_token=tokens.make(account.id, account.email, _proof(account)[0], PATIENCE, FACTOR))
    return _let_in(account, request, keep=sign_in.keep)


@router.post("/mfa/verify", openapi_extra=ANYBODY)
def verify(code: Code, request: Request) -> Tokens:
    shown = tokens.read(code.mfa_token, FACTOR)
    if not factors.check(UUID(shown.user_id), auth.clean(code.code), email=shown.email, address=address(request),
                         request_id=request.state.request_id):
        raise NotSignedIn(_("This code doesn't match, or was used already. Wait for the next one and try again."))
    account = auth.find_account(shown.email)
    if shown.id not in _proof(account):
        raise NotSignedIn(_("Your password was changed meanwhile. Please sign in with the new one."))
    return _let_in(account, request, keep=code.keep)


@router.post("/refresh", responses=refusals.of(409), openapi_extra=ANYBODY)
def refresh(renewal: Renewal, request: Request) -> Tokens:
    """Each refresh token is good once. Shown again, it ends the session and all that came of it (401). Of two calls at the same
    moment one is answered, and the other gets 409."""
    return _told(grants.refresh(renewal.refresh_token, address=address(request), request_id=request.state.request_id,
                                place="POST /api/v1/auth/refresh"))


@router.post("/logout", status_code=204, dependencies=[Depends(same_origin)])
def logout(identity: Annotated[Identity, Depends(who)]) -> None:
    """The session and every token of it."""
    auth.sign_out(identity)


@router.get("/me")
def me(identity: Annotated[Identity, Depends(known)]) -> Me:
    return Me(**{name: getattr(identity, name) for name in Me.model_fields if name != "permissions"},
              permissions=[name for name in auth.PERMISSIONS if auth.may(identity, name)])


def _let_in(account: Account, request: Request, *, keep: bool) -> Tokens:
    return _told(grants.issue(account, keep=keep, device=request.headers.get("user-agent", ""), address=address(request),
                              request_id=request.state.request_id))


def _told(grant: grants.Grant) -> Tokens:
    return Tokens(access_token=grant.access, refresh_token=grant.refresh, expires_in=int(grants.LIFE.total_seconds()))


def _proof(account: Account) -> list[str]:
    """Which password was right. Under both secrets while one is being replaced."""
    return tokens.derive(f"password {account.password_hash}")
