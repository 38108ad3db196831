"""The operator's commands."""

import re
import shutil
from argparse import Namespace
from dataclasses import replace

import pyotp
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from lib import (
    assistant_settings,
    auth,
    clinics,
    db,
    export_jobs,
    factors,
    migrations,
    operator,
    resets,
    settings,
    startup,
    vault,
)
from lib.errors import NotSignedIn, SetUpError
from lib.settings import ROOT
from tests.conftest import PASSWORD


def test_a_migration_is_drafted_and_not_applied(monkeypatch, tmp_path, capsys):
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    monkeypatch.setattr(migrations, "ROOT", tmp_path)
    before = migrations.head()
    operator.draft_migration(Namespace(title="Add the diary"))
    [draft] = (tmp_path / "migrations" / "versions").glob("*_add_the_diary.py")
    assert f"down_revision = '{before}'" in draft.read_text()
    assert str(draft) in capsys.readouterr().out
    assert migrations.head() == f"{int(before) + 1:04d}"


def test_a_migration_without_a_name_is_refused():
    with pytest.raises(SetUpError, match="Name it"):
        operator.draft_migration(Namespace(title=" "))


# rescue: as the owner of the tables, on the embedded server and with DATABASE_OWNER_URL ----------------------------------


@pytest.fixture(params=["embedded", "outside"])
def run(request, database, monkeypatch, capsys):
    """A command as the operator types it; what it printed. Once on this machine's own server, once by its address."""
    def command(*arguments: str, answer: str = "") -> str:
        if request.param == "outside":
            monkeypatch.setenv("DATABASE_OWNER_URL", startup._server.url("chairside_owner"))
        monkeypatch.setattr("sys.argv", ["operator", *arguments])
        monkeypatch.setattr("builtins.input", lambda _question: answer)
        operator.main()
        return capsys.readouterr().out
    return command


@pytest.mark.parametrize(("command", "said"), [("archive", "Nothing was archived"), ("restore", "There is no backup")])
def test_in_production_the_owners_address_is_the_operators_own_business(database, monkeypatch, tmp_path, command, said):
    for name, value in {"CHAIRSIDE_ENV": "production", "JWT_SECRET": "kX3v9QpL7wZr2TnY8mBc5HsJ4dGf6A1eUo0iRtVy",
                        "CHAIRSIDE_BACKUPS": str(tmp_path), "DATABASE_OWNER_URL": startup._server.url("chairside_owner")}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    monkeypatch.setattr("sys.argv", ["operator", command])
    with pytest.raises(SystemExit, match=said):
        operator.main()
    monkeypatch.undo()
    settings.get.cache_clear()


def with_a_factor(token_id: str) -> str:
    """The secret of the second factor that this session's person has from now on."""
    identity = auth.resume(token_id, address="127.0.0.1")
    secret = factors.begin(identity).secret
    factors.set_up(identity, PASSWORD, secret, pyotp.TOTP(secret).now())
    return secret


def rows(owner, sql: str, **values) -> list:
    with owner.connect() as connection:
        return list(connection.execute(text(sql), values))


def events(owner, who) -> list[str]:
    return [row.kind for row in rows(owner, "select kind from security_events where user_id = :id order by id", id=who.user_id)]


def test_a_lone_owner_gets_a_link_that_works_once_security_13(run, alice, owner):
    printed = run("reset-user", answer=f" {alice.email.upper()} ")
    token = re.search(r"\?reset=([\w-]+)", printed)[1]
    assert resets.find(token).email == alice.email
    resets.choose(token, "another horse staple 7")
    assert auth.verify(auth.find_account(alice.email), "another horse staple 7")
    assert resets.find(token) is None
    assert events(owner, alice) == ["reset_asked", "reset_done"]


def test_a_link_leaves_the_second_factor_as_it_is_security_13(run, alice, token_of):
    with_a_factor(token_of(alice))
    run("reset-user", answer=alice.email)
    assert auth.find_account(alice.email).factor


def test_a_lone_owner_without_the_phone_is_let_in_again_security_13(run, alice, owner, token_of):
    token_id = token_of(alice)
    with_a_factor(token_id)
    assert "no second factor any more" in run("reset-user", "--factor", answer=alice.email)
    account = auth.find_account(alice.email)
    assert not account.factor
    assert auth.verify(account, PASSWORD)
    with pytest.raises(NotSignedIn):
        auth.resume(token_id)
    [row] = rows(owner, """
        select factor_reset_at is not null as told, (select count(*) from recovery_codes where user_id = u.id) as codes
        from users u where id = :id
        """, id=alice.user_id)
    assert (row.told, row.codes) == (True, 0)
    assert events(owner, alice) == ["reset_asked"]


def test_an_owner_whose_network_got_another_address_is_let_in_again(run, alice, charlie):
    for who in (alice, charlie):
        with db.scope(who) as scope:
            clinics.amend(scope, replace(clinics.get(scope), owner_networks=["127.0.0.0/8"]))
    run("reset-user", "--networks", answer=alice.email)
    found = {}
    for who in (alice, charlie):
        with db.scope(who) as scope:
            found[who.full_name] = clinics.get(scope).owner_networks
    assert found == {"Alice Adams": [], "Charlie Clark": ["127.0.0.0/8"]}


def test_an_address_that_nobody_has_is_told_to_the_operator(run):
    for nobody in ("nobody@example.org", "", "\0", "\ud800"):
        with pytest.raises(SystemExit, match="Nobody has this address"):
            run("reset-user", answer=nobody)


def test_the_app_role_may_not_do_it(alice):
    """The reason for the owner role: the app has no grant on users."""
    with pytest.raises(Exception, match="not allow"), db.nobody() as connection:
        connection.execute(text("update users set totp_secret = null where id = :id"), {"id": alice.user_id})


def test_without_the_owners_address_an_outside_database_is_left_alone(database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://chairside_app@db.example.org/chairside")
    settings.get.cache_clear()
    try:
        with pytest.raises(SetUpError, match="give DATABASE_OWNER_URL"), operator.as_owner():
            pass
    finally:
        settings.get.cache_clear()


def test_a_production_environment_with_the_owners_address_will_do(database, monkeypatch):
    """`make reset-user` runs where the app's own environment is; the app itself refuses the owner's address."""
    for name, value in {"CHAIRSIDE_ENV": "production", "JWT_SECRET": "kQ3v9xZp7Lm2Rt8Wc5Yb1Nd6Hf4Js0Ga", "CHAIRSIDE_URL": "https://c.example",
                        "DATABASE_OWNER_URL": startup._server.url("chairside_owner")}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    try:
        with operator.as_owner() as connection:
            assert connection.execute(text("select current_user")).scalar() == "chairside_owner"
            assert settings.get().url == "https://c.example"
    finally:
        settings.get.cache_clear()


def test_a_database_of_another_version_is_left_alone(database, monkeypatch):
    monkeypatch.setattr(migrations, "head", lambda: "9999")
    with pytest.raises(SetUpError, match="make migrate"), operator.as_owner():
        pass


@pytest.mark.parametrize("command", ["reset-user", "open-clinic"])
@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_questions_that_nobody_answers_change_nothing(database, monkeypatch, command, end):
    def leave(_question):
        raise end
    monkeypatch.setattr(startup, "stop", lambda: None)  # the database is every test's
    monkeypatch.setattr("builtins.input", leave)
    monkeypatch.setattr("sys.argv", ["operator", command])
    with pytest.raises(SystemExit, match=r"^Nothing was changed: a question was left without an answer"):
        operator.main()


@pytest.mark.parametrize(("change", "reason"), [
    ((":hunter2@/", ":hunter2@127.0.0.1:1/"), "Connection refused"), ((":hunter2@/", ":hunter2@db.invalid/"), "db.invalid"),
    ((":hunter2@/", ":p@hunter2@127.0.0.1:1/"), "…@127.0.0.1"), (("?", "?sslmode=nonsense&"), "sslmode"), (("?", "?"), "password authentication failed")])
def test_why_the_database_cannot_be_reached_is_told_without_its_password(database, monkeypatch, change, reason):
    address = re.sub(r":[^:@]*@", ":hunter2@", startup._server.url("chairside_owner")).replace(*change)
    if "127" in address or "invalid" in address:
        address = address.partition("?")[0]
    for command in ("migrate", "jobs"):
        monkeypatch.setenv("DATABASE_OWNER_URL", address)
        monkeypatch.setattr("sys.argv", ["operator", command])
        with pytest.raises(SystemExit) as refusal:
            operator.main()
        first, why = str(refusal.value).splitlines()
        assert "can't be reached right now" in first
        assert reason in why
        assert "hunter2" not in why


@pytest.mark.parametrize("address", ["hunter2", "postgresql://owner:hunter2@db:port/chairside", "://hunter2"])
def test_an_address_that_is_none_is_said_to_be_none(monkeypatch, address):
    monkeypatch.setenv("DATABASE_OWNER_URL", address)
    monkeypatch.setattr("sys.argv", ["operator", "migrate"])
    with pytest.raises(SystemExit, match="can't be read") as refusal:
        operator.main()
    assert "hunter2" not in str(refusal.value)


def test_moments_are_read_with_their_zone_or_as_utc():
    from datetime import UTC, datetime
    nine = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
    for text_ in ("2026-11-28T09:30Z", "2026-11-28T10:30+01:00", "2026-11-28 09:30"):
        assert operator._moment(text_) == nine
    assert operator._moment("end") is None
    with pytest.raises(SetUpError, match="yesterday is no moment"):
        operator._moment("yesterday")


def test_only_a_restored_copy_is_released(run):
    assert "no restored copy" in run("release")


def test_a_printed_key_is_one(run):
    Fernet(run("key").strip())


@pytest.fixture
def keys(monkeypatch):
    """The keys of this installation, the newest first."""
    def use(*names: str) -> None:
        monkeypatch.setenv("CHAIRSIDE_ENCRYPTION_KEYS", ",".join(names))
        forget()

    def forget() -> None:
        settings.get.cache_clear()
        vault._keys.cache_clear()
    yield use
    monkeypatch.undo()
    forget()


def test_rotated_keys_open_every_secret_without_the_old_one(run, owner, keys, alice, bob, token_of):
    with owner.begin() as connection:  # sealed with this test run's own key, which is about to go
        connection.execute(text("update users set totp_secret = null, totp_since = null"))
        connection.execute(text("delete from assistant_settings"))
    old, new = (Fernet.generate_key().decode() for _key in range(2))
    keys(old)
    secrets = {who.user_id: with_a_factor(token_of(who)) for who in (alice, bob)}
    keys(new, old)
    assert run("rotate-keys").startswith("2 stored secrets")
    keys(new)
    found = rows(owner, "select id, totp_secret from users where totp_secret is not null")
    assert {row.id: vault.unseal(row.totp_secret) for row in found} == secrets


def test_a_secret_that_no_key_opens_stops_the_rotation_and_changes_nothing(run, owner, keys, alice, bob, token_of):
    with owner.begin() as connection:
        connection.execute(text("update users set totp_secret = null, totp_since = null"))
        connection.execute(text("delete from assistant_settings"))
    old, lost = (Fernet.generate_key().decode() for _key in range(2))
    keys(old)
    with_a_factor(token_of(alice))
    keys(lost)
    with_a_factor(token_of(bob))
    keys(Fernet.generate_key().decode(), old)
    before = rows(owner, "select id, totp_secret from users where totp_secret is not null order by id")
    with pytest.raises(SystemExit, match="can't be read"):
        run("rotate-keys")
    assert rows(owner, "select id, totp_secret from users where totp_secret is not null order by id") == before


def test_a_clinics_own_provider_key_is_rotated_too(run, owner, keys, alice):
    with owner.begin() as connection:
        connection.execute(text("update users set totp_secret = null, totp_since = null"))
        connection.execute(text("delete from assistant_settings"))
    old, new = (Fernet.generate_key().decode() for _key in range(2))
    keys(old)
    with db.scope(alice) as scope:
        assistant_settings.amend(scope, assistant_settings.AssistantSettings(
            base_url="https://llm.example.org/v1", model="m", api_key="sk-own"))
    keys(new, old)
    assert run("rotate-keys").startswith("1 stored secrets")
    keys(new)
    [row] = rows(owner, "select api_key from assistant_settings where api_key is not null")
    assert vault.unseal(row.api_key) == "sk-own"


def test_a_rotation_tells_what_still_needs_the_older_keys(run, owner, keys):
    with owner.begin() as connection:
        connection.execute(text("update users set totp_secret = null, totp_since = null"))
        connection.execute(text("delete from assistant_settings"))
    keys(Fernet.generate_key().decode())
    assert "Keep the older keys: backups made before need them. Exports" in run("rotate-keys")
    with owner.begin() as connection:
        connection.execute(text("insert into archives (parent, month, file, rows, digest) values ('ai_calls', '2001-01-01', 'f', 1, sha256('a'))"))
    try:
        assert "backups made before need them. 1 archived files may need them, too." in run("rotate-keys")
    finally:
        with owner.begin() as connection:
            connection.execute(text("delete from archives where month = '2001-01-01'"))


def test_a_rotation_leaves_no_export_that_the_new_key_does_not_open(run, owner, keys, alice):
    with owner.begin() as connection:
        connection.execute(text("update users set totp_secret = null, totp_since = null"))
        connection.execute(text("delete from assistant_settings"))
    keys(Fernet.generate_key().decode())
    with db.scope(alice) as scope:
        job_id = export_jobs.begin(scope)
    assert run("rotate-keys").startswith("0 stored secrets")
    assert rows(owner, f"select id from long_jobs where id = '{job_id}'") == []


# background jobs -----------------------------------------------------------------------------------------------------


def test_the_queue_and_its_failures_are_shown_and_one_is_tried_again(run, owner, alice):
    with owner.begin() as connection:
        job = connection.execute(text("""
            insert into procrastinate.procrastinate_jobs (queue_name, task_name, args, status, attempts)
            values ('elsewhere', 'mail_reset', jsonb_build_object('id', cast(:id as text)), 'failed', 3)
            returning id
            """), {"id": str(alice.user_id)}).scalar_one()
    shown = run("jobs")
    assert f"failed: {job} mail_reset about {alice.user_id}, 3 tries" in shown
    assert re.search(r"^\d+ waiting.*, \d+ running, [1-9]\d* failed; \d+ workers$", shown, re.M)
    assert alice.email not in shown
    assert f"Job {job} waits" in run("retry", str(job))
    with owner.connect() as connection:
        assert connection.execute(text("select status::text from procrastinate.procrastinate_jobs where id = :id"), {"id": job}).scalar() == "todo"
    with pytest.raises(SystemExit, match="No job of this number has failed"):
        run("retry", str(job))
    with owner.begin() as connection:
        connection.execute(text("set local search_path = procrastinate"))
        connection.execute(text("delete from procrastinate_jobs where id = :id"), {"id": job})


@pytest.mark.parametrize("typed", [[], ["all"]])
def test_a_retry_wants_to_know_of_which_job(run, typed):
    with pytest.raises(SystemExit, match="Say which: make retry JOB=4711"):
        run("retry", *typed)
