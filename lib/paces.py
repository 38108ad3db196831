"""How long things took, from counts in logarithmic buckets (app.log_bucket), which add up over days as percentiles don't."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from lib import auth
from lib.db import Scope
from lib.periods import Period

OPEN = -1
MOST_BUCKETS = 512  # that of the longest integer of milliseconds is 440
_Group = tuple[date | None, bool, str, str]  # day, current, kind, route
LIMITS = (60, 300, 900, 3600)
"""Seconds until an emergency was acknowledged, between the bars of its figure."""


@dataclass(frozen=True)
class Pace:
    """Whole answers of one step, or, where `day` is None, of a whole period: to their end (total) or first token (first).
    `route`: "" for all together. p50 and p95 are buckets."""

    day: date | None
    current: bool
    kind: str
    route: str
    calls: int
    p50: int
    p95: int


@dataclass(frozen=True)
class _Counts:
    """One day's answers of one kind and route; `day`: its step's, None in the period before."""

    day: date | None
    kind: str
    route: str
    buckets: list[int]
    counts: list[int]


@dataclass(frozen=True)
class Alarms:
    """Emergencies of the step that begins on `day` (None: of the period before) that were acknowledged equally fast."""

    day: date | None
    bucket: int
    raised: int
    general: int
    false_alarms: int


def middle(bucket: int) -> float:
    """What stands for a bucket; at most 2.5 % off."""
    return float(1.05 ** (bucket + 0.5))


def answers(scope: Scope, period: Period) -> list[Pace]:
    """Added up here: PostgreSQL sorts every bucket of a year for it, and takes three times as long."""
    auth.require(scope.identity, "analytics.read")
    rows = scope.many(_Counts, """
        select app.step_start(day, :first, :last, :step) as day, kind, route, buckets, counts
        from latency_now
        where clinic_id = :clinic_id
          and day >= :since
          and day <= :last
          and route <> 'trial'
        """, **period.bounds)
    sums: defaultdict[_Group, list[int]] = defaultdict(lambda: [0] * MOST_BUCKETS)
    for row in rows:
        for group in _groups(row):
            histogram = sums[group]
            for bucket, calls in zip(row.buckets, row.counts, strict=True):
                histogram[bucket] += calls
    return [Pace(*group, sum(counts), _percentile(counts, 0.5), _percentile(counts, 0.95)) for group, counts in sums.items()]


def _groups(row: _Counts) -> list[_Group]:
    """Its step, its whole period, and its route in the period."""
    if row.day is None:
        return [(None, False, row.kind, "")]
    return [(row.day, True, row.kind, ""), (None, True, row.kind, ""), (None, True, row.kind, row.route)]


def _percentile(counts: Sequence[int], share: float) -> int:
    """The bucket in which that share of them is reached."""
    return bisect_left(list(accumulate(counts)), share * sum(counts))


def whole(rows: Iterable[Pace], kind: str, *, current: bool = True) -> Pace | None:
    """Of all answers of a period; None: there were none."""
    return next((row for row in rows if (row.day, row.kind, row.current, row.route) == (None, kind, current, "")), None)


def emergencies(scope: Scope, period: Period) -> list[Alarms]:
    auth.require(scope.identity, "analytics.read")
    return scope.many(Alarms, """
        select app.step_start(day, :first, :last, :step) as day,
               bucket, cast(sum(raised) as bigint) as raised, cast(sum(general) as bigint) as general,
               cast(sum(false_alarms) as bigint) as false_alarms
        from emergency_now
        where clinic_id = :clinic_id
          and day >= :since
          and day <= :last
        group by 1, 2
        order by 1, 2
        """, **period.bounds)


def typical(rows: Iterable[Alarms]) -> float | None:
    """Seconds within which half of the acknowledged ones were; None where none was."""
    counts = Counter[int]()
    for row in rows:
        if row.bucket != OPEN:
            counts[row.bucket] += row.raised
    upto = 0
    for bucket in sorted(counts):
        upto += counts[bucket]
        if 2 * upto >= counts.total():
            return middle(bucket)
    return None


def place(row: Alarms) -> int:
    """Which bar of LIMITS it stands in; len(LIMITS): longer than all."""
    return sum(middle(row.bucket) >= limit for limit in LIMITS)
