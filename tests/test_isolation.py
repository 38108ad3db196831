"""Two clinics through one connection: nothing of the one ever shows in the other's transaction."""

import random
from dataclasses import replace

import pytest
from sqlalchemy import text

from lib import db, settings, startup
from lib.errors import AppError, Forbidden, NotFound


@pytest.fixture
def pool_of_one(database):
    assert startup._server
    db.connect(startup._server.url("chairside_app"), 1)
    db._engine.pool._max_overflow = 0
    yield
    db.connect(startup._server.url("chairside_app"), settings.get().pool_size)


def add(identity, name: str):
    with db.scope(identity) as scope:
        return scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, :name) returning id
            """, me=identity.user_id, name=name)


def mixed_requests(people: dict, ids: dict, times: int) -> int:
    """Reads, writes, failures and refusals in random order on one connection; how many answers told of another clinic."""
    leaks, chance = 0, random.Random(7)
    for _request in range(times):
        name = chance.choice(list(people))
        other = chance.choice([who for who in people if who != name])
        try:
            with db.scope(people[name]) as scope:
                seen = {row[0] for row in scope.connection.execute(text("select full_name from patients"))}
                leaks += seen != {name}
                leaks += bool(scope.connection.execute(text("select 1 from patients where id = :id"), {"id": ids[other]}).scalar())
                if chance.random() < 0.2:
                    scope.run("select 1 / 0 from clinics where id = :clinic_id")
                if chance.random() < 0.1:
                    raise NotFound
        except AppError:
            pass
        with db.nobody() as connection:
            leaks += bool(connection.execute(text("select count(*) from patients")).scalar())
    return leaks


def people_and_ids(open_clinic):
    people = {name: open_clinic(f"{name} Owner", f"{name} Dental") for name in ("Anna", "Ben", "Cleo", "Dan")}
    return people, {name: add(identity, name) for name, identity in people.items()}


def test_a_pool_of_one_never_mixes_clinics(pool_of_one, open_clinic):
    people, ids = people_and_ids(open_clinic)
    assert mixed_requests(people, ids, 300) == 0


@pytest.mark.long
def test_ten_thousand_mixed_requests_leak_nothing(pool_of_one, open_clinic):
    people, ids = people_and_ids(open_clinic)
    assert mixed_requests(people, ids, 10_000) == 0


TENANT_TABLES = ["patients", "api_clients", "repeats", "patient_notes", "patient_versions", "patient_note_versions", "chat_threads", "chat_messages", "ai_calls",
                 "emergencies", "emergency_actions", "drafts", "audit_log", "audit_seals", "memberships", "invitations", "clinician_credentials",
                 "credential_documents", "assistant_settings", "ai_budgets", "answer_cache", "answer_ratings", "clinic_articles",
                 "article_reviews", "clinic_alerts", "clinic_alert_mutes", "long_jobs", "import_outcomes", "export_parts", "merges", "erasures", "figure_marks", "figure_changes", "usage_hours", "usage_days", "latency_days", "member_days", "patient_days",
                 "article_days", "emergency_days", "budget_days", "stale_days", "stale_call_days", "stale_calls", "usage_stale", "latency_stale",
                 "member_stale", "patient_stale", "article_stale", "emergency_stale", "usage_now", "usage_by_day_now", "latency_now", "member_now",
                 "patient_now", "article_now", "emergency_now"]


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_every_tenant_table_is_empty_for_the_outsider(alice, charlie, table):
    add(alice, "Hers")
    with db.scope(charlie) as scope:
        found = scope.value(f"select count(*) from {table} where clinic_id = :other", other=alice.clinic_id)
    assert found == 0


def test_every_tenant_table_is_covered_here(owner):
    with owner.connect() as connection:
        tables = {name for (name,) in connection.execute(text("""
            select distinct table_name from information_schema.columns c
            join pg_class p on p.relname = c.table_name and not p.relispartition
            where table_schema = 'public' and column_name = 'clinic_id' and table_name not in ('sessions', 'tickets')
            """))}
    assert tables == set(TENANT_TABLES)


def test_nobody_writes_into_another_clinic(alice, charlie):
    with pytest.raises(AppError), db.scope(charlie) as scope:
        scope.run("insert into patients (clinic_id, user_id, changed_by, full_name) values (:other, :me, :me, 'x')",
                  other=alice.clinic_id, me=charlie.user_id)
    patient_id = add(alice, "Hers")
    with db.scope(charlie) as scope:
        assert scope.run("update patients set full_name = 'stolen' where id = :id", id=patient_id) == 0
    with pytest.raises(NotFound), db.scope(charlie) as scope:  # the composite key knows no such patient here
        scope.run("insert into chat_threads (clinic_id, patient_id, user_id) values (:clinic_id, :id, :me)", id=patient_id,
                  me=charlie.user_id)


def test_the_role_comes_from_the_membership_and_not_from_the_claim(rita):
    with db.scope(replace(rita, role="owner")) as scope:
        assert scope.value("select app.role()") == "receptionist"


def test_an_unknown_member_is_refused(alice):
    from uuid import uuid4
    with pytest.raises(Forbidden), db.scope(replace(alice, user_id=uuid4())):
        pass


@pytest.mark.parametrize("statement", [
    "insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :other, :other, 'x')",
    """insert into chat_messages (clinic_id, thread_id, user_id, role, status, content)
       values (:clinic_id, :thread, :other, 'user', 'ok', 'x')""",
    """insert into ai_calls (clinic_id, message_id, user_id, route, status) values (:clinic_id, :thread, :other, 'kb', 'ok')""",
    """insert into emergencies (clinic_id, message_id, thread_id, user_id, categories, rule_set)
       values (:clinic_id, :thread, :thread, :other, '{airway}', '1')""",
    "insert into audit_log (clinic_id, user_id, action, resource) values (:clinic_id, :other, 'view', 'x')"],
    ids=["patients", "chat_messages", "ai_calls", "emergencies", "audit_log"])
def test_nobody_writes_in_a_colleagues_name(alice, bob, statement):
    with db.scope(bob) as scope:
        thread = scope.value("insert into chat_threads (clinic_id, user_id) values (:clinic_id, :me) returning id", me=bob.user_id)
    with pytest.raises(Forbidden), db.scope(bob) as scope:
        scope.connection.execute(text(statement), {"clinic_id": bob.clinic_id, "other": alice.user_id, "thread": thread})
