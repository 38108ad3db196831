"""What deploy/ says fits the code, as far as that shows without a container."""

import ast
import re

import pytest
import yaml

from lib.settings import ROOT, Settings
from scripts import cluster

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def own_packages(folder: str) -> set[str]:
    """Which of this project's folders the code in there imports from."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            found |= {name.split(".")[0] for name in names}
    return {name for name in found if (ROOT / name).is_dir()}


def test_the_image_holds_all_that_the_app_imports_and_no_test():
    copied = set(re.findall(r"^COPY (\w+) \w+$", DOCKERFILE, re.M))
    for folder in ("api", "lib", "pages", "ui"):
        assert own_packages(folder) <= copied
    assert {"knowledge", "migrations"} <= copied
    assert not {"tests", "benchmarks", "scripts", "evaluation"} & copied


def test_the_image_runs_without_rights_and_on_a_root_it_cannot_write():
    assert re.search(r"^USER (?!root)", DOCKERFILE, re.M)
    for name in ("migrate", "app-a", "app-b", "worker"):
        assert COMPOSE["services"][name]["read_only"], name
        assert COMPOSE["services"][name]["cap_drop"] == ["ALL"]


def test_every_setting_and_every_secret_of_the_containers_exists():
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    made = (DEPLOY / "secrets.sh").read_text()
    for name in ("migrate", "app-a", "app-b", "worker"):
        service = COMPOSE["services"][name]
        given = {setting.removesuffix("_FILE"): str(value) for setting, value in service["environment"].items()}
        assert set(given) <= known, name
        mounted = {value.removeprefix("/run/secrets/") for value in given.values() if value.startswith("/run/secrets/")}
        assert mounted <= set(service["secrets"]), name
    for secret, place in COMPOSE["secrets"].items():
        assert place["file"] == f"secrets/{secret}"
        assert secret in made or secret.removesuffix("_password") in made, secret


@pytest.mark.parametrize("name", ["haproxy.cfg", "supervisord.conf"])
def test_make_cluster_says_all_that_its_programs_ask(name):
    asked = set(re.findall(r"\$\{(\w+)\}|%\(ENV_(\w+)\)s", (DEPLOY / name).read_text()))
    said = (ROOT / "scripts" / "cluster.py").read_text()
    for wanted in {"".join(pair) for pair in asked}:
        assert f'"{wanted}"' in said or wanted in ("PORT_A", "PORT_B"), wanted


def test_the_door_of_the_containers_says_all_that_haproxy_asks():
    asked = set(re.findall(r"\$\{(\w+)\}", (DEPLOY / "haproxy.cfg").read_text()))
    assert asked == set(COMPOSE["services"]["door"]["environment"])


def test_the_pool_of_the_containers_sets_what_the_app_would(monkeypatch, tmp_path):
    monkeypatch.setattr(cluster, "_address", lambda _role: cluster.make_url("postgresql://chairside_app:x@database:5432/chairside"))
    monkeypatch.setattr(cluster, "_user", lambda: None)
    monkeypatch.setattr(cluster.shutil, "chown", lambda *_: None)
    cluster._write_pool(tmp_path)
    said = re.search(r"connect_query='(.*)'", (tmp_path / "pgbouncer.ini").read_text())[1]
    assert said in (DEPLOY / "Dockerfile.pool").read_text()
