"""The API without a server process: the same stack, called in this one."""

from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from api.doorman import Doorman
from api.main import make
from lib.identity import Identity
from tests.conftest import PASSWORD, serving


@pytest.fixture
def api(database: None) -> Iterator[TestClient]:
    """What answers, refusals and failures included."""
    app = Doorman(Starlette(routes=[Mount("/api", make())]))
    with TestClient(app, "http://localhost", raise_server_exceptions=False, client=("127.0.0.1", 50000)) as client:
        client.base_url = client.base_url.join("/api/v1/")
        yield client


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
