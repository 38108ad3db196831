"""Cells that stay text."""

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib import csv_file

ANY = st.text(st.sampled_from("a1=+-@;,|\t\r\n\"' ＝\u00a0é"), max_size=12)


@given(ANY)
@example("A;=cmd|' /C calc'!A0;x")
@example("note\n=cmd")
def test_no_cell_begins_with_a_formula_however_a_spreadsheet_splits(text):
    """SECURITY 18."""
    line = csv_file.write([["x", text]]).split("\r\n")[0] if not re.search(r"[\r\n]", text) else csv_file.write([["x", text]])
    for cell in re.split(r"[;\t|\r\n]", line.partition(",")[2]):
        assert not cell.lstrip(" \u00a0\"").startswith(("=", "+", "-", "@", "＝")), (text, cell)


@given(ANY)
def test_a_reader_gets_one_cell_per_value(text):
    rows = list(csv.reader(io.StringIO(csv_file.write([["x", text]]), newline="")))
    assert rows == [["x", csv_file.tame(text)]]


@pytest.mark.parametrize("text", ["=1+1", "+49 30 901820", "- Penicillin\n- Latex", "a; -b", "plain", "'quoted'", "", "O'Neill", "5-3"])
def test_what_was_tamed_is_read_back_as_it_was(text):
    assert csv_file.untame(csv_file.tame(text)) == text
