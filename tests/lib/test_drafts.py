"""What was typed comes back to whoever typed it, and to nobody else."""

from contextlib import nullcontext
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from lib import auth, chores, db, drafts, jobs, startup, team
from lib.errors import Forbidden, Invalid, NotFound

DATA = {"tab": "tab 1", "values": {"full_name": "José", "deceased": False}, "versions": [1, 0]}


def load(who, form="patient:new"):
    with db.scope(who) as scope:
        draft = drafts.load(scope, form)
        return draft and draft.data


def save(who, data=DATA, form="patient:new"):
    with db.scope(who) as scope:
        drafts.save(scope, form, data)


def test_the_last_draft_of_a_form_comes_back(alice):
    save(alice)
    save(alice, DATA | {"versions": [2, 1]})
    assert load(alice) == DATA | {"versions": [2, 1]}
    assert load(alice, "patient:other") is None


def test_nobody_sees_anothers_draft(alice, bob, charlie):
    save(alice)
    assert load(bob) is load(charlie) is None


def test_a_discarded_draft_is_gone_and_only_its_own(alice, bob):
    save(alice)
    save(bob)
    with db.scope(alice) as scope:
        drafts.discard(scope, "patient:new", "tab 1")
    assert load(alice) is None
    assert load(bob) == DATA


def age(owner: Engine) -> None:
    with owner.begin() as connection:
        for statement in ("alter table drafts disable trigger touch", "alter table drafts no force row level security",
                          "update drafts set updated_at = now() - interval '8 days' where form = 'old'",
                          "alter table drafts force row level security", "alter table drafts enable trigger touch"):
            connection.execute(text(statement))


def test_a_draft_goes_after_seven_days_though_its_author_never_returns(alice, bob, owner: Engine):
    save(alice, form="old")
    save(bob)
    age(owner)
    jobs.connect(startup._server.url("chairside_worker"), 1)
    chores.forget()
    jobs.disconnect()
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from drafts where clinic_id = :clinic_id") == 0
    assert load(bob) == DATA


def test_after_seven_days_a_draft_is_not_offered_and_the_next_one_clears_it(alice, owner: Engine):
    save(alice, form="old")
    age(owner)
    assert load(alice, "old") is None
    save(alice)
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from drafts where clinic_id = :clinic_id") == 1


@pytest.mark.parametrize("value", ["x" * 200_000, "a\0b"])
def test_what_can_not_be_kept_is_refused_and_the_last_draft_stays(alice, value):
    save(alice)
    with pytest.raises(Invalid):
        save(alice, DATA | {"values": {"medical_notes": value}})
    assert load(alice) == DATA


def test_saving_in_one_tab_leaves_what_another_has_typed_since(alice):
    save(alice)
    save(alice, DATA | {"tab": "tab 2"})
    with db.scope(alice) as scope:
        drafts.discard(scope, "patient:new", "tab 1")
        kept = drafts.load(scope, "patient:new")
    assert kept
    assert kept.data["tab"] == "tab 2"


# a question that was not asked yet -----------------------------------------------------------------------------------


def test_what_was_typed_about_a_patient_is_read_only_while_its_author_treats_patients(alice, bob, hire):
    patient_id = uuid4()
    save(bob, {"text": "Does ibuprofen"}, f"question:{patient_id}")
    save(bob, {"text": "How long"}, "question:general")
    with db.scope(alice) as scope:
        team.change_role(scope, bob.user_id, "receptionist")
    former = replace(bob, role="receptionist")
    save(former, {"text": "How long"}, "question:general")
    with db.scope(former) as scope:
        assert drafts.load_texts(scope, ["question:general"])["question:general"].text == "How long"
        assert scope.value("select count(*) from drafts where clinic_id = :clinic_id") == 1  # the schema's rule
    for action in (lambda scope, field: drafts.load_texts(scope, [field]), lambda scope, field: drafts.keep_text(scope, field, "x"),
                   lambda scope, field: drafts.discard_text(scope, field, "x")):
        with pytest.raises(Forbidden), db.scope(former) as scope:
            action(scope, f"question:{patient_id}")
    with pytest.raises(Forbidden):
        save(former, {"text": "x"}, f"question:{uuid4()}")


@pytest.mark.parametrize(("step", "left"), [
    (lambda scope, who: team.change_role(scope, who, "receptionist"), 0), (lambda scope, who: team.deactivate(scope, who), 0),
    (lambda scope, who: team.change_role(scope, who, "owner"), 1)], ids=["other work", "gone", "owner"])
def test_a_draft_ends_with_the_right_to_what_is_in_it(alice, bob, owner, step, left):
    save(bob, {"values": {"medical_notes": "Asthma"}, "versions": [1, 1], "tab": "1"}, f"patient:{uuid4()}")
    with db.scope(alice) as scope:
        step(scope, bob.user_id)
    with owner.connect() as connection:
        assert connection.execute(text("select count(*) from drafts where user_id = :id"), {"id": bob.user_id}).scalar() == left


def test_who_may_ask_nothing_keeps_no_question(mona):
    with pytest.raises(Forbidden), db.scope(mona) as scope:
        drafts.keep_text(scope, "question:general", "x")


# one text of one field -----------------------------------------------------------------------------------------------


def texts(who, *fields):
    with db.scope(who) as scope:
        return {field: found.text for field, found in drafts.load_texts(scope, fields).items()}


def test_each_field_keeps_its_newest_text_for_its_author(alice, hire):
    olga = hire(alice, "owner", "Olga Ost")
    with db.scope(alice) as scope:
        drafts.keep_text(scope, "clinic:name", "Zahn")
        drafts.keep_text(scope, "clinic:name", "Zahnärzte")
        drafts.keep_text(scope, "clinic:networks", "a\0b")
    assert texts(alice, "clinic:name", "clinic:networks", "clinic:number") == {"clinic:name": "Zahnärzte", "clinic:networks": "ab"}
    assert texts(olga, "clinic:name") == {}
    with db.scope(olga) as scope:
        drafts.discard_texts(scope, ["clinic:name"])
    with db.scope(alice) as scope:
        drafts.discard_text(scope, "clinic:name", "an older text of another tab")
        drafts.discard_texts(scope, ["clinic:networks"])
    assert texts(alice, "clinic:name", "clinic:networks") == {"clinic:name": "Zahnärzte"}


@pytest.mark.parametrize("field", ["provider:key", "password:new", "clinic", "clinic:", "question:", "question:nobody", "", "patient:new"])
def test_a_field_that_nobody_named_is_not_kept(alice, field):
    """Keys, passwords and codes have no name in the list."""
    with pytest.raises(NotFound), db.scope(alice) as scope:
        drafts.keep_text(scope, field, "x")


@pytest.mark.parametrize(("field", "permission"), drafts.FIELDS.items())
def test_a_field_is_filled_by_whoever_may_send_its_form(alice, bob, mona, rita, field, permission):
    for who in (alice, bob, mona, rita):
        field = field if ":" in field else f"{field}:{uuid4()}"
        with pytest.raises(Forbidden) if not auth.may(who, permission) else nullcontext(), db.scope(who) as scope:
            assert drafts.load_texts(scope, [field]) == {}
