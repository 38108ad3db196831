"""Figures drawn from lib.sheets, once per data version.

The one place where something made from the database is kept between runs: aggregates only, under a key that names the
clinic, the role, the period, the section and the version of the data, and never more than a few.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Literal
from uuid import UUID

from babel.numbers import format_compact_decimal, format_currency, format_decimal, format_percent

from lib import analytics
from lib.analytics import Usage
from lib.db import Scope
from lib.periods import Period
from lib.sheets import Sheet
from lib.texts import _
from ui.charts import Drawing

MOST_BOARDS, FEW = 128, 20


@dataclass(frozen=True)
class Chart:
    """Either `drawing` or `html`; neither where there is nothing to draw, and `note` then says what that means."""

    title: str
    sheet: Sheet
    drawing: Drawing | None = None
    html: str = ""
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Card:
    """One figure of the whole period. `change`: against the period before, None where there is nothing to compare with."""

    label: str
    value: str
    change: str | None = None
    colour: Literal["inverse", "off"] = "off"
    help: str | None = None


@dataclass(frozen=True)
class Data:
    """What every section begins with. `missing`: days without a question on which there usually are some."""

    period: Period
    language: str
    usage: list[Usage]
    missing: list[date]

    @property
    def now(self) -> list[Usage]:
        return analytics.current(self.usage)

    @property
    def before(self) -> list[Usage]:
        return analytics.former(self.usage)

    @property
    def comparable(self) -> bool:
        """A tenth of the questions or less: the period before was hardly begun, and comparing with it says nothing."""
        return analytics.calls(self.before) * 10 > analytics.calls(self.now)

    @property
    def few(self) -> bool:
        return 0 < analytics.calls(self.now) < FEW


@dataclass(frozen=True)
class Board:
    data: Data
    cards: tuple[Card, ...]
    charts: tuple[Chart, ...]

    @property
    def empty(self) -> bool:
        return not self.data.now


@dataclass(frozen=True)
class Key:
    clinic_id: UUID
    role: str
    time_zone: str
    language: str
    period: Period
    today: date
    section: str
    version: str


Painter = Callable[[Scope, Data], tuple[tuple[Card, ...], tuple[Chart, ...]]]
_shelf: OrderedDict[Key, Board] = OrderedDict()
_lock = Lock()


def board(scope: Scope, period: Period, today: date, section: str, painter: Painter) -> Board:
    """One section of the analytics page."""
    who = scope.identity
    key = Key(who.clinic_id, who.role, who.time_zone, who.language, period, today, section, analytics.version(scope))
    with _lock:
        found = _shelf.get(key)
    return found or _keep(key, _draw(scope, period, today, painter))


def _draw(scope: Scope, period: Period, today: date, painter: Painter) -> Board:
    missing = analytics.missing(analytics.busy(scope, period), period, today)
    data = Data(period, scope.identity.language, analytics.usage(scope, period), missing)
    return Board(data, *painter(scope, data))


def _keep(key: Key, drawn: Board) -> Board:
    with _lock:
        _shelf[key] = drawn
        while len(_shelf) > MOST_BOARDS:
            _shelf.popitem(last=False)
    return drawn


# words for numbers ---------------------------------------------------------------------------------------------------


def card(data: Data, label: str, value: str, now: object = None, before: object = None, *, worse: bool = False,
         hint: str = "") -> Card:
    """More of something is neither good nor bad; dearer and slower is worse."""
    change = change_of(now, before) if data.comparable else None
    return Card(label, value, change, "inverse" if worse and change != _("unchanged") else "off", hint or None)


def change_of(now: object, before: object) -> str | None:
    if now is None or not before:
        return None
    change = format_percent(float(now) / float(before) - 1, "+0 %;-0 %")  # type: ignore[arg-type]
    return _("unchanged") if change in ("+0 %", "-0 %") else change


def count(data: Data, n: int) -> str:
    return str(format_decimal(n, locale=data.language))


def compact(data: Data, n: int | None) -> str:
    return _("unknown") if n is None else str(format_compact_decimal(n, locale=data.language, fraction_digits=1))


def money(data: Data, amount: object) -> str:
    """Small sums keep the digits that tell them from nothing."""
    if amount is None:
        return _("unknown")
    few = 0 < float(amount) < 0.1  # type: ignore[arg-type]
    return str(format_currency(amount, "USD", "¤#,##0.0000" if few else None, locale=data.language, currency_digits=not few))


def share(data: Data, part: int, whole: int) -> str:
    return str(format_percent(part / whole, locale=data.language)) if whole else "–"


def pace(milliseconds: float | None) -> str:
    """Two digits: more would be more exact than the buckets are."""
    if milliseconds is None:
        return "–"
    shown = float(f"{milliseconds:.2g}")
    return _("{n} ms").format(n=f"{shown:.0f}") if shown < 1000 else _("{n} s").format(n=f"{shown / 1000:.2g}")


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 90:
        return _("{n} s").format(n=round(seconds))
    return _("{n} min").format(n=round(seconds / 60)) if seconds < 5400 else _("{n} h").format(n=round(seconds / 3600, 1))
