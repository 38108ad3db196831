"""Periods of whole days on a clinic's wall clock."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from lib.errors import Invalid
from lib.identity import Identity
from lib.texts import _

PRESETS = {"today": 1, "7d": 7, "30d": 30, "90d": 90, "12m": 365}
LONGEST = timedelta(days=3 * 366)
EARLIEST = date(2000, 1, 1)


@dataclass(frozen=True)
class Period:
    """Whole days in the clinic's time zone, the last one included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    @property
    def step(self) -> int:
        """Days that are measured together where they can't be added up later: a quarter by days, a year by weeks."""
        return 1 if self.days <= 92 else 7

    @property
    def starts(self) -> list[date]:
        """The first day of each step, counted back from the last day, so that the newest week is whole."""
        return [self.last - timedelta(days=n - 1) for n in range(-(-self.days // self.step) * self.step, 0, -self.step)]

    @property
    def days_of(self) -> list[date]:
        """Every day of it."""
        return [self.first + timedelta(days=n) for n in range(self.days)]

    @property
    def bounds(self) -> dict[str, Any]:
        """For statements that read this period and the one before."""
        return {"since": self.before.first, "first": self.first, "last": self.last, "step": self.step}


def today(identity: Identity) -> date:
    return datetime.now(ZoneInfo(identity.time_zone)).date()


def preset(name: str, last: date) -> Period:
    if name not in PRESETS:
        raise Invalid(_("There is no such period."))
    return Period(last - timedelta(days=PRESETS[name] - 1), last)


def parse(first: str, last: str, latest: date) -> Period:
    """The period between two ISO dates."""
    try:
        return between(date.fromisoformat(first), date.fromisoformat(last), latest)
    except ValueError:
        raise Invalid(_("The period has no readable beginning and end.")) from None


def between(first: date, last: date, latest: date) -> Period:
    """Raises Invalid with the sentence to show."""
    if first > last:
        raise Invalid(_("The period ends before it begins."))
    if last > latest:
        raise Invalid(_("The period ends in the future."))
    if last - first > LONGEST or first < EARLIEST:
        raise Invalid(_("A period has at most three years."))
    return Period(first, last)
