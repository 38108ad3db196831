"""Pieces that more than one page shows."""

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import streamlit as st
from babel.dates import format_date, format_datetime
from babel.units import format_unit

from lib.budgets import Day
from lib.identity import Identity
from lib.patients import Listed
from lib.texts import _


def empty(text: str, *, hint: str = "", icon: str = "inbox") -> None:
    """What stands in place of a list that has nothing in it: what that means, and what to do."""
    with st.container(key=f"empty_{icon}", horizontal_alignment="center"):
        st.markdown(f":material/{icon}:", text_alignment="center")
        st.markdown(f"**{text}**  \n{hint}" if hint else f"**{text}**", text_alignment="center")


def budget_notice(day: Day) -> None:
    """From 80 % of a day's budget for providers on; nothing below."""
    if day.state == "stopped":
        st.warning(_("The day's budget for the AI provider is used up. Until midnight the knowledge base answers; red flags "
                     "are not touched by this."), icon=":material/money_off:")
    elif day.state == "warned":
        st.warning(_("{percent} % of the day's budget for the AI provider is spent.").format(
            percent=round(100 * day.spent_usd / day.limit_usd)), icon=":material/savings:")


def moment(at: datetime, identity: Identity) -> str:
    """A stored UTC time in the clinic's zone, as that clinic writes it."""
    return _time(at, "d MMM y, HH:mm", identity.time_zone, identity.language)


def second(at: datetime, identity: Identity) -> str:
    """The same to the second."""
    return _time(at, "d MMM y, HH:mm:ss", identity.time_zone, identity.language)


@lru_cache(maxsize=5000)
def _time(at: datetime, pattern: str, zone: str, language: str) -> str:
    return str(format_datetime(at, pattern, tzinfo=ZoneInfo(zone), locale=language))


def when(at: datetime, identity: Identity) -> str:
    """The same, with the date left out where it is today's: what a day's work reads at a glance."""
    zone = ZoneInfo(identity.time_zone)
    today = at.astimezone(zone).date() == datetime.now(zone).date()
    return _time(at, "HH:mm" if today else "d MMM, HH:mm", identity.time_zone, identity.language)


def day(on: date, identity: Identity) -> str:
    return _date(on, identity.language)


@lru_cache(maxsize=5000)
def _date(on: date, language: str) -> str:
    return str(format_date(on, "d MMM y", locale=language))


def weekday(on: date, identity: Identity) -> str:
    return format_date(on, "EEEE, d MMMM y", locale=identity.language)


def today(identity: Identity) -> date:
    """The date at the clinic."""
    return datetime.now(ZoneInfo(identity.time_zone)).date()


def age_in_words(born: date, on: date, identity: Identity) -> str:
    """In years; in months below two years."""
    months = max(0, (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day))
    number, unit = (months, "duration-month") if months < 24 else (months // 12, "duration-year")
    return _in_words(number, unit, identity.language)


@lru_cache(maxsize=1000)
def _in_words(number: int, unit: str, language: str) -> str:
    return str(format_unit(number, unit, locale=language))


def born(patient: Listed, identity: Identity, on: date) -> str:
    """Birth date and age, or both dates of a life."""
    if patient.date_of_birth is None:
        return f"† {day(patient.deceased_on, identity)}" if patient.deceased_on else ""
    if not patient.deceased:
        return f"{day(patient.date_of_birth, identity)} · {age_in_words(patient.date_of_birth, on, identity)}"
    return f"{day(patient.date_of_birth, identity)} – " + (day(patient.deceased_on, identity) if patient.deceased_on else "†")
