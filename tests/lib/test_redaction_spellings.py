"""Known values as people misspell, dictate and part them, and the rows of numbers of a dental record."""

from datetime import date

import pytest

from lib.redaction import Redactor, Subject
from tests.lib.test_redaction import HOSTILE, _much, _seconds

NOBODY = Subject()
CHRISTMAS = Subject(date_of_birth=date(1979, 12, 25))
MARCH = Subject(date_of_birth=date(1980, 3, 3))


def redact(text: str, subject: Subject) -> str:
    return Redactor(subject).redact(text)


# Names


@pytest.mark.parametrize(("name", "texts"), [
    ("Kees van Dam", "VanDam vandam VANDAM"), ("Luis Di Marco", "DiMarco dimarco"), ("María Del Río", "DelRio delrio"),
    ("Ana de la Fuente", "delafuente DelaFuente lafuente"), ("Zoë van den Berg", "vandenberg VanDenBerg denberg"),
    ("Lars von Trier", "vonTrier vontrier"), ("Eva de la Cruz-Soto", "DELACRUZ delacruz"), ("María del Carmen González", "delcarmen"),
    ("Jan von Müller", "vonMüller vonmueller"), ("Trier, Lars von", "Trier"),
])
def test_a_name_and_its_particles_written_as_one_are_replaced(name, texts):
    for text in texts.split():
        assert redact(f"{text}s tooth, {text}!", Subject(name)) == "[patient]s tooth, [patient]!"


@pytest.mark.parametrize(("name", "text"), [
    ("Kees van Dam", "the van, a vandal, Vandamme"), ("Ana de la Fuente", "de la muela"), ("Alvan Dale", "vandale"), ("Jo von B.", "vonb")])
def test_particles_joined_with_anything_else_stay(name, text):
    assert redact(text, Subject(name)) == text


# Ids


@pytest.mark.parametrize(("one", "texts"), [
    ("AB12345", "AB12345|AB-12345|AB 12345|AB/12345|ab.12345|AB12 345|AB_12345|AB-123-45"), ("123456", "123-456|12 34 56|123.456|123/456|123 456|1 2 3 4 5 6"),
    ("P-00123-45", "P-123-45|P12345|p 00123 45|P-00123 - 45|P:00123:45"), ("A123", "A-123"), ("AB-12", "AB12|ab 12"), ("0012345", "123-45|0012 345|00-12345"),
    ("0198c0de-aaaa-7bbb-8ccc-0123456789ab", "198C0DE-AAAA-7BBB-8CCC-0123456789AB"),
])
def test_an_id_is_replaced_with_separators_that_are_not_stored(one, texts):
    for text in texts.split("|"):
        assert redact(f"file {text}, please", Subject(ids=(one,))) == "file [id], please"


@pytest.mark.parametrize(("one", "text"), [
    ("1042", "10 42, 10-42, 1 0 4 2"), ("123", "1 2 3 and 123"), ("AT12", "at 12 and at 12.30"), ("AB-0012", "ab 12"), ("A-0036", "a 36"),
    ("123456", "112 345 67, 123 457, 12 34 57"), ("12345", "teeth 1 2 3 4 5 6"), ("AB12345", "AB 12346, CAB 12345"),
])
def test_what_is_not_the_whole_id_stays_and_a_short_id_takes_no_other_number(one, text):
    assert Redactor(Subject(ids=(one,))).redact(text, known_only=True) == text


def test_a_phone_number_that_holds_the_digits_of_an_id_is_replaced_as_a_whole():
    assert redact("+49 170 123 45 67", Subject(phone="+49 170 1234567", ids=("12345",))) == "[phone]"


# The birth date


@pytest.mark.parametrize("written", [
    "25ème décembre 1979", "25e décembre 1979", "the twenty-fifth of December 1979", "December twenty fifth, 1979", "fünfundzwanzigster Dezember 1979",
    "fuenfundzwanzigsten Dezember 79", "veinticinco de diciembre de 1979", "vingt-cinq décembre 1979", "vingt-cinquième décembre 1979",
    "25.12.\n1979", "1979-12-\n25", "25\n12\n1979", "25.12.\n79", "25|12|1979", "25:12:1979", "25;12;1979", "25\\12\\1979",
    "25 December in 1979", "25. December of the year 1979", "25th day of December, 1979", "25 de diciembre del año 1979", "25. Dezember im Jahr 1979",
])
def test_the_birth_date_in_words_over_lines_and_with_other_signs_is_replaced(written):
    assert redact(f"on {written}; tooth 36", CHRISTMAS).removeprefix("on ").removeprefix("the ") == "[birth date]; tooth 36"


@pytest.mark.parametrize("day", range(1, 32))
@pytest.mark.parametrize("words", [
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth "
    "nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth "
    "thirtieth thirty-first",
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós "
    "veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve treinta treinta_y_uno",
    "premier deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf vingt vingt_et_un vingt-deux "
    "vingt-trois vingt-quatre vingt-cinq vingt-six vingt-sept vingt-huit vingt-neuf trente trente_et_un",
    "ersten zweiten dritten vierten fünften sechsten siebten achten neunten zehnten elften zwölften dreizehnten vierzehnten fünfzehnten sechzehnten "
    "siebzehnten achtzehnten neunzehnten zwanzigsten einundzwanzigsten zweiundzwanzigsten dreiundzwanzigsten vierundzwanzigsten fünfundzwanzigsten "
    "sechsundzwanzigsten siebenundzwanzigsten achtundzwanzigsten neunundzwanzigsten dreißigsten einunddreißigsten",
])
def test_every_day_is_known_in_words_of_four_languages(day, words):
    word = words.split()[day - 1].replace("_", " ")
    text = f"{word} mar 1980"
    assert redact(text, Subject(date_of_birth=date(1980, 3, day))) == "[birth date]"
    assert redact(text, Subject(date_of_birth=date(1981, 3, day))) == text


@pytest.mark.parametrize("text", ["03 03 80 geboren", "3.3. Geburtstag", "3 March is her birthday", "3/3, date of birth", "born on the third of March",
                                  "3 de mzo. de 1980", "cumpleaños: tres de marzo"])
def test_a_word_for_birth_counts_behind_the_day_too(text):
    assert "[birth date]" in redact(text, MARCH)


@pytest.mark.parametrize("text", ["seen on the third of March", "3/3, ne mange pas", "third of March 2024", "4.3.\n1980", "3.3. Kontrolle", "fourth of March 1980",
                                  "the third tooth", "03:03 Uhr"])
def test_other_days_in_words_and_over_lines_stay(text):
    assert redact(text, MARCH) == text


# The mailbox


@pytest.mark.parametrize("written", [
    "redfox77 at web.de", "redfox77 (at) web.de", "redfox77(at)web.de", "redfox77 [at] web [dot] de", "redfox77 arroba web punto de", "redfox77 AT web DOT de",
    "redfox77 ät web Punkt de", "redfox77 arobase web point de", "redfox77%40web.de", "redfox77@web de", "redfox77@web,de", "redfox77@\nweb.de",
    "redfox77\n@web.de", "redfox77@web", "redfox77 @ web . de",
])
def test_the_known_mailbox_is_replaced_as_it_is_told(written):
    assert redact(f"write to {written}, please", Subject(email="redfox77@web.de")) == "write to [email], please"


@pytest.mark.parametrize("written", ["maria.jose+dental at gmail.com", "maria dot jose plus dental at gmail dot com", "maria.jose%2Bdental%40gmail.com",
                                     "maria.jose+dental@\ngmail.com", "maria.jose+dental@gmail"])
def test_a_told_mailbox_that_holds_the_name_goes_as_a_whole(written):
    assert redact(written, Subject("María José", email="maria.jose+dental@gmail.com")) == "[email]"


@pytest.mark.parametrize("text", ["anna at home is ill", "at home.de", "hanna at home.de"])
def test_words_beside_a_mailbox_that_is_told_stay(text):
    assert redact(text, Subject(email="anna@home.de")) == text


# Rows of numbers


@pytest.mark.parametrize("text", [
    "dientes 1.1 1.2 2.1 2.2 con sarro", "1.6/2.6/3.6/4.6", "piezas 1.1-1.2-2.1-2.2", "1-1 1-2 2-1 2-2", "teeth 30 19 14 3", "Zähne: 30 19 14 3",
    "PPD 3 2 3 4 2 3 5 4 3", "3 2 3 4 2 3 5 4 3", "2 3 2 / 3 4 3 / 2 2 2", "323/434/545", "probing depths 323 434 545", "Sondierungstiefen: 323 434 545",
    "PSI 2 1 2 3 2 1 0", "BPE 2 1 2 3 1 2 4", "RR 140/90 130/85 120/80", "10.30 11.15 12.45 Uhr", "08-12/14-18", "8-12 14-18", "GOZ 2197 2060",
    "fee 120 130 140 150", "BEMA 13 25 28 32 35", "20 30 40 50 60 mg", "ibuprofen 600-600-600", "400-0-400", "VAS 7/10 3/10 2/10",
    "temp 37.5 38.2 39.1", "2.5 3.1 2.8 3.3", "ISO 10 15 20 25 30 35 40", "5 4 6 7 8 3 2 mm",
])
def test_rows_of_the_numbers_of_dentistry_stay(text):
    assert redact(text, NOBODY) == text


@pytest.mark.parametrize("number", [
    "0049 30 1234567", "(555) 123-4567", "06 12 34 56 78", "612 34 56 78", "612 345 678", "030 123 45 67", "+34 612 345 678", "22 19 14 31",
    "30 123 45 67", "1 2 1 2 3 7 8", "555-123-412", "+1.1 1.2 2.1 2.2", "6.12 34.56", "(140) 130 120",
])
@pytest.mark.parametrize("before", ["call", "my teeth hurt, call", "Eva", "fee: call"])
def test_what_is_written_like_a_phone_number_is_masked(number, before):
    assert redact(f"{before} {number} now", NOBODY) == f"{before} [number] now"


@pytest.mark.parametrize("text", ["teeth 612 34 56 78", "fee 30 123 45 67", "fee 612 345 678", "temp +34 612 345 678", "PSI 06 12 34 56 78", "06 12 34 56 78 Uhr",
                                  "GOZ 4111111111111111", "teeth 30 19 14 49"])
def test_a_word_of_dentistry_explains_no_phone_number(text):
    assert "[number]" in redact(text, NOBODY)


@pytest.mark.parametrize("text", ["teeth 30 19 14 3", "PSI 2 1 2 3 2 1 0", "323/434/545", "20 30 40 50 60 mg", "1.1 1.2 2.1 2.2"])
def test_the_known_phone_number_is_no_row(text):
    digits = "".join(filter(str.isdigit, text))
    assert "[phone]" in redact(text, Subject(phone=digits))


@pytest.mark.parametrize("piece", [*HOSTILE, "5551234,\n", "00123456, 5551234;\n", "120/80,5551234\n"])
def test_hostile_text_costs_no_more_than_its_length_for_a_subject_of_many_spellings(piece):
    redactor = Redactor(Subject("Jose de la van der Muller", date(2007, 7, 7), "5551234", "jose.m+a.b@example.org", ("1234512345", "AB-0010427", "00123456")))
    text = (piece * 20_000)[:20_000]
    redactor.redact(text)
    assert min(_seconds(redactor, text) for _ in range(3)) < _much()
