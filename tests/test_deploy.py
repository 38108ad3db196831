"""What deploy/ says fits the code, as far as that shows without a container."""

import ast
import re
import subprocess

import pytest
import yaml
from sqlalchemy import make_url

from lib.errors import SetUpError
from lib.settings import ROOT, Settings, _check_keys
from scripts import cluster, pooler

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


def test_the_containers_make_backups_and_only_who_serves_nobody_can_read_everything(tmp_path):
    worker, migrate = COMPOSE["services"]["worker"], COMPOSE["services"]["migrate"]
    assert {"DATABASE_BACKUP_URL_FILE", "CHAIRSIDE_BACKUP_KEYS_FILE"} <= set(worker["environment"])
    assert [name for name, service in COMPOSE["services"].items() if "backup_url" in service.get("secrets", [])] == ["worker"]
    for service in (worker, migrate):  # who makes them, and who brings them back
        assert service["environment"]["CHAIRSIDE_BACKUPS"] == "/backups"
        assert "backups:/backups" in service["volumes"]
        assert "backup_keys" in service["secrets"]
    assert "backups" in COMPOSE["volumes"]
    assert re.search(r"install -d -o chairside -m 0700 .*/backups\b", DOCKERFILE)  # a new volume is the user's, as this folder is


def test_the_secrets_of_the_containers_are_what_they_are_taken_for(tmp_path):
    (tmp_path / "secrets.sh").write_text((DEPLOY / "secrets.sh").read_text())
    for _time in range(2):
        subprocess.run(["sh", tmp_path / "secrets.sh"], check=True, capture_output=True)
        made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir() if not path.name.endswith(".pem")}
        assert set(COMPOSE["secrets"]) <= set(made)
    assert make_url(made["backup_url"]).password == made["backup_password"]
    given = Settings(CHAIRSIDE_BACKUP_KEYS=made["backup_keys"], CHAIRSIDE_ENCRYPTION_KEYS=made["encryption_keys"])
    _check_keys(given)
    assert given.backup_key_list != given.encryption_key_list


@pytest.mark.parametrize("name", ["haproxy.cfg", "supervisord.conf"])
def test_make_cluster_says_all_that_its_programs_ask(name):
    text = re.sub(r"^\.if defined\(.*?^\.(else|endif)$", "", (DEPLOY / name).read_text(), flags=re.M | re.S)  # for containers
    asked = set(re.findall(r"\$\{(\w+)\}|%\(ENV_(\w+)\)s", text))
    said = (ROOT / "scripts" / "cluster.py").read_text()
    for wanted in {"".join(pair) for pair in asked}:
        assert f'"{wanted}"' in said or wanted in ("PORT_A", "PORT_B"), wanted


def test_the_door_of_the_containers_says_all_that_haproxy_asks():
    asked = set(re.findall(r"\$\{(\w+)\}", (DEPLOY / "haproxy.cfg").read_text()))
    assert asked == set(COMPOSE["services"]["door"]["environment"])


def told(tmp_path, address: str) -> str:
    pooler.configure(make_url(address), tmp_path, (DEPLOY / "pgbouncer.ini").read_text(), lambda path, text: path.write_text(text) and None)
    return (tmp_path / "pgbouncer.ini").read_text()


def test_the_pool_of_the_containers_sets_what_the_app_would(tmp_path):
    said = re.search(r"connect_query='(.*)'", told(tmp_path, "postgresql://chairside_app:x@database:5432/chairside"))[1]
    assert said in (DEPLOY / "Dockerfile.pool").read_text()
    names = set(re.findall(r"\$(\w+)", (DEPLOY / "pgbouncer.ini").read_text()))
    assert {name for name in names if f"{name}=" not in (DEPLOY / "Dockerfile.pool").read_text()} == set()


def test_the_pool_asks_for_as_much_encryption_as_the_address(tmp_path):
    authority = tmp_path / "ca.crt"
    authority.write_text("certificate")
    address = "postgresql://chairside_app:x@db.example.org/chairside"
    assert "server_tls_sslmode = prefer" in told(tmp_path, address)
    assert "server_tls_sslmode = require" in told(tmp_path, f"{address}?sslmode=require")
    strict = told(tmp_path, f"{address}?sslmode=verify-full&sslrootcert={authority}")
    assert "server_tls_sslmode = verify-full" in strict
    assert f"server_tls_ca_file = {tmp_path / 'sslrootcert'}" in strict
    assert (tmp_path / "sslrootcert").read_text() == "certificate"


@pytest.mark.parametrize("asked", ["sslmode=verify-full", "sslmode=verify-ca&sslrootcert=system", "sslcrl=/x", "sslrootcert=/nowhere"])
def test_what_the_pool_cannot_do_is_said(tmp_path, asked):
    with pytest.raises(SetUpError):
        told(tmp_path, f"postgresql://chairside_app:x@db.example.org/chairside?{asked}")


@pytest.mark.parametrize("hosts", ["db1,db2/chairside?", "/chairside?host=db1,db2&", "/chairside?host=db1:5433&host=db2:5434&"])
def test_with_several_hosts_the_app_asks_the_driver(monkeypatch, tmp_path, hosts):
    """PgBouncer would write to whichever it gets."""
    environment = environment_of(monkeypatch, tmp_path, f"postgresql://chairside_app:x@{hosts}target_session_attrs=read-write")
    assert "target_session_attrs=read-write" in environment["DATABASE_URL"]
    assert str(tmp_path) not in environment["DATABASE_URL"]


def test_hosts_that_cannot_be_read_are_named(monkeypatch, tmp_path):
    with pytest.raises(SetUpError, match="host=db1:5432&host=db2:5432"):
        environment_of(monkeypatch, tmp_path, "postgresql://chairside_app:x@db1:5433,db2:5434/chairside")


@pytest.mark.parametrize("name", ["CHAIRSIDE_HOSTS", "CHAIRSIDE_URL"])
def test_where_people_use_a_name_the_door_is_still_answered(monkeypatch, tmp_path, name):
    """It looks after each process at localhost, which goes without saying only where no name is given."""
    assert environment_of(monkeypatch, tmp_path, "postgresql:///chairside").get("CHAIRSIDE_HOSTS") is None
    named = "clinic.example.org"
    monkeypatch.setenv(name, named if name == "CHAIRSIDE_HOSTS" else f"https://{named}")
    monkeypatch.setattr(cluster.settings, "get", Settings)
    told = environment_of(monkeypatch, tmp_path, "postgresql:///chairside")
    monkeypatch.setenv("CHAIRSIDE_HOSTS", told["CHAIRSIDE_HOSTS"])
    assert Settings().host_names == {named, "localhost"}


def test_the_processes_hear_of_the_replica_and_of_no_other_database(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_REPLICA_URL", "postgresql://replica/chairside")
    monkeypatch.setenv("DATABASE_REPLICA_LAG", "7")
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://owner/chairside")
    environment = environment_of(monkeypatch, tmp_path, "postgresql://chairside_app:x@database/chairside")
    assert (environment["DATABASE_REPLICA_URL"], environment["DATABASE_REPLICA_LAG"]) == ("postgresql://replica/chairside", "7")
    assert "DATABASE_OWNER_URL" not in environment
    assert make_url(environment["DATABASE_URL"]).query["host"] == str(tmp_path)


def environment_of(monkeypatch, tmp_path, address: str) -> dict[str, str]:
    monkeypatch.setattr(cluster.startup, "app_address", lambda: address)
    monkeypatch.setattr(cluster.startup, "worker_address", lambda: "postgresql://chairside_worker:x@database/chairside")
    return cluster._environment(tmp_path, tmp_path, "127.0.0.1", 1)
