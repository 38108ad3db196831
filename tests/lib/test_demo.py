"""The demo clinic: the same every time, nothing in the future, found by search, and never in production."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from lib import analytics, answers, auth, db, demo, demo_plan, paces, passwords, patients, periods, redflags, shares
from lib.calls import Call, Ending
from lib.errors import SetUpError
from lib.events import FREE

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def planned():
    return demo_plan.plan(NOW)


@pytest.fixture(scope="module")
def team(owner):
    """The filled clinic; a second filling is refused."""
    assert demo.fill(datetime.now(UTC))
    assert not demo.fill(datetime.now(UTC))
    return demo.employ()


def test_the_same_moment_gives_the_same_clinic(planned):
    again = demo_plan.plan(NOW)
    assert again.asks == planned.asks
    assert again.patients == planned.patients
    assert demo.staff() == demo.staff()


def test_it_is_big_and_mixed_enough_to_look_real(planned):
    assert 300 <= len(planned.patients) <= 340
    assert len(planned.asks) > 4000
    assert {ask.route for ask in planned.asks} == {"kb", "fallback", "provider", "emergency"}
    assert {"ok", "timeout", "error_before"} <= {ask.status for ask in planned.asks}
    assert any(ask.cost is None for ask in planned.asks)
    assert sum(ask.route == "emergency" and not ask.answered_after for ask in planned.asks) == 2
    assert any(one.form.deceased for one in planned.patients)
    assert any(one.archived_at for one in planned.patients)
    assert len({re.sub(r"[\s'-]", "", one.form.full_name)[0] for one in planned.patients}) > 40


def test_nothing_lies_in_the_future_and_ids_tell_their_time(planned):
    for ask in planned.asks:
        assert ask.at < NOW
        assert ask.id.int >> 80 == int(ask.at.timestamp() * 1000)
    assert all(one.at < NOW and one.id.int >> 80 == int(one.at.timestamp() * 1000) for one in planned.patients)
    assert len({ask.id for ask in planned.asks} | {ask.answer_id for ask in planned.asks}) == 2 * len(planned.asks)


def test_nobody_is_asked_about_before_they_came(planned):
    assert all(planned.patients[ask.patient].at < ask.at for ask in planned.asks if ask.patient is not None)


def test_every_emergency_is_one_and_no_other_question_is(planned):
    tiers = {ask.question: redflags.check(ask.question).tier for ask in planned.asks}
    assert {tiers[ask.question] for ask in planned.asks if ask.route == "emergency"} == {"E"}
    assert {tiers[ask.question] for ask in planned.asks if ask.route != "emergency"} == {None}


def test_an_answer_keeps_the_facts_the_chat_writes(planned):
    written = answers._metadata(Call("kb", None, "1", None, "en"), Ending(FREE, "", 1))
    assert all(set(written) <= set(demo.metadata(ask)) for ask in planned.asks[:300])


def test_every_password_may_be_used():
    for person in demo.staff():
        passwords.check(person.password, person.full_name, person.email)


def test_it_refuses_in_production(monkeypatch, capsys):
    monkeypatch.setenv("CHAIRSIDE_ENV", "production")
    with pytest.raises(SystemExit, match="not made where CHAIRSIDE_ENV=production"):
        demo.main()
    with pytest.raises(SetUpError):
        demo.refuse_in_production()
    assert capsys.readouterr().out == ""


def test_everybody_can_sign_in_and_find_the_patients(team, planned):
    for identity, person in zip(team, demo.staff(), strict=True):
        account = auth.find_account(person.email)
        assert auth.verify(account, person.password)
        with db.scope(identity) as scope:
            assert patients.count(scope) + patients.count(scope, archived=True) == len(planned.patients)
    with db.scope(team[0]) as scope:
        for one in planned.patients[::40]:
            term = one.form.full_name.split()[-1]
            assert any(found.full_name == one.form.full_name for archived in (False, True)
                       for found in patients.find(scope, term=term, archived=archived).rows)


def test_its_figures_cover_a_year(team):
    with db.scope(team[1]) as scope:
        year = periods.preset("12m", periods.today(team[1]))
        usage, staff = analytics.current(analytics.usage(scope, year)), shares.staff(scope, year)
        waiting = [row for row in paces.emergencies(scope, year) if row.bucket == paces.OPEN]
    assert analytics.calls(usage) > 4000
    assert sum(row.unpriced for row in usage) > 0
    assert sum(row.raised for row in waiting) == 2
    assert [row.people for row in staff if row.day is None and row.current] == [4]
    assert min(row.day for row in usage) - year.first < timedelta(days=7)


def test_the_history_is_as_old_as_the_patients(team):
    with db.scope(team[0]) as scope:
        assert scope.value("""
            select count(*) from patient_versions v join patients p on p.clinic_id = v.clinic_id and p.id = v.patient_id
            where v.clinic_id = :clinic_id and v.changed_at <> p.updated_at
            """) == 0
