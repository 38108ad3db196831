"""Who is asking: the one value that every transaction needs."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Identity:
    """A member of a clinic, as the session row told it a moment ago. Never kept beyond one run or request."""

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
    session: bytes = b""
    address: str = ""
    request_id: str = ""
