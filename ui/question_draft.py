"""A question between its first letter and its asking: kept while it is typed, brought back when its thread is opened again."""

from uuid import UUID

from lib import db, drafts
from lib.db import Scope
from lib.identity import Identity
from ui import kept, state


def box(patient_id: UUID | None) -> str:
    """The key of a thread's own box."""
    return kept.key(_field(patient_id))


def bring_back(scope: Scope, patient_id: UUID | None) -> None:
    """Into a box that was not on the screen in the run before."""
    field = _field(patient_id)
    if not state.on_screen(box(patient_id)):
        for left in drafts.load_texts(scope, [field]).values():
            state.show(box(patient_id), left.text)


def keep(identity: Identity, patient_id: UUID | None, text: str) -> None:
    kept.keep(identity, _field(patient_id), text)


def discard(identity: Identity, patient_id: UUID | None, text: str) -> None:
    with db.scope(identity) as scope:
        drafts.discard_text(scope, _field(patient_id), text)


def _field(patient_id: UUID | None) -> str:
    """The policy `thread` on the table knows this name."""
    return f"question:{patient_id or 'general'}"
