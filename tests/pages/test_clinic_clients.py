"""The section API clients of the clinic's settings."""

import pytest
from sqlalchemy import text

from lib import api_clients, db
from lib.api_clients import Wanted
from tests.pages.conftest import texts


@pytest.fixture
def visit(open_page):
    return lambda identity: open_page(identity, "clinic")


def button(at, label):
    return next((button for button in at.button if button.label == label), None)


def press(at, *labels):
    """AppTest reruns the whole page, so what opened a dialog has to be clicked again with what stands in it."""
    for label in labels:
        button(at, label).click()
    return at.run()


def let_in(who, name="Robot", **more):
    with db.scope(who) as scope:
        return api_clients.add(scope, Wanted(name, "receptionist", ["patients.read"], **more))


def clients(who):
    with db.scope(who) as scope:
        return api_clients.find(scope)


def table(at) -> str:
    return "\n".join(element.proto.body for element in at.main if element.type == "html")


def test_the_owner_sees_what_each_client_may_and_whether_it_is_used(visit, alice):
    assert "None yet" in texts(visit(alice))
    assert button(visit(alice), "Revoke") is None
    _id, token = let_in(alice, "Booking <b>", networks=["203.0.113.7"], request_limit=2500)
    shown = table(visit(alice))
    for words in ("Booking &lt;b&gt;", "patients.read", "Receptionist", "203.0.113.7/32", "2,500 requests", "not used yet", "Alice Adams"):
        assert words in shown
    assert token.partition(".")[2] not in shown
    api_clients.recognise(token, address="203.0.113.7")
    assert "not used yet" not in table(visit(alice))


def test_one_is_let_in_and_its_secret_is_shown_once(visit, alice):
    at = press(visit(alice), "Let a program in")
    at.text_input(key="kept_client_name").set_value("Booking site")
    at.multiselect(key="client_scopes_receptionist").set_value(["patients.read", "patients.write"])
    at.text_area(key="kept_client_networks").set_value("127.0.0.0/8")
    press(at, "Let a program in", "Let it in")
    (token,) = [code.value for code in at.code]
    identity = api_clients.recognise(token, address="127.0.0.1")
    assert (identity.full_name, identity.role, identity.clinic_id) == ("Booking site", "receptionist", alice.clinic_id)
    (made,) = clients(alice)
    assert (made.scopes, made.networks, made.request_limit) == (["patients.read", "patients.write"], ["127.0.0.0/8"], 1000)
    assert token not in str(at.run())


def test_what_cannot_be_let_in_stays_to_be_corrected(visit, alice):
    at = press(visit(alice), "Let a program in")
    at.text_input(key="kept_client_name").set_value("Robot")
    press(at, "Let a program in", "Let it in")
    assert "at least one scope" in at.error[0].value
    assert at.text_input(key="kept_client_name").value == "Robot"
    assert clients(alice) == []


def test_only_scopes_of_the_role_are_offered(visit, alice):
    at = press(visit(alice), "Let a program in")
    at.selectbox(key="client_role").set_value("manager")
    press(at, "Let a program in")
    offered = at.multiselect(key="client_scopes_manager").options
    assert offered == api_clients.offered("manager")
    assert "patients.notes" not in offered


def test_one_is_shut_out_after_a_question(visit, alice):
    let_in(alice)
    at = press(visit(alice), "Revoke")
    assert clients(alice)[0].revoked_at is None
    press(at, "Revoke", "Revoke for good")
    assert clients(alice)[0].revoked_at
    assert "is shut out" in at.toast[0].value
    assert "revoked" in table(at.run())
    assert button(at, "Revoke") is None


@pytest.mark.parametrize("label", ["Let it in", "Revoke for good"])
def test_who_is_owner_no_more_changes_nothing(visit, alice, hire, owner, label):
    boss = hire(alice, "owner", "Olga Owen")
    let_in(boss)
    opener = "Revoke" if label == "Revoke for good" else "Let a program in"
    at = press(visit(boss), opener)
    if label == "Let it in":
        at.text_input(key="kept_client_name").set_value("Another")
    with owner.begin() as connection:
        connection.execute(text("update memberships set role = 'manager' where clinic_id = :clinic and user_id = :user"),
                           {"clinic": boss.clinic_id, "user": boss.user_id})
    press(at, opener, label)
    assert at.exception or "does not allow this" in texts(at)
    assert [(one.name, one.revoked_at) for one in clients(alice)] == [("Robot", None)]


def test_another_clinics_clients_are_not_there(visit, alice, charlie):
    let_in(charlie, "Charlie's")
    assert "Charlie" not in table(visit(alice))
    assert clients(alice) == []
