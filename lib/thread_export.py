"""A whole thread as a text that a person reads: who asked what and when, what was answered, from where, and how it ended."""

import re
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from lib import advice, answer_words, archived_months, audit, auth, chats, patients, redaction
from lib.chats import Message
from lib.db import Scope
from lib.texts import _

BATCH = 200
PLACEHOLDER = redaction.PLACEHOLDERS["name"]  # what a provider knew of the name
FETCHING = str.maketrans({mark: "\\" + mark for mark in "\\[<"})
# What would begin a heading of its own, underline one, or swallow those that follow, in a list or a quotation too.
FORGING = re.compile(r"^(?:[ \t>]*(?=(?:=+|-+)[ \t]*$)|[ \t>*+\-.)\d]*(?=#|```|~~~))", re.MULTILINE)


def export(scope: Scope, patient_id: UUID | None) -> str:
    """Markdown, oldest first; the title alone where nothing was asked yet. Under it, what may be missing."""
    auth.require(scope.identity, "chat.patient" if patient_id else "chat.ask")
    title = patients.read(scope, patient_id).full_name if patient_id else _("General questions of {name}").format(
        name=scope.identity.full_name)
    thread_id = chats.find_thread(scope, patient_id)
    messages = _all(scope, thread_id) if thread_id else []
    audit.record(scope, "export", "chat_thread", thread_id or "", patient_id=patient_id, row_count=len(messages))
    away = archived_months.of_thread(scope, patient_id)
    missing = [archived_months.messages_missing(away, scope.identity)] if away else []
    name = _line(title) if patient_id else ""
    return "\n\n".join([f"# {_line(title)}", *missing, *(_entry(scope, message, name) for message in messages)]) + "\n"


def _all(scope: Scope, thread_id: UUID) -> list[Message]:
    found: list[Message] = []
    more = True
    while more:
        page = chats.history(scope, thread_id, before=found[-1].id if found else None, limit=BATCH)
        found, more = found + page.rows, page.more
    return found[::-1]


def _entry(scope: Scope, message: Message, name: str) -> str:
    identity = scope.identity
    when = format_datetime(message.created_at, "d MMM y, HH:mm", tzinfo=ZoneInfo(identity.time_zone), locale=identity.language)
    if message.role == "user":
        return f"## {_line(message.asked_by)}, {when}\n\n{_content(message.content)}"
    attempt = _("attempt {n}").format(n=message.attempt) if message.attempt > 1 else ""
    parts = [*answer_words.origin(message), message.metadata.get("title"), attempt, answer_words.ending(message)]
    content = advice.with_safety_net(message.content, identity.emergency_number) if message.cut_off else message.content
    content = _content(content.replace(PLACEHOLDER, name or PLACEHOLDER))
    return f"## {_('Assistant')}, {when} ({', '.join(_line(part) for part in dict.fromkeys(parts) if part)})\n\n{content}"


def _content(markdown: str) -> str:
    """Lines that can't pass for an entry: only this file says who wrote what."""
    return FORGING.sub(r"\g<0>\\", "\n".join(_inert(markdown).splitlines()))


def _inert(markdown: str) -> str:
    """No image and no HTML where somebody opens the file: nothing in it is fetched."""
    return markdown.translate(FETCHING)


def _line(text: str) -> str:
    return _inert(" ".join(text.split()))
