"""The team by program: who works here, in which role, and who is invited."""

from uuid import uuid4

import pytest

from lib import settings
from tests.conftest import PASSWORD


@pytest.fixture
def as_alice(api, sign_in, alice):
    api.headers.update(sign_in(alice))
    return api


def test_the_team_is_listed_with_roles_and_addresses(as_alice, alice, bob, mona, rita):
    listed = as_alice.get("team").json()
    assert [(one["display_name"], one["role"], one["email"], one["user_id"], one["ended_at"]) for one in listed] == [
        (who.full_name, who.role, who.email, str(who.user_id), None) for who in (alice, bob, mona, rita)]


def test_a_manager_sees_no_address_of_whom_she_does_not_manage(api, sign_in, alice, mona, rita):
    seen = {one["role"]: one["email"] for one in api.get("team", headers=sign_in(mona)).json()}
    assert (seen["owner"], seen["receptionist"]) == (None, rita.email)


def test_a_role_is_changed_and_holds_at_once(as_alice, sign_in, bob):
    his = sign_in(bob)
    assert as_alice.get("audit", headers=his).status_code == 403
    changed = as_alice.patch(f"team/{bob.user_id}", json={"role": "owner"})
    assert (changed.status_code, changed.json()["role"], changed.json()["display_name"]) == (200, "owner", "Bob Brown")
    assert as_alice.get("audit", headers=his).status_code == 200
    assert as_alice.patch(f"team/{bob.user_id}", json={"role": "owner"}).status_code == 409
    assert as_alice.patch(f"team/{bob.user_id}", json={"role": "king"}).status_code == 422


def test_who_is_deactivated_is_out_until_reactivated(as_alice, sign_in, bob):
    his = sign_in(bob)
    assert as_alice.post(f"team/{bob.user_id}/deactivate").status_code == 204
    assert as_alice.get("patients", headers=his).status_code == 401
    assert [one["display_name"] for one in as_alice.get("team").json() if one["ended_at"]] == ["Bob Brown"]
    assert as_alice.post(f"team/{bob.user_id}/deactivate").status_code == 409
    assert as_alice.post(f"team/{bob.user_id}/reactivate").status_code == 204
    assert [one for one in as_alice.get("team").json() if one["ended_at"]] == []
    assert as_alice.post("auth/login", json={"email": bob.email, "password": PASSWORD}).status_code == 200


def test_who_is_signed_out_signs_in_anew(as_alice, sign_in, bob):
    his = sign_in(bob)
    assert as_alice.post(f"team/{bob.user_id}/sign-out").status_code == 204
    assert as_alice.get("patients", headers=his).status_code == 401
    assert as_alice.get("patients", headers=sign_in(bob)).status_code == 200


def test_nobody_manages_above_themselves_or_elsewhere(api, sign_in, alice, mona, rita, charlie):
    hers = sign_in(mona)
    assert api.patch(f"team/{alice.user_id}", json={"role": "receptionist"}, headers=hers).status_code == 403
    assert api.patch(f"team/{rita.user_id}", json={"role": "owner"}, headers=hers).status_code == 403
    assert api.post(f"team/{alice.user_id}/deactivate", headers=sign_in(alice)).status_code == 403  # the last owner
    for act in ("deactivate", "reactivate", "sign-out"):
        assert api.post(f"team/{rita.user_id}/{act}", headers=sign_in(charlie)).status_code == 404
        assert api.post(f"team/{alice.user_id}/{act}", headers=sign_in(rita)).status_code == 403
    assert [one["ended_at"] for one in api.get("team", headers=hers).json()] == [None] * 3


def test_an_invitation_is_listed_until_it_is_withdrawn(as_alice, origin):
    email = f"nora.{uuid4().hex}@example.org"
    link = as_alice.post("team/invitations", json={"email": email, "role": "clinician"})
    assert link.status_code == 201
    assert link.json()["link"].startswith(f"{origin}/?invite=")
    (listed,) = as_alice.get("team/invitations").json()
    assert (listed["email"], listed["role"], listed["invited_by"]) == (email, "clinician", "Alice Adams")
    assert as_alice.delete(f"team/invitations/{listed['id']}").status_code == 204
    assert as_alice.get("team/invitations").json() == []
    assert as_alice.delete(f"team/invitations/{listed['id']}").status_code == 404


def test_behind_a_proxy_that_ends_tls_the_link_is_of_https(as_alice, monkeypatch):
    configured = settings.get().model_copy(update={"tls": True})
    monkeypatch.setattr(settings, "get", lambda: configured)
    link = as_alice.post("team/invitations", json={"email": f"nora.{uuid4().hex}@example.org", "role": "clinician"}).json()["link"]
    assert link.startswith("https://localhost")


def test_one_key_invites_once_and_the_link_stays_good(as_alice):
    """Without the key the second would void the first's link."""
    key, wanted = {"Idempotency-Key": uuid4().hex}, {"email": f"nora.{uuid4().hex}@example.org", "role": "clinician"}
    assert as_alice.post("team/invitations", json=wanted, headers=key).status_code == 201
    (first,) = as_alice.get("team/invitations").json()
    again = as_alice.post("team/invitations", json=wanted, headers=key)
    assert (again.status_code, "link" in again.json()) == (409, False)
    assert "shown once" in again.json()["detail"]
    assert as_alice.get("team/invitations").json() == [first]
    assert as_alice.post("team/invitations", json=wanted).status_code == 201
    (second,) = as_alice.get("team/invitations").json()
    assert second["id"] != first["id"]
