"""Pieces that more than one page shows."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import streamlit as st
from babel.dates import format_date, format_datetime

from lib.identity import Identity


def empty(text: str, *, hint: str = "", icon: str = "inbox") -> None:
    """What stands in place of a list that has nothing in it: what that means, and what to do."""
    with st.container(key=f"empty_{icon}", horizontal_alignment="center"):
        st.markdown(f":material/{icon}:")
        st.markdown(f"**{text}**  \n{hint}" if hint else f"**{text}**", text_alignment="center")


def moment(at: datetime, identity: Identity) -> str:
    """A stored UTC time in the clinic's zone, as that clinic writes it."""
    return format_datetime(at, "d MMM y, HH:mm", tzinfo=ZoneInfo(identity.time_zone), locale=identity.language)


def day(on: date, identity: Identity) -> str:
    return format_date(on, "d MMM y", locale=identity.language)
