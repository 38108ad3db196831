"""The audit log as rows that read like sentences: a table, cards on a phone. Every text that somebody typed is escaped here."""

from html import escape

from lib.audit_trail import Entry
from lib.identity import Identity
from lib.texts import _, count
from ui import audit_labels, menu, patient_fields, widgets


def table(entries: list[Entry], identity: Identity) -> str:
    heading = "".join(f"<th scope='col'>{label}</th>" for label in (_("When"), _("Who"), _("What"), _("Patient"), _("Address")))
    rows = "".join(_row(entry, identity) for entry in entries)
    return f"<table class='trail' role='table'><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table>"


def _row(entry: Entry, identity: Identity) -> str:
    at = widgets.second(entry.happened_at, identity)
    mark = " class='refused'" if entry.action in ("refused", "sign_in_failed", "factor_failed", "confirm_failed") else ""
    return (f"<tr{mark}><td class='quiet'>{at}</td><td>{_name(entry.person)}</td><td>{_what(entry)}</td>"
            f"<td>{_patient(entry)}</td><td class='quiet'>{escape(entry.address)}</td></tr>")


def _what(entry: Entry) -> str:
    details = [_name(entry.about), escape(_fields(entry.fields)), _rows(entry.row_count),
               escape(_place(entry.resource_id)) if entry.action == "refused" else ""]
    below = " · ".join(detail for detail in details if detail)
    return escape(audit_labels.deed(entry.action, entry.resource)) + (f"<small>{below}</small>" if below else "")


def _name(text: str) -> str:
    """Somebody's name, which may run from right to left while the line around it does not."""
    return f"<bdi>{escape(text)}</bdi>" if text else ""


def _place(place: str) -> str:
    """Where somebody was refused: a page by its title, with the patient it was asked for; a route as it stands."""
    page, _blank, patient = place.partition(" ")
    titles = {file: title for file, title, *_rest in menu.pages()}
    return f"{titles[page]} {patient}".strip() if page in titles else place


def _fields(names: list[str]) -> str:
    labels = patient_fields.labels()
    return ", ".join(labels.get(name, name.replace("_", " ")) for name in names)


def _rows(number: int | None) -> str:
    return "" if number is None else count("{n} row", "{n} rows", number)


def _patient(entry: Entry) -> str:
    if not entry.patient:
        return ""
    return f"<a href='/patient?patient={entry.patient_id}'>{_name(entry.patient)}</a>"
