"""Figures: sums that equal the raw rows, days of the clinic's wall clock, unknown kept apart from nothing."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from lib import analytics, db
from lib.analytics import Period
from lib.errors import Forbidden, Invalid

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
           "created_at": at, "finished_at": at, **values}
    with db.scope(who) as scope:
        scope.run("""
            insert into ai_calls (clinic_id, id, message_id, user_id, route, status, cost_usd, cost_source, tokens_in, tokens_out,
                                  latency_ms, created_at, finished_at)
            values (:clinic_id, :id, :message_id, :user_id, :route, :status, :cost_usd, :cost_source, :tokens_in, :tokens_out,
                    :latency_ms, :created_at, :finished_at)
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


def read(who, period=NOVEMBER):
    with db.scope(who) as scope:
        return analytics.read(scope, period)


def test_sums_equal_the_raw_rows(alice, bob):
    dice = random.Random(1)
    start = datetime(2026, 11, 1, 6, tzinfo=UTC)
    rows = [call(dice.choice([alice, bob]), start + timedelta(minutes=dice.randrange(13 * 24 * 60)),
                 route=dice.choice(["kb", "provider", "fallback"]), latency_ms=dice.randrange(5000), tokens_in=dice.randrange(900),
                 cost_usd=Decimal(dice.randrange(1000)) / 1000) for _ in range(80)]
    report = read(alice)
    assert report.now.messages == sum(row.messages for row in report.usage) == 80
    assert report.now.cost_usd == sum(row["cost_usd"] for row in rows)
    assert report.now.tokens_in == sum(row["tokens_in"] for row in rows)
    assert report.now.p50_ms == median(row["latency_ms"] for row in rows)
    assert report.now.staff == 2
    for row in report.usage:
        raw = [one for one in rows if (one["created_at"].astimezone(BERLIN).date(), one["route"]) == (row.day, row.route)]
        assert (row.messages, row.cost_usd) == (len(raw), sum(one["cost_usd"] for one in raw))
    for pace in report.pace:
        day = [one for one in rows if one["created_at"].astimezone(BERLIN).date() == pace.day]
        assert (pace.p50_ms, pace.staff) == (median(one["latency_ms"] for one in day), len({one["user_id"] for one in day}))


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_on_which_the_clocks_change_is_whole(alice, day, hours):
    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
    for n in range(-1, hours + 1):
        call(alice, midnight + timedelta(hours=n))
    report = read(alice, Period(day, day))
    assert report.now.messages == hours
    assert report.before.messages == 1
    assert [row.day for row in report.usage] == [day]


def test_a_call_just_before_midnight_whose_id_is_of_the_next_day_counts_where_it_began(alice):
    midnight = datetime(2026, 11, 15, tzinfo=BERLIN).astimezone(UTC)
    call(alice, midnight - timedelta(milliseconds=1), id=id_at(midnight + timedelta(seconds=2)))
    assert read(alice).now.messages == 1
    assert read(alice, Period(date(2026, 11, 15), date(2026, 11, 15))).now.messages == 0


def test_an_unknown_cost_is_not_zero(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    call(alice, at, cost_usd=None, cost_source=None, tokens_in=None, tokens_out=None, status="timeout")
    call(alice, at + timedelta(days=1), cost_usd=Decimal(0), route="kb", cost_source="none", tokens_in=None, tokens_out=None)
    report = read(alice)
    unknown, free = report.usage
    assert (unknown.cost_usd, unknown.unpriced, unknown.tokens_in, unknown.uncounted) == (None, 1, None, 1)
    assert (free.cost_usd, free.unpriced, free.uncounted) == (0, 0, 0)
    assert (report.now.cost_usd, report.now.unpriced) == (0, 1)


def test_a_period_of_which_no_price_is_known_has_no_cost(alice):
    call(alice, datetime(2026, 11, 3, 12, tzinfo=UTC), cost_usd=None, cost_source=None)
    assert read(alice).now.cost_usd is None
    assert read(alice).before.cost_usd == 0


def test_a_call_still_under_way_is_neither_unpriced_nor_slow(alice):
    call(alice, datetime(2026, 11, 3, 12, tzinfo=UTC), status="started", cost_usd=None, cost_source=None, latency_ms=None, finished_at=None)
    assert (read(alice).now.messages, read(alice).now.unpriced, read(alice).now.p50_ms) == (1, 0, None)


def test_stopped_and_failed_calls_do_not_count_as_answer_times(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    call(alice, at, latency_ms=100)
    call(alice, at, latency_ms=60_000, status="timeout")
    call(alice, at, latency_ms=3_000, status="stopped")
    assert (read(alice).now.p50_ms, read(alice).now.p95_ms) == (100, 100)


def test_the_period_before_is_equally_long_and_adjoins(alice):
    assert NOVEMBER.before == Period(date(2026, 10, 18), date(2026, 10, 31))
    call(alice, datetime(2026, 10, 18, 0, tzinfo=BERLIN).astimezone(UTC))
    call(alice, datetime(2026, 10, 31, 23, 59, tzinfo=BERLIN).astimezone(UTC))
    call(alice, datetime(2026, 10, 17, 23, 59, tzinfo=BERLIN).astimezone(UTC))
    report = read(alice)
    assert (report.now.messages, report.before.messages) == (0, 2)
    assert (report.usage, report.pace) == ([], [])


def test_emergencies_are_counted_with_the_time_to_acknowledgement(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    for seconds in (60, 120, 600, None):
        emergency(alice, at, seconds)
    emergency(alice, at - timedelta(days=14), 30)
    report = read(alice)
    assert (report.now.emergencies, report.now.unanswered, report.now.median_seconds) == (4, 1, 120)
    assert (report.before.emergencies, report.before.unanswered, report.before.median_seconds) == (1, 0, 30)
    assert [(row.day, row.raised) for row in report.emergencies] == [(date(2026, 11, 3), 4)]


def test_the_data_version_follows_every_change(alice):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)

    def version():
        with db.scope(alice) as scope:
            return analytics.data_version(scope, NOVEMBER)

    seen = [version()]
    row = call(alice, at, status="started", finished_at=None)
    seen.append(version())
    with db.scope(alice) as scope:
        scope.run("update ai_calls set status = 'ok', finished_at = now() where clinic_id = :clinic_id and id = :id", id=row["id"])
    seen.append(version())
    emergency(alice, at)
    seen.append(version())
    with db.scope(alice) as scope:
        scope.run("update emergencies set action_taken = 'called' where clinic_id = :clinic_id")
    seen.append(version())
    assert len(set(seen)) == 5
    assert version() == seen[-1]


def test_a_manager_reads_what_the_owner_reads_and_an_outsider_sees_zero(alice, mona, charlie):
    call(alice, datetime(2026, 11, 3, 12, tzinfo=UTC))
    emergency(alice, datetime(2026, 11, 3, 12, tzinfo=UTC))
    assert read(mona) == read(alice)
    assert (read(charlie).now.messages, read(charlie).now.emergencies, read(charlie).usage) == (0, 0, [])


def test_clinicians_and_receptionists_are_refused(bob, rita):
    for who in (bob, rita):
        with pytest.raises(Forbidden):
            read(who)
        with pytest.raises(Forbidden), db.scope(who) as scope:
            analytics.data_version(scope, NOVEMBER)


def test_figures_hold_no_question_and_no_patient(alice):
    assert not {"patient_id", "content", "question", "full_name"} & {
        name for kind in (analytics.Usage, analytics.Pace, analytics.Urgency, analytics.Totals) for name in kind.__annotations__}


def test_months_outside_the_range_are_not_read(alice, monkeypatch):
    seen = []
    with db.scope(alice) as scope:
        monkeypatch.setattr(scope, "many", lambda _cls, sql, **values: seen.append((sql, values)) or [])
        analytics.read(scope, NOVEMBER)
        monkeypatch.undo()
        for sql, values in seen[:2]:
            plan = "\n".join(row[0] for row in scope._execute("explain (analyze, costs off) " + sql, values))
            assert "ai_calls_2026_10" in plan
            assert "ai_calls_2026_11" in plan
            assert "ai_calls_2025" not in plan
            assert "ai_calls_2026_09" not in plan
    assert len(seen) == 3


def test_a_year_is_paced_by_weeks_of_which_the_newest_is_whole(alice, bob):
    year = Period(date(2025, 11, 15), date(2026, 11, 14))
    call(alice, datetime(2026, 11, 8, 12, tzinfo=UTC), latency_ms=100)
    call(bob, datetime(2026, 11, 14, 12, tzinfo=UTC), latency_ms=300)
    call(bob, datetime(2026, 11, 7, 12, tzinfo=UTC), latency_ms=900)
    call(bob, datetime(2025, 11, 15, 12, tzinfo=UTC), latency_ms=700)
    assert [(row.day, row.p50_ms, row.staff) for row in read(alice, year).pace] == [
        (date(2025, 11, 9), 700, 1), (date(2026, 11, 1), 900, 1), (date(2026, 11, 8), 200, 2)]
    assert {row.day for row in read(alice, year).pace} <= set(year.starts)
    assert (len(year.starts), len(NOVEMBER.starts), NOVEMBER.starts[0]) == (53, 14, NOVEMBER.first)


def test_periods_that_make_no_sense_are_refused():
    latest = date(2026, 11, 20)
    for first, last in [(date(2026, 11, 2), date(2026, 11, 1)), (date(2026, 11, 2), date(2026, 11, 21)),
                        (date(2020, 1, 1), latest), (date(1, 1, 1), date(1, 1, 2))]:
        with pytest.raises(Invalid):
            analytics.between(first, last, latest)
    assert analytics.between(latest, latest, latest).days == 1
    assert analytics.preset("7d", latest) == Period(date(2026, 11, 14), latest)
