"""The clinic itself: name, place, money, the number to call in an emergency, and how strictly its people sign in."""

from dataclasses import dataclass, field, replace
from ipaddress import ip_network

from babel.numbers import list_currencies

from lib import audit, auth, countries, vault
from lib.db import Scope
from lib.errors import Changed, Invalid
from lib.identity import Identity
from lib.texts import _, count

FIELDS = ("name", "country", "time_zone", "currency", "emergency_number", "factor_required", "keep_allowed", "owner_networks")
MOST_NETWORKS = 50


@dataclass(frozen=True)
class Clinic:
    name: str
    country: str
    time_zone: str
    currency: str
    emergency_number: str
    version: int
    factor_required: bool = False
    """Everybody needs a second factor."""
    keep_allowed: bool = True
    """Devices may stay signed in for seven days."""
    owner_networks: list[str] = field(default_factory=list)
    """Where the owner's pages open: addresses or networks (CIDR); empty: everywhere."""


def get(scope: Scope) -> Clinic:
    return scope.one(Clinic, """
        select name, country, time_zone, currency, emergency_number, version, factor_required, keep_allowed,
               cast(owner_networks as text[]) as owner_networks
        from clinics
        where id = :clinic_id
        """)


def amend(scope: Scope, wanted: Clinic) -> None:
    """`wanted.version` is the one that was edited; a newer one in the database raises Changed."""
    auth.require(scope.identity, "clinic.settings")
    _check(wanted)
    wanted = replace(wanted, owner_networks=networks(wanted.owner_networks))
    _check_doors(wanted, scope.identity)
    before = get(scope)
    changed = [name for name in FIELDS if getattr(before, name) != getattr(wanted, name)]
    if not changed:
        return
    touched = scope.run("""
        update clinics
        set name = :name, country = :country, time_zone = :time_zone, currency = :currency,
            emergency_number = :emergency_number, factor_required = :factor_required, keep_allowed = :keep_allowed,
            owner_networks = cast(:owner_networks as cidr[])
        where id = :clinic_id and version = :version
        """, name=wanted.name.strip(), country=wanted.country, time_zone=wanted.time_zone, currency=wanted.currency,
             emergency_number=wanted.emergency_number.strip(), factor_required=wanted.factor_required,
             keep_allowed=wanted.keep_allowed, owner_networks=wanted.owner_networks, version=wanted.version)
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


def networks(lines: list[str]) -> list[str]:
    """As PostgreSQL writes them. Raises Invalid with the line that is neither an address nor a network."""
    found = list(dict.fromkeys(_network(line.strip()) for line in lines if line.strip()))
    if len(found) > MOST_NETWORKS:
        raise Invalid(count("At most {n} network, please.", "At most {n} networks, please.", MOST_NETWORKS))
    return found


def _network(line: str) -> str:
    try:
        if "%" in line:
            raise ValueError  # a network card of this machine; PostgreSQL stores none
        return str(ip_network(line, strict=False))
    except ValueError:
        raise Invalid(_("“{line}” is no address and no network. Examples: 203.0.113.7 or 192.168.0.0/24.").format(
            line=line[:60])) from None


def _check_doors(wanted: Clinic, identity: Identity) -> None:
    """Nobody may lock out themselves, or everybody where a factor can't be stored."""
    if wanted.factor_required:
        vault.require_keys()
    if wanted.owner_networks and not auth.within(identity.address, wanted.owner_networks):
        raise Invalid(_("You are at {address} now, which is not on this list: you would lock yourself out. Add it first.").format(
            address=identity.address))
