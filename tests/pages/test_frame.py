"""Who may open which page: the menu, the page's own guard, and the table of permissions say the same."""

from dataclasses import dataclass

import pytest

from lib import auth, db
from lib.errors import NotSignedIn
from tests.pages.conftest import texts
from ui import menu

PAGES = {file: permission for file, _title, _icon, permission, _section in menu.pages()}
REFUSED = [(page, role) for page, permission in PAGES.items() for role in ("receptionist", "manager", "clinician")
           if role not in auth.PERMISSIONS[permission]]
REFUSAL = "does not allow this"


@dataclass
class Refusal:
    action: str
    resource: str
    resource_id: str


@pytest.mark.parametrize("role", ["owner", "manager", "clinician", "receptionist"])
@pytest.mark.parametrize("page", PAGES)
def test_a_role_gets_the_pages_of_its_permissions_and_is_refused_at_the_others(open_page, alice, hire, role, page):
    who = alice if role == "owner" else hire(alice, role, "Some Body")
    at = open_page(who, page)
    if not auth.may(who, PAGES[page]):
        assert REFUSAL in texts(at) or at.exception
        assert not at.title
    elif page == "patient":
        assert at.exception[0].message.startswith("This app has encountered an error")  # no such patient: the hook's to tell
    else:
        assert not at.exception
        assert (page == "today") == ("Today" in [title.value for title in at.title])


@pytest.mark.parametrize(("page", "role"), REFUSED)
def test_a_refused_page_is_on_record(open_page, hire, alice, page, role):
    """SECURITY 16, by the menu's word for the page, which no client can choose."""
    who = hire(alice, role, "Some Body")
    open_page(who, page)
    with db.scope(who) as scope:
        rows = scope.many(Refusal, """
            select action, resource, resource_id from audit_log where clinic_id = :clinic_id and user_id = :me
            """, me=who.user_id)
    assert Refusal("refused", "access", page) in rows


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
    auth.sign_out(auth.resume(at.user["session"]))
    at.run()
    assert not at.title
    assert any(button.label == "Sign in" for button in at.button)


@pytest.mark.parametrize("page", ["patients", "chat", "audit"])
def test_a_page_reads_its_session_once(page, open_page, alice, monkeypatch):
    read, resume = [], auth.resume
    monkeypatch.setattr(auth, "resume", lambda *args, **options: read.append(1) or resume(*args, **options))

    open_page(alice, page)

    assert read == [1]


def test_a_revoked_session_is_refused_by_the_very_next_run(open_page, alice, token_of, monkeypatch):
    at = open_page(alice, "patients")
    monkeypatch.setattr(auth, "resume", lambda *_, **__: (_ for _ in ()).throw(NotSignedIn()))

    assert "Sign in" in [button.label for button in at.run().button]
