"""`/api/v1/health`: whether this process should be sent any work. `/health` (api/assistant.py) says only that it lives."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.answer import PROBLEM
from api.route import OneHop
from lib import health

router = APIRouter(route_class=OneHop)


@router.get("/health")
def check(request: Request) -> JSONResponse:
    """503 with the reason. A provider that is away is "degraded", and 200: the knowledge base answers."""
    report = health.check()
    body = {"status": report.status, "parts": report.parts, "backup_hours": report.backup_hours}
    if not report.failing:
        return JSONResponse(body)
    detail = "; ".join(f"{name}: {said}" for name, said in report.failing.items())
    return JSONResponse({**body, "detail": detail, "request_id": request.state.request_id}, 503, media_type=PROBLEM)
