"""How often something may be tried: exactly that often, between threads and between processes, in memory and in Redis."""

import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from sqlalchemy import text
from structlog.testing import capture_logs

from lib import db, rate_limits, settings
from lib.errors import SetUpError, TooMany, Unavailable
from lib.settings import ROOT

HERE = "192.0.2.7"


class Redis:
    """A real server on a socket of its own, without a port."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chairside-redis-"))
        self.url = f"redis+unix://{self.folder}/redis.sock"
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program, "scripts/install_redis.py, which `make test` runs, installs it"
        self.process = subprocess.Popen([program, "--port", "0", "--unixsocket", self.folder / "redis.sock", "--save", "",
                                         "--dir", self.folder], stdout=subprocess.DEVNULL)
        for _attempt in range(100):
            if (self.folder / "redis.sock").exists():
                return
            time.sleep(0.05)
        raise AssertionError("Redis did not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        (self.folder / "redis.sock").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.kill()
    shutil.rmtree(server.folder)


def afresh() -> None:
    settings.get.cache_clear()
    rate_limits._open.cache_clear()
    rate_limits._away_until = rate_limits._told_until = 0.0


@pytest.fixture
def environment(monkeypatch) -> Iterator[Callable[..., None]]:
    """The defaults, until it is called with settings."""
    for name in [name for name in os.environ if name.startswith("LIMIT_")]:
        monkeypatch.delenv(name)

    def give(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        afresh()
    give()
    yield give
    monkeypatch.undo()
    afresh()


@pytest.fixture(params=["memory", "redis"])
def store(request, environment) -> Callable[..., None]:
    """Both stores, with nothing counted yet; called, it sets limits."""
    if request.param == "redis":
        server = request.getfixturevalue("server")
        redis.from_url(server.url.replace("redis+", "")).flushall()
        environment(REDIS_URL=server.url)
    return environment


def who() -> str:
    return f"{uuid4().hex}@example.org"


def passes(attempt: Callable[[], None], times: int) -> int:
    return sum(allowed(attempt) for _time in range(times))


def allowed(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except TooMany:
        return False
    return True


def at_once(attempts: list[Callable[[], None]]) -> int:
    """How many of them get through, each begun by a thread of its own at the same moment."""
    through, start = [], threading.Barrier(len(attempts))

    def run(attempt: Callable[[], None]) -> None:
        start.wait()
        through.append(allowed(attempt))
    threads = [threading.Thread(target=run, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(through) == len(attempts)
    return sum(through)


# exactly so many ---------------------------------------------------------------------------------------------------------


def test_of_forty_wrong_tries_at_once_exactly_five_reach_the_password_check(store):
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _race in range(40):
            email = who()
            assert at_once([lambda email=email: rate_limits.begin_sign_in(email, uuid4().hex)] * 40) == 5
    finally:
        sys.setswitchinterval(switching)


class Slow(Counter):
    """limits' own dictionary, in which looking takes a while: what happens between two steps of the library does happen."""

    def get(self, *args: object) -> int:
        time.sleep(0.001)
        return super().get(*args)


def test_the_librarys_own_memory_is_made_exact(environment):
    rate_limits.ready().limiter.storage.storage = Slow()
    user = uuid4()
    assert at_once([lambda: rate_limits.begin_factor(user)] * 40) == 5


def test_of_forty_wrong_tries_at_once_exactly_thirty_come_from_one_address(store):
    assert at_once([lambda: rate_limits.begin_sign_in(who(), HERE)] * 40) == 30


def test_a_factor_has_a_limit_of_its_own(store):
    user = uuid4()
    assert at_once([lambda: rate_limits.begin_factor(user)] * 40) == 5
    assert allowed(lambda: rate_limits.begin_factor(uuid4()))


@pytest.mark.parametrize(("kind", "limit"), [("sign_up", 10), ("reset", 10), ("chats", 20), ("changes", 100)])
def test_what_is_spent_is_bounded(store, kind, limit):
    someone = uuid4().hex
    assert passes(lambda: rate_limits.spend(kind, someone), limit + 5) == limit
    assert allowed(lambda: rate_limits.spend(kind, uuid4().hex))


def test_reads_are_bounded(environment):
    someone = uuid4()
    assert passes(lambda: rate_limits.spend("reads", someone), 6005) == 6000


WORKER = """
import sys, threading, time
from lib import rate_limits
from lib.errors import TooMany
begin, kind = float(sys.argv[1]), sys.argv[2]
sys.setswitchinterval(1e-6)  # the imports of the first attempt are a race too
through = []
def attempt(n):
    time.sleep(max(0, begin - time.time()))
    try:
        if kind == "account":
            rate_limits.begin_sign_in("alice@example.org", f"192.0.2.{n}")
        else:
            rate_limits.begin_sign_in(f"{sys.argv[3]}-{n}@example.org", "198.51.100.4")
        through.append(n)
    except TooMany:
        pass
threads = [threading.Thread(target=attempt, args=(n,)) for n in range(20)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(through))
"""


@pytest.mark.parametrize(("kind", "limit"), [("account", 5), ("address", 30)])
def test_two_processes_share_the_count(server, kind, limit):
    redis.from_url(server.url.replace("redis+", "")).flushall()
    begin = str(time.time() + 2)
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, begin, kind, name], cwd=ROOT, stdout=subprocess.PIPE,
                                env={**os.environ, "REDIS_URL": server.url}) for name in ("one", "other")]
    counts = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(counts) == limit


# what is given back ------------------------------------------------------------------------------------------------------


def test_only_failures_count(store):
    email = who()
    for _time in range(40):
        rate_limits.begin_sign_in(email, HERE)
        rate_limits.forgive_sign_in(email, HERE)
    assert passes(lambda: rate_limits.begin_sign_in(email, HERE), 10) == 5


def test_a_right_code_is_forgiven(store):
    user = uuid4()
    for _time in range(20):
        rate_limits.begin_factor(user)
        rate_limits.forgive_factor(user)
    assert passes(lambda: rate_limits.begin_factor(user), 10) == 5


def test_refused_tries_do_not_lock_out_whoever_was_right_in_the_end(store):
    """Four failures, a fifth try under way, twenty refused meanwhile: once the fifth was right, there is a place again."""
    email = who()
    assert passes(lambda: rate_limits.begin_sign_in(email, HERE), 25) == 5
    rate_limits.forgive_sign_in(email, HERE)
    assert passes(lambda: rate_limits.begin_sign_in(email, HERE), 5) == 1


def test_a_locked_account_uses_nothing_of_the_address_it_shares(store):
    email = who()
    assert passes(lambda: rate_limits.begin_sign_in(email, HERE), 200) == 5
    assert passes(lambda: rate_limits.begin_sign_in(who(), HERE), 200) == 25


def test_a_locked_address_uses_nothing_of_the_account(store):
    passes(lambda: rate_limits.begin_sign_in(who(), HERE), 30)
    email = who()
    with pytest.raises(TooMany) as refusal:
        rate_limits.begin_sign_in(email, HERE)
    assert refusal.value.counter == "sign_in_address"
    assert passes(lambda: rate_limits.begin_sign_in(email, "203.0.113.5"), 10) == 5


def test_forgiving_never_makes_room_for_a_sixth(store):
    email = who()
    rate_limits.forgive_sign_in(email, HERE)
    assert passes(lambda: rate_limits.begin_sign_in(email, HERE), 10) == 5


# windows and words -------------------------------------------------------------------------------------------------------


def test_a_window_ends_and_a_new_one_is_whole(store):
    store(LIMIT_SECONDS=1)
    email = who()
    for _window in range(2):
        assert passes(lambda: rate_limits.begin_sign_in(email, HERE), 10) == 5
        time.sleep(1.1)


def test_a_sign_in_that_outlasts_its_window_leaves_the_next_one_alone(store):
    store(LIMIT_SECONDS=1)
    email = who()
    rate_limits.begin_sign_in(email, HERE)
    time.sleep(1.1)
    rate_limits.forgive_sign_in(email, HERE)
    assert passes(lambda: rate_limits.begin_sign_in(email, HERE), 10) == 5


def test_the_refusal_says_how_long_to_wait(store):
    someone = uuid4().hex
    passes(lambda: rate_limits.spend("sign_up", someone), 10)
    with pytest.raises(TooMany, match=r"^Too many tries\. Please wait 15 minutes and try again\.$") as refusal:
        rate_limits.spend("sign_up", someone)
    assert 898 <= refusal.value.seconds <= 900


@pytest.mark.parametrize(("seconds", "words"), [(1, "1 minute "), (60, "1 minute "), (61, "2 minutes "), (715, "12 minutes ")])
def test_minutes_are_rounded_up(seconds, words):
    assert words in str(TooMany(seconds))


def test_the_first_refusal_of_a_window_is_told_from_the_rest(store):
    store(LIMIT_SECONDS=1)
    someone, told = who(), []

    def refuse() -> None:
        told.append(rate_limits.first_refusal("sign_in_limited", someone))
    at_once([refuse] * 40)
    assert told.count(True) == 1
    assert rate_limits.first_refusal("sign_in_limited", who())
    time.sleep(1.1)
    assert rate_limits.first_refusal("sign_in_limited", someone)


def test_the_environment_sets_the_limits(store):
    store(LIMIT_SIGN_IN_ACCOUNT=2, LIMIT_CHATS=3)
    email, user = who(), uuid4()
    assert passes(lambda: rate_limits.begin_sign_in(email, HERE), 10) == 2
    assert passes(lambda: rate_limits.spend("chats", user), 10) == 3


# who is who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["Alice@Example.org", "  alice@example.org\u00a0", "\uff41lice@example.org", "ALİCE@example.org",
                                      "al\u0130ce@example.org", "ali\0ce@example.org", "\u24d0lice@example.org"])
def test_another_spelling_of_an_account_brings_no_further_tries(store, spelling):
    passes(lambda: rate_limits.begin_sign_in("alice@example.org", HERE), 5)
    assert not allowed(lambda: rate_limits.begin_sign_in(spelling, HERE))


def test_every_letter_folds_at_least_as_far_as_in_the_database(database):
    with db.nobody() as connection:
        pairs = connection.execute(text("""
            select chr(n) as letter, app.fold_email(chr(n)) as folded
            from generate_series(1, 1114111) n
            where n not between 55296 and 57343
              and app.fold_email(chr(n)) <> chr(n)
            """)).all()
    assert len(pairs) > 5000
    apart = [hex(ord(letter)) for letter, folded in pairs if rate_limits._mailbox(letter) != rate_limits._mailbox(folded)]
    assert [letter for letter in apart if unicodedata.category(chr(int(letter, 16))) != "Cn"] == []


def test_letters_that_python_does_not_know_yet_share_their_tries(store):
    """PostgreSQL's Unicode is newer: it folds U+1CCD6 to "a", and so finds the account of another spelling."""
    unknown = [chr(n) for n in range(0x1CCD6, 0x1CCF0)]
    assert unicodedata.category("\U0002fe0f") == "Cn"
    spellings = [f"{letter}lice@example.org\U0002fe0f" for letter in unknown]
    assert sum(allowed(lambda email=email: rate_limits.begin_sign_in(email, HERE)) for email in spellings) == 5


def test_a_network_of_one_subscriber_is_one_address(store):
    assert passes(lambda: rate_limits.spend("reset", f"2001:db8:1:2::{uuid4().hex[:4]}"), 20) == 10
    assert allowed(lambda: rate_limits.spend("reset", "2001:db8:1:3::1"))


def test_redis_holds_no_address(server, environment):
    environment(REDIS_URL=server.url)
    rate_limits.begin_sign_in("canary@example.org", "192.0.2.99")
    rate_limits.first_refusal("sign_in", "canary@example.org")
    keys = b" ".join(redis.from_url(server.url.replace("redis+", "")).keys())
    assert keys
    assert not re.search(rb"canary|example|192\.0", keys)


def test_every_key_in_redis_expires(server, environment):
    environment(REDIS_URL=server.url)
    client = redis.from_url(server.url.replace("redis+", ""))
    client.flushall()
    email = who()
    passes(lambda: rate_limits.begin_sign_in(email, HERE), 10)
    rate_limits.forgive_sign_in(email, HERE)
    rate_limits.first_refusal("sign_in", email)
    assert [math.ceil(client.ttl(key) / 900) for key in client.scan_iter()] == [1, 1, 1]


# a store that is away ----------------------------------------------------------------------------------------------------


@pytest.fixture
def killed(environment) -> Iterator[Redis]:
    """A store that was there, counted, and is gone."""
    server = Redis()
    environment(REDIS_URL=server.url)
    rate_limits.begin_sign_in(who(), HERE)
    server.kill()
    yield server
    shutil.rmtree(server.folder)


@pytest.mark.parametrize("attempt", [lambda: rate_limits.begin_sign_in(who(), HERE), lambda: rate_limits.begin_factor(uuid4()),
                                     lambda: rate_limits.spend("sign_up", HERE), lambda: rate_limits.spend("reset", HERE)])
def test_nobody_signs_in_while_nobody_counts(killed, attempt):
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"^Sign-in is closed for a moment because the counter"):
        attempt()
    assert time.monotonic() - began < 3


def test_work_goes_on_while_nobody_counts_and_the_log_says_so_once(killed):
    with capture_logs() as lines:
        for kind in ("chats", "changes", "reads"):
            assert passes(lambda kind=kind: rate_limits.spend(kind, "someone"), 200) == 200
        rate_limits.forgive_sign_in("canary@example.org", HERE)
        assert not rate_limits.first_refusal("sign_in", "canary@example.org")
    assert lines == [{"event": "attempts can't be counted", "error": "ConnectionError", "log_level": "error"}]


def test_a_store_that_is_silent_holds_nobody_up(environment):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment(REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}")
        rate_limits.ready()
        began = time.monotonic()
        assert passes(lambda: rate_limits.spend("reads", "someone"), 100) == 100
        with pytest.raises(Unavailable):
            rate_limits.begin_sign_in(who(), HERE)
        assert time.monotonic() - began < 4


def test_a_store_that_comes_back_counts_again(killed):
    with pytest.raises(Unavailable):
        rate_limits.begin_sign_in(who(), HERE)
    killed.start()
    email = who()
    assert passes(lambda: rate_limits.begin_sign_in(email, HERE), 10) == 5
    killed.kill()


def test_a_connection_that_died_idle_is_replaced(environment):
    server = Redis()
    environment(REDIS_URL=server.url)
    rate_limits.begin_sign_in(who(), HERE)
    server.kill()
    server.start()
    rate_limits.begin_sign_in(who(), HERE)
    server.kill()
    shutil.rmtree(server.folder)


@pytest.mark.parametrize("url", ["memcached://localhost", "localhost:6379", "memory://"])
def test_another_kind_of_store_is_refused_at_the_start(environment, url):
    with pytest.raises(SetUpError, match="REDIS_URL"):
        environment(REDIS_URL=url)
        settings.get()


def test_nothing_is_imported_before_the_first_attempt():
    done = subprocess.run([sys.executable, "-c", "import app, lib.rate_limits, sys; print(*sys.modules)"], cwd=ROOT,
                          capture_output=True, text=True)
    assert "lib.rate_limits" in done.stdout, done.stderr[-500:]
    assert not {"limits", "redis"} & set(done.stdout.split())
