"""The API without a server process: the same stack, called in this one."""

import os
from collections.abc import Callable, Iterator

import httpx
import pytest
import redis
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from api.doorman import Doorman
from api.main import make
from lib.identity import Identity
from tests.clusters import serving_cluster
from tests.conftest import PASSWORD, serving

CLUSTER = bool(os.environ.get("CHAIRSIDE_TEST_CLUSTER"))  # `make test-cluster`: the same tests through a cluster's door


@pytest.fixture(scope="package")
def door(database: None) -> Iterator[str]:
    """The cluster's address. Its worker does what is queued: tests that do jobs themselves are of `one_process`."""
    with serving_cluster() as address:
        yield address


@pytest.fixture
def api(request: pytest.FixtureRequest) -> httpx.Client:
    """What answers, refusals and failures included."""
    client: httpx.Client = request.getfixturevalue("through_the_door" if CLUSTER else "here")
    return client


@pytest.fixture
def here(database: None) -> Iterator[TestClient]:
    app = Doorman(Starlette(routes=[Mount("/api", make())]))
    with TestClient(app, "http://localhost", raise_server_exceptions=False, client=("127.0.0.1", 50000)) as client:
        client.base_url = client.base_url.join("/api/v1/")
        yield client


@pytest.fixture
def through_the_door(door: str) -> Iterator[httpx.Client]:
    """Each request may go to the other process: no cookie holds it."""
    redis.Redis(unix_socket_path=f"{os.environ['CHAIRSIDE_DATA']}/run/redis.sock").flushall()  # limits begin anew for each test
    with httpx.Client(base_url=f"{door}/api/v1/", verify=False, timeout=60) as client:
        yield client


@pytest.fixture
def origin(api: httpx.Client) -> str:
    """As a browser names the site that it looks at."""
    return str(api.base_url.join("/")).rstrip("/")


@pytest.fixture
def sign_in(api: TestClient) -> Callable[[Identity], dict[str, str]]:
    """A person's Authorization header."""
    def make_header(who: Identity) -> dict[str, str]:
        answer = api.post("auth/login", json={"email": who.email, "password": PASSWORD})
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return make_header


@pytest.fixture(scope="package")
def server(database: None) -> Iterator[str]:
    """One for all routes. Jobs are the tests' own to do, so it has no worker."""
    patch = pytest.MonkeyPatch()
    patch.setenv("CHAIRSIDE_WORKER", "false")
    with serving() as address:
        patch.undo()
        yield address
