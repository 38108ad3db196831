"""The clinic itself: name, place, money, the number to call in an emergency."""

from dataclasses import dataclass

from babel.numbers import list_currencies

from lib import audit, auth, countries
from lib.db import Scope
from lib.errors import Changed, Invalid
from lib.texts import _

FIELDS = ("name", "country", "time_zone", "currency", "emergency_number")


@dataclass(frozen=True)
class Clinic:
    name: str
    country: str
    time_zone: str
    currency: str
    emergency_number: str
    version: int


def get(scope: Scope) -> Clinic:
    return scope.one(Clinic, """
        select name, country, time_zone, currency, emergency_number, version
        from clinics
        where id = :clinic_id
        """)


def amend(scope: Scope, wanted: Clinic) -> None:
    """`wanted.version` is the one that was edited; a newer one in the database raises Changed."""
    auth.require(scope.identity, "clinic.settings")
    _check(wanted)
    before = get(scope)
    changed = [field for field in FIELDS if getattr(before, field) != getattr(wanted, field)]
    if not changed:
        return
    touched = scope.run("""
        update clinics
        set name = :name, country = :country, time_zone = :time_zone, currency = :currency, emergency_number = :emergency_number
        where id = :clinic_id and version = :version
        """, name=wanted.name.strip(), country=wanted.country, time_zone=wanted.time_zone, currency=wanted.currency,
             emergency_number=wanted.emergency_number.strip(), version=wanted.version)
    if not touched:
        raise Changed(_("Somebody else changed these settings meanwhile. Reload to see theirs, then make your change again."))
    audit.record(scope, "change", "clinic", fields=changed)


def _check(wanted: Clinic) -> None:
    if not 1 <= len(wanted.name.strip()) <= 255:
        raise Invalid(_("A clinic's name has 1 to 255 characters."))
    if wanted.country not in countries.names():
        raise Invalid(_("This country is not known."))
    if wanted.time_zone not in countries.time_zones():
        raise Invalid(_("This time zone is not known."))
    if wanted.currency not in list_currencies():
        raise Invalid(_("This currency is not known."))
