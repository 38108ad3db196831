"""Where a list goes on: what the last row was sorted by, and its id, so that rows which come meanwhile move nothing."""

import base64
import binascii
import json
from typing import Any
from uuid import UUID

from lib.db import Page
from lib.errors import Invalid
from lib.texts import _


def after(page: Page[Any]) -> str | None:
    """The next page's; None at the end."""
    return base64.urlsafe_b64encode(json.dumps([str(page.rows[-1].id)]).encode()).rstrip(b"=").decode() if page.more else None


def read(cursor: str | None) -> UUID | None:
    """Of a list that is sorted by id alone. It opens nothing by itself: each row is asked for in the caller's clinic."""
    if not cursor:
        return None
    try:
        (last,) = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return UUID(last)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise Invalid(_("This cursor can't be used. Begin the list anew.")) from None
