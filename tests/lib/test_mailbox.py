import pytest

from lib import mailbox
from lib.errors import Invalid
from lib.patient_form import PatientForm

PLAUSIBLE = ["anna@example.com", "anna@clinic.local", "anna@clinic.test", "a@b.invalid", "anna@pc.LOCALHOST", "anna@localhost",
             "anna@x.onion", "josé@münchen.de", "anna@local.clinic.org"]


@pytest.mark.parametrize("email", PLAUSIBLE)
def test_any_plausible_address_is_kept_as_typed_for_accounts_and_patients_alike(email):
    assert mailbox.check(f" {email} ") == email
    assert PatientForm(full_name="Anna", email=email).email == email


@pytest.mark.parametrize("email", ["", "anna", "anna@clinic", "@clinic.local", "a b@clinic.local", "a..b@clinic.test", "anna@.local", "anna.local"])
def test_what_has_not_the_shape_of_one_is_refused(email):
    with pytest.raises(mailbox.NotAMailbox, match="does not look like"):
        mailbox.check(email)


def test_a_long_one_is_refused_with_its_length():
    with pytest.raises(Invalid, match="at most 255 characters; this one has 305"):
        mailbox.check("a@" + "b" * 299 + ".com")
