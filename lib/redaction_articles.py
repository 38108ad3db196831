"""What a clinic wrote itself, before a provider reads it. Its numbers and mailboxes are its own and meant to be told, so they
stay; in a line that speaks of one person they are taken for that person's."""

import re

from lib.redaction import Redactor

_TITLES = "Mr|Mrs|Ms|Miss|Herrn?|Frau|Señora?|Srta?|Sra?|Don|Doña|Monsieur|Madame|Mme|Mlle"
_TITLE = rf"(?-i:{_TITLES})\.?[ \t]+(?!Dr\b|Prof\b)(?-i:[A-ZÀ-Þ])"  # whoever has a degree as well works here
_NUMBER = r"(?:no\b|nr\b|n[.º°]|num|id\b|number|name\b|:)"
_LABEL = "|".join([
    rf"(?:patient(?:in|e)?|paciente)[ \t\-]*{_NUMBER}", r"patienten-?(?:n(?:umme)?r|name|id)\b",
    rf"(?:insurance|policy|record|chart|nhs|social security)[ \t\-]+{_NUMBER}",
    r"mrn|ssn|versicherten-?nummer|versicherungs-?nummer|akten-?(?:nummer|zeichen)|karteikarte",
    r"historia cl[ií]nica|seguridad social|n[úu]mero (?:de |del )?paciente",
    r"s[ée]curit[ée] sociale|num[ée]ro (?:de |du )?(?:patient|dossier)",
    r"date of birth|dob|born|geb\.|geboren|geburtsdatum|fecha de nacimiento|nacid[oa]|date de naissance|née? le",
])
ONE_PERSON = re.compile(rf"\b(?:{_TITLE}|(?:{_LABEL}))", re.IGNORECASE)


def mask(text: str, redactor: Redactor) -> str:
    """What is known of the patient asked about is masked everywhere."""
    known = redactor.redact(text, known_only=True)
    return "".join(redactor.redact(line) if ONE_PERSON.search(line) else line for line in known.splitlines(keepends=True))
