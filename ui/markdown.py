"""Text of people and machines inside Streamlit's Markdown, where a name could otherwise be a link, an image or a formula."""


def escape(text: str) -> str:
    """What somebody typed, shown as they typed it, on one line."""
    one_line = text.replace("\n", " ")
    return unlinked("".join("\\" + letter if letter in "\\`*_{}[]()<>#+-.!|~:$&\"'" else letter for letter in one_line))


def inert(markdown: str) -> str:
    """An answer's Markdown with emphasis, headings and lists only: no link, image, HTML, code or formula, nothing to fetch."""
    return unlinked("".join("\\" + letter if letter in "[]<>$`~" else letter for letter in markdown))


def unlinked(text: str) -> str:
    """A word joiner keeps bare addresses from becoming links: Markdown makes them after it has taken the backslashes away."""
    joined = text.replace("://", ":\u2060//").replace("\\://", "\\:\u2060//").replace("@", "@\u2060")
    return joined.replace("www.", "www\u2060.").replace("www\\.", "www\u2060\\.")
