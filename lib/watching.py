"""What this process saw in the last minute, written down beside what the others saw: shares add up, percentiles would not.

A p95 over 2 s is the same as more than one in twenty slower than 2 s, and a count of those is exact in any number of processes.
"""

from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from prometheus_client import Counter, Histogram
from prometheus_client.samples import Sample

from lib import breakers, db, disks, metrics, providers, remote

LIMITS = {"reruns": 2.0, "requests": 2.0, "answers": 15.0}  # seconds; each a bucket's bound in lib/metrics.py
OF_OTHERS = ("/generate", "/api/chat/generate", "/api/v1/health")  # a provider's time, and a balancer's steady knocking
CHATS = "/api/v1/chats/messages"
ANSWERING = (CHATS, f"{CHATS}/{{message_id}}/regenerate", f"{CHATS}/{{message_id}}/general")  # they wait for it, too
PROCESS = uuid4()
_before: dict[str, tuple[float, float]] = {}


def note(folders: Iterable[Path], backups_full: float = 0.0) -> None:
    """Once a minute. The first time in a process it counts from its start. What could not be written because the database was
    away is written the next time: those are the minutes in which most failed."""
    found = counts()
    rows = {kind: _since(kind, counted) for kind, counted in found.items()} | states(folders, backups_full)
    with db.nobody() as connection:
        connection.execute(db.statement("""
            insert into process_minutes (process, kind, events, over) values (:process, :kind, :events, :over)
            """), [{"process": PROCESS, "kind": kind, "events": round(events), "over": round(over)}
                   for kind, (events, over) in rows.items()])
    _before.update(found)


def counts() -> dict[str, tuple[float, float]]:
    """Events and how many of them were too slow, or failed, since this process began."""
    runs = _samples(metrics.reruns)
    requests = [one for one in _samples(metrics.requests) if one.labels["route"] not in OF_OTHERS]
    own = [one for one in requests if one.labels["route"].startswith("/api") and one.labels["route"] not in ANSWERING]
    failed = sum(one.value for one in _samples(metrics.rerun_failures) if one.name.endswith("_total"))
    failed += _counted([one for one in requests if one.labels["status"].startswith("5")])
    return {
        "reruns": _slow([one for one in runs if one.labels["kind"] != "answer"], LIMITS["reruns"]),
        "requests": _slow(own, LIMITS["requests"]),
        "answers": _slow([one for one in _samples(metrics.answers) if one.labels["route"] == "provider"], LIMITS["answers"]),
        "errors": (_counted(runs) + _counted(requests), failed),
    }


def states(folders: Iterable[Path], backups_full: float = 0.0) -> dict[str, tuple[float, float]]:
    """What is so at this moment, as a part of a whole: the fullest disk, that of the backups where it is another one, and whether
    a breaker of the installation keeps questions away."""
    offered = providers.installed()
    asked = [remote.breaker(), *([providers.breaker(offered)] if offered else [])]
    is_away = any(map(breakers.is_resting, asked))
    return {"disk": (100, max(map(disks.full, folders)) * 100), "backups": (100, backups_full * 100), "provider": (1, is_away)}


def _since(kind: str, counted: tuple[float, float]) -> tuple[float, float]:
    """A failure may be counted a moment before what failed is: never more of them than events."""
    before = _before.get(kind, (0.0, 0.0))
    events = counted[0] - before[0]
    return events, min(counted[1] - before[1], events)


def _samples(metric: Histogram | Counter) -> list[Sample]:
    return [sample for family in metric.collect() for sample in family.samples]


def _counted(samples: Iterable[Sample]) -> float:
    return sum(sample.value for sample in samples if sample.name.endswith("_count"))


def _slow(samples: list[Sample], limit: float) -> tuple[float, float]:
    within = sum(sample.value for sample in samples if sample.name.endswith("_bucket") and float(sample.labels["le"]) == limit)
    return _counted(samples), _counted(samples) - within
