"""Who asks: a person by a cookie or an access token, or an API client. And the browser's session: a ticket becomes a cookie, a
sign-out ends it, a tab asks whether it still lasts."""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.doorman import cookie_name, read_cookie, same_host
from api.route import OneHop
from lib import api_clients, audit, auth, grants, rate_limits, settings
from lib.errors import Forbidden, NotSignedIn
from lib.identity import Identity
from lib.texts import _

router = APIRouter(prefix="/session", tags=["session"], route_class=OneHop)
SAFE = {"GET", "HEAD"}
ANYBODY: dict[str, Any] = {"security": []}  # `openapi_extra` of a route that does not ask who it is


class Ticket(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"ticket": "kX2v9QmT4bR7cW1sZ8nL5dYpA3fHgJ6e"}]})

    ticket: Annotated[str, Field(min_length=20, max_length=100)]


def same_origin(request: Request) -> None:
    """Streamlit's XSRF token covers uploads only, so own routes look at where the browser says the call comes from. A browser
    sends a cookie by itself; no site can make it send a token, nor an Origin of FRONTEND_URL."""
    if "authorization" in request.headers or request.headers.get("origin") in settings.get().frontend_url:
        return
    if request.headers.get("sec-fetch-site") not in (None, "same-origin") or not same_host(request.headers):
        audit.record_security("origin_refused", address=address(request), request_id=request.state.request_id)
        raise Forbidden("This request came from another site.")


def who(request: Request) -> Identity:
    """The person whose cookie or access token this is, read from the session row; 401 for anybody else. One of the reads they
    have."""
    identity = _look(request, active=True)
    rate_limits.spend("reads", identity.user_id)
    return identity


def known(request: Request) -> Identity:
    """A person, or an API client."""
    if request.method not in SAFE:
        same_origin(request)
    identity = _look(request, active=True, clients=True)
    if identity.client:
        api_clients.spend(identity)
    else:
        rate_limits.spend("reads" if request.method in SAFE else "changes", identity.user_id)
    return identity


def may(permission: str) -> Callable[[Request], Identity]:
    """Whoever has this permission: a person, or an API client with that scope. A refusal is on record. One of their reads or
    changes, or of the client's requests."""
    def admit(request: Request) -> Identity:
        identity = known(request)
        if not auth.may(identity, permission):
            audit.record_refusal(identity)
            auth.require(identity, permission)
        return identity
    return admit


def watcher(request: Request) -> Identity:
    """`who`, for what a tab does by itself: no activity, and none of somebody's reads."""
    return _look(request, active=False)


def _look(request: Request, *, active: bool, clients: bool = False) -> Identity:
    identity = _recognise(request, active, address=address(request), request_id=request.state.request_id,
                          place=f"{request.method} {request.url.path}"[:200])
    if identity.client and not clients:
        raise Forbidden(_("This is for people, not for API clients."))
    request.state.identity = identity
    return identity


def _recognise(request: Request, active: bool, **about: str) -> Identity:
    """With an Authorization header the cookie is not looked at."""
    shown = request.headers.get("authorization")
    if shown is None:
        return auth.recognise(read_cookie(request.headers), active=active, **about)
    scheme, _space, token = shown.partition(" ")
    if scheme.lower() != "bearer":
        raise NotSignedIn(_("This needs a token, as Authorization: Bearer …"))
    if token.startswith(api_clients.PREFIX):
        return api_clients.recognise(token, **about)
    return grants.recognise(token, active=active, **about)


def address(request: Request) -> str:
    return request.client.host if request.client else ""


@router.post("", status_code=204, dependencies=[Depends(same_origin)], openapi_extra=ANYBODY)
def open_session(ticket: Ticket, request: Request) -> Response:
    signed_in = auth.redeem_ticket(ticket.ticket, device=request.headers.get("user-agent", ""), address=address(request),
                                   request_id=request.state.request_id)
    response = Response(status_code=204)
    response.set_cookie(cookie_name(), signed_in.token, max_age=signed_in.max_age, path="/", httponly=True, samesite="lax",
                        secure=settings.get().tls)
    return response


@router.delete("", status_code=204, dependencies=[Depends(same_origin)], openapi_extra=ANYBODY)
def close_session(request: Request) -> Response:
    with suppress(NotSignedIn):  # already over: the cookie goes all the same
        auth.sign_out(_look(request, active=False))
    response = Response(status_code=204)
    response.delete_cookie(cookie_name(), path="/", httponly=True, samesite="lax", secure=settings.get().tls)
    return response


class Watch(BaseModel):
    """What an open tab needs to know. `ends_in`: seconds until the session is over if nobody does anything."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "clinic": "01932c07-2c3e-7b1f-9d55-0a4c6a1f7f10", "ends_in": 1740.5}]})

    clinic: UUID
    ends_in: float


@router.get("")
def look(identity: Annotated[Identity, Depends(watcher)]) -> Watch:
    """200 while the session lasts, 401 after; not an activity, so that an open tab still runs idle."""
    return Watch(clinic=identity.clinic_id, ends_in=identity.ends_in)


@router.put("", dependencies=[Depends(same_origin)])
def stay(identity: Annotated[Identity, Depends(who)]) -> Watch:
    """Somebody is still there."""
    return Watch(clinic=identity.clinic_id, ends_in=identity.ends_in)
