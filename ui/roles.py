"""Roles as people call them."""

from lib.texts import _


def name(role: str) -> str:
    return {"owner": _("Owner"), "manager": _("Manager"), "clinician": _("Clinician"), "receptionist": _("Receptionist")}[role]
