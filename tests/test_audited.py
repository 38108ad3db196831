"""Every act that the audit log has to tell of does write its row (SECURITY 16), and every action has words for people."""

import ast
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from lib import (
    article_reviews,
    auth,
    clinic_articles,
    clinics,
    credentials,
    db,
    emergencies,
    imports,
    patient_export,
    patients,
    workflows,
)
from lib.clinic_articles import Wording
from lib.errors import AppError, Forbidden, NotFound, NotSignedIn
from lib.imports import Report
from lib.intake import Row
from lib.patient_form import PatientForm
from lib.settings import ROOT
from tests.conftest import PASSWORD
from ui import audit_labels

EMERGENCY = "The patient can't breathe and his tongue is swollen"


def log(who, *actions: str) -> list:
    """The rows of somebody's own acts, oldest first."""
    with db.scope(who) as scope:
        rows = scope.connection.execute(text("""
            select action, resource, resource_id, patient_id, fields, row_count, term_hash, address, audit_log::text as everything
            from audit_log
            where clinic_id = :clinic_id and user_id = :me
            order by id
            """), {"clinic_id": who.clinic_id, "me": who.user_id}).all()
    return [row for row in rows if not actions or row.action in actions]


@pytest.fixture
def pat(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, PatientForm(full_name="Pat Poe", phone="+49 30 901820"))


@pytest.fixture
def acting(bob):
    """Bob does something in a transaction of his own."""
    def act(deed, *arguments, **more):
        with db.scope(bob) as scope:
            return deed(scope, *arguments, **more)
    return act


# what people do ------------------------------------------------------------------------------------------------------


def test_a_view_of_a_patient(acting, bob, pat):
    acting(patients.get, pat)
    acting(patients.get, pat)
    [row] = log(bob)
    assert (row.action, row.resource, row.patient_id, row.address) == ("view", "patient", pat, "127.0.0.1")


def test_a_list_and_a_search_whose_term_stays_unknown(acting, bob, pat):
    acting(patients.find)
    for term in ("pat", "pat", "poe"):
        acting(patients.find, term=term)
    assert [row.action for row in log(bob)] == ["list", "search", "search"]
    assert all(len(row.term_hash) == 64 and "poe" not in row.everything.lower() for row in log(bob, "search"))


def test_a_view_repeated_after_five_minutes_is_another_one(acting, bob, owner):
    with owner.begin() as connection:
        connection.execute(text("""
            insert into audit_log (clinic_id, id, user_id, session_id, action, resource)
            values (:clinic, app.uuid_floor(now() - interval '301 seconds'), :me, :session, 'list', 'patients')
            """), {"clinic": bob.clinic_id, "me": bob.user_id, "session": bob.session})
    acting(patients.find)
    assert len(log(bob, "list")) == 2


def test_another_device_or_another_person_is_another_look(bob, alice):
    for who in (bob, replace(bob, session=b"x" * 32), replace(alice, session=bob.session)):
        with db.scope(who) as scope:
            patients.find(scope)
    assert (len(log(bob, "list")), len(log(alice, "list"))) == (2, 1)


def test_adding_changing_archiving_and_restoring_a_patient(acting, bob):
    patient_id = acting(patients.register, PatientForm(full_name="Canary Name", phone="+49 30 901820"))
    before = acting(patients.read, patient_id)
    acting(patients.amend, patient_id, PatientForm(full_name="Canary Name", email="canary@example.org"), versions=before.versions)
    acting(patients.archive, patient_id)
    acting(patients.restore, patient_id)
    rows = log(bob)
    assert [(row.action, row.fields) for row in rows] == [
        ("register", ["full_name", "phone"]), ("amend", ["email", "phone"]), ("archive", ["archived_at"]),
        ("restore", ["archived_at"])]
    assert {row.patient_id for row in rows} == {patient_id}
    assert not [row for row in rows if "canary" in row.everything.lower()]


def test_a_question_an_emergency_and_its_acknowledgement(acting, bob, pat):
    workflows.ask(bob, pat, EMERGENCY)
    [emergency] = acting(emergencies.waiting).rows
    acting(emergencies.acknowledge, emergency.id, action_taken="Called canaryaunt")
    assert [(row.action, row.patient_id) for row in log(bob)] == [
        ("ask", pat), ("raise_emergency", pat), ("acknowledge_emergency", pat)]
    assert not [row for row in log(bob) if "breathe" in row.everything or "canary" in row.everything]


def test_an_export_with_its_row_count(acting, bob, pat):
    acting(patient_export.export)
    [row] = log(bob)
    assert (row.action, row.resource, row.row_count) == ("export", "patients", 1)


def test_an_import_and_its_dry_run_with_their_row_counts(bob):
    rows = [Row(line, PatientForm(full_name=name)) for line, name in enumerate(("Anna Bell", "Ben Cole"), 2)]
    for dry_run in (True, False):
        for _batch in imports.run(Report(list(rows), dry_run=dry_run), partial(db.scope, bob)):
            pass
    assert [(row.action, row.row_count) for row in log(bob)] == [("import_check", 2), ("import", 2)]


def test_a_change_of_the_clinics_settings(alice):
    with db.scope(alice) as scope:
        clinics.amend(scope, replace(clinics.get(scope), currency="CHF"))
    assert [(row.action, row.resource, row.fields) for row in log(alice)] == [("change", "clinic", ["currency"])]


def test_the_life_of_an_own_article_and_the_review_of_a_built_in_one(alice):
    article_id, before = uuid4(), Wording("Opening hours", (), "From 8 to 17, canaryhours.")
    with db.scope(alice) as scope:
        clinic_articles.add(scope, before, article_id=article_id)
        clinic_articles.amend(scope, article_id, replace(before, title="Hours"), version=1)
        clinic_articles.archive(scope, article_id)
        clinic_articles.restore(scope, article_id)
        credentials.submit(scope, "Endodontics", "DE-4711")
        credentials.decide(scope, alice.user_id, "approved", version=1)
        article_reviews.review(scope, "crowns")
    rows = [row for row in log(alice) if "article" in row.resource]
    assert [(row.action, row.resource, row.resource_id, row.fields) for row in rows] == [
        ("add", "clinic_article", str(article_id), ["title", "body"]), ("change", "clinic_article", str(article_id), ["title"]),
        ("archive", "clinic_article", str(article_id), ["archived_at"]),
        ("restore", "clinic_article", str(article_id), ["archived_at"]), ("review", "article", "crowns", [])]
    assert not [row for row in rows if "canary" in row.everything]


def test_signing_in_and_out(alice):
    signed_in = auth.redeem_ticket(auth.issue_ticket(auth.find_account(alice.email), keep=False), device="", address="10.0.0.7")
    auth.sign_out(auth.recognise(signed_in.token, address="10.0.0.7"))
    assert [(row.action, row.address) for row in log(alice)] == [("sign_in", "10.0.0.7"), ("sign_out", "10.0.0.7")]


@pytest.mark.parametrize("kind", ["sign_in_failed", "factor_failed"])
def test_a_failed_sign_in_in_each_clinic_of_the_person_and_for_the_operator(alice, charlie, owner, kind):
    from lib import audit
    with owner.begin() as connection:
        connection.execute(text("""
            insert into memberships (clinic_id, user_id, role, display_name) values (:clinic, :person, 'clinician', 'Alice')
            """), {"clinic": charlie.clinic_id, "person": alice.user_id})
    audit.record_failed_sign_in(kind, alice.email.upper(), alice.user_id, address="10.0.0.7", request_id="r-1")
    for clinic in (alice, replace(alice, clinic_id=charlie.clinic_id, role="clinician")):
        assert [(row.action, row.address) for row in log(clinic)] == [(kind, "10.0.0.7")]
    with owner.connect() as connection:
        event = connection.execute(text("""
            select kind, account_hash, request_id from security_events where user_id = :me
            """), {"me": alice.user_id}).one()
    assert (event.kind, event.account_hash, event.request_id) == (kind, audit._digest(alice.email), "r-1")


def test_a_wrong_password_is_such_a_failure_and_a_strangers_is_the_operators_alone(alice, owner):
    assert not auth.verify(auth.find_account(alice.email), PASSWORD + "x", address="10.0.0.7")
    assert [row.action for row in log(alice)] == ["sign_in_failed"]
    before = _count(owner, "security_events")
    assert not auth.verify(auth.find_account("nobody@example.org"), PASSWORD)
    assert _count(owner, "security_events") == before + 1
    assert len(log(alice)) == 1


def _count(owner, table: str) -> int:
    with owner.connect() as connection:
        return int(connection.execute(text(f"select count(*) from {table}")).scalar_one())


# what people are refused ---------------------------------------------------------------------------------------------


def refusals(who) -> list[str]:
    return [row.resource_id for row in log(who, "refused")]


def test_an_act_that_the_library_refuses_and_the_row_outlives_the_rollback(bob, rita, pat):
    rita = replace(rita, place="somewhere")
    with pytest.raises(Forbidden), db.scope(rita) as scope:
        patients.register(scope, PatientForm(full_name="Never There"))
        patients.archive(scope, pat)
    assert refusals(rita) == ["somewhere"]
    assert not log(rita, "register")
    with db.scope(bob) as scope:
        assert not patients.find(scope, term="never").rows


def test_what_the_database_refuses(rita):
    with pytest.raises(Forbidden), db.scope(replace(rita, place="deep down")) as scope:
        scope.run("update patients set clinic_id = clinic_id where clinic_id = :clinic_id")
    assert refusals(rita) == ["deep down"]


def test_a_foreign_id_leaves_a_refusal_at_the_askers_and_nothing_at_the_owners(alice, charlie, pat):
    before = len(log(alice))
    with pytest.raises(NotFound), db.scope(replace(charlie, place=f"patient {pat}")) as scope:
        patients.get(scope, pat)
    assert [(row.action, row.resource_id, row.patient_id) for row in log(charlie)] == [("refused", f"patient {pat}", None)]
    assert len(log(alice)) == before


def test_a_refusal_repeated_at_one_place_is_one_row(rita):
    for place in ("here", "here", "there"):
        with pytest.raises(Forbidden), db.scope(replace(rita, place=place)) as scope:
            auth.require(scope.identity, "clinic.settings")
    assert refusals(rita) == ["here", "there"]


def test_a_route_of_the_api(server, rita, cookie_of):
    answer = httpx.post(f"{server}/api/v1/patients/export", json={},
                        headers={"Origin": server, "Cookie": f"chairside={cookie_of(rita)}"})
    assert answer.status_code == 403
    assert refusals(rita) == ["POST /api/v1/patients/export"]


def test_a_former_member_leaves_a_row_for_the_operator(bob, owner):
    with owner.begin() as connection:
        connection.execute(text("update memberships set ended_at = now() where user_id = :me"), {"me": bob.user_id})
    with pytest.raises(Forbidden), db.scope(bob) as scope:
        patients.find(scope)
    with owner.connect() as connection:
        assert connection.execute(text("select kind from security_events where user_id = :me"),
                                  {"me": bob.user_id}).scalars().all() == ["membership_refused"]


def test_an_ended_session_is_no_refusal(alice, token_of):
    token = token_of(alice)
    auth.sign_out(auth.resume(token))
    with pytest.raises(NotSignedIn):
        auth.resume(token)
    assert not refusals(alice)


# no access without its row -------------------------------------------------------------------------------------------


@pytest.fixture
def no_room(owner):
    """The audit log takes no row any more."""
    with owner.begin() as connection:
        connection.execute(text("create trigger full_up before insert on audit_log for each row execute function app.refuse()"))
    yield
    with owner.begin() as connection:
        connection.execute(text("drop trigger full_up on audit_log"))


def test_what_cannot_be_recorded_does_not_happen(alice, bob, pat, no_room):
    with pytest.raises(AppError), db.scope(bob) as scope:
        patients.get(scope, pat)
    with pytest.raises(AppError), db.scope(bob) as scope:
        patients.register(scope, PatientForm(full_name="Never There"))
    with pytest.raises(AppError), db.scope(bob) as scope:
        patient_export.export(scope)
    with pytest.raises(AppError):
        auth.sign_out(bob)
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from patients where clinic_id = :clinic_id") == 1


# every action has words ----------------------------------------------------------------------------------------------



def recorded() -> set[tuple[str, str]]:
    """Action and resource of every audit row that the code writes; where a function is handed the action, of its callers."""
    found = {(action, "session") for action in ("sign_in_failed", "factor_failed", "confirm_failed")}  # app.record_failed_sign_in
    for path in [*ROOT.glob("lib/*.py"), *ROOT.glob("pages/*.py"), *ROOT.glob("ui/*.py"), *ROOT.glob("api/*.py")]:
        found |= _in_module(ast.parse(path.read_text()), path)
    return found


def _in_module(module: ast.Module, path: Path) -> set[tuple[str, str]]:
    found = set()
    for function in [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]:
        for call in [node for node in ast.walk(function) if isinstance(node, ast.Call) and _is_record(node)]:
            resources = _literals(call.args[2])
            actions = _literals(call.args[1]) or _handed(module, function, call.args[1])
            assert actions, f"{path.name}:{call.lineno} records an action that this test can't read"
            assert resources, f"{path.name}:{call.lineno} records a resource that this test can't read"
            found |= {(action, resource) for action in actions for resource in resources}
    return found


def _is_record(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    return name in ("audit.record", "audit.record_view", "record_view") and len(call.args) >= 3


def _literals(node: ast.expr) -> set[str]:
    """A text, or the two of `a if condition else b`."""
    branches = [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]
    return {one.value for one in branches if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def _handed(module: ast.Module, function: ast.FunctionDef, argument: ast.expr) -> set[str]:
    assert isinstance(argument, ast.Name)
    place = [one.arg for one in function.args.args].index(argument.id)
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call) and ast.unparse(node.func) == function.name]
    return set().union(*(_literals(call.args[place]) for call in calls))


def test_every_recorded_action_has_a_label():
    actions = {action for action, _resource in recorded()}
    assert {"view", "search", "refused", "set_factor", "import_check", "sign_in_failed", "verify"} <= actions
    assert actions - set(audit_labels.actions()) == set()


def test_no_label_is_left_of_an_action_that_nobody_records():
    assert set(audit_labels.actions()) - {action for action, _resource in recorded()} == set()
    assert set(audit_labels._deeds()) - recorded() == set()


def test_what_was_opened_or_listed_is_named():
    """"Opened" alone tells nobody what."""
    vague = {(action, resource) for action, resource in recorded() if action in ("view", "list", "search", "export", "change", "download")}
    assert vague - set(audit_labels._deeds()) == set()
