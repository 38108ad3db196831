"""`make audit`: no report, half a report and a bad report all fail; and the locks hold what the .in files ask for."""

import json
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lib.settings import ROOT
from scripts import audit_dependencies as audit

EXPECTED = {("alembic", "1.20.1"), ("requests", "2.34.2")}
# As pip-audit 2.10 writes them; the skipped one was captured where its source knew no package, and ended with exit code 0.
SKIPPED = {"name": "alembic", "skip_reason": "Dependency not found on PyPI and could not be audited: alembic (1.20.1)"}
ALEMBIC = {"name": "alembic", "version": "1.20.1", "vulns": []}
REQUESTS = {"name": "requests", "version": "2.34.2", "vulns": []}
HOLED = {"name": "requests", "version": "2.34.2", "vulns": [
    {"id": "PYSEC-2026-74", "fix_versions": ["2.34.3"], "aliases": ["CVE-2026-35195"], "description": "…"}]}


def report(*dependencies: dict) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_a_whole_and_clean_report_passes():
    assert audit.judge(report(ALEMBIC, REQUESTS), EXPECTED) == []


def test_a_vulnerability_fails_and_names_its_cure():
    assert audit.judge(report(ALEMBIC, HOLED), EXPECTED) == ["requests 2.34.2 has PYSEC-2026-74, mended in 2.34.3"]


@pytest.mark.parametrize("dependencies", [[REQUESTS], [SKIPPED, REQUESTS], [{**ALEMBIC, "version": "1.0"}, REQUESTS]])
def test_a_package_that_was_not_looked_up_fails_and_is_named(dependencies):
    assert audit.judge(report(*dependencies), EXPECTED) == ["1 of 2 packages were not looked up: alembic 1.20.1"]


@pytest.mark.parametrize("text", ["", "No known vulnerabilities found", "[]", "{}", "null", '{"dependencies": [{"name": "alembic"}]}',
                                  '{"dependencies": {"alembic": 1}}'])
def test_garbage_fails(text):
    assert audit.judge(text, EXPECTED) == ["pip-audit's report can't be read, so nothing was looked up."]


def test_an_unreachable_source_fails_and_says_so():
    """pip-audit itself, pointed at a proxy that is not there."""
    done = subprocess.run([sys.executable, "-m", "scripts.audit_dependencies"], cwd=ROOT, capture_output=True, text=True, timeout=100,
                          env={"HTTPS_PROXY": "http://127.0.0.1:9", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
    assert done.returncode == 1
    assert re.search("gave no report|were not looked up", done.stderr), done.stderr


def test_the_pins_of_this_platform_are_read_from_a_lock():
    lock = ["# comment", "alembic==1.20.1 \\", "    --hash=sha256:00 \\", "colorama==0.4.6 ; sys_platform == 'win32' \\",
            "psycopg[binary]==3.3.9 ; sys_platform != 'win32'", "    # via pytest"]
    assert audit.locked(lock) == {("alembic", "1.20.1"), ("psycopg", "3.3.9")}


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_the_lock_holds_what_is_asked_for_with_hashes(name):
    asked = [Requirement(line) for line in (ROOT / f"{name}.in").read_text().splitlines() if line and not line.startswith("-")]
    text = (ROOT / f"{name}.txt").read_text()
    pins = {canonicalize_name(pin): pin for pin in re.findall(r"^([\w.-]+)==", text, re.M)}
    assert [str(one) for one in asked if canonicalize_name(one.name) not in pins] == []
    assert not re.search(r"==[^\n]*[^\\]\n(?!\s+--hash)", text)
