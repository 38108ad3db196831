"""A real cluster on this test run's database: two app processes, a worker, PgBouncer, Redis and HAProxy."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from lib.settings import ROOT
from tests.conftest import free_port

MARKER = "Chairside: "


@contextlib.contextmanager
def serving_cluster(**settings: str) -> Iterator[str]:
    """For as long as it is asked for; the address of its door."""
    port, data = free_port(), Path(os.environ["CHAIRSIDE_DATA"])
    log = data / f"cluster-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", "scripts.cluster", "--port", str(port)], cwd=ROOT, stdout=subprocess.PIPE,
                                   stderr=output, text=True, env={**os.environ, **settings})
    try:
        assert process.stdout
        said = next((line for line in process.stdout if MARKER in line), "")
        assert said, "\n".join(path.read_text()[-2000:] for path in [log, *(data / "logs").glob("*.log")])
        yield said.split(MARKER)[1].strip()
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()  # whoever is started in the background is deaf to Ctrl-C
        process.wait(90)


def app_process(name: str) -> psutil.Process:
    """The one that serves as `name`, found by its port."""
    port = (Path(os.environ["CHAIRSIDE_DATA"]) / "run" / name).read_text()
    [process] = [process for process in psutil.process_iter(["cmdline"]) if (process.info["cmdline"] or [""])[-1] == port]
    return process
