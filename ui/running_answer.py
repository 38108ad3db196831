"""An answer on the screen while it is written: it grows, and Stop ends it."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import streamlit as st
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import StopException, add_script_run_ctx, get_script_run_ctx

from lib import chats, db, logs, workflows
from lib.chats import Message
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _
from lib.workers import Answering
from ui import answers, guard, interruption, state

PATIENCE = 90  # seconds of watching an answer
CHECK = 3.0  # seconds after which a watcher is asked for again: a revoked one sees no more within five
LOOK = 1.0  # seconds between two looks at the row of an answer that another process writes, or at a silent one of this process
SOON_OVER = 1.0  # seconds after which an answer that still runs gets a button to stop it
TOGETHER = 0.05  # seconds in which several pieces make one message to the browser


def follow(message: Message, identity: Identity, name: str = "", asked: str = "") -> None:
    """Show the answer as it grows. Stop ends it; leaving the page, or closing the tab, does not. `asked`: its question, where
    that does not stand directly above it."""
    logs.note(kind="answer")  # and lasts as long as one
    mine = message.user_id == identity.user_id
    with st.chat_message("assistant", avatar=answers.ANSWERED):
        answers.name_question(asked)
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


def _still_here() -> bool:
    """Whether it was the Stop button: the tab is connected, and no other run takes this one's place, as after a reload, on
    another page, or for the next question. Streamlit tells nobody, so its session is asked."""
    time.sleep(0.15)  # the runtime asks the script to stop just before it lets the tab go, or begins the next run
    context = get_script_run_ctx()
    info = get_instance()._session_mgr.get_active_session_info(context.session_id) if context else None
    runner = info.session._scriptrunner if info else None
    return bool(context and runner and runner._requests is context.script_requests)
