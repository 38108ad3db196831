"""The room where the articles are read, and where owners write the clinic's own."""

import json
import re
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from lib import article_reviews, articles, clinic_articles, db, drafts
from lib.clinic_articles import Wording
from tests.lib.test_article_reviews import approve
from tests.pages.conftest import texts
from ui import article_list

HOURS = Wording("Opening hours", ("when are you open",), "# Hours\n\nWe are open **Monday to Friday**. And by appointment.")


def add(who, wording=HOURS) -> UUID:
    article_id = uuid4()
    with db.scope(who) as scope:
        clinic_articles.add(scope, wording, article_id=article_id)
    return article_id


def get(who, article_id):
    with db.scope(who) as scope:
        return clinic_articles.get(scope, article_id)


def active(who):
    with db.scope(who) as scope:
        return clinic_articles.active(scope)


def amend(who, article_id, **changes):
    before = get(who, article_id)
    with db.scope(who) as scope:
        clinic_articles.amend(scope, article_id, replace(before.wording, **changes), version=before.version)


def demote(owner, who, role="clinician"):
    from sqlalchemy import text
    with owner.begin() as connection:
        connection.execute(text("update memberships set role = :role where user_id = :me"), {"role": role, "me": who.user_id})


def sections(at) -> dict[str, list[dict]]:
    """What the browser gets, by heading."""
    [element] = [one for one in at.get("bidi_component") if one.proto.component_name == "article_list"]
    return {section["heading"]: section["rows"] for section in json.loads(element.proto.json)["sections"]}


def titles(at) -> list[str]:
    return [row["title"] for rows in sections(at).values() for row in rows]


def search(at, term):
    at.text_input(key="knowledge_search").set_value(term)
    return at.run()


def press(at, label):
    return next(button for button in at.button if button.label == label).click().run()


def labels(at) -> set[str]:
    return {button.label for button in at.button}


def everything(at) -> str:
    return texts(at) + "\n".join(element.proto.body for element in at.get("html"))


# reading -------------------------------------------------------------------------------------------------------------


def test_everybody_finds_the_clinics_own_first_and_then_the_built_in_ones(open_page, alice, bob, mona, rita):
    add(alice)
    for who in (alice, bob, mona, rita):
        found = sections(open_page(who, "knowledge"))
        assert list(found) == ["From this clinic", "Built in"]
        assert [(row["title"], row["opening"]) for row in found["From this clinic"]] == [
            ("Opening hours", "We are open Monday to Friday.")]
        assert all("not yet reviewed by a clinician" in row["state"] for row in found["Built in"])


def test_an_outsider_finds_nothing_of_the_clinic(open_page, alice, charlie):
    article_id = add(alice)
    assert list(sections(open_page(charlie, "knowledge"))) == ["Built in"]
    foreign = everything(open_page(charlie, "knowledge", article=f"own:{article_id}"))
    assert "There is nothing here by that address" in foreign
    assert foreign == everything(open_page(charlie, "knowledge", article=f"own:{uuid4()}"))


@pytest.mark.parametrize("address", ["no-such-article", "own:nonsense", "own:", "<b>"])
def test_an_address_that_leads_nowhere_says_so_beside_the_list(open_page, rita, address):
    at = open_page(rita, "knowledge", article=address)
    assert "There is nothing here by that address" in at.info[0].value
    assert sections(at)


def test_the_search_narrows_the_list_and_says_how_when_nothing_fits(open_page, alice):
    add(alice)
    at = open_page(alice, "knowledge")
    assert titles(search(at, "appointm"))[0] == "Opening hours"
    at = search(at, "zzz [x](http://example.org)")
    assert sections(at) == {}
    assert "\\[x\\]\\(http" in texts(at)
    assert "Every word has to begin" in texts(at)


def test_more_than_a_page_is_turned(open_page, alice, monkeypatch):
    from lib import library
    monkeypatch.setattr(library, "PAGE", 20)
    monkeypatch.setattr(library.find, "__kwdefaults__", {**library.find.__kwdefaults__, "limit": 20})
    at = open_page(alice, "knowledge")
    first = titles(at)
    assert len(first) == 20
    pages = -(-len(articles.read_folder()) // 20)
    at.session_state[f"knowledge_page_{pages}"] = 2
    second = titles(at.run())
    assert first + second == sorted(article.title for article in articles.read_folder())[:40]


def test_a_built_in_article_is_read_in_full_with_its_sources(open_page, rita):
    at = open_page(rita, "knowledge", article="crowns")
    assert "Dental crowns" in [header.value for header in at.header]
    shown = everything(at)
    for words in ("A crown is a cover made to fit", "household glue", "Laguna Beach Dentist", "read 20 Nov 2026",
                  "not yet reviewed by a clinician", "Also found as"):
        assert words in shown
    assert not labels(at) & {"Edit", "Archive", "Mark as reviewed"}


def test_an_own_article_is_read_without_links_images_and_html(open_page, alice, rita):
    article_id = add(alice, Wording("![x](http://evil.example/p.png)", ("<b>", "`code`"),
                                    "[here](http://evil.example) <img src=x> ![y](http://evil.example/y.png)\n\n- **one**"))
    at = open_page(rita, "knowledge", article=f"own:{article_id}")
    shown = [element.value for kind in ("markdown", "header", "caption") for element in getattr(at, kind)
             if re.search("evil|<b|code|<img", element.value)]
    assert len(shown) == 3
    assert not [text for text in shown if re.search(r"(?<!\\)[\[<`]", text)]
    assert any("- **one**" in text for text in shown)
    assert "changed on" in texts(at)
    assert "by Alice Adams" in texts(at)


@pytest.mark.parametrize(("markdown", "sentence"), [
    ("# Hours\n\nFrom **8** to 17. Then not.", "From 8 to 17."), ("- First\n- Second", "First Second"), ("# Only a heading", "Only a heading"),
    ("No end", "No end"), ("Costs 1.50 EUR! And more", "Costs 1.50 EUR!"), ("", "")])
def test_the_list_shows_the_first_sentence_without_its_markup(markdown, sentence):
    assert article_list.first_sentence(markdown) == sentence


# reviewing -----------------------------------------------------------------------------------------------------------


def test_an_approved_clinician_reviews_and_everybody_reads_whose_word_it_is(open_page, alice, bob, rita):
    approve(alice, bob)
    at = press(open_page(bob, "knowledge", article="crowns"), "Mark as reviewed")
    assert "Reviewed by Bob Brown on" in everything(at)
    assert "Review again" in labels(at)
    at = open_page(rita, "knowledge", article="crowns")
    assert "Reviewed by Bob Brown on" in everything(at)
    [crowns] = [row for row in sections(at)["Built in"] if row["key"] == "crowns"]
    assert crowns["reviewed"]
    assert crowns["state"].startswith("Reviewed by Bob Brown on")


def test_without_an_approval_one_is_told_where_to_get_it(open_page, bob, rita):
    at = open_page(bob, "knowledge", article="crowns")
    assert "Mark as reviewed" not in labels(at)
    assert "You submit yours on the page Account" in texts(at)
    assert "approved credentials" not in texts(open_page(rita, "knowledge", article="crowns"))


def test_an_approval_lost_meanwhile_reviews_nothing(open_page, alice, bob):
    from lib import credentials
    approve(alice, bob)
    at = open_page(bob, "knowledge", article="crowns")
    with db.scope(alice) as scope:
        credentials.decide(scope, bob.user_id, "suspended", "because", version=credentials.get(scope, bob.user_id).version)
    press(at, "Mark as reviewed")
    with db.scope(alice) as scope:
        assert article_reviews.of(scope, ["crowns"]) == {}


def test_a_text_that_came_after_the_one_on_the_screen_is_not_reviewed(open_page, alice, bob, owner):
    approve(alice, bob)
    at = open_page(bob, "knowledge", article="crowns")
    with db.scope(bob) as scope:
        newer = replace(articles.get(scope, "crowns"), body="Another text.")
    try:
        with owner.begin() as connection:
            articles.publish(connection, [newer])
        press(at, "Mark as reviewed")
        with db.scope(alice) as scope:
            assert article_reviews.of(scope, ["crowns"]) == {}
        assert "Another text" in texts(at)
    finally:
        with owner.begin() as connection:
            articles.publish(connection, articles.read_folder())


# writing -------------------------------------------------------------------------------------------------------------


def type_in(at, **fields):
    for name, value in fields.items():
        (at.text_input if name == "title" else at.text_area)(key=f"field_{name}").set_value(value)
        at.run()
    return at


def test_an_owner_adds_an_article(open_page, alice):
    at = type_in(open_page(alice, "article_edit"), title=" Opening  hours", other_names="open\n\nÖffnungszeiten\nOpen", body="From **8** to 17.")
    assert "From **8** to 17." in texts(at)  # how it reads
    press(at, "Save")
    [saved] = active(alice)
    assert saved.wording == Wording("Opening hours", ("open", "Öffnungszeiten"), "From **8** to 17.")
    with db.scope(alice) as scope:
        assert drafts.load(scope, "article:new") is None


def test_what_is_wrong_is_said_and_stays_to_be_corrected(open_page, alice):
    at = press(type_in(open_page(alice, "article_edit"), title="Hours", body="x" * 4_001), "Save")
    assert "at most 4,000 characters; this one has 4,001" in at.error[0].value.replace("\\", "")
    assert len(at.text_area(key="field_body").value) == 4_001
    assert active(alice) == []
    press(type_in(at, body="x" * 4_000), "Save")
    assert len(active(alice)) == 1


def test_an_owner_edits_an_article(open_page, alice):
    article_id = add(alice)
    at = open_page(alice, "article_edit", article=f"own:{article_id}")
    assert (at.text_input(key="field_title").value, at.text_area(key="field_other_names").value) == ("Opening hours", "when are you open")
    press(type_in(at, title="Hours"), "Save")
    assert get(alice, article_id).wording == replace(HOURS, title="Hours")


def test_a_reload_brings_the_draft_back(open_page, alice):
    article_id = add(alice)
    type_in(open_page(alice, "article_edit", article=f"own:{article_id}"), body="Half a sen")
    at = open_page(alice, "article_edit", article=f"own:{article_id}")
    assert "Your draft of" in at.info[0].value
    assert at.text_area(key="field_body").value == "Half a sen"
    at = press(at, "Discard draft")
    assert at.text_area(key="field_body").value == HOURS.body
    assert open_page(alice, "article_edit").text_area(key="field_body").value == ""


@pytest.fixture
def late(open_page, alice, hire):
    """Alice has typed into an article that Olga saved meanwhile."""
    olga, article_id = hire(alice, "owner", "Olga Owen"), add(alice)
    at = type_in(open_page(alice, "article_edit", article=f"own:{article_id}"), body="Mine")
    amend(olga, article_id, body="Hers", title="Her title")
    return press(at, "Save"), article_id


def test_a_second_editor_is_told_sees_both_and_loses_nothing(late, alice):
    at, article_id = late
    assert "Olga Owen changed this article" in at.warning[0].value
    assert at.text_area(key="field_body").value == "Mine"
    assert "Hers" in texts(at)
    assert get(alice, article_id).body == "Hers"
    assert labels(at) >= {"Save mine instead", "Take theirs", "Cancel"}
    assert "Save" not in labels(at)


def test_they_may_let_their_own_words_stand(late, alice):
    at, article_id = late
    press(at, "Save mine instead")
    assert get(alice, article_id).wording == replace(HOURS, body="Mine")


def test_but_not_above_a_third_version_they_have_not_seen(late, alice):
    at, article_id = late
    amend(alice, article_id, body="A third one")
    press(at, "Save mine instead")
    assert get(alice, article_id).body == "A third one"
    assert at.text_area(key="field_body").value == "Mine"


def test_or_take_the_others(late, alice):
    at, article_id = late
    press(at, "Take theirs")
    assert (at.text_area(key="field_body").value, at.text_input(key="field_title").value) == ("Hers", "Her title")
    assert get(alice, article_id).version == 2


def test_archiving_can_be_undone(open_page, alice):
    article_id = add(alice)
    at = press(open_page(alice, "knowledge", article=f"own:{article_id}"), "Archive")
    assert "The assistant does not answer from it" in texts(at)
    assert active(alice) == []
    assert "Opening hours" not in titles(at)
    press(at, "Undo")
    assert [article.id for article in active(alice)] == [article_id]
    assert "Opening hours" in titles(at)


def test_archived_ones_are_the_owners_to_find_and_restore(open_page, alice, bob):
    article_id = add(alice)
    with db.scope(alice) as scope:
        clinic_articles.archive(scope, article_id)
    at = open_page(alice, "knowledge")
    at.get("button_group")[0].set_value("archived").run()
    assert list(sections(at)) == ["Archived"]
    press(open_page(alice, "knowledge", article=f"own:{article_id}"), "Restore")
    assert get(alice, article_id).archived_at is None
    assert not open_page(bob, "knowledge").get("button_group")


def test_an_empty_archive_says_what_it_is_for(open_page, alice):
    at = open_page(alice, "knowledge")
    at.get("button_group")[0].set_value("archived").run()
    assert "Nothing is archived." in texts(at)


def test_only_owners_are_offered_to_write(open_page, alice, bob, mona, rita):
    address = f"own:{add(alice)}"
    writing = {"Add article", "Edit", "Archive"}
    assert labels(open_page(alice, "knowledge", article=address)) >= writing
    for who in (bob, mona, rita):
        assert not labels(open_page(who, "knowledge", article=address)) & writing


@pytest.mark.parametrize("label", ["Archive", "Restore"])
def test_a_click_after_losing_the_right_changes_nothing(open_page, alice, hire, owner, label):
    olga, article_id = hire(alice, "owner", "Olga Owen"), add(alice)
    if label == "Restore":
        with db.scope(alice) as scope:
            clinic_articles.archive(scope, article_id)
    before = get(alice, article_id)
    at = open_page(olga, "knowledge", article=f"own:{article_id}")
    demote(owner, olga)
    press(at, label)
    assert get(alice, article_id) == before


def test_nobody_edits_a_built_in_or_a_foreign_one(open_page, alice, charlie):
    article_id = add(alice)
    for who, address in ((alice, "crowns"), (charlie, f"own:{article_id}"), (alice, f"own:{uuid4()}")):
        at = open_page(who, "article_edit", article=address)
        assert at.exception
        assert not at.text_input
