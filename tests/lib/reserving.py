"""Other processes of the same app that reserve the clinic's money for the day, all at once."""

import base64
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from lib import budgets, db, startup
from lib.identity import Identity
from lib.settings import ROOT


def reserved_by(processes: int, identity: Identity, *, times: int, amount: str, limit: str) -> list[int]:
    """How often each of them got it. They begin when all of them are there."""
    assert startup._server
    told = base64.b64encode(pickle.dumps((startup._server.url("chairside_app"), identity, times, amount, limit))).decode()
    started = [subprocess.Popen([sys.executable, "-m", "tests.lib.reserving", told], cwd=ROOT, text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(processes)]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return [int(process.communicate(timeout=60)[0]) for process in started]


def reserve(identity: Identity, amount: str, limit: str) -> bool:
    with db.scope(identity) as scope:
        return budgets.reserve(scope, Decimal(amount), Decimal(limit)) is not None


if __name__ == "__main__":
    address, identity, times, amount, limit = pickle.loads(base64.b64decode(sys.argv[1]))
    db.connect(address, 4)
    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(4) as pool:
        print(sum(pool.map(lambda _: reserve(identity, amount, limit), range(times))), flush=True)
