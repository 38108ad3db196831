"""A thread on the screen: its messages, the answer that is being written, the box to ask in, and whom it is about."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import StopException, add_script_run_ctx, get_script_run_ctx

from lib import assistant_settings, auth, chats, db, emergencies, logs, patients, workflows
from lib.chats import Message
from lib.db import Page, Scope
from lib.emergencies import Emergency
from lib.errors import AppError
from lib.identity import Identity
from lib.patients import Patient
from lib.texts import _
from lib.workers import Answering
from ui import answer_actions, answers, guard, interruption, patient_card, question_draft, state, thread_tools, widgets
from ui.markdown import escape

PATIENCE = 90  # seconds of watching an answer
CHECK = 3.0  # seconds after which a watcher is asked for again: a revoked one sees no more within five
LOOK = 1.0  # seconds between two looks at the row of an answer that another process writes, or at a silent one of this process
SOON_OVER = 1.0  # seconds after which an answer that still runs gets a button to stop it
TOGETHER = 0.05  # seconds in which several pieces make one message to the browser


# whom it is about ----------------------------------------------------------------------------------------------------


def in_sight(identity: Identity, patient: Patient | None) -> None:
    """Name, age and alerts, staying at the top while the thread scrolls, and the way to another thread."""
    with st.container(key="in_sight", gap=None):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.title(escape(patient.full_name) if patient else _("General question"), anchor=False)
            thread_tools.checklist(patient.id if patient else None)
            _tools(patient.id if patient else None, auth.may(identity, "chat.patient"))
        if patient:
            st.html(patient_card.marks(patient, identity))


@st.fragment
def _tools(current: UUID | None, chooses: bool) -> None:
    """One fragment for both: each costs as much as ten elements."""
    with st.container(horizontal=True, key="tools"):
        if chooses:
            _choose(current)
        thread_tools.search(current)


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
    box = question_draft.box(patient_id)
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
        question_draft.keep(identity, patient_id, text)
    else:
        question_draft.discard(identity, patient_id, text)


def suggest(patient_id: UUID | None, asked: Sequence[str] = ()) -> None:
    """A few questions to begin with, or to go on: one click asks."""
    key = f"suggested_{patient_id}"
    offered = [question for question in _suggestions(patient_id) if question not in asked][:3]
    if offered:
        st.pills(_("Suggested questions"), offered, key=key, label_visibility="collapsed", on_change=_ask_suggested,
                 args=(patient_id, key))


def _ask_suggested(patient_id: UUID | None, key: str) -> None:
    _ask(patient_id, key)
    state.show(key, None)


def _suggestions(patient_id: UUID | None) -> list[str]:
    if patient_id:
        return [_("What should they know before an extraction?"), _("What can they eat after treatment?"),
                _("How do we explain a root canal?"), _("What helps with fear of the dentist?")]
    return [_("How long does a root canal take?"), _("Does whitening harm teeth?"), _("What can I eat after an extraction?"),
            _("How often should teeth be cleaned?")]


# reading -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """A page of a thread, for one run. `running`: the answers that stand below it, where they are being written."""

    page: Page[Message]
    alarms: dict[UUID, Emergency]
    provider_on: bool

    @property
    def running(self) -> list[Message]:
        return [message for message in reversed(self.page.rows) if message.running]


def read(scope: Scope, patient_id: UUID | None, thread_id: UUID) -> Reading:
    page = chats.history(scope, thread_id, before=state.cursor(_place(patient_id)))
    alarms = emergencies.of_questions(scope, thread_id, _alarming(page.rows))
    return Reading(page, alarms, assistant_settings.get(scope).provider_on)


def history(patient_id: UUID | None, thread_id: UUID, identity: Identity, reading: Reading, name: str = "") -> None:
    """Ten messages. What the page has read serves this run only: the fragment keeps nothing of it and reads anew. `name`: the
    patient's, where a provider knew only a placeholder."""
    _history(patient_id, thread_id, [message.id for message in reading.running], [(identity, reading, name)])


@st.fragment
def _history(patient_id: UUID | None, thread_id: UUID, running: Sequence[UUID],
             handed: list[tuple[Identity, Reading, str]]) -> None:
    identity, reading, name = handed.pop() if handed else _read_anew(patient_id, thread_id)
    if {message.id for message in reading.running} - set(running):
        st.rerun()  # a button in here began another answer, which the page follows
    page, place = reading.page, _place(patient_id)
    if page.more:
        st.button(_("Show earlier"), icon=":material/expand_less:", type="tertiary", key="earlier",
                  on_click=state.turn_page, args=(place, page.rows[-1].id))
    for message in reversed(page.rows):
        if message.id not in running:
            raised = reading.alarms.get(message.question_id) if message.question_id else None
            again = reading.provider_on or message.status != "ok"
            answers.show(message, identity, raised, name, partial(answer_actions.offer, message, identity, name, again=again))
    for _running in running:  # the answer below takes a place of this page, so what stood last in it would stay there, greyed
        st.empty()
    if state.cursor(place):
        st.button(_("Show later"), icon=":material/expand_more:", type="tertiary", key="later",
                  on_click=state.turn_back, args=(place,))


def _read_anew(patient_id: UUID | None, thread_id: UUID) -> tuple[Identity, Reading, str]:
    identity = guard.require("chat.patient" if patient_id else "chat.ask")
    with db.scope(identity) as scope:
        name = patients.read(scope, patient_id).full_name if patient_id else ""
        return identity, read(scope, patient_id, thread_id), name


def _place(patient_id: UUID | None) -> str:
    return thread_tools.place(patient_id)


def _alarming(messages: Sequence[Message]) -> list[UUID]:
    return [message.question_id for message in messages if message.question_id and message.metadata.get("emergency")]


# an answer being written ---------------------------------------------------------------------------------------------


def follow(message: Message, identity: Identity, name: str = "") -> None:
    """Show the answer as it grows. Stop ends it; leaving the page, or closing the tab, does not."""
    logs.note(kind="answer")  # and lasts as long as one
    mine = message.user_id == identity.user_id
    with st.chat_message("assistant", avatar=answers.ANSWERED):
        place, button = st.empty(), st.empty()
        place.markdown(f":small[:gray[{_('Writing …')}]]")
        try:
            _watch(message, place, button if mine else None, name)
        except StopException:
            if mine and _still_here():
                with suppress(AppError):  # the run ends in any case
                    workflows.stop(identity, message.id)
                _draw(button, f":small[:material/info: {_('Stopped before the end.')}]")
            raise


def _draw(place: Any, text: str) -> None:
    """From a thread of its own, because a stopped script may draw nothing any more."""
    hand = threading.Thread(target=place.markdown, args=(text,))
    add_script_run_ctx(hand)
    hand.start()
    hand.join(1)


def _watch(message: Message, place: Any, button: Any | None, name: str) -> None:
    job, seen = workflows.watch(message.id), 0
    began = checked = time.monotonic()
    with interruption.heard(job.wake if job else None) as wish:
        while time.monotonic() - began < PATIENCE:
            if time.monotonic() - checked > CHECK:
                _look_who_watches()
                checked = time.monotonic()
            text, ended = _grown(job, seen, wish) if job else _written(message)
            if ended:
                return
            if len(text) > seen:
                seen = len(text)
                place.markdown(answers.text(text, name))
            wish.wait(TOGETHER if job else LOOK)
            wish.clear()
            state.touch()
            if button and time.monotonic() - began >= SOON_OVER:
                button.button(_("Stop"), icon=":material/stop_circle:", key=f"stop_{message.id}", on_click=_stop,
                              args=(message.id,))
                button = None


def _grown(job: Answering, seen: int, wish: threading.Event) -> tuple[str, bool]:
    """Its text once that is longer than `seen`, and whether it has ended."""
    ended = job.wait(seen, LOOK, wish.is_set)
    return job.text, ended


def _written(message: Message) -> tuple[str, bool]:
    """The same of an answer of another process."""
    found = _look(message)
    return found.content, not found.running


def _look_who_watches() -> None:
    """Ends the run of whoever may no longer."""
    guard.watch("chat.ask")


def _look(message: Message) -> Message:
    """For an answer of another process, or one that ended a moment ago: its row tells, and is written as it grows."""
    with db.scope(guard.watch("chat.ask")) as scope:
        return chats.get(scope, message.id)


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
