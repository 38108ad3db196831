"""The articles that the assistant answers from: the clinic's own and the built-in ones. Beside the list, the one that is open."""

from uuid import UUID

import streamlit as st

from lib import auth, clinic_articles, db, library
from lib.errors import NotFound
from lib.identity import Identity
from lib.texts import _
from ui import article_list, article_view, guard, markdown, state, widgets


@st.fragment
def browse() -> None:
    identity = guard.require("knowledge.read")
    term, archived = filters(identity)
    with db.scope(identity) as scope:
        rows = library.find(scope, term=term, archived=archived)
    pages, shelf = -(-rows[0].total // library.PAGE) if rows else 1, st.container()
    page = st.pagination(pages, key=f"knowledge_page_{pages}") if pages > 1 else 1
    if page > 1:
        with db.scope(identity) as scope:
            rows = library.find(scope, term=term, archived=archived, page=page)
    with shelf:
        if not rows:
            nothing(term, archived)
        opened = article_list.show(rows, identity, current=st.query_params.get("article", ""), archived=archived)
    if opened:
        state.open_article(opened)
        st.rerun()


def filters(identity: Identity) -> tuple[str, bool]:
    term = st.text_input(_("Search"), key="knowledge_search", type="search", live=True, label_visibility="collapsed",
                         placeholder=_("Search title, other names or text"), persist_state="session") or ""
    if not auth.may(identity, "knowledge.write"):
        return term, False
    choice = st.segmented_control(_("Show"), ["active", "archived"], key="knowledge_filter", required=True, default="active",
                                  format_func={"active": _("In use"), "archived": _("Archived")}.__getitem__,
                                  label_visibility="collapsed")
    return term, choice == "archived"


def nothing(term: str, archived: bool) -> None:
    if term.strip():
        widgets.empty(_("No article has “{term}”.").format(term=markdown.escape(term.strip())), icon="search_off",
                      hint=_("Every word has to begin one of the title, the other names or the text."))
    elif archived:
        widgets.empty(_("Nothing is archived."), hint=_("Articles of the clinic that you archive can be restored here."))


def read(article: UUID | str | None) -> None:
    if article is None:
        widgets.empty(_("Choose an article."), icon="menu_book", hint=_(
            "The assistant answers from the clinic's own articles first, then from the built-in ones."))
        return
    st.button(_("All articles"), icon=":material/arrow_back:", type="tertiary", key="back_to_list", on_click=state.close_article)
    with db.scope(identity) as scope:
        if isinstance(article, UUID):
            found = clinic_articles.get(scope, article)
        else:
            built_in, approved = article_view.read(scope, article)
    if isinstance(article, UUID):
        article_view.own(found, identity)
    else:
        article_view.built_in(built_in, identity, approved=approved)


identity = guard.require("knowledge.read")
with st.container(horizontal=True, vertical_alignment="center", key="knowledge_head"):
    st.title(_("Knowledge"), anchor=False)
    if auth.may(identity, "knowledge.write") and st.button(_("Add article"), icon=":material/add:", type="primary", shortcut="n"):
        st.switch_page("../pages/article_edit.py")
left, right = st.columns([4, 5], gap="medium")
with left:
    browse()
with right, st.container(key="open_article" if "article" in st.query_params else "no_article"):
    try:
        read(state.article_in_address())
    except NotFound as error:
        st.info(markdown.escape(str(error)), icon=":material/info:")
