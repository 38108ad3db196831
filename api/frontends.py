"""Other sites' pages, as FRONTEND_URL names them: what they may send to /api/v1, and that they can read every answer of it."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from lib import settings

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SENT = ("Authorization", "Content-Type", "If-Match", "Idempotency-Key")
READ = ("ETag", "Location", "Retry-After", "X-Request-Id", "WWW-Authenticate", "Content-Disposition")


def let_in(app: ASGIApp, path: str) -> ASGIApp:
    """Around whatever answers, refusals and failures too: a page that may not read those sees a broken network."""
    origins = settings.get().frontend_url
    if not origins or not path.startswith("/api/v1/"):
        return app
    return CORSMiddleware(app, origins, METHODS, SENT, allow_credentials=True, expose_headers=READ)
