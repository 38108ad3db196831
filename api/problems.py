"""How a refusal looks: RFC 9457, and one sentence for each status. It knows no screen, as the assistant by itself has none."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

from lib.texts import _

PROBLEM = "application/problem+json"


def problem(status: int, detail: str, request_id: str = "", headers: Mapping[str, str] | None = None) -> JSONResponse:
    """`request_id`: where a log knows one."""
    body = {"status": status, "detail": detail} | ({"request_id": request_id} if request_id else {})
    return JSONResponse(body, status, headers, media_type=PROBLEM)


def sentence(status: int) -> str:
    known = {
        400: _("This address is not served here."),
        401: _("Please sign in."),
        403: _("This is not allowed."),
        404: _("There is nothing here by that address."),
        405: _("This can't be done here."),
        413: _("This request is too large."),
    }
    other = _("Something went wrong. Please try again.") if status >= 500 else _("This request can't be answered.")
    return known.get(status, other)
