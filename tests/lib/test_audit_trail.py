"""Reading the audit log, its export, and the chain that names whoever tampered with it (SECURITY 16)."""

import csv
import io
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from lib import audit, audit_trail, db, patients, startup
from lib.audit_trail import Filter
from lib.errors import AppError, Forbidden, Invalid
from lib.patient_form import PatientForm


def look(who, action: str = "view", **more) -> None:
    with db.scope(who) as scope:
        audit.record(scope, action, "test", **more)


def seal() -> None:
    """Whatever the housekeeper left, in turn with it."""
    with db.nobody() as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtext('chairside.seal'))"))
        while connection.execute(text("select app.seal_audit()")).scalar():
            pass


def find(who, before=None, limit=50, **chosen):
    with db.scope(who) as scope:
        return audit_trail.find(scope, Filter(**chosen), before=before, limit=limit)


def verify(who, noted: str = ""):
    with db.scope(who) as scope:
        return audit_trail.verify(scope, noted)


def tamper(sql: str, *values) -> None:
    """As a superuser who has switched the triggers off."""
    assert startup._server
    with psycopg.connect(startup._server.url("postgres")) as connection:
        connection.execute("set session_replication_role = replica")
        assert connection.execute(sql, values).rowcount > 0


@pytest.fixture
def chain(alice, bob):
    """Ten sealed rows of one clinic."""
    for number in range(10):
        look(bob if number % 2 else alice, resource_id=number)
    seal()
    return alice


def seals(who) -> list:
    with db.scope(who) as scope:
        return scope.connection.execute(text("select seq, audit_id, chain_hash from audit_seals order by seq")).all()


# reading -------------------------------------------------------------------------------------------------------------


def test_rows_come_newest_first_with_the_names_of_people_and_patients(alice, bob):
    with db.scope(alice) as scope:
        patient_id = patients.register(scope, PatientForm(full_name="José Müller-Nguyễn", phone="+49 30 901820"))
    with db.scope(bob) as scope:
        patients.get(scope, patient_id)
    rows = find(alice).rows
    assert [(row.action, row.person, row.patient) for row in rows] == [
        ("list", "Alice Adams", None), ("view", "Bob Brown", "José Müller-Nguyễn"),
        ("register", "Alice Adams", "José Müller-Nguyễn")]
    assert rows[2].fields == ["full_name", "phone"]


def test_a_row_about_a_colleague_names_them(alice, bob):
    with db.scope(alice) as scope:
        audit.record(scope, "change_role", "membership", bob.user_id, fields=["role"])
        audit.record(scope, "view", "else", bob.user_id)
    assert [row.about for row in find(alice, action="change_role").rows] == ["Bob Brown"]
    assert [row.about for row in find(alice, action="view").rows] == [""]


@pytest.mark.parametrize(("chosen", "expected"), [({}, 4), ({"action": "amend"}, 1), ({"action": "nothing"}, 0)])
def test_the_action_narrows(alice, bob, chosen, expected):
    look(alice)
    look(bob)
    look(alice, "amend")
    assert len(find(alice, **chosen).rows) == expected


def test_person_and_patient_narrow(alice, bob):
    with db.scope(alice) as scope:
        pat, other = (patients.register(scope, PatientForm(full_name=name)) for name in ("Pat One", "Pat Two"))
    look(bob, patient_id=pat)
    look(alice, patient_id=other)
    assert {row.person for row in find(alice, person=bob.user_id).rows} == {"Bob Brown"}
    assert {row.patient for row in find(alice, patient=pat).rows} == {"Pat One"}
    assert find(alice, patient=uuid4()).rows[1:] == []  # but for the row of this very look


def test_time_narrows(alice, owner):
    """A row of two hours ago, written by the owner of the tables: nobody else may choose when something was."""
    with owner.begin() as connection:
        connection.execute(text("""
            insert into audit_log (clinic_id, id, happened_at, user_id, action, resource)
            values (:clinic, app.uuid_floor(now() - interval '2 hours'), now() - interval '2 hours', :person, 'old', 'test')
            """), {"clinic": alice.clinic_id, "person": alice.user_id})
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert [row.action for row in find(alice, until=hour_ago).rows] == ["old"]
    assert "old" not in [row.action for row in find(alice, since=hour_ago).rows]


def test_pages_join_without_a_gap(alice):
    for number in range(7):
        look(alice, resource_id=number)
    first = find(alice, limit=3, action="view")
    second = find(alice, limit=3, action="view", before=first.rows[-1].id)
    third = find(alice, limit=3, action="view", before=second.rows[-1].id)
    assert [row.resource_id for page in (first, second, third) for row in page.rows] == list("6543210")
    assert (first.more, second.more, third.more) == (True, True, False)


def test_looking_into_the_log_stands_in_the_log_once_per_question(alice, bob):
    for _rerun in range(2):
        find(alice)
    find(alice, person=bob.user_id)
    assert [row.resource_id for row in find(alice, action="list").rows] == [str(bob.user_id), ""]


def test_only_owners_read_export_and_verify(alice, bob, mona, rita):
    for who in (bob, mona, rita):
        for call in (lambda scope: audit_trail.find(scope, Filter()), lambda scope: audit_trail.export(scope, Filter()),
                     audit_trail.verify, audit_trail.people):
            with pytest.raises(Forbidden), db.scope(who) as scope:
                call(scope)


def test_the_outsider_sees_only_their_own_clinic(chain, charlie):
    assert {row.user_id for row in find(charlie).rows} == {charlie.user_id}
    assert find(charlie, person=chain.user_id).rows[1:] == []
    assert verify(charlie).rows < 10
    with db.scope(charlie) as scope:
        assert [one.name for one in audit_trail.people(scope)] == ["Charlie Clark"]


# the export ----------------------------------------------------------------------------------------------------------


def export(who, **chosen) -> list[list[str]]:
    with db.scope(who) as scope:
        return list(csv.reader(io.StringIO(audit_trail.export(scope, Filter(**chosen)))))


def test_the_export_holds_the_selection_in_both_zones_and_counts_itself(alice, bob):
    look(alice)
    look(bob, fields=["phone", "email"], row_count=3)
    heading, *rows = export(alice, person=bob.user_id)
    assert heading[:5] == ["Time (UTC)", "Time (Europe/Berlin)", "Person", "Person reference", "Action"]
    assert [row[2:7] + row[10:12] for row in rows] == [["Bob Brown", str(bob.user_id), "view", "test", "", "phone email", "3"]]
    assert {len(row) for row in (heading, *rows)} == {15}
    assert rows[0][0].endswith("+00:00")
    exported = find(alice, action="export").rows[0]
    assert (exported.resource, exported.row_count, exported.resource_id) == ("audit_log", 1, str(bob.user_id))


def test_no_cell_of_the_export_is_a_formula(alice):
    """SECURITY 18."""
    with db.scope(alice) as scope:
        patient_id = patients.register(scope, PatientForm(full_name="=cmd|' /C calc'!A0"))
    assert export(alice, patient=patient_id)[1][8].startswith("'=")


def test_an_export_in_several_batches_is_whole(alice, monkeypatch):
    monkeypatch.setattr(audit_trail, "BATCH", 3)
    for number in range(8):
        look(alice, resource_id=number)
    assert [row[6] for row in export(alice, action="view")[1:]] == list("76543210")


def test_too_much_at_once_is_refused_and_not_cut(alice, monkeypatch):
    monkeypatch.setattr(audit_trail, "MOST", 3)
    for _row in range(3):
        look(alice)
    assert len(export(alice, action="view")) == 4
    look(alice)
    with pytest.raises(Invalid, match="more than 3 rows"):
        export(alice, action="view")


# the chain -----------------------------------------------------------------------------------------------------------


def test_a_whole_chain_is_proved_to_its_head(chain, monkeypatch):
    monkeypatch.setattr(audit_trail, "BATCH", 4)
    steps = []
    with db.scope(chain) as scope:
        verdict = audit_trail.verify(scope, watch=lambda done, every: steps.append((done, every)))
    assert (verdict.rows, verdict.broken) == (10, None)
    assert verdict.head == seals(chain)[-1].chain_hash.hex()
    assert steps == [(4, 10), (8, 10), (10, 10)]
    assert find(chain, action="verify").rows[0].row_count == 10


def test_an_empty_chain_is_whole(alice):
    assert verify(alice) == audit_trail.Verdict(0, "", None, False)


def test_a_changed_value_is_named(chain):
    victim = seals(chain)[6]
    tamper("update audit_log set address = '10.0.0.9' where id = %s", victim.audit_id)
    verdict = verify(chain)
    assert verdict.rows == 6
    assert (verdict.broken.why, verdict.broken.audit_id, verdict.broken.number) == ("changed", victim.audit_id, 7)
    assert verdict.broken.happened_at


@pytest.mark.parametrize(("column", "value"), [
    ("happened_at", "2020-01-01"), ("user_id", "00000000-0000-0000-0000-000000000001"), ("session_id", "\\x00"), ("action", "x"), ("resource", "x"),
    ("resource_id", "x"), ("patient_id", "00000000-0000-0000-0000-000000000001"), ("fields", "{x}"), ("row_count", "7"), ("term_hash", "x"),
    ("address", "x"), ("request_id", "x")])
def test_every_column_is_under_the_seal(chain, column, value):
    victim = seals(chain)[3]
    tamper(f"update audit_log set {column} = %s where id = %s", value, victim.audit_id)
    assert verify(chain).broken.audit_id == victim.audit_id


def test_a_deleted_row_is_named(chain):
    victim = seals(chain)[4]
    tamper("delete from audit_log where id = %s", victim.audit_id)
    broken = verify(chain).broken
    assert (broken.why, broken.audit_id, broken.happened_at) == ("missing_row", victim.audit_id, None)


def test_a_row_deleted_with_its_seal_leaves_a_gap(chain):
    all_seals = seals(chain)
    tamper("delete from audit_log where id = %s", all_seals[4].audit_id)
    tamper("delete from audit_seals where audit_id = %s", all_seals[4].audit_id)
    broken = verify(chain).broken
    assert (broken.why, broken.audit_id, broken.number) == ("missing_seal", all_seals[5].audit_id, 6)


def test_a_deleted_seal_is_named_by_the_gap(chain):
    all_seals = seals(chain)
    tamper("delete from audit_seals where audit_id = %s", all_seals[0].audit_id)
    broken = verify(chain).broken
    assert (broken.why, broken.audit_id) == ("missing_seal", all_seals[1].audit_id)


def test_swapped_seals_are_named(chain):
    all_seals = seals(chain)
    tamper("update audit_seals set seq = 9 - seq where clinic_id = %s and seq in (4, 5)", chain.clinic_id)
    broken = verify(chain).broken
    assert (broken.why, broken.audit_id) == ("broken_chain", all_seals[4].audit_id)


def test_two_seals_with_one_number_are_named_also_where_a_batch_ends(chain, monkeypatch):
    monkeypatch.setattr(audit_trail, "BATCH", 5)
    all_seals = seals(chain)
    tamper("update audit_seals set seq = 5 where clinic_id = %s and seq = 6", chain.clinic_id)
    broken = verify(chain).broken
    assert (broken.why, broken.audit_id) == ("missing_seal", all_seals[5].audit_id)


def test_a_change_sealed_anew_breaks_the_link_behind_it(chain):
    victim = seals(chain)[2]
    tamper("update audit_log set action = 'x' where id = %s", victim.audit_id)
    tamper("""update audit_seals s set row_hash = app.audit_digest(l) from audit_log l
              where l.id = %s and s.audit_id = l.id""", victim.audit_id)
    broken = verify(chain).broken
    assert (broken.why, broken.audit_id) == ("broken_chain", victim.audit_id)


def test_a_row_slipped_in_with_an_old_date_has_no_seal(chain):
    slipped = UUID(int=(int(datetime.now(UTC).timestamp() * 1000) - 3_600_000) << 80)
    tamper("insert into audit_log (clinic_id, id, user_id, action, resource) values (%s, %s, %s, 'view', 'patient')",
           chain.clinic_id, slipped, chain.user_id)
    seal()
    broken = verify(chain).broken
    assert (broken.why, broken.audit_id, broken.number) == ("unsealed", slipped, None)


def test_rows_of_this_minute_may_still_wait_for_their_seal(chain):
    look(chain)
    assert verify(chain).broken is None


def test_an_end_cut_off_with_its_seals_shows_only_against_a_noted_head(chain):
    """Documented on the page: whoever removes the newest rows and their seals leaves a whole, shorter chain."""
    before = verify(chain)
    seal()
    tamper("delete from audit_log where clinic_id = %s and id >= %s", chain.clinic_id, seals(chain)[8].audit_id)
    tamper("delete from audit_seals where clinic_id = %s and seq >= 9", chain.clinic_id)
    after = verify(chain, before.head)
    assert (after.rows, after.broken, after.passed) == (8, None, False)
    assert after.head != before.head


def test_a_noted_head_is_passed_by_a_chain_that_only_grew(chain):
    before = verify(chain)
    look(chain)
    seal()
    after = verify(chain, before.head)
    assert (after.passed, after.broken) == (True, None)
    assert after.rows > before.rows


# sealing -------------------------------------------------------------------------------------------------------------


def test_sealing_goes_on_where_it_stopped_in_each_clinic(chain, charlie):
    look(charlie)
    look(chain)
    seal()
    assert [one.seq for one in seals(chain)] == list(range(1, 12))
    assert [one.seq for one in seals(charlie)] == [1]


def test_several_processes_sealing_at_once_make_one_chain(alice):
    stop = threading.Event()

    def sealer() -> None:
        while not stop.is_set():
            audit.seal()

    threads = [threading.Thread(target=sealer) for _process in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        look(alice, resource_id=number)
    stop.set()
    for thread in threads:
        thread.join()
    seal()
    assert [one.seq for one in seals(alice)] == list(range(1, 61))
    assert verify(alice).broken is None


def test_a_transaction_that_began_before_the_last_seal_is_sealed_after_it(alice, bob):
    with db.scope(alice) as slow:
        audit.record(slow, "view", "slow")
        look(bob)
        seal()
    seal()
    with db.scope(alice) as scope:
        order = scope.connection.execute(text("""
            select l.resource from audit_seals s join audit_log l on l.clinic_id = s.clinic_id and l.id = s.audit_id order by s.seq
            """)).scalars().all()
    assert order == ["test", "slow"]
    assert verify(alice).broken is None


def test_a_clock_put_back_leaves_nothing_unsealed(alice, owner):
    """The newest seal is of a row from the future, as after a boot with a wrong clock."""
    with owner.begin() as connection:
        connection.execute(text("""
            insert into audit_log (clinic_id, id, user_id, action, resource)
            values (:clinic, app.uuid_floor(now() + interval '2 hours'), :person, 'view', 'future')
            """), {"clinic": alice.clinic_id, "person": alice.user_id})
    seal()
    look(alice)
    seal()
    assert len(seals(alice)) == 2
    tamper("delete from audit_seals where clinic_id = %s", alice.clinic_id)  # or it would move the window of other tests
    tamper("delete from audit_log where clinic_id = %s", alice.clinic_id)


def test_the_housekeeper_seals_within_seconds(alice):
    look(alice)
    for _attempt in range(50):
        if seals(alice):
            break
        threading.Event().wait(0.1)
    assert len(seals(alice)) == 1


def test_a_failing_chore_is_logged_once_and_ends_nothing(monkeypatch):
    told, broken = [], True
    monkeypatch.setattr(startup.log, "error", lambda event, **facts: told.append(facts))

    def sweep() -> None:
        if broken:
            raise RuntimeError("with a value that no log may hold")

    for broken in (True, True, False, True):  # noqa: B007 - read by the chore
        startup._attempt(sweep)
    assert told == [{"chore": "sweep", "reason": "RuntimeError"}] * 2
    broken = False
    startup._attempt(sweep)


# nobody rewrites it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["audit_log", "audit_seals"])
@pytest.mark.parametrize("verb", ["update {} set clinic_id = clinic_id", "delete from {}", "truncate {}"])
def test_neither_the_app_nor_the_owner_of_the_tables_may_rewrite_it(chain, owner, table, verb):
    with pytest.raises(Forbidden), db.scope(chain) as scope:
        scope.run(verb.format(table))
    with pytest.raises(Exception, match="never changed or removed"), owner.begin() as connection:
        connection.execute(text(verb.format(table)))


@pytest.mark.parametrize("column", ["id", "happened_at"])
def test_the_app_cannot_choose_when_something_happened(alice, column):
    value = {"id": "uuidv7()", "happened_at": "now() - interval '1 day'"}[column]
    with pytest.raises(Forbidden), db.scope(alice) as scope:
        scope.run(f"""insert into audit_log (clinic_id, user_id, action, resource, {column})
                      values (:clinic_id, :me, 'view', 'test', {value})""", me=alice.user_id)


def test_the_app_cannot_write_seals(alice):
    with pytest.raises(AppError), db.scope(alice) as scope:
        scope.run("""insert into audit_seals (clinic_id, audit_id, seq, row_hash, chain_hash)
                     values (:clinic_id, uuidv7(), 1, '', '')""")


# plans ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("condition", "index"), [
    ("user_id = :some", "user_id_id_idx"), ("patient_id = :some", "patient_id_id_idx"),
    ("id < app.uuid_floor(now() - interval '1 hour')", "(pkey|_id_idx)")])
def test_filters_walk_an_index(alice, owner, condition, index):
    import re
    with db.scope(alice) as scope:
        scope.run("set local enable_seqscan = off")
        scope.run("set local enable_bitmapscan = off")
        plan = "\n".join(line for (line,) in scope.connection.execute(text(f"""
            explain select id from audit_log where clinic_id = :clinic and {condition} order by id desc limit 51
            """), {"clinic": alice.clinic_id, **({"some": uuid4()} if ":some" in condition else {})}))
    assert re.search(rf"Index.*Scan.*{index}", plan), plan
    assert "Seq Scan" not in plan
