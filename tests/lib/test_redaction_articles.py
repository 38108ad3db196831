"""What a clinic wrote itself keeps its own numbers on the way out, and no patient's."""

from datetime import date

import pytest

from lib.redaction import Redactor, Subject
from lib.redaction_articles import mask

PAT = Subject("José Müller-Nguyễn", date(1980, 5, 4), "+49 170 9988776", "jose@example.org", ("A-100234",))


@pytest.mark.parametrize("line", [
    "Outside opening hours call our emergency line: 030 1234567 or +49 170 7654321.",
    "Patients write to hello@adams-dental.example or call (030) 765 43 21.",
    "New patients register at praxis.adams@gmx.de, reception 0800 123 4567",
    "Nuevos pacientes: llamen al 912 345 678", "Für Patienten: 0800 1234567", "Les patients appellent le 01 23 45 67 89",
    "Frau Dr. Weiss, implants, 030 1234568", "IBAN DE89 3704 0044 0532 0130 00, VAT DE123456789",
    "A crown costs 1,250.00 EUR; teeth 11 to 48; ibuprofen 400 mg is the dentist\'s to decide.",
])
def test_the_clinics_own_numbers_stay(line):
    redactor = Redactor(PAT)

    assert mask(line, redactor) == line
    assert redactor.counts == {}


@pytest.mark.parametrize("line", [
    "Mrs Smith pays by card, 0171 2345678", "Ask Herr Schmidt (0171 2345678) first", "Mme Durand : durand@example.org",
    "Sra. García 612 345 678", "Patient: Ann, 0171 2345678", "patient no. 12345678", "Patientennummer 12345678",
    "Paciente n.º 12345678", "numéro de dossier 12345678", "insurance number 1234567890", "Versichertennummer A123456789",
    "Ann, born 4 May 1980, phone 0171 2345678", "Ann, geb. 1980, ann@example.org", "SSN 123-45-6789", "MRN 00123456",
])
def test_in_a_line_about_one_person_they_are_masked(line):
    redactor = Redactor()

    masked = mask(f"Call us: 030 1234567\n{line}\nWrite to hello@adams-dental.example\n", redactor)

    first, middle, last = masked.splitlines()
    assert (first, last) == ("Call us: 030 1234567", "Write to hello@adams-dental.example")
    assert "[" in middle
    assert not any(known in middle for known in ("2345678", "345 678", "@", "123456789", "45-6789", "00123456", "12345678"))
    assert sum(redactor.counts.values()) == 1


def test_what_is_known_of_the_patient_asked_about_is_masked_everywhere():
    text = "José Müller-Nguyễn comes on Mondays.\nCall 0170 9988776 or jose@example.org, file A-100234, 4.5.1980.\nOurs: 030 7654321"

    masked = mask(text, Redactor(PAT))

    assert not any(known in masked for known in ("José", "Müller", "9988776", "jose@", "100234", "4.5.1980"))
    assert masked.endswith("Ours: 030 7654321")
