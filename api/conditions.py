"""`ETag` and `If-Match`: who changes something says which version they have seen."""

import re

from lib.errors import AppError


class Missing(AppError):
    """This change needs an If-Match header with the ETag of what you have seen."""


class Failed(AppError):
    """Somebody else saved this in the meantime. Read it again, and decide anew. Nothing was changed."""


def etag(*versions: int) -> str:
    return '"' + ".".join(map(str, versions)) + '"'


def check(if_match: str | None, *versions: int) -> None:
    """Raises Missing without a header, Failed for another version. A weak tag matches nothing (RFC 9110)."""
    if not if_match:
        raise Missing
    if if_match.strip() != "*" and etag(*versions) not in re.findall(r'(?<!W/)"[^"]*"', if_match):
        raise Failed
