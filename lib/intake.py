"""Rows of a table become patients: which column is what, and what each row says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import ValidationError

from lib import csv_file, dates, patient_form
from lib.errors import Invalid
from lib.patient_form import PatientForm
from lib.search_words import fold
from lib.tables import Table
from lib.texts import _

Mapping = dict[str, list[str]]
LONGEST_SHOWN = 100
SAMPLE = 30

# Headings in English, Spanish, French and German, folded and without anything but letters and digits.
HEADINGS = {
    "full name": "fullname patient patientname patientfullname nombrecompleto nombreyapellidos apellidosynombre "
    "paciente nomcomplet nometprenom nomprenom vollername vollstandigername namevorname",
    "name": "name nom nombre",
    "prefix": "prefix title salutation titulo tratamiento civilite titre anrede titel",
    "given": "given givenname givennames first firstname forename forenames vorname vornamen prenom prenoms "
    "nombres nombredepila patientfirstname",
    "middle": "middle middlename middleinitial segundonombre deuxiemeprenom zweitername",
    "family": "family familyname last lastname surname nachname familienname zuname apellido apellidos primerapellido "
    "nomdefamille patientlastname",
    "second family": "segundoapellido apellidomaterno secondsurname",
    "suffix": "suffix namesuffix sufijo suffixe namenszusatz",
    "email": "email emailaddress mail mailaddress emailid correo correoelectronico direcciondecorreo courriel "
    "adressemail adresseemail adressecourriel mailadresse emailadresse",
    "phone": "phone mobile mobilephone mobileno mobilenumber cell cellphone cellnumber phonenumber phoneno telephone "
    "telephonenumber tel telno telefon telefonnummer handy handynummer mobil mobiltelefon mobilnummer rufnummer "
    "telefono movil celular telefonomovil numerodetelefono portable telephoneportable mobilephonenumber gsm "
    "numerodetelephone homephone telephonenumero contactnumber phonehome phonemobile telefonprivat festnetz",
    "date_of_birth": "dob dateofbirth birthdate birthday born birth geburtsdatum geburtstag geburt gebdat geboren "
    "gebdatum fechadenacimiento fechanacimiento fnacimiento nacimiento fecnac datedenaissance naissance "
    "datenaissance neele ddn",
    "deceased": "deceased isdeceased dead died verstorben gestorben fallecido fallecida difunto decede decedee "
    "deceaseddatetime deceasedboolean",
    "deceased_on": "deceasedon deceaseddate dateofdeath deathdate datedeath dod sterbedatum todesdatum "
    "fechadefallecimiento fechadedefuncion fechadefuncion datededeces datedeces",
    "alerts": "alerts alert allergies allergy warning warnings alergias alergia alertas allergien allergie cave "
    "warnhinweise warnungen alertes",
    "medical_notes": "medicalnotes notes note comments comment remarks remark medicalhistory history anamnesis "
    "conditions condition diagnoses diagnosis medications medication notas observaciones antecedentes enfermedades "
    "comentarios medicacion medicamentos diagnosticos remarques commentaires antecedentsmedicaux medicaments "
    "maladies traitements notizen bemerkung bemerkungen anmerkungen kommentar anamnese diagnosen medikamente "
    "vorerkrankungen medikation",
    "external_id": "id patientid patientno patientnumber patientnr patientenid patientennummer patientennr patnr recno "
    "recordnumber recordno mrn medicalrecordnumber chartnumber chartno externalid fileno aktenzeichen kartei "
    "karteinummer numerodehistoria numerohistoria historiaclinica nhc expediente numerodeexpediente "
    "iddelpaciente idpaciente numerodepaciente numerodossier numerodedossier ipp numeropatient nopatient idpatient",
}  # fmt: skip
MEANING = {heading: meaning for meaning, headings in HEADINGS.items() for heading in headings.split()}
NAME_PARTS = ("prefix", "given", "middle", "family", "second family", "suffix")
DATES = ("date_of_birth", "deceased", "deceased_on")
NOTES = {*HEADINGS["medical_notes"].split()[:7], "notas", "observaciones", "remarques", "notizen", "bemerkungen"}
# A patient is worth having without these; a wrong birth date would make them somebody else.
OPTIONAL = {"email", "phone"}
YES = {"true", "t", "yes", "y", "si", "s", "oui", "o", "ja", "j", "wahr", "vrai", "verdadero", "1", "x"}
NO = {"false", "f", "no", "n", "non", "nein", "falsch", "faux", "falso", "0", "-"}


@dataclass(frozen=True)
class Row:
    line: int
    form: PatientForm | None
    problem: str = ""
    note: str = ""
    """What was left out of a row that is imported all the same."""
    name: str = ""
    """Of a row without a form, as far as it can be read."""


class Unreadable(Invalid):
    """This can't be read."""


def guess(table: Table) -> Mapping:
    """For each field of a patient the columns it seems to be in."""
    return _guess_by_cells(table) if table.headless else guess_mapping(table.header)


def guess_mapping(header: list[str]) -> Mapping:
    """For each field of a patient the columns it is read from."""
    found: Mapping = {}
    for title in header:
        if meaning := MEANING.get(_key(title)):
            found.setdefault(meaning, []).append(title)
    return {"full_name": _name_columns(found)} | {
        field: columns if field in ("alerts", "medical_notes", "phone") else columns[:1]
        for field, columns in found.items()
        if field in PatientForm.model_fields
    }


def is_headless(table: Table) -> bool:
    """Whether the first row seems to be a patient: it holds more values than headings, or nothing that tells it from the rest."""
    found = [_kind(cell) for cell in table.first[1]]
    headings = sum(_key(cell) in MEANING for cell in table.first[1])
    if any(found):
        return sum(map(bool, found)) > headings
    return not headings and not any(kind and title.strip() for kind, title in zip(_kinds(table), table.first[1], strict=False))


def _guess_by_cells(table: Table) -> Mapping:
    """For a table without headings: the first column of dates, of phone numbers, of e-mail addresses. A name may be anything."""
    found: Mapping = {}
    for title, kind in zip(table.header, _kinds(table), strict=True):
        if kind:
            found.setdefault(kind, [title])
    return found


def _kinds(table: Table) -> list[str]:
    """What most of a column's first cells are, if they are one thing."""
    columns = [[cells[place] for _line, cells in table.rows[:SAMPLE]] for place in range(len(table.header))]
    return [_most([_kind(cell) for cell in cells if cell.strip()]) for cells in columns]


def _most(kinds: list[str]) -> str:
    return next((kind for kind in set(kinds) if kind and kinds.count(kind) > len(kinds) / 2), "")


def _kind(cell: str) -> str:
    """The field that a value tells by its looks: an e-mail address, a day, a phone number. A number of five digits is none."""
    text = csv_file.untame(cell.strip())[:LONGEST_SHOWN]
    if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", text):
        return "email"
    if not re.fullmatch(r"\d{5}(\.\d+)?", text) and any(dates.read(text, order) for order in ("dmy", "mdy")):
        return "date_of_birth"
    return "phone" if re.fullmatch(r"\+?[\d\s()./-]+", text) and len(re.findall(r"\d", text)) > 6 else ""


def _key(title: str) -> str:
    return re.sub(r"[\W_]", "", fold(title))


def _name_columns(found: Mapping) -> list[str]:
    """A column "Name" is the family name beside a "Vorname", the given name beside "Apellidos", else the whole."""
    if whole := found.get("full name"):
        return whole[:1]
    missing = "family" if found.get("given") else "given"
    parts = {missing: found.get("name", []), **found}
    return _in_order(parts) if parts[missing] or parts.get("family") else []


def _in_order(found: Mapping) -> list[str]:
    return [title for part in NAME_PARTS for title in found.get(part, [])]


def guess_order(table: Table, mapping: Mapping, country: str) -> str:
    """The order of the dates in the mapped columns; the country's habit (ISO code) where they leave it open."""
    titles = [title for field in DATES for title in mapping.get(field, [])]
    places = [table.header.index(title) for title in titles if title in table.header]
    values = (cells[place] for _line, cells in table.rows for place in places)
    return dates.guess_date_order(values, dates.habit(country))


def forms(table: Table, mapping: Mapping, date_order: str) -> Iterator[Row]:
    """One row for each of the table's; one that can't be imported has a sentence instead of a form."""
    missing = {title for titles in mapping.values() for title in titles} - set(table.header)
    if missing:
        raise Invalid(_("The file has no column “{title}”.").format(title=min(missing)))
    for line, cells in table.rows:
        yield _row(line, cells, table, mapping, date_order)


def _row(line: int, cells: list[str], table: Table, mapping: Mapping, date_order: str) -> Row:
    record = dict(zip(table.header, cells, strict=False))
    try:
        if line in table.unclosed:
            raise Unreadable(_("A quotation mark opened in this line is never closed."))
        if len(cells) > len(table.header):
            raise Unreadable(_too_wide(len(cells), len(table.header)))
        return form_row(line, _fields(record, mapping, date_order), _notes(record, mapping))
    except Unreadable as unreadable:
        return Row(line, None, str(unreadable), name=_name(record, mapping))


def _too_wide(cells: int, columns: int) -> str:
    text = _("The row has {cells} cells under {columns} headings. A text with a delimiter in it needs quotes.")
    return text.format(cells=cells, columns=columns)


def form_row(line: int, fields: dict[str, Any], note: str = "") -> Row:
    """The row with its form, or with the reasons against it."""
    try:
        return Row(line, PatientForm.model_validate(fields), note=note)
    except ValidationError as error:
        reasons = patient_form.explain(error)
    if reasons.keys() - OPTIONAL:
        return Row(line, None, " ".join(reasons.values()), name=_shown(fields.get("full_name")))
    kept = {field: value for field, value in fields.items() if field not in reasons}
    return form_row(line, kept, " ".join(filter(None, [note, *(_left_out(field, fields[field]) for field in reasons)])))


def _left_out(field: str, value: Any) -> str:
    sentence = {
        "email": _("The e-mail address “{text}” can't be used and was left out."),
        "phone": _("The phone number “{text}” can't be used and was left out."),
    }[field]
    return sentence.format(text=_shown(value))


def _shown(value: Any) -> str:
    """What the file says, on one short line without signs that can't be seen."""
    text = re.sub("[ \t\r\n]+", " ", value) if isinstance(value, str) else ""
    visible = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
    return visible if len(visible) <= LONGEST_SHOWN else visible[:LONGEST_SHOWN] + "…"


def _fields(record: dict[str, str], mapping: Mapping, date_order: str) -> dict[str, Any]:
    filled = {
        field: [(title, csv_file.untame(record[title].strip())) for title in titles if record[title].strip()]
        for field, titles in mapping.items()
    }
    return {field: _value(field, parts, date_order) for field, parts in filled.items() if parts} | _death(
        [*filled.get("deceased", []), *filled.get("deceased_on", [])], date_order
    )


def _name(record: dict[str, str], mapping: Mapping) -> str:
    return _shown(" ".join(csv_file.untame(record[title].strip()) for title in mapping.get("full_name", [])))


def _notes(record: dict[str, str], mapping: Mapping) -> str:
    return " ".join(filter(None, [_second_phone(record, mapping), _lost_letters(record, mapping)]))


def _second_phone(record: dict[str, str], mapping: Mapping) -> str:
    others = [number for title in mapping.get("phone", []) if (number := record[title].strip())][1:]
    return _("There is room for one phone number; left out: {others}.").format(others=", ".join(others)) if others else ""


def _lost_letters(record: dict[str, str], mapping: Mapping) -> str:
    found = [title for titles in mapping.values() for title in titles if "\ufffd" in record[title]]
    sentence = _("Some letters under “{title}” were lost. Please check the encoding.")
    return sentence.format(title=found[0]) if found else ""


def _value(field: str, parts: list[tuple[str, str]], date_order: str) -> Any:
    if field == "date_of_birth":
        return _date(parts[0][1], date_order)
    if field == "full_name":
        return " ".join(text for _title, text in parts)
    if field == "alerts":
        return "; ".join(text for _title, text in parts)
    if field == "medical_notes":
        return "\n".join(text if _key(title) in NOTES else f"{_heading(title)}: {text}" for title, text in parts)
    return parts[0][1]


def _heading(title: str) -> str:
    title = title.replace("_", " ")
    return title[:1].upper() + title[1:]


def _date(text: str, date_order: str) -> date:
    day = dates.read(text, date_order)
    if day is None:
        raise Unreadable(_("The date “{text}” can't be read.").format(text=text[:40]))
    return day


def _death(parts: list[tuple[str, str]], date_order: str) -> dict[str, Any]:
    """A column may say yes or no, or the day itself."""
    texts = [text for _title, text in parts]
    days = [_date(text, date_order) for text in texts if fold(text) not in YES | NO]
    return {
        "deceased": bool(days) or any(fold(text) in YES for text in texts),
        "deceased_on": days[0] if days else None,
    }
