"""Add one of the clinic's own articles, or edit it. Nothing typed is lost: not by a reload, a mistake or a colleague."""

from uuid import UUID

import streamlit as st

from lib import clinic_articles, db, drafts
from lib.clinic_articles import ClinicArticle
from lib.errors import AppError, Changed, NotFound
from lib.identity import Identity
from lib.texts import _
from ui import article_form, focus, form_draft, guard, markdown, state, widgets
from ui.state import Editing


def save(article: ClinicArticle | None, editing: Editing) -> None:
    try:
        with db.scope(guard.act("knowledge.write")) as scope:
            if article:
                clinic_articles.amend(scope, article.id, article_form.wording(typed), version=editing.versions[0])
            else:
                clinic_articles.add(scope, article_form.wording(typed), article_id=editing.new_id)
            drafts.discard(scope, editing.form, editing.tab)
    except Changed:
        st.rerun()
    except AppError as error:
        st.error(markdown.escape(str(error)), icon=":material/error:")
        return
    state.close_form()
    archived = article and article.archived_at
    state.notify(_("Saved. It stays archived.") if archived else _("Saved. Everybody reads it from now on."))
    leave(article.id if article else editing.new_id)


def leave(to: UUID | None) -> None:
    st.switch_page("../pages/knowledge.py", query_params={"article": f"own:{to}"} if to else None)


def buttons(identity: Identity, editing: Editing, *, save: bool) -> bool:
    """Whether Save was pressed; without `save` there is none."""
    with st.container(horizontal=True, key="form_actions"):
        pressed = save and st.button(_("Save"), type="primary", icon=":material/check:", on_click=state.mark_asked)
        if st.button(_("Cancel")):
            leave(article_id)
        if (editing.restored or editing.kept) and st.button(_("Discard draft"), icon=":material/delete:", type="tertiary"):
            form_draft.discard(identity, editing)
            st.rerun()
    return pressed


identity = guard.require("knowledge.write")
article_id = state.article_in_address()
if isinstance(article_id, str):  # a built-in one is nobody's to edit
    raise NotFound
name = article_form.name(article_id)
with db.scope(identity) as scope:
    article = clinic_articles.get(scope, article_id) if article_id else None
    editing = state.editing(name, "title") or article_form.begin(scope, name, article)
typed = article_form.typed()
if editing.typed:
    form_draft.keep(identity, editing, typed)

st.title(markdown.escape(article.title) if article else _("Add article"), anchor=False)
if editing.restored:
    st.info(_("Your draft of {moment} is back. It is not saved yet.").format(moment=widgets.moment(editing.restored, identity)))
if not article:
    focus.begin("field_title", str(editing.new_id))
with article_form.draw(typed):
    late = editing.asked and article_form.differs(article, editing, typed)
    if article and late:
        article_form.compare(article, identity, editing)
    if buttons(identity, editing, save=not late) or editing.stands:
        editing.stands = False
        save(article, editing)
