"""The rules of the schema itself."""

import re

import pytest
from sqlalchemy import Engine, text

from lib import db
from lib.errors import AppError, Forbidden
from lib.settings import ROOT

GLOBAL = {"users", "sessions", "tickets", "refresh_tokens", "recovery_codes", "password_resets", "security_events", "articles", "model_prices", "clinics",
          "service_spend", "archives", "backups", "restores", "process_minutes", "alerts", "alert_mutes", "alembic_version"}


def rows(owner: Engine, sql: str, **values):
    with owner.connect() as connection:
        return connection.execute(text(sql), values).all()


def tables(owner: Engine) -> set[str]:
    return {name for (name,) in rows(owner, """
        select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        """)}


def test_every_table_has_row_level_security_forced(owner):
    open_tables = rows(owner, """
        select relname from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
          and not (relrowsecurity and relforcerowsecurity) and relname <> 'alembic_version'
        """)
    assert open_tables == []


def test_every_tenant_table_is_keyed_by_clinic_first(owner):
    keys = dict(rows(owner, """
        select c.relname, a.attname
        from pg_index i
        join pg_class c on c.oid = i.indrelid
        join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
        where i.indisprimary and c.relnamespace = 'public'::regnamespace
        """))
    assert {table: column for table, column in keys.items() if table not in GLOBAL} == dict.fromkeys(tables(owner) - GLOBAL, "clinic_id")


def test_every_foreign_key_between_tenant_tables_carries_the_clinic(owner):
    loose = rows(owner, """
        select c.conname
        from pg_constraint c
        join pg_class child on child.oid = c.conrelid
        where c.contype = 'f' and c.connamespace = 'public'::regnamespace
          and child.relname not in ('sessions', 'tickets', 'refresh_tokens', 'recovery_codes', 'password_resets')
          and not exists (select from pg_attribute a
                          where a.attrelid = c.conrelid and a.attnum = any (c.conkey) and a.attname = 'clinic_id')
        """)
    assert loose == []


def test_no_foreign_key_points_at_a_partitioned_table(owner):
    assert rows(owner, """
        select conname from pg_constraint where contype = 'f'
          and confrelid in (select oid from pg_class where relkind = 'p' and relnamespace = 'public'::regnamespace)
        """) == []


def test_the_app_role_owns_nothing_and_bypasses_nothing(owner):
    assert rows(owner, """
        select rolname from pg_roles
        where rolname in ('chairside_app', 'chairside_worker') and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)
        """) == []
    assert rows(owner, """
        select relname from pg_class where relowner in (select oid from pg_roles where rolname in ('chairside_app', 'chairside_worker'))
        """) == []


def test_grants_go_to_partition_parents_only(owner):
    assert rows(owner, """
        select table_name, grantee from information_schema.role_table_grants
        where grantee like 'chairside%' and grantee <> current_user
          and table_name in (select relname from pg_class where relispartition)
        """) == []


def test_the_app_may_not_touch_people_sessions_or_tickets_directly(alice):
    for table in ("users", "sessions", "tickets", "recovery_codes", "password_resets"):
        with pytest.raises(Forbidden), db.scope(alice) as scope:
            scope.run(f"select count(*) from {table}")


def test_every_definer_function_pins_its_search_path(owner):
    assert rows(owner, """
        select proname from pg_proc
        where prosecdef and pronamespace = 'app'::regnamespace
          and not coalesce(array_to_string(proconfig, ','), '') like 'search_path=%'
        """) == []


def test_no_function_is_open_to_the_public(owner):
    assert rows(owner, """
        select proname from pg_proc where pronamespace = 'app'::regnamespace and has_function_privilege('public', oid, 'execute')
        """) == []


def test_a_stranger_cannot_enter_a_clinic(alice, charlie):
    from dataclasses import replace
    with pytest.raises(Forbidden), db.scope(replace(charlie, clinic_id=alice.clinic_id)) as scope:
        scope.run("select 1")


def test_without_entering_nothing_is_seen(alice):
    with db.scope(alice) as scope:
        scope.run("""insert into patients (clinic_id, user_id, changed_by, full_name)
                     values (:clinic_id, :me, :me, 'Somebody')""", me=alice.user_id)
    with db.nobody() as connection:
        assert connection.execute(text("select count(*) from patients")).scalar() == 0


@pytest.mark.parametrize("statement", ["update audit_log set action = 'x'", "delete from audit_log", "truncate audit_log"])
def test_even_the_owner_cannot_rewrite_the_audit_log(owner, alice, statement):
    from lib import audit
    with db.scope(alice) as scope:
        audit.record(scope, "view", "test")
    with pytest.raises(Exception, match="never changed or removed"), owner.begin() as connection:
        connection.execute(text(f"set local app.clinic_id = '{alice.clinic_id}'"))
        connection.execute(text("set local app.role = 'owner'"))
        connection.execute(text("alter table audit_log no force row level security"))
        connection.execute(text(statement))


def test_a_patient_keeps_its_clinic_and_its_author(alice):
    for column in ("clinic_id", "id", "user_id", "version", "changed_by"):
        with pytest.raises(AppError), db.scope(alice) as scope:
            scope.run(f"update patients set {column} = {column} where clinic_id = :clinic_id")


def test_every_status_that_the_schema_knows_is_written_by_somebody(owner):
    """A closed tab ends no answer: it is written to its end. So there is no status for one."""
    (rule,), = rows(owner, "select pg_get_constraintdef(oid) from pg_constraint where conname = 'status_is_known' and conrelid = 'ai_calls'::regclass")
    functions = rows(owner, "select prosrc from pg_proc where pronamespace = 'app'::regnamespace")
    code = "".join([*(path.read_text() for path in (ROOT / "lib").glob("*.py")), *(source for (source,) in functions)])
    known = set(re.findall(r"'(\w+)'", rule))
    assert "ok" in known
    assert [status for status in known if f'"{status}"' not in code and f"'{status}'" not in code] == []
