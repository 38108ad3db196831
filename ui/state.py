"""Every key of st.session_state, typed. Nothing from the database is kept there: only where somebody is on a screen."""

from dataclasses import dataclass
from uuid import UUID

import streamlit as st

OWN = ("cursors", "notice", "ticket", "leaving", "undo")


@dataclass(frozen=True)
class Notice:
    """What just happened, shown once by the next page."""

    text: str
    icon: str = ":material/check_circle:"


def notify(text: str, icon: str = ":material/check_circle:") -> None:
    st.session_state["notice"] = Notice(text, icon)


def take_notice() -> Notice | None:
    return st.session_state.pop("notice", None)


def cursor(name: str) -> UUID | None:
    """Where the list's page begins: after this id."""
    return (_cursors(name) or [None])[-1]


def page_number(name: str) -> int:
    return len(_cursors(name)) + 1


def turn_page(name: str, after: UUID) -> None:
    _cursors(name).append(after)


def turn_back(name: str) -> None:
    if _cursors(name):
        _cursors(name).pop()


def first_page(name: str) -> None:
    _cursors(name).clear()


def _cursors(name: str) -> list[UUID]:
    return st.session_state.setdefault("cursors", {}).setdefault(name, [])


def set_ticket(ticket: str) -> None:
    st.session_state["ticket"] = ticket


def ticket() -> str | None:
    return st.session_state.get("ticket")


def leave() -> None:
    st.session_state["leaving"] = True


def leaving() -> bool:
    return bool(st.session_state.get("leaving"))


def set_undo(patient_id: UUID) -> None:
    st.session_state["undo"] = patient_id


def take_undo() -> UUID | None:
    return st.session_state.pop("undo", None)


def forget() -> None:
    """Drop what a former person left in this browser tab's state."""
    for key in set(OWN) - {"ticket"}:
        st.session_state.pop(key, None)
