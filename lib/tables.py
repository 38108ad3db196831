"""A file of rows and columns, whatever program wrote it: its encoding, its delimiter, its rows."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from lib import charsets
from lib.errors import Invalid
from lib.texts import _

LARGEST = 50 * 1024 * 1024
MOST_ROWS, MOST_COLUMNS, MOST_UNCLOSED = 50_000, 500, 20
DELIMITERS = ",;\t|"
A_FEW = 3
FEW_LOST = 4  # whole characters for each damaged one: an old encoding, read as UTF-8, has hardly more than one
_CONTROLS = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f]")
csv.field_size_limit(LARGEST)  # the module's own limit, 128 KiB, is less than some notes


class NotATable(Invalid):
    """This file can't be read as a table. Save it as CSV (UTF-8) and import that file."""


@dataclass(frozen=True)
class Table:
    header: list[str]
    rows: list[tuple[int, list[str]]]
    """With the line in which the row begins, as a text editor counts."""
    encoding: str
    delimiter: str
    unclosed: frozenset[int] = frozenset()
    """Lines with a quotation mark that is never closed: nobody can tell what belongs to them."""
    first: tuple[int, list[str]] = (1, [])
    """The header as it stands in the file, with its line."""
    headless: bool = False
    """The first row is a patient already, and the columns are only numbered."""


def read_table(data: bytes, filename: str, encoding: str = "", country: str = "") -> Table:
    """Raises NotATable with one sentence about what the file is and what to do.

    `encoding`: where a person knows better; else it is guessed, with the country (ISO code) as a hint.
    """
    refuse_other_files(data, filename)
    text, encoding = (data.decode(encoding, "replace"), encoding) if encoding else decode(data, country)
    _refuse_other_texts(text)
    text, skipped, delimiter = _split_hint(text)
    delimiter = delimiter or _guess_delimiter(text)
    unclosed: set[int] = set()
    filled = ((line + skipped, cells) for line, cells in _records(text, delimiter, unclosed) if any(map(str.strip, cells)))
    lines = list(islice(filled, MOST_ROWS + 2))
    if len(lines) > MOST_ROWS + 1:
        raise NotATable(_("This file has more than {most} rows. Split it and import the parts.").format(most=f"{MOST_ROWS:,}"))
    if not lines:
        raise NotATable(_("This file is empty. Choose the file that holds the patients."))
    if len(lines) == 1:
        raise NotATable(_("This file has headings but no rows. Choose the file that holds the patients."))
    header = _distinct(_without_empty_end(lines[0][1][:MOST_COLUMNS + 1]))
    if len(header) > MOST_COLUMNS:
        raise NotATable(_("This file has more than {most} columns. Export those about patients only.").format(most=MOST_COLUMNS))
    return Table(header, [(line, _fitted(cells, len(header))) for line, cells in lines[1:]], encoding, delimiter,
                 frozenset(line + skipped for line in unclosed), lines[0])


def without_header(table: Table) -> Table:
    """The same file, of which the first row is a patient already."""
    width = min(len(table.first[1]), MOST_COLUMNS)
    rows = [(line, _fitted(cells, width)) for line, cells in [table.first, *table.rows]]
    return replace(table, header=_distinct([""] * width), rows=rows, headless=True)


def refuse_other_files(data: bytes, filename: str) -> None:
    if not data.strip():
        raise NotATable(_("This file is empty. Choose the file that holds the patients."))
    if len(data) > LARGEST:
        raise NotATable(_("This file is larger than 50 MB. Split it and import the parts."))
    for start, sentence in _signatures(filename.lower()):
        if data.startswith(start):
            raise NotATable(sentence)


def _signatures(filename: str) -> list[tuple[tuple[bytes, ...], str]]:
    workbook = _("This is an Excel workbook. Save it as CSV (UTF-8) and import that file.")
    archive = _("This is a compressed file. Unpack it and import the CSV file inside.")
    document = _("This is a document, not a table. Export the patients as CSV (UTF-8) and import that file.")
    spreadsheet = _("This is a spreadsheet. Save it as CSV (UTF-8) and import that file.")
    kinds = {"ods": spreadsheet, "docx": document, "odt": document, "pptx": document, "zip": archive}
    return [
        ((b"PK\x03\x04", b"PK\x05\x06"), kinds.get(filename.rpartition(".")[2], workbook)),
        ((b"\xd0\xcf\x11\xe0",), document if filename.endswith(".doc") else workbook),
        ((b"%PDF",), _("This is a PDF. Export the patients as CSV (UTF-8) from the program that wrote it.")),
        (
            (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"RIFF", b"\0\0\0\x18ftyp", b"\0\0\0\x1cftyp"),
            _("This is a picture. Choose the CSV file that holds the patients."),
        ),
        ((b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ"), archive),
        ((b"{\\rtf",), document),
    ]


def decode(data: bytes, country: str = "") -> tuple[str, str]:
    """The text and the encoding's name. Raises NotATable for what is no text."""
    text, encoding = _by_mark(data) or _utf_8(data) or _legacy(data, country)
    start = text[:200_000]
    if len(_CONTROLS.findall(start)) > max(len(start) / 100, min(A_FEW, len(start) / 4)):
        raise NotATable(_("This file is not text. Save the patients as CSV (UTF-8) and import that file."))
    return text, encoding


def _by_mark(data: bytes) -> tuple[str, str] | None:
    marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    encoding = next((name for mark, name in marks.items() if data.startswith(mark)), "")
    if not encoding and data[1::2][:200].count(0) > len(data[1::2][:200]) / 2:
        encoding = "utf-16-le"
    if not encoding:
        return None
    text, lost, _foreign = _with_gaps(data, encoding)
    if lost * FEW_LOST > len(text):
        raise NotATable(_("This file is damaged. Save the patients again as CSV (UTF-8)."))
    return text, encoding


def _utf_8(data: bytes) -> tuple[str, str] | None:
    """Also where a stray byte or a cut-off end is damaged: read as anything else, every other name would be garbled for it."""
    text, lost, foreign = _with_gaps(data, "utf-8")
    return (text, "utf-8") if lost * FEW_LOST <= foreign else None


def _with_gaps(data: bytes, encoding: str) -> tuple[str, int, int]:
    """The text with U+FFFD for each damaged place; how many those are, and how many characters beyond ASCII are whole."""
    try:
        return data.decode(encoding), 0, 0
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
    lost = text.count("\ufffd")
    return text, lost, len(text) - len(text.encode("ascii", "ignore")) - lost


def _legacy(data: bytes, country: str) -> tuple[str, str]:
    encoding = charsets.guess(data, country)
    return data.decode(encoding), encoding


def _refuse_other_texts(text: str) -> None:
    start = text[:2_000].lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype", "<html", "<table", "<?xml", "<head", "<body")):
        raise NotATable(_("This is a web page or XML file. Save the patients as CSV (UTF-8) and import that file."))
    if re.match(r'\{\s*["}]|\[\s*[\[{"\]\d]', start):
        raise NotATable(_("This is a JSON file without FHIR patients. Import a CSV file or a FHIR export."))
    if start.startswith("begin:vcard"):
        raise NotATable(_("This is an address card. Export the patients as CSV (UTF-8) and import that file."))


def _split_hint(text: str) -> tuple[str, int, str]:
    """Excel's first line `sep=;` says the delimiter and is no row."""
    hint = re.match(r'"?sep=(.)"?(?:\r\n|\r|\n)', text, re.IGNORECASE)
    return (text[hint.end() :], 1, hint[1]) if hint else (text, 0, "")


def _guess_delimiter(text: str) -> str:
    return max(DELIMITERS, key=lambda delimiter: _agreement(text, delimiter))


def _agreement(text: str, delimiter: str) -> tuple[float, int]:
    """How many of the first rows are as wide as the header, for headers of two columns or more."""
    widths = [len(cells) for _line, cells in _sample(text, delimiter) if any(cells)]
    if not widths or widths[0] < 2:
        return 0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _sample(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text[:200_000], newline=""), delimiter=delimiter)
    return [(reader.line_num, row) for row, _count in zip(reader, range(100), strict=False)]


def _records(text: str, delimiter: str, unclosed: set[int]) -> Iterator[tuple[int, list[str]]]:
    """Records with the line they begin in. A line whose quotation mark is never closed stands alone, and in `unclosed`."""
    lines, begun = io.StringIO(text, newline="").readlines(), 0
    while begun < len(lines):
        first, reader = begun, csv.reader(lines[begun:], delimiter=delimiter)
        for cells in reader:
            end = first + reader.line_num
            if end == len(lines) and end - begun > 1 and "".join(lines[begun:]).count('"') % 2:
                cells, end = lines[begun].rstrip("\r\n").split(delimiter), begun + 1
                _note_unclosed(begun + 1, unclosed)
            yield begun + 1, cells
            begun = end
            if begun in unclosed:
                break


def _note_unclosed(line: int, unclosed: set[int]) -> None:
    """Each one means reading the rest again, so there is an end to it; and headings that break off tell nothing."""
    if line == 1 or len(unclosed) == MOST_UNCLOSED:
        raise NotATable(_("A quotation mark opened in line {line} is never closed. Please correct that line.").format(line=line))
    unclosed.add(line)


def _without_empty_end(cells: list[str]) -> list[str]:
    filled = [place for place, cell in enumerate(cells) if cell.strip()]
    return cells[: filled[-1] + 1]


def _distinct(names: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        title = " ".join(name.split()) or _("Column {number}").format(number=place)
        others = (f"{title} ({count})" for count in range(2, len(names) + 2))
        found[title if title not in found else next(other for other in others if other not in found)] = None
    return list(found)


def _fitted(cells: list[str], width: int) -> list[str]:
    """A row that is too long keeps its extra cells if they hold something: it is refused later, with its line."""
    extra = cells[width:] if any(map(str.strip, cells[width:])) else []
    return cells[:width] + [""] * (width - len(cells)) + extra
