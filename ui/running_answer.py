"""Answers on the screen while they are written: they grow, and Stop ends them."""

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import streamlit as st

from lib import chats, db, logs, workflows
from lib.chats import Message
from lib.identity import Identity
from lib.texts import _
from ui import answers, guard, interruption, state

PATIENCE = 90  # seconds of watching answers
CHECK = 3.0  # seconds after which a watcher is asked for again: a revoked one sees no more within five
LOOK = 1.0  # seconds between two looks at the row of an answer that another process writes, or at silent ones of this process
SOON_OVER = 0.5  # seconds after its beginning that an answer which still runs gets a button to stop it
MOST = 6  # answers that one thread seldom has on their way at once
TOGETHER = 0.05  # seconds in which several pieces make one message to the browser


class Growing:
    """One on the screen. `place`: where its text stands; `button`: where its Stop does, None of a colleague's answer."""

    def __init__(self, message: Message, place: Any, button: Any | None) -> None:
        self.message, self.place, self.button = message, place, button
        self.job = workflows.watch(message.id)
        self._seen, self._look_at = len(message.content), 0.0
        age = (datetime.now(UTC) - message.created_at).total_seconds()  # by two clocks, which may differ
        self._lasts_at = time.monotonic() + min(SOON_OVER, max(0.0, SOON_OVER - age))

    def draw(self, name: str) -> bool:
        """What is new of it. Whether anything was."""
        text = self._text()
        if len(text) <= self._seen:
            return False
        self._seen = len(text)
        self.place.markdown(answers.text(text, name))
        return True

    @property
    def is_over(self) -> bool:
        return not self.message.running

    def _text(self) -> str:
        """The row is read of an answer that another process writes, and of one that has ended: it is written as it grows."""
        if self.job and not self.job.finished:
            return self.job.text
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK
            self.message = _look(self.message)
        return self.message.content

    @property
    def rests(self) -> float:
        """Seconds until something is to be done with it, whatever comes."""
        return max(0.0, self._lasts_at - time.monotonic()) if self.button else LOOK

    def offer_to_stop(self) -> None:
        if self.button and time.monotonic() >= self._lasts_at:
            self.button.button(_("Stop"), icon=":material/stop_circle:", key=f"stop_{self.message.id}", on_click=_stop,
                               args=(self.message.id,))
            self.button = None


def follow(running: Sequence[Message], identity: Identity, name: str, asked: Mapping[UUID, str]) -> None:
    """Show answers as they grow until one of them has ended, and then the thread anew. Their buttons stop one's own; leaving the
    page, or closing the tab, does not. `asked`: by the answer, its question where that does not stand directly above it."""
    logs.note(kind="answer")  # and lasts as long as one
    if interruption.is_beside_a_dialog():
        _show_beside_a_dialog([message.id for message in running], _permission(running[0]), name, asked)
        return
    growing = [Growing(message, *_begin(message, identity, name, asked)) for message in running]
    for _gone in range(MOST - len(running)):  # where one stood in the run before: else it stays there until this run ends
        st.empty()
    _watch(growing, name)
    st.rerun()  # what has ended takes its place in the thread


@st.fragment(run_every=LOOK)
def _show_beside_a_dialog(message_ids: Sequence[UUID], permission: str, name: str, asked: Mapping[UUID, str]) -> None:
    """A dialog is closed by every run of its page, and what is ticked or typed in it would be lost. So none is begun, nor waited
    for, until whoever opened it has closed it."""
    identity = guard.watch(permission)
    with db.scope(identity) as scope:
        messages = [chats.get(scope, message_id) for message_id in message_ids]
    for message in messages:
        if message.running:
            _begin(message, identity, name, asked)
        else:
            answers.show(message, identity, name=name, asked=asked.get(message.id, ""))


def _begin(message: Message, identity: Identity, name: str, asked: Mapping[UUID, str]) -> tuple[Any, Any | None]:
    """Where its text stands, and the button of one's own."""
    with st.chat_message("assistant", avatar=answers.ANSWERED):
        with st.empty():  # its place, too, where nothing has to be said: what stood here in the run before moves by it, and stays
            answers.name_question(asked.get(message.id, ""))
        place, button = st.empty(), st.empty()
        place.markdown(answers.text(message.content, name) if message.content else f":small[:gray[{_('Writing …')}]]")
    return place, button if message.user_id == identity.user_id else None


def _watch(growing: Sequence[Growing], name: str) -> None:
    """Until one of them has ended."""
    began = checked = time.monotonic()
    with closing(_turns(growing, name)) as turns:
        for _turn in turns:
            now = time.monotonic()
            if any(one.is_over for one in growing) or now - began > PATIENCE:
                return
            for one in growing:
                one.offer_to_stop()
            if now - checked > CHECK:
                guard.watch(_permission(growing[0].message))  # ends the run of whoever may no longer
                checked = now


def _turns(growing: Sequence[Growing], name: str) -> Generator[None]:
    """Draws what is new whenever there is more of one of them, something is wanted of this run, or a second has passed."""
    news = threading.Event()
    with ExitStack() as stack:
        wish = stack.enter_context(interruption.heard(news.set))
        for job in filter(None, (one.job for one in growing)):
            stack.enter_context(job.telling(news.set))
        while True:
            news.clear()
            drawn = [one.draw(name) for one in growing]
            wish.clear()
            state.touch()  # also for what was wanted before anybody listened
            yield
            soonest = time.monotonic() + (TOGETHER if any(drawn) else 0.0)
            news.wait(min(LOOK, *(one.rests for one in growing)))
            wish.wait(max(0.0, soonest - time.monotonic()))


def _permission(message: Message) -> str:
    return "chat.patient" if message.patient_id else "chat.ask"


def _look(message: Message) -> Message:
    with db.scope(guard.watch(_permission(message))) as scope:
        return chats.get(scope, message.id)


def _stop(message_id: UUID) -> None:
    identity = guard.require("chat.ask")
    workflows.stop(identity, message_id)
    if not workflows.is_heard(identity, message_id):
        state.give_up(message_id)
