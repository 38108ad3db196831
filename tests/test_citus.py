"""What can be checked of deploy/citus.sql without Citus: nothing is forgotten, and nothing is there that it refuses."""

import re

import pytest
from sqlalchemy import text

from lib.settings import ROOT
from tests import statements
from tests.statements import TENANTS, Reading, bodies, distributed, refusals, scattered, torn, views

SCHEMA, SCRIPT = (ROOT / "schema.sql").read_text(), (ROOT / "deploy" / "citus.sql").read_text()
REFERENCE = set(re.findall(r"create_reference_table\('(\w+)'\)", SCRIPT))
DISTRIBUTED = dict(re.findall(r"create_distributed_table\('(\w+)', '(\w+)'", SCRIPT))
# By which names these functions ask for rows of more than one clinic, or of whichever clinic it turns out to be.
ACROSS = {
    # somebody of whom no clinic is known yet, or who works in several
    "last_clinic": {"m"}, "resume": {"o"}, "amend_account": {"m"}, "factor_required": {"c", "m"}, "my_clinics": {"c", "m"}, "find_reset": {"o"},
    "may_help": {"memberships"}, "record_failed_sign_in": {"audit_log", "m"},
    # the installation as a whole
    "sign_up": {"clinics"}, "any_clinic": {"clinics"}, "alone": {"clinics"}, "opened_at": {"c"}, "alert_counts": {"a"},
    "installation_spend": {"b"}, "reserve_service": {"b"},
    # what the house does in every clinic
    "seal_audit": {"audit_seals", "l", "s"}, "sweep_started": {"c", "chat_messages"}, "going_on": {"m"}, "forget_repeats": {"repeats"}, "forget_drafts": {"drafts"},
    "rescue_jobs": {"l"}, "forget_long_jobs": {"long_jobs"}, "watch_clinics": {"a", "b", "c", "e", "s"}, "queue_alerts": {"a"},
    "refresh_rollups": {"c", "k"},
}
# What former versions of such functions were called, too.
FORMERLY = {"find_account", "my_sessions"}


def test_every_table_has_its_place():
    tables = set(re.findall(r"^create table (\w+)(?! partition)", SCHEMA.split("-- procrastinate ")[0], re.M)) | {"alembic_version"}
    assert REFERENCE | set(DISTRIBUTED) | statements.COORDINATOR == tables
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
    "delete from patients where id = :clinic_id",
    "select 1 from patients p join patient_notes n on n.patient_id = p.id where p.clinic_id = :clinic_id",
    "select 1 from patients p, patient_notes n where p.clinic_id = :clinic_id and n.patient_id = p.id",
    "select 1 from patients p where p.clinic_id = :clinic_id and exists (select from patient_notes n where n.patient_id = p.id)",
    "select (select count(*) from chat_messages m where m.patient_id = p.id) from patients p where p.clinic_id = :clinic_id",
    "select 1 from patients p join patient_notes n using (patient_id) where p.clinic_id = :clinic_id",
    "select 1 from patients p natural join patient_notes n where p.clinic_id = :clinic_id",
    "select 1 from patients p left join patient_notes n on n.patient_id = p.id and p.clinic_id = :clinic_id where p.clinic_id = :clinic_id",
    "select 1 from patients p left join patient_notes n on n.clinic_id = p.clinic_id and p.clinic_id = :clinic_id",
    "select 1 from patients p full join patient_notes n on n.clinic_id = p.clinic_id and p.clinic_id = :clinic_id",
    "select 1 from patients p where p.clinic_id = :clinic_id or p.id = :id",
    "select 1 from patients p where not p.clinic_id = :clinic_id",
    "select 1 from patients p where p.clinic_id <> :clinic_id",
    "select 1 from patients p where p.clinic_id = :id",
    "select 1 from patients p where p.clinic_id = p.clinic_id",
    "select 1 from patients p where p.id = :clinic_id",
    "select 1 from clinics c where c.name = :clinic_id",
    "update patients set full_name = :clinic_id where id = :id",
    "update patients p set full_name = n.alerts from patient_notes n where n.patient_id = p.id and p.clinic_id = :clinic_id",
    "delete from drafts d using patients p where d.clinic_id = :clinic_id and p.id = :id",
    "insert into patients (full_name) values (:clinic_id)",
    "insert into patients values (:clinic_id)",
    "insert into patients (clinic_id, full_name) values (:id, :name)",
    "insert into patients (clinic_id, full_name) values (:clinic_id, :name), (:other, :name)",
    "insert into patients (clinic_id, full_name) select p.clinic_id, p.full_name from patients p where p.id = :id",
    "with found as (select clinic_id, id from patients where clinic_id = :clinic_id union all select clinic_id, id from patients) "
    "select 1 from found f join patient_notes n on n.clinic_id = f.clinic_id and n.patient_id = f.id",
    "select 1 from (select clinic_id from patients) p where p.clinic_id = :clinic_id",
    "select calls from usage_now where day = :clinic_id",
    "select set_config('app.clinic_id', :clinic_id, true)",
    "select 1 from emergencies where clinic_id = :clinic_id for update; merge into patients using x on true",
    "select count(*) from patients where clinic_id = :clinic_id group by rollup (deceased)",
    "select count(*) from patients where clinic_id = :clinic_id group by deceased, cube (archived_at)",
    "update patients set id = uuidv7() where clinic_id = :clinic_id",
    "update patients set version = nextval('numbers') where clinic_id = :clinic_id",
    "update patients set full_name = timeofday() where clinic_id = :clinic_id",
    "update patients set clinic_id = :id where clinic_id = :clinic_id",
    "select 1 from memberships m join sessions s on s.user_id = m.user_id where m.clinic_id = :clinic_id",
    "select 1 from memberships m where m.clinic_id = :clinic_id and m.user_id = app.whose(:session)",
    "update articles set title = timeofday()",
    "insert into drafts (clinic_id, form) values (:clinic_id, :form) on conflict (clinic_id, form) do update set saved_at = now()",
    "insert into drafts (clinic_id, form) values (:clinic_id, :form) on conflict (clinic_id, form) do update set saved_at = current_timestamp"])
def test_a_statement_that_citus_refuses_fails_the_test_that_runs_it(sql):
    """tests/statements.py looks at each statement that any test makes the app run."""
    with pytest.raises(AssertionError):
        statements.check(sql)


@pytest.mark.parametrize("sql", [
    "select p.full_name from patients p join patient_notes n on n.clinic_id = p.clinic_id and n.patient_id = p.id where p.clinic_id = :clinic_id",
    "select 1 from patients p join patient_notes n using (clinic_id, id) where n.clinic_id = cast(:clinic_id as uuid)",
    "select 1 from patients p left join patient_notes n on (n.clinic_id, n.patient_id) = (p.clinic_id, p.id) where p.clinic_id = :clinic_id",
    "select 1 from patients where clinic_id = :clinic_id and exists (select from patient_notes n where n.clinic_id = patients.clinic_id)",
    "with recursive older (clinic_id, id) as (select clinic_id, id from patients where clinic_id = :clinic_id union all "
    "select p.clinic_id, p.id from patients p join older o on o.clinic_id = p.clinic_id and o.id = p.merged_into) select id from older",
    "select 1 from clinics c cross join lateral (select from patients p where p.clinic_id = c.id) x where c.id = :clinic_id",
    "insert into patients (clinic_id, full_name) select :clinic_id, x.name from unnest(:names) x (name) on conflict do nothing",
    "insert into patients (clinic_id, full_name) select p.clinic_id, p.full_name from patients p where p.clinic_id = :clinic_id",
    "update patients p set full_name = n.alerts from patient_notes n where n.clinic_id = p.clinic_id and p.clinic_id = :clinic_id",
    "select calls from usage_now where clinic_id = :clinic_id -- :not_a_parameter",
    "select app.enter(:clinic_id, :user_id)", "select slug from articles where slug = :slug"])
def test_what_it_takes_passes(sql):
    statements.check(sql)


@pytest.mark.parametrize("sql", [
    "select clinic_id, api_key from assistant_settings where api_key is not null for update",
    "select 1 from memberships m join sessions s on s.user_id = m.user_id",
    "select (select count(*) from drafts d where d.user_id = m.user_id) from memberships m",
    "update patients set full_name = timeofday()"])
def test_what_the_owner_asks_of_all_clinics_fails_the_test_that_runs_it(sql):
    with pytest.raises(AssertionError):
        statements.check_of_the_house(sql)


@pytest.mark.parametrize("sql", [
    "select clinic_id from assistant_settings where api_key is not null",
    "select api_key from assistant_settings where clinic_id = %(clinic)s::UUID for update",
    "select id from users where totp_secret is not null for update", "lock table backups in share mode"])
def test_what_the_owner_may_ask_passes(sql):
    statements.check_of_the_house(sql)


def test_the_names_of_what_never_comes_to_the_same_twice_are_all_known(owner):
    with owner.connect() as connection:
        volatile = connection.execute(text("""
            select distinct proname from pg_proc
            where provolatile = 'v' and prokind = 'f' and not proretset and pronamespace = 'pg_catalog'::regnamespace
              and prorettype not in ('void'::regtype, 'trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
              and proname !~ '^(pg_|lo|binary_upgrade|brin|gin_|ts_|inet_|cursor_to|query_to|currtid|amvalidate|bernoulli|system$)|handler$'
            """)).scalars().all()
    assert set(volatile) == statements.VOLATILE


# The policies and foreign keys have tests of their own; what a function hands to `execute` nobody can read before it runs.


@pytest.mark.parametrize("name", views())
def test_a_view_keeps_to_the_clinic_it_is_asked_for(name):
    assert Reading(view=True).of(views()[name]).loose() == []


def test_a_function_that_looks_beyond_one_clinic_is_known():
    found = {name: {one for order in orders for one in Reading(function=True).of(order).loose()} for name, orders in bodies(distributed(SCHEMA))}
    assert len(found) > 80
    assert {name: loose for name, loose in found.items() if loose} == ACROSS


def test_a_function_does_nothing_that_citus_refuses():
    found = {name: [one for order in orders for one in refusals(order)] for name, orders in bodies(distributed(SCHEMA))}
    assert {name: refused for name, refused in found.items() if refused} == {}


def test_a_function_asks_the_coordinator_or_the_clinics_and_not_both_at_once():
    found = {name: {one for order in orders for one in torn(order)} for name, orders in bodies(distributed(SCHEMA))}
    assert {name: refused for name, refused in found.items() if refused} == {}


def test_what_a_function_asks_all_clinics_each_machine_answers_by_itself():
    found = {name: {one for order in orders for one in scattered(order)} for name, orders in bodies(distributed(SCHEMA))}
    assert {name: refused for name, refused in found.items() if refused} == {}


@pytest.mark.parametrize(("body", "refused"), [
    ("begin perform from sessions s join memberships m on m.clinic_id = s.clinic_id where m.clinic_id = clinic; end", ["sessions"]),
    ("begin update sessions s set clinic_id = clinic where exists (select from memberships m where m.clinic_id = clinic); end", ["sessions"]),
    ("begin perform from memberships m where m.clinic_id = clinic and m.user_id = app.whose(token); end", ["whose()"]),
    ("begin perform from procrastinate_jobs j where not exists (select from long_jobs l where l.id = j.id); end", ["procrastinate_jobs"]),
    ("begin perform from memberships m where m.user_id = patient and m.role = app.role(); end", []),
    ("begin perform from sessions s join users u on u.id = s.user_id; end", [])])
def test_what_lies_on_the_coordinator_only_is_known(body, refused):
    [(_, orders)] = bodies(f"create function f(clinic uuid, patient uuid, token bytea) returns void language plpgsql as $$ {body} $$;")
    assert [one for order in orders for one in torn(order)] == refused


@pytest.mark.parametrize(("body", "refused"), [
    ("begin perform (select count(*) from drafts d where d.user_id = m.user_id) from memberships m; end", ["d"]),
    ("begin perform from patients p where p.clinic_id = app.clinic() and exists (select from drafts d where d.user_id = p.id); end", ["d"]),
    ("begin perform from patients p join drafts d on d.user_id = p.id; end", ["d"]),
    ("begin perform from patients p cross join lateral (select from drafts d where d.clinic_id = p.clinic_id limit 1) x; end", ["lateral"]),
    ("begin perform from patients p where p.clinic_id = app.clinic() for update; end", ["a lock"]),
    ("begin with recursive f (id) as (select patient union select p.id from patients p join f on f.id = p.merged_into where p.clinic_id = app.clinic()) "
     "select id into patient from f; end", ["a recursive query"]),
    ("begin with recursive f (id) as (select patient union select p.id from patients p join f on f.id = p.merged_into where p.clinic_id = clinic) "
     "select id into patient from f; end", []),
    ("begin return exists (select from patients) and not exists (select from drafts); end", []),
    ("begin perform from audit_log l where not exists (select from audit_seals s where s.clinic_id = l.clinic_id and s.audit_id = l.id); end", []),
    ("begin perform from patients p join drafts d on d.clinic_id = p.clinic_id; end", [])])
def test_what_no_machine_answers_by_itself_is_known(body, refused):
    [(_, orders)] = bodies(f"create function f(clinic uuid, patient uuid) returns boolean language plpgsql as $$ {body} $$;")
    assert [one for order in orders for one in scattered(order)] == refused


@pytest.mark.parametrize("path", sorted((ROOT / "migrations" / "versions").glob("*.sql")), ids=lambda path: path.stem)
def test_former_functions_looked_no_further(path):
    """A migration's own orders go over all clinics, as the owner's."""
    loose = {name for name, orders in bodies(distributed(path.read_text())) for order in orders if Reading(function=True).of(order).loose()}
    assert loose <= ACROSS.keys() | FORMERLY


@pytest.mark.parametrize(("body", "loose"), [
    ("begin perform from patients p where p.id = patient; end", ["p"]),
    ("begin return exists (select from patients p where p.clinic_id = app.clinic() and exists (select from patient_notes n where n.id = p.id)); end", ["n"]),
    ("declare n integer := (select count(*) from patients); begin n := (select count(*) from drafts d); return n; end", ["patients", "d"]),
    ("begin for found in select p.id from patients p loop delete from drafts where clinic_id = clinic; end loop; end", ["p"]),
    ("begin update patients p set deceased = true where p.clinic_id = clinic; insert into drafts (clinic_id) values (clinic); end", [])])
def test_every_order_of_a_function_is_read(body, loose):
    [(_, orders)] = bodies(f"create function f(clinic uuid, patient uuid) returns integer language plpgsql as $$ {body} $$;")
    assert [one for order in orders for one in Reading(function=True).of(order).loose()] == loose
