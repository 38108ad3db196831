"""What was typed comes back to whoever typed it, and to nobody else."""

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from lib import db, drafts, team
from lib.errors import Forbidden, Invalid

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


def test_after_seven_days_a_draft_is_not_offered_and_the_next_one_clears_it(alice, owner: Engine):
    save(alice, form="old")
    with owner.begin() as connection:
        for statement in ("alter table drafts disable trigger touch", "alter table drafts no force row level security",
                          "update drafts set updated_at = now() - interval '8 days' where form = 'old'",
                          "alter table drafts force row level security", "alter table drafts enable trigger touch"):
            connection.execute(text(statement))
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
    with db.scope(former) as scope:
        assert drafts.load_question(scope, None) == "How long"
        assert scope.value("select count(*) from drafts where clinic_id = :clinic_id") == 1  # the schema's rule
    for action in (drafts.load_question, lambda scope, of: drafts.keep_question(scope, of, "x"),
                   lambda scope, of: drafts.discard_question(scope, of, "x")):
        with pytest.raises(Forbidden), db.scope(former) as scope:
            action(scope, patient_id)
    with pytest.raises(Forbidden):
        save(former, {"text": "x"}, f"question:{uuid4()}")


def test_who_may_ask_nothing_keeps_no_question(mona):
    with pytest.raises(Forbidden), db.scope(mona) as scope:
        drafts.keep_question(scope, None, "x")
