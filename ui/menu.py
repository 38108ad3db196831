"""The pages there are, and Streamlit's object of each: for the menu, and for links, which find a page by it much faster than by
its file."""

from functools import cache

import streamlit as st

from lib.texts import _


def pages() -> list[tuple[str, str, str, str, str]]:
    """File, title, icon, permission, section ("" for pages reached from others) in the order of the menu."""
    return [
        ("today", _("Today"), "today", "today.read", _("Clinic")),
        ("patients", _("Patients"), "groups", "patients.read", _("Clinic")),
        ("chat", _("Assistant"), "forum", "chat.ask", _("Clinic")),
        ("knowledge", _("Knowledge"), "menu_book", "knowledge.read", _("Clinic")),
        ("emergencies", _("Emergencies"), "emergency", "emergencies.read", _("Clinic")),
        ("account", _("Account"), "account_circle", "account.own", _("Clinic")),
        ("analytics", _("Analytics"), "monitoring", "analytics.read", _("Management")),
        ("alerts", _("Alerts"), "notifications", "alerts.read", _("Management")),
        ("team", _("Team"), "badge", "team.manage", _("Management")),
        ("audit", _("Audit"), "policy", "audit.read", _("Management")),
        ("provider", _("AI provider"), "network_intelligence", "clinic.settings", _("Management")),
        ("clinic", _("Clinic settings"), "settings", "clinic.settings", _("Management")),
        ("patient", _("Patient"), "person", "patients.read", ""),
        ("patient_edit", _("Edit patient"), "edit", "patients.write", ""),
        ("article_edit", _("Edit article"), "edit_note", "knowledge.write", ""),
        ("patient_import", _("Import patients"), "upload", "patients.import", ""),
    ]


def page(file: str, *, hidden: bool = False) -> st.Page:
    """A copy, because a run marks the page that it calls."""
    made = _made(file, hidden)
    page = object.__new__(type(made))  # the standard library's copy takes ten times as long, and a run makes thirty
    page.__dict__.update(made.__dict__)
    return page


@cache
def _made(file: str, hidden: bool) -> st.Page:
    """Once in a process: Streamlit looks for the file each time it makes one."""
    title, icon = next((title, icon) for name, title, icon, *_rest in pages() if name == file)
    return st.Page(f"../pages/{file}.py", title=title, icon=f":material/{icon}:", url_path=file, default=file == "today",
                   visibility="hidden" if hidden else "visible")
