import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib import db, search_words

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


def matches(asked: str, stored: list[str]) -> bool:
    """What PostgreSQL makes of `asked`, for the shapes that `query` writes."""

    def prefix(found: re.Match[str]) -> str:
        word = found[1].replace("''", "'").replace("\\\\", "\\")
        return str(any(lexeme.startswith(word) for lexeme in stored))

    python = re.sub(r"'((?:[^'\\]|''|\\\\)*)':\*", prefix, asked).replace("&", "and").replace("|", "or")
    assert re.fullmatch(r"(?:True|False|and|or|[() ])*", python), asked
    return bool(eval(python or "True"))


def finds(term: str, *, name: str = "Anna Bell", email: str = "", phone: str = "", country: str = "US") -> bool:
    return matches(search_words.query(term, country), search_words.words(name, email, phone, country))


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Straße", "strasse"),
        ("Łódź", "lodz"),
        ("Đặng", "dang"),
        ("Ærø", "aero"),
        ("Œuvre", "oeuvre"),
        ("ISIL ı", "isil i"),
        ("Þór", "thor"),
        ("O’Neill", "o'neill"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
        ("Ёлкин", "елкин"),
        ("أحمد", "احمد"),
        ("٠١٢", "012"),
        ("ＡＢＣ", "abc"),
        ("が", "が"),
        ("한국", "한국"),
        ("邉\U000e0100", "邉"),
        ("कि", "कि"),
    ],
)
def test_spellings_of_one_letter_fold_to_one(text, folded):
    assert search_words.fold(text) == folded


@given(st.text())
def test_composed_and_decomposed_text_fold_alike(text):
    composed, decomposed = (search_words.fold(unicodedata.normalize(form, text)) for form in ("NFC", "NFD"))
    assert composed == decomposed


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("oneill", "Seán O’Neill"),
        ("o'neill", "Sean ONeill"),
        ("neill", "Seán O'Neill"),
        ("O neill sean", "Seán O’Neill"),
        ("nguyen", "Müller-Nguyễn"),
        ("muller", "Müller-Nguyễn"),
        ("mueller", "Müller-Nguyễn"),
        ("Müller", "Hans Mueller"),
        ("mullernguyen", "Müller-Nguyễn"),
        ("aagaard", "Ågård"),
        ("soerensen", "Søren Sørensen"),
        ("strasse", "Anna Straße"),
        ("太郎", "田中太郎"),
        ("田中太郎", "田中 太郎"),
        ("田中 太郎", "田中太郎"),
        ("민수", "김민수"),
        ("ชาย", "สมชาย"),
        ("bell ann", "Anna Bell"),
        ("jose", "José"),
        ("JOSE\u0301", "José"),
        ("4ever", "Anna 4ever"),
    ],
)
def test_a_name_is_found_by_the_start_of_its_words_in_any_spelling(term, name):
    assert finds(term, name=name)


@pytest.mark.parametrize("term", ["ell", "annab", "bell bob", "nna", "3"])
def test_a_patient_is_not_found_by_the_middle_of_a_word_or_by_one_word_of_two(term):
    assert not finds(term, phone="555-978-4581")


@pytest.mark.parametrize(
    "term",
    [
        "anna.bell@example.com",
        "ANNA.BELL@EX",
        "bell@example",
        "example.com",
        "@example.com",
        "anna.b",
        "<anna.bell@example.com>",
    ],
)
def test_an_email_is_found_whole_or_by_the_start_of_its_parts(term):
    assert finds(term, name="X", email="Anna.Bell@example.com")
    assert not finds(term, name="X", email="carol@elsewhere.org")


@pytest.mark.parametrize(
    "term",
    [
        "(555) 978-4581",
        "555.978.4581",
        "5559784581",
        "4581",
        "978 4581",
        "+1 555 978 4581",
        "1-555-978-4581",
        "bell 4581",
        "(555) 978-4581 bell",
    ],
)
@pytest.mark.parametrize(
    "stored", ["555-978-4581", "(555) 978-4581", "1-555-978-4581", "+15559784581", "555-978-4581 x12"]
)
def test_a_phone_number_is_found_in_any_format(term, stored):
    assert finds(term, phone=stored)


@pytest.mark.parametrize(
    "term",
    ["+49 151 23456789", "0151 23456789", "0049 151 23456789", "0151/23456789", "456789", "+49 151 234", "0151 234"],
)
@pytest.mark.parametrize("stored", ["+49 151 23456789", "0151 23456789", "0151/234-56789", "0049 151 23456789"])
def test_a_number_is_found_with_and_without_the_country_code(term, stored):
    assert finds(term, phone=stored, country="DE")


def test_an_extension_is_found_with_its_number():
    assert finds("775-8646 x5250", phone="(837) 775-8646 x5250")
    assert not finds("775-8647 x5250", phone="(837) 775-8646 x5250")


def test_each_of_two_numbers_is_found_by_its_end():
    assert finds("4581", phone="555-978-4581, 555-186-2275")
    assert finds("2275", phone="555-978-4581, 555-186-2275")


@pytest.mark.parametrize("term", ["", "   ", "\t\n"])
def test_nothing_to_look_for_is_no_filter(term):
    assert search_words.query(term) == ""


@pytest.mark.parametrize("term", ["%", "***", "'", "\\", ":*&|!<>()", "\0", "''''", "🦷", "\ud800", "-- ;", "''\\ :*"])
def test_signs_alone_find_nobody(term):
    assert not finds(term, name="% *** 🦷 Anna", email="%a@example.com", phone="+49 %30")


def test_at_most_ten_words_are_asked_for():
    assert search_words.query(" ".join(f"w{chr(97 + place)}" for place in range(26))).count(" & ") == 9


def test_a_term_of_twenty_thousand_characters_is_cut():
    for term in ("a" * 20_000, "a-" * 10_000, "1 " * 10_000, "'\\" * 10_000, "ﷺ" * 20_000, "a@" * 10_000, "1" * 20_000):
        assert len(search_words.query(term, "DE").encode()) < 20_000


@given(ANY_TEXT, st.sampled_from(["", "DE", "US", "ZZ"]))
def test_every_term_makes_a_well_formed_query(term, country):
    asked = search_words.query(term, country)
    matches(asked, [])
    assert "\0" not in asked.encode().decode()


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_every_patient_has_storable_words(name, email, phone):
    for word in search_words.words(name, email, phone, "DE"):
        assert 0 < len(word.encode()) < 2_046
        assert "\0" not in word


@given(st.text(st.characters(categories=["L", "N", "Zs"]), min_size=1, max_size=60))
def test_every_name_of_letters_finds_itself(name):
    assert finds(name, name=name)


ASKED = """
    select array_to_tsvector(cast(:words as text[])) @@ cast(:query as tsquery)
    """


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("oneill", True),
        ("o'neill", True),
        ("mueller", True),
        ("4581", True),
        ("(555) 978-4581", True),
        ("a'b@ex", True),
        ("太郎", True),
        ("bob", False),
        ("978-45", False),
        ("4580", False),
    ],
)
def test_postgresql_finds_what_was_stored(alice, term, found):
    stored = search_words.words("Seán O’Neill-Müller 田中太郎", "a'b@example.com", "555-978-4581", "US")
    with db.scope(alice) as scope:
        assert scope.value(ASKED, words=stored, query=search_words.query(term, "US")) is found


@pytest.mark.parametrize(
    "term",
    [
        "'",
        "\\",
        "a'\\b@c",
        ":*&|!<>",
        "a:*&b|c!d<->e",
        "\0a",
        "🦷a",
        "\ud800a",
        "a" * 20_000,
        "a-" * 10_000,
        "ﷺ" * 20_000,
        "'\\" * 10_000,
        "a\\@'" * 5_000,
        "1 " * 10_000,
        "\uffff",
        "𠀀" * 3_000,
    ],
)
def test_no_term_makes_postgresql_fail(alice, term):
    with db.scope(alice) as scope:
        scope.value(ASKED, words=search_words.words(term, term, term, "DE"), query=search_words.query(term, "DE"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=[])) | st.text("'\\:*&|!<>@()a1+-. \0"), min_size=20, max_size=20)
)
def test_no_generated_term_makes_postgresql_fail(alice, terms):
    with db.scope(alice) as scope:
        for term in terms:
            scope.value(ASKED, words=search_words.words(term, term, term, "DE"), query=search_words.query(term, "DE"))
