"""Every text a person reads passes through `_`, so that a catalogue in locale/ can translate it."""

from gettext import translation
from pathlib import Path

_catalogue = translation("chairside", Path(__file__).parent.parent / "locale", languages=["en"], fallback=True)


def _(message: str) -> str:
    return _catalogue.gettext(message)


def count(one: str, many: str, n: int) -> str:
    """The form of a sentence that fits a number, with `{n}` filled in: "1 call", "2 calls"."""
    return _catalogue.ngettext(one, many, n).format(n=f"{n:,}")
