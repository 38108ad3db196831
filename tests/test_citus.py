"""What can be checked of deploy/citus.sql without Citus: nothing is forgotten, and nothing is there that it refuses."""

import re

import pytest
from sqlalchemy import text

from lib.settings import ROOT
from tests import statements
from tests.statements import TENANTS

SCHEMA, SCRIPT = (ROOT / "schema.sql").read_text(), (ROOT / "deploy" / "citus.sql").read_text()
REFERENCE = set(re.findall(r"create_reference_table\('(\w+)'\)", SCRIPT))
DISTRIBUTED = dict(re.findall(r"create_distributed_table\('(\w+)', '(\w+)'", SCRIPT))
ON_THE_COORDINATOR = {"sessions", "tickets", "refresh_tokens", "recovery_codes", "password_resets", "security_events", "archives", "backups", "restores",
                      "process_minutes", "alerts", "alert_mutes", "alembic_version"}


def test_every_table_has_its_place():
    tables = set(re.findall(r"^create table (\w+)(?! partition)", SCHEMA.split("-- procrastinate ")[0], re.M)) | {"alembic_version"}
    assert REFERENCE | set(DISTRIBUTED) | ON_THE_COORDINATOR == tables
    assert set(DISTRIBUTED) == TENANTS


def test_all_of_a_clinic_lies_together():
    assert DISTRIBUTED.pop("clinics") == "id"
    assert set(DISTRIBUTED.values()) == {"clinic_id"}
    assert SCRIPT.count("colocate_with => 'clinics'") == len(DISTRIBUTED)
    DISTRIBUTED["clinics"] = "id"


def test_every_key_of_a_distributed_table_holds_what_it_is_distributed_by(owner):
    with owner.connect() as connection:
        keys = connection.execute(text("""
            select i.indrelid::regclass::text as name, array(
                select attname::text from pg_attribute where attrelid = i.indrelid and attnum = any(i.indkey)) as columns
            from pg_index i
            join pg_class t on t.oid = i.indrelid and not t.relispartition
            where i.indisunique and t.relnamespace = 'public'::regnamespace
            """)).all()
    assert len([name for name, _columns in keys if name in DISTRIBUTED]) >= len(DISTRIBUTED)
    assert [(name, columns) for name, columns in keys if name in DISTRIBUTED and DISTRIBUTED[name] not in columns] == []


def test_foreign_keys_stay_within_a_clinic(owner):
    with owner.connect() as connection:
        found = connection.execute(text("""
            select c.conrelid::regclass::text, c.confrelid::regclass::text, c.confdeltype::text,
                   array(select attname::text from pg_attribute where attrelid = c.conrelid and attnum = any(c.conkey))
            from pg_constraint c
            join pg_class t on t.oid = c.conrelid and not t.relispartition
            where c.contype = 'f' and c.connamespace = 'public'::regnamespace
            """)).all()
    assert len(found) > 30
    for table, target, deleting, columns in found:
        assert deleting != "n", f"{table}: Citus refuses `on delete set null`"
        if table in DISTRIBUTED:
            assert target in DISTRIBUTED, f"{table} points at {target}, which lies elsewhere"
            assert "clinic_id" in columns, f"{table} points into another clinic"
        else:
            assert target not in DISTRIBUTED, f"{table} points at {target}, which lies elsewhere"


def test_it_belongs_at_its_place_in_the_schema():
    before, after = SCHEMA.split("-- deploy/citus.sql belongs here")
    assert not re.search(r"\b(references|create policy|create trigger)\b", before)
    assert not re.search(r"^create table (?!\w+ partition|alembic_version)", after.split("-- procrastinate ")[0], re.M)


@pytest.mark.parametrize("sql", [
    "select full_name from patients where id = :id",
    "update patients set full_name = :name where id = :id",
    "select 1 from patients p join patient_notes n on n.patient_id = p.id where p.clinic_id = :clinic_id",
    "select set_config('app.clinic_id', :clinic_id, true)",
    "select 1 from emergencies where clinic_id = :clinic_id for update; merge into patients using x on true",
    "update patients set id = uuidv7() where clinic_id = :clinic_id"])
def test_a_statement_that_citus_refuses_fails_the_test_that_runs_it(sql):
    """tests/statements.py looks at each statement that any test makes the app run."""
    with pytest.raises(AssertionError):
        statements.check(sql)


@pytest.mark.parametrize("sql", [
    "select p.full_name from patients p join patient_notes n on n.clinic_id = p.clinic_id and n.patient_id = p.id where p.clinic_id = :clinic_id",
    "select app.enter(:clinic_id, :user_id)", "select slug from articles where slug = :slug"])
def test_what_it_takes_passes(sql):
    statements.check(sql)
