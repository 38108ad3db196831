"""`/metrics` for Prometheus: not there without CHAIRSIDE_METRICS_TOKEN, and closed to whoever does not show it."""

import hmac
from typing import Annotated

from fastapi import FastAPI, Header, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from lib import gauges, settings

DOOR = {"WWW-Authenticate": "Bearer"}


def show(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
    """What each line means stands in docs/operations.md."""
    token = settings.get().metrics_token
    if token is None:
        return Response(status_code=404)
    if not hmac.compare_digest(authorization.encode(), f"Bearer {token.get_secret_value()}".encode()):
        return Response(status_code=401, headers=DOOR)
    return Response(gauges.scrape(alone=not request.app.state.counted), media_type=CONTENT_TYPE_LATEST)


def make() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.counted = True
    app.add_api_route("/metrics", show)
    return app
