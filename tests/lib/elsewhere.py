"""Another process of the same app: asks in somebody's name and then writes the answer until it is killed."""

import base64
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from lib import db, startup, workflows
from lib.identity import Identity
from lib.settings import ROOT


@contextmanager
def asking(identity: Identity, question: str) -> Iterator[tuple[subprocess.Popen[str], UUID]]:
    """The process, and the answer that it writes."""
    assert startup._server
    told = base64.b64encode(pickle.dumps((startup._server.url("chairside_app"), identity, question))).decode()
    process = subprocess.Popen([sys.executable, "-m", "tests.lib.elsewhere", told], cwd=ROOT, env=dict(os.environ),
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process, UUID(process.stdout.readline().strip())
    finally:
        process.kill()
        process.wait(10)


if __name__ == "__main__":
    address, identity, question = pickle.loads(base64.b64decode(sys.argv[1]))
    db.connect(address, 2)
    print(workflows.ask(identity, None, question).answer_id, flush=True)
    time.sleep(60)
