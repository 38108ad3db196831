"""Rules about the code that no type checker knows: who imports whom, what a statement must name, what a page begins with."""

import ast
import re
from pathlib import Path

import pytest

from lib.settings import ROOT, Settings
from tests.statements import TENANTS, UNPORTABLE, check

LAYERS = ["texts", "errors", "metrics", "settings", "rate_limits", "identity", "countries", "mailbox", "local_secrets", "passwords", "tokens", "vault",
          "sealed_file", "programs", "embedded", "wal", "db", "quarantine", "mail", "dump", "replica", "migrations", "backup", "audit", "auth"]
PURE = {"csv_file", "charsets", "redflags", "redflag_reading", "redflag_matching", "redflag_muting", "redflag_denial", "redflag_harmless", "redflag_deciding", "redflag_stretches", "redflag_buried", "redflag_published", "redflag_said", "redflag_whereabouts", "redflag_rules", "redflag_classifier", "redflag_hearing", "redflag_model", "memo", "dates", "tables", "intake", "fhir", "patient_form", "search_words", "question_words", "ranking",
        "events", "streams", "tiers", "usage", "prompts", "advice", "redaction", "redaction_articles", "redaction_dates", "redaction_names", "redaction_numbers",
        "redaction_reading", "alert_words"}
ENTRY = {"workflows", "assistant", "settlement", "trials", "startup", "operator", "demo", "chores", "worker", "health", "gauges"}
MODULES = sorted((ROOT / "lib").glob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
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


def test_the_rule_below_knows_the_tenant_tables():
    assert {"clinics", "patients", "chat_messages", "ai_calls", "audit_log", "drafts"} <= TENANTS
    assert not {"users", "articles"} & TENANTS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_select_names_its_columns(path):
    assert not [sql for sql in statements(path) if re.search(r"select\s+\*", sql)]


@pytest.mark.parametrize("path", [ROOT / "schema.sql", *MODULES, *sorted((ROOT / "migrations" / "versions").glob("*.sql"))],
                         ids=lambda path: path.stem)
def test_the_sql_is_portable_to_the_distributed_engine(path):
    own = re.sub(r"^-- procrastinate .*^-- end of procrastinate$", "", path.read_text(), flags=re.M | re.S)  # not distributed
    text = "\n".join(line for line in own.lower().splitlines() if not line.lstrip().startswith(("--", "#")))
    assert not [pattern for pattern in UNPORTABLE if re.search(pattern, text)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_distributed_engine_takes_every_statement(path):
    for sql in statements(path):
        check(sql)


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
