"""Roll-ups: every figure equals what the raw rows say, in every zone, at every moment, however often and by whom it is counted."""

import random
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import floor, log
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from lib import chores, db, rollups, startup

# Where clocks change by an hour, by half an hour, at midnight; where hours begin at other minutes; where nothing ever changes.
ZONES = {"Europe/Berlin": "2026-03-29T01:00", "America/New_York": "2025-11-02T06:00", "Australia/Lord_Howe": "2026-04-04T15:00",
         "America/Havana": "2025-11-02T05:00", "America/Santiago": "2026-09-06T04:00", "Asia/Kolkata": "2026-02-28T18:30",
         "Asia/Kathmandu": "2026-05-31T18:15", "Pacific/Chatham": "2026-04-04T14:00", "UTC": "2026-01-01T00:00"}
STATUSES = ["ok", "ok", "ok", "stopped", "abandoned", "timeout", "error_mid", "started", "budget_blocked"]


@pytest.fixture(autouse=True)
def months(owner):
    with db.nobody() as connection:
        connection.execute(db.statement("select app.make_partitions(date '2025-10-01')"))


def id_at(moment: datetime) -> UUID:
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | random.getrandbits(62))


def made_up(dice: random.Random, members: list[UUID], patients: list[UUID], at: datetime) -> dict:
    status = dice.choice(STATUSES)
    route = dice.choice(["provider", "provider", "kb", "cache", "fallback", "emergency", "trial"])
    free, ended = route not in ("provider", "trial"), status != "started"
    known = ended and not free and dice.random() < 0.8
    made = id_at(at + timedelta(milliseconds=dice.choice([0, 5, 4000])))
    return {"id": made, "message_id": made if route == "trial" else uuid4(), "user_id": dice.choice(members),
            "patient_id": None if route == "trial" else dice.choice([None, *patients]), "route": route, "status": status,
            "model": None if free else dice.choice(["small", "large"]),
            "tokens_in": dice.randrange(5000) if known else None, "tokens_cached": dice.choice([None, 0, 7]) if known else None,
            "tokens_out": dice.randrange(900) if known else None, "tokens_reasoning": None,
            "cost_usd": Decimal(dice.randrange(10**6)) / 10**8 if known else Decimal(0) if free and ended else None,
            "cost_source": dice.choice(["provider", "price_table", "estimated"]) if known else "none" if free and ended else None,
            "saved_usd": Decimal(dice.randrange(1000)) / 10**6 if route in ("kb", "cache") and ended else None,
            "first_token_ms": dice.randrange(3000) if ended else None, "latency_ms": dice.randrange(60_000) if ended else None,
            "article": dice.choice(["crowns", "braces"]) if route == "kb" else None, "created_at": at}


def write(owner, clinic_id: UUID, rows: list[dict]) -> None:
    """Each in the name of its member."""
    with owner.begin() as connection:
        for row in rows:
            insert(connection, clinic_id, row)


def insert(connection, clinic_id: UUID, row: dict) -> None:
    connection.execute(text(f"set local app.user_id = '{row['user_id']}'"))
    connection.execute(text("""
        insert into ai_calls (clinic_id, id, message_id, user_id, patient_id, route, status, model_requested, tokens_in, tokens_cached,
                              tokens_out, tokens_reasoning, cost_usd, cost_source, saved_usd, first_token_ms, latency_ms, article,
                              created_at)
        values (:clinic_id, :id, :message_id, :user_id, :patient_id, :route, :status, :model, :tokens_in, :tokens_cached, :tokens_out,
                :tokens_reasoning, :cost_usd, :cost_source, :saved_usd, :first_token_ms, :latency_ms, :article, :created_at)
        """), {"clinic_id": clinic_id, **row})


def change(owner, clinic_id: UUID, row: dict, **values) -> None:
    """Also what is final: as the owner, with the rule off, as a later correction of a bill would be."""
    row.update(values)
    with owner.begin() as connection:
        connection.execute(text("alter table ai_calls disable trigger finish_once"))
        connection.execute(text(f"update ai_calls set {', '.join(f'{name} = :{name}' for name in values)} where clinic_id = :clinic and id = :id"),
                           {"clinic": clinic_id, "id": row["id"], **values})
        connection.execute(text("alter table ai_calls enable trigger finish_once"))


def moments(dice: random.Random, zone: str, times: int) -> list[datetime]:
    """Half of them within three hours of a change of the clock, at and around quarters of an hour."""
    turn = datetime.fromisoformat(ZONES[zone]).replace(tzinfo=UTC)
    near = [turn + timedelta(minutes=15 * dice.randrange(-12, 13), milliseconds=dice.choice([-1, 0, 1])) for _ in range(times // 2)]
    return near + [turn + timedelta(minutes=dice.randrange(-20 * 1440, 20 * 1440)) for _ in range(times - len(near))]


# what Python makes of the raw rows ------------------------------------------------------------------------------------


def bucket(amount: float) -> int:
    return floor(log(max(amount, 1)) / log(1.05))


def added(rows: list[dict], name: str):
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else None


def grouped(rows: list[dict], key) -> dict[tuple, list[dict]]:
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def expected(rows: list[dict], zone: ZoneInfo) -> dict[str, set[tuple]]:
    def local(row):
        return row["created_at"].astimezone(zone)

    def unpriced(some):
        return sum(row["status"] != "started" and row["cost_source"] != "none" and row["cost_usd"] is None for row in some)

    def uncounted(some):
        return sum(row["status"] != "started" and row["cost_source"] != "none" and row["tokens_in"] is None for row in some)

    def by(name):
        groups = grouped([row for row in rows if row[name] is not None], lambda row: (local(row).date(), row[name]))
        return {(*key, sum(row["route"] != "trial" for row in some), added(some, "cost_usd"), unpriced(some)) for key, some in groups.items()}

    usage = grouped(rows, lambda row: (local(row).date(), local(row).hour, row["route"], row["model"] or "", row["status"],
                                       row["cost_source"] or ""))
    by_day = grouped(rows, lambda row: (local(row).date(), row["route"], row["model"] or "", row["status"], row["cost_source"] or ""))
    whole = [row for row in rows if row["status"] == "ok"]
    paces = Counter((local(row).date(), kind, row["route"], bucket(row[column])) for row in whole
                    for kind, column in (("total", "latency_ms"), ("first", "first_token_ms")))
    articles = Counter((local(row).date(), row["article"]) for row in rows if row["article"])

    def summed(groups):
        return {(*key, len(some), *(added(some, name) for name in ("tokens_in", "tokens_cached", "tokens_out", "tokens_reasoning")),
                 uncounted(some), added(some, "cost_usd"), unpriced(some), added(some, "saved_usd")) for key, some in groups.items()}

    return {"usage": summed(usage), "usage_by_day": summed(by_day),
            "latency": {(*key, count) for key, count in paces.items()}, "member": by("user_id"), "patient": by("patient_id"),
            "article": {(*key, count) for key, count in articles.items()}}


COLUMNS = {"usage": "day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning, uncounted, "
                    "cost_usd, unpriced, saved_usd",
           "usage_by_day": "day, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning, uncounted, "
                           "cost_usd, unpriced, saved_usd",
           "latency": "day, kind, route, unnest(buckets), unnest(counts)", "member": "day, user_id, calls, cost_usd, unpriced",
           "patient": "day, patient_id, calls, cost_usd, unpriced", "article": "day, article, calls"}
TABLES = {"usage": "usage_hours", "usage_by_day": "usage_days"} | {name: f"{name}_days" for name in ("latency", "member", "patient", "article")}


def told(who, tables: dict[str, str]) -> dict[str, set[tuple]]:
    with db.scope(who) as scope:
        found = {}
        for name, table in tables.items():
            rows = scope.connection.execute(text(f"select {COLUMNS[name]} from {table} where clinic_id = :clinic"), {"clinic": who.clinic_id}).all()
            found[name] = {tuple(row) for row in rows}
            assert len(found[name]) == len(rows)
    return found


def figures(who):
    return told(who, {name: f"{name}_now" for name in COLUMNS})


def refresh() -> None:
    """To the end, beside a housekeeper that may be at it as well."""
    while rollups.refresh() or marks_anywhere():
        pass


def marks_anywhere() -> int:
    with db.open_engine(startup._server.url("chairside_owner")).begin() as connection:
        return connection.execute(text("select count(*) from figure_marks")).scalar_one()


@pytest.fixture
def clinic(open_clinic, hire):
    """A function that opens one in a time zone: its owner, members and patients."""
    def make(zone: str):
        boss = open_clinic("Zoe Zimmer", "Zimmer Dental", zone)
        members = [boss.user_id, hire(boss, "clinician", "Bob Brown").user_id]
        with db.scope(boss) as scope:
            patients = [scope.value("""
                insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, 'X') returning id
                """, me=boss.user_id) for _ in range(3)]
        return boss, members, patients
    return make


# the tests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES)
def test_every_figure_equals_the_raw_rows_in_every_zone(owner, clinic, zone):
    dice = random.Random(zone)
    boss, members, patients = clinic(zone)
    rows = [made_up(dice, members, patients, at) for at in moments(dice, zone, 300)]
    write(owner, boss.clinic_id, rows[:200])
    assert figures(boss) == expected(rows[:200], ZoneInfo(zone)), "nothing is counted yet"
    refresh()
    assert told(boss, TABLES) == expected(rows[:200], ZoneInfo(zone))
    write(owner, boss.clinic_id, rows[200:])
    assert figures(boss) == expected(rows, ZoneInfo(zone)), "closed days from the roll-ups, the rest from the rows"
    refresh()
    assert told(boss, TABLES) == figures(boss) == expected(rows, ZoneInfo(zone))


def test_an_answer_that_ends_later_and_a_bill_that_is_corrected_are_counted_where_they_began(owner, clinic):
    boss, members, patients = clinic("Europe/Berlin")
    dice, at = random.Random(1), datetime(2026, 5, 4, 21, 59, 58, tzinfo=UTC)
    row = made_up(dice, members, patients, at) | {"status": "started", "cost_usd": None, "cost_source": None, "route": "provider",
                                                  "latency_ms": None, "first_token_ms": None, "tokens_in": None, "tokens_out": None}
    write(owner, boss.clinic_id, [row])
    refresh()
    change(owner, boss.clinic_id, row, status="ok", latency_ms=5000, first_token_ms=900, tokens_in=10, tokens_out=20,
           cost_usd=Decimal("0.01"), cost_source="estimated")
    assert figures(boss) == expected([row], ZoneInfo("Europe/Berlin"))
    refresh()
    change(owner, boss.clinic_id, row, cost_usd=Decimal("0.02"), cost_source="provider")
    assert figures(boss) == expected([row], ZoneInfo("Europe/Berlin"))
    refresh()
    assert told(boss, TABLES) == expected([row], ZoneInfo("Europe/Berlin"))


def test_rows_that_are_removed_leave_no_figure(owner, clinic):
    boss, members, patients = clinic("UTC")
    rows = [made_up(random.Random(n), members, patients, datetime(2026, 5, 4, 12, tzinfo=UTC)) for n in range(5)]
    write(owner, boss.clinic_id, rows)
    refresh()
    with owner.begin() as connection:
        connection.execute(text("delete from ai_calls where clinic_id = :clinic"), {"clinic": boss.clinic_id})
    refresh()
    assert told(boss, TABLES) == figures(boss) == expected([], ZoneInfo("UTC"))


def test_another_time_zone_counts_every_day_anew(owner, clinic):
    dice = random.Random(3)
    boss, members, patients = clinic("Europe/Berlin")
    rows = [made_up(dice, members, patients, at) for at in moments(dice, "Europe/Berlin", 100)]
    write(owner, boss.clinic_id, rows)
    refresh()
    with db.scope(boss) as scope:
        scope.run("update clinics set time_zone = 'Australia/Lord_Howe' where id = :clinic_id")
    assert figures(boss) == expected(rows, ZoneInfo("Australia/Lord_Howe"))
    refresh()
    assert told(boss, TABLES) == expected(rows, ZoneInfo("Australia/Lord_Howe"))


def test_counting_twice_changes_nothing(owner, clinic):
    boss, members, patients = clinic("UTC")
    write(owner, boss.clinic_id, [made_up(random.Random(n), members, patients, datetime(2026, 5, 4, n, tzinfo=UTC)) for n in range(24)])
    refresh()
    before = told(boss, TABLES)
    refresh()
    with owner.begin() as connection:
        connection.execute(text("insert into figure_marks (clinic_id, at) values (:clinic, '2026-05-04T12:00Z'), (:clinic, '2026-05-04T13:00Z')"),
                           {"clinic": boss.clinic_id})
    refresh()
    assert told(boss, TABLES) == before


def test_a_chore_counts(owner, clinic):
    boss, members, patients = clinic("UTC")
    write(owner, boss.clinic_id, [made_up(random.Random(1), members, patients, datetime(2026, 5, 4, 12, tzinfo=UTC))])
    chores.count_figures()
    with db.scope(boss) as scope:
        assert scope.value("select count(*) from figure_marks where clinic_id = :clinic_id") == 0
        assert scope.value("select marks from figure_changes where clinic_id = :clinic_id") == 1


def test_who_writes_while_others_count_is_counted(owner, clinic):
    """Three writers, three who count, all at once: nothing is lost, nothing twice."""
    boss, members, patients = clinic("Asia/Kolkata")
    written, done = [], threading.Event()

    def add(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(40):
            row = made_up(dice, members, patients, datetime(2026, 5, 4, 18, tzinfo=UTC) + timedelta(minutes=dice.randrange(60)))
            write(owner, boss.clinic_id, [row])
            written.append(row)

    def count() -> None:
        while not done.is_set():
            rollups.refresh()

    writers = [threading.Thread(target=add, args=(n,)) for n in range(3)]
    counters = [threading.Thread(target=count) for _ in range(3)]
    for thread in writers + counters:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in counters:
        thread.join()
    assert figures(boss) == expected(written, ZoneInfo("Asia/Kolkata"))
    refresh()
    assert told(boss, TABLES) == expected(written, ZoneInfo("Asia/Kolkata"))
    assert len(written) == 120


def test_what_is_not_committed_when_its_day_is_counted_is_counted_later(owner, clinic):
    boss, members, patients = clinic("UTC")
    early, late = (made_up(random.Random(n), members, patients, datetime(2026, 5, 4, 12, tzinfo=UTC)) | {"route": "kb"} for n in range(2))
    with owner.connect() as connection, connection.begin():
        insert(connection, boss.clinic_id, late)
        write(owner, boss.clinic_id, [early])
        refresh()
        assert sum(row[2] for row in told(boss, TABLES)["member"]) == 1
    assert sum(row[2] for row in figures(boss)["member"]) == 2
    refresh()
    assert sum(row[2] for row in told(boss, TABLES)["member"]) == 2


def test_emergencies_are_counted_with_their_time_to_acknowledgement(alice):
    def raised():
        with db.scope(alice) as scope:
            return {tuple(row) for row in scope.connection.execute(text("""
                select bucket, raised, general, false_alarms from emergency_now where clinic_id = :clinic
                """), {"clinic": alice.clinic_id})}

    with db.scope(alice) as scope:
        thread = scope.value("insert into chat_threads (clinic_id, user_id) values (:clinic_id, :me) returning id", me=alice.user_id)
        for seconds in (0, 100, None):
            at = datetime(2026, 11, 3, 12, tzinfo=UTC)
            scope.run("""
                insert into emergencies (clinic_id, id, message_id, thread_id, user_id, categories, rule_set, raised_at, acknowledged_by,
                                         acknowledged_at)
                values (:clinic_id, :id, :message, :thread, :me, '{airway}', 'test', :at, :by, :answered)
                """, id=id_at(at), message=uuid4(), thread=thread, me=alice.user_id, at=at, by=None if seconds is None else alice.user_id,
                      answered=None if seconds is None else at + timedelta(seconds=seconds))
    assert raised() == {(0, 1, 0, 0), (bucket(100), 1, 0, 0), (-1, 1, 0, 0)}
    refresh()
    assert raised() == {(0, 1, 0, 0), (bucket(100), 1, 0, 0), (-1, 1, 0, 0)}
    with db.scope(alice) as scope:
        scope.run("update emergencies set false_alarm = true where clinic_id = :clinic_id and acknowledged_at is null")
    after = raised()
    assert {row for row in after if row[0] == -1} == set()
    assert sum(row[1] for row in after) == 3
    assert sum(row[3] for row in after) == 1


def test_a_days_budget_stays_what_it_was(owner, alice, clinic):
    today, before = datetime.now(UTC), datetime(2026, 5, 4, 12, tzinfo=UTC)
    members = [alice.user_id]

    def limits():
        with db.scope(alice) as scope:
            return [value for (value,) in scope.connection.execute(text("""
                select limit_usd from budget_days where clinic_id = :clinic order by day
                """), {"clinic": alice.clinic_id})]

    for amount in (20, 30):
        with db.scope(alice) as scope:
            scope.run("""
                insert into assistant_settings (clinic_id, daily_budget_usd) values (:clinic_id, :amount)
                on conflict (clinic_id) do update set daily_budget_usd = excluded.daily_budget_usd
                """, amount=amount)
        write(owner, alice.clinic_id, [made_up(random.Random(amount), members, [], at) for at in (before, today)])
        refresh()
    assert limits() == [20, 30]


@pytest.mark.parametrize("role", ["clinician", "receptionist"])
def test_only_owners_and_managers_read_them(owner, alice, mona, hire, role):
    write(owner, alice.clinic_id, [made_up(random.Random(1), [alice.user_id], [], datetime(2026, 5, 4, 12, tzinfo=UTC))])
    refresh()
    assert figures(mona) == figures(alice) != expected([], ZoneInfo("UTC"))
    assert told(hire(alice, role, "Some Body"), TABLES) == expected([], ZoneInfo("UTC"))


def test_nobody_writes_a_figure_by_hand(alice):
    from lib.errors import Forbidden
    for statement in ("insert into figure_marks (clinic_id, at) values (:clinic_id, now())", "delete from usage_hours where clinic_id = :clinic_id",
                      "update member_days set calls = 0 where clinic_id = :clinic_id", "select app.roll_up(:clinic_id, array[current_date])"):
        with pytest.raises(Forbidden), db.scope(alice) as scope:
            scope.run(statement)
