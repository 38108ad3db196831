"""What the code asks of the database: for tests that count or explain it, and whether a distributed engine would take it."""

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from psycopg.rows import tuple_row

from lib import db
from lib.settings import ROOT

SCHEMA = (ROOT / "schema.sql").read_text()
VIEWS = set(re.findall(r"^create view (\w+)", SCHEMA, re.M))
TENANTS = {"clinics"} | {name for name, body in re.findall(r"^create table (\w+) \((.*?)^\)", SCHEMA, re.M | re.S)
                         if re.search(r"^    clinic_id uuid", body, re.M)} - {"sessions", "tickets"}
# What Citus refuses or changes the meaning of (SCALE rules 2, 7 and 10).
UNPORTABLE = [r"\bmerge\s+into\b", r"\bset_config\s*\(", r"\bgrouping\s+sets\b", r"on\s+delete\s+set\s+null", r"\bcreate\s+type\b",
              r"\bcreate\s+materialized\b", r"add\s+column[^;]*\bcheck\b", r"\bset\s+app\.", r"\bset\s+session\b"]
VOLATILE = r"^\s*update\b.*?\bset\b.*?\b(random|clock_timestamp|gen_random_uuid|uuidv7)\s*\("
BETWEEN = {str(ROOT / "lib" / "db.py"), str(ROOT / "tests" / "conftest.py"), __file__, contextlib.__file__}
JOIN = r"\bjoin\s+(\w+)\b.*?\bon\b(.*?)(?=\bjoin\b|\bwhere\b|\bgroup\b|\border\b|$)"


_checked: set[str] = set()


def check_once(sql: str) -> None:
    """Whatever a test makes the app run; what the test itself asks may be an attack. See tests/conftest.py."""
    if sql in _checked:
        return
    frame = sys._getframe(1)
    while frame.f_code.co_filename in BETWEEN:
        frame = frame.f_back
    if not frame.f_code.co_filename.startswith(str(ROOT / "tests")):
        check(sql)
        _checked.add(sql)


def check(sql: str) -> None:
    said = re.sub(r"--.*", "", sql)
    tables = (TENANTS | VIEWS) & set(re.findall(r"\b(?:from|join|into|update)\s+(\w+)", said))
    assert not tables or ":clinic_id" in said, f"names {', '.join(sorted(tables))} and no clinic: {sql}"
    apart = [table for table, condition in re.findall(JOIN, said, re.S) if table in TENANTS and "clinic_id" not in condition]
    assert not apart, f"joins {', '.join(apart)} across clinics: {sql}"
    refused = [pattern for pattern in [*UNPORTABLE, VOLATILE] if re.search(pattern, said.lower(), re.S)]
    assert not refused, f"Citus takes no {refused}: {sql}"


@contextmanager
def listening() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every statement of this thread with its values; other threads, such as the housekeeper's, have their own."""
    asked, me, execute = [], threading.get_ident(), db.execute

    def note(connection, rows, sql, values):
        if threading.get_ident() == me:
            asked.append((sql, values))
        return execute(connection, rows, sql, values)

    with mock.patch.object(db, "execute", note):
        yield asked


def explained(scope: db.Scope, sql: str, values: dict[str, Any], how: str = "explain ") -> str:
    return "\n".join(line for (line,) in db.execute(scope.connection, tuple_row, how + sql, values))
