"""Figures that are a list or a grid: HTML tables with bars or shades, which travel light, print well and can be read out."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from babel.dates import get_day_names

from lib.sheets import Sheet
from lib.texts import _

MOST = 20


@dataclass(frozen=True)
class Bar:
    """`part`: how long it is, between 0 and 1. `detail`: what stands behind the value, in small."""

    name: str
    part: float
    value: str
    colour: str
    detail: str = ""


def listed(heads: tuple[str, str], rows: Sequence[Bar]) -> str:
    """The first MOST. `heads`: of the names and of the values, for those who listen."""
    lines = "".join(f"<tr><th scope='row'>{escape(row.name)}</th><td class='bar' aria-hidden='true'>"
                    f"{_mark(row)}</td>"
                    f"<td>{escape(row.value)}<small>{escape(row.detail)}</small></td></tr>" for row in rows[:MOST])
    head = f"<thead><tr><th scope='col'>{escape(heads[0])}</th><td></td><th scope='col'>{escape(heads[1])}</th></tr></thead>"
    more = _("And {n} more, in the table.").format(n=len(rows) - MOST)
    return f"<table class='bars'>{head}<tbody>{lines}</tbody></table>" + (f"<p class='figure'>{more}</p>" if rows[MOST:] else "")


def _mark(row: Bar) -> str:
    return f"<i style='width:{100 * row.part:.1f}%;background:{row.colour}'></i>" if row.part else ""


def grid(sheet: Sheet, language: str) -> str:
    """A shade for each hour of the week; the number shows where the pointer rests."""
    most = max((cell for row in sheet.rows for cell in row[1:]), default=0) or 1
    head = "".join(f"<th scope='col'>{hour if hour % 3 == 0 else ''}</th>" for hour in range(24))
    short = get_day_names("abbreviated", locale=language)
    lines = "".join(f"<tr><th scope='row'>{escape(short[day])}</th>" + "".join(
        f"<td style='--part:{100 * cell / most:.0f}%' title='{_tip(row[0], hour, cell)}'></td>"
        for hour, cell in enumerate(row[1:])) + "</tr>" for day, row in enumerate(sheet.rows))
    return f"<table class='week'><thead><tr><td></td>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _tip(day: str, hour: int, calls: int) -> str:
    return escape(_("{day} {hour:02d}:00–{hour:02d}:59: {n}").format(day=day, hour=hour, n=calls), quote=True)
