"""Known values as people misspell, dictate and part them, and the rows of numbers of a dental record."""

from datetime import date

import pytest

from lib.redaction import Redactor, Subject
from lib.redaction_dates import DateFinder
from lib.redaction_names import WORDS
from lib.redaction_reading import Reading
from lib.search_words import fold
from tests.lib.test_redaction import HOSTILE, _much, _seconds

NOBODY = Subject()
CHRISTMAS = Subject(date_of_birth=date(1979, 12, 25))
MARCH = Subject(date_of_birth=date(1980, 3, 3))


def redact(text: str, subject: Subject) -> str:
    return Redactor(subject).redact(text)


# Names


@pytest.mark.parametrize(("name", "texts"), [
    ("Kees van Dam", "VanDam vandam VANDAM"), ("Luis Di Marco", "DiMarco dimarco"), ("María Del Río", "DelRio delrio"),
    ("Ana de la Fuente", "delafuente DelaFuente lafuente"), ("Zoë van den Berg", "vandenberg VanDenBerg denberg vdBerg"),
    ("Lars von Trier", "vonTrier vontrier"), ("Eva de la Cruz-Soto", "DELACRUZ delacruz"), ("María del Carmen González", "delcarmen"),
    ("Jan von Müller", "vonMüller vonmueller"), ("Trier, Lars von", "Trier"),
])
def test_a_name_and_its_particles_written_as_one_are_replaced(name, texts):
    for text in texts.split():
        assert redact(f"{text}s tooth, {text}!", Subject(name)) == "[patient]s tooth, [patient]!"


@pytest.mark.parametrize(("name", "texts"), [
    ("María Ruiz", "M a r i a|m a r í a|M-A-R-I-A|M.a.r.i.a|M_a_r_i_a|M  a  r  i  a|R u i z"), ("José Müller", "Mul ler|Mül-ler|M ü l l e r|m u e l l e r|Muel\nler"),
    ("Eva Weiß", "W e i ß|E v a"), ("Bo Li", "B o L i|b-o-l-i"), ("Tony D'Angelo", "Ang elo|A n g e l o"), ("Rose Will", "w i l l|r-o-s-e"),
])
def test_a_name_in_pieces_is_replaced(name, texts):
    for text in texts.split("|"):
        assert redact(f"so {text}'s tooth 36", Subject(name)) == "so [patient]'s tooth 36"


@pytest.mark.parametrize(("name", "text"), [
    ("Isa Toman", "there is a chip, up to man or child"), ("Mary Asif", "mar y sal, as if"), ("Alan Norman", "al an, nor man"), ("Lê An", "Léa n'a plus mal"),
    ("Adela Sander", "a de la mano, anders and er"), ("Ana Bo", "an a b o"), ("Maria", "m a r, a r i a, ma"), ("Marin", "Mari n'est pas là"),
])
def test_words_that_would_make_a_name_together_stay(name, text):
    assert redact(text, Subject(name)) == text


@pytest.mark.parametrize(("name", "text", "expected"), [
    ("Peter Klein", "herr klein hat einen klein bisschen losen zahn", "herr [patient] hat einen klein bisschen losen zahn"),
    ("Amélie Petit", "mme petit a un petit abcès", "mme [patient] a un petit abcès"), ("Luis Blanco", "el señor blanco: esmalte blanco", "el señor [patient]: esmalte blanco"),
    ("Rose Will", "mrs. will will come", "mrs. [patient] will come"),
])
def test_a_name_that_is_a_common_word_is_one_behind_a_title(name, text, expected):
    assert redact(text, Subject(name)) == expected


@pytest.mark.parametrize(("name", "text"), [
    ("Kees van Dam", "the van, a vandal, Vandamme"), ("Ana de la Fuente", "de la muela"), ("Alvan Dale", "vandale"), ("Jo von B.", "vonb")])
def test_particles_joined_with_anything_else_stay(name, text):
    assert redact(text, Subject(name)) == text


@pytest.mark.parametrize(("name", "texts"), [
    ("Tom Drinkwater", "Can he drink water after the extraction?|Can he drink\nwater?|Do not drink-water"), ("Ann Newman", "a new man"), ("Bill Goodman", "a good man"),
    ("Ayla Demir", "Vitamina A y la dosis|vitaminas a y la dosis"), ("Aye Win", "Vitaminas A y E"), ("Ana Buendia", "tenga un buen dia"), ("Eva Aguasal", "con agua sal"),
    ("Eva Kaltwasser", "darf er kalt wasser trinken|kalt\nwasser"), ("Uwe Weinberg", "wein berg"), ("Hans Reichbrot", "wer reich brot isst"),
    ("Marc Bonjour", "bon jour"), ("Luc Painblanc", "du pain blanc"), ("Eve Maldent", "il a mal dent 36"), ("Abel Smith", "teeth A B E L are loose"),
    ("Jo De Lay", "delay the extraction"), ("Al Di Stal", "the distal wall"),
])
def test_words_of_a_clinic_that_would_make_a_name_together_stay(name, texts):
    for text in texts.split("|"):
        assert redact(text, Subject(name)) == text


@pytest.mark.parametrize(("name", "text"), [
    ("Lena Stark", "wenn die Frau stark blutet"), ("Lena Stark", "Frau mit stark losem Zahn"), ("Rose Will", "his MS will get worse, every hr will count"),
    ("Ann May", "after 1 hr may he eat"), ("Sin Park", "la señora sin dolor"), ("No Min", "la señora no come"), ("Qui Lê", "Madame qui saigne"), ("Ana Petit", "une madame petit à petit"),
])
def test_a_word_behind_what_is_no_title_stays(name, text):
    assert redact(text, Subject(name)) == text


@pytest.mark.parametrize(("name", "text"), [("Rose Will", "Ms will called, ms. will called"), ("Eva Klein", "Hr. klein, Hr klein"), ("Luis Blanco", "don. blanco")])
def test_a_title_that_is_a_word_counts_with_a_dot_or_a_capital(name, text):
    assert "[patient]" in redact(text, Subject(name))
    assert not {"will", "klein", "blanco"} & set(redact(text, Subject(name)).lower().replace(",", "").split())


def test_the_words_that_are_no_pieces_of_names_are_folded_and_short():
    assert all(word == fold(word) and 1 < len(word) < 13 for word in WORDS)


# Ids


@pytest.mark.parametrize(("one", "texts"), [
    ("AB12345", "AB12345|AB-12345|AB 12345|AB/12345|ab.12345|AB12 345|AB_12345|AB-123-45"), ("123456", "123-456|12 34 56|123.456|123/456|123 456|1 2 3 4 5 6"),
    ("P-00123-45", "P-123-45|P12345|p 00123 45|P-00123 - 45|P:00123:45"), ("A123", "A-123"), ("AB-12", "AB12|ab 12"), ("0012345", "123-45|0012 345|00-12345"),
    ("0198c0de-aaaa-7bbb-8ccc-0123456789ab", "198C0DE-AAAA-7BBB-8CCC-0123456789AB"),
])
def test_an_id_is_replaced_with_separators_that_are_not_stored(one, texts):
    for text in texts.split("|"):
        assert redact(f"file {text}, please", Subject(ids=(one,))) == "file [id], please"


@pytest.mark.parametrize(("one", "text", "expected"), [
    ("HC-10293", "HC n.º 10293, HC nº10293, hc no. 10293, HC#10293", "[id], [id], [id], [id]"),
    ("HC-10293", "patient 10293, historia 10293, file no. 10293, Akte: 10293", "patient [id], historia [id], file no. [id], Akte: 10293"),
    ("P-00482", "patient no. 00482, tooth 48 2 mm", "patient no. [id], tooth 48 2 mm"),
])
def test_an_id_is_replaced_behind_a_word_for_numbers(one, text, expected):
    assert redact(text, Subject(ids=(one,))) == expected


@pytest.mark.parametrize(("one", "text"), [
    ("A-123", "patient 123"), ("HC-10293", "10293 € and HC 10294, patient 102931, file 1029"),
    ("1042", "10 42, 10-42, 1 0 4 2"), ("123", "1 2 3 and 123"), ("AT12", "at 12 and at 12.30"), ("AB-0012", "ab 12"), ("A-0036", "a 36"),
    ("123456", "112 345 67, 123 457, 12 34 57"), ("12345", "teeth 1 2 3 4 5 6"), ("AB12345", "AB 12346, CAB 12345"),
])
def test_what_is_not_the_whole_id_stays_and_a_short_id_takes_no_other_number(one, text):
    assert Redactor(Subject(ids=(one,))).redact(text, known_only=True) == text


@pytest.mark.parametrize(("one", "texts"), [
    ("AM-2000", "Gave the patient 2000 mg amoxicillin|at 8 am 2000 mg|patient 2000 to 3000 mg|file 2000-3000 ml|paciente 2000 ml|Patientin 2000 IE|patiente 2000,5 mg"),
    ("HC-2019", "en la historia 2019 consta|the file 2019 says|Akte 2019|dossier 2019"), ("K-2197", "GOZ Nr. 2197 abrechnen|GOZ-Nummer 2197|ref no. 2197|implante serie n° 2197"),
    ("E-2000", "en 2000 pacientes"), ("I-2000", "in 2000 patients"), ("A-2000", "el año 2000|a 2000 mg dose|an 2000 Tagen"), ("P-1430", "patient 1430 Uhr|Patientin 1430 h"),
    ("2000", "2000 mg|$2000|2000 €|2000 percent"), ("88213", "88 213 Euro"), ("AT-77120", "at 77 120 beats"), ("NR-1200", "Akte 1200 Euro|fiche 1200 francs"),
])
def test_an_amount_a_year_and_the_number_of_something_else_are_no_id(one, texts):
    for text in texts.split("|"):
        assert Redactor(Subject(ids=(one,))).redact(text, known_only=True) == text


@pytest.mark.parametrize(("one", "texts"), [
    ("AM-2000", "patient 2000 called|patient 2000 - 500 mg|AM 2000|file no. 2000|patient 2000 zahn 36|patient 2000 mal à la dent|patiente 2000 l'enfant tousse"), ("HC-2019", "patient no. 2019|historia n° 2019|id 2019|HC 2019"),
    ("P-10427", "patient 10427 i.e. his son|patient 10427 a 500 mg|Patient 10427 teeth 36"), ("K-2197", "Akte Nr. 2197|k2197|K-Nr. 2197"), ("P-1430", "patient 1430|patient 1430 hat Fieber"),
])
def test_beside_amounts_and_years_an_id_is_replaced_as_before(one, texts):
    for text in texts.split("|"):
        assert "[id]" in redact(text, Subject(ids=(one,)))


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


@pytest.mark.parametrize(("birth", "texts"), [
    (date(1984, 3, 7), "seventh of March nineteen eighty-four|March seventh, nineteen-eighty-four|7 March eighty four|siebter März neunzehnhundertvierundachtzig"
     "|siebten dritten vierundachtzig|siete de marzo de mil novecientos ochenta y cuatro|siete del tres del ochenta y cuatro|7 del 3 de 1984|7th of the 3rd, 1984"
     "|sept mars mille neuf cent quatre-vingt-quatre|7 mars dix-neuf cent quatre vingt quatre|nineteen eighty-four, March 7|7*3*1984|7=3=1984|07~03~1984"),
    (date(1999, 4, 23), "23 avril quatre-vingt-dix-neuf|vingt-trois avril mil neuf cent nonante-neuf|23. April neunundneunzig"),
    (date(1971, 1, 1), "1er janvier soixante et onze|ersten ersten einundsiebzig|uno de enero del setenta y uno"),
    (date(1980, 1, 31), "31 de enero de mil novecientos ochenta|31 janvier quatre-vingts|31. Januar neunzehnhundertachtzig"),
    (date(2001, 6, 3), "June third twenty oh one|3 June two thousand and one|tres de junio de dos mil uno|3 juin deux mille un|3. Juni zweitausendundeins"),
    (date(2012, 6, 3), "June third twenty twelve|dritter sechster zweitausendzwölf"), (date(2000, 6, 3), "3 June two thousand|3. Juni zweitausend"),
])
def test_a_birth_date_whose_year_or_month_is_told_is_replaced(birth, texts):
    for text in texts.split("|"):
        assert redact(f"{text}; tooth 36", Subject(date_of_birth=birth)) == "[birth date]; tooth 36"


@pytest.mark.parametrize("text", ["born in nineteen eighty-four", "year of birth: nineteen eighty four", "nacida en mil novecientos ochenta y cuatro",
                                  "née en mille neuf cent quatre-vingt-quatre", "geboren im Jahr neunzehnhundertvierundachtzig"])
def test_the_year_in_words_is_replaced_beside_a_word_for_birth(text):
    assert redact(text, Subject(date_of_birth=date(1984, 3, 7))).endswith(" [birth date]")


@pytest.mark.parametrize(("birth", "text"), [
    (date(1984, 3, 7), "implant of nineteen eighty-four, eighty-four percent, 7 of 3 teeth, mil novecientos euros, seventh of March nineteen eighty-five"),
    (date(2000, 1, 1), "seen on 1 January, first of January twenty"), (date(1899, 1, 1), "first of January nineteen ninety-nine"),
    (date(2012, 6, 3), "twenty twelve-hour shifts, 3 June"),
])
def test_other_numbers_in_words_stay(birth, text):
    assert redact(text, Subject(date_of_birth=birth)) == text


@pytest.mark.parametrize(("birth", "texts"), [
    (date(2003, 2, 1), "Rinse one, two, three times|uno, dos, tres veces|un, deux, trois jours|eins, zwei, drei Tage|the first, second, third molar|lost one of two in 2003"
     "|lost 1 of 2 in 2003|perdió uno de dos en 2003|der erste, zweite, dritte Zahn|born one, two, three weeks early"),
    (date(2002, 5, 1), "may one, two or three crowns be done|may one two"), (date(2009, 9, 8), "sept, huit, neuf jours|huit, sept, neuf"), (date(2008, 9, 6), "six, sept, huit heures"),
    (date(2005, 4, 3), "three, four, five days|tres, cuatro, cinco días|drei, vier, fünf Wochen|trois quatre cinq fois"), (date(2010, 9, 8), "eight nine ten|ocho de nueve de diez"),
    (date(2002, 1, 1), "born twenty-two weeks early"), (date(2000, 1, 2), "1-2 2000 mg tablets|1, 2, 2000 IU|one, two, two thousand mg"), (date(1936, 2, 1), "the first, second, 36 and 37"),
])
def test_counts_and_doses_in_a_row_are_no_birth_date(birth, texts):
    for text in texts.split("|"):
        assert Redactor(Subject(date_of_birth=birth)).redact(text, known_only=True) == text


@pytest.mark.parametrize(("birth", "texts"), [
    (date(2003, 2, 1), "born one two three|born one, two, two thousand and three|first of February two thousand three|1st of the 2nd, 2003|uno del dos de dos mil tres|geboren eins zwei drei"
     "|nacida: uno, dos, tres|née un deux trois|1 del 2 del 03|am ersten zweiten zweitausenddrei|1.2.2003 - 500 mg|né le 1 février 2003 mal à la dent|née 1.2.2003 l'enfant|geb. 1.2.2003 Zahn 36|1.2.2003 i.e. my son|1 feb 2003 teeth"),
    (date(2008, 6, 11), "11 June oh eight|eleventh of June twenty oh eight"), (date(1984, 3, 7), "7. dritten 84|7 of the 3rd 1984|siete de marzo del ochenta y cuatro"),
])
def test_a_birth_date_that_is_told_is_replaced_beside_a_cue_or_with_a_whole_year(birth, texts):
    for text in texts.split("|"):
        assert "[birth date]" in redact(text, Subject(date_of_birth=birth)), text


def test_what_a_text_gives_no_cause_to_is_not_compiled():
    finder, stored = DateFinder(date(1984, 3, 7)), {"_date", "_month_names"}
    finder.find(Reading("what to do after the extraction, it hurts and bleeds"))
    assert set(vars(finder)) == stored
    finder.find(Reading("tooth 36 hurts for two days"))
    assert set(vars(finder)) == stored | {"_digits"}


@pytest.mark.parametrize("text", ["seen on the third of March", "3/3, ne mange pas", "third of March 2024", "4.3.\n1980", "3.3. Kontrolle", "fourth of March 1980",
                                  "the third tooth", "03:03 Uhr"])
def test_other_days_in_words_and_over_lines_stay(text):
    assert redact(text, MARCH) == text


# The mailbox


@pytest.mark.parametrize("written", [
    "redfox77 at web.de", "redfox77 (at) web.de", "redfox77(at)web.de", "redfox77 [at] web [dot] de", "redfox77 arroba web punto de", "redfox77 AT web DOT de",
    "redfox77 ät web Punkt de", "redfox77 arobase web point de", "redfox77%40web.de", "redfox77@web de", "redfox77@web,de", "redfox77@\nweb.de", "redfox77(a)web.de",
    "redfox77\n@web.de", "redfox77@web", "redfox77 @ web . de",
])
def test_the_known_mailbox_is_replaced_as_it_is_told(written):
    assert redact(f"write to {written}, please", Subject(email="redfox77@web.de")) == "write to [email], please"


@pytest.mark.parametrize(("name", "email", "text"), [
    ("", "redfox77@web.de", "RedFox77"), ("", "jose.m84@x.de", "jose.m84"), ("", "jose.m84@x.de", "josem84"), ("Tony D'Angelo", "tdangelo@x.de", "tdangelo"),
    ("Luis Blanco", "luisblanco@x.es", "luisblanco"),
])
def test_what_stands_before_the_at_is_replaced_alone_where_it_is_no_word(name, email, text):
    assert redact(f"write to (@{text}), please", Subject(name, email=email)) in ("write to (@[email]), please", "write to (@[patient]), please")


@pytest.mark.parametrize(("name", "email", "text"), [
    ("Peter Klein", "kleine@x.de", "kleine Fistel"), ("", "sunshine@x.de", "sunshine"), ("", "a.m@x.de", "at 8 a.m"), ("", "12345@x.de", "12345 Euro"),
    ("Ana Ruiz", "banana@x.de", "a banana"), ("", "....a@x.de", "a tooth..."), ("", "redfox77@x.de", "redfox778, aredfox77"),
])
def test_what_stands_before_the_at_stays_alone_where_it_is_a_word(name, email, text):
    assert redact(text, Subject(name, email=email)) == text


@pytest.mark.parametrize(("name", "local", "text"), [
    ("", "b.ridge", "a bridge or an implant"), ("", "m.olar", "is it a molar"), ("", "c.rown", "a crown"), ("", "k.rone", "die Krone"), ("", "pu.ente", "un puente roto"),
    ("", "cou.ronne", "une couronne"), ("", "post-op", "post-op pain"), ("", "and.or", "a crown and/or bridge"), ("", "follow.up", "at the follow-up"), ("", "x-rays", "new x-rays"),
    ("", "zahn36", "Zahn36 tut weh"), ("", "ibu.600", "Ibu600 3x täglich"), ("", "diente11", "el diente11"), ("", "dent.36", "la dent36"),
    ("Gina Roth", "angina", "no angina"), ("Mary Bell", "primary", "primary teeth"), ("Tine Bo", "rou.tine", "a routine visit"), ("Mina Lo", "vitamina", "vitamina C"),
])
def test_words_of_a_clinic_that_a_mailbox_reads_like_stay(name, local, text):
    assert redact(text, Subject(name, email=f"{local}@x.de")) == text


@pytest.mark.parametrize(("name", "local", "texts"), [
    ("", "b.ridge", "b.ridge B.Ridge b.ridge@x.de"), ("José Müller", "jose.m", "jose.m josem jose_m"), ("Peter Klein", "p.klein", "p.klein"), ("", "redfox-web", "redfox-web"),
    ("Ludwig van den Berg", "lvdberg", "lvdberg"), ("Søren Ågård", "sagard", "sagard"), ("Carmen del Río", "carmendelrio", "carmendelrio"), ("", "will.may08", "will.may08 willmay08"),
])
def test_what_stands_before_the_at_is_replaced_with_its_sign_or_where_it_is_made_of_the_name(name, local, texts):
    for text in texts.split():
        assert redact(text, Subject(name, email=f"{local}@x.de")) in ("[email]", "[patient]")


@pytest.mark.parametrize("written", ["maria.jose+dental at gmail.com", "maria dot jose plus dental at gmail dot com", "maria.jose%2Bdental%40gmail.com",
                                     "maria.jose+dental@\ngmail.com", "maria.jose+dental@gmail"])
def test_a_told_mailbox_that_holds_the_name_goes_as_a_whole(written):
    assert redact(written, Subject("María José", email="maria.jose+dental@gmail.com")) == "[email]"


@pytest.mark.parametrize("text", ["anna at home is ill", "at home.de", "hanna at home.de"])
def test_words_beside_a_mailbox_that_is_told_stay(text):
    assert redact(text, Subject(email="anna@home.de")) == text


# The phone number in words


@pytest.mark.parametrize(("phone", "told"), [
    ("0171 5551234", "five five five one two three four"), ("0171 5551234", "fünf, fünf, fünf, eins, zwo, drei, vier"), ("020 7946 0958", "nine four six oh nine five eight"),
    ("612 345 678", "doce treinta y cuatro cincuenta y seis setenta y ocho"), ("06 12 05 90 71", "douze zéro cinq quatre-vingt-dix soixante et onze"),
])
def test_the_end_of_a_phone_number_in_words_is_replaced(phone, told):
    assert redact(f"call {told} please", Subject(phone=phone)) == "call [phone] please"


@pytest.mark.parametrize("text", ["five five five one two three", "five five five one two three five", "twelve of thirty-four"])
def test_other_numbers_in_a_row_stay(text):
    assert redact(text, Subject(phone="0171 5551234")) == text


@pytest.mark.parametrize(("phone", "texts"), [
    ("030 1234567", "teeth one, two, three, four, five, six, seven|uno, dos, tres, cuatro, cinco, seis, siete|eins zwei drei vier fünf sechs sieben|un deux trois quatre cinq six sept"
     "|first, second, third, fourth, fifth, sixth, seventh"), ("10203040", "ISO ten, twenty, thirty, forty"),
])
def test_counting_is_no_phone_number(phone, texts):
    for text in texts.split("|"):
        assert redact(text, Subject(phone=phone)) == text


def test_a_phone_number_that_counts_at_its_end_is_replaced_with_what_is_before_it():
    assert redact("seis uno dos tres cuatro cinco seis siete ocho", Subject(phone="612 345 678")) == "[phone]"


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
