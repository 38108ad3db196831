"""A thread on the screen: its messages, the box to ask in, and whom it is about."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

import streamlit as st

from lib import assistant_settings, auth, chats, db, emergencies, patients, workflows
from lib.chats import Message
from lib.db import Page, Scope
from lib.emergencies import Emergency
from lib.errors import AppError
from lib.identity import Identity
from lib.patients import Patient
from lib.texts import _
from ui import answer_actions, answers, guard, patient_card, question_draft, state, thread_tools, widgets
from ui.markdown import escape

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
    st.chat_input(_("Ask about this patient") if patient else _("Ask a general question"), key=box,
                  on_submit=_ask, args=(patient_id, box))


def _ask(patient_id: UUID | None, box: str, *, typed: bool = True) -> None:
    """`typed`: not a suggestion, which leaves what is in the box, and its draft, as they are."""
    text = state.shown(box)
    if not text:
        return
    identity = guard.require("chat.ask")
    try:
        refusal = workflows.ask(identity, patient_id, text).refusal
        state.first_page(_place(patient_id))
    except AppError as error:
        refusal = str(error)
    if not refusal:
        question_draft.discard(identity, patient_id, text)
        return
    state.refuse(refusal)
    if typed:
        state.show(box, text)
        question_draft.keep(identity, patient_id, text)


def suggest(patient_id: UUID | None, asked: Sequence[str] = ()) -> None:
    """A few questions to begin with, or to go on: one click asks."""
    key = f"suggested_{patient_id}"
    offered = [question for question in _suggestions(patient_id) if question not in asked][:3]
    if offered:
        st.pills(_("Suggested questions"), offered, key=key, label_visibility="collapsed", on_change=_ask_suggested,
                 args=(patient_id, key))


def _ask_suggested(patient_id: UUID | None, key: str) -> None:
    _ask(patient_id, key, typed=False)
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
    """A page of a thread, for one run. `running`: the answers that stand below it, where they are being written. `asked`: the
    question of each answer that stands apart from it, by the answer. `attempts`: how often what was stated to be a general
    question was answered, on whichever page, by the question. `given_up`: answers that this tab waits for no longer, though for
    everybody else they run."""

    page: Page[Message]
    alarms: dict[UUID, Emergency]
    provider_on: bool
    asked: dict[UUID, str] = field(default_factory=dict)
    attempts: dict[UUID, int] = field(default_factory=dict)
    given_up: frozenset[UUID] = frozenset()

    @property
    def running(self) -> list[Message]:
        return [message for message in reversed(self.page.rows) if message.running]

    def raised(self, message: Message) -> Emergency | None:
        return self.alarms.get(message.question_id) if message.question_id else None

    def again(self, message: Message) -> bool:
        """Another answer may differ from this one; or there is none yet, to what was stated to be a general question."""
        if not message.metadata.get("emergency"):
            return self.provider_on or message.status != "ok"
        return bool(message.question_id and message.attempt == self.attempts.get(message.question_id))


def read(scope: Scope, patient_id: UUID | None, thread_id: UUID) -> Reading:
    found = chats.history(scope, thread_id, before=state.cursor(_place(patient_id)))
    given_up = frozenset(row.id for row in found.rows if row.running and state.has_given_up(row.id))
    page = replace(found, rows=[replace(row, stale=row.stale or row.id in given_up) for row in found.rows])
    alarms = emergencies.of_questions(scope, thread_id, _alarming(page.rows))
    attempts = chats.last_attempts(scope, thread_id, [question_id for question_id, raised in alarms.items() if raised.general])
    asked, provider_on = _asked(scope, thread_id, page.rows), assistant_settings.get(scope).provider_on
    return Reading(page, alarms, provider_on, asked, attempts, given_up)


def history(patient_id: UUID | None, thread_id: UUID, identity: Identity, reading: Reading, name: str = "") -> None:
    """Ten messages. What the page has read serves this run only: the fragment keeps nothing of it and reads anew. `name`: the
    patient's, where a provider knew only a placeholder."""
    _history(patient_id, thread_id, [message.id for message in reading.running], [(identity, reading, name)])


@st.fragment
def _history(patient_id: UUID | None, thread_id: UUID, running: Sequence[UUID],
             handed: list[tuple[Identity, Reading, str]]) -> None:
    identity, reading, name = handed.pop() if handed else _read_anew(patient_id, thread_id)
    if {message.id for message in reading.running} - set(running):
        st.rerun()  # somebody began another answer meanwhile, which the page follows
    page, place = reading.page, _place(patient_id)
    if page.more:
        st.button(_("Show earlier"), icon=":material/expand_less:", type="tertiary", key="earlier",
                  on_click=state.turn_page, args=(place, page.rows[-1].id))
    for message in reversed(page.rows):
        if message.id not in running:
            _show(message, identity, reading, name)
    for _running in running:  # the answer below takes a place of this page, so what stood last in it would stay there, greyed
        st.empty()
    if state.cursor(place):
        st.button(_("Show later"), icon=":material/expand_more:", type="tertiary", key="later",
                  on_click=state.turn_back, args=(place,))


def _show(message: Message, identity: Identity, reading: Reading, name: str) -> None:
    offer = partial(answer_actions.offer, message, identity, name, again=reading.again(message))
    answers.show(message, identity, reading.raised(message), name, offer if message.id not in reading.given_up else lambda: None,
                 reading.asked.get(message.id, ""))


def _read_anew(patient_id: UUID | None, thread_id: UUID) -> tuple[Identity, Reading, str]:
    identity = guard.require("chat.patient" if patient_id else "chat.ask")
    with db.scope(identity) as scope:
        name = patients.read(scope, patient_id).full_name if patient_id else ""
        return identity, read(scope, patient_id, thread_id), name


def _place(patient_id: UUID | None) -> str:
    return thread_tools.place(patient_id)


def _asked(scope: Scope, thread_id: UUID, messages: Sequence[Message]) -> dict[UUID, str]:
    here = {message.id: message.content for message in messages}
    return {answer_id: here.get(question_id) or _asked_earlier(scope, thread_id, question_id)
            for answer_id, question_id in _apart(messages).items()}


def _asked_earlier(scope: Scope, thread_id: UUID, question_id: UUID) -> str:
    """From the page it is on; "" for one that is archived."""
    last = chats.history(scope, thread_id, before=UUID(int=question_id.int + 1), limit=1).rows
    return next((message.content for message in last if message.id == question_id), "")


def _apart(messages: Sequence[Message]) -> dict[UUID, UUID]:
    """The answers that would be taken for one to what stands above them, each with its question. Those on their way stand below
    everything else."""
    apart: dict[UUID, UUID] = {}
    above = None
    for message in sorted(messages, key=lambda message: (message.running, message.id)):
        if message.question_id is None:
            above = message.id
        elif message.question_id != above:
            apart[message.id], above = message.question_id, None
    return apart


def _alarming(messages: Sequence[Message]) -> list[UUID]:
    return [message.question_id for message in messages if message.question_id and message.metadata.get("emergency")]
