"""One's own account on the screen."""

import time
from dataclasses import replace

import pyotp
import pytest
from sqlalchemy import text

from lib import account, auth, clinics, db, factors, import_jobs, imports, team, tokens
from tests.conftest import PASSWORD
from tests.pages.conftest import texts

ROLES = ["owner", "manager", "clinician", "receptionist"]


def press(at, label: str):
    return next(button for button in at.button if button.label == label).click().run()


def sign_out_a_device(at):
    return next(button for button in at.button if str(button.key).startswith("sign_out_")).click().run()


def labels(at) -> list[str]:
    return [button.label for button in at.button]


def errors(at) -> str:
    """Without what keeps Markdown from reading them."""
    return "\n".join(error.value.replace("\\", "") for error in at.error)


def identity(at) -> auth.Identity:
    return auth.resume(at.user["session"])


def fill(at, **fields: str):
    for key, value in fields.items():
        at.text_input(key=key).set_value(value)
    return at


def secret_of(at) -> str:
    return at.code[0].value.replace(" ", "")


def code_of(secret: str) -> str:
    if 30 - time.time() % 30 < 8:
        time.sleep(30 - time.time() % 30 + 0.1)
    return pyotp.TOTP(secret).now()


def set_up(at):
    """From the page as it stands to the recovery codes."""
    if "Set up a second factor" in labels(at):
        press(at, "Set up a second factor")
    return press(fill(at, factor_code=code_of(secret_of(at)), factor_password_set_up=PASSWORD), "Switch on")


@pytest.mark.parametrize("role", ROLES)
def test_everybody_has_an_account_and_only_who_treats_patients_has_credentials(open_page, alice, hire, role):
    who = alice if role == "owner" else hire(alice, role, "Some Body")
    at = open_page(who, "account")
    assert not at.exception
    assert at.title[0].value == "Account"
    shown = [heading.value for heading in at.subheader]
    assert shown[:4] == ["Profile", "Password", "Second factor", "Devices"]
    assert ("Credentials" in shown) == (role in ("owner", "clinician"))


# profile -------------------------------------------------------------------------------------------------------------


def test_name_and_language_are_saved_and_shown_at_once(open_page, mona):
    at = open_page(mona, "account")
    at.selectbox(key="profile_language").set_value("de")
    press(fill(at, kept_profile_name="Ñandú O’Neil-王"), "Save")
    assert not at.error
    found = account.get(identity(at))
    assert (found.full_name, found.language) == ("Ñandú O’Neil-王", "de")
    assert "Ñandú" in " ".join(markdown.value for markdown in at.sidebar.markdown)
    at.selectbox(key="profile_language").set_value("")
    press(at, "Save")
    assert account.get(identity(at)).language is None


def test_it_says_that_the_texts_are_not_translated_yet(open_page, mona):
    assert "English for now" in texts(open_page(mona, "account"))


def test_a_name_that_is_none_is_refused_and_stays_to_be_corrected(open_page, mona):
    at = press(fill(open_page(mona, "account"), kept_profile_name="12345"), "Save")
    assert "Full name is missing" in errors(at)
    assert at.text_input(key="kept_profile_name").value == "12345"
    assert account.get(identity(at)).full_name == "Mona Moss"


# password ------------------------------------------------------------------------------------------------------------


def test_the_password_is_changed_and_its_form_closes(open_page, mona, token_of):
    other = token_of(mona)
    at = press(open_page(mona, "account"), "Change password")
    press(fill(at, password_current=PASSWORD, password_new="another horse staple 7"), "Save password")
    assert not at.error
    assert "Save password" not in labels(at)
    assert auth.verify(auth.find_account(mona.email), "another horse staple 7")
    assert identity(at).user_id == mona.user_id
    with pytest.raises(auth.NotSignedIn):
        auth.resume(other)


@pytest.mark.parametrize(("current", "new", "sentence"), [
    ("not the password", "another horse staple 7", "not your current password"), (PASSWORD, "short", "at least 12 characters"),
    (PASSWORD, PASSWORD, "have already"), ("", "", "at least 12 characters")])
def test_a_refused_password_loses_nothing(open_page, mona, current, new, sentence):
    at = press(open_page(mona, "account"), "Change password")
    press(fill(at, password_current=current, password_new=new), "Save password")
    assert sentence in errors(at)
    assert [at.text_input(key=key).value for key in ("password_current", "password_new")] == [current, new]
    assert auth.verify(auth.find_account(mona.email), PASSWORD)


def test_fields_of_passwords_and_codes_tell_the_browser_what_they_are(open_page, mona):
    at = press(press(open_page(mona, "account"), "Set up a second factor"), "Change password")
    assert at.text_input(key="password_current").proto.autocomplete == "current-password"
    assert at.text_input(key="password_new").proto.autocomplete == "new-password"
    at = press(press(at, "Cancel"), "Set up a second factor")
    assert at.text_input(key="factor_code").proto.autocomplete == "one-time-code"


# second factor -------------------------------------------------------------------------------------------------------


def test_the_qr_code_stands_in_the_page_itself_with_words_beside_it(open_page, mona):
    at = press(open_page(mona, "account"), "Set up a second factor")
    [picture] = [element.proto.body for element in at.get("html") if "<img" in element.proto.body]
    assert "src='data:image/svg+xml" in picture
    assert "alt='QR code" in picture
    assert len(at.code[0].value.split()) == 8
    assert all(len(group) == 4 for group in at.code[0].value.split())


def test_the_factor_is_set_up_and_the_codes_are_shown_until_they_are_kept(open_page, mona):
    at = set_up(open_page(mona, "account"))
    assert not at.error
    assert at.subheader[0].value == "Your recovery codes"
    codes = at.code[0].value.split("\n")
    assert len(codes) == 10
    assert factors.check(mona.user_id, codes[0], email=mona.email)
    press(at, "I have kept them")
    assert codes[1] not in texts(at) + "".join(code.value for code in at.code)
    assert "9 recovery codes left. If you did not keep them, make new ones." in texts(at)


def test_on_the_phone_itself_a_link_takes_the_place_of_the_picture(open_page, mona):
    at = press(open_page(mona, "account"), "Set up a second factor")
    [link] = at.get("link_button")
    assert link.proto.label == "Open in an app on this phone"
    assert pyotp.parse_uri(link.proto.url).secret == secret_of(at)


def test_after_a_reload_the_refusal_tells_of_the_new_picture(open_page, mona):
    at = press(open_page(mona, "account"), "Set up a second factor")
    scanned = secret_of(at)
    at = press(open_page(mona, "account"), "Set up a second factor")
    assert secret_of(at) != scanned
    press(fill(at, factor_code=code_of(scanned), factor_password_set_up=PASSWORD), "Switch on")
    assert "If you reloaded this page, scan the new picture." in errors(at)


def test_switched_off_it_leaves_neither_its_codes_nor_the_password_behind(open_page, mona):
    at = set_up(open_page(mona, "account"))
    press(fill(press(at, "Switch off"), factor_password_drop=PASSWORD), "Switch off")
    assert account.get(identity(at)).factor_since is None
    assert not at.code
    press(at, "Set up a second factor")
    assert not [field.key for field in at.text_input if field.value == PASSWORD]


def test_a_wrong_code_or_password_changes_nothing_and_keeps_the_same_qr_code(open_page, mona):
    at = press(open_page(mona, "account"), "Set up a second factor")
    secret = secret_of(at)
    press(fill(at, factor_code="12 34", factor_password_set_up=PASSWORD), "Switch on")
    assert "doesn't match" in errors(at)
    assert (secret_of(at), at.text_input(key="factor_code").value) == (secret, "12 34")
    press(fill(at, factor_code=code_of(secret), factor_password_set_up="not the password"), "Switch on")
    assert "not your current password" in errors(at)
    assert secret_of(at) == secret
    assert account.get(identity(at)).factor_since is None


def test_new_codes_and_switching_off_ask_for_the_password(open_page, mona):
    at = press(set_up(open_page(mona, "account")), "I have kept them")
    press(at, "New recovery codes")
    press(fill(at, factor_password_renew="not the password"), "Make new codes")
    assert "not your current password" in errors(at)
    press(fill(at, factor_password_renew=PASSWORD), "Make new codes")
    assert len(at.code[0].value.split("\n")) == 10
    press(press(at, "I have kept them"), "Switch off")
    press(fill(at, factor_password_drop="not the password"), "Switch off")
    assert account.get(identity(at)).factor_since
    press(fill(at, factor_password_drop=PASSWORD), "Switch off")
    assert account.get(identity(at)).factor_since is None
    assert "Set up a second factor" in labels(at)


def test_cancelling_leaves_everything_as_it_was(open_page, mona):
    at = press(press(open_page(mona, "account"), "Set up a second factor"), "Cancel")
    assert not at.code
    assert "Set up a second factor" in labels(at)


def test_somebody_else_at_this_tab_sees_no_codes(open_page, mona, bob, token_of):
    at = set_up(open_page(mona, "account"))
    codes = at.code[0].value
    auth.sign_out(identity(at))
    at.run()
    at.user = {"session": token_of(bob)}
    at.run().switch_page("../pages/account.py").run()
    assert at.title[0].value == "Account"
    assert codes not in "".join(code.value for code in at.code)
    assert not [heading for heading in at.subheader if heading.value == "Your recovery codes"]


# devices -------------------------------------------------------------------------------------------------------------


def test_another_device_is_signed_out_and_this_one_stays(open_page, mona, token_of):
    other, third = token_of(mona), token_of(mona)
    at = open_page(mona, "account")
    shown = texts(at)
    assert shown.count("Unknown device") == 3
    assert shown.count("this device") == 1
    assert other not in shown
    assert tokens.digest(other).hex() not in str(at)
    sign_out_a_device(at)
    assert sum(is_in(token) for token in (other, third)) == 1
    press(at, "Sign out all other devices")
    assert not is_in(other)
    assert not is_in(third)
    assert is_in(at.user["session"])
    assert "Sign out all other devices" not in labels(at)


def test_of_many_devices_the_last_used_are_shown_and_the_others_on_demand(open_page, mona, token_of):
    for _device in range(14):
        token_of(mona)
    at = open_page(mona, "account")
    assert texts(at).count("Unknown device") == 10
    assert texts(at).count("this device") == 1
    at = at.toggle(key="all_devices").set_value(True).run()
    assert texts(at).count("Unknown device") == 15


def is_in(token_id: str) -> bool:
    try:
        return bool(auth.resume(token_id))
    except auth.NotSignedIn:
        return False


def test_a_device_that_is_gone_meanwhile_is_told_not_crashed(open_page, mona, token_of):
    other = token_of(mona)
    at = open_page(mona, "account")
    auth.sign_out(auth.resume(other))
    sign_out_a_device(at)
    assert not at.exception
    assert "signed out already" in at.toast[0].value


def test_a_device_calls_itself_what_it_likes(open_page, mona, token_of, owner):
    with owner.begin() as connection:
        connection.execute(text("update sessions set device = :name, address = :name where id = :id"),
                           {"name": "![x](http://evil.example/p.png)/1.0 <b>", "id": tokens.digest(token_of(mona))})
    at = open_page(mona, "account")
    assert all("![x](" not in element.value for element in at.markdown)


# where the clinic asks for a factor ----------------------------------------------------------------------------------


@pytest.fixture
def strict(alice):
    with db.scope(alice) as scope:
        clinics.amend(scope, replace(clinics.get(scope), factor_required=True))


@pytest.mark.parametrize("role", ROLES)
def test_whoever_must_set_a_factor_up_gets_to_it_first_and_then_to_everything_security_13(open_page, alice, hire, strict, role):
    who = alice if role == "owner" else hire(alice, role, "Some Body")
    at = open_page(who, "account")
    assert "Adams Dental asks everybody for a second factor" in at.warning[0].value
    assert at.subheader[0].value == "Second factor"
    assert not [heading for heading in at.subheader if heading.value == "Credentials"]
    assert "Cancel" not in labels(at)
    set_up(at)
    assert at.subheader[0].value == "Your recovery codes"
    assert not at.warning
    at.switch_page("../pages/today.py").run()
    assert at.title[0].value == "Today"


@pytest.mark.parametrize("page", ["today", "patients", "chat", "emergencies", "analytics", "clinic", "patient"])
def test_every_other_address_leads_there_and_shows_nothing_else_security_13(open_page, alice, strict, page):
    at = open_page(alice, page)
    assert not at.exception
    assert [title.value for title in at.title] == ["Account"]
    assert "asks everybody for a second factor" in at.warning[0].value


def test_the_factor_that_the_clinic_asks_for_can_move_but_not_be_switched_off_security_13(open_page, mona, strict):
    at = press(set_up(open_page(mona, "account")), "I have kept them")
    assert "Move to another phone" in labels(at)
    assert "Switch off" not in labels(at)


def test_a_form_to_switch_off_that_was_open_when_the_clinic_decided_is_refused_security_13(open_page, alice, mona):
    at = press(press(set_up(open_page(mona, "account")), "I have kept them"), "Switch off")
    with db.scope(alice) as scope:
        clinics.amend(scope, replace(clinics.get(scope), factor_required=True))
    press(fill(at, factor_password_drop=PASSWORD), "Switch off")
    assert "asks everybody for a second factor" in errors(at)
    assert account.get(identity(at)).factor_since


# a forgotten password ------------------------------------------------------------------------------------------------


def test_a_new_password_leads_to_the_plain_sign_in_and_its_form_is_gone(open_page, alice, bob):
    with db.scope(alice) as scope:
        token = team.reset_password_link(scope, bob.user_id)
    at = open_page(None, "today", reset=token)
    at.text_input[1].set_value("another horse staple 7")
    press(at, "Save password")
    assert not at.exception
    assert dict(at.query_params) == {}
    assert [field.label for field in at.text_input] == ["Email", "Password"]
    assert not [field for field in at.text_input if field.value]
    assert texts(at).count("Your password is changed") == 1
    assert "Your password is changed" not in texts(at.run())


def test_ones_own_long_jobs_are_listed_and_can_be_stopped(open_page, alice, bob):
    file = b"name\nAnna Bell\nBen Bell\n"
    with db.scope(alice) as scope:
        import_jobs.begin(scope, imports.read(file, "new patients.csv"), file, {"full_name": ["name"]}, "ymd")
    assert "new patients" not in texts(open_page(bob, "account"))
    page = open_page(alice, "account")
    assert "new patients.csv  \n:small[waits for its turn · 0 of 2 rows" in texts(page).replace("\\", "")
    next(button for button in page.button if button.label == "Cancel").click().run()
    assert ":small[stopped · 0 of 2 rows" in texts(page)
    assert "Cancel" not in [button.label for button in page.button]
