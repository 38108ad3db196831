"""The articles as one element: under headings, each with its first sentence and its state; opened by click or Enter."""

import re
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache, partial
from pathlib import Path
from zoneinfo import ZoneInfo

import streamlit as st

from lib.identity import Identity
from lib.library import Listed
from lib.texts import _
from ui import widgets

HEADING, MARKUP = re.compile(r"^\s*#+ .*$", re.MULTILINE), re.compile(r"[*_`#>\\]+|^\s*[-+] ", re.MULTILINE)
SENTENCE = re.compile(r".+?[.!?…](?=\s)|.+")
_files = Path(__file__).parent / "components"
_component = st.components.v2.component("article_list", js=(_files / "article_list.js").read_text(),
                                        css=(_files / "article_list.css").read_text())


def show(rows: list[Listed], identity: Identity, *, current: str, archived: bool = False) -> str | None:
    """The key (`?article=`) of the one somebody just opened."""
    own = _("Archived") if archived else _("From this clinic")
    day = cache(partial(widgets.day, identity=identity))  # there are few days, and writing one takes as long as the rest of a row
    sections = [{"heading": heading, "rows": [_row(row, identity, day) for row in rows if (row.id is None) == built_in]}
                for heading, built_in in ((own, False), (_("Built in"), True))]
    data = {"label": _("Articles"), "current": current, "sections": [section for section in sections if section["rows"]]}
    opened = _component(key="article_list", data=data, on_opened_change=_listen).opened
    return opened if opened and any(key(row) == opened for row in rows) else None


def _listen() -> None:
    """Streamlit reports a trigger only to a component that has a callback for it."""


def key(row: Listed) -> str:
    return f"own:{row.id}" if row.id else str(row.slug)


def _row(row: Listed, identity: Identity, day: Callable[[date], str]) -> dict[str, object]:
    return {"key": key(row), "title": row.title, "opening": first_sentence(row.opening), "state": _state(row, identity, day),
            "reviewed": bool(row.reviewed_by)}


def _state(row: Listed, identity: Identity, day: Callable[[date], str]) -> str:
    if row.changed_at:
        return _("Changed on {day}").format(day=day(row.changed_at.astimezone(ZoneInfo(identity.time_zone)).date()))
    if row.reviewed_on:
        return _("Reviewed by {name} on {day}").format(name=row.reviewed_by, day=day(row.reviewed_on))
    assert row.drafted_on
    return _("Draft of {day}, not yet reviewed by a clinician").format(day=day(row.drafted_on))


@lru_cache(maxsize=1000)
def first_sentence(markdown: str) -> str:
    """Without headings and markup, on one line; a text of headings only begins with the first of them."""
    text = MARKUP.sub("", HEADING.sub("", markdown).strip() or markdown)
    found = SENTENCE.match(" ".join(text.split()))
    return found[0] if found else ""
