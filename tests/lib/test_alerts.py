"""Alerts: raised once, calm for a while before they end, told of once, and nobody told who should not be."""

import contextlib
import hashlib
import hmac
import json
import logging
import os
import shutil
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from lib import (
    alert_news,
    alert_words,
    alerts,
    archivist,
    clinic_alerts,
    db,
    gauges,
    jobs,
    mail,
    metrics,
    operator,
    providers,
    quarantine,
    settings,
    startup,
    today,
    trials,
    watching,
    workflows,
)
from lib.alerts import LIMITS, Reading
from lib.errors import Forbidden, Invalid, Unavailable, Undelivered
from lib.jobs import Job
from tests.conftest import serving
from tests.lib import fake_provider
from tests.lib.asking import UNKNOWN, ask, switch

Usage = namedtuple("Usage", "total used free")
ALARM = "My throat is closing, I can't breathe"
SECRET = "a-secret-of-the-operator"


miss_worker = startup.miss_worker


@pytest.fixture(autouse=True)
def worker(owner, monkeypatch) -> Iterator[None]:
    """The worker's connection, and nothing raised or written down before."""
    monkeypatch.setattr(startup, "miss_worker", lambda: None)  # by this process's own clock, in the middle of a test
    with owner.begin() as connection:
        for table in ("alerts", "process_minutes"):
            connection.execute(text(f"delete from {table}") if table == "alerts" else text(f"truncate {table}"))
        connection.execute(text("alter table alert_mutes disable trigger keep"))
        connection.execute(text("delete from alert_mutes"))
        connection.execute(text("alter table alert_mutes enable trigger keep"))
    jobs.connect(startup._server.url("chairside_worker"), 4)
    yield
    jobs.disconnect()


@pytest.fixture
def rows(owner) -> Callable[[str], list]:
    def read(kind: str) -> list:
        with owner.connect() as connection:
            return connection.execute(text("select * from alerts where kind = :kind order by id"), {"kind": kind}).all()
    return read


@pytest.fixture
def calm_for(owner) -> Callable[[str, str], None]:
    """As if it had been calm since then."""
    def move(kind: str, time: str) -> None:
        with owner.begin() as connection:
            connection.execute(text("update alerts set calm_since = now() - cast(:time as interval) where kind = :kind and cleared_at is null"),
                               {"kind": kind, "time": time})
    return move


def judge(kind: str, amount: float, level: int = 0) -> None:
    limit = LIMITS[kind]
    with jobs.transaction() as connection:
        alerts.judge(connection, Reading(kind, level, amount, limit.upper, amount > limit.upper, amount <= limit.lower))


# raising and clearing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LIMITS)
def test_each_threshold_raises_once_lasts_and_ends_only_when_it_was_calm(kind, rows, calm_for):
    upper, lower = LIMITS[kind].upper, LIMITS[kind].lower
    judge(kind, upper)  # at the limit is not above it
    assert rows(kind) == []
    judge(kind, upper + 1)
    judge(kind, upper + 2)
    assert len(rows(kind)) == 1
    assert rows(kind)[0].amount == upper + 2

    judge(kind, lower)
    assert rows(kind)[0].calm_since
    judge(kind, upper + 1)  # too soon
    assert not rows(kind)[0].calm_since
    judge(kind, lower)
    calm_for(kind, "4 minutes")
    judge(kind, lower)
    assert not rows(kind)[0].cleared_at
    calm_for(kind, "6 minutes")
    judge(kind, lower)
    assert rows(kind)[0].cleared_at

    judge(kind, upper + 1)
    assert [bool(row.cleared_at) for row in rows(kind)] == [True, False]


def test_between_the_limits_nothing_is_raised_and_nothing_ends(rows, calm_for):
    judge("disk", 78)
    assert rows("disk") == []
    judge("disk", 81)
    judge("disk", 70)
    calm_for("disk", "1 hour")
    judge("disk", 78)
    assert not rows("disk")[0].cleared_at
    assert not rows("disk")[0].calm_since


def test_of_many_who_look_at_once_one_raises(rows):
    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(lambda _n: judge("disk", 90), range(24)))
    assert len(rows("disk")) == 1


# measuring -----------------------------------------------------------------------------------------------------------


def counted(*lines: tuple[str, int, int], ago: str = "0 seconds") -> None:
    """What other processes wrote down."""
    with jobs.transaction() as connection:
        for kind, events, over in lines:
            connection.execute(text("""
                insert into process_minutes (process, noted_at, kind, events, over)
                values (:process, now() - cast(:ago as interval), :kind, :events, :over)
                """), {"process": uuid4(), "ago": ago, "kind": kind, "events": events, "over": over})


def measured() -> dict[tuple[str, int], Reading]:
    with jobs.transaction() as connection:
        return {(one.kind, one.level): one for one in alerts.readings(connection)}


def test_several_processes_add_up_and_a_few_slow_ones_at_night_are_none():
    counted(("reruns", 2, 2), ("requests", 1000, 30), ("errors", 90, 9), ("answers", 15, 0))
    found = measured()
    assert not any(found[kind, 0].over for kind in ("reruns", "requests", "errors", "answers"))
    counted(("reruns", 30, 0), ("requests", 1000, 71), ("errors", 60, 0), ("answers", 15, 2))
    found = measured()
    assert found["requests", 0].amount == pytest.approx(5.05)
    assert found["requests", 0].over
    assert found["errors", 0].over
    assert not found["reruns", 0].over  # two slow ones in an hour are chance
    counted(("reruns", 0, 0), ("answers", 0, 0))
    counted(("answers", 3, 3))
    assert measured()["answers", 0].over
    counted(("requests", 10_000, 10_000), ago="11 minutes")
    assert measured()["requests", 0].amount == pytest.approx(5.05)


def test_one_full_disk_and_one_open_breaker_are_enough():
    counted(("disk", 100, 10), ("disk", 100, 91), ("provider", 1, 0), ("provider", 1, 1))
    found = measured()
    assert found["disk", 0].amount == 91
    assert found["provider", 0].over
    assert 0 < found["connections", 0].amount <= 80


def test_a_process_writes_down_what_it_saw_also_while_the_database_was_away(monkeypatch):
    startup._note()
    metrics.reruns.labels("patients", "page").observe(2.5)
    metrics.reruns.labels("patients", "page").observe(0.01)
    metrics.reruns.labels("chat", "answer").observe(40)  # a provider's time
    metrics.answers.labels("provider").observe(16)
    metrics.requests.labels("/api/v1/patients", "GET", "500").observe(3)
    metrics.requests.labels("/api/v1/health", "GET", "503").observe(3)
    metrics.requests.labels("/api/v1/chats/messages", "POST", "201").observe(40)  # so is this
    metrics.requests.labels("/api/v1/chats/messages/{message_id}/general", "POST", "500").observe(40)
    metrics.rerun_failures.labels("patients").inc()
    with monkeypatch.context() as away:
        away.setattr(db, "_engine", None)
        with pytest.raises(Unavailable):
            startup._note()
    startup._note()
    with jobs.transaction() as connection:
        found = {row.kind: (row.events, row.over) for row in connection.execute(text("""
            select kind, events, over from process_minutes where process = :process order by noted_at, kind
            """), {"process": watching.PROCESS})}
    assert found | {"disk": 0} == {"reruns": (2, 1), "requests": (1, 1), "answers": (1, 1), "errors": (6, 3), "disk": 0,
                                   "backups": (100, 0), "provider": (1, 0)}


@pytest.fixture
def disk_elsewhere(monkeypatch, tmp_path, queued):
    """Backups are made into a folder that is not there yet, on a disk of its own that is 91 % full."""
    folder = tmp_path / "elsewhere" / "chairside"
    monkeypatch.setenv("CHAIRSIDE_BACKUP_KEYS", "0" * 43 + "=")
    monkeypatch.setenv("CHAIRSIDE_BACKUPS", str(folder))
    settings.get.cache_clear()
    there = tmp_path / "elsewhere"
    there.mkdir()
    stat, usage = Path.stat, shutil.disk_usage
    monkeypatch.setattr(Path, "stat", lambda path, **how: os.stat_result([0, 0, 4711, *[0] * 7]) if path == there else stat(path, **how))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100, 91, 9) if path == there else usage(path))
    yield
    monkeypatch.undo()
    settings.get.cache_clear()
    startup.measure_backups()
    queued()


def noted() -> float:
    """Of the disk of the backups, in this process's last look."""
    startup.measure_backups()
    startup._note()
    with jobs.transaction() as connection:
        return connection.execute(text("""
            select over from process_minutes where process = :process and kind = 'backups' order by noted_at desc limit 1
            """), {"process": watching.PROCESS}).scalar_one()


def test_the_disk_of_the_backups_is_watched_where_it_is_another_one(disk_elsewhere, rows, calm_for, monkeypatch):
    assert noted() == 91
    alerts.look()
    alerts.look()
    assert [(row.level, round(row.amount)) for row in rows("disk")] == [(1, 91)]
    with jobs.transaction() as connection:
        assert {reading.level for reading in alerts.readings(connection) if reading.kind == "disk"} == {0, 1}
    assert alert_words.sentence("disk", 1, 91, 80) == "The disk of the backups is 91 % full."
    assert "chairside_disk_used_ratio 0.91" in gauges.scrape().decode()

    monkeypatch.setenv("CHAIRSIDE_BACKUPS", str(settings.get().data / "backups"))  # the disk that is watched anyway
    settings.get.cache_clear()
    assert noted() == 0
    alerts.look()
    calm_for("disk", "6 minutes")
    alerts.look()
    assert rows("disk")[0].cleared_at


def test_where_no_backups_are_made_nobody_looks_where_they_would_go(disk_elsewhere, monkeypatch):
    monkeypatch.delenv("CHAIRSIDE_BACKUP_KEYS")
    settings.get.cache_clear()
    assert noted() == 0


def test_a_backup_is_missed_after_26_hours(alice):
    assert measured()["backup", 0].calm  # there is none, and the house opened just now
    for hours, over in ((27, True), (25, False)):
        with jobs.transaction() as connection:
            connection.execute(text("""
                insert into backups (kind, file, bytes, began_at, finished_at)
                values ('tables', 'x', 1, now(), now() - make_interval(hours => :hours))
                """), {"hours": hours})
        assert measured()["backup", 0].over is over


def test_an_old_month_that_stays_is_missed_after_two_days(monkeypatch):
    monkeypatch.setenv("CHAIRSIDE_ARCHIVE_AFTER", "1")
    settings.get.cache_clear()
    for late, over in ((2, False), (3, True)):
        monkeypatch.setattr(archivist, "days_late", lambda _connection, _months, late=late: late)
        assert ("archive", 0) not in measured()  # this process has just begun, and its archivist may not have tried yet
        with monkeypatch.context() as later:
            later.setattr(alerts, "BEGAN", datetime.now(UTC) - timedelta(hours=3))
            assert measured()["archive", 0].over is over
    settings.get.cache_clear()


def test_the_installations_budget_is_told_at_80_and_at_100_percent(monkeypatch, open_clinic):
    spend(open_clinic(time_zone="UTC"), 85)
    monkeypatch.setenv("AI_INSTALLATION_BUDGET", "0.01")
    settings.get.cache_clear()
    assert [measured()["budget", level].over for level in (80, 100)] == [True, True]
    monkeypatch.setenv("AI_INSTALLATION_BUDGET", "100000")
    settings.get.cache_clear()
    assert [measured()["budget", level].calm for level in (80, 100)] == [True, True]
    settings.get.cache_clear()


# a clinic's ----------------------------------------------------------------------------------------------------------


def spend(who, usd: float) -> None:
    with db.scope(who) as scope:
        scope.run("""
            insert into ai_budgets (clinic_id, day, spent_usd)
            values (:clinic_id, cast(now() at time zone :zone as date), :usd)
            on conflict (clinic_id, day) do update set spent_usd = excluded.spent_usd
            """, zone=who.time_zone, usd=usd)


def allow(who, usd: float) -> None:
    with db.scope(who) as scope:
        scope.run("""
            insert into assistant_settings (clinic_id, daily_budget_usd) values (:clinic_id, :usd)
            on conflict (clinic_id) do update set daily_budget_usd = excluded.daily_budget_usd
            """, usd=usd)


def watch() -> None:
    with jobs.transaction() as connection:
        connection.execute(text("select 1 from app.watch_clinics()")).all()


def standing(who) -> list[tuple[str, int]]:
    with db.scope(who) as scope:
        return [(one.kind, one.level) for one in clinic_alerts.view(scope)[0] if not one.installation]


def test_a_clinics_budget_is_told_at_80_and_100_percent_once_a_day_and_anew_when_the_owner_allows_more(alice):
    spend(alice, 79)
    watch()
    assert standing(alice) == []
    spend(alice, 80)
    watch()
    watch()
    assert standing(alice) == [("budget", 80)]
    spend(alice, 100)
    watch()
    assert sorted(standing(alice)) == [("budget", 80), ("budget", 100)]
    allow(alice, 150)
    watch()
    assert standing(alice) == []
    spend(alice, 130)
    watch()
    assert standing(alice) == [("budget", 80)]


def grow_older(owner, who) -> None:
    """The clinic's emergencies, by six minutes."""
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic, :user)"), {"clinic": who.clinic_id, "user": who.user_id})
        connection.execute(text("alter table emergencies disable trigger user"))
        connection.execute(text("update emergencies set raised_at = raised_at - interval '6 minutes' where clinic_id = :clinic"),
                           {"clinic": who.clinic_id})
        connection.execute(text("alter table emergencies enable trigger user"))


def test_an_emergency_is_told_after_five_minutes_and_ends_with_its_answer(alice, owner):
    workflows.ask(alice, None, ALARM)
    watch()
    assert standing(alice) == []
    grow_older(owner, alice)
    with ThreadPoolExecutor(4) as crowd:
        list(crowd.map(lambda _n: watch(), range(8)))
    assert standing(alice) == [("emergency", 0)]
    with db.scope(alice) as scope:
        scope.run("update emergencies set false_alarm = true where clinic_id = :clinic_id")
    watch()
    assert standing(alice) == []


@pytest.fixture
def own(fake, alice):
    """The owner has switched a provider of the clinic's own on."""
    switch(alice, base_url=fake.provider.base_url, model="own-model", api_key="sk-own")
    return fake


def ask_often(who, times: int) -> None:
    for number in range(times):
        ask(who, f"{UNKNOWN} ({number})")


def grow_older_calls(owner, who, time: str) -> None:
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic, :user)"), {"clinic": who.clinic_id, "user": who.user_id})
        connection.execute(text("alter table ai_calls disable trigger user"))
        connection.execute(text("update ai_calls set finished_at = finished_at - cast(:time as interval) where clinic_id = :clinic"),
                           {"clinic": who.clinic_id, "time": time})
        connection.execute(text("alter table ai_calls enable trigger user"))


def test_a_clinics_own_provider_is_told_after_five_failures_once_and_ends_when_it_answered_for_a_while(own, alice, charlie, owner):
    own.says(b"{}", status=500)
    ask_often(alice, 4)
    watch()
    assert standing(alice) == []
    ask_often(alice, 1)
    watch()
    ask_often(alice, 2)  # the breaker of this process keeps them away by now
    watch()
    assert standing(alice) == [("own_provider", 0)]
    assert standing(charlie) == []
    grow_older_calls(owner, alice, "1 hour")
    watch()
    assert standing(alice) == [("own_provider", 0)]  # nobody has asked since: nobody knows

    providers.breaker.cache_clear()
    own.says(*fake_provider.WHOLE)
    ask_often(alice, 1)
    own.says(b"{}", status=500)
    ask_often(alice, 1)
    watch()
    assert standing(alice) == [("own_provider", 0)]
    grow_older_calls(owner, alice, "4 minutes")
    watch()
    assert standing(alice) == [("own_provider", 0)]
    grow_older_calls(owner, alice, "2 minutes")
    watch()
    assert standing(alice) == []


@pytest.mark.parametrize("mend", [
    lambda who: switch(who, api_key="sk-other"), lambda who: switch(who, provider_on=False),
    lambda who: switch(who, base_url=None)], ids=["another key", "off", "the installation's"])
def test_it_ends_when_the_owner_changes_the_provider(own, alice, mend):
    own.says(b"{}", status=500)
    ask_often(alice, 5)
    watch()
    assert standing(alice) == [("own_provider", 0)]
    mend(alice)
    watch()
    assert standing(alice) == []


def test_a_test_of_the_connection_tells_that_the_provider_is_back(own, alice, owner):
    own.says(b"{}", status=500)
    ask_often(alice, 5)
    watch()
    grow_older_calls(owner, alice, "6 minutes")
    trials.try_out(alice)
    watch()
    assert standing(alice) == [("own_provider", 0)]
    providers.breaker.cache_clear()
    own.says(*fake_provider.WHOLE)
    trials.try_out(alice)
    watch()
    assert standing(alice) == []


@pytest.mark.parametrize(("status", "problem"), [(401, "refused"), (429, "busy")])
def test_a_provider_that_refuses_has_answered(own, alice, status, problem):
    own.says(b"{}", status=status)
    ask_often(alice, 6)
    with db.scope(alice) as scope:
        assert scope.value("""
            select count(*) from chat_messages where clinic_id = :clinic_id and metadata ->> 'problem' = :problem
            """, problem=problem) == 6
    watch()
    assert standing(alice) == []


def test_that_the_installations_provider_is_away_is_no_clinics_alert(switched_on, alice):
    switched_on.says(b"{}", status=500)
    ask_often(alice, 5)
    watch()
    assert standing(alice) == []


def test_what_a_restored_copy_kept_from_the_provider_is_none_of_its_failures(own, alice, owner):
    with owner.begin() as connection:
        connection.execute(text("insert into restores (source, taken_at) values ('test', now())"))
    try:
        ask_often(alice, 5)
        watch()
        assert standing(alice) == []
    finally:
        with owner.begin() as connection:
            quarantine.end(connection)
    watch()
    assert standing(alice) == []
    own.says(b"{}", status=500)
    ask_often(alice, 5)
    watch()
    assert standing(alice) == [("own_provider", 0)]


def test_the_owner_alone_is_mailed_of_the_provider_and_today_leads_there(own, hook, mails, alice, mona, bob, queued, monkeypatch):
    own.says(b"{}", status=500)
    monkeypatch.setenv("AI_ALLOWED_HOSTS", f"{hook.netloc},{urlsplit(own.provider.base_url).netloc}")
    settings.get.cache_clear()
    ask_often(alice, 5)
    for _minute in range(2):
        watch()
        queue()
    [job] = queued(alice.clinic_id)
    alert_news.tell_clinic(job)
    [(to, subject, words)] = mails
    assert (to, subject) == ([alice.email], "Chairside: The clinic's AI provider")
    assert "The clinic's own AI provider does not answer; the knowledge base does." in words
    assert [(body["kind"], body["clinic"]) for body in hook.got] == [("own_provider", str(alice.clinic_id))]
    assert own.provider.base_url not in words + json.dumps(hook.got)
    for who, told in ((alice, 1), (mona, 1), (bob, 0)):
        with db.scope(who) as scope:
            assert today.count(scope).alerts == told


def test_another_clinic_sees_nothing_and_neither_does_who_treats_or_receives(alice, bob, rita, mona, charlie):
    spend(alice, 100)
    watch()
    assert len(standing(mona)) == 2
    assert standing(charlie) == []
    for who in (bob, rita):
        with pytest.raises(Forbidden), db.scope(who) as scope:
            clinic_alerts.view(scope)
        with db.scope(who) as scope:
            assert scope.value("select count(*) from clinic_alerts where clinic_id = :clinic_id") == 0
    with db.scope(charlie) as scope:  # one of several clinics: nothing of the installation either
        assert scope.value("select count(*) from app.installation_alerts()") == 0
    for who in (mona, bob, rita):
        with pytest.raises(Forbidden), db.scope(who) as scope:
            scope.value("select app.test_alert()")
        with pytest.raises(Forbidden), db.scope(who) as scope:
            clinic_alerts.mute(scope, "budget", 1)
    with pytest.raises(Forbidden), db.scope(charlie) as scope:
        clinic_alerts.mute(scope, "disk", 1, installation=True)
    with pytest.raises(Invalid), db.scope(alice) as scope:
        clinic_alerts.mute(scope, "disk", 1)


# telling -------------------------------------------------------------------------------------------------------------


class Hook:
    """The operator's webhook: answers with `status` after `pause` seconds."""

    def __init__(self) -> None:
        self.status, self.pause, self.location = 204, 0.0, ""
        self.got: list[dict] = []
        self.paths: list[str] = []
        self.signed: list[bool] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                at, digest = (part.partition("=")[2] for part in self.headers["X-Chairside-Signature"].split(","))
                hook.got.append(json.loads(body))
                hook.came.set()
                hook.paths.append(self.path)
                hook.signed.append(hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest() == digest)
                hook.released.wait(hook.pause)
                self.send_response(hook.status)
                if hook.location:
                    self.send_header("Location", hook.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass
        self.released, self.came = threading.Event(), threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"


@pytest.fixture
def hook(monkeypatch) -> Iterator[Hook]:
    hook = Hook()
    for name, value in {"AI_ALLOWED_HOSTS": hook.netloc, "CHAIRSIDE_ALERT_WEBHOOK": f"http://{hook.netloc}/alerts",
                        "CHAIRSIDE_ALERT_SECRET": SECRET}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    yield hook
    hook.released.set()
    hook.server.shutdown()
    settings.get.cache_clear()


@pytest.fixture
def mails(monkeypatch) -> list[tuple]:
    """What a mail server would have been given."""
    for name, value in {"SMTP_URL": "smtp://localhost", "CHAIRSIDE_URL": "https://c.example.org", "CHAIRSIDE_MAIL_FROM": "c@example.org",
                        "CHAIRSIDE_ALERT_MAIL": "operator@example.org"}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    sent: list[tuple] = []
    monkeypatch.setattr(mail, "_send", lambda to, message: sent.append((list(to), message["Subject"], message.get_content())))
    yield sent
    settings.get.cache_clear()


def queue() -> None:
    with jobs.transaction() as connection:
        connection.execute(text("select app.queue_alerts()"))


@pytest.fixture
def queued(owner) -> Callable[..., list]:
    """Jobs that wait, of the installation's alerts or of a clinic's; they are taken out."""
    def take(clinic_id: UUID | None = None) -> list[Job]:
        with owner.begin() as connection:
            connection.execute(text("set local search_path = procrastinate, public"))
            return [Job(UUID(row.id), clinic_id, lambda: False) for row in connection.execute(text("""
                delete from procrastinate.procrastinate_jobs
                where status = 'todo' and task_name like 'tell%' and args ->> 'clinic_id' is not distinct from cast(:clinic as text)
                returning args ->> 'id' as id
                """), {"clinic": str(clinic_id) if clinic_id else None})]
    return take


def test_an_alert_is_mailed_and_posted_once_and_its_end_posted(hook, mails, queued, rows, calm_for):
    judge("disk", 91)
    queue()
    queue()
    [job] = queued()
    alert_news.tell(job)
    alert_news.tell(job)  # a worker that died after sending, and the next one
    assert mails == [(["operator@example.org"], "Chairside: Disk", mails[0][2])]
    assert "91 % full" in mails[0][2]
    [body] = hook.got
    assert hook.signed == [True]
    assert body | {"raised_at": "", "id": ""} == {
        "id": "", "status": "raised", "kind": "disk", "level": 0, "text": "The disk of the data is 91 % full.", "amount": 91.0, "limit": 80.0,
        "raised_at": "", "cleared_at": None, "clinic": None, "link": None, "installation": "https://c.example.org"}
    judge("disk", 10)
    calm_for("disk", "1 hour")
    judge("disk", 10)
    queue()
    queue()
    [job] = queued()
    alert_news.tell(job)
    assert [body["status"] for body in hook.got] == ["raised", "cleared"]
    assert len(mails) == 1
    assert rows("disk")[0].posted_at > rows("disk")[0].cleared_at


def test_a_real_worker_tells_of_what_a_look_finds(hook, mails, alice, bob, mona, rita, do_jobs, owner):
    spend(alice, 81)
    alerts.look()
    do_jobs()
    mine = [mail for mail in mails if alice.email in mail[0]]
    assert [(sorted(to), subject) for to, subject, _text in mine] == [(sorted([alice.email, mona.email]), "Chairside: AI cost")]
    assert "80 % of the day's AI budget is spent: $81.00 of $100.00." in mine[0][2]
    assert "https://c.example.org/alerts" in mine[0][2]
    assert [body["level"] for body in hook.got if body["clinic"] == str(alice.clinic_id)] == [80]
    assert alice.clinic_name not in json.dumps(hook.got)


def test_an_unanswered_emergency_is_told_to_those_who_can_answer_and_leads_to_it(hook, mails, alice, bob, mona, rita, queued, owner):
    workflows.ask(alice, None, ALARM)
    grow_older(owner, alice)
    watch()
    queue()
    alert_news.tell_clinic(queued(alice.clinic_id)[0])
    with db.scope(alice) as scope:
        raised = scope.value("select id from emergencies where clinic_id = :clinic_id")
    [(to, _subject, words)] = mails
    assert sorted(to) == sorted([alice.email, bob.email])
    assert f"https://c.example.org/emergencies?emergency={raised}" in words
    assert hook.got[0]["link"] == f"https://c.example.org/emergencies?emergency={raised}"
    assert "throat" not in words + json.dumps(hook.got)


def test_a_webhook_may_have_its_key_in_a_query_which_stands_in_no_log_and_no_reason(hook, queued, rows, monkeypatch, configured, capfd):
    monkeypatch.setenv("CHAIRSIDE_ALERT_WEBHOOK", f"http://{hook.netloc}/alerts?key=canary-of-the-query&v=1")
    settings.get.cache_clear()
    hook.status = 403
    judge("disk", 91)
    queue()
    [job] = queued()
    with pytest.raises(Undelivered):
        alert_news.tell(job)
    assert hook.paths == ["/alerts?key=canary-of-the-query&v=1"]
    monkeypatch.setenv("CHAIRSIDE_ALERT_WEBHOOK", "https://10.0.0.7/x?key=canary-of-the-query")
    settings.get.cache_clear()
    with pytest.raises(Undelivered) as refused:
        alert_news.tell(job)
    logging.getLogger().warning("%s", refused.value)
    written = capfd.readouterr()
    assert "canary" not in written.out + written.err + repr(settings.get()) + str(rows("disk"))


@pytest.mark.parametrize(("fault", "said"), [
    ({"status": 500}, "HTTP 500"), ({"status": 302, "location": "http://127.0.0.1:1/private"}, "HTTP 302"),
    ({"pause": 60.0}, "no answer within 1 seconds")], ids=["fails", "redirects", "hangs"])
def test_a_webhook_that_misbehaves_is_seen_and_tried_again_and_keeps_no_mail_back(hook, mails, queued, rows, monkeypatch, fault, said):
    monkeypatch.setattr("lib.webhooks.DEADLINE", 1.0)
    for name, value in fault.items():
        setattr(hook, name, value)
    judge("disk", 91)
    queue()
    [job] = queued()
    with pytest.raises(Undelivered):
        alert_news.tell(job)
    [row] = rows("disk")
    assert (row.post_problem, row.posted_at, bool(row.mailed_at)) == (said, None, True)
    hook.status, hook.location, hook.pause = 200, "", 0
    alert_news.tell(job)
    assert rows("disk")[0].posted_at
    assert rows("disk")[0].post_problem == ""
    assert len(mails) == 1
    assert len(hook.got) == 2


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/x", "https://10.0.0.7/x", "https://169.254.169.254/latest", "https://[::1]/x"])
def test_a_private_address_is_not_called_unless_it_is_named(hook, monkeypatch, queued, rows, address):
    monkeypatch.setenv("CHAIRSIDE_ALERT_WEBHOOK", address)
    settings.get.cache_clear()
    judge("disk", 91)
    queue()
    with pytest.raises(Undelivered):
        alert_news.tell(queued()[0])
    assert "AI_ALLOWED_HOSTS" in rows("disk")[0].post_problem


def test_a_restored_copy_sends_nothing_until_it_is_released(hook, mails, queued, rows, owner):
    judge("disk", 91)
    queue()
    [before] = queued()  # a job that came along with the backup
    with owner.begin() as connection:
        quarantine.begin(connection, "test", datetime.now(UTC))
    try:
        alert_news.tell(before)
        alerts.look()
        assert queued() == []
        assert (mails, hook.got) == ([], [])
    finally:
        with owner.begin() as connection:
            quarantine.end(connection)
    queue()
    assert len(queued()) == len(rows("disk")) == 1


def test_what_is_muted_is_seen_and_not_sent_until_the_time_is_over(hook, mails, queued, rows, owner, alice):
    with owner.begin() as connection:
        alerts.mute(connection, "disk", 1, "root")
        assert any("muted: disk" in line and "root" in line for line in alerts.told(connection))
    judge("disk", 91)
    queue()
    assert queued() == []
    assert len(rows("disk")) == 1
    with owner.begin() as connection:
        alerts.mute(connection, "disk", 0, "root")
    queue()
    assert len(queued()) == 1

    spend(alice, 81)
    with db.scope(alice) as scope:
        clinic_alerts.mute(scope, "budget", 8)
        assert [one.muted_until is not None for one in clinic_alerts.watched(scope)] == [True, False, False]
        assert scope.value("""
            select count(*) from audit_log where clinic_id = :clinic_id and action = 'mute_alert' and resource_id = 'budget'
            """) == 1
    watch()
    queue()
    assert queued(alice.clinic_id) == []
    assert standing(alice) == [("budget", 80)]
    with db.scope(alice) as scope:
        clinic_alerts.mute(scope, "budget", 0)
    queue()
    assert len(queued(alice.clinic_id)) == 1


def test_an_owners_test_goes_the_same_way_and_says_what_happened(hook, mails, alice, queued):
    hook.status = 500
    with db.scope(alice) as scope:
        alert_id = clinic_alerts.test(scope)
        assert not clinic_alerts.outcome(scope, alert_id).done
    [job] = queued(alice.clinic_id)
    with pytest.raises(Undelivered):
        alert_news.tell_clinic(job)
    with db.scope(alice) as scope:
        found = clinic_alerts.outcome(scope, alert_id)
    assert (found.done, found.mailed, found.posted, found.post_problem) == (True, True, False, "HTTP 500")
    assert mails[0][0] == [alice.email]
    assert hook.got[0]["status"] == "test"


# where no worker lives -----------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(owner) -> Callable[[int], None]:
    """No worker, and one job that waits for so many minutes."""
    def put(minutes: int) -> None:
        with owner.begin() as connection:
            for order in ("set local search_path = procrastinate, public", "delete from procrastinate_workers",
                          "delete from procrastinate_periodic_defers",
                          "delete from procrastinate_jobs where status = 'todo'",
                          "select app.defer_alert(null, uuidv7())"):
                connection.execute(text(order))
            connection.execute(text("""
                update procrastinate_events e set at = now() - make_interval(mins => :minutes)
                from procrastinate_jobs j where j.id = e.job_id and j.status = 'todo'
                """), {"minutes": minutes})
    yield put
    with owner.begin() as connection:
        connection.execute(text("set local search_path = procrastinate, public"))
        connection.execute(text("delete from procrastinate_jobs where status = 'todo'"))


def appear(owner) -> None:
    with owner.begin() as connection:
        connection.execute(text("insert into procrastinate.procrastinate_workers default values"))


def test_a_worker_that_died_while_nothing_was_asked_for_is_missed_as_well(rows, waiting, calm_for, owner):
    """Its clock rang every minute, and rings no more."""
    waiting(0)
    with owner.begin() as connection:
        for order in ("set local search_path = procrastinate, public", "delete from procrastinate_jobs where status = 'todo'", """
                insert into procrastinate_periodic_defers (task_name, defer_timestamp)
                values ('seal', extract(epoch from now() - interval '7 minutes'))"""):
            connection.execute(text(order))
    miss_worker()
    assert [row.amount for row in rows("worker")] == [pytest.approx(7, abs=0.5)]
    appear(owner)
    miss_worker()
    calm_for("worker", "6 minutes")
    miss_worker()
    assert rows("worker")[0].cleared_at


def test_what_a_dead_worker_held_waits(rows, waiting, owner):
    waiting(7)
    with owner.begin() as connection:
        connection.execute(text("set local search_path = procrastinate, public"))
        connection.execute(text("update procrastinate_jobs set status = 'doing' where status = 'todo'"))
    miss_worker()
    assert [row.amount for row in rows("worker")] == [pytest.approx(7, abs=0.5)]
    with owner.begin() as connection:
        connection.execute(text("set local search_path = procrastinate, public"))
        connection.execute(text("delete from procrastinate_jobs where status = 'doing'"))


def test_a_process_that_serves_tells_once_that_no_worker_lives(hook, mails, rows, waiting, calm_for, queued, owner):
    waiting(4)
    miss_worker()
    assert rows("worker") == []
    waiting(7)
    with ThreadPoolExecutor(4) as crowd:
        list(crowd.map(lambda _n: miss_worker(), range(8)))
    assert [(to, subject) for to, subject, _text in mails] == [(["operator@example.org"], "Chairside: Background jobs")]
    assert [(body["status"], body["text"]) for body in hook.got] == [
        ("raised", "Mails and imports have been waiting for 7 minutes, and no worker lives.")]
    queued()
    queue()
    assert queued() == []  # a worker that came meanwhile does not tell it again
    appear(owner)
    miss_worker()
    calm_for("worker", "6 minutes")
    miss_worker()
    assert rows("worker")[0].cleared_at
    queue()
    alert_news.tell(queued()[0])
    assert [body["status"] for body in hook.got] == ["raised", "cleared"]


def test_jobs_that_wait_beside_a_living_worker_are_no_reason(rows, waiting, owner):
    waiting(30)
    appear(owner)
    miss_worker()
    assert rows("worker") == []


def test_what_nobody_could_be_told_is_tried_again_after_five_minutes(hook, mails, rows, waiting, owner):
    hook.status = 500
    waiting(7)
    for _minute in range(2):
        with contextlib.suppress(Undelivered):
            miss_worker()
    assert ([body["status"] for body in hook.got], rows("worker")[0].post_problem) == (["raised"], "HTTP 500")
    hook.status = 204
    with owner.begin() as connection:
        connection.execute(text("update alerts set queued_at = queued_at - interval '6 minutes' where kind = 'worker'"))
    miss_worker()
    assert (len(hook.got), rows("worker")[0].post_problem, len(mails)) == (2, "", 1)


def test_muted_or_restored_it_is_raised_and_told_to_nobody(hook, mails, rows, waiting, owner, monkeypatch):
    waiting(7)
    with owner.begin() as connection:
        alerts.mute(connection, "worker", 1, "root")
    miss_worker()
    with owner.begin() as connection:
        alerts.mute(connection, "worker", 0, "root")
    with monkeypatch.context() as copy:
        copy.setattr(quarantine, "is_on", lambda: True)
        miss_worker()
    assert (len(rows("worker")), mails, hook.got) == (1, [], [])
    miss_worker()
    assert (len(mails), len(hook.got)) == (1, 1)


def test_the_app_may_touch_this_kind_and_no_other():
    judge("disk", 91)
    with db.nobody() as connection:
        assert connection.execute(text("select count(*) from alerts")).scalar() == 0
        assert connection.execute(text("update alerts set mailed_at = now()")).rowcount == 0
    for statement in ("insert into alerts (kind, amount, most) values ('disk', 1, 1)", "delete from alerts"):
        with pytest.raises(Forbidden), db.nobody() as connection:
            connection.execute(text(statement))


@pytest.mark.long
def test_a_real_app_without_a_worker_tells_within_two_minutes(hook, rows, waiting, monkeypatch):
    monkeypatch.setenv("CHAIRSIDE_WORKER", "false")
    with serving():
        waiting(7)
        assert hook.came.wait(120)
    assert hook.got[0]["kind"] == "worker"
    assert rows("worker")[0].posted_at


def test_the_operator_sees_mutes_and_tests(hook, mails, working, monkeypatch, capsys):
    judge("disk", 91)
    monkeypatch.setattr("sys.argv", ["operator", "alerts", "--mute", "backup", "--hours", "2", "--test"])
    operator.main()
    told = capsys.readouterr().out
    assert "Mail: sent. Webhook: sent." in told
    assert "The disk of the data is 91 % full. stands" in told
    assert "muted: backup until" in told
    monkeypatch.setattr("sys.argv", ["operator", "alerts", "--mute", "everything"])
    with pytest.raises(SystemExit, match="Nothing of this name"):
        operator.main()
