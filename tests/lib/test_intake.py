import csv
import io
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib import dates, intake, tables
from lib.errors import Invalid
from lib.patient_form import latest_today
from lib.tables import NotATable, Table

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1", "iso8859-15", "cp1250", "mac_roman"]

calm = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
printable = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Co", "Cn", "Zl", "Zp"]), max_size=20)


def table(text: str) -> Table:
    return tables.read_table(text.encode(), "patients.csv")


def rows(text: str, order: str = "dmy") -> list[intake.Row]:
    found = table(text)
    return list(intake.forms(found, intake.guess_mapping(found.header), order))


def written(cells: list[list[str]], delimiter: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(cells)
    return text.getvalue()


@calm
@given(st.lists(st.tuples(printable, printable)), st.sampled_from(tables.DELIMITERS), st.sampled_from(ENCODINGS[:3]))
def test_any_text_survives_every_unicode_encoding_and_delimiter(cells, delimiter, encoding):
    kept = [["Anna", "x"], *([*row] for row in cells if any(map(str.strip, row)))]
    found = tables.read_table(written([["Name", "Notes"], *kept], delimiter).encode(encoding), "x.csv")
    assert (found.header, [row for _line, row in found.rows], found.delimiter) == (["Name", "Notes"], kept, delimiter)


@calm
@given(st.binary(max_size=400) | st.text().map(str.encode))
def test_arbitrary_bytes_are_a_table_or_refused(data):
    try:
        found = tables.read_table(data, "patients.csv")
    except NotATable:
        return
    mapping = {"full_name": found.header[:1], "date_of_birth": found.header[-1:], "deceased": found.header[-1:]}
    for row in intake.forms(found, mapping, "mdy"):
        assert (row.form is None) == bool(row.problem)


WESTERN = [
    "Jürgen;Müller",
    "José;Muñoz",
    "François;Lefèvre",
    "Søren;Ågård",
    "Renée;Strauß",
    "João;Gonçalves",
    "Niccolò;Verdú",
]
CENTRAL = ["Jiří;Dvořák", "Zdeněk;Černý", "Łukasz;Wałęsa", "Małgorzata;Żółkiewska", "Győző;Szűcs", "Ondřej;Šťastný"]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [*((one, WESTERN) for one in ENCODINGS if one != "cp1250"), ("cp1250", CENTRAL), ("utf-16", CENTRAL)],
)
def test_names_survive_every_encoding_a_spreadsheet_writes(encoding, names):
    found = tables.read_table("\n".join(["Vorname;Nachname", *names]).encode(encoding), "patients.csv")
    assert [";".join(cells) for _line, cells in found.rows] == names


@pytest.mark.parametrize(("encoding", "name"), [(one, name) for one in ("cp1252", "mac_roman") for name in WESTERN[:5]])
def test_a_single_name_is_enough_to_tell_the_encoding(encoding, name):
    assert ";".join(tables.read_table(f"a;b\n{name}".encode(encoding), "x.csv").rows[0][1]) == name


def test_the_french_letters_of_latin_9_are_told_from_fractions():
    assert tables.read_table("a;b\nSœur;x".encode("iso8859-15"), "x.csv").rows[0][1][0] == "Sœur"


@pytest.mark.parametrize("name", ["Seán O’Neill", "Anna – “Ann” Bell", "5 € für Zoë"])
def test_typographic_signs_of_windows_survive(name):
    assert tables.read_table(f"a;b\n{name};x".encode("cp1252"), "x.csv").rows[0][1][0] == name


def test_unicode_text_of_excel_without_a_mark_is_read():
    assert tables.read_table("Name\tTel\r\nZoë\t1\r\n".encode("utf-16-le"), "x.txt").rows == [(2, ["Zoë", "1"])]


def test_other_legacy_encodings_are_guessed_as_a_last_resort():
    names = ["Имя;Фамилия", "Иван;Петров", "Наталья;Кузнецова", "Сергей;Соколов", "Екатерина;Васильева"]
    assert tables.read_table("\n".join(names).encode("cp1251"), "x.csv").rows[0][1] == ["Иван", "Петров"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_a_text_editor_does(end):
    found = table(end.join(["Name,Notes", "", '"Anna","one', 'two"', " , ", "Bob,x"]))
    assert [line for line, _cells in found.rows] == [3, 6]
    assert found.rows[0][1][1] == f"one{end}two"


def test_a_first_line_that_names_the_delimiter_is_no_row():
    assert table("sep=;\nName;Notes\nAnna;a,b").rows == [(3, ["Anna", "a,b"])]


def test_short_rows_are_padded_and_long_rows_keep_what_is_too_much():
    found = table("Name,Phone,Notes\nAnna\nBob,1,x,,\nCarol,1,x,y")
    assert [cells for _line, cells in found.rows] == [["Anna", "", ""], ["Bob", "1", "x"], ["Carol", "1", "x", "y"]]


def test_empty_and_repeated_headings_become_distinct():
    assert table("Name,,Name,Name (2),\na,b,c,d,").header == ["Name", "Column 2", "Name (2)", "Name (2) (2)"]


def test_a_single_column_is_a_table():
    assert table("Name\nAnna Bell\n").rows == [(2, ["Anna Bell"])]


def test_a_cell_larger_than_the_limit_of_the_csv_module_is_read():
    assert len(table(f"Name,Notes\nAnna,{'a' * 200_000}").rows[0][1][1]) == 200_000


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"Name,Phone\n", "no rows"),
        (b"PK\x03\x04...", "Excel"),
        (b"\xd0\xcf\x11\xe0.", "Excel"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89PNG\r\n", "picture"),
        (b"\xff\xd8\xff\xe0", "picture"),
        (b"<!DOCTYPE html><p>", "web page"),
        (b'{"a": 1}', "JSON"),
        (b'[{"a": 1}]', "JSON"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"a\0b\0\0\0", "not text"),
        (bytes(range(256)), "not text"),
        (b"{\\rtf1", "document"),
        (b"BEGIN:VCARD\n", "address card"),
        (b"\xff\xfeA", "damaged"),
        (b"a" * (50 * 1024 * 1024 + 1), "50 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_table_is_named_for_what_it_is(data, word):
    with pytest.raises(NotATable, match=word):
        tables.read_table(data, "patients.csv")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (["Vorname", "Name"], ["Vorname", "Name"]),
        (["Nachname", "Vorname", "Titel"], ["Titel", "Vorname", "Nachname"]),
        (["Nom", "Prénom"], ["Prénom", "Nom"]),
        (["Nombre", "Apellidos"], ["Nombre", "Apellidos"]),
        (["Nombre"], ["Nombre"]),
        (["Primer apellido", "Segundo apellido", "Nombre"], ["Nombre", "Primer apellido", "Segundo apellido"]),
        (["Last Name", "First Name", "Full Name"], ["Full Name"]),
        (["name"], ["name"]),
        (["Name", "Surname"], ["Name", "Surname"]),
        (["Title"], []),
        (["Nombre completo", "Tel."], ["Nombre completo"]),
        (["Phone"], []),
    ],
)
def test_the_columns_of_the_name_are_found_in_four_languages(header, name):
    assert intake.guess_mapping(header)["full_name"] == name


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("DOB", "date_of_birth"),
        ("Geburtsdatum", "date_of_birth"),
        ("Fecha de nacimiento", "date_of_birth"),
        ("Date de naissance", "date_of_birth"),
        ("Handy", "phone"),
        ("Móvil", "phone"),
        ("Téléphone", "phone"),
        ("E-Mail", "email"),
        ("Correo electrónico", "email"),
        ("Courriel", "email"),
        ("Allergien", "alerts"),
        ("Bemerkungen", "medical_notes"),
        ("Date of death", "deceased_on"),
        ("Verstorben", "deceased"),
        ("Patient No.", "external_id"),
        ("MRN", "external_id"),
        ("Patienten-Nr.", "external_id"),
        ("N.º de historia", ""),
    ],
)
def test_a_heading_is_understood_in_four_languages(heading, field):
    assert [key for key, columns in intake.guess_mapping([heading]).items() if columns] == [field] * bool(field)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1980-02-03", (1980, 2, 3)),
        ("1980-02-03T04:05:06+02:00", (1980, 2, 3)),
        ("1980-02-03 00:00:00", (1980, 2, 3)),
        ("1980/2/3", (1980, 2, 3)),
        ("19800203", (1980, 2, 3)),
        ("1.2.1980", (1980, 2, 1)),
        ("01/02/80", (1980, 2, 1)),
        ("01.02.1980 10:30", (1980, 2, 1)),
        ("3-Mar-1980", (1980, 3, 3)),
        ("March 3, 1980", (1980, 3, 3)),
        ("3rd of May 1980", (1980, 5, 3)),
        ("3. März 1980", (1980, 3, 3)),
        ("3 de enero de 1980", (1980, 1, 3)),
        ("1er août 1980", (1980, 8, 1)),
        ("4 juil. 1980", (1980, 7, 4)),
        ("4 juin 1980", (1980, 6, 4)),
        ("3. Dez. 80", (1980, 12, 3)),
        ("1980 März 3", (1980, 3, 3)),
        ("29283", (1980, 3, 3)),
        ("29283.5", (1980, 3, 3)),
    ],
)
def test_a_date_is_read_in_the_formats_found(text, day):
    assert dates.read(text, "dmy") == date(*day)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "1980",
        "31/02/1980",
        "0000-00-00",
        "3 ma 1980",
        "13/13/1980",
        "1/2/3/4",
        "3 Jan Feb 80",
        "²",
        "1" * 5000,
    ],
)
def test_what_is_no_date_is_not_guessed(text):
    assert dates.read(text, "dmy") is None


def test_a_year_of_two_digits_is_never_in_the_future():
    today = latest_today()
    assert dates.read(f"01/01/{(today.year + 1) % 100:02}", "dmy") == date(today.year - 99, 1, 1)
    assert dates.read(f"01/01/{today.year % 100:02}", "dmy") == date(today.year, 1, 1)


def test_day_and_month_are_not_mixed_up_in_a_column_of_one_order():
    assert dates.read("02/13/1980", "dmy") is None
    assert dates.read("03/04/1980", "mdy") == date(1980, 3, 4)
    assert dates.read("03/04/1980", "ymd") is None


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["01/02/1980", "13/02/1980"], "dmy"),
        (["01/02/1980", "02/13/1980 00:00"], "mdy"),
        (["1980-01-02"], "ymd"),
        (["80-01-02"], "ymd"),
        (["01/02/1980"], "mdy"),
        ([], "mdy"),
        (["", "x"], "mdy"),
        (["1980-01-02", "13.1.1980"], "dmy"),
    ],
)
def test_the_whole_column_decides_the_order_of_its_dates(values, order):
    assert dates.guess_date_order(values, "mdy") == order


@pytest.mark.parametrize(
    ("country", "order"), [("US", "mdy"), ("GB", "dmy"), ("DE", "dmy"), ("JP", "ymd"), ("", "dmy"), ("?", "dmy")]
)
def test_a_country_has_a_habit_of_writing_dates(country, order):
    assert dates.habit(country) == order


@given(st.text(), st.sampled_from(["ymd", "dmy", "mdy"]))
def test_no_text_breaks_the_reading_of_dates(text, order):
    dates.read(text, order)
    dates.guess_date_order([text], order)


def test_the_dates_of_all_mapped_columns_decide_and_else_the_country():
    found = table("Name,DOB,Died\nAnna,01/02/1980,13/02/2001\nBob,02/03/1980,")
    mapping = intake.guess_mapping(found.header)
    assert intake.guess_order(found, mapping, "US") == "dmy"
    assert intake.guess_order(found, mapping | {"deceased": []}, "US") == "mdy"


def test_an_unreadable_date_rejects_its_row_with_the_text():
    bad, good = rows("Name,DOB\nAnna,31.2.1980\nBob,1.2.1980")
    assert (bad.line, bad.form, bad.problem) == (2, None, "The date “31.2.1980” can't be read.")
    assert good.form
    assert good.form.date_of_birth == date(1980, 2, 1)


@pytest.mark.parametrize(
    ("text", "deceased", "day"),
    [
        ("", False, None),
        ("no", False, None),
        ("0", False, None),
        ("nein", False, None),
        ("yes", True, None),
        ("Sí", True, None),
        ("oui", True, None),
        ("JA", True, None),
        ("1", True, None),
        ("x", True, None),
        ("TRUE", True, None),
        ("2.3.2001", True, date(2001, 3, 2)),
        ("2001-03-02T10:00:00Z", True, date(2001, 3, 2)),
    ],
)
def test_a_column_deceased_says_yes_or_no_or_the_day(text, deceased, day):
    form = rows(f"Name,Deceased\nAnna,{text}")[0].form
    assert form
    assert (form.deceased, form.deceased_on) == (deceased, day)


def test_a_row_with_too_many_cells_is_rejected_with_the_reason():
    assert "3 cells under 2 headings" in rows("Name,Notes\nAnna,a,b")[0].problem


def test_a_row_without_a_name_is_rejected_and_the_others_are_not():
    assert [row.problem for row in rows("Name,Phone\n,1\nAnna,2")] == ["The name is missing.", ""]


def test_several_columns_of_notes_keep_their_titles():
    form = rows("Name,conditions,Notes,Allergies,Alert\nAnna,asthma,likes tea,nuts,latex")[0].form
    assert form
    assert (form.medical_notes, form.alerts) == ("Conditions: asthma\nlikes tea", "nuts; latex")


def test_a_second_phone_number_is_not_dropped_silently():
    first, second = rows("Name,Mobile,Phone\nAnna,1,2\nBob,,2")
    assert first.form
    assert (first.form.phone, first.note) == ("1", "There is room for one phone number; left out: 2.")
    assert second.form
    assert (second.form.phone, second.note) == ("2", "")


def test_a_mapping_to_a_column_that_is_not_there_is_refused():
    with pytest.raises(Invalid, match="Nome"):
        list(intake.forms(table("Name\nAnna"), {"full_name": ["Nome"]}, "dmy"))


def test_the_synthetic_patients_are_all_read(shared):
    found = tables.read_table((shared / "patients/patients_fhir_flat.csv").read_bytes(), "patients.csv")
    mapping = intake.guess_mapping(found.header)
    assert mapping == {
        "full_name": ["prefix", "given", "family"],
        "date_of_birth": ["birth_date"],
        "deceased": ["deceased"],
        "phone": ["phone"],
        "email": ["email"],
        "alerts": ["allergies"],
        "medical_notes": ["conditions", "medications"],
        "external_id": ["id"],
    }
    read = [row.form for row in intake.forms(found, mapping, intake.guess_order(found, mapping, "US"))]
    assert (len(read), read.count(None)) == (2076, 0)
    assert (sum(form.deceased for form in read if form), sum(bool(form.alerts) for form in read if form)) == (584, 264)


@pytest.mark.parametrize("sign", ["\0", "\x01", "\x1c", "\x7f"])
def test_a_control_character_rejects_its_row_alone(sign):
    bad, good = rows(f"Name,Phone\nAn{sign}na,1\nBob,2")
    assert (bad.form, bad.problem) == (None, "The name contains characters that can't be seen. Please type it again.")
    assert bad.name == "An\ufffdna"
    assert good.form


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("Anna;Bell;31.2.1980;", "Anna Bell"),
        ("Anna;Bell;1.2.1980;;x", "Anna Bell"),
        ("Anna;;1.1.2999;", "Anna"),
        (f"{'x' * 300};Bell;;", "x" * 100 + "…"),
        (";;1.2.1980;", ""),
    ],
    ids=["date", "cells", "future", "long", "none"],
)
def test_a_rejected_row_tells_the_name_as_far_as_it_can_be_read(row, name):
    [found] = rows(f"First name;Last name;DOB;Phone\n{row}")
    assert (found.form, found.name) == (None, name)


def test_a_row_with_an_unusable_email_or_phone_keeps_its_patient_and_says_so():
    [row] = rows(f"Name,Email,Mobile,Phone\nAnna,anna@,{'1' * 41},2")
    assert row.form
    assert (row.form.full_name, row.form.email, row.form.phone) == ("Anna", None, None)
    assert "The e-mail address “anna@” can't be used and was left out." in row.note
    assert f"The phone number “{'1' * 41}” can't be used and was left out." in row.note
    assert "left out: 2" in row.note


def test_a_row_that_is_refused_for_more_than_its_email_tells_all_reasons():
    [row] = rows("Name,Email\n7,anna@")
    assert row.form is None
    assert row.problem.startswith("The name needs at least one letter. The e-mail address does not look right.")


def test_letters_that_a_chosen_encoding_does_not_know_are_told():
    found = tables.read_table("Name;Notes;Shoes\nJosé;x;1\nAnna;y;ü".encode("cp1252"), "x.csv", "utf-8")
    first, second = intake.forms(found, {"full_name": ["Name"], "medical_notes": ["Notes"]}, "dmy")
    assert first.note == "Some letters under “Name” were lost. Please check the encoding."
    assert second.note == ""


def test_a_quotation_mark_that_is_never_closed_costs_one_row():
    table = tables.read_table(b'Name,Phone\nAnna Bell,1\n"Bob Bell,2\nCarl Bell,3\n', "a.csv")
    found = list(intake.forms(table, intake.guess_mapping(table.header), "ymd"))
    assert [(row.line, bool(row.form)) for row in found] == [(2, True), (3, False), (4, True)]
    assert "never closed" in found[1].problem


def test_headings_that_break_off_refuse_the_file():
    with pytest.raises(tables.NotATable, match="never closed"):
        tables.read_table(b'"Name,Phone\nAnna,1\n', "a.csv")


# a damaged file -------------------------------------------------------------------------------------------------------

NAMES = ["José Müller", "Nguyễn Văn A", "Jürgen Groß", "Søren Ågård"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
def test_one_stray_byte_in_a_unicode_file_costs_one_letter_and_its_row_says_so(mark):
    names = NAMES * 50
    data = mark + "\n".join(["Name;Phone", *(f"{name};1" for name in names)]).encode() + b"\nRen\xe9 Petit;9\n"
    found = tables.read_table(data, "x.csv")
    *whole, damaged = intake.forms(found, intake.guess(found), "dmy")
    assert [row.form.full_name for row in whole if row.form] == names
    assert {row.note for row in whole} == {""}
    assert (damaged.line, damaged.note) == (202, "Some letters under “Name” were lost. Please check the encoding.")


def test_a_unicode_file_that_breaks_off_within_a_letter_keeps_its_other_names():
    data = "\n".join(["Name", *NAMES, "Müller"]).encode()[:-5]
    assert data.endswith(b"M\xc3")
    found = tables.read_table(data, "x.csv")
    assert [cells[0] for _line, cells in found.rows] == [*NAMES, "M\ufffd"]


def test_a_marked_file_that_is_mostly_damaged_is_refused():
    with pytest.raises(NotATable, match="damaged"):
        tables.read_table(b"\xef\xbb\xbfa;b\n" + b"\xe9\xff" * 20, "x.csv")


# a file without headings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "headless"), [
    ("Anna Bell,1980-01-02,030 1111111,a@example.com\nBen Bell,1990-02-03,,", True),
    ("Anna Bell,030 1111111\nBen Bell,030 2222222", True),
    ("Anna,anna@example.com\nBen,", True),
    ("Anna;Bell;3. März 1980\nBen;Bell;", True),
    ("Anna;Bell;;\nBen;Bell;1.2.1980;x", True),
    ("Anna,Bell\nBen,Bell", True),
    ("Anna Bell,1980-01-02,030 1111111,Mobile\nBen,1990-02-03,,", True),
    ("Name,Phone\nAnna,030 1111111", False),
    ("Name,Whatever\nAnna,x", False),
    ("Name,Phone,01.02.2024\nAnna,1,x", False),
    ("Nome,Cognome,Nato\nAnna,Bell,1.2.1980\nBen,Bell,", False),
    ("Name,10115\nAnna,x", False),
])
def test_a_first_row_that_is_a_patient_is_told_from_headings(text, headless):
    assert intake.is_headless(table(text)) is headless


def test_without_headings_the_first_row_is_kept_with_its_line_and_the_columns_are_numbered():
    found = tables.without_header(table("\nAnna  Bell,,1980-01-02,\nBen,Ben,,x\nCleo,,,,y\n"))
    assert found.header == ["Column 1", "Column 2", "Column 3", "Column 4"]
    assert found.rows == [(2, ["Anna  Bell", "", "1980-01-02", ""]), (3, ["Ben", "Ben", "", "x"]), (4, ["Cleo", "", "", "", "y"])]


def test_without_headings_the_columns_are_guessed_by_what_they_hold():
    found = tables.without_header(table("Anna,030 1111111,,a@example.com,1980-01-02\nBen,,,b@example.com,\nCleo,,x,,2.3.1980\n"))
    assert intake.guess(found) == {"phone": ["Column 2"], "email": ["Column 4"], "date_of_birth": ["Column 5"]}
