"""The audit log as rows that read like sentences: a table, cards on a phone. Every text that somebody typed is escaped here."""

from html import escape
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from lib.audit_trail import Entry
from lib.identity import Identity
from lib.texts import _, count
from ui import audit_labels, patient_fields


def table(entries: list[Entry], identity: Identity) -> str:
    heading = "".join(f"<th scope='col'>{label}</th>" for label in (_("When"), _("Who"), _("What"), _("Patient"), _("Address")))
    rows = "".join(_row(entry, identity) for entry in entries)
    return f"<table class='trail' role='table'><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table>"


def _row(entry: Entry, identity: Identity) -> str:
    at = format_datetime(entry.happened_at, "d MMM y, HH:mm:ss", tzinfo=ZoneInfo(identity.time_zone), locale=identity.language)
    mark = " class='refused'" if entry.action in ("refused", "sign_in_failed", "factor_failed") else ""
    return (f"<tr{mark}><td class='quiet'>{at}</td><td>{escape(entry.person)}</td><td>{_what(entry)}</td>"
            f"<td>{_patient(entry)}</td><td class='quiet'>{escape(entry.address)}</td></tr>")


def _what(entry: Entry) -> str:
    details = [entry.about, _fields(entry.fields), _rows(entry.row_count), entry.resource_id if entry.action == "refused" else ""]
    below = " · ".join(escape(detail) for detail in details if detail)
    return escape(audit_labels.deed(entry.action, entry.resource)) + (f"<small>{below}</small>" if below else "")


def _fields(names: list[str]) -> str:
    labels = patient_fields.labels()
    return ", ".join(labels.get(name, name.replace("_", " ")) for name in names)


def _rows(number: int | None) -> str:
    return "" if number is None else count("{n} row", "{n} rows", number)


def _patient(entry: Entry) -> str:
    if not entry.patient:
        return ""
    return f"<a href='/patient?patient={entry.patient_id}'>{escape(entry.patient)}</a>"
