"""An answer on the screen while it is written: it grows, and Stop ends it."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import streamlit as st

from lib import chats, db, logs, workflows
from lib.chats import Message
from lib.identity import Identity
from lib.texts import _
from lib.workers import Answering
from ui import answers, guard, interruption, state

PATIENCE = 90  # seconds of watching an answer
CHECK = 3.0  # seconds after which a watcher is asked for again: a revoked one sees no more within five
LOOK = 1.0  # seconds between two looks at the row of an answer that another process writes, or at a silent one of this process
SOON_OVER = 0.5  # seconds after which an answer that still runs gets a button to stop it
MOST = 6  # answers that one thread seldom has on their way at once
TOGETHER = 0.05  # seconds in which several pieces make one message to the browser


def follow(running: Sequence[Message], identity: Identity, name: str, asked: Mapping[UUID, str]) -> None:
    """Show answers as they stand, and one of them as it grows, to its end: the newest of one's own before a colleague's. Its
    button stops it; leaving the page, or closing the tab, does not. `asked`: by the answer, its question where that does not
    stand directly above it."""
    logs.note(kind="answer")  # and lasts as long as one
    places = {message.id: _begin(message, name, asked.get(message.id, "")) for message in running}
    for _gone in range(MOST - len(running)):  # where one stood in the run before: else it stays there until this run ends
        st.empty()
    first = max(running, key=lambda message: (message.user_id == identity.user_id, message.id))
    place, button = places[first.id]
    _watch(first, place, button if first.user_id == identity.user_id else None, name)


def _begin(message: Message, name: str, asked: str) -> tuple[Any, Any]:
    """Where its text stands, and its button."""
    with st.chat_message("assistant", avatar=answers.ANSWERED):
        answers.name_question(asked)
        place, button = st.empty(), st.empty()
        place.markdown(answers.text(message.content, name) if message.content else f":small[:gray[{_('Writing …')}]]")
    return place, button


def _watch(message: Message, place: Any, button: Any | None, name: str) -> None:
    job, seen = workflows.watch(message.id), len(message.content)
    began = checked = time.monotonic()
    with interruption.heard(job.wake if job else None) as wish:
        state.touch()  # for what was wanted before anybody listened
        for text in _growing(job, wish) if job else _read_again(message, wish):
            if len(text) > seen:
                seen = len(text)
                place.markdown(answers.text(text, name))
            wish.clear()
            state.touch()
            if button and time.monotonic() - began >= SOON_OVER:
                _offer_to_stop(button, message.id)
                button = None
            if time.monotonic() - checked > CHECK:
                _look_who_watches()
                checked = time.monotonic()
            if checked - began > PATIENCE:
                return


def _growing(job: Answering, wish: threading.Event) -> Iterator[str]:
    """The text so far, whenever there is more of it, something is wanted of this run, or a second has passed."""
    seen, soonest = 0, 0.0
    while not job.wait(seen, LOOK, wish.is_set):
        wish.wait(max(0.0, soonest - time.monotonic()))
        text = job.text
        if len(text) > seen:
            seen, soonest = len(text), time.monotonic() + TOGETHER
        yield text


def _read_again(message: Message, wish: threading.Event) -> Iterator[str]:
    """The same of an answer that another process writes, or that ended a moment ago: its row is written as it grows."""
    while (found := _look(message)).running:
        yield found.content
        wish.wait(LOOK)


def _offer_to_stop(button: Any, message_id: UUID) -> None:
    button.button(_("Stop"), icon=":material/stop_circle:", key=f"stop_{message_id}", on_click=_stop, args=(message_id,))


def _look_who_watches() -> None:
    """Ends the run of whoever may no longer."""
    guard.watch("chat.ask")


def _look(message: Message) -> Message:
    with db.scope(guard.watch("chat.ask")) as scope:
        return chats.get(scope, message.id)


def _stop(message_id: UUID) -> None:
    workflows.stop(guard.require("chat.ask"), message_id)
