"""What only this clinic can say: who reads it, who writes it, and that nothing is lost or overwritten."""

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text

from lib import clinic_articles, db
from lib.clinic_articles import Wording
from lib.errors import AppError, Changed, Forbidden, Invalid, NotFound

HOURS = Wording("Opening hours", ("when are you open", "Öffnungszeiten"), "We are open **Monday to Friday**, 8 to 17.")


def add(who, wording=HOURS, article_id=None):
    article_id = article_id or uuid4()
    with db.scope(who) as scope:
        clinic_articles.add(scope, wording, article_id=article_id)
    return article_id


def get(who, article_id):
    with db.scope(who) as scope:
        return clinic_articles.get(scope, article_id)


def amend(who, article_id, wording, version=1):
    with db.scope(who) as scope:
        clinic_articles.amend(scope, article_id, wording, version=version)


def active(who):
    with db.scope(who) as scope:
        return clinic_articles.active(scope)


def act(who, deed, article_id):
    with db.scope(who) as scope:
        deed(scope, article_id)


def audited(who) -> list:
    with db.scope(who) as scope:
        return scope.connection.execute(text("""
            select action, resource_id, fields, audit_log::text as everything from audit_log where resource = 'clinic_article' order by id
            """)).all()


# reading -------------------------------------------------------------------------------------------------------------


def test_everybody_of_the_clinic_reads_what_the_owner_wrote_and_an_outsider_reads_nothing(alice, bob, mona, rita, charlie):
    article_id = add(alice)
    for who in (alice, bob, mona, rita):
        found = get(who, article_id)
        assert (found.wording, found.version, found.changed_by) == (HOURS, 1, "Alice Adams")
        assert [article.id for article in active(who)] == [article_id]
    assert active(charlie) == []
    with pytest.raises(NotFound):
        get(charlie, article_id)
    with pytest.raises(NotFound):
        get(charlie, uuid4())


def test_the_assistant_gets_what_it_ranks_by(alice):
    add(alice)
    add(alice, Wording("aftercare", (), "Rest."))
    rest, hours = active(alice)
    assert (rest.title, hours.title) == ("aftercare", "Opening hours")
    assert (hours.other_names, hours.keywords, hours.body, hours.version) == (HOURS.other_names, (), HOURS.body, 1)
    assert hours.updated_at.tzinfo
    assert hash(hours)


# writing -------------------------------------------------------------------------------------------------------------


def test_nobody_but_an_owner_writes(alice, bob, mona, rita):
    article_id = add(alice)
    for who in (bob, mona, rita):
        for deed in (lambda who=who: add(who), lambda who=who: amend(who, article_id, replace(HOURS, title="Mine")),
                     lambda who=who: act(who, clinic_articles.archive, article_id),
                     lambda who=who: act(who, clinic_articles.restore, article_id)):
            with pytest.raises(Forbidden):
                deed()
    assert get(alice, article_id).wording == HOURS
    assert len(active(alice)) == 1


def test_the_database_alone_refuses_the_others_too(alice, bob):
    article_id = add(alice)
    with db.scope(bob) as scope:
        assert scope.run("update clinic_articles set title = 'x' where clinic_id = :clinic_id and id = :id", id=article_id) == 0
    with pytest.raises(Forbidden), db.scope(bob) as scope:
        scope.run("insert into clinic_articles (clinic_id, user_id, title, body) values (:clinic_id, :me, 'x', 'x')", me=bob.user_id)


def test_an_outsider_changes_nothing(alice, charlie):
    article_id = add(alice)
    for deed in (lambda: amend(charlie, article_id, replace(HOURS, title="Stolen")),
                 lambda: act(charlie, clinic_articles.archive, article_id)):
        with pytest.raises(NotFound):
            deed()
    assert get(alice, article_id).wording == HOURS


def test_an_older_version_overwrites_nothing(alice):
    article_id = add(alice)
    amend(alice, article_id, replace(HOURS, title="First tab"))
    with pytest.raises(Changed, match="your text stays here"):
        amend(alice, article_id, replace(HOURS, title="Second tab"), version=1)
    assert (get(alice, article_id).title, get(alice, article_id).version) == ("First tab", 2)
    amend(alice, article_id, replace(HOURS, title="Second tab"), version=2)
    assert get(alice, article_id).title == "Second tab"


def test_saving_what_stands_there_already_is_no_change(alice):
    article_id = add(alice)
    amend(alice, article_id, replace(HOURS, title=" Opening  hours "), version=99)
    assert get(alice, article_id).version == 1
    assert [row.action for row in audited(alice)] == ["add"]


def test_adding_the_same_one_twice_adds_one(alice):
    article_id = add(alice)
    add(alice, article_id=article_id)
    assert len(active(alice)) == 1
    assert [row.action for row in audited(alice)] == ["add"]


def test_archived_it_answers_nobody_and_restored_it_does_again(alice, bob):
    article_id = add(alice)
    for _twice in range(2):
        act(alice, clinic_articles.archive, article_id)
    assert active(alice) == []
    assert get(alice, article_id).archived_at
    with pytest.raises(NotFound):
        get(bob, article_id)
    for _twice in range(2):
        act(alice, clinic_articles.restore, article_id)
    assert [article.id for article in active(bob)] == [article_id]
    assert [row.action for row in audited(alice)] == ["add", "archive", "restore"]


def test_every_act_is_on_record_by_the_names_of_its_fields(alice):
    article_id = add(alice, Wording("Prices", (), "canaryprice"))
    amend(alice, article_id, Wording("Prices", ("fees",), "canaryprice two"))
    rows = audited(alice)
    assert [(row.action, row.fields, row.resource_id) for row in rows] == [
        ("add", ["title", "body"], str(article_id)), ("change", ["other_names", "body"], str(article_id))]
    assert not [row for row in rows if "canary" in row.everything or "fees" in row.everything]


# what may be written -------------------------------------------------------------------------------------------------


def test_the_text_is_tidied(alice):
    article_id = add(alice, Wording(" Opening \t hours\x00", ("", " open ", "Open", "when\nopen"), "\r\nLine one\r\nline two\x00\ud800\n"))
    assert get(alice, article_id).wording == Wording("Opening hours", ("open", "when open"), "Line one\nline two")


@pytest.mark.parametrize(("change", "sentence"), [
    ({"title": " \n"}, "A title is missing"), ({"body": "  "}, "The text is missing"),
    ({"title": "x" * 201}, "at most 200 characters; this one has 201"), ({"body": "x" * 4_001}, "at most 4,000 characters; this one has 4,001"),
    ({"other_names": tuple(f"name {n}" for n in range(51))}, "At most 50 other names"),
    ({"other_names": ("y" * 101,)}, "“y+ …” has 101")])
def test_what_does_not_fit_is_refused_in_words(alice, change, sentence):
    with pytest.raises(Invalid, match=sentence):
        add(alice, replace(HOURS, **change))
    assert active(alice) == []


def test_what_just_fits_is_kept(alice):
    most = Wording("x" * 200, tuple(f"{n} " + "y" * 97 for n in range(50)), "🦷" * 4_000)
    assert get(alice, add(alice, most)).wording == most


def test_nobody_deletes(alice):
    add(alice)
    with pytest.raises(AppError), db.scope(alice) as scope:
        scope.run("delete from clinic_articles where clinic_id = :clinic_id")
