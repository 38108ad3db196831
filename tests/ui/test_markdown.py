"""What people and machines write, inside Markdown."""

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


def test_an_answer_keeps_its_emphasis_and_lists_but_loads_nothing():
    assert markdown.inert("**Call** the clinic:\n- today\n- tomorrow") == "**Call** the clinic:\n- today\n- tomorrow"
    assert "![x](" not in markdown.inert("![x](http://evil.example/p.png)")


@pytest.mark.parametrize("text", [*HOSTILE, "\\\\[a](//evil.example)", "\\<a href=//evil.example>", "\\![x](//evil.example/p.png)", "\\`a\\`",
                                  "https:&#47;/evil.example", "&lsqb;a](//evil.example)", "[a]: //evil.example\n\n[a]"])
def test_an_answer_becomes_no_link_image_html_or_code_whatever_it_escaped_itself(text):
    made = MarkdownIt().render(markdown.inert(text))

    assert not [tag for tag in ("<a", "<img", "<code", "://evil") if tag in made]
