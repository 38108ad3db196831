"""Figures: drawn once per data version, never shared between clinics, the same colour for the same thing."""

import json
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from lib import analytics, db
from lib.analytics import Pace, Period, Report, Totals, Urgency, Usage
from lib.errors import Forbidden
from ui import figures

LAST = date(2026, 11, 14)
NOTHING = Totals(0, Decimal(0), 0, 0, 0, 0, None, None, 0, 0, 0, None)


@pytest.fixture(autouse=True)
def empty_shelf():
    figures._shelf.clear()
    yield
    figures._shelf.clear()


def ask(who, cost="0.25"):
    with db.scope(who) as scope:
        scope.run("""
            insert into ai_calls (clinic_id, message_id, user_id, route, status, cost_usd, cost_source, latency_ms, finished_at)
            values (:clinic_id, :message, :me, 'provider', 'ok', :cost, 'price_table', 900, now())
            """, message=uuid4(), me=who.user_id, cost=Decimal(cost))


def board(who):
    with db.scope(who) as scope:
        return figures.board(scope, analytics.preset("7d", analytics.today(who)))


def report(days=7, **values):
    period = Period(LAST - timedelta(days=days - 1), LAST)
    each = [period.first + timedelta(days=n) for n in range(days)]
    rows = [Usage(day, route, 3, Decimal("0.5"), 0, 10, 20, 0) for day in each for route in ("kb", "provider", "emergency")]
    now = Totals(9 * days, Decimal(2), 0, 30, 60, 0, 800.0, 4000.0, 2, 1, 1, None)
    return Report(**{"period": period, "now": now, "before": NOTHING, "usage": rows,
                     "pace": [Pace(day, True, 800, 4000, 2) for day in period.starts],
                     "emergencies": [Urgency(LAST, True, 1, 1, None)], **values})


def chart(drawn, name):
    return next(one for one in drawn.charts if one.name == name)


def test_a_figure_is_drawn_once_per_data_version(alice, monkeypatch):
    ask(alice)
    first = board(alice)
    monkeypatch.setattr(analytics, "read", None)
    assert board(alice) is first
    monkeypatch.undo()
    ask(alice)
    assert board(alice).report.now.messages == 2


def test_two_clinics_with_the_same_filters_never_share_a_figure(alice, charlie):
    ask(alice, "1.5")
    ask(charlie, "0.25")
    assert board(alice).report.now.cost_usd == Decimal("1.5")
    assert board(charlie).report.now.cost_usd == Decimal("0.25")
    assert len({(key.clinic_id, key.version) for key in figures._shelf}) == 2
    assert len({key.version for key in figures._shelf}) == 1  # only the clinic tells them apart


def test_a_role_that_may_not_read_figures_gets_none_from_the_shelf_either(alice, bob, rita):
    board(alice)
    for who in (bob, rita):
        with pytest.raises(Forbidden):
            board(who)


def test_owner_and_manager_have_figures_of_their_own(alice, mona):
    assert board(alice) is not board(mona)


def test_the_shelf_never_holds_more_than_a_few(alice, monkeypatch):
    monkeypatch.setattr(figures, "MOST_BOARDS", 3)
    with db.scope(alice) as scope:
        for days in range(1, 8):
            figures.board(scope, Period(LAST - timedelta(days=days), LAST))
    assert [key.period.days for key in figures._shelf] == [6, 7, 8]


def test_the_same_route_has_the_same_colour_whatever_else_is_drawn():
    every = {bar.name: bar.marker.color for bar in chart(figures.draw(report(), "en"), "messages").figure.data}
    only_kb = [row for row in report().usage if row.route == "kb"]
    assert every[figures.route_name("kb")] == figures.COLOURS["kb"]
    few = chart(figures.draw(report(usage=only_kb), "en"), "messages").figure.data
    assert [(bar.name, bar.marker.color) for bar in few] == [(figures.route_name("kb"), figures.COLOURS["kb"])]


def test_every_route_has_a_name_and_a_colour():
    assert all(figures.route_name(route) and figures.COLOURS[route] for route in analytics.ROUTES)


@pytest.mark.parametrize("background", ["#ffffff", "#10191b"])
def test_every_colour_stands_out_in_light_and_dark(background):
    assert {name: round(contrast(colour, background), 1) for name, colour in figures.COLOURS.items()
            if contrast(colour, background) < 3} == {}


def contrast(one, other):
    """WCAG 2's ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("days", "marks"), [(1, 1), (30, 30), (365, 53)])
def test_a_day_and_a_year_are_legible(days, marks):
    drawn = figures.draw(report(days), "en")
    for one in drawn.charts:
        assert one.title
        assert one.figure.layout.yaxis.title.text
        assert all(len(trace.y) <= marks for trace in one.figure.data)
    assert sum(sum(bar.y) for bar in chart(drawn, "messages").figure.data) == 9 * days
    assert ("week" in chart(drawn, "messages").title) == (days == 365)


def test_a_whole_year_travels_in_few_bytes():
    assert sum(len(one.figure.to_json()) for one in figures.draw(report(365), "en").charts) < 20_000


def test_an_unknown_cost_is_a_gap_and_a_quiet_day_is_zero():
    rows = [Usage(LAST, "provider", 1, None, 1, None, None, 1), Usage(LAST - timedelta(days=1), "kb", 1, Decimal(0), 0, None, None, 0)]
    drawn = figures.draw(report(3, usage=rows, now=Totals(2, None, 1, None, None, 1, None, None, 1, 0, 0, None)), "en")
    csv = figures.to_csv(chart(drawn, "cost")).splitlines()
    assert csv[1:] == ["2026-11-12,0,0", "2026-11-13,0,0", "2026-11-14,,1"]
    assert chart(drawn, "cost").figure is None
    assert "1" in chart(drawn, "cost").note
    assert drawn.cards[1].value == "unknown"


def test_a_csv_holds_nothing_a_spreadsheet_would_run():
    for one in figures.draw(report(365), "en").charts:
        cells = [cell for line in figures.to_csv(one).splitlines() for cell in line.split(",")]
        assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "\t"))]


def test_a_comparison_with_a_time_when_nobody_asked_is_left_out():
    assert all(card.change is None for card in figures.draw(report(), "en").cards)
    same = report(before=report().now)
    assert {card.change for card in figures.draw(same, "en").cards} == {"unchanged"}
    assert figures._change(150, 100) == "+50 %"
    assert figures._change(Decimal("0.5"), Decimal(1)) == "-50 %"


def test_no_button_of_a_figure_leads_into_a_cloud():
    config = json.dumps(figures.CONFIG)
    assert not figures.CONFIG["displayModeBar"]
    assert not figures.CONFIG["displaylogo"]
    assert not figures.CONFIG["showLink"]
    assert "http" not in config
