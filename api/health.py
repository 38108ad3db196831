"""`/api/v1/health`: whether this process should be sent any work. `/health` (api/assistant.py) says only that it lives."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from api.problems import PROBLEM
from api.route import OneHop
from api.session import ANYBODY
from lib import health

router = APIRouter(route_class=OneHop)


class Health(BaseModel):
    """`parts`: what is well says "ok", the others say why not. `backup_hours`: since the last one; null where there is none."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [{
        "status": "degraded", "backup_hours": 3.5, "parts": {
            "database": "ok", "migrations": "ok", "worker": "ok", "disk": "ok", "service": "ok",
            "provider": "does not answer"}}]})

    status: str
    parts: dict[str, str]
    backup_hours: float | None


@router.get("/health", response_model=Health, openapi_extra=ANYBODY)
def check(request: Request) -> Any:
    """503 with the reason. A provider that is away is "degraded", and 200: the knowledge base answers."""
    report = health.check()
    told = Health.model_validate(report)
    if not report.failing:
        return told
    detail = "; ".join(f"{name}: {said}" for name, said in report.failing.items())
    return JSONResponse({**told.model_dump(), "detail": detail, "request_id": request.state.request_id}, 503, media_type=PROBLEM)
