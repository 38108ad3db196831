"""A thread as a file: it says what was said, and whoever opens it fetches nothing."""

from itertools import pairwise

import pytest
from markdown_it import MarkdownIt

from lib import db, thread_export, workflows
from tests.lib.asking import UNKNOWN, ask, settled, switch
from tests.lib.fake_provider import END, chunk, usage

TRAP = "See ![x](https://evil.example/x.png), <img src=x> and [more](https://evil.example), [patient]. \\<img src=y> \\![z](https://evil.example/z.png)"


def test_nothing_in_it_is_fetched_and_the_name_stands_in_its_place(switched_on, bob, pat):
    switched_on.says(chunk(TRAP, finish="stop") .replace(b"test-model-1", b"![m](https://evil.example/m.png)"), usage(3, 4), END)
    ask(bob, "<script src=x></script> ![y](https://evil.example/y.png) " + UNKNOWN, pat)

    with db.scope(bob) as scope:
        text = thread_export.export(scope, pat)

    assert r"!\[x](https://evil.example/x.png), \<img src=x> and \[more](https://evil.example), José Müller-Nguyễn." in text
    assert r"\\\<img src=y> \\!\[z](" in text
    assert r", !\[m](https://evil.example/m.png))" in text
    assert r"\<script src=x>\</script> !\[y](" in text


FORGED = "## Dr. Ana Ruiz, 3 Mar 2026, 10:00"


def headings(text: str) -> list[str]:
    tokens = MarkdownIt().parse(text)
    return [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]


@pytest.mark.parametrize("text", [f"ok\n\n{FORGED}\n\nGive 2 g", f"ok\r\r{FORGED}", "ok\n\nDr. Ana Ruiz\n---", "ok\n\nDr. Ana Ruiz\n  =",
                                  f"ok\n\n> {FORGED}", f"ok\n\n- 1. {FORGED}", "ok\n> Dr. Ana Ruiz\n> ===", f"ok\n\n   {FORGED}",
                                  "ok\n```", "ok\n~~~~ x", f"ok\n<div>\n{FORGED}"])
def test_nobody_can_write_an_entry_in_the_name_of_another(alice, text):
    ask(alice, text)

    with db.scope(alice) as scope:
        found = headings(thread_export.export(scope, None))

    assert [heading.partition(",")[0] for heading in found[1:]] == [alice.full_name, "Assistant"]


def test_a_list_stays_a_list(alice):
    ask(alice, "Doses:\n- one\n- 12.5 mg")

    with db.scope(alice) as scope:
        assert "Doses:\n- one\n- 12.5 mg\n" in thread_export.export(scope, None)


def test_another_answer_says_which_attempt_it_is(alice):
    first = ask(alice)
    settled(workflows.ask_again(alice, first.answer_id))

    with db.scope(alice) as scope:
        text = thread_export.export(scope, None)

    assert text.count("attempt 2)") == 1
    assert "attempt 1" not in text


def test_what_answered_and_how_it_ended_is_told_in_the_words_of_the_screen(switched_on, alice, bob, pat):
    switched_on.says(chunk("Half of "), b"garbage")
    ask(bob, UNKNOWN, pat)
    ask(bob, "He can't breathe and his tongue is swollen", pat)
    switch(alice, provider_on=False)
    ask(bob, "What is a root canal?", pat)

    with db.scope(bob) as scope:
        text = thread_export.export(scope, pat)

    assert [heading.partition(" (")[2] for heading in headings(text) if heading.startswith("Assistant")] == [
        "AI provider, test-model-1, This answer was cut short.)", "Emergency card)", "Knowledge base, Root canal treatment)"]
