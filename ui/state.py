"""Every key of st.session_state, typed. Nothing from the database is kept there: only where somebody is on a screen."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

import streamlit as st

from lib.auth import Account
from lib.errors import NotFound
from lib.factors import Enrolment
from lib.imports import File, Report

T = TypeVar("T")
OWN = ("cursors", "notice", "ticket", "leaving", "undo", "began", "editing", "patients_search", "patients_filter",
       "knowledge_search", "knowledge_filter", "refusal", "upload", "import", "clinic", "task", "codes", "restored", "seen",
       "given_up")


@dataclass(frozen=True)
class Notice:
    """What just happened, shown once by the next page."""

    text: str
    icon: str = ":material/check_circle:"


@dataclass(frozen=True)
class Pending:
    """A right password that waits for its second factor. `proof`: of that password's hash, which may change meanwhile.
    `until`: on the monotonic clock."""

    account: Account
    proof: bytes
    keep: bool
    until: float


@dataclass(frozen=True)
class Task:
    """What somebody is about to do to their own account. `enrolment`: for a second factor, stored nowhere before it is proved."""

    kind: Literal["password", "set_up", "renew", "drop"]
    enrolment: Enrolment | None = None


@dataclass
class Editing:
    """The form open in this tab: what it edits, and which versions its author saw when they began."""

    form: str
    versions: tuple[int, int]
    new_id: UUID
    tab: str
    restored: datetime | None = None
    asked: bool = False
    typed: bool = False
    kept: bool = False
    stands: bool = False
    """Its author wants their words above what somebody else saved."""


@dataclass
class Upload:
    """The file chosen in this tab, read once: what somebody brought along, nothing from the database."""

    file_id: str
    file: File
    data: bytes
    guess: str
    """The encoding the file seemed to have when it was read first."""
    orders: dict[tuple[str, ...], str] = field(default_factory=dict)
    """The guessed order of dates, by the columns that hold dates."""
    choices: object = None
    check: Report | None = None
    """The dry run of those choices."""
    opened: dict[str, list[str]] | None = None
    """The columns of each field as this person chose them before for such a file, or as they were guessed."""
    kept: dict[str, list[str]] | None = None
    """What of the choice is a draft already."""

    @property
    def encoding(self) -> str:
        return self.file.table.encoding if self.file.table else ""

    @property
    def headless(self) -> bool:
        return bool(self.file.table and self.file.table.headless)

    @property
    def key(self) -> str:
        """Of what is asked about the columns: in another encoding, or without headings, they have other names."""
        return f"{self.file_id}_{self.encoding}_{self.headless}"


def notify(text: str, icon: str = ":material/check_circle:") -> None:
    st.session_state["notice"] = Notice(text, icon)


def take_notice() -> Notice | None:
    return st.session_state.pop("notice", None)


def cursor(name: str) -> UUID | None:
    """Where the list's page begins: after this id."""
    return (_cursors(name) or [None])[-1]


def page_number(name: str) -> int:
    return len(_cursors(name)) + 1


def turn_page(name: str, after: UUID) -> None:
    _cursors(name).append(after)


def turn_back(name: str) -> None:
    if _cursors(name):
        _cursors(name).pop()


def first_page(name: str) -> None:
    _cursors(name).clear()


def give_up(message_id: UUID) -> None:
    """An answer that was asked to stop, and that nobody ends: this tab waits for it no longer."""
    st.session_state.setdefault("given_up", set()).add(message_id)


def has_given_up(message_id: UUID) -> bool:
    return message_id in st.session_state.get("given_up", ())


def open_page(name: str, after: UUID) -> None:
    """Straight to the page that begins there; back leads to the first one."""
    st.session_state.setdefault("cursors", {})[name] = [after]


def _cursors(name: str) -> list[UUID]:
    return st.session_state.setdefault("cursors", {}).setdefault(name, [])


def set_ticket(ticket: str) -> None:
    st.session_state["ticket"] = ticket


def ticket() -> str | None:
    return st.session_state.get("ticket")


def settle(clinic_id: UUID) -> bool:
    """This tab shows that clinic from now on. True: it showed another one until now, and has forgotten all of it."""
    changed = moved(clinic_id)
    if changed:
        st.session_state.clear()
    st.session_state["clinic"] = clinic_id
    return changed


def moved(clinic_id: UUID) -> bool:
    """The session works in another clinic by now than what this tab shows: what was typed here belongs there."""
    return st.session_state.get("clinic", clinic_id) != clinic_id


def set_page(name: str) -> None:
    """What this tab shows; the page at the start has no name of its own."""
    st.session_state["page"] = name or "today"


def page() -> str:
    return str(st.session_state.get("page", "today"))


def drowsy() -> bool:
    """The tab warned that it will sign out, and nobody has answered: what runs now is its own doing (bridge.js)."""
    return bool(st.session_state.get("session_bridge", {}).get("drowsy"))


def set_pending(pending: "Pending") -> None:
    st.session_state["pending"] = pending


def pending() -> "Pending | None":
    """For five minutes after a right password."""
    waiting = st.session_state.get("pending")
    return waiting if waiting and waiting.until > time.monotonic() else None


def forget_pending() -> None:
    st.session_state.pop("pending", None)


def begin_task(task: Task) -> None:
    st.session_state["task"] = task


def task() -> Task | None:
    return st.session_state.get("task")


def end_task() -> None:
    st.session_state.pop("task", None)


def keep_codes(codes: list[str]) -> None:
    """New recovery codes, on the screen until their person says that they have them."""
    st.session_state["codes"] = codes
    end_task()


def codes() -> list[str] | None:
    return st.session_state.get("codes")


def forget_codes() -> None:
    st.session_state.pop("codes", None)


def mark_reset() -> None:
    """A forgotten password was replaced: shown once, by the sign-in form that follows."""
    st.session_state["reset"] = True


def take_reset() -> bool:
    return bool(st.session_state.pop("reset", False))


def leave() -> None:
    st.session_state["leaving"] = True


def leaving() -> bool:
    return bool(st.session_state.get("leaving"))


def set_undo(patient_id: UUID) -> None:
    st.session_state["undo"] = patient_id


def take_undo() -> UUID | None:
    return st.session_state.pop("undo", None)


def show(widget: str, value: object) -> None:
    """What a widget shows, where the URL decides it: the browser's back button then moves the widget too."""
    st.session_state[widget] = value


def on_screen(widget: str) -> bool:
    """It was drawn in the run before; Streamlit forgets a widget that was not."""
    return widget in st.session_state


def shown(widget: str) -> Any:
    return st.session_state.get(widget)


def undoing(patient_id: UUID) -> bool:
    return st.session_state.get("undo") == patient_id


def patient_in_address() -> UUID | None:
    """`?patient=` of this page. What is no id at all answers like an id that nobody has."""
    text = st.query_params.get("patient")
    try:
        return UUID(text) if text else None
    except ValueError:
        raise NotFound from None


def emergency_in_address() -> UUID | None:
    """`?emergency=` of this page, as an alert's link has it."""
    text = st.query_params.get("emergency")
    try:
        return UUID(text) if text else None
    except ValueError:
        raise NotFound from None


def article_in_address() -> UUID | str | None:
    """`?article=` of this page: `own:` and the id of one of the clinic's, or the slug of a built-in one."""
    text = st.query_params.get("article", "")
    if not text.startswith("own:"):
        return text or None
    try:
        return UUID(text.removeprefix("own:"))
    except ValueError:
        raise NotFound from None


def open_article(key: str) -> None:
    st.query_params["article"] = key


def close_article() -> None:
    st.query_params.pop("article", None)


def editing(form: str, field: str = "full_name") -> Editing | None:
    """The open form, if it is this one and its fields were on the screen in the run before. `field`: one of them."""
    opened = st.session_state.get("editing")
    return opened if opened and opened.form == form and f"field_{field}" in st.session_state else None


def edit(opened: Editing, values: dict[str, str | bool]) -> Editing:
    st.session_state["editing"] = opened
    for name, value in values.items():
        st.session_state[f"field_{name}"] = value
    return opened


def show_again() -> None:
    """The browser has forgotten the fields that a failed run left out, and would draw them empty; this tab's state has them."""
    for name, value in st.session_state.items():
        if str(name).startswith("field_") or isinstance(value, str):
            st.session_state[name] = value


def field_values(names: list[str]) -> dict[str, str | bool]:
    """What stands in those fields; a field that is not shown is left out."""
    return {name: st.session_state[f"field_{name}"] for name in names if f"field_{name}" in st.session_state}


def mark_typed() -> None:
    st.session_state["editing"].typed = True


def mark_asked() -> None:
    st.session_state["editing"].asked = True


def go_on_from(version: int) -> None:
    """The author has seen that version and wants their own words to stand."""
    st.session_state["editing"].versions = (version, 0)
    st.session_state["editing"].stands = True


def close_form() -> None:
    st.session_state.pop("editing", None)


def upload(file_id: str) -> Upload | None:
    kept = st.session_state.get("upload")
    return kept if kept and kept.file_id == file_id else None


def keep_upload(file_id: str, file: File, data: bytes) -> Upload:
    """The same file in another encoding keeps its first guess."""
    former = upload(file_id)
    kept = Upload(file_id, file, data, "")
    kept.guess = former.guess if former else kept.encoding
    st.session_state["upload"] = kept
    return kept


def drop_upload() -> None:
    st.session_state.pop("upload", None)


def import_report(job_id: UUID, rows: int) -> Report | None:
    """What became of that many rows, where this tab read it already."""
    kept: Report | None = st.session_state.get("import")
    return kept if kept and (kept.id, len(kept)) == (job_id, rows) else None


def keep_import_report(report: Report) -> Report:
    st.session_state["import"] = report
    return report


def refuse(sentence: str) -> None:
    """Why the last question was not sent; shown once, above the box that still holds it."""
    st.session_state["refusal"] = sentence


def take_refusal() -> str | None:
    return st.session_state.pop("refusal", None)


def touch() -> None:
    """Let Streamlit interrupt a run that waits: Stop, a click and a closed tab are noticed here."""
    st.session_state.get("notice")


def began_with(form: str, version: int, field: str, **stored: object) -> int:
    """The version a form was opened with, for as long as its fields are on the screen. `field`: the key of one of them.

    `stored`: what its fields `{form}_…` begin with. Set here, because a browser keeps what was typed into a field whose default
    changes, and would send it again under the newer version.
    """
    versions = st.session_state.setdefault("began", {})
    if field not in st.session_state:
        versions[form] = version
        for name, value in stored.items():
            st.session_state[f"{form}_{name}"] = value
    return int(versions[form])


def seen(dialog: str, now: T) -> T:
    """What somebody was shown when they began with this dialog: the versions that they agree to."""
    shown: T = st.session_state.setdefault("seen", {}).setdefault(dialog, now)
    return shown


def look_anew() -> None:
    """A dialog opens, or was refused because of what changed meanwhile."""
    st.session_state.pop("seen", None)


def start_over(form: str) -> None:
    """Let a form's fields show what is stored again."""
    for key in [key for key in st.session_state if str(key).removeprefix("kept_").startswith(f"{form}_")]:
        del st.session_state[key]
    set_restored(form, None)


def set_restored(form: str, moment: datetime | None) -> None:
    """When its author typed what this form was opened with; None: it was opened as it is stored."""
    st.session_state.setdefault("restored", {})[form] = moment


def restored(form: str) -> datetime | None:
    return st.session_state.get("restored", {}).get(form)  # type: ignore[no-any-return]


def forget() -> None:
    """Drop what a former person left in this browser tab's state."""
    for key in set(OWN) - {"ticket"}:
        st.session_state.pop(key, None)
