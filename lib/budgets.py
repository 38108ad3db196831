"""A clinic's daily budget for providers: held before a call, settled after it, exact however many processes ask at once."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import structlog

from lib.db import Scope

log = structlog.get_logger()

WARN = Decimal("0.8")  # of the budget


@dataclass(frozen=True)
class Day:
    """`spent_usd`: settled; `reserved_usd`: what running calls may still cost."""

    day: date
    limit_usd: Decimal
    spent_usd: Decimal = Decimal(0)
    reserved_usd: Decimal = Decimal(0)

    @property
    def state(self) -> str:
        """"open", "warned" from 80 % on, "stopped" at 100 %."""
        if self.spent_usd >= self.limit_usd:
            return "stopped"
        return "warned" if self.spent_usd >= WARN * self.limit_usd else "open"


@dataclass(frozen=True)
class _Sums:
    spent_usd: Decimal
    reserved_usd: Decimal


def day_of(scope: Scope) -> date:
    return datetime.now(ZoneInfo(scope.identity.time_zone)).date()


def today(scope: Scope, limit_usd: Decimal) -> Day:
    found = scope.first(_Sums, """
        select spent_usd, reserved_usd
        from ai_budgets
        where clinic_id = :clinic_id
          and day = :day
        """, day=day_of(scope))
    return Day(day_of(scope), limit_usd, found.spent_usd, found.reserved_usd) if found else Day(day_of(scope), limit_usd)


def reserve(scope: Scope, amount_usd: Decimal, limit_usd: Decimal) -> date | None:
    """Holds it of today's budget; the day, or None where that much is not left. Of two at once, one waits for the other."""
    held: date | None = scope.value("""
        insert into ai_budgets as b (clinic_id, day, reserved_usd)
        select :clinic_id, cast(:day as date), cast(:amount as numeric)
        where cast(:amount as numeric) <= :limit
        on conflict (clinic_id, day) do update
        set reserved_usd = b.reserved_usd + excluded.reserved_usd
        where b.spent_usd + b.reserved_usd + excluded.reserved_usd <= :limit
        returning day
        """, day=day_of(scope), amount=amount_usd, limit=limit_usd)
    if held is None:
        _tell(scope, day_of(scope), limit_usd, full=limit_usd - amount_usd)
    return held


def settle(scope: Scope, day: date, reserved_usd: Decimal, cost_usd: Decimal, limit_usd: Decimal) -> None:
    """What was held becomes what it cost."""
    scope.run("""
        update ai_budgets
        set reserved_usd = greatest(reserved_usd - :reserved, 0), spent_usd = spent_usd + :cost
        where clinic_id = :clinic_id
          and day = :day
        """, day=day, reserved=reserved_usd, cost=cost_usd)
    _tell(scope, day, limit_usd, full=limit_usd)


def _tell(scope: Scope, day: date, limit_usd: Decimal, *, full: Decimal) -> None:
    """Each threshold once a day: of all who pass it, one has its row changed. `full`: spent so much, nothing more fits in. People
    are told by the alert that follows."""
    warned = scope.run("""
        update ai_budgets
        set warned_at = now()
        where clinic_id = :clinic_id
          and day = :day
          and warned_at is null
          and spent_usd >= :share * :limit
        """, day=day, share=WARN, limit=limit_usd)
    ended = scope.run("""
        update ai_budgets
        set stopped_at = now()
        where clinic_id = :clinic_id
          and day = :day
          and stopped_at is null
          and spent_usd > 0
          and spent_usd >= :full
        """, day=day, full=full)
    if warned or ended:
        log.warning("budget threshold", clinic_id=str(scope.identity.clinic_id), percent=100 if ended else 80)
