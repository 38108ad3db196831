"""How a refusal looks in the OpenAPI document: one shape for all, and each route's own statuses."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from api.problems import PROBLEM


class Problem(BaseModel):
    """RFC 9457. `request_id`: what to tell whoever runs this installation."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "status": 404, "detail": "There is nothing here by that address.", "request_id": "6f2d0c1b9a8e7f35"}]})

    status: int
    detail: str
    request_id: str


REASONS = {
    400: "Not JSON, or not our host", 401: "Nobody is signed in", 403: "The role or scope does not allow it",
    404: "Nothing here by that id", 409: "It exists already, or is in use", 412: "Somebody else saved meanwhile",
    413: "Too large", 415: "Not a media type that is read here", 422: "A value can't be used", 428: "If-Match is missing",
    429: "Too many; Retry-After says how long", 503: "The database is away",
}
ALWAYS = (400, 401, 403, 404, 413, 415, 422, 429, 503)


def of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": REASONS[status], "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
            for status in statuses}
