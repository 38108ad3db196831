"""HTTP routes under /api, mounted beside the screens."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api import (
    analytics,
    audit,
    audit_log,
    auth,
    chat_files,
    chats,
    clients,
    clinic,
    clinics,
    conditions,
    credentials,
    docs,
    drafts,
    emergencies,
    figures,
    health,
    imports,
    long_jobs,
    patient_files,
    patients,
    refusals,
    session,
    team,
)
from api.limits import MOST_BYTES
from api.problems import problem, sentence
from lib import errors
from lib.texts import _

log = structlog.get_logger()

STATUS: dict[type[errors.AppError], int] = {
    errors.Invalid: 422, errors.NotSignedIn: 401, errors.Forbidden: 403, errors.NotFound: 404, errors.Changed: 409,
    errors.Conflict: 409, errors.TooMany: 429, errors.Unavailable: 503, conditions.Missing: 428, conditions.Failed: 412,
    imports.WrongKind: 415,
}
ROUTERS = (auth, session, clinics, patient_files, imports, patients, chat_files, chats, emergencies, team, credentials, figures,
           analytics, audit_log, audit, long_jobs, clinic, clients, drafts, docs, health)
DOORS = {401: {"WWW-Authenticate": "Bearer"}}


def make() -> FastAPI:
    app = FastAPI(title="Chairside", version="1", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
                  max_body_size=MOST_BYTES)
    for module in ROUTERS:
        app.include_router(module.router, prefix="/v1", responses=refusals.of(*refusals.ALWAYS))
    app.add_exception_handler(errors.AppError, _refuse)
    app.add_exception_handler(HTTPException, _explain)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _fail)
    return app


def _refuse(request: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, errors.TooMany) else DOORS.get(status)
    return problem(status, str(error), _request_id(request), headers)


def _explain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, sentence(error.status_code), _request_id(request), error.headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    status = _status_of(request, found)
    fields = ", ".join(".".join(str(part) for part in item["loc"]) for item in found)
    detail = _("These fields can't be used: {fields}").format(fields=fields) if status == 422 else _said(status)
    return problem(status, detail, _request_id(request))


def _status_of(request: Request, found: Sequence[Any]) -> int:
    """What is no id at all answers like an id that nobody has; what is no JSON is not looked into."""
    if any(item["type"] == "json_invalid" for item in found):
        return 400
    places = {item["loc"][0] for item in found}
    if "path" in places:
        return 404
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return 415 if "body" in places and kind and kind != "application/json" else 422


def _said(status: int) -> str:
    known = {400: _("This is not JSON."), 415: _("Send this as application/json.")}
    return known.get(status) or str(errors.NotFound())


def _fail(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", path=request.scope["path"], request_id=_request_id(request), error=type(error).__name__)
    return problem(500, sentence(500), _request_id(request))


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))
