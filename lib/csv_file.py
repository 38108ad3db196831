"""CSV that a spreadsheet opens as text: no cell is ever run as a formula, and what was tamed can be read back."""

import csv
import io
from collections.abc import Iterable

# What a spreadsheet would run, in the wide forms of East Asian keyboards too (SECURITY 18).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(rows: Iterable[Iterable[object]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([tame(value) for value in row] for row in rows)
    return file.getvalue()


def tame(value: object) -> str:
    """A leading quote keeps a cell text; None becomes an empty cell."""
    text = "" if value is None else str(value)
    return "'" + text if text.lstrip(" \u00a0").startswith(FORMULA) else text


def untame(text: str) -> str:
    """The cell as it was before `tame`, so that an export can be imported again."""
    return text[1:] if text.startswith("'") and tame(text[1:]) == text else text
