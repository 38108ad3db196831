"""Figures: drawn once per data version, never shared between clinics, the same colour for the same thing."""

import json
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from lib import analytics, db, periods, sheets
from lib.analytics import Budget, Hour, Usage
from lib.errors import Forbidden
from lib.periods import Period
from lib.sheets import Sheet
from tests.statements import listening
from ui import bars, charts, figures, sections

LAST = date(2026, 11, 14)


@pytest.fixture(autouse=True)
def empty_shelf():
    figures._shelf.clear()
    yield
    figures._shelf.clear()


def ask(who, cost="0.25", route="provider"):
    with db.scope(who) as scope:
        scope.run("""
            insert into ai_calls (clinic_id, message_id, user_id, route, status, model_requested, cost_usd, cost_source, latency_ms,
                                  first_token_ms, tokens_in, tokens_out, article, finished_at)
            values (:clinic_id, :message, :me, :route, 'ok', 'large', :cost, 'price_table', 900, 300, 10, 20, :article, now())
            """, message=uuid4(), me=who.user_id, cost=Decimal(cost), route=route, article="crowns" if route == "kb" else None)


def board(who, section="cost", preset="7d"):
    today = periods.today(who)
    with db.scope(who) as scope:
        return figures.board(scope, periods.preset(preset, today), today, section, sections.painter(section))


def used(days=7, **values):
    row = {"model": "", "status": "ok", "cost_source": "price_table", "calls": 3, "tokens_in": 10, "tokens_out": 20, "uncounted": 0,
           "cost_usd": Decimal("0.5"), "unpriced": 0, "saved_usd": None, **values}
    return [Usage(day=day, route=route, **row) for day in Period(LAST - timedelta(days=days - 1), LAST).starts
            for route in ("kb", "provider", "emergency")]


def week(days=7):
    return Period(LAST - timedelta(days=days - 1), LAST)


def test_a_figure_is_drawn_once_per_data_version(alice, monkeypatch):
    ask(alice)
    first = board(alice)
    monkeypatch.setattr(analytics, "usage", None)
    assert board(alice) is first
    monkeypatch.undo()
    ask(alice)
    assert analytics.calls(board(alice).data.now) == 2


def test_what_is_drawn_already_takes_one_statement_and_a_drawing_few(alice):
    ask(alice)
    with listening() as asked:
        board(alice)
    assert 3 <= len(asked) <= 6
    with listening() as asked:
        board(alice)
    assert len(asked) == 2, "to enter the clinic, and to ask for the version"


def test_a_budget_that_changes_is_drawn_at_once(alice):
    ask(alice)
    lines = []
    for amount in (None, 1, 2):
        if amount:
            with db.scope(alice) as scope:
                scope.run("""
                    insert into assistant_settings (clinic_id, daily_budget_usd) values (:clinic_id, :amount)
                    on conflict (clinic_id) do update set daily_budget_usd = excluded.daily_budget_usd
                    """, amount=amount)
        lines.append([line.y[-1] for line in board(alice).charts[0].drawing.data if line.name == "Budget"])
    assert lines == [[], [1], [2]]


def test_a_question_that_goes_to_the_provider_for_want_of_an_article_is_told(alice):
    ask(alice, route="kb")
    assert board(alice, "knowledge").charts[1].note == "Every question found an answer."
    ask(alice, route="provider")
    drawn = board(alice, "knowledge")
    assert drawn.charts[1].note == ""
    assert {card.label: card.value for card in drawn.cards}["Without a match"] == "1"


@pytest.mark.parametrize("section", sections.names())
def test_a_test_of_the_connection_is_no_message(alice, section):
    with db.scope(alice) as scope:
        scope.run("""
            insert into ai_calls (clinic_id, id, message_id, user_id, route, status, cost_usd, cost_source, finished_at)
            select :clinic_id, t.id, t.id, :me, 'trial', 'timeout', 0.25, 'price_table', now()
            from (select uuidv7() as id) t
            """, me=alice.user_id)
    drawn = board(alice, section)
    assert not drawn.empty, "its cost is to be seen"
    shown = {card.label: card.value for card in drawn.cards}
    wanted = {"use": ("Messages", "0"), "cost": ("AI cost", "$0.25"), "speed": ("Failed", "–"), "people": ("Per person", "–")}
    if section in wanted:
        assert shown[wanted[section][0]] == wanted[section][1]


def test_two_clinics_with_the_same_filters_never_share_a_figure(alice, charlie, monkeypatch):
    monkeypatch.setattr(analytics, "version", lambda _scope: "1")  # so that only the clinic tells them apart
    ask(alice, "1.5")
    ask(charlie, "0.25")
    assert [board(who).cards[0].value for who in (alice, charlie)] == ["$1.50", "$0.25"]
    assert len({key.clinic_id for key in figures._shelf}) == 2


def test_a_role_that_may_not_read_figures_gets_none_from_the_shelf_either(alice, bob, rita):
    board(alice)
    for who in (bob, rita):
        with pytest.raises(Forbidden):
            board(who)


def test_owner_and_manager_have_figures_of_their_own(alice, mona):
    assert board(alice) is not board(mona)


def test_the_shelf_never_holds_more_than_a_few(alice, monkeypatch):
    monkeypatch.setattr(figures, "MOST_BOARDS", 3)
    for name in sections.names():
        board(alice, name)
    assert [key.section for key in figures._shelf] == ["safety", "people", "knowledge"]


@pytest.mark.parametrize("section", sections.names())
def test_every_section_draws_a_clinic_at_work_and_a_new_one(alice, section):
    empty = board(alice, section)
    assert empty.empty
    assert empty.cards
    for route in ("provider", "kb", "fallback", "emergency"):
        ask(alice, route=route)
    drawn = board(alice, section)
    assert not drawn.empty
    assert 2 <= len(drawn.charts) <= 4
    for chart in drawn.charts:
        assert chart.title
        assert chart.drawing or chart.html or chart.note
        assert sheets.SHEETS[chart.sheet.name], "what is drawn can be exported"
        assert all(len(row) == len(chart.sheet.heads) for row in chart.sheet.rows)


@pytest.mark.parametrize("section", sections.names())
def test_a_section_keeps_no_patient_and_no_question(alice, section):
    with db.scope(alice) as scope:
        patient = scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, 'Canary Name') returning id
            """, me=alice.user_id)
        scope.run("""
            insert into ai_calls (clinic_id, message_id, user_id, patient_id, route, status, cost_usd, cost_source, latency_ms)
            values (:clinic_id, uuidv7(), :me, :patient, 'provider', 'ok', 1, 'provider', 5)
            """, me=alice.user_id, patient=patient)
    kept = repr(board(alice, section))
    assert "Canary" not in kept
    assert str(patient) not in kept


def test_the_same_route_has_the_same_colour_whatever_else_is_drawn():
    def colours(usage):
        sheet = sheets.messages(usage, week())
        routes = [(key, name) for key, name in zip(sheet.keys, sheet.heads[1:], strict=True) if key != "all"]
        return {bar.name: bar.marker.color for bar in charts.bars(sheet, week(), routes, "x").data}

    name = sheets.route_name("kb")
    assert colours(used())[name] == charts.COLOURS["kb"]
    assert colours([row for row in used() if row.route == "kb"]) == {name: charts.COLOURS["kb"]}


def test_every_route_has_a_name_and_a_colour():
    assert all(sheets.route_name(route) and charts.COLOURS[route] for route in analytics.ROUTES)


@pytest.mark.parametrize("background", ["#ffffff", "#10191b"])
def test_every_colour_stands_out_in_light_and_dark(background):
    assert {name: round(contrast(colour, background), 1) for name, colour in charts.COLOURS.items()
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
    sheet = sheets.tokens(used(days), week(days))
    drawn = charts.bars(sheet, week(days), [("tokens_in", "In"), ("tokens_out", "Out")], "tokens")
    assert drawn.layout.yaxis.title.text == "tokens"
    assert all(len(trace.y) == marks for trace in drawn.data)
    assert sum(sum(bar.y) for bar in drawn.data) == 3 * 30 * marks
    assert sheet.heads[0] == ("Week from" if days == 365 else "Day")
    assert len(drawn.to_json()) < 6_000


def test_an_unknown_cost_is_a_gap_and_a_quiet_day_is_zero():
    unknown = Usage(LAST, "provider", "m", "ok", "", 1, None, None, 1, None, 1, None)
    free = Usage(LAST - timedelta(days=1), "kb", "", "ok", "none", 1, None, None, 0, Decimal(0), 0, None)
    sheet = sheets.cost([unknown, free], [Budget(LAST, Decimal(5), 0)], week(3))
    assert sheets.to_csv(sheet).splitlines()[1:] == ["2026-11-12,0,0,0,", "2026-11-13,0,0,0,", "2026-11-14,,0,1,5"]
    assert charts.bars(sheet, week(3), [("measured", "Measured")], "US dollars") is None


def test_a_csv_holds_nothing_a_spreadsheet_would_run():
    sheet = Sheet("people", ("Person", "Questions"), ("calls",), (("=cmd()", 1), (" @x", 2), ("Ann", 3)))
    assert sheets.to_csv(sheet).splitlines() == ["Person,Questions", "'=cmd(),1", " '@x,2", "Ann,3"]


@pytest.mark.parametrize(("rows", "more"), [(20, None), (23, "And 3 more, in the table.")])
def test_a_long_list_shows_its_beginning_and_says_how_much_is_left(rows, more):
    drawn = bars.listed(("Name", "Value"), [bars.Bar(f"N{n}", 0.5, "1", "#000") for n in range(rows)])
    assert drawn.count("<tr><th scope='row'>") == 20
    assert ("more" in drawn) == bool(more)
    assert (more or "") in drawn


def test_a_list_and_a_grid_escape_what_people_typed():
    drawn = bars.listed(("Name", "Value"), [bars.Bar("<script>x</script>", 0.5, "<b>", "#000", "&")])
    drawn += bars.grid(Sheet("hours", ("Weekday",), ("0",), (("<u>", *[0] * 24),)), "en")
    assert "<script>" not in drawn
    assert "<b>" not in drawn
    assert "<u>" not in drawn


def test_the_darkest_hour_is_the_busiest():
    drawn = bars.grid(sheets.hours([Hour(1, 9, 4), Hour(3, 14, 8)]), "en")
    assert drawn.count("--part:100%") == 1
    assert "title='Wednesday 14:00–14:59: 8'" in drawn
    assert "--part:50%' title='Monday 09:00–09:59: 4'" in drawn


def test_a_comparison_with_a_time_when_nobody_asked_is_left_out(alice):
    ask(alice)
    assert {card.change for card in board(alice, "use").cards} == {None}
    assert figures.change_of(150, 100) == "+50 %"
    assert figures.change_of(Decimal("0.5"), Decimal(1)) == "-50 %"
    assert figures.change_of(1, 1) == "unchanged"
    assert figures.change_of(1, 0) is None


def test_times_show_no_more_digits_than_their_buckets_have():
    assert [figures.pace(ms) for ms in (None, 7, 902.6, 996.0, 4317.0, 12_345.0)] == ["–", "7 ms", "900 ms", "1 s", "4.3 s", "12 s"]


def test_no_button_of_a_figure_leads_into_a_cloud():
    config = json.dumps(charts.CONFIG)
    assert not charts.CONFIG["displayModeBar"]
    assert not charts.CONFIG["displaylogo"]
    assert not charts.CONFIG["showLink"]
    assert "http" not in config
