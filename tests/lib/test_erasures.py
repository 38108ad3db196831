"""Erasing on request: nothing that tells of the patient is left in any column of any table, and what counts and proves stays."""

import threading
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from lib import (
    answers,
    audit,
    audit_trail,
    chats,
    db,
    drafts,
    erasures,
    import_jobs,
    imports,
    patient_history,
    patients,
    startup,
    workflows,
)
from lib.errors import AppError, Changed, Conflict, EmergencyOpen, Forbidden, Gone, ImportRunning, Invalid, NotFound
from lib.patient_form import PatientForm
from tests.lib.known import ALARM, CALL, CANARIES, ENDED, FORM, NAME, act, furnish

REASON = "Asked for by letter of 12 May"


def erase(who, patient_id: UUID, *, version: int | None = None, name: str = NAME, reason: str = REASON) -> list[erasures.Erased]:
    with db.scope(who) as scope:
        seen = version or patients.read(scope, patient_id).version
        return erasures.erase(scope, patient_id, version=seen, name=name, reason=reason)


@pytest.fixture
def full(alice, bob) -> UUID:
    return furnish(alice, bob)


def everything(who) -> dict[str, str]:
    """Every row of every table that is not another clinic's, in lower case; bytes as what they spell."""
    assert startup._server
    found = {}
    with psycopg.connect(startup._server.url("postgres")) as connection:
        for name, of_clinic, columns in connection.execute("""
                select c.relname, bool_or(a.attname = 'clinic_id'), array_agg(a.attname) filter (where a.atttypid = 'bytea'::regtype)
                from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
                where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
                group by c.relname""").fetchall():
            own = f"where clinic_id = '{who.clinic_id}'" if of_clinic else ""
            rows = connection.execute(f'select t::text, {", ".join(columns or ["null"])} from "{name}" t {own}').fetchall()
            found[name] = "\n".join(part.decode("latin-1") if isinstance(part, bytes) else part or "" for row in rows for part in row).lower()
    return found


def places(who, word: str) -> set[str]:
    return {name for name, rows in everything(who).items() if word in rows}


def test_the_search_below_would_find_each_of_them(alice, full):
    found = everything(alice)
    assert [word for word in CANARIES if not any(word in rows for rows in found.values())] == []
    assert len({name for name, rows in found.items() if any(word in rows for word in CANARIES)}) >= 9


def test_nothing_of_the_patient_is_left_in_any_column_of_any_table(alice, full):
    erase(alice, full)
    found = everything(alice)
    assert {word: name for word in CANARIES for name, rows in found.items() if word in rows} == {}


def test_nobody_is_erased_while_a_file_is_imported_that_may_name_them(alice, full, do_jobs):
    """Its rows would bring them back a moment later."""
    file = f"name\n{NAME}".encode()
    with db.scope(alice) as scope:
        import_jobs.begin(scope, imports.read(file, "x.csv"), file, {"full_name": ["name"]}, "ymd")
    with pytest.raises(ImportRunning):
        erase(alice, full)
    do_jobs()
    assert len(erase(alice, full)) == 1
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from patients where clinic_id = :clinic_id and erased_at is null and full_name = :name", name=NAME) == 1


def test_counts_costs_and_the_record_stay(alice, bob, full, owner):
    def figures():
        with db.scope(alice) as scope:
            return scope.connection.execute(text("""
                select (select count(*) from chat_messages), (select count(*) from patient_versions where patient_id = :id),
                       (select count(*) from emergencies), (select sum(cost_usd) from ai_calls), (select count(*) from ai_calls)
                """), {"id": full}).one()
    before = figures()
    [erased] = erase(alice, full)
    after = figures()
    assert (after[0], after[2], after[3], after[4]) == (before[0], before[2], before[3], before[4])
    assert after[1] == before[1] + 1  # the erasure itself
    assert (erased.patient_id, erased.messages) == (full, 3)
    with db.scope(alice) as scope:
        row = scope.connection.execute(text("select erased_by, reason, messages, versions from erasures")).one()
        told = scope.connection.execute(text("select user_id, patient_id, row_count from audit_log where action = 'erase'")).one()
        metadata = scope.connection.execute(text("select metadata from chat_messages where sent is null and metadata ->> 'model' = 'm'")).scalar_one()
    assert tuple(row) == (alice.user_id, REASON, 3, 3)
    assert tuple(told) == (alice.user_id, full, 3)
    assert metadata["cost_usd"] == "0.01"
    assert "title" not in metadata


def test_the_chain_of_the_record_still_holds(alice, full):
    while audit.seal():
        pass
    head = act(alice, audit_trail.verify).head
    erase(alice, full)
    while audit.seal():
        pass
    verdict = act(alice, audit_trail.verify, head)
    assert verdict.broken is None
    assert verdict.passed


def test_the_erased_are_found_nowhere_and_their_page_says_so(alice, bob, full):
    erase(alice, full)
    for archived in (False, True):
        assert act(alice, patients.find, archived=archived).rows == []
        assert act(alice, patients.count, archived=archived) == 0
    patient = act(bob, patients.get, full)
    assert patient.erased_at
    assert patient.full_name == "[erased]"
    assert patient.notes.alerts == ""
    assert not any(value for change in act(bob, patient_history.read, full) for value in (change.after, *(change.before or {}).values()))


@pytest.mark.parametrize("role", ["manager", "clinician", "receptionist"])
def test_only_an_owner_erases(alice, hire, full, role):
    with pytest.raises(Forbidden):
        erase(hire(alice, role, "Some Body"), full)
    with pytest.raises(Forbidden), db.scope(hire(alice, role, "Some One")) as scope:
        scope.run("select app.erase_patient(:id, 2, 'x')", id=full)
    assert act(alice, patients.read, full).full_name == NAME


def test_a_foreign_patient_is_erased_by_nobody(charlie, full):
    with pytest.raises(NotFound):
        erase(charlie, full, version=2)
    with pytest.raises(Changed), db.scope(charlie) as scope:
        scope.run("select app.erase_patient(:id, 2, 'x')", id=full)
    with pytest.raises(NotFound):
        erase(charlie, uuid4(), version=2)


@pytest.mark.parametrize("typed", ["", "Zwetschgen", "Quittmann Zwetschgen", "[erased]"])
def test_the_name_has_to_be_typed(alice, full, typed):
    with pytest.raises(Invalid, match="full name"):
        erase(alice, full, name=typed)


def test_capitals_and_spaces_do_not_matter_for_that(alice, full):
    assert erase(alice, full, name="  zwetschgen  QUITTMANN ")


@pytest.mark.parametrize("reason", ["", " ", "x" * 501, "Letter of Ms. Quittmann", "mail from zwetschge@quitte.example", "record ERASE-4711"])
def test_the_reason_is_given_and_names_nobody(alice, full, reason):
    with pytest.raises(Invalid, match="Nothing was erased"):
        erase(alice, full, reason=reason)


def test_what_somebody_changed_meanwhile_is_looked_at_first(alice, full):
    with pytest.raises(Changed, match="Nothing was erased"):
        erase(alice, full, version=1)
    with pytest.raises(Changed), db.scope(alice) as scope:
        scope.run("select app.erase_patient(:id, 1, 'x')", id=full)


def test_an_open_emergency_is_answered_for_first(alice, bob, full):
    workflows.ask(bob, full, "He can't breathe and his tongue is swollen")
    with pytest.raises(EmergencyOpen):
        erase(alice, full)
    assert act(alice, patients.read, full).full_name == NAME


def test_nothing_is_written_about_the_erased_any_more(alice, bob, full):
    erase(alice, full)
    patient = act(alice, patients.read, full)
    for deed, arguments, more in [
            (patients.amend, [full, FORM], {"versions": patient.versions}), (patients.restore, [full], {}),
            (drafts.keep_text, [f"question:{full}", "canary"], {}), (drafts.save, [f"patient:{full}", {"full_name": "canary"}], {})]:
        with pytest.raises(Gone):
            act(alice, deed, *arguments, **more)
    with pytest.raises(Gone):
        workflows.ask(bob, full, "And now?")
    with pytest.raises(Gone):
        workflows.ask(bob, full, ALARM)
    with pytest.raises((Gone, Changed)):
        erase(alice, full, name="[erased]")


def test_an_answer_in_the_making_ends_and_its_text_is_never_saved(alice, bob, full):
    question = act(bob, chats.post_question, act(bob, chats.find_thread, full), "canaryquestion")
    answer = act(bob, answers.start, question, CALL)
    erase(alice, full)
    written = act(bob, answers.finish, answer, CALL, ENDED, {})
    assert (written.message, written.bill) == (False, True)
    assert places(alice, "canaryanswer") == set()


def test_a_question_at_the_same_moment_waits_and_is_refused(alice, bob, full):
    """The erasing transaction is still open when the question comes; or the other way round it would be emptied."""
    refused = []

    def ask():
        try:
            workflows.ask(bob, full, "canaryquestion of the same moment, can't breathe")
        except AppError as error:
            refused.append(type(error))

    other = threading.Thread(target=ask)
    with db.scope(alice) as scope:
        erasures.erase(scope, full, version=patients.read(scope, full).version, name=NAME, reason=REASON)
        other.start()
        other.join(0.5)
        assert other.is_alive()
    other.join(10)
    assert refused == [Gone]
    assert places(alice, "canaryquestion") == set()


FINAL = ["update chat_messages set content = '[erased]'", "update chat_messages set sent = null", "update patient_versions set data = '{}'",
         "update chat_messages set patient_id = null", "delete from patient_versions", "update patient_note_versions set data = '{}'",
         "update emergency_actions set action_taken = 'x'", "delete from emergency_actions", "update ai_calls set patient_id = null", "update erasures set reason = 'x'",
         "delete from erasures", "truncate erasures", "truncate patient_versions", "delete from patient_note_versions"]


@pytest.mark.parametrize("statement", FINAL)
def test_by_no_other_way_is_anything_emptied(alice, full, owner, statement):
    """Not even by the role that owns the tables, nor with the settings of an owner of the clinic."""
    act(alice, patients.register, PatientForm(full_name="Another One"))
    if "erasures" in statement:
        erase(alice, full)
    with pytest.raises(Exception, match=r"final|never changed|acknowledged already"), owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic, :me)"), {"clinic": alice.clinic_id, "me": alice.user_id})
        connection.execute(text(statement))


def test_nor_in_the_transaction_that_erases_somebody_else(alice, full):
    other = act(alice, patients.register, PatientForm(full_name="Another One"))
    workflows.ask(alice, other, "He can't breathe and his tongue is swollen")
    with pytest.raises(Conflict), db.scope(alice) as scope:
        erasures.erase(scope, full, version=patients.read(scope, full).version, name=NAME, reason=REASON)
        scope.run("update chat_messages set content = 'x' where clinic_id = :clinic_id and patient_id = :other", other=other)


def test_the_app_can_not_write_the_record_itself(alice, full):
    for statement in ("insert into erasures (clinic_id, patient_id, reason, messages, versions) values (:clinic_id, :id, 'x', 0, 0)",
                      "update patients set erased_at = now() where clinic_id = :clinic_id and id = :id",
                      "update patients set merged_into = id where clinic_id = :clinic_id and id = :id"):
        with pytest.raises(Forbidden), db.scope(alice) as scope:
            scope.run(statement, id=full)


def test_the_audit_log_never_held_a_name(alice, full):
    with db.scope(alice) as scope:
        rows = scope.connection.execute(text("select l::text from audit_log l")).scalars().all()
    assert len(rows) >= 8
    assert not [row for row in rows for word in CANARIES if word in row.lower()]
