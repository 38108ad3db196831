"""Erasing a patient on request: what told who they were and what was written goes, for good; what counts and proves stays."""

from dataclasses import dataclass
from uuid import UUID

from lib import audit, auth, patients, search_words
from lib.db import Scope
from lib.errors import Changed, Invalid
from lib.patients import Patient
from lib.texts import _

LONGEST = 500


@dataclass(frozen=True)
class Erased:
    """One row of the record of erasures."""

    patient_id: UUID
    messages: int
    versions: int


def erase(scope: Scope, patient_id: UUID, *, version: int, name: str, reason: str) -> list[Erased]:
    """The patient and whoever was merged into them. `version`: the one its owner has seen. `name`: typed to confirm it.

    Raises Changed, EmergencyOpen or Gone with nothing erased. The reason stays for ever, so it may not name the patient.
    """
    auth.require(scope.identity, "patients.erase")
    patient = patients.read(scope, patient_id)
    reason = " ".join(auth.clean(reason).split())
    if not is_name(name, patient.full_name):
        raise Invalid(_("Type the full name as it stands on the page. Nothing was erased."))
    if not 0 < len(reason) <= LONGEST:
        raise Invalid(_("Say why, in at most {n} characters. Nothing was erased.").format(n=LONGEST))
    if _tells_of(reason, patient):
        raise Invalid(_("The reason is kept, so it may not hold the patient's name, email, phone or number. Nothing was erased."))
    if patient.version != version:
        raise Changed(_("Somebody changed this patient in the meantime. Look again before you erase. Nothing was erased."))
    scope.run("select app.erase_patient(:id, :version, :reason)", id=patient_id, version=version, reason=reason)
    erased = _record_of(scope)
    for one in erased:
        audit.record(scope, "erase", "patient", one.patient_id, patient_id=one.patient_id, row_count=one.messages)
    return erased


def is_name(typed: str, name: str) -> bool:
    """However it is spaced, capitalised or accented."""
    return _folded(typed) == _folded(name)


def _record_of(scope: Scope) -> list[Erased]:
    """What this very transaction erased."""
    return scope.many(Erased, """
        select patient_id, messages, versions
        from erasures
        where clinic_id = :clinic_id
          and erased_at = now()
        order by patient_id
        """)


def _tells_of(reason: str, patient: Patient) -> bool:
    """A word of the name, or what one is reached or numbered by."""
    words = {word.strip(".,;:!?()'\"") for word in _folded(reason).split()}
    named = {word for word in _folded(patient.full_name).split() if len(word) > 2}
    known = [_folded(text) for text in (patient.email, patient.phone, patient.external_id) if text]
    return bool(words & named) or any(text in _folded(reason) for text in known)


def _folded(text: str) -> str:
    return search_words.fold(" ".join(text.split()))
