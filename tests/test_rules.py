"""Rules about the code that no type checker knows: who imports whom, what a statement must name, what a page begins with."""

import ast
import re
from pathlib import Path

import pytest

from lib.settings import ROOT, Settings

LAYERS = ["texts", "errors", "settings", "rate_limits", "identity", "countries", "mailbox", "local_secrets", "passwords", "tokens", "vault", "mail",
          "embedded", "db", "migrations", "audit", "auth"]
PURE = {"csv_file", "charsets", "redflags", "redflag_reading", "redflag_matching", "redflag_muting", "redflag_rules", "redflag_classifier", "dates", "tables", "intake", "fhir", "patient_form", "search_words", "question_words", "ranking",
        "events", "streams", "usage", "prompts", "advice", "redaction", "redaction_dates", "redaction_names", "redaction_numbers",
        "redaction_reading"}
ENTRY = {"workflows", "assistant", "startup", "operator", "demo"}
MODULES = sorted((ROOT / "lib").glob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
TENANTS = {"clinics"} | {name for name, body in re.findall(r"^create table (\w+) \((.*?)^\)", (ROOT / "schema.sql").read_text(), re.M | re.S)
                         if re.search(r"^    clinic_id uuid", body, re.M)} - {"sessions", "tickets"}
SQL_METHODS = {"run", "run_many", "value", "many", "first", "one", "page"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("lib.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_lib_knows_neither_screens_nor_requests(path):
    assert not [name for name in imports(path) if name.split(".")[0] in ("streamlit", "fastapi", "starlette", "ui", "api", "pages")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_point_downwards(path):
    if path.stem in LAYERS:
        allowed = set(LAYERS[:LAYERS.index(path.stem)])
        assert own(path) <= allowed, own(path) - allowed
    elif path.stem in PURE:
        assert own(path) <= PURE | {"texts", "errors", "mailbox"}
    elif path.stem not in ENTRY:
        assert not own(path) & ENTRY


@pytest.mark.parametrize("path", PAGES + sorted((ROOT / "ui").glob("*.py")), ids=lambda path: path.stem)
def test_screens_use_no_driver_and_no_http(path):
    assert not [name for name in imports(path) if name.split(".")[0] in ("sqlalchemy", "psycopg", "httpx", "requests", "bcrypt", "jwt")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_begins_with_its_guard(path):
    body = [node for node in tree(path).body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.FunctionDef)
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))]
    first = ast.unparse(body[0])
    assert "guard.require(" in first, first


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_writes_no_state_of_its_own(path):
    assert "session_state[" not in path.read_text()


def test_no_database_read_is_cached():
    users = [path.name for path in ROOT.glob("*/*.py") if path.parent.name in ("ui", "pages", "lib", "api")
             and "cache_data" in path.read_text()]
    assert set(users) <= {"figures.py"}


def statements(path: Path) -> list[str]:
    """The SQL of every call on a scope."""
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
             and node.func.attr in SQL_METHODS and isinstance(node.func.value, ast.Name) and node.func.value.id == "scope"]
    texts = [argument for call in calls for argument in call.args]
    assert not [ast.unparse(text) for text in texts if isinstance(text, ast.JoinedStr | ast.BinOp)], "an assembled statement"
    return [text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_tenant_statement_names_its_clinic(path):
    without = [sql for sql in statements(path) if TENANTS & set(re.findall(r"\w+", sql)) and ":clinic_id" not in sql]
    assert without == []


def test_the_rule_above_knows_the_tenant_tables():
    assert {"clinics", "patients", "chat_messages", "ai_calls", "audit_log", "drafts"} <= TENANTS
    assert not {"users", "articles"} & TENANTS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_select_names_its_columns(path):
    assert not [sql for sql in statements(path) if re.search(r"select\s+\*", sql)]


# What Citus refuses or changes the meaning of (SCALE rules 2, 7 and 10), in the schema and in every statement of lib/.
UNPORTABLE = [r"\bmerge\s+into\b", r"\bset_config\s*\(", r"\bgrouping\s+sets\b", r"on\s+delete\s+set\s+null", r"\bcreate\s+type\b",
              r"\bcreate\s+materialized\b", r"add\s+column[^;]*\bcheck\b", r"\bset\s+app\.", r"\bset\s+session\b"]


@pytest.mark.parametrize("path", [ROOT / "schema.sql", *MODULES, *sorted((ROOT / "migrations" / "versions").glob("*.sql"))],
                         ids=lambda path: path.stem)
def test_the_sql_is_portable_to_the_distributed_engine(path):
    text = "\n".join(line for line in path.read_text().lower().splitlines() if not line.lstrip().startswith(("--", "#")))
    assert not [pattern for pattern in UNPORTABLE if re.search(pattern, text)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_tenant_tables_are_joined_by_clinic(path):
    """Citus joins on one machine what shares a clinic, and refuses the rest."""
    joins = [join for sql in statements(path) for join in re.findall(r"\bjoin\s+(\w+)\b.*?\bon\b(.*?)(?=\bjoin\b|\bwhere\b|\bgroup\b|\border\b|$)",
                                                                   sql, re.S)]
    assert not [condition for table, condition in joins if table in TENANTS and "clinic_id" not in condition]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_update_sets_what_every_machine_would_compute_for_itself(path):
    volatile = r"\bset\b.*?\b(random|clock_timestamp|gen_random_uuid|uuidv7)\s*\("
    assert not [sql for sql in statements(path) if re.match(r"\s*update\b", sql) and re.search(volatile, sql, re.S)]


def test_no_policy_holds_a_subquery(owner):
    from sqlalchemy import text
    with owner.connect() as connection:
        policies = connection.execute(text("select tablename, coalesce(qual, '') || coalesce(with_check, '') from pg_policies")).all()
    assert not [table for table, rule in policies if "select" in rule.lower()]


def test_every_setting_is_documented():
    documented = (ROOT / "docs" / "settings.md").read_text()
    missing = [str(field.validation_alias) for field in Settings.model_fields.values()
               if f"| `{field.validation_alias}` |" not in documented]
    assert missing == []


def test_no_text_for_people_is_assembled_before_it_is_translated():
    wrong = [path.name for path in [*MODULES, *PAGES, *(ROOT / "ui").glob("*.py")] if re.search(r"""\b_\(f["']""", path.read_text())]
    assert wrong == []
