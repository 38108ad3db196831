"""The steps of an import as a person sees them: the file, its columns, what would become of it, what became of it."""

from collections.abc import Callable
from contextlib import suppress
from html import escape
from itertools import islice

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from lib import charsets, db, drafts, imports, intake, tokens, verdicts
from lib.errors import Invalid
from lib.identity import Identity
from lib.imports import File, Report
from lib.intake import Mapping, Row
from lib.tables import Table
from lib.texts import _
from lib.verdicts import Kind, Outcome
from ui import guard, job_progress, markdown, patient_fields
from ui.state import Upload

PREVIEWED = 20
LONGEST_VALUE = 30
MOST_SHOWN = 1_000


def heading(number: int, title: str, status: str, detail: str = "") -> None:
    """`status`: done, now or ahead."""
    current = " aria-current='step'" if status == "now" else ""
    sign = "✓" if status == "done" else str(number)
    st.html(f"<h2 class='step {status}'{current}><span>{sign}</span>{escape(title)}<small>{escape(detail)}</small></h2>")


def describe(file: File) -> str:
    size = _("Rows: {count}").format(count=f"{len(file):,}")
    if file.table is None:
        return " · ".join([_("FHIR export"), size])
    signs = {",": _("commas"), ";": _("semicolons"), "\t": _("tabs"), "|": _("vertical bars")}
    sign = signs.get(file.table.delimiter, file.table.delimiter)
    return " · ".join([size, _("separated by {sign}").format(sign=sign), charsets.label(file.table.encoding)])


# columns -------------------------------------------------------------------------------------------------------------


def columns(upload: Upload, identity: Identity) -> tuple[Mapping, str]:
    """Which columns each field is read from, and how dates are written: guessed, and open to correction."""
    header, title = upload.file.table.header, _titles(upload.file.table)
    opened, names = _chosen_before(upload, identity), patient_fields.labels()
    st.checkbox(_("The first row is already a patient"), upload.headless, key=headless_key(upload.file_id, upload.encoding))
    with st.grid(3, min_column_width=250, key="import_columns"):
        mapping = {field: st.multiselect(names[field], header, opened.get(field, []), title, key=f"import_{field}_{upload.key}",
                                         placeholder=_("Not in this file"), select_all=False) for field in verdicts.FIELDS}
        _keep(upload, {field: chosen for field, chosen in mapping.items() if chosen}, identity)
        order = _date_order(upload, mapping, identity)
        _encoding(upload)
    left_out = [title(name) for name in header if not any(name in chosen for chosen in mapping.values())]
    if left_out:
        st.caption(_("Left out: {columns}.").format(columns=markdown.escape(", ".join(left_out))))
    return mapping, order


def draft(upload: Upload) -> str:
    """Of the choice of columns: the same file chosen again, or the next one of this kind, has the same headings."""
    return f"import:{tokens.digest(chr(0).join(upload.file.table.header)).hex()}"


def _chosen_before(upload: Upload, identity: Identity) -> Mapping:
    """By this person for such a file that was not imported yet; else a guess."""
    if upload.opened is None:
        with db.scope(identity) as scope:
            left = drafts.load(scope, draft(upload))
        guess = {field: chosen for field, chosen in intake.guess(upload.file.table).items() if chosen}
        upload.opened = upload.kept = left.data["mapping"] if left else guess
    return upload.opened


def _keep(upload: Upload, mapping: Mapping, identity: Identity) -> None:
    if mapping != upload.kept:
        upload.kept = mapping
        with suppress(Invalid), db.scope(identity) as scope:  # headings too long or odd for a draft do no other harm
            drafts.save(scope, draft(upload), {"mapping": mapping})


def _titles(table: Table) -> Callable[[str], str]:
    """What a column is called where it is chosen: without a heading, with its first value."""
    first = table.rows[0][1] if table.headless else []
    values = {name: cell.strip()[:LONGEST_VALUE] for name, cell in zip(table.header, first, strict=False)}
    return lambda name: f"{name}: {values[name]}" if values.get(name) else name


def _date_order(upload: Upload, mapping: Mapping, identity: Identity) -> str:
    ways = {"ymd": _("Year, month, day: 1980-12-31"), "dmy": _("Day, month, year: 31.12.1980"),
            "mdy": _("Month, day, year: 12/31/1980")}
    titles = tuple(title for field in intake.DATES for title in mapping[field])
    if titles not in upload.orders:
        upload.orders[titles] = intake.guess_order(upload.file.table, mapping, identity.country)
    guess = upload.orders[titles]
    return st.selectbox(_("Order of dates"), list(ways), list(ways).index(guess), format_func=ways.__getitem__,
                        key=f"import_dates_{guess}_{upload.key}")


def _encoding(upload: Upload) -> None:
    """Another choice reads the file again, in the next run."""
    guess = charsets.label(upload.guess)
    names = {upload.guess: guess} | {name: label for name, label in charsets.labels().items() if label != guess}
    st.selectbox(_("Encoding"), list(names), format_func=names.__getitem__, key=encoding_key(upload.file_id),
                 help=_("If letters look wrong in the table below, choose another one."))


def encoding_key(file_id: str) -> str:
    return f"import_encoding_{file_id}"


def headless_key(file_id: str, encoding: str) -> str:
    """In another encoding the guess may be another one."""
    return f"import_headless_{file_id}_{encoding}"


def preview(upload: Upload, mapping: Mapping, order: str) -> None:
    first = list(islice(imports.rows(upload.file, mapping, order), PREVIEWED))
    names = patient_fields.labels()
    filled = {field for row in first if row.form for field in verdicts.FIELDS if getattr(row.form, field)} | {"full_name"}
    shown = [field for field in verdicts.FIELDS if field in filled]
    noted = any(row.problem or row.note for row in first)
    st.caption(_("What would be imported (up to {count} rows):").format(count=PREVIEWED))
    st.dataframe([_as_read(row, shown, names, noted) for row in first], hide_index=True, column_config={_("Line"): _narrow()})


def _as_read(row: Row, fields: list[str], names: dict[str, str], noted: bool) -> dict[str, object]:
    cells = {names[field]: _cell(getattr(row.form, field)) if row.form else "" for field in fields}
    if row.form is None:
        cells[names["full_name"]] = row.name
    return {_("Line"): row.line} | ({_("Problem"): " ".join([row.problem, row.note]).strip()} if noted else {}) | cells


def _narrow() -> ColumnConfig:
    return st.column_config.NumberColumn(width=60, format="%d")


def _cell(value: object) -> str:
    return _("yes") if value is True else str(value or "")


# what becomes of the rows --------------------------------------------------------------------------------------------


def advance(report: Report, sentence: str) -> None:
    """Row by row to the end, each batch for whoever is signed in by then. A click or Stop ends it between two batches."""
    bar = st.progress(0.0, sentence)
    for done, rows in imports.run(report, lambda: db.scope(guard.require("patients.import"))):
        bar.progress(done / rows, job_progress.count("import", done, rows))


def counts(report: Report) -> None:
    titles = {"duplicate": _("Duplicates")}
    if report.dry_run:
        titles |= {"created": _("Would be created"), "updated": _("Would be updated")}
    with st.grid(4, min_column_width=130, key="import_counts"):
        for kind, count in report.counts().items():
            st.metric(titles.get(kind, verdicts.label(kind)), f"{count:,}", border=True)


def details(report: Report, key: str) -> None:
    """What a person may want to look at: what was not taken, and what was taken differently."""
    groups = {"rejected": _of(report, "rejected"), "duplicate": _of(report, "duplicate"), "updated": _of(report, "updated"),
              "noted": [one for one in _of(report, "created") if one.reason]}
    titles = {"rejected": _("Rejected"), "duplicate": _("Duplicates"), "updated": _("Updated"), "noted": _("With a note")}
    choices = [name for name, found in groups.items() if found]
    if not choices:
        return
    chosen = st.segmented_control(_("Rows to look at"), choices, required=True, default=choices[0], key=f"import_rows_{key}",
                                  format_func=lambda name: f"{titles[name]} ({len(groups[name]):,})") or choices[0]
    _table(groups[chosen])


def _of(report: Report, kind: Kind) -> list[Outcome]:
    return [one for one in report.outcomes if one.kind == kind]


def _table(outcomes: list[Outcome]) -> None:
    line, name, reason, patient = _("Line"), _("Name"), _("Reason"), _("Patient")
    rows = [{line: one.line, name: one.name, reason: one.reason,
             patient: f"/patient?patient={one.patient_id}" if one.patient_id else ""} for one in outcomes[:MOST_SHOWN]]
    widths = {line: _narrow(), name: st.column_config.TextColumn(width=200), reason: st.column_config.TextColumn(width=540),
              patient: st.column_config.LinkColumn(width=60, display_text=_("Open"))}
    shown = [column for column in (line, name, reason, patient) if any(row[column] for row in rows)]
    st.dataframe(rows, hide_index=True, column_order=shown, column_config=widths)
    if len(outcomes) > MOST_SHOWN:
        st.caption(_("The first {count} are shown; the report has all of them.").format(count=f"{MOST_SHOWN:,}"))
