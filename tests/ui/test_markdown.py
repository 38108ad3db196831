"""What people and machines write, inside Markdown."""

import re

import pytest
from markdown_it import MarkdownIt

from ui import markdown

HOSTILE = ["![x](http://evil.example/p.png)", "[click](https://evil.example)", "https://evil.example/x", "www.evil.example", "a@evil.example", "HTTP://evil.example", "WWW.evil.example", "Www.evil.example", "a--b -> c <- d >= e != f",
           "<img src=x onerror=alert(1)>", "$\\frac{1}{2}$", ":red[warning]", ":material/home:", "# Title", "\\[Open your record\\](//evil.example/login)", "**bold**", "`code`", "a\nb"]


def plain(text: str) -> str:
    """As Markdown would show it: backslashes taken away, word joiners invisible."""
    return text.replace("\\", "").replace("\u2060", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_typed_is_shown_as_typed(text):
    assert plain(markdown.escape(text)) == text.replace("\n", " ").replace("\\", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_address_survives_in_a_form_that_becomes_a_link(text):
    for made in (markdown.escape(text), markdown.inert(text)):
        bare = made.replace("\\", "").lower()
        assert not [sign for sign in ("://", "www.evil", "a@evil", ":material", ":streamlit") if sign in bare]


@pytest.mark.parametrize("text", ["a--b", "a->b", "a<-b", "a>=b", "a<=b", "a!=b", "a~=b"])
def test_no_sign_is_rewritten_as_a_dash_or_an_arrow(text):
    assert text[1:3] not in markdown.escape(text).replace("\\", "")


@pytest.mark.parametrize("text", [":red[x]", "Gums:red and swollen", "a:small b", ":blue-badge[x]", "::note", ":::note\nhello\n:::", ":smile:",
                                  ":Ärger:", ":+1:", ":-1:", ":100:", ":8ball:", "10:30:15:", ":::+1::", ":red{style=x}", "a:small{b}"])
def test_no_colon_begins_a_directive_or_an_emoji_and_every_word_stays(text):
    made = markdown.inert(text)

    assert plain(made) == text
    assert not re.search(r":([:+a-zÄ]|[-\d]\w*:)|(?<!\\)[{[]", made, re.IGNORECASE)


@pytest.mark.parametrize("text", ["Note: text", "at 10:30", "1:100,000", "**Note:** *two* a day", "**Note:**", "these:\n- one", "so :)"])
def test_a_colon_that_is_only_a_colon_is_left_alone(text):
    assert markdown.inert(text) == text


def test_an_answer_keeps_its_emphasis_and_lists_but_loads_nothing():
    assert markdown.inert("**Call** the clinic:\n- today\n- tomorrow") == "**Call** the clinic:\n- today\n- tomorrow"
    assert "![x](" not in markdown.inert("![x](http://evil.example/p.png)")


@pytest.mark.parametrize("text", [*HOSTILE, "\\\\[a](//evil.example)", "\\<a href=//evil.example>", "\\![x](//evil.example/p.png)", "\\`a\\`",
                                  "https:&#47;/evil.example", "&lsqb;a](//evil.example)", "[a]: //evil.example\n\n[a]"])
def test_an_answer_becomes_no_link_image_html_or_code_whatever_it_escaped_itself(text):
    made = MarkdownIt().render(markdown.inert(text))

    assert not [tag for tag in ("<a", "<img", "<code", "://evil") if tag in made]
