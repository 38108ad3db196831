"""A thread on the screen: its messages, the answer that is being written, the box to ask in, and whom it is about."""

import html
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote
from uuid import UUID

import streamlit as st
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import StopException, add_script_run_ctx, get_script_run_ctx

from lib import auth, chats, db, emergencies, patients, workflows
from lib.chats import Message
from lib.db import Page, Scope
from lib.emergencies import Emergency
from lib.errors import AppError
from lib.identity import Identity
from lib.patients import Patient
from lib.texts import _
from ui import alarm, guard, markdown, patient_card, state, widgets
from ui.markdown import escape

ASKED, ANSWERED = ":material/person:", ":material/dentistry:"
PATIENCE = 90  # seconds of watching an answer
LOOK = 1.0  # seconds between two looks at the row of an answer that another process writes


# whom it is about ----------------------------------------------------------------------------------------------------


def in_sight(identity: Identity, patient: Patient | None) -> None:
    """Name, age and alerts, staying at the top while the thread scrolls, and the way to another thread."""
    with st.container(key="in_sight", gap=None):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.title(escape(patient.full_name) if patient else _("General question"), anchor=False)
            if auth.may(identity, "chat.patient"):
                _choose(patient.id if patient else None)
        if patient:
            st.html(patient_card.marks(patient, identity))


@st.fragment
def _choose(current: UUID | None) -> None:
    label = _("Change") if current else _("Choose a patient")
    with st.popover(label, icon=":material/person_search:", key=f"choose_{current}", on_change="rerun") as picker:
        if not picker.open:
            return
        identity = guard.require("chat.patient")
        term = st.text_input(_("Find a patient"), type="search", live=True, key=f"choose_term_{current}", width=340,
                             placeholder=_("Name, email or end of phone number"))
        with db.scope(identity) as scope:
            found = patients.find(scope, term=term or "", limit=8)
        for row in found.rows:
            born = widgets.born(row, identity, widgets.today(identity))
            # isolated, or the digits of a birth date would jump into a name that is written from right to left
            name = f"\N{FIRST STRONG ISOLATE}{escape(row.full_name)}\N{POP DIRECTIONAL ISOLATE}"
            label = " · ".join(filter(None, [name, born]))
            if st.button(label, key=f"choose_row_{row.id}", type="tertiary", width="stretch"):
                _go_to(str(row.id))
        if not found.rows:
            st.caption(_("No patient matches."))
        if current and st.button(_("General question, about no patient"), icon=":material/forum:", width="stretch"):
            _go_to(None)


def _go_to(patient_id: str | None) -> None:
    st.query_params.from_dict({"patient": patient_id} if patient_id else {})
    st.rerun()


# asking --------------------------------------------------------------------------------------------------------------


def ask_box(patient: Patient | None) -> None:
    """One per thread, so that what is typed about one patient never waits in another's box."""
    patient_id = patient.id if patient else None
    box = f"question_{patient_id}"
    refusal = state.take_refusal()
    if refusal:
        st.bottom.error(escape(refusal), icon=":material/info:")
    st.chat_input(_("Ask about this patient") if patient else _("Ask a general question"), key=box, submit_mode="stop",
                  on_submit=_ask, args=(patient_id, box))


def _ask(patient_id: UUID | None, box: str) -> None:
    text = state.shown(box)
    if not text:
        return
    identity = guard.require("chat.ask")
    try:
        refusal = workflows.ask(identity, patient_id, text).refusal
        state.first_page(_place(patient_id))
    except AppError as error:
        refusal = str(error)
    if refusal:
        state.refuse(refusal)
        state.show(box, text)


# reading -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """A page of a thread, for one run. `running`: the answers that stand below it, where they are being written."""

    page: Page[Message]
    alarms: dict[UUID, Emergency]

    @property
    def running(self) -> list[Message]:
        return [message for message in reversed(self.page.rows) if message.running]


def read(scope: Scope, patient_id: UUID | None, thread_id: UUID) -> Reading:
    page = chats.history(scope, thread_id, before=state.cursor(_place(patient_id)))
    return Reading(page, emergencies.of_questions(scope, thread_id, _alarming(page.rows)))


def history(patient_id: UUID | None, thread_id: UUID, identity: Identity, reading: Reading) -> None:
    """Twenty messages. What the page has read serves this run only: the fragment keeps nothing of it and reads anew."""
    _history(patient_id, thread_id, [message.id for message in reading.running], [(identity, reading)])


@st.fragment
def _history(patient_id: UUID | None, thread_id: UUID, running: Sequence[UUID], handed: list[tuple[Identity, Reading]]) -> None:
    identity, reading = handed.pop() if handed else _read_anew(patient_id, thread_id)
    page, place = reading.page, _place(patient_id)
    if page.more:
        st.button(_("Show earlier"), icon=":material/expand_less:", type="tertiary", key="earlier",
                  on_click=state.turn_page, args=(place, page.rows[-1].id))
    for message in reversed(page.rows):
        if message.id not in running:
            show(message, identity, reading.alarms.get(message.question_id) if message.question_id else None)
    if state.cursor(place):
        st.button(_("Show later"), icon=":material/expand_more:", type="tertiary", key="later",
                  on_click=state.turn_back, args=(place,))


def _read_anew(patient_id: UUID | None, thread_id: UUID) -> tuple[Identity, Reading]:
    identity = guard.require("chat.patient" if patient_id else "chat.ask")
    with db.scope(identity) as scope:
        return identity, read(scope, patient_id, thread_id)


def _place(patient_id: UUID | None) -> str:
    return f"thread_{patient_id}"


def _alarming(messages: Sequence[Message]) -> list[UUID]:
    return [message.question_id for message in messages if message.question_id and message.metadata.get("emergency")]


def show(message: Message, identity: Identity, raised: Emergency | None = None) -> None:
    """One element for each message: a thread of twenty is redrawn on every rerun."""
    if message.role == "user":
        with st.chat_message("user", avatar=ASKED):
            when = widgets.moment(message.created_at, identity)
            st.html(f"<p class='asked'><b>{html.escape(message.asked_by)}</b> · {when}</p>"
                    f"<div class='typed' dir='auto'>{html.escape(message.content)}</div>")
    elif message.metadata.get("emergency"):
        with st.chat_message("assistant", avatar=":material/emergency:"):
            alarm.card(message.content, raised, identity)
    else:
        with st.chat_message("assistant", avatar=ANSWERED):
            st.markdown(f"{markdown.inert(message.content)}\n\n{_footnote(message, identity)}")


def _footnote(message: Message, identity: Identity) -> str:
    """Where the answer comes from, what it cost and how it ended, small and grey."""
    facts = message.metadata
    ended = _ended(message)
    lines = [f":orange-badge[:material/schedule: {_('Dentist today')}]"] if facts.get("tier") == "U" else []
    lines += [f":small[:material/info: {ended}]"] if ended else []
    lines += [f":small[:gray[{_sources(facts, identity)}]]"] if facts.get("route") == "kb" else []
    lines += [f":small[:gray[{_origin(facts, identity)}]]"] if facts else []
    return "  \n".join(lines)


def _ended(message: Message) -> str:
    if message.running:
        return _("Writing …")
    if message.status == "stopped":
        return _("Stopped before the end.")
    if message.status == "truncated":
        return _("This answer was cut short.")
    return "" if message.status == "ok" else _("This answer was interrupted. Please ask again.")


def _sources(facts: dict[str, Any], identity: Identity) -> str:
    cited = [_("{source} (read {day})").format(source=_source(row), day=widgets.day(date.fromisoformat(row["read_on"]), identity))
             for row in facts.get("sources", [])]
    note = escape(facts.get("source_note") or "")
    return _("Sources: {list}").format(list="; ".join(cited + [note] * bool(note)) or _("none"))


def _source(row: dict[str, str]) -> str:
    name = f"{escape(row['organisation'])}, {escape(row['title'])}"
    return f"[{name}](<{quote(row['url'], safe=':/?&=#%@+,;~')}>)" if row["url"].startswith("https://") else name


def _origin(facts: dict[str, Any], identity: Identity) -> str:
    """The route, the review and the cost in one line."""
    if facts["route"] == "provider":
        return " · ".join([_("AI provider"), escape(facts.get("model") or _("unknown model")), _cost(facts)])
    if facts["route"] != "kb":
        return f"{_('Too long to be answered') if facts['route'] == 'blocked' else _('No article fits')} · {_cost(facts)}"
    return " · ".join([_("Knowledge base"), escape(facts["title"]), _review(facts, identity), _cost(facts)])


def _review(facts: dict[str, Any], identity: Identity) -> str:
    if facts.get("reviewed_by"):
        return _("reviewed by {name} on {day}").format(name=escape(facts["reviewed_by"]),
                                                       day=widgets.day(date.fromisoformat(facts["reviewed_on"]), identity))
    return _("draft of {day}, not yet reviewed by a clinician").format(
        day=widgets.day(date.fromisoformat(facts["drafted_on"]), identity))


def _cost(facts: dict[str, Any]) -> str:
    """None is unknown and says so; it is never shown as nothing."""
    cost = facts.get("cost_usd")
    if cost is None:
        return _("unpriced")
    return f"\\${cost}" if float(cost) else _("no cost")


# an answer being written ---------------------------------------------------------------------------------------------


def follow(message: Message, identity: Identity) -> None:
    """Show the answer as it grows. Stop ends it; leaving the page, or closing the tab, does not."""
    mine = message.user_id == identity.user_id
    with st.chat_message("assistant", avatar=ANSWERED):
        place, button = st.empty(), st.empty()
        place.markdown(f":small[:gray[{_('Writing …')}]]")
        try:
            _watch(message, place, button if mine else None)
        except StopException:
            if mine and _still_here():
                workflows.stop(identity, message.id)
                _draw(button, f":small[:material/info: {_('Stopped before the end.')}]")
            raise


def _draw(place: Any, text: str) -> None:
    """From a thread of its own, because a stopped script may draw nothing any more."""
    hand = threading.Thread(target=place.markdown, args=(text,))
    add_script_run_ctx(hand)
    hand.start()
    hand.join(1)


def _watch(message: Message, place: Any, button: Any | None) -> None:
    began, seen, look_at = time.monotonic(), 0, 0.0
    while time.monotonic() - began < PATIENCE:
        job = workflows.watch(message.id)
        if job is None:
            if time.monotonic() >= look_at:
                if _is_settled(message):
                    return
                look_at = time.monotonic() + LOOK
            time.sleep(0.1)
        elif job.wait(seen, 0.1):
            return
        elif len(job.text) > seen:
            seen = len(job.text)
            place.markdown(markdown.inert(job.text))
            time.sleep(0.05)  # several pieces in one message to the browser
        if button and time.monotonic() - began > 1:
            button.button(_("Stop"), icon=":material/stop_circle:", key=f"stop_{message.id}", on_click=_stop, args=(message.id,))
            button = None
        state.touch()


def _is_settled(message: Message) -> bool:
    """For an answer of another process, or one that ended a moment ago: its row tells."""
    with db.scope(guard.watch("chat.ask")) as scope:
        return not chats.get(scope, message.id).running


def _stop(message_id: UUID) -> None:
    workflows.stop(guard.require("chat.ask"), message_id)


def _still_here() -> bool:
    """Whether it was the Stop button: the tab is connected, and no other run takes this one's place, as after a reload, on
    another page, or for the next question. Streamlit tells nobody, so its session is asked."""
    time.sleep(0.05)  # the runtime asks the script to stop just before it lets the tab go, or begins the next run
    context = get_script_run_ctx()
    info = get_instance()._session_mgr.get_active_session_info(context.session_id) if context else None
    runner = info.session._scriptrunner if info else None
    return bool(context and runner and runner._requests is context.script_requests)
