"""Closed months leave for sealed files and come back; the audit chain tells which part is away."""

import io
import json
import secrets
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from lib import (
    archived_months,
    archives,
    archivist,
    audit,
    audit_trail,
    chats,
    clinic_export,
    db,
    erasures,
    export_jobs,
    merges,
    operator,
    patients,
    quarantine,
    sealed_file,
    settings,
    startup,
    thread_export,
    vault,
)
from lib.errors import AppError, SetUpError
from lib.patient_form import PatientForm
from tests.lib.known import act
from tests.lib.test_patient_record import export

FIRST = (datetime.now(UTC).date().replace(day=1) - timedelta(days=1)).replace(day=1)  # the month before this one
MONTH = (FIRST - timedelta(days=1)).replace(day=1)  # and the one before that
AT = datetime(MONTH.year, MONTH.month, 15, 12, tzinfo=UTC)


@pytest.fixture
def old(owner, alice) -> tuple[UUID, UUID]:
    """A patient with a conversation, its bills and its audit rows of two months ago; and another patient."""
    patient, other = (act(alice, patients.register, PatientForm(full_name=name)) for name in ("Old Oak", "Oak, Old"))
    with owner.begin() as connection:
        connection.execute(text("select app.make_partitions(:since)"), {"since": MONTH})
        connection.execute(text("select app.enter(:clinic, :me)"), {"clinic": alice.clinic_id, "me": alice.user_id})
        about = {"clinic": alice.clinic_id, "me": alice.user_id, "patient": patient, "thread": moment(0), "question": moment(1),
                 "answer": moment(2)}
        for statement in (
                "insert into chat_threads (clinic_id, id, patient_id, user_id) values (:clinic, :thread, :patient, :me)",
                """insert into chat_messages (clinic_id, id, thread_id, patient_id, user_id, role, status, content)
                   values (:clinic, :question, :thread, :patient, :me, 'user', 'ok', E'canaryold\\ttab \\\\ back\nline')""",
                """insert into chat_messages (clinic_id, id, thread_id, patient_id, user_id, question_id, role, status, content, metadata)
                   values (:clinic, :answer, :thread, :patient, :me, :question, 'assistant', 'ok', 'canaryanswer', '{"title": "canaryfacts"}')""",
                """insert into ai_calls (clinic_id, id, message_id, patient_id, user_id, route, status, cost_usd, created_at)
                   values (:clinic, uuidv7(cast(:age as interval)), :answer, :patient, :me, 'kb', 'ok', 0.5, :at)""",
                """insert into audit_log (clinic_id, id, user_id, action, resource, patient_id)
                   select :clinic, uuidv7(cast(:age as interval) + make_interval(secs => n)), :me, 'view', 'patient', :patient
                   from generate_series(1, 3) n"""):
            connection.execute(text(statement), about | {"age": AT - datetime.now(UTC), "at": AT})
        connection.execute(text("select pg_advisory_xact_lock(hashtext('chairside.seal'))"))  # in turn with the housekeeper
        while connection.execute(text("select app.seal_audit(true)")).scalar():
            pass
    return patient, other


def moment(second: int) -> UUID:
    milliseconds = int((AT + timedelta(seconds=second)).timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | secrets.randbits(62))


@pytest.fixture
def put_away(owner, tmp_path):
    """Out with them; afterwards the database is as it was, for the other tests."""
    def archive(*parents: str) -> list[archives.Month]:
        done = []
        for parent in parents or archives.PARENTS:
            with owner.begin() as connection:
                done.append(archives.archive(connection, parent, MONTH, tmp_path))
        return done
    yield archive
    bring_back(owner, tmp_path)


def bring_back(owner, folder) -> list[archives.Month]:
    with owner.begin() as connection:
        return [archives.unarchive(connection, parent, month, folder) for parent, month in archives.away(connection)]


def said(who, patient: UUID) -> list[str]:
    with db.scope(who) as scope:
        thread = chats.find_thread(scope, patient)
        return [row.content for row in chats.history(scope, thread).rows] if thread else []


def everything(owner, who) -> list[list[tuple]]:
    with owner.connect() as connection:
        connection.execute(text("select app.enter(:clinic, :me)"), {"clinic": who.clinic_id, "me": who.user_id})
        return [connection.execute(text(f"select t::text from {parent} t where clinic_id = :clinic and action_is_no_verify order by id".replace(
            "and action_is_no_verify", "and action <> 'verify'" if parent == "audit_log" else "")), {"clinic": who.clinic_id}).all()
            for parent in archives.PARENTS]


def calls_counted(who) -> int:
    with db.scope(who) as scope:
        found: int = scope.value("select coalesce(sum(calls), 0) from usage_by_day_now where clinic_id = :clinic_id")
        return found


def raise_emergency(owner, who, patient: UUID) -> None:
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic, :me)"), {"clinic": who.clinic_id, "me": who.user_id})
        connection.execute(text("""
            insert into emergencies (clinic_id, id, message_id, thread_id, patient_id, user_id, categories, rule_set, raised_at)
            select clinic_id, :id, id, thread_id, patient_id, user_id, '{airway}', 'checklist', :at
            from chat_messages where clinic_id = :clinic and patient_id = :patient and role = 'user'
            """), {"clinic": who.clinic_id, "id": moment(3), "patient": patient, "at": AT})


def merge(_owner, who, patients_: tuple[UUID, UUID]) -> None:
    seen = act(who, merges.preview, patients_[1], patients_[0])
    act(who, merges.merge, patients_[1], patients_[0], versions=seen.versions, wins=seen.wins)


def move_the_clinic(owner, who, _patients) -> None:
    with owner.begin() as connection:
        connection.execute(text("update clinics set time_zone = 'Pacific/Auckland' where id = :id"), {"id": who.clinic_id})


def touch_the_emergency(owner, who, _patients) -> None:
    with owner.begin() as connection:
        connection.execute(text("update emergencies set general = true where clinic_id = :id"), {"id": who.clinic_id})


@pytest.mark.parametrize("change", [touch_the_emergency, move_the_clinic, merge])
def test_what_was_counted_of_a_month_stays_when_its_rows_have_left(owner, alice, old, put_away, tmp_path, change):
    raise_emergency(owner, alice, old[0])
    assert calls_counted(alice) == 1
    put_away("ai_calls")
    assert calls_counted(alice) == 1
    change(owner, alice, old)
    assert calls_counted(alice) == 1
    while count_anew(owner):
        pass
    assert calls_counted(alice) == 1
    bring_back(owner, tmp_path)
    assert calls_counted(alice) == 1
    while count_anew(owner):
        pass
    assert calls_counted(alice) == 1


def count_anew(owner) -> int:
    with owner.begin() as connection:
        counted: int = connection.execute(text("select app.refresh_rollups(100)")).scalar()
        return counted


def test_a_month_that_is_being_counted_does_not_leave(owner, alice, old, put_away):
    with owner.begin() as counting:
        counting.execute(text("select pg_advisory_xact_lock(hashtext('chairside.rollups'))"))
        with pytest.raises(SetUpError, match="are being counted"):
            put_away("ai_calls")


def test_a_month_leaves_and_comes_back_to_the_byte(owner, alice, old, put_away, tmp_path):
    before = everything(owner, alice)
    done = put_away()
    assert [month.parent for month in done] == list(archives.PARENTS)
    assert said(alice, old[0]) == []
    assert all(b"canary" not in month.file.read_bytes() for month in done)
    assert {oct(month.file.stat().st_mode & 0o777) for month in done} == {"0o600"}
    bring_back(owner, tmp_path)
    assert everything(owner, alice) == before
    assert said(alice, old[0]) == ["canaryanswer", "canaryold\ttab \\ back\nline"]


def test_a_month_that_is_back_is_walled_and_append_only_like_the_others(owner, alice, charlie, old, put_away, tmp_path):
    put_away()
    bring_back(owner, tmp_path)
    assert said(charlie, old[0]) == []
    with owner.connect() as connection:
        children = [f"{parent}_{MONTH:%Y_%m}" for parent in archives.PARENTS]
        assert set(connection.execute(text("select relrowsecurity and relforcerowsecurity from pg_class where relname = any(:names)"),
                                      {"names": children}).scalars()) == {True}
        assert connection.execute(text("""
            select count(*) from information_schema.role_table_grants where table_name = any(:names) and grantee like 'chairside_a%'
            """), {"names": children}).scalar() == 0
    for statement in ("delete from audit_log", f"truncate audit_log_{MONTH:%Y_%m}", "update chat_messages set content = 'x'"):
        with pytest.raises(Exception, match=r"never changed|final"), owner.begin() as connection:
            connection.execute(text("select app.enter(:clinic, :me)"), {"clinic": alice.clinic_id, "me": alice.user_id})
            connection.execute(text(statement))


def test_the_chain_holds_and_says_which_part_is_away(owner, alice, old, put_away, tmp_path):
    whole = act(alice, audit_trail.verify)
    assert (whole.broken, whole.archived) == (None, 0)
    put_away("audit_log")
    verdict = act(alice, audit_trail.verify, whole.head)
    assert (verdict.broken, verdict.archived, verdict.passed) == (None, 3, True)
    bring_back(owner, tmp_path)
    while audit.seal():
        pass
    assert act(alice, audit_trail.verify).archived == 0


def test_a_row_that_is_missing_elsewhere_is_still_missed(owner, alice, old, put_away):
    put_away("audit_log")
    while audit.seal():
        pass
    with owner.begin() as connection:
        connection.execute(text("alter table audit_log disable trigger keep"))
        connection.execute(text("delete from audit_log where clinic_id = :clinic and action = 'register'"), {"clinic": alice.clinic_id})
        connection.execute(text("alter table audit_log enable trigger keep"))
    assert act(alice, audit_trail.verify).broken.why == "missing_row"


def test_of_who_was_erased_meanwhile_nothing_comes_back(owner, alice, old, put_away, tmp_path):
    put_away()
    act(alice, erasures.erase, old[0], version=1, name="Old Oak", reason="Letter")
    bring_back(owner, tmp_path)
    assert said(alice, old[0]) == ["[erased]", "[erased]"]
    assert "canary" not in str(everything(owner, alice))


def test_who_was_merged_meanwhile_comes_back_as_whom_they_are_now(owner, alice, old, put_away, tmp_path):
    put_away()
    patient, other = old
    seen = act(alice, merges.preview, other, patient)
    act(alice, merges.merge, other, patient, versions=seen.versions, wins=seen.wins)
    bring_back(owner, tmp_path)
    assert said(alice, other) == ["canaryanswer", "canaryold\ttab \\ back\nline"]
    assert said(alice, patient) == []


def test_who_was_told_apart_meanwhile_comes_back_as_themselves(owner, alice, old, put_away, tmp_path):
    patient, other = old
    seen = act(alice, merges.preview, other, patient)
    act(alice, merges.merge, other, patient, versions=seen.versions, wins=seen.wins)
    put_away()
    kept = act(alice, patients.read, other)
    act(alice, merges.unmerge, other, patient, versions=kept.versions)
    bring_back(owner, tmp_path)
    assert said(alice, patient) == ["canaryanswer", "canaryold\ttab \\ back\nline"]
    assert said(alice, other) == []


# what is read meanwhile says so --------------------------------------------------------------------------------------

SENTENCE = f"Messages of {MONTH:%B %Y} may lie in the archive of old months. An operator can read a month back."


def missing(who, patient: UUID | None) -> list[date]:
    return act(who, archived_months.of_thread, patient)


def were_here(owner, who, *patients_: UUID) -> None:
    """Added in that month already."""
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic, :me)"), {"clinic": who.clinic_id, "me": who.user_id})
        connection.execute(text("alter table patients disable trigger user"))
        assert connection.execute(text("update patients set created_at = :at where clinic_id = :clinic and id = any(:ids)"), {
            "clinic": who.clinic_id, "at": AT, "ids": list(patients_)}).rowcount == len(patients_)
        connection.execute(text("alter table patients enable trigger user"))


def test_a_patients_record_and_thread_say_which_months_are_away(owner, alice, bob, charlie, old, put_away, tmp_path):
    patient, other = old
    for who in (alice, bob):
        assert missing(who, patient) == []
    assert "archive" not in act(alice, thread_export.export, patient)
    put_away()
    for who in (alice, bob):
        assert missing(who, patient) == [MONTH]
        assert act(who, thread_export.export, patient) == f"# Old Oak\n\n{SENTENCE}\n"
    assert missing(alice, other) == missing(alice, None) == []  # nobody asked anything about them
    files = export(alice, patient)
    assert json.loads(files["record.json"])["archived_months"] == {"messages": [str(MONTH)], "calls": [str(MONTH)], "views": []}
    assert SENTENCE in files["record.html"]
    assert "Nothing." not in files["record.html"].partition("answered</h2>")[2].partition("<h2>")[0]
    were_here(owner, alice, patient)
    files = export(alice, patient)
    assert json.loads(files["record.json"])["archived_months"]["views"] == [str(MONTH)]
    assert SENTENCE.replace("Messages", "Entries") in files["record.html"]
    assert json.loads(export(bob, patient)["record.json"])["archived_months"]["views"] == []
    bring_back(owner, tmp_path)
    assert missing(alice, patient) == []
    assert "archive of old months" not in export(alice, patient)["record.html"]


def was_open(owner, who) -> None:
    """In that month already."""
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic, :me)"), {"clinic": who.clinic_id, "me": who.user_id})
        connection.execute(text("alter table clinics disable trigger user"))
        assert connection.execute(text("update clinics set created_at = :at where id = :clinic"),
                                  {"clinic": who.clinic_id, "at": AT}).rowcount == 1
        connection.execute(text("alter table clinics enable trigger user"))


def away_of_export(who) -> dict[str, list[str]]:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(clinic_export.send(who))))
    manifest = json.loads(archive.read("manifest.json"))
    assert "archived" not in manifest["not_yours"]
    return manifest["archived_months"]


def test_a_clinics_export_says_which_months_are_away(owner, alice, charlie, old, put_away, do_jobs, tmp_path):
    nothing = {"chat_messages": [], "ai_calls": [], "audit_log": []}
    was_open(owner, alice)
    put_away("chat_messages", "audit_log")
    for who in (alice, charlie):
        act(who, export_jobs.begin)
    do_jobs()
    bring_back(owner, tmp_path)
    assert away_of_export(alice) == nothing | {"chat_messages": [str(MONTH)], "audit_log": [str(MONTH)]}, "they were when it was made"
    assert away_of_export(charlie) == nothing  # whose clinic was opened later
    act(alice, export_jobs.begin)
    do_jobs()
    assert away_of_export(alice) == act(alice, archived_months.of_clinic) == nothing


def test_what_is_away_of_one_clinic_says_nothing_to_another(alice, charlie, old, put_away):
    put_away()
    own = act(charlie, patients.register, PatientForm(full_name="Charlie's"))
    act(charlie, chats.open_thread, own)
    assert [missing(charlie, whoever) for whoever in (own, old[0], None)] == [[], [], []]
    assert act(charlie, archived_months.of_views, old[0]) == []


def test_the_months_of_whoever_was_merged_into_a_patient_are_away_too(owner, alice, old, put_away):
    put_away()
    merge(owner, alice, old)
    assert missing(alice, old[1]) == [MONTH]


def test_of_two_who_were_told_apart_neither_is_passed_over(owner, alice, old, put_away):
    merge(owner, alice, old)
    put_away()
    kept = act(alice, patients.read, old[1])
    act(alice, merges.unmerge, old[1], old[0], versions=kept.versions)
    were_here(owner, alice, *old)
    assert [missing(alice, patient) for patient in old] == [[MONTH], [MONTH]]


def test_months_that_follow_one_another_are_named_as_one(alice):
    months = [date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1), date(2025, 3, 1)]
    assert "Messages of November 2024 – January 2025, March 2025 may" in archived_months.messages_missing(months, alice)


def test_a_month_whose_key_is_lacking_is_said_to_be_where_it_was(owner, old, put_away, tmp_path, monkeypatch):
    [month] = put_away("ai_calls")
    with monkeypatch.context() as patch, owner.begin() as connection:
        patch.setattr(vault, "keys", lambda: [Fernet.generate_key().decode()])
        with pytest.raises(SetUpError, match=r"a key that is not in .* begins with \w+\. Nothing was read back\.$"):
            archives.unarchive(connection, month.parent, month.month, tmp_path)
        connection.rollback()
    assert ("ai_calls", MONTH) in away(owner)


def test_a_damaged_or_exchanged_file_is_put_back_by_nobody(owner, old, put_away, tmp_path):
    [month] = put_away("chat_messages")
    whole = month.file.read_bytes()
    with sealed_file.create(tmp_path / "other", vault.keys()[0]) as other:
        other.write(b"".join(sealed_file.read(month.file, vault.keys())).replace(b"canaryold", b"canarynew"))
    for damaged in (whole[:-20], whole[:90] + bytes([whole[90] ^ 1]) + whole[91:], whole + b"x", (tmp_path / "other").read_bytes()):
        month.file.write_bytes(damaged)
        with pytest.raises(SetUpError), owner.begin() as connection:
            archives.unarchive(connection, "chat_messages", MONTH, tmp_path)
    month.file.unlink()
    with pytest.raises(SetUpError, match="is missing"), owner.begin() as connection:
        archives.unarchive(connection, "chat_messages", MONTH, tmp_path)
    month.file.write_bytes(whole)


def test_only_closed_months_of_that_age_are_found(owner, old):
    with owner.connect() as connection:
        found = [{month for _parent, month in archivist.closed(connection, before)} for before in (MONTH, FIRST, date(9999, 1, 1))]
    assert (MONTH in found[0], MONTH in found[1], FIRST in found[1]) == (False, True, False)
    assert max(found[2]) == FIRST


def test_nothing_is_archived_by_default(database, monkeypatch):
    monkeypatch.setattr("sys.argv", ["operator", "archive"])
    with pytest.raises(SystemExit, match="Nothing was archived"):
        operator.main()


def test_the_operators_commands_do_it_and_list_it(owner, alice, old, put_away, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(archivist, "folder", lambda: tmp_path)
    monkeypatch.setattr("sys.argv", ["operator", "archive", "--months", "1"])
    operator.main()
    assert f"chat_messages_{MONTH:%Y_%m}: " in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["operator", "unarchive"])
    operator.main()
    assert f"{MONTH:%Y-%m} chat_messages" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["operator", "unarchive", f"{MONTH:%Y-%m}"])
    operator.main()
    assert "rows are back" in capsys.readouterr().out
    assert len(said(alice, old[0])) == 2


@pytest.fixture
def by_the_clock(owner, old, put_away, monkeypatch, tmp_path):
    """What a process that has the owner's address does every hour."""
    monkeypatch.setenv("CHAIRSIDE_ARCHIVE_AFTER", "1")
    monkeypatch.setattr(archivist, "folder", lambda: tmp_path / "archives")
    settings.get.cache_clear()
    with owner.begin() as connection:
        connection.execute(text("delete from archives"))
    yield startup.archive
    monkeypatch.undo()
    settings.get.cache_clear()


def away(owner) -> set[tuple[str, date]]:
    with owner.connect() as connection:
        return set(archives.away(connection))


def days_late() -> int:
    with db.nobody() as connection:  # as the alert does, by a role that owns nothing
        return archivist.days_late(connection, 1)


def test_the_clock_takes_each_old_month_out_once_in_any_number_of_processes(owner, alice, old, by_the_clock, tmp_path):
    assert days_late() >= (datetime.now(UTC).date() - datetime.now(UTC).date().replace(day=1)).days
    with ThreadPoolExecutor(3) as crowd:
        list(crowd.map(lambda _n: by_the_clock(), range(3)))
    by_the_clock()
    assert away(owner) >= {(parent, MONTH) for parent in archives.PARENTS}
    assert said(alice, old[0]) == []
    assert days_late() == 0
    bring_back(owner, tmp_path / "archives")
    assert len(said(alice, old[0])) == 2


def test_what_was_read_back_stays_until_somebody_types_it_away(owner, by_the_clock, monkeypatch, capsys, tmp_path):
    by_the_clock()
    bring_back(owner, tmp_path / "archives")
    by_the_clock()
    assert (away(owner), days_late()) == (set(), 0)
    monkeypatch.setattr("sys.argv", ["operator", "archive"])
    operator.main()
    assert (("audit_log", MONTH) in away(owner), f"audit_log_{MONTH:%Y_%m}: " in capsys.readouterr().out) == (True, True)
    bring_back(owner, tmp_path / "archives")


def test_a_full_disk_or_a_long_reader_takes_nothing_out_and_is_tried_again(owner, by_the_clock, monkeypatch, tmp_path):
    (tmp_path / "archives").write_text("no folder")
    with pytest.raises(FileExistsError):
        by_the_clock()
    monkeypatch.setattr("sys.argv", ["operator", "archive"])
    with pytest.raises(SystemExit, match="File exists"):
        operator.main()
    assert (away(owner), days_late() > 0) == (set(), datetime.now(UTC).day > 1)
    (tmp_path / "archives").unlink()
    with owner.begin() as reader:
        reader.execute(text("select 1 from ai_calls limit 1"))
        with pytest.raises(AppError):
            by_the_clock()
    by_the_clock()
    assert ("ai_calls", MONTH) in away(owner)
    bring_back(owner, tmp_path / "archives")


def test_a_restored_copy_archives_nothing(owner, by_the_clock, monkeypatch):
    monkeypatch.setattr(quarantine, "is_on", lambda: True)
    by_the_clock()
    assert away(owner) == set()


def test_a_month_that_comes_back_is_counted_anew_where_somebody_asked_in_it(owner, alice, charlie, old, put_away, tmp_path):
    """Every clinic's every day had been, so that in a large installation a month took minutes to count."""
    put_away("ai_calls")
    bring_back(owner, tmp_path)
    with owner.connect() as connection:
        marked = {clinic for clinic, in connection.execute(text("""
            select clinic_id
            from figure_marks
            where at >= :month and at < :month + interval '1 month'
            """), {"month": datetime.combine(MONTH, datetime.min.time(), UTC)})}
    assert alice.clinic_id in marked
    assert charlie.clinic_id not in marked
