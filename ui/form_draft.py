"""A form on a page of its own between its first letter and its saving: opened, kept as a draft, brought back.

Unlike the fields of `ui/kept.py` it reruns while one types and remembers which versions of its record its author saw.
"""

from uuid import uuid4

import streamlit as st

from lib import db, drafts, patients
from lib.db import Scope
from lib.errors import Invalid
from lib.identity import Identity
from lib.texts import _
from ui import state
from ui.state import Editing

Typed = dict[str, str | bool]


def begin(scope: Scope, name: str, values: Typed, versions: tuple[int, int]) -> Editing:
    """The fields as they stand in the record, or as their author left them."""
    draft = drafts.load(scope, name)
    if draft is None:
        return state.edit(Editing(name, versions, patients.new_id(), str(uuid4())), values)
    first, second = draft.data["versions"]
    values |= {field: value for field, value in draft.data["values"].items() if field in values}
    return state.edit(Editing(name, (first, second), patients.new_id(), draft.data["tab"], restored=draft.updated_at), values)


def keep(identity: Identity, editing: Editing, typed: Typed) -> None:
    """Called in the run after a field changed. A text too long for a draft stays on the screen and is told of."""
    editing.typed = False
    try:
        with db.scope(identity) as scope:
            drafts.save(scope, editing.form, {"values": typed, "versions": editing.versions, "tab": editing.tab})
    except Invalid:
        st.toast(_("This text is too long to be kept as a draft. It stays here until you leave the page."))
        return
    editing.kept = True


def discard(identity: Identity, editing: Editing) -> None:
    with db.scope(identity) as scope:
        drafts.discard(scope, editing.form, editing.tab)
    state.close_form()
