"""Texts between their first letter and their saving: sent by the tab while they are typed (kept.js), and brought back when
their field is opened again. A field is kept by its key alone; `lib.drafts.FIELDS` names those there are."""

from collections.abc import Sequence

import streamlit as st

from lib import db, drafts
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _
from ui import guard, state, widgets


def key(field: str) -> str:
    """Of the widget; kept.js reads the field from it."""
    return "kept_" + field.replace(":", "_")


def begin(identity: Identity, stored: dict[str, str], *, form: str = "") -> None:
    """Into fields that were not on the screen in the run before: what their author left there, else what is stored.

    `form`: the name of one that says so, by `notice`.
    """
    if all(state.on_screen(key(field)) for field in stored):
        return
    with db.scope(identity) as scope:
        found = drafts.load_texts(scope, list(stored))
    for field, text in stored.items():
        state.show(key(field), found[field].text if field in found else text)
    changed = [one.updated_at for field, one in found.items() if one.text != stored[field]]
    state.set_restored(form, max(changed, default=None))


def notice(identity: Identity, form: str, fields: Sequence[str]) -> None:
    """That a draft is back, and the way to what is stored instead."""
    moment = state.restored(form)
    if moment:
        st.info(_("Your draft of {moment} is back. It is not saved yet.").format(moment=widgets.moment(moment, identity)))
        st.button(_("Discard draft"), icon=":material/delete:", type="tertiary", key=f"discard_{form}", on_click=start_over,
                  args=(form, fields))


def start_over(form: str, fields: Sequence[str]) -> None:
    """Let the form show what is stored."""
    drop(guard.require("account.own"), fields)
    state.start_over(form)


def keep(identity: Identity, field: str, text: str) -> None:
    """One that was refused: its field shows it still, and a script can't tell that from a draft that is stored."""
    try:
        with db.scope(identity) as scope:
            drafts.keep_text(scope, field, text, refused=True)
    except AppError:  # what refused it may refuse this too; it stands in its field all the same
        return


def drop(identity: Identity, fields: Sequence[str]) -> None:
    with db.scope(identity) as scope:
        drafts.discard_texts(scope, fields)
