"""Who may open which page: the menu, the page's own guard, and the table of permissions say the same."""

import pytest

from lib import auth
from tests.pages.conftest import texts
from ui import frame

PAGES = {file: permission for file, _title, _icon, permission, _section in frame.pages()}
REFUSED = [(page, role) for page, permission in PAGES.items() for role in ("receptionist", "manager", "clinician")
           if role not in auth.PERMISSIONS[permission]]
REFUSAL = "does not allow this"


@pytest.mark.parametrize("role", ["owner", "manager", "clinician", "receptionist"])
@pytest.mark.parametrize("page", PAGES)
def test_a_role_gets_the_pages_of_its_permissions_and_no_other(open_page, alice, hire, role, page):
    who = alice if role == "owner" else hire(alice, role, "Some Body")
    at = open_page(who, page)
    if page == "patient":
        assert at.exception[0].message.startswith("This app has encountered an error")  # no such patient: the hook's to tell
    elif auth.may(who, PAGES[page]):
        assert not at.exception
        assert (page == "today") == ("Today" in [title.value for title in at.title])
    else:
        assert at.title[0].value == "Today"  # an address that is not in one's menu leads home


@pytest.mark.parametrize(("page", "role"), REFUSED)
def test_a_page_opened_by_itself_refuses_whoever_lacks_the_permission(monkeypatch, open_page, hire, alice, page, role):
    """Without the menu's help: every page registered for everybody, as a bug in the navigation would do."""
    who = hire(alice, role, "Some Body")
    open_to_all = [(file, title, icon, "today.read", section) for file, title, icon, _permission, section in frame.pages()]
    monkeypatch.setattr(frame, "pages", lambda: open_to_all)
    at = open_page(who, page)
    assert REFUSAL in texts(at) or at.exception
    assert not at.title


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opened_by_itself_shows_nothing_without_a_session(open_page, alice, page):
    from streamlit.testing.v1 import AppTest

    from lib.settings import ROOT
    at = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=15)
    at.user = {}
    at.run()
    assert not at.title
    assert not at.dataframe


def test_a_name_full_of_markdown_is_only_a_name(open_page, open_clinic):
    at = open_page(open_clinic(clinic_name="![x](http://evil.example/p.png) :red[Clinic] <b>"), "today")
    assert all("![x](" not in element.value for element in at.markdown)
    assert any(r"\!\[x\]\(" in element.value for element in at.markdown)


def test_a_revoked_session_shows_the_form_on_the_next_run(open_page, alice):
    at = open_page(alice, "today")
    assert at.title[0].value == "Today"
    auth.sign_out(at.user["session"])
    at.run()
    assert not at.title
    assert any(button.label == "Sign in" for button in at.button)
