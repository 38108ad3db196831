"""HTTP routes under /api, mounted beside the screens."""

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api import patients, session
from lib import db, errors

log = structlog.get_logger()

STATUS: dict[type[errors.AppError], int] = {
    errors.Invalid: 422, errors.NotSignedIn: 401, errors.Forbidden: 403, errors.NotFound: 404, errors.Changed: 409,
    errors.Conflict: 409, errors.Unavailable: 503,
}

health = APIRouter()


@health.get("/health")
def check_health() -> dict[str, str]:
    """The database answers; 503 with the reason when it does not."""
    with db.nobody() as connection:
        connection.execute(db.statement("select 1"))
    return {"status": "ok"}


def make() -> FastAPI:
    app = FastAPI(title="Chairside", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(session.router, prefix="/v1")
    app.include_router(patients.router, prefix="/v1")
    app.include_router(health, prefix="/v1")
    app.add_exception_handler(errors.AppError, _refuse)
    app.add_exception_handler(HTTPException, _explain)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _fail)
    return app


def _refuse(request: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    return _problem(request, status, str(error))


def _explain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _problem(request, error.status_code, str(error.detail))


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = ", ".join(".".join(str(part) for part in item["loc"]) for item in error.errors())
    return _problem(request, 422, f"These fields can't be used: {fields}")


def _fail(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", path=request.url.path, request_id=_request_id(request), error=type(error).__name__)
    return _problem(request, 500, "Something went wrong. Nothing was changed.")


def _problem(request: Request, status: int, detail: str) -> JSONResponse:
    body = {"status": status, "detail": detail, "request_id": _request_id(request)}
    return JSONResponse(body, status, media_type="application/problem+json")


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))
