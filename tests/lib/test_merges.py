"""Two records become one, seen before it is done, and two again."""

import threading
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from lib import answers, chats, db, emergencies, imports, merges, patient_history, patients, workflows
from lib.errors import AnswerRunning, AppError, Changed, Conflict, Forbidden, Gone, Invalid, NotFound
from lib.intake import Row
from lib.patient_form import PatientForm
from tests.lib.known import CALL, CANARIES, act, furnish
from tests.lib.test_erasures import erase, everything

ALARM = "She can't breathe and her tongue is swollen"
KEPT = PatientForm(full_name="Anna Maier", phone="030 5550001", medical_notes="Crown 16", alerts="Latex", external_id="K-1")
MERGED = PatientForm(full_name="Anna Maier-Huber", email="anna@example.org", date_of_birth="1980-01-02", phone="030 5550002",
                     medical_notes="Bridge 24", alerts="Latex", external_id="M-2")


@pytest.fixture
def pair(alice) -> tuple[UUID, UUID]:
    return act(alice, patients.register, KEPT), act(alice, patients.register, MERGED)


def merge(who, kept: UUID, merged: UUID, **wins: str) -> None:
    with db.scope(who) as scope:
        seen = merges.preview(scope, kept, merged)
        merges.merge(scope, kept, merged, versions=seen.versions, wins=seen.wins | wins)


def unmerge(who, kept: UUID, merged: UUID) -> list[str]:
    with db.scope(who) as scope:
        return merges.unmerge(scope, kept, merged, versions=patients.read(scope, kept).versions)


def said(who, patient: UUID) -> list[str]:
    """What was asked about the patient, oldest first, as their page shows it."""
    with db.scope(who) as scope:
        thread = chats.find_thread(scope, patient)
        return [row.content for row in chats.history(scope, thread, limit=50).rows if row.role == "user"][::-1] if thread else []


def bills(who, patient: UUID) -> int:
    with db.scope(who) as scope:
        return scope.value("select count(*) from ai_calls where clinic_id = :clinic_id and patient_id = :id", id=patient)


def test_the_preview_tells_which_value_wins_and_what_moves(alice, bob, pair):
    workflows.ask(alice, pair[1], ALARM)
    seen = act(bob, merges.preview, *pair)
    assert seen.wins == {"full_name": "kept", "phone": "kept", "external_id": "kept", "email": "merged", "date_of_birth": "merged"}
    assert seen.moves == merges.Moves(messages=2, emergencies=1, versions=2)
    values = seen.values(seen.wins)
    assert (values["full_name"], values["email"], str(values["date_of_birth"])) == ("Anna Maier", "anna@example.org", "1980-01-02")
    assert (values["medical_notes"], values["alerts"]) == ("Crown 16\n\nBridge 24", "Latex")


def test_looking_changes_nothing(alice, pair):
    before = act(alice, patients.read, pair[0]), act(alice, patients.read, pair[1])
    act(alice, merges.preview, *pair)
    assert (act(alice, patients.read, pair[0]), act(alice, patients.read, pair[1])) == before


def test_one_is_left_with_the_chosen_values_and_found_by_them(alice, bob, pair):
    merge(bob, *pair, full_name="merged", external_id="merged")
    kept = act(alice, patients.read, pair[0])
    assert (kept.full_name, kept.phone, kept.email, kept.external_id) == ("Anna Maier-Huber", "030 5550001", "anna@example.org", "M-2")
    assert (kept.notes.medical_notes, kept.notes.alerts) == ("Crown 16\n\nBridge 24", "Latex")
    assert kept.changed_by == "Bob Brown"
    for term in ("", "huber", "0001"):
        assert [row.id for row in act(alice, patients.find, term=term).rows] == [pair[0]]
    assert act(alice, patients.find, archived=True).rows == []
    assert act(alice, patients.read, pair[1]).merged_into == pair[0]
    assert act(alice, patients.duplicates, MERGED, pair[0]) == []


@pytest.mark.parametrize("asked", ["kept", "merged", "kept merged", "merged kept", "kept merged kept merged", ""])
def test_conversation_emergencies_and_bills_move_and_come_back(alice, pair, asked):
    """Whichever thread is older, or missing."""
    by_name = dict(zip(("kept", "merged"), pair, strict=True))
    questions = [(name, f"{ALARM} {place}") for place, name in enumerate(asked.split())]
    for name, question in questions:
        workflows.ask(alice, by_name[name], question)
    merge(alice, *pair)
    assert said(alice, pair[0]) == [question for _name, question in questions]
    assert said(alice, pair[1]) == []
    assert (bills(alice, pair[0]), bills(alice, pair[1])) == (len(questions), 0)
    waiting = act(alice, emergencies.waiting).rows
    assert {row.patient_id for row in waiting} <= {pair[0]}
    later = f"{ALARM} later"
    workflows.ask(alice, pair[0], later)
    unmerge(alice, *pair)
    for name, patient in by_name.items():
        own = [question for whose, question in questions if whose == name] + [later] * (name == "kept")
        assert said(alice, patient) == own
        assert bills(alice, patient) == len(own)
        assert len([row for row in act(alice, emergencies.waiting).rows if row.patient_id == patient]) == len(own)
        workflows.ask(alice, patient, f"{ALARM} afterwards")
        assert said(alice, patient) == [*own, f"{ALARM} afterwards"]


def test_undone_both_are_as_the_history_says_they_were(alice, bob, pair):
    before = [act(alice, patients.read, patient).values() for patient in pair]
    merge(bob, *pair, full_name="merged", external_id="merged")
    assert set(unmerge(bob, *pair)) == {"full_name", "email", "date_of_birth", "external_id", "medical_notes"}
    assert [act(alice, patients.read, patient).values() for patient in pair] == before
    assert act(alice, patients.read, pair[1]).merged_into is None
    assert {row.id for row in act(alice, patients.find, term="anna").rows} == set(pair)


def test_what_was_changed_since_stays(alice, pair):
    merge(alice, *pair)
    kept = act(alice, patients.read, pair[0])
    form = PatientForm(**kept.values() | {"email": "new@example.org", "medical_notes": "Rewritten"})
    act(alice, patients.amend, pair[0], form, versions=kept.versions)
    assert unmerge(alice, *pair) == ["date_of_birth"]
    kept = act(alice, patients.read, pair[0])
    assert (kept.email, kept.notes.medical_notes) == ("new@example.org", "Rewritten")


def test_an_archived_duplicate_is_archived_again(alice, pair):
    act(alice, patients.archive, pair[1])
    merge(alice, *pair)
    unmerge(alice, *pair)
    assert act(alice, patients.read, pair[1]).archived_at


def test_merges_upon_merges_are_undone_one_by_one(alice, pair):
    third = act(alice, patients.register, PatientForm(full_name="A. Maier"))
    for place, patient in enumerate((third, *pair)):
        workflows.ask(alice, patient, f"{ALARM} {place}")
    merge(alice, *pair)
    merge(alice, third, pair[0])
    assert said(alice, third) == [f"{ALARM} 0", f"{ALARM} 1", f"{ALARM} 2"]
    with pytest.raises(Gone):
        unmerge(alice, *pair)
    unmerge(alice, third, pair[0])
    assert said(alice, pair[0]) == [f"{ALARM} 1", f"{ALARM} 2"]
    unmerge(alice, *pair)
    assert [said(alice, patient) for patient in (third, *pair)] == [[f"{ALARM} 0"], [f"{ALARM} 1"], [f"{ALARM} 2"]]


def test_two_duplicates_of_one_come_back_in_any_order(alice, pair):
    third = act(alice, patients.register, PatientForm(full_name="A. Maier"))
    for place, patient in enumerate((*pair, third)):
        workflows.ask(alice, patient, f"{ALARM} {place}")
    merge(alice, third, pair[0])
    merge(alice, third, pair[1])
    assert len(act(alice, merges.found, third)) == 2
    unmerge(alice, third, pair[0])
    unmerge(alice, third, pair[1])
    assert [said(alice, patient) for patient in (*pair, third)] == [[f"{ALARM} 0"], [f"{ALARM} 1"], [f"{ALARM} 2"]]
    assert act(alice, merges.found, third) == []


@pytest.mark.parametrize("touched", [0, 1])
def test_who_has_seen_something_else_merges_nothing(alice, bob, pair, touched):
    seen = act(alice, merges.preview, *pair)
    current = act(bob, patients.read, pair[touched])
    act(bob, patients.amend, pair[touched], PatientForm(**current.values() | {"alerts": "Latex, penicillin"}), versions=current.versions)
    with pytest.raises(Changed, match="Nothing was merged"):
        act(alice, merges.merge, *pair, versions=seen.versions, wins=seen.wins)
    with pytest.raises(Changed, match="Nothing was undone"):
        merge(alice, *pair)
        act(alice, merges.unmerge, *pair, versions=seen.kept.versions)


def test_an_edit_of_the_same_moment_is_refused(alice, bob, pair):
    """It waits for the merge, and then learns of it."""
    before = act(bob, patients.read, pair[1])
    refused = []

    def amend():
        try:
            act(bob, patients.amend, pair[1], PatientForm(**before.values() | {"alerts": "Penicillin"}), versions=before.versions)
        except AppError as error:
            refused.append(type(error))

    other = threading.Thread(target=amend)
    with db.scope(alice) as scope:
        seen = merges.preview(scope, *pair)
        merges.merge(scope, *pair, versions=seen.versions, wins=seen.wins)
        other.start()
        other.join(0.5)
        assert other.is_alive()
    other.join(10)
    assert refused == [Gone]
    assert act(alice, patients.read, pair[1]).notes.alerts == "Latex"


def test_a_running_answer_is_waited_for(alice, pair):
    with db.scope(alice) as scope:
        thread = chats.open_thread(scope, pair[1])
        answers.start(scope, chats.post_question(scope, thread, "x"), CALL)
    with pytest.raises(AnswerRunning):
        merge(alice, *pair)


def test_nothing_is_written_about_who_was_merged(alice, pair):
    merge(alice, *pair)
    gone = act(alice, patients.read, pair[1])
    for deed, arguments, more in [(patients.amend, [pair[1], KEPT], {"versions": gone.versions}), (patients.restore, [pair[1]], {}),
                                  (merges.preview, [pair[1], pair[0]], {})]:
        with pytest.raises(Gone):
            act(alice, deed, *arguments, **more)
    with pytest.raises(Gone):
        workflows.ask(alice, pair[1], ALARM)
    with pytest.raises(Gone):
        merge(alice, *pair)


def test_nobody_is_their_own_duplicate(alice, pair):
    with pytest.raises(Invalid, match="same patient"):
        act(alice, merges.preview, pair[0], pair[0])


@pytest.mark.parametrize("role", ["manager", "receptionist"])
def test_only_who_treats_merges(alice, hire, pair, role):
    who = hire(alice, role, "Some Body")
    with pytest.raises(Forbidden):
        act(who, merges.preview, *pair)
    for call in ("app.merge_patients(:one, :other, '{1,1}', '{1,1}', 1)", "app.unmerge_patient(:one)"):
        with pytest.raises(Forbidden), db.scope(who) as scope:
            scope.run(f"select {call}", one=pair[0], other=pair[1])


def test_a_foreign_patient_is_like_none(alice, charlie, pair):
    foreign = act(charlie, patients.register, KEPT)
    for other in (foreign, uuid4()):
        with pytest.raises(NotFound):
            act(alice, merges.preview, pair[0], other)
        with pytest.raises(Conflict):
            act(alice, merges.unmerge, pair[0], other, versions=(1, 1))
        with pytest.raises(Gone), db.scope(alice) as scope:
            scope.run("select app.merge_patients(:one, :other, '{1,1}', '{1,1}', 1)", one=pair[0], other=other)


def test_both_acts_stand_in_the_record_of_both(alice, pair):
    workflows.ask(alice, pair[1], ALARM)
    merge(alice, *pair)
    unmerge(alice, *pair)
    with db.scope(alice) as scope:
        rows = scope.connection.execute(text("""
            select action, patient_id, resource_id, row_count from audit_log where action in ('merge', 'unmerge') order by id
            """)).all()
    kept, merged = pair
    assert [tuple(row) for row in rows] == [("merge", kept, str(merged), 2), ("merge", merged, str(kept), None),
                                            ("unmerge", kept, str(merged), 2), ("unmerge", merged, str(kept), None)]


def test_the_history_tells_of_both(alice, pair):
    merge(alice, *pair)
    with db.scope(alice) as scope:
        changes = patient_history.read(scope, pair[0])
    assert {change.duplicate for change in changes} == {True, False}
    assert [change.after["full_name"] for change in changes if change.duplicate and change.before is None] == ["Anna Maier-Huber"]


def test_an_import_of_the_duplicates_number_finds_who_stays(alice, pair):
    merge(alice, *pair)
    with db.scope(alice) as scope:
        row = Row(2, PatientForm(full_name="Anna M. Huber", external_id="M-2", phone="030 99"))
        step = imports.write(scope, imports.Report([row]))
    assert [(one.kind, one.patient_id) for one in step.outcomes] == [("duplicate", pair[0])]


def test_erasing_who_stays_erases_who_was_merged(alice, bob):
    full = furnish(alice, bob)
    other = act(alice, patients.register, PatientForm(full_name="Other Quittmann"))
    merge(alice, other, full, full_name="kept")
    erased = erase(alice, other, name="Other Quittmann")
    assert {one.patient_id for one in erased} == {full, other}
    found = everything(alice)
    assert {word: name for word in CANARIES for name, rows in found.items() if word in rows} == {}
    with pytest.raises(Changed):
        act(alice, merges.unmerge, other, full, versions=(1, 1))
    with pytest.raises(Gone):
        unmerge(alice, other, full)
