"""A patient's whole record as one page that any browser opens and prints. Every text that somebody typed is escaped here."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

from lib import archived_months
from lib.identity import Identity
from lib.texts import _

STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #111 }
h1 { font-size: 1.6rem }
h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #ccc }
h3 { font-size: 1rem; margin-bottom: 0 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0 }
th { font-weight: 600; white-space: nowrap }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: .2rem 0 .8rem }
.quiet { color: #555 }
"""
IDENTITY = ("full_name", "date_of_birth", "phone", "email", "external_id", "deceased", "deceased_on")


def draw(record: dict[str, Any], identity: Identity) -> str:
    """`record`: as lib/patient_record.py collects it."""
    say = _Words(identity)
    name = escape(record["patients"][0]["full_name"])
    made = _("Everything that {clinic} keeps about this patient, exported by {person} on {moment}.").format(
        clinic=identity.clinic_name, person=identity.full_name, moment=say(datetime.now(UTC)))
    parts = [part for draw_part in (_people, _history, _thread, _emergencies, _views) for part in draw_part(record, say)]
    return (f"<!doctype html><html lang='{escape(identity.language)}'><head><meta charset='utf-8'>"
            f"<meta name='viewport' content='width=device-width'><title>{name}</title><style>{STYLE}</style></head>"
            f"<body><h1>{name}</h1><p class='quiet'>{escape(made)}</p>{''.join(parts)}</body></html>")


class _Words:
    """A value as a person of this clinic reads it."""

    def __init__(self, identity: Identity) -> None:
        self.identity, self.zone, self.locale = identity, ZoneInfo(identity.time_zone), identity.language

    def __call__(self, value: Any) -> str:
        if isinstance(value, datetime):
            return format_datetime(value, "medium", tzinfo=self.zone, locale=self.locale)
        if isinstance(value, date):
            return format_date(value, "long", locale=self.locale)
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        if isinstance(value, list):
            return ", ".join(map(str, value))
        return "—" if value in (None, "") else str(value)


def _people(record: dict[str, Any], say: _Words) -> Iterable[str]:
    notes = {note["patient_id"]: note for note in record["notes"]}
    for place, patient in enumerate(record["patients"]):
        yield _heading(_("Merged into this record: {name}").format(name=patient["full_name"]) if place else _("Who it is"))
        yield _table([(_label(field), say(patient[field])) for field in IDENTITY]
                     + [(_("Added"), f"{say(patient['created_at'])}, {say(patient['added_by'])}"),
                        (_("Changed"), f"{say(patient['updated_at'])}, {say(patient['changed_by'])}")])
        for field in ("alerts", "medical_notes"):
            text = notes.get(patient["id"], {}).get(field)
            yield f"<h3>{escape(_label(field))}</h3><pre>{escape(say(text))}</pre>"


def _history(record: dict[str, Any], say: _Words) -> Iterable[str]:
    yield _heading(_("What was changed"))
    changes = sorted([*record["versions"], *record["note_versions"]], key=lambda change: change["changed_at"])
    for change in changes:
        yield _event(change["changed_at"], change["changed_by"], say)
        yield _table([(_label(field), say(change["data"].get(field))) for field in change["fields"]])


def _label(field: str) -> str:
    return {"full_name": _("Full name"), "date_of_birth": _("Date of birth"), "phone": _("Phone"), "email": _("Email"),
            "external_id": _("Record number"), "deceased": _("Deceased"), "deceased_on": _("Date of death"),
            "medical_notes": _("Medical notes"), "alerts": _("Alerts"), "archived_at": _("Archived")}[field]


def _thread(record: dict[str, Any], say: _Words) -> Iterable[str]:
    yield _heading(_("What the assistant was asked, and answered"))
    away = record["archived_months"]["messages"]
    if away:
        yield _quiet(archived_months.messages_missing(away, say.identity))
    for message in record["messages"]:
        who = message["asked_by"] if message["role"] == "user" else _("Assistant ({status})").format(status=message["status"])
        yield _event(message["created_at"], who, say)
        yield f"<pre>{escape(say(message['content']))}</pre>"
        for part in message["sent"] or []:
            yield _quiet(_("Sent to the provider ({role}):").format(role=part.get("role")))
            yield f"<pre class='quiet'>{escape(str(part.get('content')))}</pre>"
    if not record["messages"] and not away:
        yield _none()


def _emergencies(record: dict[str, Any], say: _Words) -> Iterable[str]:
    yield _heading(_("Emergencies"))
    for emergency in record["emergencies"]:
        yield _event(emergency["raised_at"], emergency["raised_by"], say)
        yield _table([(_("Signs"), say(emergency["categories"])), (_("Acknowledged"), say(emergency["acknowledged_at"])),
                      (_("By"), say(emergency["acknowledged_by"])), (_("What was done"), say(emergency["action_taken"])),
                      (_("False alarm"), say(emergency["false_alarm"]))])
    if not record["emergencies"]:
        yield _none()


def _views(record: dict[str, Any], say: _Words) -> Iterable[str]:
    yield _heading(_("Who looked at it or changed it"))
    if record["views"] is None:
        yield _quiet(_("Only an owner can export this part."))
        return
    away = record["archived_months"]["views"]
    if away:
        yield _quiet(archived_months.views_missing(away, say.identity))
    yield _table([(say(view["happened_at"]), f"{say(view['person'])} · {view['action']} {view['resource']} · {view['address']}")
                  for view in record["views"]])


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _event(at: datetime, who: str | None, say: _Words) -> str:
    return f"<h3>{escape(say(at))}, {escape(say(who))}</h3>"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = (f"<tr><th>{escape(name)}</th><td><pre>{escape(text)}</pre></td></tr>" for name, text in rows)
    return f"<table>{''.join(lines)}</table>"


def _none() -> str:
    return _quiet(_("Nothing."))


def _quiet(text: str) -> str:
    return f"<p class='quiet'>{escape(text)}</p>"
