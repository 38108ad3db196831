"""How often something may be tried: counted before it is tried, in this process or, where several serve, in Redis."""

import hmac
import math
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import structlog

from lib import settings
from lib.errors import TooMany, Unavailable
from lib.texts import _

if TYPE_CHECKING:
    from limits import RateLimitItem

log = structlog.get_logger()

DOORS = {"sign_in_account", "sign_in_address", "factor", "sign_up", "reset"}  # they stay shut while nobody counts
BY_ADDRESS = {"sign_in_address", "sign_up", "reset", "service"}
REST = 30.0  # seconds
_opening = threading.Lock()
_away_until = _told_until = 0.0


def begin_sign_in(email: str, address: str) -> None:
    """Reserves one failure of the account and one of the address, before the password is looked at.

    `email`: as the database spells it where there is such an account, so that one account has one counter.
    """
    _take("sign_in_account", email)
    try:
        _take("sign_in_address", address)
    except TooMany:
        _give_back("sign_in_account", email)
        raise


def forgive_sign_in(email: str, address: str) -> None:
    """The password was right: what `begin_sign_in` reserved is free again."""
    _give_back("sign_in_account", email)
    _give_back("sign_in_address", address)


def begin_factor(user_id: UUID) -> None:
    """Reserves one wrong code, before the code is looked at."""
    _take("factor", user_id)


def forgive_factor(user_id: UUID) -> None:
    _give_back("factor", user_id)


def spend(kind: Literal["sign_up", "reset", "chats", "changes", "reads", "service"], who: object) -> None:
    """`who`: the client's address for the first two, the user's id for the others; for "service" the key or, without one, the
    address."""
    _take(kind, who)


def spend_request(client: UUID, limit: int) -> None:
    """One of an API client's own requests."""
    if time.monotonic() >= _away_until:
        with _counting(shut=False) as counters:
            counters.take("client", client, limit)


def first_refusal(kind: str, who: str) -> bool:
    """True once in a window, which begins with it: a flood of refusals becomes one security event."""
    with _counting(shut=False) as counters:
        return counters.hit(f"first_{kind}", who, limit=1)
    return False


def _take(kind: str, who: object) -> None:
    shut = kind in DOORS
    if not shut and time.monotonic() < _away_until:
        return
    with _counting(shut=shut) as counters:
        counters.take(kind, who, getattr(settings.get(), f"limit_{kind}"))


def _give_back(kind: str, who: object) -> None:
    """While the store is away the reservation stays: one try fewer is the safe side."""
    with _counting(shut=False) as counters:
        counters.give_back(kind, who, getattr(settings.get(), f"limit_{kind}"))


class Rest:
    """Stands in a storage's `timer` as one that is still to come."""

    def __init__(self) -> None:
        self.over = time.monotonic() + REST

    def is_alive(self) -> bool:
        return time.monotonic() < self.over


class Counters:
    """Fixed windows of `limits`, each beginning with its first hit."""

    def __init__(self, url: str) -> None:
        from limits import RateLimitItemPerSecond
        from limits.errors import StorageError
        from limits.storage import storage_from_string
        from limits.strategies import FixedWindowRateLimiter
        self.window, self.away = RateLimitItemPerSecond, StorageError
        self.limiter = FixedWindowRateLimiter(storage_from_string(url, wrap_exceptions=True, socket_timeout=1,
                                                                 socket_connect_timeout=1))
        self.rest()
        # The library's memory is not exact by itself: one race in a hundred of 40 threads for 5 places let up to 10 through.
        self.turn: AbstractContextManager[Any] = threading.Lock() if url == "memory://" else nullcontext()

    def rest(self) -> None:
        """The library's memory starts a thread after each hit to forget what is over: now and then is enough."""
        storage: Any = self.limiter.storage
        if isinstance(getattr(storage, "timer", None), threading.Timer):
            storage.timer = Rest()

    def hit(self, kind: str, who: object, limit: int) -> bool:
        with self.turn:
            return self.limiter.hit(self._item(limit), kind, _name(kind, who))

    def take(self, kind: str, who: object, limit: int) -> None:
        """Raises TooMany. What is refused is not counted, or a place that is given back would not be free."""
        item, name = self._item(limit), _name(kind, who)
        with self.turn:
            self.rest()
            if self.limiter.hit(item, kind, name):
                return
            self._return(item, kind, name)
            over = self.limiter.storage.get_expiry(item.key_for(kind, name))
        raise TooMany(max(1, math.ceil(over - time.time())), kind)

    def give_back(self, kind: str, who: object, limit: int) -> None:
        with self.turn:
            self._return(self._item(limit), kind, _name(kind, who))

    def _item(self, limit: int) -> "RateLimitItem":
        return self.window(limit, settings.get().limit_seconds)

    def _return(self, item: "RateLimitItem", kind: str, name: str) -> None:
        """Unless the window is over by now: a new one may not begin below zero."""
        everything_is_free = self.limiter.test(item, kind, name, cost=item.amount)
        if not everything_is_free:
            self.limiter.hit(item, kind, name, cost=-1)


@contextmanager
def _counting(*, shut: bool) -> Iterator[Counters]:
    """A store that can't be reached closes what is `shut` without it, and lets the rest go on uncounted."""
    counters = ready()
    try:
        yield counters
    except counters.away as error:
        _tell(error.storage_error)
        if shut:
            raise Unavailable(_("Sign-in is closed for a moment because the counter of attempts can't be reached. Nothing was "
                                "changed. Please try again in a minute.")) from None


def ready() -> Counters:
    """Call it early: importing what counts takes 70 ms, with Redis 380. One at a time: two first visitors would get a memory
    each, and two threads importing `limits` at once trip over its circular imports."""
    with _opening:
        return _open()


@cache
def _open() -> Counters:
    url = settings.get().redis_url
    return Counters(url.get_secret_value() if url else "memory://")


def _tell(error: Exception) -> None:
    """One line a minute; for five seconds nobody who may go on waits for the store again."""
    global _away_until, _told_until
    now = time.monotonic()
    _away_until = now + 5
    if now >= _told_until:
        _told_until = now + 60
        log.error("attempts can't be counted", error=type(error).__name__)


def _name(kind: str, who: object) -> str:
    """Hashed with the secret, so that the store holds no address and nobody can try addresses on it."""
    text = _mailbox(str(who)) if kind == "sign_in_account" else _network(str(who)) if kind in BY_ADDRESS else str(who)
    secret = settings.get().jwt_secret
    return hmac.digest(secret.get_secret_value().encode() if secret else b"-", text.encode("utf-8", "replace"), "sha256").hex()


def _mailbox(email: str) -> str:
    """At least as coarse as `app.fold_email`, or every further spelling would bring five tries more.

    Decomposed, because PostgreSQL lowers "İ" to a bare "i". A letter that PostgreSQL's Unicode knows and Python's does not yet
    can't be folded here: all spellings with one share their tries.
    """
    text = unicodedata.normalize("NFKD", email.replace("\0", "").encode("utf-8", "replace").decode())
    if any(unicodedata.category(letter) == "Cn" for letter in text):
        return "unassigned"
    text = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in text if not unicodedata.combining(letter)).strip()


def _network(address: str) -> str:
    """Whoever has an IPv6 address has its whole /64."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((ip, 64), strict=False)) if isinstance(ip, IPv6Address) else str(ip)
