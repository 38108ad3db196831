"""Text of people and machines inside Streamlit's Markdown, where a name could otherwise be a link, an image or a formula."""

import re

JOINER = "\u2060"  # takes no room and is no letter
SPECIAL = str.maketrans({letter: "\\" + letter for letter in "\\`*_{}[]()<>#+-.!|~:$&\"'"})
FETCHING = str.maketrans({letter: "\\" + letter for letter in "\\[]<>$`~&"})
# Streamlit looks for these after Markdown has taken the backslashes away: bare addresses, icons, dashes and arrows.
LATE = re.compile(r"""(://|www\.|@|:(?=material|streamlit)|[-<>=!~](?=[-<>=~]))""", re.IGNORECASE)


def escape(text: str) -> str:
    """What somebody typed, shown as they typed it, on one line."""
    return apart(text.replace("\n", " ")).translate(SPECIAL)


def inert(markdown: str) -> str:
    """An answer's Markdown with emphasis, headings and lists only: no link, image, HTML, code or formula, nothing to fetch."""
    return apart(markdown).translate(FETCHING)


def apart(text: str) -> str:
    """A word joiner in whatever would become something else: inside what is read as a whole, behind the rest. ("www." with a
    joiner behind it is still read as the beginning of an address, and a browser leaves the joiner out.)"""
    return LATE.sub(lambda found: found[0][0] + JOINER + found[0][1:] if found[0][0] in ":wW" else found[0] + JOINER, text)
