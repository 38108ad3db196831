"""What figures cost, from the rows and from the roll-ups.

    .venv/bin/python -m benchmarks.rollups [millions]

Fills a database of its own with so many million messages and as many AI calls (10, if nothing is said) over a year, a hundred
thousand of each for every clinic, rolls them up, and reads one clinic's figures as its owner, under row-level security.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

os.environ["CHAIRSIDE_DATA"] = tempfile.mkdtemp(prefix="chairside-benchmark-")
os.environ.pop("DATABASE_URL", None)
os.environ.pop("DATABASE_OWNER_URL", None)

from sqlalchemy import Connection, text

from benchmarks import rows
from benchmarks.rows import Row
from benchmarks.start import clean_up
from lib import analytics, db, paces, periods, startup
from lib.db import Scope
from lib.identity import Identity
from lib.periods import Period

EACH, TIMES, ZONE = 100_000, 9, "Europe/Berlin"

# Ten hours of every day but Sunday, most in their middle. A uuidv7 of the moment, so that months find their partitions.
MOMENTS = """
    with moments as (
        select n, random() as a, random() as b, random() as c,
               date_trunc('day', now()) - make_interval(days => 1 + n % 364)
               + make_interval(secs => 25200 + 36000 * (random() + random()) / 2) as at
        from generate_series(1, cast(:rows as integer)) n
    ), made as (
        select n, a, b, c, at,
               cast(left(cast(app.uuid_floor(at) as text), 14) || '7' || substr(cast(gen_random_uuid() as text), 16)
                    as uuid) as id
        from moments
        where extract(isodow from at) < 7
    )
"""
MESSAGES = MOMENTS + """
    insert into chat_messages (clinic_id, id, thread_id, user_id, question_id, role, status, content, created_at, finished_at)
    select :clinic, id, :thread, :member, case when n % 2 = 1 then id end,
           case when n % 2 = 1 then 'assistant' else 'user' end, 'ok', repeat('A tooth that hurts when it is cold. ', 4), at, at
    from made
"""
CALLS = MOMENTS + """
    insert into ai_calls (clinic_id, id, message_id, user_id, route, status, model_requested, tokens_in, tokens_out, cost_usd,
                          cost_source, saved_usd, first_token_ms, latency_ms, article, created_at, finished_at)
    select :clinic, id, id, :member,
           case when a < 0.45 then 'provider' when a < 0.9 then 'kb' when a < 0.95 then 'cache' else 'fallback' end,
           case when b < 0.96 then 'ok' when b < 0.98 then 'stopped' else 'timeout' end,
           case when a < 0.36 then 'small' when a < 0.45 then 'large' end, 800 * c, 200 * b,
           case when a < 0.45 then 0.0005 * c else 0 end,
           case when a < 0.45 then 'price_table' else 'none' end, case when a >= 0.45 then 0.0004 end, 1500 * b,
           case when a < 0.45 then exp(7.3 + 2 * c) else 150 + 300 * c end,
           case when a between 0.45 and 0.9 then 'article-' || floor(90 * b) end, at, at
    from made
"""
RAW_USAGE = """
    select app.step_start(cast(created_at at time zone :zone as date), :first, :last, :step), route,
           coalesce(model_requested, ''), status, coalesce(cost_source, ''), count(*), sum(tokens_in),
           sum(tokens_out), sum(cost_usd), sum(saved_usd)
    from ai_calls
    where clinic_id = :clinic_id
      and id >= app.uuid_floor(cast(:since as timestamp) at time zone :zone)
      and id < app.uuid_floor((cast(:last as timestamp) + interval '1 day') at time zone :zone)
    group by 1, 2, 3, 4, 5
"""
RAW_PACES = """
    select percentile_cont(array[0.5, 0.95]) within group (order by latency_ms),
           percentile_cont(array[0.5, 0.95]) within group (order by first_token_ms)
    from ai_calls
    where clinic_id = :clinic_id
      and status = 'ok'
      and id >= app.uuid_floor(cast(:first as timestamp) at time zone :zone)
      and id < app.uuid_floor((cast(:last as timestamp) + interval '1 day') at time zone :zone)
"""

# Of all clinics together, which no page shows: what a question about the installation would cost its operator.
OF_ALL = """
    select date_trunc('week', day), route, model, sum(calls), sum(tokens_in), sum(tokens_out), sum(cost_usd)
    from usage_days
    where day > current_date - 365
    group by 1, 2, 3
"""
RAW_OF_ALL = """
    select date_trunc('week', created_at), route, model_requested, count(*), sum(tokens_in), sum(tokens_out), sum(cost_usd)
    from ai_calls
    where created_at > current_date - 365
    group by 1, 2, 3
"""


def main(millions: float) -> None:
    startup.start()
    startup._stopping.set()  # the housekeeper would roll up as well
    with db.nobody() as connection:
        connection.execute(text("select app.make_partitions(current_date - 390)"))
    clinics = [open_clinic(number) for number in range(max(1, round(millions * 1e6 / EACH)))]
    took("filling", lambda: fill(clinics))
    took("rolling all of it up", roll_up)
    show(clinics[0], f"{len(clinics) * EACH / 1e6:g}M messages and AI calls, one clinic")
    show_sizes()


def open_clinic(number: int) -> Identity:
    email = f"{uuid4().hex}@example.org"
    with db.nobody() as connection:
        row = connection.execute(text("""
            select user_id, clinic_id
            from app.sign_up(:email, 'Alice', 'x', 'Clinic', 'DE', :zone, 'EUR', 'en', '112', false)
            """), {"email": email, "zone": ZONE}).one()
    return Identity(row.user_id, row.clinic_id, "owner", email, "Alice", f"Clinic {number}", "DE", ZONE, "EUR", "en", "112")


def fill(clinics: list[Identity]) -> None:
    """As the superuser, without triggers and foreign keys: a year of rows would take hours through them."""
    with superuser() as connection:
        connection.execute(text("set session_replication_role = replica"))
        for number, clinic in enumerate(clinics):
            values = {"clinic": clinic.clinic_id, "member": clinic.user_id, "thread": UUID(int=number), "rows": EACH}
            connection.execute(text(MESSAGES), values)
            connection.execute(text(CALLS), values)
            connection.execute(text("""
                insert into figure_marks (clinic_id, at)
                select :clinic, at
                from generate_series(date_trunc('day', now()) - interval '365 days' + interval '12 hours', now(), '1 day') at
                """), values)
            connection.commit()
        connection.execute(text("analyze"))
        connection.commit()


def roll_up() -> None:
    with superuser() as connection:
        while connection.execute(text("select app.refresh_rollups(2000)")).scalar_one():
            connection.commit()
        connection.execute(text("analyze"))
        connection.commit()


def superuser() -> Connection:
    """Filling takes longer than any statement of the app may."""
    assert startup._server
    connection = db.open_engine(startup._server.url("postgres")).connect()
    connection.execute(text("set statement_timeout = 0"))
    connection.execute(text("set idle_in_transaction_session_timeout = 0"))
    connection.commit()
    return connection


def show(who: Identity, label: str) -> None:
    year, month = (periods.preset(name, periods.today(who)) for name in ("12m", "30d"))
    print("| one clinic | goal, ms | from the rows, ms | from roll-ups, ms |\n|---|--:|--:|--:|")
    found = [compare(who, "a year: use and cost by week, route, model", 20, RAW_USAGE, year, analytics.usage, "1.3 ms"),
             compare(who, "a month by day, and the month before", 5, RAW_USAGE, month, analytics.usage, "0.54 ms"),
             compare(who, "p50 and p95 of a year, and of each week and route", 150, RAW_PACES, year, paces.answers)]
    rows.tell(replace(row, what=f"{label}: {row.what}") for row in found)
    rows.tell([replace(of_all(), what=f"{label.partition(',')[0]}, all clinics: a year by week, route, model")])
    with db.scope(who) as scope:
        print(f"\nThe clinic asked {analytics.calls(analytics.usage(scope, year)):,} times in that year.")
    with superuser() as connection:
        connection.execute(text("insert into figure_marks (clinic_id, at) values (:clinic, now() - interval '2 days')"),
                           {"clinic": who.clinic_id})
        connection.commit()
        with db.scope(who) as scope:
            print(f"The same year with a day that has changed since: {median(lambda: analytics.usage(scope, year)):.1f} ms.")
        began = time.perf_counter()
        connection.execute(text("select app.refresh_rollups(2000)"))
        connection.commit()
        print(f"Counting that day anew: {1000 * (time.perf_counter() - began):.0f} ms.")


def compare(who: Identity, name: str, goal: float, sql: str, period: Period, rolled: Callable[[Scope, Period], object],
            floor: str = "–") -> Row:
    """Milliseconds from the roll-ups, beside those from the rows."""
    with db.scope(who) as scope:
        values = {**period.bounds, "zone": ZONE, "clinic_id": who.clinic_id}
        raw = median(lambda: scope.connection.execute(text(sql), values).all())
        took = median(lambda: rolled(scope, period))
    print(f"| {name} | {goal} | {raw:.1f} | {took:.1f}{'' if took <= goal else ', missed'} |", flush=True)
    return Row(name, goal, took, floor=floor, otherwise=f"{raw:.1f} ms")


def of_all() -> Row:
    """From the rows once: it takes seconds."""
    with superuser() as connection:
        began = time.perf_counter()
        connection.execute(text(RAW_OF_ALL)).all()
        raw, took = 1000 * (time.perf_counter() - began), median(lambda: connection.execute(text(OF_ALL)).all())
    print(f"All clinics, a year by week, route, model: {took:.0f} ms, from the rows {raw:.0f} ms.", flush=True)
    return Row("all clinics", 150, took, floor="141 ms", otherwise=f"{raw:.0f} ms")


def show_sizes() -> None:
    with superuser() as connection:
        sizes = dict(connection.execute(text("""
            select case when relname like 'chat_messages%' then 'messages' when relname like 'ai_calls%' then 'calls'
                   else 'roll-ups' end, round(sum(pg_total_relation_size(oid)) / 1e6)
            from pg_class
            where relkind = 'r'
              and relname ~ '^(chat_messages|ai_calls|usage_hours|(usage|latency|member|patient|article|emergency|budget)_days)'
            group by 1
            """)).all())
    print("On disk: " + ", ".join(f"{name} {size:,} MB" for name, size in sizes.items()) + ".")


def median(act: Callable[[], object]) -> float:
    """Milliseconds; the first time warms up."""
    act()
    times = []
    for _time in range(TIMES):
        began = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def took(what: str, act: Callable[[], None]) -> None:
    began = time.perf_counter()
    act()
    print(f"{what}: {timedelta(seconds=round(time.perf_counter() - began))}", flush=True)


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
    finally:
        startup.stop()
        clean_up(Path(os.environ["CHAIRSIDE_DATA"]))
