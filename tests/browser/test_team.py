"""An open page of somebody who is not a member any more."""

from playwright.sync_api import expect

from lib import db, team


def test_the_open_page_of_a_deactivated_member_stops_within_five_seconds(signed_in, alice, bob):
    page = signed_in(bob, "/patients")
    expect(page.get_by_role("heading", name="Patients")).to_be_visible()
    with db.scope(alice) as scope:
        team.deactivate(scope, bob.user_id)
    expect(page.get_by_role("heading", name="Patients")).to_have_count(0, timeout=5_000)
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
