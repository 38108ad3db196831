"""What is known about one patient, as HTML. Every text that somebody typed is escaped here."""

from datetime import date, datetime
from html import escape
from typing import Any
from urllib.parse import quote

from lib.identity import Identity
from lib.patient_history import Change
from lib.patients import Notes, Patient
from lib.texts import _
from ui import markdown, patient_fields, widgets

LONGEST = 300


def marks(patient: Patient, identity: Identity) -> str:
    """Under the name: birth, age, death, and above everything else what one has to mind."""
    facts = [widgets.born(patient, identity, widgets.today(identity))] + [_("Deceased")] * patient.deceased
    line = "".join(f"<span class='{'mark' if fact == _('Deceased') else ''}'>{escape(fact)}</span>" for fact in facts if fact)
    alerts = patient.notes.alerts if patient.notes else ""
    box = f"<div class='alerts' role='note' aria-label='{_('Alerts')}'>{escape(alerts)}</div>" if alerts else ""
    return f"<div class='under-name'>{line}</div>{box}"


def contact(patient: Patient, identity: Identity) -> str:
    phone = _link("tel:" + "".join(patient.phone.split()), patient.phone) if patient.phone else "—"
    email = _link("mailto:" + patient.email, patient.email) if patient.email else "—"
    rows = {"phone": phone, "email": email,
            "date_of_birth": escape(patient_fields.say(patient.date_of_birth, identity)),
            "external_id": escape(patient.external_id or "—")}
    if patient.deceased:
        rows["deceased_on"] = escape(patient_fields.say(patient.deceased_on, identity))
    labels = patient_fields.labels()
    return "<dl class='facts'>" + "".join(f"<dt>{labels[name]}</dt><dd>{text}</dd>" for name, text in rows.items()) + "</dl>"


def _link(address: str, text: str) -> str:
    return f"<a href='{quote(address, safe='@:+')}'>{escape(text)}</a>"


def notes(written: Notes) -> str:
    text = escape(written.medical_notes) if written.medical_notes else f"<span class='quiet'>{_('None yet.')}</span>"
    return f"<h3 class='label'>{_('Medical notes')}</h3><div class='notes'>{text}</div>"


def changed(patient: Patient, identity: Identity) -> str:
    """Markdown: who saved last, contact or notes."""
    at, who = patient.updated_at, patient.changed_by
    if patient.notes and patient.notes.updated_at and patient.notes.updated_at > at:
        at, who = patient.notes.updated_at, patient.notes.changed_by
    return _("Changed by {name} on {moment}. Added on {added}.").format(
        name=markdown.escape(who), moment=widgets.moment(at, identity), added=widgets.moment(patient.created_at, identity))


# history -------------------------------------------------------------------------------------------------------------


def history(changes: list[Change], identity: Identity) -> str:
    return "<ol class='history'>" + "".join(_change(change, identity) for change in changes) + "</ol>"


def _change(change: Change, identity: Identity) -> str:
    labels, before = patient_fields.labels(), change.before or {}
    head = f"<div><strong>{escape(change.changed_by)}</strong> · {widgets.moment(change.changed_at, identity)}"
    rows = [f"<dt>{labels[field]}</dt><dd>{_values(field, before.get(field), change.after.get(field), identity)}</dd>"
            for field in change.fields if field in change.after and (change.before or change.after[field])]
    added = f" · {_('added')}" if change.before is None else ""
    added += f" · {_('merged record')}" if change.duplicate else ""
    return f"<li>{head}{added}</div><dl class='facts'>{''.join(rows)}</dl></li>"


def _values(field: str, before: Any, after: Any, identity: Identity) -> str:
    old, new = _apart(_say(field, before, identity), _say(field, after, identity))
    return f"<ins>{escape(new)}</ins>" if before in (None, "") else f"<del>{escape(old)}</del> → <ins>{escape(new)}</ins>"


def _say(field: str, value: Any, identity: Identity) -> str:
    """A value of the history: JSON, so that days and moments are text. A record number may look like one and is none."""
    if value and field in ("date_of_birth", "deceased_on"):
        return patient_fields.say(date.fromisoformat(value), identity)
    if value and field == "archived_at":
        return widgets.moment(datetime.fromisoformat(value), identity)
    return patient_fields.say(value, identity)


def _apart(old: str, new: str) -> tuple[str, str]:
    """Of two long texts only the part that differs."""
    if len(old) + len(new) <= LONGEST:
        return old, new
    start = max(0, _shared(old, new) - 20)
    end = max(0, _shared(old[start:][::-1], new[start:][::-1]) - 20)
    return _cut(old, start, len(old) - end), _cut(new, start, len(new) - end)


def _shared(old: str, new: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(old), len(new)))


def _cut(text: str, start: int, end: int) -> str:
    end = min(end, start + LONGEST)
    return "…" * (start > 0) + text[start:end] + "…" * (end < len(text))
