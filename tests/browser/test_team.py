"""An open page of somebody who is not a member any more."""

from playwright.sync_api import expect

from lib import db, team
from tests.browser.conftest import next_look


def test_the_open_page_of_a_deactivated_member_stops_at_its_next_look(signed_in, alice, bob):
    page = signed_in(bob, "/patients")
    expect(page.get_by_role("heading", name="Patients")).to_be_visible()
    next_look(page)
    with db.scope(alice) as scope:
        team.deactivate(scope, bob.user_id)
    assert next_look(page).status == 401
    expect(page.get_by_role("heading", name="Patients")).to_have_count(0)
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
