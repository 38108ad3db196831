"""A question between its first letter and its asking: kept while it is typed, brought back when its thread is opened again."""

from pathlib import Path
from uuid import UUID

import streamlit as st

from lib import db, drafts
from lib.db import Scope
from lib.errors import AppError
from lib.identity import Identity
from ui import state

_component = st.components.v2.component("question", js=(Path(__file__).parent / "components" / "question.js").read_text())


def box(patient_id: UUID | None) -> str:
    """The key of a thread's own box; question.js reads the thread from it."""
    return f"question_{patient_id}"


def bring_back(scope: Scope, patient_id: UUID | None) -> None:
    """Into a box that was not on the screen in the run before."""
    if not state.on_screen(box(patient_id)):
        text = drafts.load_question(scope, patient_id)
        if text:
            state.show(box(patient_id), text)


def watch(identity: Identity) -> None:
    _component(key="question", data={"clinic": str(identity.clinic_id)}, height=0)


def keep(identity: Identity, patient_id: UUID | None, text: str) -> None:
    """One that was refused: the box shows it again, and a script can't tell that from a draft that is stored."""
    try:
        with db.scope(identity) as scope:
            drafts.keep_question(scope, patient_id, text)
    except AppError:  # what refused it may refuse this too; it stands in the box all the same
        return


def discard(identity: Identity, patient_id: UUID | None, text: str) -> None:
    with db.scope(identity) as scope:
        drafts.discard_question(scope, patient_id, text)
