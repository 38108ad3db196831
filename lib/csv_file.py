"""CSV that a spreadsheet opens as text: no cell is ever run as a formula, and what was tamed can be read back."""

import csv
import io
import re
from collections.abc import Iterable

# What a spreadsheet would run, in the wide forms of East Asian keyboards too (SECURITY 18). One that splits at semicolons
# or tabs takes our quoted cell apart, and so does a line break then: what follows there is a beginning as well.
RISKY = re.compile(r"""((?:^|[;\t|\r\n])["' \u00a0]*)(?=[=+\-@\t\r\n＝＋－＠])""")
TAMED = re.compile(r"""((?:^|[;\t|\r\n])["' \u00a0]*)'(?=[=+\-@\t\r\n＝＋－＠])""")


def write(rows: Iterable[Iterable[object]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([tame(value) for value in row] for row in rows)
    return file.getvalue()


def tame(value: object) -> str:
    """A quote keeps each beginning text; None becomes an empty cell."""
    return "" if value is None else RISKY.sub(r"\1'", str(value))


def untame(text: str) -> str:
    """The cell as it was before `tame`, so that an export can be imported again."""
    return TAMED.sub(r"\1", text)
