"""One article in full, with who stands for it, where it comes from, and what may be done with it."""

import html
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st

from lib import article_reviews, articles, auth, clinic_articles, db
from lib.articles import Article, Source
from lib.clinic_articles import ClinicArticle
from lib.db import Scope
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _
from ui import guard, markdown, state, widgets
from ui.markdown import escape


def own(article: ClinicArticle, identity: Identity) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="article_head"):
        st.header(escape(article.title), anchor=False)
        if auth.may(identity, "knowledge.write"):
            _actions(article)
    day = widgets.day(article.updated_at.astimezone(ZoneInfo(identity.time_zone)).date(), identity)
    st.caption(_("From this clinic · changed on {day} by {name}").format(day=day, name=escape(article.changed_by or "")))
    if article.archived_at:
        _archived(article, identity)
    st.markdown(markdown.inert(article.body))
    for names in _other_names(article.other_names):
        st.caption(names)


def built_in(article: Article, identity: Identity, *, approved: bool) -> None:
    """`article` carries the clinic's review. `approved`: whoever looks may review it."""
    st.header(escape(article.title), anchor=False)
    _badge(article, identity)
    st.markdown(markdown.inert(article.body))
    st.markdown("\n\n".join([_sources(article, identity), *(f":small[{names}]" for names in _other_names(article.other_names))]))
    if auth.may(identity, "knowledge.review"):
        _offer_review(article, approved)


def read(scope: Scope, slug: str) -> tuple[Article, bool]:
    """What `built_in` shows."""
    return article_reviews.stamped(scope, articles.get(scope, slug)), article_reviews.may_review(scope)


def _other_names(names: tuple[str, ...]) -> list[str]:
    return [_("Also found as: {names}").format(names=escape(" · ".join(names)))] if names else []


# what somebody may do ------------------------------------------------------------------------------------------------


def _actions(article: ClinicArticle) -> None:
    if st.button(_("Edit"), icon=":material/edit:", shortcut="e"):
        st.switch_page("../pages/article_edit.py", query_params={"article": f"own:{article.id}"})
    if article.archived_at is None:
        st.button(_("Archive"), icon=":material/inventory_2:", on_click=_archive, args=(article.id, article.title))


def _archived(article: ClinicArticle, identity: Identity) -> None:
    """An archived article says so, and how to get it back."""
    assert article.archived_at
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="archived_banner"):
        st.markdown(_(":material/inventory_2: Archived on {day}. The assistant does not answer from it.").format(
            day=widgets.moment(article.archived_at, identity)), width="stretch")
        st.button(_("Undo") if state.undoing(article.id) else _("Restore"), icon=":material/undo:", key="restore",
                  on_click=_restore, args=(article.id, article.title))


def _archive(article_id: UUID, title: str) -> None:
    try:
        with db.scope(guard.act("knowledge.write")) as scope:
            clinic_articles.archive(scope, article_id)
    except AppError as error:
        state.notify(str(error), ":material/info:")
        return
    state.set_undo(article_id)
    state.notify(_("“{title}” is archived. Undo brings it back.").format(title=title), ":material/inventory_2:")


def _restore(article_id: UUID, title: str) -> None:
    try:
        with db.scope(guard.act("knowledge.write")) as scope:
            clinic_articles.restore(scope, article_id)
    except AppError as error:
        state.notify(str(error), ":material/info:")
        return
    state.take_undo()
    state.notify(_("“{title}” is back in the list.").format(title=title))


def _offer_review(article: Article, approved: bool) -> None:
    if not approved:
        st.caption(_("Clinicians with approved credentials can mark this article as reviewed. You submit yours on the page "
                     "Account."))
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="offer_review"):
        st.markdown(":small[" + _("You have read the article and stand for it in this clinic: answers from it name you. It holds "
                                  "until the text changes.") + "]", width="stretch")
        st.button(_("Review again") if article.reviewed_by else _("Mark as reviewed"), icon=":material/verified:",
                  key=f"review_{article.slug}", on_click=_review, args=(article.slug, article_reviews.text_hash(article)))


def _review(slug: str, read: bytes) -> None:
    """`read`: the text that was on the screen when the button was pressed."""
    try:
        with db.scope(guard.act("knowledge.review")) as scope:
            article_reviews.review(scope, slug, read=read)
        state.notify(_("Reviewed in your name."), ":material/verified:")
    except AppError as error:
        state.notify(str(error), ":material/info:")


# where it comes from -------------------------------------------------------------------------------------------------


def _badge(article: Article, identity: Identity) -> None:
    text, kind = _("Draft of {day}, not yet reviewed by a clinician").format(day=widgets.day(article.drafted_on, identity)), ""
    if article.reviewed_on:
        text, kind = _("Reviewed by {name} on {day}").format(name=article.reviewed_by, day=widgets.day(
            article.reviewed_on, identity)), "reviewed"
    st.html(f"<span class='mark {kind}'>{html.escape(text)}</span>")


def _sources(article: Article, identity: Identity) -> str:
    cited = [_("{source} (read {day})").format(source=_source(source), day=widgets.day(source.read_on, identity))
             for source in article.sources]
    note = [escape(article.source_note)] if article.source_note else []
    lines = "\n".join(f"- :small[{line}]" for line in [*cited, *note])
    return f":small[**{_('Sources')}**]\n\n{lines or _('none')}"


def _source(source: Source) -> str:
    name = f"{escape(source.organisation)}, {escape(source.title)}"
    return f"[{name}](<{quote(source.url, safe=':/?&=#%@+,;~')}>)" if source.url.startswith("https://") else name
