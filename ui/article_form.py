"""The form of one of the clinic's articles: its fields, and what to do when somebody else saved meanwhile."""

from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lib import clinic_articles
from lib.clinic_articles import ClinicArticle, Wording
from lib.db import Scope
from lib.identity import Identity
from lib.texts import _
from ui import form_draft, markdown, state, widgets
from ui.form_draft import Typed
from ui.markdown import escape
from ui.state import Editing

FIELDS = ["title", "other_names", "body"]


def as_typed(wording: Wording) -> Typed:
    return {"title": wording.title, "other_names": "\n".join(wording.other_names), "body": wording.body}


def begin(scope: Scope, name: str, article: ClinicArticle | None) -> Editing:
    """The fields as they are stored, or as their author left them."""
    return form_draft.begin(scope, name, as_typed(article.wording if article else Wording("", (), "")),
                            (article.version if article else 0, 0))


def typed() -> dict[str, str]:
    return {name: str(value) for name, value in state.field_values(FIELDS).items()}


def wording(values: dict[str, str]) -> Wording:
    return Wording(values.get("title", ""), tuple(values.get("other_names", "").splitlines()), values.get("body", ""))


# what is seen --------------------------------------------------------------------------------------------------------


def draw(values: dict[str, str]) -> DeltaGenerator:
    """The fields, beside them how the article reads, and below the fields the place for what comes next."""
    left, right = st.columns(2, gap="large")
    with left:
        st.text_input(_("Title"), key="field_title", live="500ms", on_change=state.mark_typed, autocomplete="off")
        st.text_area(_("Text"), key="field_body", on_change=state.mark_typed, height=360)
        st.caption(escape(_("{n} of {most} characters. Leave a line empty between paragraphs; write **bold**, # heading or "
                            "- list. Links and images stay plain text.").format(n=f"{len(values.get('body', '')):,}",
                                                                                most=f"{clinic_articles.LONGEST_BODY:,}")))
        st.text_area(_("Other names"), key="field_other_names", on_change=state.mark_typed, height=130,
                     help=_("Other words for the same matter, one per line, in any language: the assistant and the search find "
                            "the article by them."))
    with right, st.container(key="article_preview", border=True):
        st.caption(_("How it reads"))
        st.subheader(escape(values.get("title", "").strip()) or _("Title"), anchor=False)
        st.markdown(markdown.inert(values.get("body", "")))
    return left


def differs(article: ClinicArticle | None, editing: Editing, values: dict[str, str]) -> bool:
    """Somebody else saved another text since this form was opened."""
    return article is not None and article.version != editing.versions[0] and as_typed(article.wording) != values


def compare(article: ClinicArticle, identity: Identity, editing: Editing) -> None:
    """Theirs below the own words, and the choice between them."""
    st.warning(_("{name} changed this article on {moment}. Nothing was saved, and your text stands above.").format(
        name=escape(article.changed_by or ""), moment=widgets.moment(article.updated_at, identity)), icon=":material/info:")
    with st.container(border=True, key="article_theirs"):
        st.subheader(escape(article.title), anchor=False)
        st.caption(escape(" · ".join(article.other_names)))
        st.markdown(markdown.inert(article.body))
    with st.container(horizontal=True):
        st.button(_("Save mine instead"), type="primary", icon=":material/check:", on_click=state.go_on_from,
                  args=(article.version,))
        if st.button(_("Take theirs"), icon=":material/undo:"):
            form_draft.discard(identity, editing)
            st.rerun()


def name(article_id: UUID | None) -> str:
    """Of the form, and of its draft."""
    return f"article:{article_id or 'new'}"
