"""schema.sql and the migrations end in the same catalogue; the file loads by itself and makes its roles."""

import re
import secrets
import subprocess
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.pool import NullPool

from lib import db, embedded, migrations, programs, startup
from lib.settings import ROOT

CATALOGUE = {
    "columns": """
        select table_schema, table_name, column_name, data_type, column_default, is_nullable, is_generated, generation_expression
        from information_schema.columns where table_schema in ('public', 'app', 'procrastinate') order by 1, 2, 3""",
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
        where connamespace::regnamespace::text in ('public', 'procrastinate') order by 1, 2""",
    "indexes": """
        select tablename, indexname, indexdef from pg_indexes where schemaname in ('public', 'procrastinate') order by 1, 2""",
    "policies": """
        select tablename, policyname, cmd, roles::text, qual, with_check from pg_policies order by 1, 2""",
    "security": """
        select relname, relkind, relrowsecurity, relforcerowsecurity from pg_class
        where relnamespace = 'public'::regnamespace order by 1""",
    "grants": """
        select table_name, grantee, privilege_type from information_schema.role_table_grants
        where table_schema in ('public', 'procrastinate') order by 1, 2, 3""",
    "column grants": """
        select table_name, column_name, grantee, privilege_type from information_schema.role_column_grants
        where table_schema = 'public' order by 1, 2, 3, 4""",
    "functions": """
        select p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proacl::text, obj_description(p.oid, 'pg_proc')
        from pg_proc p where pronamespace::regnamespace::text in ('app', 'procrastinate') order by 1""",
    "views": """
        select v.relname, pg_get_viewdef(v.oid), v.reloptions::text, v.relacl::text from pg_class v
        where v.relkind = 'v' and v.relnamespace = 'public'::regnamespace order by 1""",
    "triggers": """
        select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) from pg_trigger
        where not tgisinternal order by 1, 2""",
    "comments": """
        select relname, obj_description(oid, 'pg_class') from pg_class where relnamespace = 'public'::regnamespace order by 1""",
    "schemas": "select nspname, nspacl::text from pg_namespace where nspname in ('app', 'procrastinate') order by 1",
    "version": "select version_num from alembic_version",
}


@pytest.fixture
def empty_database(database):
    """A function that makes an empty database of the owner's and returns its address."""
    server = startup._server
    assert server
    names = []

    def make() -> str:
        names.append(f"scratch_{secrets.token_hex(6)}")
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {names[-1]} owner chairside_owner")
        return server.url("chairside_owner").replace(f"/{embedded.DATABASE}?", f"/{names[-1]}?")

    yield make
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for name in names:
            connection.execute(f"drop database {name} with (force)")


def catalogue(address: str) -> dict[str, list]:
    with psycopg.connect(address) as connection:
        return {name: connection.execute(query).fetchall() for name, query in CATALOGUE.items()}


def test_schema_and_migrations_end_in_the_same_catalogue(empty_database):
    loaded, migrated = empty_database(), empty_database()
    with db.open_engine(loaded, poolclass=NullPool).begin() as connection:
        migrations.load_schema(connection)
    from alembic import command
    with db.open_engine(migrated, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), "head")
    left, right = catalogue(loaded), catalogue(migrated)
    for part in CATALOGUE:
        assert left[part] == right[part], part
    assert left["version"] == [(migrations.head(),)]
    assert len(left["policies"]) > 15


def test_the_job_queue_can_be_taken_out_and_put_back(empty_database):
    from alembic import command
    address, never = empty_database(), empty_database()
    migrations.bring_up_to_date(address)
    before = catalogue(address)
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.downgrade(migrations.configuration(connection), "0007-1")
    with db.open_engine(never, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), "0007-1")
    assert catalogue(address) == catalogue(never)
    migrations.bring_up_to_date(address)
    after = catalogue(address)
    for part in CATALOGUE:
        assert after[part] == before[part], part


def test_the_queue_is_the_installed_packages_word_for_word():
    """A new version of the package fails here until its changes stand in schema.sql and in a migration (ADR 015)."""
    from importlib.metadata import version
    from importlib.resources import files
    kept = re.search(r"^-- procrastinate (\S+)\n(.*)\n-- end of procrastinate$", (ROOT / "schema.sql").read_text(), re.M | re.S)
    assert kept[1] == version("procrastinate")
    assert kept[2] == (files("procrastinate.sql") / "schema.sql").read_text().strip()


def test_the_files_names_tell_the_versions_that_alembic_knows():
    from alembic.script import ScriptDirectory
    scripts = ScriptDirectory.from_config(migrations.configuration())
    assert {script.revision for script in scripts.walk_revisions()} == set(migrations.known())
    assert scripts.get_current_head() == migrations.head()


def test_starting_twice_changes_nothing(empty_database):
    address = empty_database()
    migrations.bring_up_to_date(address)
    before = catalogue(address)
    migrations.bring_up_to_date(address)
    assert catalogue(address) == before


def test_psql_loads_the_schema_into_an_empty_database(empty_database):
    address = empty_database()
    psql = programs.binaries() / "psql"
    done = subprocess.run([psql, "-X", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-q", "-f", ROOT / "schema.sql", address],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr[-500:]
    assert len(catalogue(address)["security"]) > 15


def test_psql_makes_the_roles_that_are_missing(tmp_path):
    """On a server of its own, because roles belong to the whole cluster."""
    server = embedded.start(tmp_path)
    try:
        superuser, owner = server.url("postgres"), server.url("chairside_owner")
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute("drop role chairside_app")
            connection.execute("drop role chairside_worker")
            connection.execute("alter role chairside_owner createrole")
        done = subprocess.run([programs.binaries() / "psql", "-X", "-v", "ON_ERROR_STOP=1", "-q", "-f", ROOT / "schema.sql", owner],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr[-500:]
        with psycopg.connect(superuser) as connection:
            made = connection.execute("select rolname from pg_roles where rolname like 'chairside%' order by 1").fetchall()
        assert made == [("chairside_app",), ("chairside_owner",), ("chairside_worker",)]
    finally:
        server.stop()


@pytest.mark.parametrize(("stands_at", "reason"), [("0001", "drop every clinic's data"), ("0002", "second factors and the seals"),
                                                    ("0004", "people who left"), ("0005", "callers and tests"), ("0006", "what was done")])
def test_a_migration_without_a_way_back_says_why(empty_database, stands_at, reason):
    from alembic import command
    address = empty_database()
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), stands_at)
    with pytest.raises(NotImplementedError, match=reason), db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.downgrade(migrations.configuration(connection), "-1")


def test_the_roll_ups_go_and_come_back(empty_database):
    from alembic import command
    address = empty_database()
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), "0008")
    there = catalogue(address)
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.downgrade(migrations.configuration(connection), "-1")
    assert not [name for name, *_more in catalogue(address)["security"] if "figure" in name or name.startswith("usage")]
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), "0008")
    assert catalogue(address) == there


@pytest.mark.parametrize(("former", "version"), [("0008", "0009"), ("0010", "0011"), ("0011", "0012"), ("0012", "0013"), ("0013", "0014"), ("0014", "0015"), ("0015", "0016"), ("0016", "0017"), ("0017", "0018"), ("0018", "0019"), ("0019", "0020"), ("0020", "0021")])
def test_a_step_goes_there_and_back_and_there_again(empty_database, former, version):
    from alembic import command
    address, behind = empty_database(), empty_database()
    for where, to in ((address, version), (behind, former)):
        with db.open_engine(where, poolclass=NullPool).begin() as connection:
            command.upgrade(migrations.configuration(connection), to)
    new = catalogue(address)
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.downgrade(migrations.configuration(connection), "-1")
    assert catalogue(address) == catalogue(behind)
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), version)
    assert catalogue(address) == new


def test_a_live_database_keeps_its_people_and_seals_its_old_log(empty_database):
    """What the first version wrote is still there after the second, and its audit rows can be sealed."""
    from alembic import command
    address = empty_database()
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), "0001")
        user_id, clinic_id = connection.execute(text("""
            select user_id, clinic_id
            from app.sign_up('a@example.org', 'A', 'x', 'A Dental', 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)
            """)).one()
        connection.execute(text("select app.make_partitions(current_date - 90)"))
        connection.execute(text("select app.enter(:clinic, :member)"), {"clinic": clinic_id, "member": user_id})
        connection.execute(text("""
            insert into audit_log (clinic_id, id, user_id, action, resource)
            values (:clinic, app.uuid_floor(now() - interval '80 days'), :member, 'view', 'patient'), (:clinic, uuidv7(), :member, 'view', 'patient')
            """), {"clinic": clinic_id, "member": user_id})
    migrations.bring_up_to_date(address)
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        assert connection.execute(text("select email from app.find_account('A@example.org ')")).scalar() == "a@example.org"
        assert connection.execute(text("select app.seal_audit()")).scalar() == 2


def test_approvals_of_those_who_left_before_are_not_taken_along(empty_database):
    from alembic import command
    address = empty_database()
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), "0002")
        owner, clinic = connection.execute(text("""
            select user_id, clinic_id
            from app.sign_up('a@example.org', 'A', 'x', 'A Dental', 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)
            """)).one()
        for email in ("stays@example.org", "left@example.org"):
            member = connection.execute(text("""
                insert into users (email, full_name, password_hash) values (:email, 'B', 'x') returning id
                """), {"email": email}).scalar_one()
            person = {"clinic": clinic, "member": member, "owner": owner}
            connection.execute(text("""
                insert into memberships (clinic_id, user_id, role, display_name) values (:clinic, :member, 'clinician', 'B')
                """), person)
            connection.execute(text("select app.enter(:clinic, :member)"), person)
            connection.execute(text("""
                insert into clinician_credentials (clinic_id, user_id, specialization, licence_number) values (:clinic, :member, 'S', '1')
                """), person)
            connection.execute(text("select app.enter(:clinic, :owner)"), person)
            connection.execute(text("update clinician_credentials set status = 'approved' where user_id = :member"), person)
        connection.execute(text("update memberships set ended_at = now() where user_id = :member"), person)
    migrations.bring_up_to_date(address)
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        found = connection.execute(text("""
            select u.email, c.status from clinician_credentials c join users u on u.id = c.user_id
            """)).all()
    assert dict(tuple(row) for row in found) == {"stays@example.org": "approved", "left@example.org": "pending"}


def test_calls_and_answers_of_before_fit_the_newer_rules(empty_database):
    """Some calls bear their message's own id, as those of the demo do."""
    from alembic import command
    address = empty_database()
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), "0004")
        owner, clinic = connection.execute(text("""
            select user_id, clinic_id
            from app.sign_up('a@example.org', 'A', 'x', 'A Dental', 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)
            """)).one()
        connection.execute(text("select app.make_partitions()"))
        connection.execute(text("select app.enter(:clinic, :owner)"), {"clinic": clinic, "owner": owner})
        connection.execute(text("""
            insert into ai_calls (clinic_id, id, message_id, user_id, route, status)
            select :clinic, m.id, m.id, :owner, 'kb', 'started' from (select uuidv7() as id) m
            """), {"clinic": clinic, "owner": owner})
    migrations.bring_up_to_date(address)
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        assert connection.execute(text("select count(*) from ai_calls")).scalar() == 1


def test_what_was_done_and_drafts_of_articles_are_taken_along(empty_database):
    from alembic import command
    address = empty_database()
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        command.upgrade(migrations.configuration(connection), "0004")
        member, clinic = connection.execute(text("""
            select user_id, clinic_id
            from app.sign_up('a@example.org', 'A', 'x', 'A Dental', 'DE', 'Europe/Berlin', 'EUR', 'en', '112', false)
            """)).one()
        ids = {"clinic": clinic, "member": member}
        connection.execute(text("select app.enter(:clinic, :member)"), ids)
        thread = connection.execute(text("""
            insert into chat_threads (clinic_id, user_id) values (:clinic, :member) returning id
            """), ids).scalar_one()
        connection.execute(text("""
            insert into emergencies (clinic_id, message_id, thread_id, user_id, categories, rule_set, action_taken)
            values (:clinic, uuidv7(), :thread, :member, '{airway}', '1', 'Called 112'), (:clinic, uuidv7(), :thread, :member, '{}', '1', '')
            """), ids | {"thread": thread})
        connection.execute(text("""
            insert into drafts (clinic_id, user_id, form, data)
            values (:clinic, :member, 'article:new', '{"values": {"title": "Crowns"}, "version": 3, "tab": "t"}')
            """), ids)
    migrations.bring_up_to_date(address)
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        connection.execute(text("select app.enter(:clinic, :member)"), ids)
        assert connection.execute(text("select action_taken from emergency_actions")).scalars().all() == ["Called 112"]
        assert connection.execute(text("select data from drafts")).scalar() == {
            "values": {"title": "Crowns"}, "versions": [3, 0], "tab": "t"}


def test_an_older_database_is_refused_by_a_process_that_may_not_migrate(empty_database):
    address = empty_database()
    migrations.bring_up_to_date(address)
    with db.open_engine(address, poolclass=NullPool).begin() as connection:
        connection.execute(text("update alembic_version set version_num = '0000'"))
        with pytest.raises(migrations.SetUpError, match="make migrate"):
            migrations.check(connection)


def test_the_owner_is_refused_as_the_app(empty_database):
    address = empty_database()
    migrations.bring_up_to_date(address)
    with db.open_engine(address, poolclass=NullPool).begin() as connection, pytest.raises(migrations.SetUpError, match="restricted"):
        migrations.check(connection)


def test_an_outside_owner_gets_an_app_role_for_development(tmp_path):
    server = embedded.start(tmp_path / "server")
    try:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("drop role chairside_app")
            connection.execute("alter role chairside_owner createrole")
        owner = server.url("chairside_owner")
        app = migrations.make_role(owner, tmp_path / "data", "app")
        migrations.bring_up_to_date(owner)
        assert migrations.make_role(owner, tmp_path / "data", "app") == app
        with db.open_engine(app, poolclass=NullPool).begin() as connection:
            migrations.check(connection)
        assert Path(tmp_path / "data" / "outside_app.password").stat().st_mode & 0o077 == 0
    finally:
        server.stop()
