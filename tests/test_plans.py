"""The queries everybody waits for use an index, also with enough rows that it matters."""

import re
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from lib import answer_ratings, audit, chats, db, patients, periods
from tests.statements import explained, listening


def plan(connection: Connection, sql: str, **values) -> str:
    return "\n".join(line for (line,) in connection.execute(text("explain " + sql), values))


@pytest.fixture
def crowd(alice):
    """Two thousand patients, so that reading them all would be the wrong plan."""
    with db.scope(alice) as scope:
        scope.run("""
            insert into patients (clinic_id, user_id, changed_by, full_name, search)
            select :clinic_id, :me, :me, 'Patient ' || n, array_to_tsvector(array['patient', n::text])
            from generate_series(1, 2000) n
            """, me=alice.user_id)
    return alice


def test_signing_in_finds_its_account_by_index(owner, alice):
    with owner.begin() as connection:
        connection.execute(text("set local enable_seqscan = off"))
        found = plan(connection, "select id from users where email_norm = app.fold_email(:email)", email=alice.email)
    assert "one_account_per_mailbox" in found


def test_a_session_is_looked_up_by_its_key(owner, alice):
    with owner.begin() as connection:
        connection.execute(text("set local enable_seqscan = off"))
        assert "sessions_pkey" in plan(connection, "select user_id from sessions where id = :id", id=b"x" * 32)


def test_the_newest_first_list_walks_its_index(crowd, owner):
    with owner.begin() as connection:
        connection.execute(text("analyze patients"))
    with db.scope(crowd) as scope:
        found = plan(scope.connection, """
            select id, full_name from patients
            where clinic_id = :clinic_id and archived_at is null
            order by id desc
            limit 51
            """, clinic_id=crowd.clinic_id)
    assert re.search(r"Index Scan (Backward )?using patients_(active|pkey)", found), found
    assert "Sort" not in found


def test_the_list_reads_a_page_and_not_the_clinic(crowd):
    with db.scope(crowd) as scope:
        first = patients.find(scope, term="", archived=False, after=None)
        second = patients.find(scope, term="", archived=False, after=first.rows[-1].id)
    assert len(first.rows) == len(second.rows) == 50
    assert first.more
    assert second.more
    assert not {row.id for row in first.rows} & {row.id for row in second.rows}


def test_a_threads_history_reads_the_partitions_index(alice, owner):
    with db.scope(alice) as scope:
        scope.run("set local enable_seqscan = off")
        found = plan(scope.connection, """
            select id, content from chat_messages
            where clinic_id = :clinic_id and thread_id = :thread
            order by id desc
            limit 20
            """, clinic_id=alice.clinic_id, thread=uuid4())
    assert "thread_id_id_idx" in found
    assert "Seq Scan" not in found


def test_a_threads_history_reads_no_month_before_the_thread(alice):
    with db.scope(alice) as scope:
        scope.run("select app.make_partitions(current_date - 365)")
        thread = chats.open_thread(scope, None)
        with listening() as asked:
            chats.history(scope, thread)
        (sql, values), = asked
        found = explained(scope, sql, values)
    assert 0 < found.count(" on chat_messages_") <= 5, found


def test_months_outside_the_range_are_not_read(alice):
    with db.scope(alice) as scope:
        found = plan(scope.connection, """
            select count(*) from ai_calls where clinic_id = :clinic_id and id >= app.uuid_floor(now() - interval '1 day')
            """, clinic_id=alice.clinic_id)
    assert found.count(" on ai_calls_") <= 5


def test_a_look_for_the_same_view_plans_these_days_only(alice):
    """Planning all months took ten times as long as all else of a request (ADR 022)."""
    with db.scope(alice) as scope:
        scope.run("select app.make_partitions(current_date - 365)")
        with listening() as asked:
            audit.record_view(scope, "view", "patient", "x")
        (sql, values), = asked
        found = explained(scope, sql, values)
    assert 0 < found.count(" on audit_log_") <= 2, found
    assert "Subplans Removed" not in found


def test_the_reasons_of_a_period_are_found_by_the_answers_they_are_about(alice, owner):
    with db.scope(alice) as scope:
        scope.run("""
            insert into answer_ratings (clinic_id, message_id, user_id, helpful, reason)
            select :clinic_id, app.uuid_floor(now() - n * interval '1 hour'), :me, false, 'Too long'
            from generate_series(1, 3000) n
            """, me=alice.user_id)
    with owner.begin() as connection:
        connection.execute(text("analyze answer_ratings"))
    with db.scope(alice) as scope:
        scope.run("set local enable_seqscan = off")
        with listening() as asked:
            assert len(answer_ratings.find_complaints(scope, periods.preset("7d", periods.today(alice)))) == 20
        sql, values = asked[-1]
        found = explained(scope, sql, values)
    assert re.search(r"Index Scan Backward using answer_ratings_pkey on answer_ratings.*\n\s+Index Cond: .*message_id >= ", found), found
    assert "Seq Scan" not in found, found
