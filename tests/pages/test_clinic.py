"""Clinic settings."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from lib import auth, clinics, db, export_jobs, long_jobs, settings, vault
from lib.errors import Changed, Forbidden, Invalid, NotSignedIn, SetUpError
from tests.pages.conftest import texts
from ui import job_progress


def amended(identity, **changes):
    with db.scope(identity) as scope:
        before = clinics.get(scope)
        clinics.amend(scope, replace(before, **changes))
    with db.scope(identity) as scope:
        return clinics.get(scope)


def test_the_owner_changes_the_settings(open_page, alice):
    at = open_page(alice, "clinic")
    at.text_input[0].set_value("Zahnärzte am Park")
    next(button for button in at.button if button.label == "Save").click().run()
    assert not at.error
    assert not at.exception
    with db.scope(alice) as scope:
        assert clinics.get(scope).name == "Zahnärzte am Park"


@pytest.mark.parametrize("change", [{"name": " "}, {"name": "x" * 256}, {"country": "XX"}, {"time_zone": "Moon/Base"},
                                    {"currency": "€"}, {"emergency_number": "call me"}])
def test_a_wrong_value_is_refused_in_words(alice, change):
    with pytest.raises(Invalid) as refusal:
        amended(alice, **change)
    assert "sql" not in str(refusal.value).lower()


def test_a_stale_tab_is_told_and_loses_nothing(open_page, alice):
    at = open_page(alice, "clinic")
    at.run()
    amended(alice, currency="CHF")
    at.text_input(key="kept_clinic_name").set_value("Typed in the stale tab")
    next(button for button in at.button if button.label == "Save").click().run()
    assert "Somebody else changed these settings" in at.error[0].value
    assert at.text_input(key="kept_clinic_name").value == "Typed in the stale tab"
    next(button for button in at.button if button.label == "Show what is stored now").click().run()
    assert at.text_input(key="kept_clinic_currency").value == "CHF"
    assert at.text_input(key="kept_clinic_name").value == "Adams Dental"


def test_the_keyboard_and_a_phone_follow_the_rows(open_page, alice):
    """A column's fields stand behind each other in the page, and on a phone below each other."""
    at = open_page(alice, "clinic")
    fields = [element.key for element in at.main if element.type in ("text_input", "selectbox")]
    assert fields == ["kept_clinic_name", "clinic_country", "clinic_zone", "kept_clinic_currency", "kept_clinic_number"]


def test_saving_nothing_new_is_no_change(alice):
    with db.scope(alice) as scope:
        before = clinics.get(scope)
    assert amended(alice).version == before.version


def test_a_second_owner_tab_does_not_overwrite_silently(alice):
    with db.scope(alice) as scope:
        old = clinics.get(scope)
    amended(alice, name="First tab")
    with pytest.raises(Changed), db.scope(alice) as scope:
        clinics.amend(scope, replace(old, name="Second tab"))


def test_nobody_but_the_owner_may(alice, bob, charlie):
    with pytest.raises(Forbidden):
        amended(bob, name="Bob's")
    amended(charlie, name="Charlie's")
    with db.scope(alice) as scope:
        assert clinics.get(scope).name == "Adams Dental"


# who signs in how ----------------------------------------------------------------------------------------------------


def save(at):
    return next(button for button in at.button if button.label == "Save").click().run()


def errors(at) -> str:
    """Without what keeps Markdown from reading them."""
    return "\n".join(error.value.replace("\\", "") for error in at.error)


def stored(who) -> clinics.Clinic:
    with db.scope(who) as scope:
        return clinics.get(scope)


def test_the_owner_decides_how_strictly_people_sign_in(open_page, alice, token_of):
    at = open_page(alice, "clinic")
    assert (at.checkbox(key="clinic_factor").value, at.checkbox(key="clinic_keep").value) == (False, True)
    at.checkbox(key="clinic_keep").uncheck()
    at.text_area(key="kept_clinic_networks").set_value("127.0.0.1\n\n 10.1.2.3/16 \n2001:db8::/32\n127.0.0.1")
    save(at)
    assert not at.error
    assert stored(alice).keep_allowed is False
    assert stored(alice).owner_networks == ["127.0.0.1/32", "10.1.0.0/16", "2001:db8::/32"]
    assert at.text_area(key="kept_clinic_networks").value == "127.0.0.1/32\n10.1.0.0/16\n2001:db8::/32"


def test_an_owner_without_a_factor_is_told_that_theirs_comes_first_security_13(open_page, alice, token_of):
    at = open_page(alice, "clinic")
    assert "You have none yourself yet" in texts(at)
    token_id = at.user["session"]
    assert not auth.resume(token_id).must_enrol
    at.checkbox(key="clinic_factor").check()
    save(at)
    assert stored(alice).factor_required
    assert auth.resume(token_id).must_enrol


@pytest.mark.parametrize("typed", ["nonsense", "10.0.0.1/33", "10.0.0", "fe80::1%eth0", "127.0.0.1, 10.0.0.1", "١٠.٠.٠.١", "http://127.0.0.1"])
def test_a_line_that_is_no_network_is_named_and_stays_to_be_corrected(open_page, alice, typed):
    at = open_page(alice, "clinic")
    at.text_area(key="kept_clinic_networks").set_value(f"127.0.0.1\n{typed}")
    save(at)
    assert "is no address and no network" in errors(at)
    assert at.text_area(key="kept_clinic_networks").value == f"127.0.0.1\n{typed}"
    assert stored(alice).owner_networks == []


def test_nobody_locks_themselves_out(open_page, alice):
    at = open_page(alice, "clinic")
    at.text_area(key="kept_clinic_networks").set_value("10.0.0.0/8\n::/0")
    save(at)
    assert "You are at 127.0.0.1 now, which is not on this list" in errors(at)
    assert stored(alice).owner_networks == []


def test_more_networks_than_a_clinic_has_are_refused(alice):
    with pytest.raises(Invalid, match="At most 50 networks"):
        amended(alice, owner_networks=[f"127.0.0.{last}" for last in range(1, 52)])
    assert len(amended(alice, owner_networks=[f"127.0.0.{last}" for last in range(1, 51)]).owner_networks) == 50


def test_from_elsewhere_the_owner_pages_stay_shut_and_the_others_open(alice, bob):
    networks = amended(alice, owner_networks=["127.0.0.0/8"]).owner_networks
    here, elsewhere = (replace(alice, networks=networks, address=address) for address in ("127.9.9.9", "203.0.113.9"))
    for permission in auth.PERMISSIONS:
        assert auth.may(here, permission)
        assert auth.may(elsewhere, permission) == (permission not in auth.AT_THE_CLINIC)
    assert auth.may(replace(bob, networks=networks, address="203.0.113.9"), "patients.notes")


def test_a_network_is_left_out_by_whoever_cannot_be_placed(alice):
    with pytest.raises(Invalid, match="lock yourself out"):
        amended(replace(alice, address=""), owner_networks=["0.0.0.0/0", "::/0"])


def test_a_device_that_was_to_stay_for_seven_days_ends_with_the_permission(alice, owner, token_of):
    from sqlalchemy import text

    from lib import tokens
    token_id = token_of(alice)
    with owner.begin() as connection:
        connection.execute(text("update sessions set keep = true, seen_at = now() - interval '2 days' where id = :id"),
                           {"id": tokens.digest(token_id)})
    assert auth.resume(token_id, active=False)
    amended(alice, keep_allowed=False)
    with pytest.raises(NotSignedIn):
        auth.resume(token_id)


def test_no_factor_is_asked_of_anybody_where_none_could_be_stored(alice, monkeypatch):
    for name, value in {"CHAIRSIDE_ENV": "production", "JWT_SECRET": "kQ3v9xZp7Lm2Rt8Wc5Yb1Nd6Hf4Js0Ga", "CHAIRSIDE_HOSTS": "c.example"}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    vault._keys.cache_clear()
    try:
        with pytest.raises(SetUpError, match="CHAIRSIDE_ENCRYPTION_KEYS"):
            amended(alice, factor_required=True)
    finally:
        monkeypatch.undo()
        settings.get.cache_clear()
        vault._keys.cache_clear()
    assert not stored(alice).factor_required


# the export ----------------------------------------------------------------------------------------------------------


def press(at, label: str):
    return next(button for button in at.button if button.label == label).click().run()


def labels(at) -> list[str]:
    return [button.label for button in at.button]


@pytest.fixture
def watched(monkeypatch):
    """Without waiting for the end."""
    monkeypatch.setattr(job_progress, "follow", lambda job, permission: job_progress.st.caption(f"follows {job.status}"))


def test_an_export_is_asked_for_watched_and_offered(open_page, alice, do_jobs, watched):
    at = press(open_page(alice, "clinic"), "Export the whole clinic")
    assert "follows waiting" in texts(at)
    do_jobs()
    assert {"Delete it here"} <= set(labels(at.run()))
    assert "Export the whole clinic" not in labels(at)
    assert "Made " in at.success[0].value
    with db.scope(alice) as scope:
        assert [job.status for job in long_jobs.mine(scope)] == ["done"]
    assert "Export the whole clinic" in labels(press(at, "Delete it here"))
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from export_parts where clinic_id = :clinic_id") == 0


def test_an_export_is_cancelled_and_gone_on_with(open_page, alice, do_jobs, watched):
    at = press(press(open_page(alice, "clinic"), "Export the whole clinic"), "Cancel")
    assert at.warning[0].value == "Stopped\\."
    assert "follows waiting" in texts(press(at, "Go on"))
    do_jobs()
    assert at.run().success


def test_a_second_tab_is_told_that_one_is_being_made(open_page, alice, do_jobs, watched):
    first, second = open_page(alice, "clinic"), open_page(alice, "clinic")
    press(first, "Export the whole clinic")
    assert "An export is being made already\\." in [toast.value for toast in press(second, "Export the whole clinic").toast]
    do_jobs()


def test_what_an_export_is_about_stands_among_ones_jobs(open_page, alice, do_jobs):
    with db.scope(alice) as scope:
        export_jobs.begin(scope)
    do_jobs()
    at = open_page(alice, "account")
    assert f"**Export** clinic.zip  \n:small[done · {export_jobs.DOCUMENTS + 1} of {export_jobs.DOCUMENTS + 1} tables" in (
        texts(at).replace("\\", ""))
    assert [link.proto.label for link in at.get("page_link") if link.proto.page == "clinic"][-1] == "To the file"


def test_what_an_export_lacks_is_said_before_it_is_made(open_page, alice, owner):
    assert "may lack" not in texts(open_page(alice, "clinic"))
    with owner.begin() as connection:
        month = connection.execute(text("""
            insert into archives (parent, month, file, rows, digest)
            values ('audit_log', date_trunc('month', now() at time zone 'UTC'), 'x', 0, sha256(''))
            returning month
            """)).scalar_one()
    try:
        assert f"The export may lack conversations, calls and audit entries of {month:%B %Y}, which lie" in texts(open_page(alice, "clinic"))
    finally:
        with owner.begin() as connection:
            connection.execute(text("delete from archives where month = :month"), {"month": month})
