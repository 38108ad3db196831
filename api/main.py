"""HTTP routes under /api, mounted beside the screens."""

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api import audit, chats, credentials, drafts, patients, session
from api.answer import problem, sentence
from api.limits import MOST_BYTES
from lib import db, errors
from lib.texts import _

log = structlog.get_logger()

STATUS: dict[type[errors.AppError], int] = {
    errors.Invalid: 422, errors.NotSignedIn: 401, errors.Forbidden: 403, errors.NotFound: 404, errors.Changed: 409,
    errors.Conflict: 409, errors.TooMany: 429, errors.Unavailable: 503,
}

health = APIRouter()


@health.get("/health")
def check_health() -> dict[str, str]:
    """The database answers; 503 with the reason when it does not."""
    with db.nobody() as connection:
        connection.execute(db.statement("select 1"))
    return {"status": "ok"}


def make() -> FastAPI:
    app = FastAPI(title="Chairside", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
                  max_body_size=MOST_BYTES)
    app.include_router(session.router, prefix="/v1")
    app.include_router(patients.router, prefix="/v1")
    app.include_router(chats.router, prefix="/v1")
    app.include_router(credentials.router, prefix="/v1")
    app.include_router(audit.router, prefix="/v1")
    app.include_router(drafts.router, prefix="/v1")
    app.include_router(health, prefix="/v1")
    app.add_exception_handler(errors.AppError, _refuse)
    app.add_exception_handler(HTTPException, _explain)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _fail)
    return app


def _refuse(request: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, errors.TooMany) else None
    return problem(status, str(error), _request_id(request), headers)


def _explain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, sentence(error.status_code), _request_id(request), error.headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = ", ".join(".".join(str(part) for part in item["loc"]) for item in error.errors())
    return problem(422, _("These fields can't be used: {fields}").format(fields=fields), _request_id(request))


def _fail(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", path=request.scope["path"], request_id=_request_id(request), error=type(error).__name__)
    return problem(500, sentence(500), _request_id(request))


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))
