"""One cluster for all that is asked of one."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from lib.identity import Identity
from tests.browser.conftest import chromium, new_browser, rested, signed_in  # noqa: F401
from tests.clusters import serving_cluster

WORKERS = 3
NAME = "clinic.example.org"  # how people call it
LIMIT = 60  # reads, so that a test can use them up


@pytest.fixture(scope="package")
def door(database: None) -> Iterator[str]:
    with serving_cluster(CHAIRSIDE_HOSTS=NAME, LIMIT_READS=str(LIMIT), LIMIT_CHATS="1000000", LIMIT_CHANGES="1000000", CHAIRSIDE_WORKERS=str(WORKERS)) as address:
        yield address


@pytest.fixture(scope="package")
def server(door: str) -> str:
    """Where the browser's fixtures go."""
    return door


@pytest.fixture
def ask(door: str, cookie_of: Callable[[Identity], str]) -> Callable[..., httpx.Response]:
    """A request of somebody's browser, at the app process `node` ("a" or "b") while that lives."""
    cookies: dict[Identity, str] = {}

    def make(who: Identity, node: str, method: str, path: str, **options) -> httpx.Response:
        cookie = cookies.setdefault(who, cookie_of(who))
        return httpx.request(method, f"{door}{path}", cookies={"__Host-chairside": cookie, "chairside-node": node},
                             headers={"Origin": door}, verify=False, timeout=20, **options)
    return make
