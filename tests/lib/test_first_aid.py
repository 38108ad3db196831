"""Which of a clinic's own articles may answer a danger that was declared general."""

from uuid import uuid4

import pytest

from lib import assistant, clinic_articles, db, first_aid
from lib.redflags import CATEGORIES


@pytest.mark.parametrize(("title", "sign"), [
    ("Bleeding after an extraction", "bleeding"), ("Bleeding protocol", "bleeding"), ("Chest pain protocol", "heart"),
    ("Allergic reaction protocol", "allergy"), ("Choking policy", "airway"), ("Protocolo de sangrado", "bleeding"),
    ("Protocole saignement", "bleeding"), ("Nachblutung nach Extraktion", "bleeding"), ("Heart attack", "heart"),
])
def test_a_title_names_its_danger_and_no_other(title, sign):
    assert [category for category in CATEGORIES if first_aid.names([title], {category})] == [sign]


@pytest.mark.parametrize("title", ["Medical emergencies", "Emergency plan", "Notfälle", "Urgences médicales"])
def test_an_article_on_emergencies_is_about_them_all(title):
    assert all(first_aid.names([title], {category}) for category in CATEGORIES)


@pytest.mark.parametrize("title", ["Bleeding gums", "Emergency appointments", "Emergency dentist rota", "Broken tooth", "Opening hours", "Price list", "Bad breath", "Toothache", "Infection control policy", "Breathing masks"])
def test_other_titles_name_no_danger(title):
    assert not first_aid.names([title], set(CATEGORIES))


@pytest.mark.parametrize(("title", "question", "sign"), [
    ("Bleeding after an extraction", "Bleeding won't stop after an extraction, what do we do?", "bleeding"),
    ("Bleeding protocol", "Bleeding won't stop, what do we do?", "bleeding"),
    ("Chest pain protocol", "What do we do if somebody has chest pain?", "heart"),
])
def test_the_clinics_own_article_about_the_danger_comes_first(alice, title, question, sign):
    own = clinic_articles.Wording(title, (), "Call Dr Brown.")
    with db.scope(alice) as scope:
        clinic_articles.add(scope, own, article_id=uuid4())
        found = assistant._find_article(scope, question, clinic_articles.active(scope), {sign})
    assert found.title == title
