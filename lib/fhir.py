"""Patients from a FHIR R4 export: a Bundle, one Patient, an array of them, or a resource per line (NDJSON)."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from lib import tables
from lib.errors import Invalid
from lib.intake import Row, form_row
from lib.texts import _

FIRST = 20
NAMES = (b'"resourceType"', '"resourceType"'.encode("utf-16-le"), b"http://hl7.org/fhir")
MOST_ENTRIES = 200_000  # a patient brings some hundred observations along
NAME_USES = ("official", "usual", "", "nickname", "temp", "anonymous", "maiden", "old")
TELECOM_USES = ("mobile", "home", "", "work", "temp", "old")
DENIED = {"refuted", "entered-in-error", "inactive", "resolved"}


class NotFhir(Invalid):
    """This file can't be read as a FHIR export. Export the patients as FHIR R4 JSON and import that file."""


@dataclass(frozen=True)
class Resource:
    place: int
    """The position in the bundle or array, or the line, counted from 1."""
    url: str
    content: dict[str, Any]
    problem: str = ""

    @property
    def kind(self) -> str:
        return _text(self.content.get("resourceType"))


def looks_like_fhir(data: bytes) -> bool:
    """Also true for FHIR as XML, which `read_fhir` refuses with a reason, and for NDJSON whose first lines are damaged."""
    lines = (line.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n") for line in io.BytesIO(data))
    first = list(islice(filter(None, lines), FIRST))
    begins = bool(first) and first[0][:1] in (b"{", b"[", b"<") and any(name in data for name in NAMES)
    return begins or any(line.startswith(b"{") and NAMES[0] in line for line in first)


def read_fhir(data: bytes, filename: str) -> list[Row]:
    """A row per patient, and one per allergy whose patient is missing. Raises NotFhir if there is no patient at all."""
    tables.refuse_other_files(data, filename)
    text = tables.decode(data)[0].lstrip("\ufeff")
    if text.lstrip().startswith("<"):
        raise NotFhir(_("This is FHIR as XML. Export the patients as FHIR R4 JSON and import that file."))
    found = _resources(text)
    patients = [one for one in found if one.kind == "Patient"]
    if not patients:
        raise NotFhir(_no_patient(found))
    known = _alerts([one for one in found if one.kind == "AllergyIntolerance"], patients)
    broken = [Row(one.place, None, one.problem) for one in found if one.problem]
    rows = [_row(one, known[one.place]) for one in patients]
    return sorted([*rows, *_strays(found, patients), *broken], key=lambda row: row.line)


def _no_patient(found: list[Resource]) -> str:
    kinds = sorted({one.kind for one in found if re.fullmatch("[A-Za-z]{1,40}", one.kind)})
    if not kinds:
        return _("This file holds no FHIR resource. Export the patients as FHIR R4 JSON and import that file.")
    text = _("This FHIR file holds no Patient, only {kinds}. Export the patients too and import that file.")
    return text.format(kinds=", ".join(kinds[:5]))


def _resources(text: str) -> list[Resource]:
    try:
        content = json.loads(text)
    except RecursionError:
        raise NotFhir(_("This file is nested too deeply to be a FHIR export.")) from None
    except ValueError:
        return _by_line(text)
    entries = _list(content.get("entry") if _is_bundle(content) else content)
    if len(entries) > MOST_ENTRIES:
        raise NotFhir(_("This file has more than {most} entries. Export fewer patients at a time.").format(
            most=f"{MOST_ENTRIES:,}"))
    if _is_bundle(content):
        return [_entry(place, entry) for place, entry in enumerate(entries, 1)]
    return [_entry(place, {"resource": one}) for place, one in enumerate(entries, 1)]


def _is_bundle(content: Any) -> bool:
    return isinstance(content, dict) and content.get("resourceType") == "Bundle"


def _entry(place: int, entry: Any) -> Resource:
    content = entry.get("resource", {}) if isinstance(entry, dict) else None
    if not isinstance(content, dict):
        return Resource(place, "", {}, _("This entry is not a FHIR resource."))
    return Resource(place, _text(entry.get("fullUrl")), content)


def _by_line(text: str) -> list[Resource]:
    found = [_line(place, line) for place, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not any(one.kind for one in found):
        raise NotFhir(_("This file is not valid JSON: it may be cut off. Export the patients again."))
    return found


def _line(place: int, line: str) -> Resource:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return Resource(place, "", {}, _("This line is not valid JSON."))
    if not isinstance(content, dict):
        return Resource(place, "", {}, _("This line is not a FHIR resource."))
    return Resource(place, "", content)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in _list(value) if isinstance(one, dict)]


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [text for one in _list(value) if (text := _text(one))]


def _row(patient: Resource, alerts: list[str]) -> Row:
    content = patient.content
    born, vague_birth = _day(content.get("birthDate"))
    died, vague_death = _day(content.get("deceasedDateTime"))
    fields = {
        "full_name": _full_name(content),
        "email": _contact(content, "email"),
        "phone": _contact(content, "phone"),
        "date_of_birth": born,
        "deceased": bool(died or vague_death) or content.get("deceasedBoolean"),
        "deceased_on": died,
        "alerts": "; ".join(alerts),
        "external_id": _text(content.get("id")),
    }
    notes = [_what_is_left_out(vague_birth, vague_death), _lost_letters(fields)]
    return form_row(patient.place, fields, " ".join(filter(None, notes)))


def _what_is_left_out(birth: str, death: str) -> str:
    found = [
        (birth, _("The date of birth is left empty, because the file only says {text}.")),
        (death, _("The date of death is left empty, because the file only says {text}.")),
    ]
    return " ".join(sentence.format(text=text) for text, sentence in found if text)


def _lost_letters(fields: dict[str, Any]) -> str:
    return _("Some letters were lost: the file is damaged there.") if any("\ufffd" in str(one) for one in fields.values()) else ""


def _day(value: Any) -> tuple[Any, str]:
    """The day, or the text of a date without a day: FHIR allows 1980 and 1980-12."""
    text = _text(value)
    if re.fullmatch(r"\d{4}(-\d\d)?", text, re.ASCII):
        return None, text
    day = re.match(r"\d{4}-\d\d-\d\d(?=T|$)", text, re.ASCII)
    try:
        return (date.fromisoformat(day[0]) if day else value), ""
    except ValueError:
        return value, ""


def _rank(uses: tuple[str, ...], one: dict[str, Any]) -> int:
    use = _text(one.get("use"))
    return uses.index(use) if use in uses else len(uses)


def _full_name(content: dict[str, Any]) -> str:
    names = sorted(_dicts(content.get("name")), key=lambda name: _rank(NAME_USES, name))
    return next((text for name in names if (text := _one_name(name))), "")


def _one_name(name: dict[str, Any]) -> str:
    given, family = _texts(name.get("given")), _texts(name.get("family"))
    if not given and not family:
        return _text(name.get("text"))
    return " ".join([*_texts(name.get("prefix")), *given, *family, *_texts(name.get("suffix"))])


def _contact(content: dict[str, Any], system: str) -> str:
    points = [one for one in _dicts(content.get("telecom")) if one.get("system") == system and _text(one.get("value"))]
    points.sort(key=lambda one: (_wanted(one), _rank(TELECOM_USES, one)))
    return _text(points[0]["value"]) if points else ""


def _wanted(point: dict[str, Any]) -> float:
    """An old number comes last, whatever its rank."""
    rank = point.get("rank")
    if point.get("use") == "old":
        return float("inf")
    return rank if isinstance(rank, int) and 0 < rank < 10**9 else 10**9


def _alerts(allergies: list[Resource], patients: list[Resource]) -> dict[int, list[str]]:
    """By the place of the patient, each text once."""
    found: dict[int, list[str]] = {patient.place: [] for patient in patients}
    for allergy, patient in _matched(allergies, patients):
        text = _substance(allergy.content)
        if patient and text and text not in found[patient.place]:
            found[patient.place].append(text)
    return found


def _strays(found: list[Resource], patients: list[Resource]) -> Iterator[Row]:
    """An allergy must not vanish silently."""
    for allergy, patient in _matched([one for one in found if one.kind == "AllergyIntolerance"], patients):
        if patient is None or not _substance(allergy.content):
            yield Row(allergy.place, None, _stray(patient is not None))


def _stray(has_patient: bool) -> str:
    if has_patient:
        return _("This allergy does not say to what. Please add it to the patient by hand.")
    return _("This allergy belongs to a patient who is not in the file.")


def _matched(allergies: list[Resource], patients: list[Resource]) -> Iterator[tuple[Resource, Resource | None]]:
    by_name = {name: patient for patient in patients for name in _names_of(patient)}
    for allergy in allergies:
        if not _statuses(allergy.content) & DENIED:
            yield allergy, next((by_name[name] for name in _reference(allergy.content) if name in by_name), None)


def _names_of(patient: Resource) -> list[str]:
    number = _text(patient.content.get("id"))
    return [name for name in (patient.url, number and f"Patient/{number}", number and f"urn:uuid:{number}") if name]


def _reference(content: dict[str, Any]) -> list[str]:
    """As written, and the end of an address without its version: …/Patient/12/_history/3 is Patient/12."""
    texts = [_text(one.get("reference")) for key in ("patient", "subject") for one in _dicts(content.get(key))]
    ends = [end[1] for text in texts if (end := re.search(r"(?:^|/)(Patient/[^/?#]+)(?:/_history/[^/]+)?$", text))]
    return [*texts, *ends]


def _statuses(content: dict[str, Any]) -> set[str]:
    values = [one for key in ("clinicalStatus", "verificationStatus", "status") for one in _list(content.get(key))]
    codes = [
        coding.get("code") for value in values if isinstance(value, dict) for coding in _dicts(value.get("coding"))
    ]
    return {text.lower() for text in _texts([*values, *codes])}


def _substance(content: dict[str, Any]) -> str:
    """R4 names it in `code`, DSTU2 in `substance`."""
    concepts = [*_dicts(content.get("code")), *_dicts(content.get("substance"))]
    texts = [_text(concept.get("text")) for concept in concepts]
    codings = [coding for concept in concepts for coding in _dicts(concept.get("coding"))]
    return next((text for text in [*texts, *(_text(one.get("display")) for one in codings)] if text), "")
