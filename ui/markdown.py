"""Text of people and machines inside Streamlit's Markdown, where a name could otherwise be a link, an image or a formula."""

import re

JOINER = "\u2060"  # takes no room and is no letter
SPECIAL = str.maketrans({letter: "\\" + letter for letter in "\\`*_{}[]()<>#+-.!|~:$&\"'"})
FETCHING = str.maketrans({letter: "\\" + letter for letter in "\\[]{}<>$`~&"})
# Streamlit looks for these after Markdown has taken the backslashes away: bare addresses, icons, dashes and arrows. In an answer
# it reads directives and emoji, too (`:red`, `::note`, `:+1:`). A colon before a space or in a time of day is only a colon.
LATE = re.compile(r"""(www\.|@|:(?=//|[^\W\d_]|[:+]|[-\d][-\w]*:)|[-<>=!~](?=[-<>=~]))""", re.IGNORECASE)


def escape(text: str) -> str:
    """What somebody typed, shown as they typed it, on one line."""
    return apart(text.replace("\n", " ")).translate(SPECIAL)


def inert(markdown: str) -> str:
    """An answer's Markdown with emphasis, headings and lists only: no link, image, HTML, code or formula, nothing to fetch."""
    return apart(markdown).translate(FETCHING)


def apart(text: str) -> str:
    """A word joiner behind the first letter of whatever would become something else. ("www." with a joiner behind the whole is
    still read as the beginning of an address, and a browser leaves the joiner out.)"""
    return LATE.sub(lambda found: found[0][0] + JOINER + found[0][1:], text)
