"""The table in lib/auth.py against what really answers: every page and route, every role, own, foreign and random ids.

SECURITY 1, 2, 5, 17: what a role may not have reaches it in no form, and a foreign id is as good as one that nobody has.
"""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from api.main import make
from lib import auth, clinic_articles, db, emergencies, patients, workflows
from lib.clinic_articles import Wording
from lib.identity import Identity
from lib.patient_form import PatientForm
from lib.settings import ROOT
from ui import menu

ROLES = ["owner", "manager", "clinician", "receptionist"]
PAGES = {file: permission for file, _title, _icon, permission, _section in menu.pages()}
OF_ONE_PATIENT = {"patient": "patients.read", "patient_edit": "patients.write", "chat": "chat.patient"}
REFUSED = "This app has encountered an error"
NOTE, ALERT, ASKED, GENERAL, OWN = "canarynote", "canaryalert", "canaryasked", "canarygeneral", "canaryarticle"

# Which permission each route asks for. "session": whoever is signed in. "": anybody.
ROUTES = {
    ("POST", "/v1/session"): "", ("DELETE", "/v1/session"): "", ("GET", "/v1/session"): "session", ("PUT", "/v1/session"): "session",
    ("POST", "/v1/patients/export"): "patients.export", ("POST", "/v1/patients/record"): "patients.record",
    **{(method, f"/v1/clinic/export{act}"): "clinic.export" for method, act in (
        ("POST", ""), ("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/continue"), ("POST", "/file"))},
    ("GET", "/v1/credentials/{user_id}/document"): "credentials.submit",
    ("POST", "/v1/audit/export"): "audit.read", ("POST", "/v1/chats/export"): "chat.ask", ("GET", "/v1/health"): "",
    ("PUT", "/v1/drafts"): "chat.patient", ("POST", "/v1/analytics/export"): "analytics.read",
    **{("POST", f"/v1/auth/{act}"): "" for act in ("register", "login", "mfa/verify", "refresh")},
    ("GET", "/v1/openapi.json"): "", ("GET", "/v1/docs"): "", ("POST", "/v1/auth/logout"): "session", ("GET", "/v1/auth/me"): "session", ("GET", "/v1/clinics"): "session",
    ("POST", "/v1/clinics/{clinic_id}/switch"): "account.own",
    ("GET", "/v1/api-clients"): "clinic.settings", ("POST", "/v1/api-clients"): "clinic.settings",
    ("DELETE", "/v1/api-clients/{client_id}"): "clinic.settings",
    ("GET", "/v1/patients"): "patients.read", ("POST", "/v1/patients"): "patients.write",
    ("GET", "/v1/patients/{patient_id}"): "patients.read", ("PATCH", "/v1/patients/{patient_id}"): "patients.write",
    ("POST", "/v1/patients/duplicates"): "patients.read", ("GET", "/v1/patients/{patient_id}/duplicates"): "patients.read",
    ("POST", "/v1/patients/{patient_id}/archive"): "patients.archive",
    ("POST", "/v1/patients/{patient_id}/restore"): "patients.archive",
    ("GET", "/v1/chats/threads"): "chat.ask", ("GET", "/v1/chats/threads/{thread_id}/messages"): "chat.ask",
    ("POST", "/v1/chats/messages"): "chat.ask", ("GET", "/v1/chats/messages/{message_id}"): "chat.ask",
    ("POST", "/v1/chats/messages/{message_id}/regenerate"): "chat.ask",
    ("POST", "/v1/chats/messages/{message_id}/general"): "chat.ask",
    ("GET", "/v1/chats/checklist"): "chat.ask",
    ("POST", "/v1/chats/checklist"): "chat.ask",
    ("POST", "/v1/chats/messages/{message_id}/stop"): "chat.ask",
    ("PUT", "/v1/chats/messages/{message_id}/feedback"): "chat.ask",
    ("GET", "/v1/emergencies"): "emergencies.read", ("POST", "/v1/emergencies/{emergency_id}/acknowledge"): "emergencies.read",
    ("GET", "/v1/team"): "team.manage", ("PATCH", "/v1/team/{user_id}"): "team.manage",
    **{("POST", f"/v1/team/{{user_id}}/{act}"): "team.manage" for act in ("deactivate", "reactivate", "sign-out")},
    ("GET", "/v1/team/invitations"): "team.manage", ("POST", "/v1/team/invitations"): "team.manage",
    ("DELETE", "/v1/team/invitations/{invitation_id}"): "team.manage",
    ("GET", "/v1/analytics/{figure}"): "analytics.read", ("GET", "/v1/budgets"): "analytics.read",
    ("GET", "/v1/audit"): "audit.read", ("GET", "/v1/jobs"): "patients.import", ("GET", "/v1/jobs/{job_id}"): "patients.import",
    ("GET", "/v1/jobs/{job_id}/report"): "patients.import", ("POST", "/v1/jobs/{job_id}/cancel"): "patients.import",
    ("POST", "/v1/jobs/{job_id}/continue"): "patients.import", ("POST", "/v1/patients/import"): "patients.import",
}
# What a route is told besides its address: the id of a patient, where it takes one.
BODIES = {("PUT", "/v1/drafts"): lambda who, of: {"clinic": str(who.clinic_id), "field": f"question:{of}", "text": "x", "before": ""},
          ("POST", "/v1/patients/record"): lambda who, of: {"patient": str(of)}}
# What a route is told that names no patient.
VALID = {("POST", "/v1/patients"): {"full_name": "Ann"}, ("POST", "/v1/patients/duplicates"): {"full_name": "Ann"},
         ("POST", "/v1/chats/messages"): {"text": "How long should a patient bite on gauze?"},
         ("PUT", "/v1/chats/messages/{message_id}/feedback"): {"helpful": True},
         ("POST", "/v1/chats/checklist"): {"signs": []},
         ("POST", "/v1/emergencies/{emergency_id}/acknowledge"): {"action_taken": "Called 112."},
         ("PATCH", "/v1/team/{user_id}"): {"role": "receptionist"},
         ("POST", "/v1/team/invitations"): {"email": "new@example.org", "role": "receptionist"},
         ("POST", "/v1/patients/import"): {"resourceType": "Patient", "name": [{"text": "Ann"}]},
         ("POST", "/v1/api-clients"): {"name": "Robot", "role": "owner", "scopes": ["patients.read"]}}
OF_PATIENTS = "/v1/patients/{patient_id}"


@pytest.fixture
def staff(alice, bob, mona, rita) -> dict[str, Identity]:
    return {"owner": alice, "clinician": bob, "manager": mona, "receptionist": rita}


@pytest.fixture
def house(alice, charlie, staff) -> dict[str, UUID]:
    """A patient with notes, a thread, a general question and an own article in Alice's clinic; one of each in Charlie's."""
    ids = {"random": uuid4()}
    for name, who in (("own", alice), ("foreign", charlie)):
        with db.scope(who) as scope:
            form = PatientForm(full_name=f"Canary {name.title()}", medical_notes=f"{NOTE}{name}", alerts=f"{ALERT}{name}")
            ids[name] = patients.register(scope, form)
            ids[f"{name}_article"] = uuid4()
            clinic_articles.add(scope, Wording(f"{OWN}{name}", (), f"{OWN}{name} text"), article_id=ids[f"{name}_article"])
        workflows.ask(who, ids[name], f"My face is swelling and I can't breathe {ASKED}{name}")
        workflows.ask(who, None, f"My throat is closing, I can't breathe {GENERAL}{name}")
    return ids


@pytest.fixture
def show(token_of) -> Callable[..., AppTest]:
    """A page at its address, as a browser would ask for it."""
    def open_page(who: Identity, page: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=20)
        at.user = {"session": token_of(who)}
        at.query_params.update(query)
        at.switch_page(f"../pages/{page}.py")
        return at.run()
    return open_page


def sent(at: AppTest) -> str:
    """Everything that went to the browser: every field of every element, visible or not."""
    found, waiting = [], [at._tree]
    while waiting:
        block = waiting.pop()
        for child in block.children.values():
            waiting.append(child) if hasattr(child, "children") else found.append(str(child.proto))
        found.append(str(getattr(block, "proto", "")))
    return "\n".join(found)


# pages ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("page", PAGES)
def test_no_page_sends_a_role_what_it_may_not_have(show, staff, house, page, role):
    who = staff[role]
    screens = [sent(show(who, page)), sent(show(who, page, patient=str(house["own"])))]
    everything = "\n".join(screens)
    assert f"{NOTE}foreign" not in everything
    assert "Canary Foreign" not in everything
    if not auth.may(who, "patients.notes"):
        assert NOTE not in everything
        assert ALERT not in everything
    if not auth.may(who, "chat.patient"):
        assert ASKED not in everything
    if role != "owner":  # Alice asked it; a general thread is its author's alone
        assert GENERAL not in everything


@pytest.mark.parametrize("role", ROLES)
def test_a_clinics_own_article_is_its_peoples_alone(show, staff, house, role):
    who = staff[role]
    own = sent(show(who, "knowledge", article=f"own:{house['own_article']}"))
    foreign, unknown = (sent(show(who, "knowledge", article=f"own:{house[whose]}")) for whose in ("foreign_article", "random"))
    assert f"{OWN}own text" in own
    assert f"{OWN}foreign" not in own + foreign
    assert foreign.replace(str(house["foreign_article"]), "") == unknown.replace(str(house["random"]), "")


def test_the_test_above_would_see_what_is_sent(show, staff, house):
    everything = "\n".join(sent(show(staff["clinician"], page, patient=str(house["own"]))) for page in OF_ONE_PATIENT)
    for canary in (NOTE, ALERT, ASKED):
        assert f"{canary}own" in everything


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("page", OF_ONE_PATIENT)
def test_a_foreign_id_gets_the_page_of_a_random_one(show, staff, house, page, role):
    who = staff[role]
    foreign, unknown = (sent(show(who, page, patient=str(house[whose]))) for whose in ("foreign", "random"))
    assert foreign.replace(str(house["foreign"]), "") == unknown.replace(str(house["random"]), "")
    if auth.may(who, OF_ONE_PATIENT[page]):
        assert REFUSED in unknown  # the hook that tells why is the server's; see tests/browser


@pytest.mark.parametrize("page", PAGES)
def test_a_lost_right_is_lost_on_the_next_run(show, owner, alice, hire, house, page):
    """No copy of a role outlives the row it was read from."""
    who = hire(alice, "owner", "Olga Owen")
    at = show(who, page, **({"patient": str(house["own"])} if page in OF_ONE_PATIENT else {}))
    with owner.begin() as connection:
        connection.execute(text("update memberships set role = 'receptionist' where clinic_id = :clinic and user_id = :user"),
                           {"clinic": who.clinic_id, "user": who.user_id})
    after = sent(at.run())
    assert NOTE not in after
    assert ASKED not in after
    if "receptionist" not in auth.PERMISSIONS[PAGES[page]]:
        assert "does not allow this" in after or at.exception


@pytest.mark.parametrize(("page", "role"), [(page, role) for page, permission in PAGES.items() for role in ROLES[1:]
                                            if role not in auth.PERMISSIONS[permission]])
def test_every_click_after_losing_the_right_does_nothing(show, owner, alice, hire, house, page, role):
    """Each button of a page, with its callback, fragment or form behind it, pressed by somebody who may not open it any more."""
    query = {"patient": str(house["own"])} if page in OF_ONE_PATIENT else {}
    for position in range(len(show(hire(alice, "owner", "Olga Owen"), page, **query).button)):
        who = hire(alice, "owner", "Olga Owen")
        at = show(who, page, **query)
        with owner.begin() as connection:
            connection.execute(text("update memberships set role = :role where clinic_id = :clinic and user_id = :user"),
                               {"role": role, "clinic": who.clinic_id, "user": who.user_id})
        before, label = acts(owner, who), at.button[position].label
        after = sent(at.button[position].click().run())
        left = label in ("Sign out", "Export")  # the way out stays open; an export asks its route, which refuses by itself
        assert left or "does not allow this" in after or at.exception, label
        assert acts(owner, who) == before, label
        assert NOTE not in after


def acts(owner, who: Identity) -> int:
    """What somebody did, by the record: looks and refusals apart."""
    with owner.connect() as connection:
        connection.execute(text("select app.enter(:clinic, :user)"), {"clinic": who.clinic_id, "user": who.user_id})
        return connection.execute(text("""
            select count(*) from audit_log
            where user_id = :user and action not in ('refused', 'view', 'list', 'search')
            """), {"user": who.user_id}).scalar_one()


# callbacks and fragments ---------------------------------------------------------------------------------------------

SCREENS = [*sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "ui").glob("*.py"))]
TELLING = ("db.scope(", "workflows.", "auth.switch_clinic(", "factors.", "account.", "team.", "credentials.")
DOORS = {"sign_in", "invited", "forgotten"}  # what strangers see


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def called_later(path: Path) -> set[str]:
    """Functions that run without their page's guard: fragments, dialogs, and whatever a widget calls back."""
    tree, names = ast.parse(path.read_text()), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any("fragment" in ast.unparse(mark) or "dialog" in ast.unparse(mark)
                                                     for mark in node.decorator_list):
            names.add(node.name)
        if isinstance(node, ast.keyword) and (node.arg or "").startswith(("on_", "callback")):
            names |= called(node.value)
    return names & set(functions(path))


def called(value: ast.expr) -> set[str]:
    """What a callback runs: a function, a partial of one, or whatever a lambda calls."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "partial":
        return called(value.args[0])
    if isinstance(value, ast.Lambda):
        return {name for call in ast.walk(value.body) if isinstance(call, ast.Call) for name in called(call.func)}
    return {value.id} if isinstance(value, ast.Name) else set()


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.stem)
def test_what_is_called_later_asks_the_guard_again(path):
    if path.stem in DOORS:
        return
    unguarded = [name for name in called_later(path)
                 if any(word in ast.unparse(functions(path)[name]) for word in TELLING)
                 and not any(word in ast.unparse(functions(path)[name]) for word in ("guard.require(", "guard.act(", "guard.watch("))]
    assert unguarded == []


def test_the_rule_above_finds_the_callbacks():
    assert "browse" in called_later(ROOT / "pages" / "patients.py")
    assert "_change_clinic" in called_later(ROOT / "ui" / "frame.py")
    assert "_acknowledge" in called_later(ROOT / "ui" / "alarm.py")


# routes --------------------------------------------------------------------------------------------------------------


def routes() -> list[tuple[str, str]]:
    found = []
    for route in make().routes:
        included = getattr(route, "original_router", None)
        prefix = getattr(getattr(route, "include_context", None), "prefix", "")
        for each in included.routes if included else [route]:
            found += [(method, prefix + each.path) for method in sorted(each.methods or ()) if method != "HEAD"]
    return found


def test_every_route_stands_in_the_table():
    assert set(routes()) == set(ROUTES)
    assert set(ROUTES.values()) <= set(auth.PERMISSIONS) | {"", "session"}


def ask(server: str, cookie: str, method: str, path: str, of: UUID, told: dict | None = None, **headers: str) -> httpx.Response:
    cookies = {"chairside": cookie} if cookie else {}
    body = {"content": json.dumps(told or {}), "headers": {"Content-Type": "application/json", "Origin": server, "If-Match": "*", **headers}}
    where = re.sub(r"{\w+}", str(of), path)
    return httpx.request(method, f"{server}/api{where}", cookies=cookies, timeout=30, **body)


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
@pytest.mark.parametrize(("method", "path"), [route for route, permission in ROUTES.items()
                                                if permission and route != ("POST", "/v1/auth/logout")])  # tests/api/test_auth.py
def test_a_route_answers_whom_the_table_names(server, staff, cookie_of, charlie, house, do_jobs, method, path, role):
    cookie, body = cookie_of(staff[role]) if role in staff else "", BODIES.get((method, path))
    patients_own = body or path.startswith(OF_PATIENTS)
    ids = {whose: house[whose] for whose in ("foreign", "random")} if patients_own else {
        "foreign": charlie.clinic_id if "{clinic_id}" in path else charlie.user_id, "random": uuid4()}
    told = VALID.get((method, path))
    statuses = {whose: ask(server, cookie, method, path, of, body(staff.get(role, charlie), of) if body else told).status_code
                for whose, of in ids.items()}
    permission = ROUTES[method, path]
    if not cookie:
        assert set(statuses.values()) == {401}
    elif path.startswith("/v1/clinic/export") and auth.may(staff[role], permission):
        assert set(statuses.values()) <= {200, 202, 204, 404, 409}  # as far as it is: tests/api/test_clinic.py
        do_jobs()  # none waits when other tests ask whether all is well
    elif permission == "session" or ("{" not in path and not body and auth.may(staff[role], permission)):
        assert set(statuses.values()) <= {200, 201, 202, 204}
    elif auth.may(staff[role], permission):
        assert set(statuses.values()) == {404}
    else:
        assert statuses["foreign"] == statuses["random"] in (403, 404)


@pytest.mark.parametrize("role", ROLES)
def test_an_export_holds_what_its_role_may_read(server, staff, cookie_of, house, role):
    answer = ask(server, cookie_of(staff[role]), "POST", "/v1/patients/export", house["own"])
    assert (NOTE in answer.text) == (auth.may(staff[role], "patients.export") and auth.may(staff[role], "patients.notes"))
    assert "foreign" not in answer.text.lower()
    if answer.status_code != 200:
        assert json.loads(answer.text)["request_id"]


@pytest.mark.parametrize("role", ROLES)
def test_the_database_alone_keeps_the_notes_and_threads(staff, house, role):
    """Whatever the code above it does: row-level security by role."""
    with db.scope(staff[role]) as scope:
        seen = {table: scope.value(f"select count(*) from {table} where clinic_id = :clinic_id") for table in
                ("patient_notes", "patient_note_versions", "credential_documents", "audit_seals")}
        threads = scope.value("select count(*) from chat_messages where clinic_id = :clinic_id and patient_id is not null")
        open_alarms = emergencies.view(scope)[0].rows if auth.may(staff[role], "emergencies.read") else []
    assert bool(seen["patient_notes"]) == bool(seen["patient_note_versions"]) == auth.may(staff[role], "patients.notes")
    assert bool(threads) == auth.may(staff[role], "chat.patient")
    if role == "receptionist":
        assert open_alarms == []
