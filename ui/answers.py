"""One message of a thread as it looks: who asked, the answer with its sources, how it ended and what it cost."""

import html
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import quote

import streamlit as st

from lib import advice, answer_words, workflows
from lib.chats import Message
from lib.emergencies import Emergency
from lib.identity import Identity
from lib.texts import _
from ui import alarm, markdown, widgets
from ui.markdown import escape
from ui.today_cards import shorten

ASKED, ANSWERED = ":material/person:", ":material/dentistry:"


def show(message: Message, identity: Identity, raised: Emergency | None = None, name: str = "",
         below: Callable[[], None] = lambda: None, asked: str = "") -> None:
    """Few elements for each message: a thread is redrawn on every rerun. `name`: the patient's. `below`: what else an answer
    offers. `asked`: its question, where that does not stand directly above it."""
    if message.role == "user":
        with st.chat_message("user", avatar=ASKED):
            when = widgets.moment(message.created_at, identity)
            st.html(f"<p class='asked'><b>{html.escape(message.asked_by)}</b> · {when}</p>"
                    f"<div class='typed' dir='auto'>{html.escape(message.content)}</div>")
    elif message.metadata.get("emergency"):
        with st.chat_message("assistant", avatar=":material/emergency:"):
            name_question(asked)
            alarm.card(message.content, raised, identity)
            if message.metadata.get("route") == "provider":  # which saw the danger, so it was asked, and paid
                st.markdown(_footnote(message, identity))
            below()
    else:
        with st.chat_message("assistant", avatar=ANSWERED):
            name_question(asked)
            content = advice.with_safety_net(message.content, identity.emergency_number) if message.cut_off else message.content
            st.markdown(f"{text(content, name)}\n\n{_footnote(message, identity)}")
            below()


def name_question(asked: str) -> None:
    if asked:
        question = f"<bdi>“{html.escape(shorten(asked, 70))}”</bdi>"
        st.html(f"<p class='asked'>{_('To: {question}').format(question=question)}</p>")


def text(content: str, name: str) -> str:
    """An answer's Markdown, inert, with the patient's name in its place again."""
    return markdown.inert(content).replace(markdown.inert(workflows.PLACEHOLDER), escape(name or workflows.PLACEHOLDER))


def _footnote(message: Message, identity: Identity) -> str:
    """Where the answer comes from, what it cost and how it ended, small and grey."""
    facts = message.metadata
    ended = answer_words.ending(message)
    lines = [f":orange-badge[:material/schedule: {_('Dentist today')}]"] if facts.get("tier") == "U" else []
    lines += [f":small[:material/info: {ended}]"] if ended else []
    tells = facts.get("title") and ("further" in facts or not facts.get("own"))
    lines += [f":small[:gray[{_sources(facts, identity)}]]"] if tells else []
    lines += [f":small[:gray[{_origin(message, identity)}]]"] if "route" in facts else []
    return "  \n".join(lines)


def _sources(facts: dict[str, Any], identity: Identity) -> str:
    cited = [_("{source} (read {day})").format(source=_source(row), day=widgets.day(date.fromisoformat(row["read_on"]), identity))
             for row in facts.get("sources", [])]
    note = escape(facts.get("source_note") or "")
    listed = "; ".join(cited + [note] * bool(note)) or (_("the clinic's own article") if facts.get("own") else _("none"))
    if facts["route"] == "cache" or (facts["route"] == "provider" and facts.get("left", True)):
        return _("Given to the provider: {articles}. Sources: {list}").format(articles=_given(facts, identity), list=listed)
    return _("Sources: {list}").format(list=listed)


def _given(facts: dict[str, Any], identity: Identity) -> str:
    """The articles by the numbers under which a provider cites them, and whether a clinician has read each."""
    given = [facts, *facts.get("further", [])]
    return "; ".join(f"[{number}] {escape(one['title'])}{_reviewed(one, identity)}" for number, one in enumerate(given, 1))


def _reviewed(article: dict[str, Any], identity: Identity) -> str:
    """Of the clinic's own it is not asked, and of those given before this was kept it is not known."""
    return "" if article.get("own") or "drafted_on" not in article else f" ({_review(article, identity)})"


def _source(row: dict[str, str]) -> str:
    name = f"{escape(row['organisation'])}, {escape(row['title'])}"
    return f"[{name}](<{quote(row['url'], safe=':/?&=#%@+,;~')}>)" if row["url"].startswith("https://") else name


def _origin(message: Message, identity: Identity) -> str:
    """What answered, the review and the cost in one line."""
    facts = message.metadata
    kind, *named = answer_words.origin(message)
    review = [_review(facts, identity)] if answer_words.quotes_article(message) and not facts.get("own") else []
    attempt = [_("attempt {n}").format(n=message.attempt)] if message.attempt > 1 else []
    return " · ".join([kind, *map(escape, named), *review, *attempt, _cost(message)])


def _review(facts: dict[str, Any], identity: Identity) -> str:
    if facts.get("reviewed_by"):
        return _("reviewed by {name} on {day}").format(name=escape(facts["reviewed_by"]),
                                                       day=widgets.day(date.fromisoformat(facts["reviewed_on"]), identity))
    return _("draft of {day}, not yet reviewed by a clinician").format(
        day=widgets.day(date.fromisoformat(facts["drafted_on"]), identity))


def _cost(message: Message) -> str:
    """None is unknown and says so; it is never shown as nothing."""
    facts = message.metadata
    cost = facts.get("cost_usd")
    if cost is None:
        return _("cost counted in Analytics") if facts.get("billed") is False else _("unpriced")
    if not float(cost):
        return _("no cost")
    estimated = _("about ") if facts.get("cost_source") == "estimated" else ""
    return f"{estimated}\\${cost.rstrip('0') if '.' in cost else cost}"
