"""Every text a person reads passes through `_`, so that a catalogue in locale/ can translate it."""

from gettext import translation
from pathlib import Path

_catalogue = translation("chairside", Path(__file__).parent.parent / "locale", languages=["en"], fallback=True)


def _(message: str) -> str:
    return _catalogue.gettext(message)
