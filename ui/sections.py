"""What each section of the analytics page shows: its cards, and two to four figures."""

from collections.abc import Sequence
from decimal import Decimal

from lib import analytics, paces, shares, sheets
from lib.analytics import MEASURED, added, calls
from lib.db import Scope
from lib.sheets import Sheet
from lib.texts import _
from ui import bars, charts
from ui.bars import Bar
from ui.charts import COLOURS
from ui.figures import Card, Chart, Data, Painter, card, compact, count, duration, money, pace, share

Section = tuple[tuple[Card, ...], tuple[Chart, ...]]


def names() -> dict[str, str]:
    return {"use": _("Use"), "cost": _("Cost"), "speed": _("Speed"), "safety": _("Safety"), "people": _("People"),
            "knowledge": _("Knowledge")}


def painter(name: str) -> Painter:
    return {"use": use, "cost": cost, "speed": speed, "safety": safety, "people": people, "knowledge": knowledge}[name]


# use -----------------------------------------------------------------------------------------------------------------


def use(scope: Scope, data: Data) -> Section:
    now, before = calls(data.now), calls(data.before)
    free, heads = _answered_free(data.now), shares.staff(scope, data.period)
    cards = (card(data, _("Messages"), count(data, now), now, before),
             card(data, _("Without provider"), share(data, free, now), _rate(free, now),
                  _rate(_answered_free(data.before), before),
                  hint=_("Answered by an article, an earlier answer or the emergency card.")),
             card(data, _("Active staff"), count(data, _heads(heads, True)), _heads(heads, True), _heads(heads, False)))
    messages, hours = sheets.messages(data.usage, data.period), sheets.hours(analytics.hours(scope, data.period))
    routes = [(key, name) for key, name in zip(messages.keys, messages.heads[1:], strict=True) if key != "all"]
    return cards, (
        Chart(_per(data, _("Messages per day, by what answered"), _("Messages per week, by what answered")), messages,
              charts.bars(messages, data.period, routes, _("messages")), wide=True),
        Chart(_("Busiest hours of the week"), hours, html=bars.grid(hours, data.language) if now else "",
              note=_busiest(hours), wide=True))


def _answered_free(rows: Sequence[analytics.Usage]) -> int:
    return sum(row.calls for row in rows if row.route in analytics.FREE_ROUTES)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _heads(rows: Sequence[shares.Staff], current: bool) -> int:
    return next((row.people for row in rows if row.day is None and row.current == current), 0)


def _busiest(hours: Sheet) -> str:
    cells = [(calls, row[0], hour) for row in hours.rows for hour, calls in enumerate(row[1:])]
    most, day, hour = max(cells, key=lambda cell: cell[0])
    sentence = _("Most on {day} between {first}:00 and {last}:00: {n}.")
    return sentence.format(day=day, first=hour, last=hour + 1, n=most) if most else ""


# cost ----------------------------------------------------------------------------------------------------------------


def cost(scope: Scope, data: Data) -> Section:
    budgets, saved = analytics.budgets(scope, data.period), sheets.saved(data.usage)
    now, used = analytics.cost(data.now), _tokens(data.now)
    cards = (card(data, _("AI cost"), money(data, now), now, analytics.cost(data.before), worse=True),
             card(data, _("Saved"), money(data, _saved(saved)),
                  hint=_("What answers from articles, earlier answers and the emergency card would have cost at the provider.")),
             card(data, _("Tokens"), compact(data, used), used, _tokens(data.before)))
    daily, counted = sheets.cost(data.usage, budgets, data.period), sheets.tokens(data.usage, data.period)
    return cards, (
        Chart(_per(data, _("AI cost per day"), _("AI cost per week")), daily,
              charts.bars(daily, data.period, [("measured", _("Measured")), ("estimated", _("Estimated"))], _("US dollars"),
                          whole=False, line=("limit", _("Budget")) if _near(daily) else None),
              note=_cost_note(data, budgets, daily)),
        Chart(_("AI cost by model"), *_models(data)),
        Chart(_("Saved, by what answered instead"), saved, html=_saved_bars(data, saved), note=_guess_note(saved)),
        Chart(_per(data, _("Tokens per day"), _("Tokens per week")), counted,
              charts.bars(counted, data.period, [("tokens_in", _("Tokens in")), ("tokens_out", _("Tokens out"))], _("tokens")),
              note=_left_out(_("Calls that did not report their tokens: {n}."), sum(counted.column("uncounted")))))


def _tokens(rows: Sequence[analytics.Usage]) -> int | None:
    """None: providers were asked and told none. Nobody was asked: none were used."""
    total: int | None = added(value for row in rows for value in (row.tokens_in, row.tokens_out))
    return 0 if total is None and not any(row.uncounted for row in rows) else total


def _saved(sheet: Sheet) -> Decimal | None:
    """None: no answer noted it, and nothing was paid for that could tell."""
    if not any(sheet.column("told")) and None in sheet.column("guess"):
        return None
    return sum((Decimal(value or 0) for key in ("told", "guess") for value in sheet.column(key)), Decimal(0))


def _near(daily: Sheet) -> bool:
    """The budget's line is drawn where the cost comes within reach of it; far above, it would flatten every bar."""
    sums = zip(daily.column("measured"), daily.column("estimated"), strict=True)
    highest = max((float(known or 0) + float(guessed or 0) for known, guessed in sums), default=0)
    limits = [float(limit) for limit in daily.column("limit") if limit is not None]
    return bool(limits) and highest >= min(limits) / 10


def _cost_note(data: Data, budgets: Sequence[analytics.Budget], daily: Sheet) -> str:
    parts = [_left_out(_("Calls whose price is not known, and which are not in these sums: {n}."), sum(daily.column("unpriced")))]
    if budgets:
        parts.append(_("Budget: {limit} a day.").format(limit=money(data, budgets[-1].limit_usd / data.period.step)))
        used_up = sum(row.used_up for row in budgets)
        parts.append(_("Used up on {n} days.").format(n=used_up) if used_up else "")
    return " ".join(filter(None, parts))


def _models(data: Data) -> tuple[Sheet, None, str, str]:
    """A row for each model: what is certain, what is estimated, and what nobody can price."""
    sheet = sheets.models(data.usage)
    most = max((float(row[2] + row[3]) for row in sheet.rows), default=0) or 1
    rows = [Bar(name, float(known + guessed) / most, money(data, known + guessed), COLOURS["measured"],
                " · ".join(filter(None, [_("{n} calls").format(n=count(data, n)),
                                         _("estimated: {sum}").format(sum=money(data, guessed)) if guessed else "",
                                         _("unpriced: {n}").format(n=unpriced) if unpriced else ""])))
            for name, n, known, guessed, unpriced in sheet.rows]
    total = analytics.cost(data.now, *MEASURED) or 0
    note = _("Measured: {sum}.").format(sum=money(data, total)) if rows else _("No provider was asked in this period.")
    return sheet, None, bars.listed((sheet.heads[0], _("Cost")), rows) if rows else "", note


def _saved_bars(data: Data, sheet: Sheet) -> str:
    sums = [Decimal(told or 0) + Decimal(guess or 0) for _name, _n, told, guess in sheet.rows]
    most = float(max(sums)) or 1
    colours = [COLOURS[route] for route in analytics.FREE_ROUTES]
    return bars.listed((sheet.heads[0], _("Saved")), [
        Bar(row[0], float(total) / most, money(data, total), colour, _("{n} answers").format(n=count(data, row[1])))
        for row, total, colour in zip(sheet.rows, sums, colours, strict=True)])


def _guess_note(sheet: Sheet) -> str:
    if any(sheet.column("guess")):
        return _("Where an answer did not note what it saved, the average of this period's paid answers stands in.")
    return "" if any(sheet.column("told")) else _("Nothing to compare with: the provider answered nothing in this period.")


def _left_out(sentence: str, n: int) -> str:
    return sentence.format(n=n) if n else ""


# speed ---------------------------------------------------------------------------------------------------------------


def speed(scope: Scope, data: Data) -> Section:
    rows = paces.answers(scope, data.period)
    failed, failed_before = (calls(analytics.failed(some)) for some in (data.now, data.before))
    cards = (_pace_card(data, rows, _("Typical answer"), "total", "p50", _("Half of the whole answers came within this time.")),
             _pace_card(data, rows, _("Slow answer"), "total", "p95", _("95 % of the whole answers came within this time.")),
             _pace_card(data, rows, _("First words"), "first", "p50", _("Half of the answers began to appear within this time.")),
             card(data, _("Failed"), share(data, failed, calls(data.now)), _rate(failed, calls(data.now)),
                  _rate(failed_before, calls(data.before)), worse=True, hint=_("Answers that somebody stopped are none.")))
    total, first = (sheets.times(rows, data.period, kind) for kind in ("total", "first"))
    routes, errors = sheets.routes(rows), sheets.errors(data.usage)
    series = [("p95", _("95 % within")), ("p50", _("Half within"))]
    return cards, (
        Chart(_per(data, _("Time to the whole answer, per day"), _("Time to the whole answer, per week")), total,
              charts.lines(total, data.period, series, _("seconds"))),
        Chart(_per(data, _("Time to the first words, per day"), _("Time to the first words, per week")), first,
              charts.lines(first, data.period, series, _("seconds"))),
        Chart(_("Whole answers, by what answered"), routes, html=_route_bars(routes)),
        Chart(_("Answers that failed, by kind"), errors, html=_error_bars(data, errors),
              note="" if failed else _("No answer failed in this period.")))


def _pace_card(data: Data, rows: Sequence[paces.Pace], label: str, kind: str, which: str, hint: str) -> Card:
    now, before = (paces.whole(rows, kind, current=current) for current in (True, False))
    took, took_before = (paces.middle(getattr(one, which)) if one else None for one in (now, before))
    return card(data, label, pace(took), took, took_before, worse=True, hint=hint)


def _route_bars(sheet: Sheet) -> str:
    most = max(sheet.column("p95"), default=0) or 1
    return bars.listed((sheet.heads[0], sheet.heads[2]), [
        Bar(row[0], row[2] / most, pace(1000 * row[2]), COLOURS["p50"], _("95 % within {time}").format(time=pace(1000 * row[3])))
        for row in sheet.rows]) if sheet.rows else ""


def _error_bars(data: Data, sheet: Sheet) -> str:
    most = max(sheet.column("now"), default=0)
    return bars.listed((sheet.heads[0], sheet.heads[1]), [
        Bar(name, now / most, count(data, now), COLOURS["error"], _before(data, before))
        for name, now, before in sheet.rows]) if most else ""


def _before(data: Data, n: int) -> str:
    return _("before: {n}").format(n=count(data, n)) if data.comparable else ""


# safety --------------------------------------------------------------------------------------------------------------


def safety(scope: Scope, data: Data) -> Section:
    rows = paces.emergencies(scope, data.period)
    now, before = [row for row in rows if row.day], [row for row in rows if not row.day]
    raised, waiting = sum(row.raised for row in now), sum(row.raised for row in now if row.bucket == paces.OPEN)
    cards = (card(data, _("Emergencies"), count(data, raised), raised, sum(row.raised for row in before)),
             card(data, _("Still open"), count(data, waiting)),
             card(data, _("Typical wait"), duration(paces.typical(now)), paces.typical(now), paces.typical(before),
                  worse=True, hint=_("Half of the acknowledged emergencies were acknowledged within this time.")))
    daily, spread = sheets.emergencies(rows, data.period), sheets.acknowledgements(rows)
    most = max(spread.column("now")) or 1
    return cards, (
        Chart(_per(data, _("Emergencies per day"), _("Emergencies per week")), daily,
              charts.bars(daily, data.period, [("open", _("Open")), ("acknowledged", _("Acknowledged"))], _("emergencies")),
              note="" if raised else _("No emergency was raised in this period.")),
        Chart(_("Time to acknowledgement"), spread, html=bars.listed((spread.heads[0], spread.heads[1]), [
            Bar(name, n / most, count(data, n), COLOURS["open" if at == len(spread.rows) - 1 else "acknowledged"],
                _before(data, was))
            for at, (name, n, was) in enumerate(spread.rows)]) if raised else "",
            note=_judged(now) if raised else _("There was nothing to acknowledge.")))


def _judged(rows: Sequence[paces.Alarms]) -> str:
    general, wrong = sum(row.general for row in rows), sum(row.false_alarms for row in rows)
    parts = [_left_out(_("False alarms: {n}."), wrong), _left_out(_("General questions, no patient in danger: {n}."), general)]
    return " ".join(filter(None, parts))


# people --------------------------------------------------------------------------------------------------------------


def people(scope: Scope, data: Data) -> Section:
    asked = sheets.people([one for one in shares.people(scope, data.period) if one.calls])
    heads = shares.staff(scope, data.period)
    now, before = _heads(heads, True), _heads(heads, False)
    cards = (card(data, _("Active staff"), count(data, now), now, before),
             card(data, _("Per person"), count(data, round(calls(data.now) / now)) if now else "–",
                  _rate(calls(data.now), now), _rate(calls(data.before), before)))
    daily, most = sheets.staff(heads, data.period), max(asked.column("calls"), default=0) or 1
    return cards, (
        Chart(_("Questions by person"), asked, html=bars.listed((asked.heads[0], asked.heads[1]), [
            Bar(name, n / most, count(data, n), COLOURS["people"],
                _("on {days} days · {cost}").format(days=days, cost=money(data, spent)))
            for name, n, _was, days, spent, _unpriced in asked.rows]) if asked.rows else ""),
        Chart(_per(data, _("Staff who asked something, per day"), _("Staff who asked something, per week")), daily,
              charts.bars(daily, data.period, [("people", _("People"))], _("people"))))


# knowledge -----------------------------------------------------------------------------------------------------------

MOST_ARTICLES = 12


def knowledge(scope: Scope, data: Data) -> Section:
    articles = sheets.articles(shares.articles(scope, data.period))
    missed = shares.without_article(scope, data.period)
    without, before = (sum(row.calls for row in missed if (row.day is None) == former) for former in (False, True))
    cards = (card(data, _("Articles used"), count(data, len(articles.rows))),
             card(data, _("With an article"), count(data, sum(articles.column("calls"))), sum(articles.column("calls")),
                  sum(articles.column("before"))),
             card(data, _("Without a match"), count(data, without), without, before, worse=True))
    daily, most = sheets.unmatched(missed, data.period), max(articles.column("calls"), default=0) or 1
    more = len(articles.rows) - MOST_ARTICLES
    return cards, (
        Chart(_("Articles, by how often they answered"), articles, html=bars.listed((articles.heads[0], articles.heads[1]), [
            Bar(title, n / most, count(data, n), COLOURS["kb"], _before(data, was))
            for title, n, was in articles.rows[:MOST_ARTICLES]])
            if articles.rows else "", note=_("And {n} more, in the table.").format(n=more) if more > 0 else ""),
        Chart(_per(data, _("Questions without a match, per day"), _("Questions without a match, per week")), daily,
              charts.bars(daily, data.period, [("fallback", _("Without an article"))], _("questions")),
              note="" if without else _("Every question found an answer.")))


def _per(data: Data, day: str, week: str) -> str:
    return day if data.period.step == 1 else week
