"""A thread as a file: it says what was said, and whoever opens it fetches nothing."""

from lib import db, thread_export
from tests.lib.asking import UNKNOWN, ask
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
