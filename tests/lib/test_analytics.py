"""Figures: sums that equal the raw rows, days of the clinic's wall clock, unknown kept apart from nothing."""

import csv
import io
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from lib import analytics, clinic_articles, csv_file, db, paces, periods, rollups, shares, sheets
from lib.errors import Forbidden, Invalid, NotFound
from lib.periods import Period

BERLIN = ZoneInfo("Europe/Berlin")
NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 14))


@pytest.fixture(autouse=True)
def months(owner):
    with db.nobody() as connection:
        connection.execute(db.statement("select app.make_partitions(date '2025-01-01')"))


def id_at(moment: datetime) -> UUID:
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | random.getrandbits(62))


def call(who, at: datetime, **values):
    row = {"id": id_at(at), "message_id": uuid4(), "user_id": who.user_id, "route": "provider", "status": "ok",
           "cost_usd": Decimal("0.5"), "cost_source": "price_table", "tokens_in": 10, "tokens_out": 20, "latency_ms": 1000,
           "created_at": at, "finished_at": at, "saved_usd": None, "model": None, "patient_id": None, "article": None, **values}
    with db.scope(who) as scope:
        scope.run("""
            insert into ai_calls (clinic_id, id, message_id, user_id, route, status, cost_usd, cost_source, tokens_in, tokens_out,
                                  latency_ms, created_at, finished_at, saved_usd, model_requested, patient_id, article)
            values (:clinic_id, :id, :message_id, :user_id, :route, :status, :cost_usd, :cost_source, :tokens_in, :tokens_out,
                    :latency_ms, :created_at, :finished_at, :saved_usd, :model, :patient_id, :article)
            """, **row)
    return row


def emergency(who, at: datetime, seconds: int | None = None):
    with db.scope(who) as scope:
        thread = general_thread(scope, who)
        scope.run("""
            insert into emergencies (clinic_id, id, message_id, thread_id, user_id, categories, rule_set, raised_at, acknowledged_by,
                                     acknowledged_at)
            values (:clinic_id, :id, :message, :thread, :me, '{airway}', 'test', :at, :by, :answered)
            """, id=id_at(at), message=uuid4(), thread=thread, me=who.user_id, at=at,
                  by=None if seconds is None else who.user_id,
                  answered=None if seconds is None else at + timedelta(seconds=seconds))


def general_thread(scope, who):
    found = scope.value("select id from chat_threads where clinic_id = :clinic_id and user_id = :me and patient_id is null",
                        me=who.user_id)
    return found or scope.value("insert into chat_threads (clinic_id, user_id) values (:clinic_id, :me) returning id", me=who.user_id)


def usage(who, period=NOVEMBER):
    with db.scope(who) as scope:
        rows = analytics.usage(scope, period)
    return analytics.current(rows), analytics.former(rows)


def answers(who, period=NOVEMBER):
    with db.scope(who) as scope:
        return paces.answers(scope, period)


def sheet(who, name, period=NOVEMBER):
    with db.scope(who) as scope:
        return sheets.SHEETS[name](scope, period)


def near(bucket, milliseconds):
    return abs(paces.middle(bucket) / milliseconds - 1) < 0.026


def test_sums_equal_the_raw_rows(alice, bob):
    dice = random.Random(1)
    start = datetime(2026, 11, 1, 6, tzinfo=UTC)
    rows = [call(dice.choice([alice, bob]), start + timedelta(minutes=dice.randrange(13 * 24 * 60)),
                 route=dice.choice(["kb", "provider", "fallback"]), latency_ms=dice.randrange(1, 5000), tokens_in=dice.randrange(900),
                 cost_usd=Decimal(dice.randrange(1000)) / 1000) for _ in range(81)]
    now, before = usage(alice)
    assert (analytics.calls(now), before) == (81, [])
    assert analytics.cost(now) == sum(row["cost_usd"] for row in rows)
    assert analytics.added(row.tokens_in for row in now) == sum(row["tokens_in"] for row in rows)
    for row in now:
        raw = [one for one in rows if (one["created_at"].astimezone(BERLIN).date(), one["route"]) == (row.day, row.route)]
        assert (row.calls, row.cost_usd) == (len(raw), sum(one["cost_usd"] for one in raw))
    found = answers(alice)
    latencies = sorted(row["latency_ms"] for row in rows)
    whole = paces.whole(found, "total")
    assert near(whole.p50, latencies[40])
    assert near(whole.p95, latencies[76])
    assert paces.whole(found, "total", current=False) is None
    assert paces.whole(found, "first") is None
    for pace in [one for one in found if one.day]:
        day = sorted(row["latency_ms"] for row in rows if row["created_at"].astimezone(BERLIN).date() == pace.day)
        assert pace.calls == len(day)
        assert near(pace.p50, day[(len(day) - 1) // 2])
    assert {one.route for one in found if not one.day} == {"", "kb", "provider", "fallback"}


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_on_which_the_clocks_change_is_whole(alice, day, hours):
    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
    for n in range(-1, hours + 1):
        call(alice, midnight + timedelta(hours=n))
    now, before = usage(alice, Period(day, day))
    assert (analytics.calls(now), analytics.calls(before)) == (hours, 1)
    assert {row.day for row in now} == {day}
    with db.scope(alice) as scope:
        by_hour = {row.hour: row.calls for row in analytics.hours(scope, Period(day, day))}
    assert sum(by_hour.values()) == hours
    assert by_hour.get(2, 0) == {23: 0, 25: 2}[hours]


def test_a_call_just_before_midnight_whose_id_is_of_the_next_day_counts_where_it_began(alice):
    midnight = datetime(2026, 11, 15, tzinfo=BERLIN).astimezone(UTC)
    call(alice, midnight - timedelta(milliseconds=1), id=id_at(midnight + timedelta(seconds=2)))
    assert analytics.calls(usage(alice)[0]) == 1
    assert usage(alice, Period(date(2026, 11, 15), date(2026, 11, 15)))[0] == []


def test_an_unknown_cost_is_not_zero(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    call(alice, at, cost_usd=None, cost_source=None, tokens_in=None, tokens_out=None, status="timeout")
    call(alice, at + timedelta(days=1), cost_usd=Decimal(0), route="kb", cost_source="none", tokens_in=None, tokens_out=None)
    unknown, free = usage(alice)[0]
    assert (unknown.cost_usd, unknown.unpriced, unknown.tokens_in, unknown.uncounted) == (None, 1, None, 1)
    assert (free.cost_usd, free.unpriced, free.uncounted) == (0, 0, 0)
    costs = dict(zip(sheet(alice, "cost").names, sheet(alice, "cost").column("measured"), strict=True))
    assert (costs[date(2026, 11, 2)], costs[date(2026, 11, 3)], costs[date(2026, 11, 4)]) == (0, None, 0)


def test_measured_estimated_and_unpriced_stand_apart(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    for source, cost in (("provider", 1), ("price_table", 2), ("estimated", 4), (None, None)):
        call(alice, at, cost_source=source, cost_usd=cost, model="large")
    assert sheet(alice, "models").rows == (("large", 4, 3, 4, 1),)
    row = next(row for row in sheet(alice, "cost").rows if row[0] == date(2026, 11, 3))
    assert row[1:4] == (3, 4, 1)


def test_the_budget_stands_beside_the_cost(alice):
    with db.scope(alice) as scope:
        scope.run("insert into assistant_settings (clinic_id, daily_budget_usd) values (:clinic_id, 12)")
    today = periods.today(alice)
    call(alice, datetime.now(UTC))
    count()
    assert sheet(alice, "cost", Period(today, today)).column("limit") == [12]
    assert sheet(alice, "cost", Period(today - timedelta(days=364), today)).column("limit")[-1] == 84


def test_todays_budget_is_the_one_that_is_set_now(alice):
    today = periods.today(alice)
    week = Period(today - timedelta(days=6), today)
    call(alice, datetime.now(UTC))
    seen = []
    for amount in (12, 30):
        with db.scope(alice) as scope:
            scope.run("""
                insert into assistant_settings (clinic_id, daily_budget_usd) values (:clinic_id, :amount)
                on conflict (clinic_id) do update set daily_budget_usd = excluded.daily_budget_usd
                """, amount=amount)
            seen.append(analytics.version(scope))
        assert sheet(alice, "cost", week).column("limit") == [None] * 6 + [amount], "before any roll-up"
        count()
        assert sheet(alice, "cost", week).column("limit") == [None] * 6 + [amount]
    assert sheet(alice, "cost", Period(today - timedelta(days=1), today - timedelta(days=1))).column("limit") == [None]
    assert len(set(seen)) == 2


def test_a_name_that_changes_makes_another_version(owner, alice, mona):
    def version():
        with db.scope(alice) as scope:
            return analytics.version(scope)

    seen = [version()]
    with db.scope(alice) as scope:
        clinic_articles.add(scope, clinic_articles.Wording("Our hours", (), "Nine to five."), article_id=UUID(int=random.getrandbits(128)))
    seen.append(version())
    with db.scope(alice) as scope:
        scope.run("update clinic_articles set title = 'When we are open' where clinic_id = :clinic_id")
    seen.append(version())
    with owner.begin() as connection:
        connection.execute(text("update memberships set display_name = 'Mona Married' where user_id = :mona"), {"mona": mona.user_id})
    seen.append(version())
    assert len(set(seen)) == 4


def test_a_connection_test_costs_and_is_nobodys_question(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    call(alice, at, model="large")
    for n in range(3):
        made = id_at(at)
        call(alice, at, id=made, message_id=made, route="trial", model="large", status="timeout" if n else "ok")
    now, _before = usage(alice)
    assert (analytics.calls(now), analytics.cost(now), analytics.failed(now)) == (1, 2, [])
    assert [row for row in sheet(alice, "messages").rows if row[1]] == [(date(2026, 11, 3), 1, 1)]
    assert sum(sum(row[1:]) for row in sheet(alice, "hours").rows) == 1
    assert sheet(alice, "models").rows == (("large", 4, 2, 0, 0),)
    assert sheet(alice, "errors").rows == ()
    assert sum(cost for cost in sheet(alice, "cost").column("measured")) == 2
    with db.scope(alice) as scope:
        assert [(row.day, row.calls) for row in analytics.busy(scope, NOVEMBER)] == [(date(2026, 11, 3), 1)]


def test_who_only_tested_the_connection_asked_nothing(alice, bob):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    call(bob, at)
    for day in (0, 1):
        made = id_at(at + timedelta(days=day))
        call(alice, at + timedelta(days=day), id=made, message_id=made, route="trial")
    for _ in range(2):
        assert sheet(alice, "people").rows == (("Bob Brown", 1, 0, 1, Decimal("0.5"), 0), ("Alice Adams", 0, 0, 0, 1, 0))
        assert sum(sheet(alice, "staff").column("people")) == 1
        count()


def test_what_was_saved_is_measured_or_taken_at_the_average_price(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    call(alice, at, cost_usd=Decimal("0.2"))
    call(alice, at, cost_usd=Decimal("0.4"))
    call(alice, at, route="cache", cost_usd=0, cost_source="none", saved_usd=Decimal("0.5"))
    for _ in range(2):
        call(alice, at, route="emergency", cost_usd=0, cost_source="none")
    kb, cache, emergency = sheet(alice, "saved").rows
    assert (kb[1:], cache[1:]) == ((0, 0, 0), (1, Decimal("0.5"), 0))
    assert (emergency[1], emergency[2], round(emergency[3], 6)) == (2, 0, Decimal("0.6"))


def test_stops_are_no_errors(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    for status in ("ok", "stopped", "started", "timeout", "timeout", "error_mid"):
        call(alice, at, status=status)
    assert [row[1:] for row in sheet(alice, "errors").rows] == [(2, 0), (1, 0)]


def test_stopped_and_failed_calls_do_not_count_as_answer_times(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    call(alice, at, latency_ms=100)
    call(alice, at, latency_ms=60_000, status="timeout")
    call(alice, at, latency_ms=3_000, status="stopped")
    whole = paces.whole(answers(alice), "total")
    assert (whole.calls, near(whole.p50, 100), whole.p95 == whole.p50) == (1, True, True)


def test_the_period_before_is_equally_long_and_adjoins(alice):
    assert NOVEMBER.before == Period(date(2026, 10, 18), date(2026, 10, 31))
    call(alice, datetime(2026, 10, 18, 0, tzinfo=BERLIN).astimezone(UTC))
    call(alice, datetime(2026, 10, 31, 23, 59, tzinfo=BERLIN).astimezone(UTC))
    call(alice, datetime(2026, 10, 17, 23, 59, tzinfo=BERLIN).astimezone(UTC))
    now, before = usage(alice)
    assert (now, analytics.calls(before)) == ([], 2)


def test_emergencies_are_counted_with_the_time_to_acknowledgement(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    for seconds in (30, 120, 600, None):
        emergency(alice, at, seconds)
    emergency(alice, at - timedelta(days=14), 30)
    assert [row[1:] for row in sheet(alice, "acknowledgements").rows] == [(1, 1), (1, 0), (1, 0), (0, 0), (0, 0), (1, 0)]
    row = next(row for row in sheet(alice, "emergencies").rows if row[0] == date(2026, 11, 3))
    assert row == (date(2026, 11, 3), 1, 3, 2.0)


def test_people_are_counted_once_however_often_they_ask(alice, bob):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    for who, days in ((alice, 0), (alice, 1), (bob, 1), (bob, 1), (bob, -14)):
        call(who, at + timedelta(days=days), cost_usd=Decimal("0.5"))
    assert sheet(alice, "people").rows == (("Alice Adams", 2, 0, 2, 1, 0), ("Bob Brown", 2, 1, 1, 1, 0))
    with db.scope(alice) as scope:
        heads = {(row.day, row.current): row.people for row in shares.staff(scope, NOVEMBER)}
    assert heads == {(None, True): 2, (None, False): 1, (date(2026, 11, 3), True): 1, (date(2026, 11, 4), True): 2}


@pytest.mark.parametrize("name", ["=Dear", "\tx", "＝x", "; =x"])
def test_no_name_is_a_formula_in_an_export(name):
    """However a spreadsheet splits: lib/csv_file.py."""
    made = sheets.to_csv(sheets.Sheet("patients", ("Patient", "Questions"), ("calls",), ((name, 2), ("Ann", 3))))
    [_heads, [cell, _calls], plain] = csv.reader(io.StringIO(made))
    assert cell == csv_file.tame(name) != name
    assert plain == ["Ann", "3"]


def test_the_dearest_patients_are_named_to_those_who_may_see_them(alice, mona, bob, charlie):
    with db.scope(alice) as scope:
        dear, cheap = (scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, :name) returning id
            """, me=alice.user_id, name=name) for name in ("=Dear", "Cheap"))
    for patient, cost in ((cheap, 1), (dear, 2), (dear, 3), (None, 9)):
        call(alice, datetime(2026, 11, 3, 12, tzinfo=UTC), cost_usd=Decimal(cost), patient_id=patient)
    for who in (alice, mona):
        assert sheet(who, "patients").rows == (("=Dear", 2, 5, 0), ("Cheap", 1, 1, 0))
    assert sheet(charlie, "patients").rows == ()
    with pytest.raises(Forbidden):
        sheet(bob, "patients")
    assert "'=Dear,2,5" in sheets.to_csv(sheet(alice, "patients")), "a spreadsheet runs no name"
    with db.scope(alice) as scope:
        assert scope.value("""
            select count(*) from audit_log where clinic_id = :clinic_id and resource = 'patient_costs' and user_id = :mona
            """, mona=mona.user_id) == 1


def test_every_patient_is_in_the_table_the_file_and_the_answer(alice):
    with db.scope(alice) as scope:
        people = [scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, :name) returning id
            """, me=alice.user_id, name=f"Patient {n}") for n in range(23)]
    for n, patient in enumerate(people):
        call(alice, datetime(2026, 11, 3, 12, tzinfo=UTC), cost_usd=Decimal(n), patient_id=patient)
    assert sheet(alice, "patients").names == [f"Patient {n}" for n in reversed(range(23))]
    with db.scope(alice) as scope:
        assert len(sheets.export(scope, "patients", NOVEMBER).splitlines()) == 24
        assert len(sheets.read(scope, "patients", NOVEMBER).rows) == 23


def test_articles_bear_their_titles_also_a_clinics_own(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    with db.scope(alice) as scope:
        own = UUID(int=random.getrandbits(128))
        clinic_articles.add(scope, clinic_articles.Wording("Our hours", (), "Nine to five."), article_id=own)
    for article in ("crowns", "crowns", f"own:{own}", "gone"):
        call(alice, at, article=article, route="kb")
    call(alice, at, route="fallback")
    titles = {row[0]: row[1] for row in sheet(alice, "articles").rows}
    assert titles["Our hours"] == titles["gone"] == 1
    assert 2 in titles.values()
    assert "crowns" not in titles
    assert sum(sheet(alice, "unmatched").column("fallback")) == 1


def test_a_question_without_an_article_counts_whoever_answered_it(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    for route, article in (("fallback", None), ("provider", None), ("cache", None), ("provider", "crowns"), ("cache", "crowns"),
                           ("kb", "crowns"), ("emergency", None), ("blocked", None)):
        call(alice, at, route=route, article=article)
    call(alice, at - timedelta(days=14), route="provider")
    made = id_at(at)
    call(alice, at, id=made, message_id=made, route="trial")
    for _ in range(2):
        assert sum(sheet(alice, "unmatched").column("fallback")) == 3
        with db.scope(alice) as scope:
            assert [(row.day, row.calls) for row in shares.without_article(scope, NOVEMBER)] == [(date(2026, 11, 3), 3), (None, 1)]
        count()


@pytest.mark.parametrize("route", ["fallback", "provider", "cache"])
def test_texts_without_a_match_are_for_those_who_may_read_them(alice, mona, charlie, route):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    with db.scope(alice) as scope:
        thread = general_thread(scope, alice)
        question, answer = id_at(at), id_at(at)
        for message, role, asked, content in ((question, "user", None, "What is a zygoma?"), (answer, "assistant", question, "No idea.")):
            scope.run("""
                insert into chat_messages (clinic_id, id, thread_id, user_id, question_id, role, status, content, created_at)
                values (:clinic_id, :id, :thread, :me, :question, :role, 'ok', :content, :at)
                """, id=message, thread=thread, me=alice.user_id, question=asked, role=role, content=content, at=at)
    call(alice, at, route=route, message_id=answer)
    call(alice, at, route="provider", message_id=answer, article="crowns")
    with db.scope(alice) as scope:
        assert [row.text for row in shares.unmatched(scope, NOVEMBER)] == ["What is a zygoma?"]
    with db.scope(charlie) as scope:
        assert shares.unmatched(scope, NOVEMBER) == []
    with pytest.raises(Forbidden), db.scope(mona) as scope:
        shares.unmatched(scope, NOVEMBER)


def test_the_version_follows_every_change_and_nothing_else(alice, charlie):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)

    def version():
        with db.scope(alice) as scope:
            return analytics.version(scope)

    seen = [version()]
    row = call(alice, at, status="started", finished_at=None)
    seen.append(version())
    with db.scope(alice) as scope:
        scope.run("update ai_calls set status = 'ok', finished_at = now() where clinic_id = :clinic_id and id = :id", id=row["id"])
    seen.append(version())
    emergency(alice, at)
    seen.append(version())
    with db.scope(alice) as scope:
        scope.run("update emergencies set false_alarm = true where clinic_id = :clinic_id")
    seen.append(version())
    assert len(set(seen)) == 5
    count()
    call(charlie, at)
    assert version() == seen[-1], "counting changes no figure, and another clinic's are not ours"


def count() -> None:
    while rollups.refresh():
        pass


def test_a_manager_reads_what_the_owner_reads_and_an_outsider_sees_nothing(alice, mona, charlie):
    call(alice, datetime(2026, 11, 3, 12, tzinfo=UTC))
    emergency(alice, datetime(2026, 11, 3, 12, tzinfo=UTC))
    for name in sheets.SHEETS:
        assert sheet(mona, name) == sheet(alice, name)
    assert usage(charlie) == ([], [])
    assert sum(sheet(charlie, "emergencies").column("open")) == 0


@pytest.mark.parametrize("name", sheets.SHEETS)
def test_clinicians_and_receptionists_are_refused(bob, rita, name):
    for who in (bob, rita):
        with pytest.raises(Forbidden):
            sheet(who, name)
        with pytest.raises(Forbidden), db.scope(who) as scope:
            analytics.version(scope)


def test_an_export_is_on_record_and_an_unknown_figure_is_not_found(alice):
    call(alice, datetime(2026, 11, 3, 12, tzinfo=UTC))
    with db.scope(alice) as scope:
        lines = sheets.export(scope, "messages", NOVEMBER).splitlines()
        assert scope.value("""
            select row_count from audit_log where clinic_id = :clinic_id and action = 'export' and resource_id = 'messages'
            """) == 14
    assert lines[:4] == ["Day,All,AI provider", "2026-11-01,0,0", "2026-11-02,0,0", "2026-11-03,1,1"]
    with pytest.raises(NotFound), db.scope(alice) as scope:
        sheets.export(scope, "secrets", NOVEMBER)


def test_a_missing_day_is_one_on_which_others_like_it_are_busy():
    period = Period(date(2026, 10, 26), date(2026, 11, 22))
    asked = [analytics.Busy(day, 5) for day in period.days_of if day.weekday() < 5 and day != date(2026, 11, 11)]
    assert analytics.missing(asked, period, date(2026, 11, 23)) == [date(2026, 11, 11)]
    assert analytics.missing(asked, period, date(2026, 11, 11)) == [], "a day that is not over is not missing"
    assert analytics.missing(asked[15:], period, date(2026, 11, 23)) == [], "before the first question nothing is missing"
    assert analytics.missing([], period, date(2026, 11, 23)) == []


def test_a_year_comes_by_weeks_of_which_the_newest_is_whole(alice, bob):
    year = Period(date(2025, 11, 15), date(2026, 11, 14))
    call(alice, datetime(2026, 11, 8, 12, tzinfo=UTC), latency_ms=100)
    call(bob, datetime(2026, 11, 14, 12, tzinfo=UTC), latency_ms=300)
    call(bob, datetime(2026, 11, 7, 12, tzinfo=UTC), latency_ms=900)
    call(bob, datetime(2025, 11, 15, 12, tzinfo=UTC), latency_ms=700)
    found = [(row.day, row.calls) for row in answers(alice, year) if row.day]
    assert found == [(date(2025, 11, 9), 1), (date(2026, 11, 1), 1), (date(2026, 11, 8), 2)]
    assert [row.day for row in usage(alice, year)[0]] == [day for day, _calls in found]
    assert (len(year.starts), len(NOVEMBER.starts), NOVEMBER.starts[0]) == (53, 14, NOVEMBER.first)
    assert sheet(alice, "staff", year).column("people")[-2:] == [1, 2]


def test_periods_that_make_no_sense_are_refused():
    latest = date(2026, 11, 20)
    for first, last in [(date(2026, 11, 2), date(2026, 11, 1)), (date(2026, 11, 2), date(2026, 11, 21)),
                        (date(2020, 1, 1), latest), (date(1, 1, 1), date(1, 1, 2))]:
        with pytest.raises(Invalid):
            periods.between(first, last, latest)
    assert periods.between(latest, latest, latest).days == 1
    assert periods.preset("7d", latest) == Period(date(2026, 11, 14), latest)
