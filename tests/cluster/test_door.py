"""The door of the containers: it follows their names, whichever addresses these have just now."""

import socket
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from lib.settings import ROOT
from scripts import cluster, packages
from tests.conftest import free_port
from tests.test_deploy import COMPOSE, DEPLOY

pytestmark = pytest.mark.long
CONTAINERS = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"


class Name(socketserver.BaseRequestHandler):
    """What Docker's own name server answers: the addresses of all containers of that name (RFC 1035, 4.1)."""

    def handle(self) -> None:
        data, line = self.request
        end = data.index(b"\0", 12) + 5
        name, kind = data[13:13 + data[12]].decode(), data[end - 4:end - 2]
        known = self.server.known[name] if kind == b"\0\1" else []
        records = [b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(address) for address in known]
        line.sendto(data[:2] + b"\x81\x80\0\1" + struct.pack("!HHH", len(known), 0, 0) + data[12:end] + b"".join(records),
                    self.client_address)


class App(BaseHTTPRequestHandler):
    """Says which one it is."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.server_address[0])))
        self.end_headers()
        self.wfile.write(self.server.server_address[0].encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable]:
    running = []

    def start(server: socketserver.BaseServer) -> socketserver.BaseServer:
        running.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server
    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Of the containers' door, but for what lies elsewhere here."""
    packages.need({"haproxy": "haproxy"})
    (tmp_path / "certificate").write_text(cluster._self_signed())
    return COMPOSE["services"]["door"]["environment"] | {
        "PATH": packages.PLACES, "RUN": str(tmp_path), "CERTIFICATE": str(tmp_path / "certificate"), "PAGES": str(DEPLOY),
        "BIND": "127.0.0.1", "PORT": str(free_port())}


@pytest.fixture
def names(serve, environment) -> dict[str, list[str]]:
    """The addresses of each name; four containers serve."""
    port = free_port()
    for address in CONTAINERS:
        serve(ThreadingHTTPServer((address, port), App))
    server = serve(socketserver.ThreadingUDPServer(("127.0.0.1", 0), Name))
    server.known = {"app-a": [CONTAINERS[0]], "app-b": [CONTAINERS[1]]}
    environment |= {"PORT_A": str(port), "PORT_B": str(port), "NAME_SERVER": f"127.0.0.1:{server.server_address[1]}"}
    return server.known


@pytest.fixture
def door(names, environment) -> Iterator[str]:
    process = subprocess.Popen(["haproxy", "-db", "-f", DEPLOY / "haproxy.cfg"], env=environment, stderr=subprocess.DEVNULL)
    yield f"https://127.0.0.1:{environment['PORT']}"
    process.terminate()
    process.wait(10)


def answering(door: str) -> set[str]:
    """Who answers people that come for the first time."""
    try:
        return {httpx.get(door, verify=False).text for _newcomer in range(12)}
    except httpx.TransportError as error:
        return {repr(error)}


def until(door: str, wanted: set[str]) -> None:
    deadline = time.monotonic() + 20
    while (found := answering(door)) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


@pytest.mark.parametrize("cluster_s", [True, False], ids=["make cluster", "containers"])
def test_haproxy_takes_the_file(environment, cluster_s):
    if cluster_s:
        del environment["NAME_SERVER"]
        environment |= {"HOST_A": "127.0.0.1", "HOST_B": "127.0.0.1"}
    done = subprocess.run(["haproxy", "-c", "-f", DEPLOY / "haproxy.cfg"], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_a_container_that_is_made_anew_is_found_at_its_other_address(names, door):
    a, b, anew, _other = CONTAINERS
    until(door, {a, b})
    names["app-a"] = [anew]
    until(door, {anew, b})


def test_all_containers_of_a_name_serve_and_each_keeps_its_people(names, door):
    names["app-b"] = list(CONTAINERS[1:])
    until(door, set(CONTAINERS))
    with httpx.Client(verify=False) as person:
        assert len({person.get(door).text for _page in range(12)}) == 1
