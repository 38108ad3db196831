"""A file as an answer, and how the document tells of one."""

from typing import Any

from fastapi import Response


def of(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """For `responses`, beside `response_class=Response`: without the latter the document would promise JSON as well."""
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": "A file", "content": {kind: {"schema": schema} for kind in kinds}}}


def csv(text: str, name: str) -> Response:
    """UTF-8 with the mark that makes a spreadsheet read it so."""
    return Response(text.encode("utf-8-sig"), media_type="text/csv",
                    headers={"Content-Disposition": f'attachment; filename="{name}"'})
