"""Who is asking: the one value that every transaction needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Identity:
    """A member of a clinic, or a program in a member's name, as its row just told. Never kept beyond one run or request."""

    user_id: UUID
    clinic_id: UUID
    role: str
    email: str
    full_name: str
    clinic_name: str
    country: str
    time_zone: str
    currency: str
    language: str
    emergency_number: str
    networks: Sequence[str] = ()
    """Where an owner's pages open (CIDR); empty: everywhere."""
    must_enrol: bool = False
    """The clinic wants a second factor, and this person has none yet."""
    clinics: int = 1
    """How many this person works in."""
    ends_in: float = 0.0
    """Seconds until this session is over, if nobody does anything more in it."""
    session: bytes = b""
    client: UUID | None = None
    """The API client that acts in this person's name; None: the person does."""
    scopes: Sequence[str] | None = None
    """The only permissions of the role that an API client has."""
    request_limit: int = 0
    """Of an API client, in 15 minutes."""
    address: str = ""
    request_id: str = ""
    place: str = ""
    """The page or route that asks, for the record of what was refused."""
