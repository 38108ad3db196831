"""Who may stand for a built-in article, for how long, and that it is said where the article is."""

from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from lib import article_reviews, articles, credentials, db, library
from lib.article_reviews import Review
from lib.errors import Changed, Forbidden, NotFound

SLUG = "crowns"


def approve(boss, who, *statuses):
    """Credentials of somebody, through an owner's decisions."""
    with db.scope(who) as scope:
        credentials.submit(scope, "Endodontics", "DE-4711")
    for status in statuses or ("approved",):
        with db.scope(boss) as scope:
            credentials.decide(scope, who.user_id, status, "because", version=credentials.get(scope, who.user_id).version)


def review(who, slug=SLUG, **more):
    with db.scope(who) as scope:
        article_reviews.review(scope, slug, **more)


def of(who, *slugs):
    with db.scope(who) as scope:
        return article_reviews.of(scope, slugs or [SLUG])


def article(who, slug=SLUG):
    with db.scope(who) as scope:
        return articles.get(scope, slug)


def stamped(who, one=None):
    with db.scope(who) as scope:
        return article_reviews.stamped(scope, one or articles.get(scope, SLUG))


def today(who):
    return datetime.now(ZoneInfo(who.time_zone)).date()


def published_as(owner, who, **changes):
    with owner.begin() as connection:
        articles.publish(connection, [*(one for one in articles.read_folder() if one.slug != SLUG), _changed(article(who), **changes)])


def _changed(one, **changes):
    from dataclasses import replace
    return replace(one, **changes)


@pytest.fixture
def newer(owner, alice):
    """The article with other words, as the next release may bring it; afterwards the one of this release again."""
    @contextmanager
    def publish(**changes):
        published_as(owner, alice, **changes)
        try:
            yield
        finally:
            with owner.begin() as connection:
                articles.publish(connection, articles.read_folder())
    return publish


# who may -------------------------------------------------------------------------------------------------------------


def test_a_clinician_with_approved_credentials_stands_for_an_article_in_their_clinic(alice, bob, mona, rita, charlie):
    approve(alice, bob)
    review(bob)
    for who in (alice, bob, mona, rita):
        assert of(who, SLUG, "root-canal") == {SLUG: Review("Bob Brown", today(who))}
    assert of(charlie) == {}
    assert stamped(charlie) == article(charlie)


def test_an_owner_who_treats_may_too(alice):
    approve(alice, alice)
    review(alice)
    assert of(alice)[SLUG].name == "Alice Adams"


@pytest.mark.parametrize("statuses", [("rejected",), ("approved", "suspended")])
def test_without_a_standing_approval_nobody_may(alice, bob, statuses):
    approve(alice, bob, *statuses)
    with pytest.raises(Forbidden, match="Only clinicians with approved credentials"):
        review(bob)
    assert of(alice) == {}


def test_whoever_submitted_none_is_told_where_to(alice, bob):
    for who in (alice, bob):
        with pytest.raises(Forbidden, match="Submit yours on the page Account"):
            review(who)


def test_an_approval_that_waits_again_is_none(alice, bob):
    approve(alice, bob)
    with db.scope(bob) as scope:
        credentials.submit(scope, "Periodontics", "DE-4711")
    with pytest.raises(Forbidden):
        review(bob)


def test_managers_and_receptionists_are_told_who_does(mona, rita):
    for who in (mona, rita):
        with pytest.raises(Forbidden, match="reviewed by clinicians of this clinic"):
            review(who)


def test_the_database_alone_takes_no_review_in_another_name_or_role(alice, bob, rita):
    sql = """
        insert into article_reviews (clinic_id, slug, user_id, text_hash) values (:clinic_id, 'crowns', :whose, sha256('x'))
        """
    for who, whose in ((rita, rita), (bob, alice)):
        with pytest.raises(Forbidden), db.scope(who) as scope:
            scope.run(sql, whose=whose.user_id)


def test_an_article_that_is_not_there_has_no_review(alice, bob):
    approve(alice, bob)
    with pytest.raises(NotFound):
        review(bob, "no-such-article")


# how long ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"body": "Another text."}, {"title": "Another title"}])
def test_a_changed_text_is_a_draft_again_until_somebody_reads_it(alice, bob, newer, changes):
    approve(alice, bob)
    review(bob)
    read = article_reviews.text_hash(article(alice))
    with newer(**changes):
        assert of(alice) == {}
        assert stamped(alice).reviewed_by is None
        with pytest.raises(Changed, match="newer text"):
            review(bob, read=read)
        assert of(alice) == {}
        review(bob, read=article_reviews.text_hash(article(alice)))
        assert of(alice)[SLUG].name == "Bob Brown"
    assert of(alice) == {}


def test_what_is_not_its_text_leaves_a_review_alone(alice, bob, newer):
    approve(alice, bob)
    review(bob)
    with newer(keywords=("another",)):
        assert of(alice)[SLUG].name == "Bob Brown"


def test_the_last_reviewer_is_named(alice, bob):
    approve(alice, bob)
    approve(alice, alice)
    review(bob)
    review(alice)
    assert of(alice)[SLUG].name == "Alice Adams"


def test_a_review_outlives_its_author_working_here(alice, bob, owner):
    approve(alice, bob)
    review(bob)
    with owner.begin() as connection:
        connection.execute(text("update memberships set ended_at = now() where user_id = :me"), {"me": bob.user_id})
    assert of(alice)[SLUG].name == "Bob Brown"


# where it is said ----------------------------------------------------------------------------------------------------


def test_an_answers_article_carries_the_review(alice, bob):
    plain = article(alice)
    assert (stamped(alice).reviewed_on, stamped(alice).reviewed_by) == (None, None)
    approve(alice, bob)
    review(bob)
    assert (stamped(alice).reviewed_on, stamped(alice).reviewed_by) == (today(alice), "Bob Brown")
    assert stamped(alice, _changed(plain, body="A text nobody reviewed")).reviewed_by is None


def test_the_day_is_the_clinics(alice, bob, owner):
    approve(alice, bob)
    review(bob)
    with db.scope(bob) as scope:
        scope.run("update article_reviews set reviewed_at = :at where clinic_id = :clinic_id", at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC))
    assert of(alice)[SLUG].reviewed_on.isoformat() == stamped(alice).reviewed_on.isoformat() == "2026-03-02"


def test_the_list_the_page_and_the_answer_agree(alice, bob):
    approve(alice, bob)
    review(bob)
    with db.scope(alice) as scope:
        listed = next(row for row in library.find(scope, term="crowns") if row.slug == SLUG)
    assert (listed.reviewed_by, listed.reviewed_on) == ("Bob Brown", of(alice)[SLUG].reviewed_on)


def test_a_review_is_on_record(alice, bob):
    approve(alice, bob)
    review(bob)
    with db.scope(alice) as scope:
        rows = scope.connection.execute(text("select user_id, action, resource_id from audit_log where resource = 'article'")).all()
    assert [tuple(row) for row in rows] == [(bob.user_id, "review", SLUG)]
