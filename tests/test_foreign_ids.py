"""Every action and every callback that takes an id, with every role: a foreign id does what one does that nobody has.

SECURITY 17. What is driven is found by reading the signatures: a new function that takes an id fails here until it has a line.
"""

import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass, replace
from datetime import UTC, datetime
from types import FunctionType, SimpleNamespace
from uuid import UUID, uuid4

import pytest
import streamlit as st
from sqlalchemy import Engine, text
from streamlit.testing.v1 import AppTest

from lib import (
    account,
    answer_ratings,
    answers,
    api_clients,
    archived_months,
    assistant,
    audit_trail,
    auth,
    calls,
    chats,
    clinic_alerts,
    clinic_articles,
    credentials,
    db,
    drafts,
    emergencies,
    erasures,
    export_jobs,
    import_jobs,
    imports,
    jobs,
    long_jobs,
    merges,
    patient_history,
    patient_notes,
    patient_record,
    patients,
    team,
    thread_export,
    tokens,
    workers,
    workflows,
)
from lib.calls import Call, Ending
from lib.db import Scope
from lib.errors import AppError
from lib.events import FREE
from lib.identity import Identity
from lib.patient_form import PatientForm
from lib.settings import ROOT
from tests.test_permissions import OF_ONE_PATIENT, sent
from tests.test_rules import TENANTS
from ui import state

ROLES = ["owner", "manager", "clinician", "receptionist"]
EVERYBODY, NOBODY = frozenset(ROLES), frozenset()
CLINICAL, STAFF, OWNER = frozenset({"owner", "clinician"}), frozenset({"owner", "manager"}), frozenset({"owner"})
FOREIGN, PDF = "canaryforeign", b"%PDF-1.7 canaryforeign"
ALARM = "My face is swelling and I can't breathe"
AT = datetime(2026, 1, 1, tzinfo=UTC)
ENDED, CALL = Ending(FREE, "words", 1, 1), Call("kb", None, "test", None, "en")


@dataclass(frozen=True)
class Drive:
    """`roles`: for whom an own id does more than one that nobody has. NOBODY: it answers everybody alike."""

    roles: frozenset[str]
    call: Callable[..., object]


# What lib/ does with an id ---------------------------------------------------------------------------------------------

WORDING = clinic_articles.Wording("X", (), "x")


def a_job(of: SimpleNamespace) -> long_jobs.LongJob:
    return long_jobs.LongJob(of.job, "import", "x.csv", "waiting", 0, 1, "", AT, None, False)


ACTIONS = {
    "api_clients.revoke": Drive(OWNER, lambda scope, of: api_clients.revoke(scope, of.api_client)),
    "archived_months.of_thread": Drive(NOBODY, lambda scope, of: archived_months.of_thread(scope, of.patient)),  # none is away here
    "archived_months.of_views": Drive(NOBODY, lambda scope, of: archived_months.of_views(scope, of.patient)),
    "chats.thread": Drive(CLINICAL, lambda scope, of: chats.thread(scope, of.thread)),
    "answer_ratings.rate": Drive(CLINICAL, lambda scope, of: answer_ratings.rate(scope, of.answer, helpful=True)),
    "answer_ratings.my_reason": Drive(NOBODY, lambda scope, of: answer_ratings.my_reason(scope, of.answer)),
    "assistant.begin": Drive(CLINICAL, lambda scope, of: type(assistant.begin(scope, assistant.Question(
        of.question, of.thread, of.patient, "x", None, "test"), 0.0))),
    "calls.begin": Drive(NOBODY, lambda scope, of: calls.begin(scope, of.answer, CALL)),
    "calls.finish": Drive(OWNER, lambda scope, of: calls.finish(scope, of.running, ENDED)),  # Alice asked
    "calls.rule_set_of": Drive(STAFF, lambda scope, of: calls.rule_set_of(scope, of.answer)),  # what a bill says, not what was asked
    "chats.find_running": Drive(NOBODY, lambda scope, of: chats.find_running(scope, of.thread, of.question)),
    "chats.search": Drive(CLINICAL, lambda scope, of: chats.search(scope, of.thread, "a")),
    "chats.sent": Drive(CLINICAL, lambda scope, of: chats.sent(scope, of.answer)),
    "chats.turns_before": Drive(CLINICAL, lambda scope, of: chats.turns_before(scope, of.thread, of.running, limit=5)),
    "clinic_alerts.outcome": Drive(STAFF, lambda scope, of: clinic_alerts.outcome(scope, of.alert)),
    "clinic_articles.get": Drive(EVERYBODY, lambda scope, of: clinic_articles.get(scope, of.article)),
    "clinic_articles.amend": Drive(OWNER, lambda scope, of: clinic_articles.amend(scope, of.article, WORDING, version=1)),
    "clinic_articles.archive": Drive(OWNER, lambda scope, of: clinic_articles.archive(scope, of.article)),
    "clinic_articles.restore": Drive(OWNER, lambda scope, of: clinic_articles.restore(scope, of.article)),
    "emergencies.declare_general": Drive(EVERYBODY - {"receptionist"},
                                         lambda scope, of: emergencies.declare_general(scope, of.emergency)),
    "import_jobs.report": Drive(NOBODY, lambda scope, of: import_jobs.report(scope, a_job(of)).outcomes),  # nothing came of it yet
    "import_jobs.counts": Drive(NOBODY, lambda scope, of: import_jobs.counts(scope, a_job(of))),
    "export_jobs.discard": Drive(OWNER, lambda scope, of: export_jobs.discard(scope, of.job)),
    "jobs.defer": Drive(NOBODY, lambda scope, of: jobs.defer(scope, "mail_invitation", of.invitation)),
    "long_jobs.get": Drive(OWNER, lambda scope, of: long_jobs.get(scope, of.job)),  # Alice began it
    "long_jobs.cancel": Drive(OWNER, lambda scope, of: long_jobs.cancel(scope, of.job)),
    "long_jobs.go_on": Drive(OWNER, lambda scope, of: long_jobs.go_on(scope, of.job)),
    "long_jobs.dismiss": Drive(OWNER, lambda scope, of: long_jobs.dismiss(scope, of.job)),
    "long_jobs.take": Drive(NOBODY, lambda scope, of: long_jobs.take(scope, of.job)),  # this one and the next: the worker's alone
    "long_jobs.advance": Drive(NOBODY, lambda scope, of: long_jobs.advance(scope, of.job, 0, 1)),
    "long_jobs.stop": Drive(NOBODY, lambda scope, of: long_jobs.stop(scope, of.job)),
    "long_jobs.settle": Drive(NOBODY, lambda scope, of: long_jobs.settle(scope, of.job, "done")),
    "patient_notes.append": Drive(CLINICAL, lambda scope, of: patient_notes.append(scope, of.patient, "x", "x")),
    "thread_export.export": Drive(CLINICAL, lambda scope, of: thread_export.export(scope, of.patient)),
    "erasures.erase": Drive(OWNER, lambda scope, of: erasures.erase(scope, of.patient, version=1, name="Ann own", reason="x")),
    "merges.preview": Drive(CLINICAL, lambda scope, of: merges.preview(scope, of.patient, of.twin)),
    "merges.merge": Drive(CLINICAL, lambda scope, of: merges.merge(scope, of.patient, of.twin, versions=(1, 1, 1, 0), wins={})),
    "merges.found": Drive(CLINICAL, lambda scope, of: merges.found(scope, of.sister)),
    "merges.unmerge": Drive(CLINICAL, lambda scope, of: merges.unmerge(scope, of.sister, of.merged, versions=(1, 0))),
    "patient_record.export": Drive(CLINICAL, lambda scope, of: patient_record.export(scope, of.patient)),
    "account.sign_out": Drive(EVERYBODY, lambda who, of: account.sign_out(who, of.session)),
    "audit_trail.find": Drive(OWNER, lambda scope, of: audit_trail.find(scope, audit_trail.Filter(patient=of.patient))),
    "audit_trail.find by": Drive(OWNER, lambda scope, of: audit_trail.find(scope, audit_trail.Filter(person=of.boss))),
    "audit_trail.export": Drive(OWNER, lambda scope, of: audit_trail.export(scope, audit_trail.Filter(patient=of.patient))),
    "auth.switch_clinic": Drive(EVERYBODY, lambda who, of: auth.switch_clinic(who, of.clinic)),
    "chats.find_thread": Drive(CLINICAL, lambda scope, of: chats.find_thread(scope, of.patient)),
    "chats.open_thread": Drive(CLINICAL, lambda scope, of: chats.open_thread(scope, of.patient)),
    "chats.view": Drive(CLINICAL, lambda scope, of: chats.view(scope, of.patient)),
    "chats.history": Drive(CLINICAL, lambda scope, of: chats.history(scope, of.thread)),
    "chats.get": Drive(CLINICAL, lambda scope, of: chats.get(scope, of.answer)),
    "chats.recent_questions": Drive(OWNER, lambda scope, of: chats.recent_questions(scope, of.thread)),  # Alice asked them
    "chats.find_repeated": Drive(NOBODY, lambda scope, of: chats.find_repeated(scope, of.thread, "never asked", None)),
    "chats.post_question": Drive(CLINICAL, lambda scope, of: chats.post_question(scope, of.thread, "x")),
    "answers.start": Drive(CLINICAL, lambda scope, of: answers.start(scope, of.question, CALL)),
    "answers.keep": Drive(CLINICAL, lambda scope, of: answers.keep(scope, of.running, "so far")),
    "answers.is_running": Drive(OWNER, lambda scope, of: answers.is_running(scope, of.running)),
    "answers.ask_to_stop": Drive(NOBODY, lambda scope, of: answers.ask_to_stop(scope, of.running)),
    "answers.finish": Drive(CLINICAL, lambda scope, of: answers.finish(scope, of.running, CALL, ENDED, {})),
    "credentials.get": Drive(OWNER, lambda scope, of: credentials.get(scope, of.clinician)),
    "credentials.decide": Drive(OWNER, lambda scope, of: credentials.decide(scope, of.clinician, "approved", version=1)),
    "credentials.document": Drive(OWNER, lambda scope, of: credentials.document(scope, of.clinician)),
    "drafts.load_texts": Drive(CLINICAL, lambda scope, of: drafts.load_texts(scope, [f"question:{of.patient}"])),
    "drafts.keep_text": Drive(CLINICAL, lambda scope, of: drafts.keep_text(scope, f"question:{of.patient}", "x")),
    "drafts.keep_text about an emergency": Drive(CLINICAL, lambda scope, of: drafts.keep_text(scope, f"acknowledge:{of.emergency}", "x")),
    "drafts.keep_text about an answer": Drive(CLINICAL, lambda scope, of: drafts.keep_text(scope, f"rate:{of.answer}", "x")),
    "drafts.keep_text about credentials": Drive(OWNER, lambda scope, of: drafts.keep_text(scope, f"review:{of.clinician}", "x")),
    "drafts.discard_text": Drive(NOBODY, lambda scope, of: drafts.discard_text(scope, f"question:{of.patient}", "x")),
    "drafts.discard_texts": Drive(NOBODY, lambda scope, of: drafts.discard_texts(scope, [f"question:{of.patient}"])),
    "emergencies.raise_alarm": Drive(CLINICAL, lambda scope, of: emergencies.raise_alarm(scope, of.question, categories=["airway"],
                                                                                         rule_set="test")),
    "emergencies.of_questions": Drive(EVERYBODY - {"receptionist"},
                                      lambda scope, of: emergencies.of_questions(scope, of.thread, [of.question])),
    "emergencies.get": Drive(EVERYBODY - {"receptionist"}, lambda scope, of: emergencies.get(scope, of.emergency)),
    "emergencies.still_waiting": Drive(EVERYBODY - {"receptionist"}, lambda scope, of: emergencies.still_waiting(scope, [of.emergency])),
    "emergencies.acknowledge": Drive(CLINICAL, lambda scope, of: emergencies.acknowledge(scope, of.emergency, action_taken="x")),
    "patient_history.read": Drive(EVERYBODY, lambda scope, of: patient_history.read(scope, of.patient)),
    "patient_history.known_as": Drive(EVERYBODY, lambda scope, of: patient_history.known_as(scope, of.patient)),
    "chats.last_attempts": Drive(CLINICAL, lambda scope, of: chats.last_attempts(scope, of.thread, [of.question])),
    "chats.highest_tier": Drive(CLINICAL, lambda scope, of: chats.highest_tier(scope, of.thread, of.question)),
    "patients.get": Drive(EVERYBODY, lambda scope, of: patients.get(scope, of.patient)),
    "patients.read": Drive(EVERYBODY, lambda scope, of: patients.read(scope, of.patient)),
    "patients.as_of": Drive(EVERYBODY, lambda scope, of: patients.as_of(scope, of.patient, (1, 1))),
    "patients.family": Drive(EVERYBODY, lambda scope, of: len(patients.family(scope, of.sister))),
    "patients.duplicates": Drive(EVERYBODY, lambda scope, of: patients.duplicates(scope, PatientForm(
        full_name="X", email="own@example.org"), of.patient)),
    "patients.amend": Drive(EVERYBODY, lambda scope, of: patients.amend(scope, of.patient, PatientForm(full_name="X"), versions=(1, 1))),
    "patients.archive": Drive(auth.PERMISSIONS["patients.archive"], lambda scope, of: patients.archive(scope, of.patient)),
    "patients.restore": Drive(auth.PERMISSIONS["patients.archive"], lambda scope, of: patients.restore(scope, of.patient)),
    "team.get": Drive(STAFF, lambda scope, of: team.get(scope, of.member)),
    "team.change_role": Drive(STAFF, lambda scope, of: team.change_role(scope, of.member, "receptionist")),
    "team.deactivate": Drive(STAFF, lambda scope, of: team.deactivate(scope, of.member)),
    "team.reactivate": Drive(STAFF, lambda scope, of: team.reactivate(scope, of.member)),
    "team.sign_out": Drive(STAFF, lambda scope, of: team.sign_out(scope, of.member)),
    "team.reset_password_link": Drive(OWNER, lambda scope, of: team.reset_password_link(scope, of.member)),
    "team.reset_factor": Drive(OWNER, lambda scope, of: team.reset_factor(scope, of.member)),
    "team.withdraw": Drive(STAFF, lambda scope, of: team.withdraw(scope, of.invitation)),
    "workflows.ask": Drive(CLINICAL, lambda who, of: workflows.ask(who, of.patient, ALARM)),
    "workflows.ask_again": Drive(CLINICAL, lambda who, of: workflows.ask_again(who, of.answer)),
    "workflows.save_to_notes": Drive(CLINICAL, lambda who, of: workflows.save_to_notes(who, of.answer)),
    "workflows.tick_off": Drive(CLINICAL, lambda who, of: workflows.tick_off(who, of.patient, ["airway"])),
    "workflows.declare_general": Drive(CLINICAL, lambda who, of: workflows.declare_general(who, of.emergency)),
    "workflows.stop": Drive(NOBODY, lambda who, of: workflows.stop(who, of.running)),
    "workflows.is_heard": Drive(OWNER, lambda who, of: workflows.is_heard(who, of.running)),  # Alice asked
    "clinic_articles.add": Drive(NOBODY, lambda scope, of: clinic_articles.add(scope, WORDING, article_id=of.article)),  # last, as it makes one's own of them
    "patients.register": Drive(NOBODY, lambda scope, of: patients.register(scope, PatientForm(full_name="X"), patient_id=of.patient)),  # last: it makes a patient of one's own
}
# Counted by the housekeeper whenever it likes.
ROLLUPS = {"figure_marks", "figure_changes", "usage_hours", "usage_days", "latency_days", "member_days", "patient_days", "article_days",
           "emergency_days", "budget_days"}
# They write down, compare or store what their caller has reached already, or fill one's own form with it.
EXEMPT = {"audit.record", "audit.record_view", "patients.differences", "patients.write", "likeness.find", "imports.write",
          "import_steps.advance", "team_credentials._fields", "settlement.priced", "settlement.settle_budget", "emergency_news._tell"}
PLACES = {"after", "before"}  # where a page of a list begins: an order, and no way to a row

# What the screens do with one ------------------------------------------------------------------------------------------

def a_member(of: SimpleNamespace) -> team.Member:
    return team.Member(of.member, "X", None, "receptionist", AT, None)


def some_credentials(of: SimpleNamespace) -> credentials.Credentials:
    return credentials.Credentials(of.clinician, "X", "S", "1", "pending", "", AT, None, None, 1, None)


def a_patient(of: SimpleNamespace) -> patients.Patient:
    return patients.Patient(of.sister, "X", None, None, None, False, None, None, None, 1, AT, AT, "X")


def an_answer(of: SimpleNamespace) -> chats.Message:
    return chats.Message(of.answer, of.thread, of.patient, of.boss, "X", of.question, "assistant", "started", "", {}, AT, False)


def ask(run: Callable[..., object], of: SimpleNamespace) -> None:
    state.show("box", f"{ALARM} today")
    run(of.patient, "box")


SCREENS = {
    "account_devices._sign_out": Drive(EVERYBODY, lambda run, of: run(of.session)),
    "account_jobs._cancel": Drive(OWNER, lambda run, of: run(of.job)),
    "alarm._declare_general": Drive(OWNER, lambda run, of: run(of.emergency)),
    "answer_actions._again": Drive(CLINICAL, lambda run, of: run(an_answer(of))),
    "answer_actions._ask_why": Drive(NOBODY, lambda run, of: run(of.answer, "chat.patient")),
    "answer_actions._notes": Drive(NOBODY, lambda run, of: run(an_answer(of))),
    "answer_actions._rate": Drive(NOBODY, lambda run, of: run(of.answer, "chat.patient", True, "")),
    "answer_actions._show_sent": Drive(CLINICAL, lambda run, of: run(of.answer, "chat.patient")),
    "article_view._archive": Drive(NOBODY, lambda run, of: run(of.article, "X")),
    "article_view._restore": Drive(NOBODY, lambda run, of: run(of.article, "X")),
    "patient_more._export": Drive(NOBODY, lambda run, of: run(of.patient)),
    "patient_more._merge": Drive(CLINICAL, lambda run, of: run(of.patient)),
    "patient_more._erase": Drive(OWNER, lambda run, of: run(of.patient)),
    "patient_more._offer_undo": Drive(NOBODY, lambda run, of: run(a_patient(of), merges.Merged(of.merged, "X", "X", 0))),
    "patient_more._go_through": Drive(NOBODY, lambda run, of: run(of.patient, 1, "X", "X")),
    "thread_tools.search": Drive(NOBODY, lambda run, of: run(of.patient)),
    "job_progress.follow": Drive(NOBODY, lambda run, of: run(a_job(of), "patients.import")),
    "thread_tools._tick_off": Drive(NOBODY, lambda run, of: run(of.patient)),
    "alarm._acknowledge": Drive(NOBODY, lambda run, of: run(of.emergency)),
    "clinic_clients._revoke": Drive(OWNER, lambda run, of: run(of.api_client, "X")),
    "conversation._choose": Drive(NOBODY, lambda run, of: run(of.patient)),
    "conversation._ask": Drive(CLINICAL, ask),
    "running_answer._look": Drive(CLINICAL, lambda run, of: st.write(run(an_answer(of)).content)),
    "conversation._read_anew": Drive(CLINICAL, lambda run, of: st.write(run(of.patient, of.thread)[1].page.rows)),
    "running_answer._show_beside_a_dialog": Drive(CLINICAL, lambda run, of: run([of.answer], "chat.patient", "", {})),
    "running_answer._stop": Drive(NOBODY, lambda run, of: run(of.running)),
    "kept.start_over": Drive(NOBODY, lambda run, of: run("form", [f"question:{of.patient}"])),
    "team_credentials._decide": Drive(OWNER, lambda run, of: run(some_credentials(of), "approved", "", "form", 1)),
    "team_credentials.decide": Drive(OWNER, lambda run, of: run(of.clinician)),
    "team_invitations._withdraw": Drive(STAFF, lambda run, of: run(team.Open(of.invitation, "x@example.org", "receptionist", "X", AT))),
    "team_members._deactivate": Drive(NOBODY, lambda run, of: run(a_member(of))),
    "team_members._help": Drive(NOBODY, lambda run, of: run(a_member(of))),
    "team_members._reactivate": Drive(STAFF, lambda run, of: run(a_member(of))),
    "team_members._role": Drive(NOBODY, lambda run, of: run(a_member(of), ["owner", "receptionist"])),
    "team_members._sign_out": Drive(NOBODY, lambda run, of: run(a_member(of))),
    "team_members.manage": Drive(STAFF, lambda run, of: run(of.member)),
    "frame._change_clinic": Drive(EVERYBODY, lambda run, of: run(of.clinic)),  # last: the next sign-in is there
}
DOORS = {"sign_in", "invited", "forgotten"}  # what strangers see: tests/pages and tests/browser/test_links.py


# finding them ----------------------------------------------------------------------------------------------------------


def functions(package: str) -> Iterator[tuple[str, FunctionType]]:
    for path in sorted((ROOT / package).glob("*.py")):
        if path.stem in ("__init__", "main", "operator", "demo", "demo_plan"):
            continue
        module = importlib.import_module(f"{package}.{path.stem}")
        for name, found in vars(module).items():
            plain = inspect.unwrap(found) if callable(found) else found
            if isinstance(plain, FunctionType) and plain.__module__ == module.__name__:
                yield f"{path.stem}.{name}", plain


def parameters(function: FunctionType) -> dict[str, object]:
    try:
        return {name: kind for name, kind in typing.get_type_hints(function).items() if name != "return"}
    except (NameError, TypeError):  # annotated with what is imported for the type checker alone
        return {}


def is_id(kind: object) -> bool:
    return kind is UUID or any(map(is_id, typing.get_args(kind)))


def names_a_thing(name: str, kind: object) -> bool:
    """An id, or what the code hands on with one in it. The field of a draft is a text that ends in one."""
    inside = [part for part in (kind, *typing.get_args(kind)) if is_dataclass(part) and part is not Identity]
    return name not in PLACES and (is_id(kind) or name in ("session_id", "field", "fields") or audit_trail.Filter in inside or any(
        field == "id" or field.endswith("_id") for part in inside for field in part.__dataclass_fields__))


def actions_of_lib() -> set[str]:
    return {name for name, function in functions("lib") if "._" not in name
            and next(iter(parameters(function).values()), None) in (Scope, Identity)
            and any(names_a_thing(*one) for one in list(parameters(function).items())[1:])}


def callbacks_of_screens() -> set[str]:
    return {name for name, function in functions("ui") if name.split(".")[0] not in DOORS | {"guard"}
            and "guard." in inspect.getsource(function)
            and any(names_a_thing(*one) for one in parameters(function).items())}


def test_every_action_that_takes_an_id_is_driven():
    assert actions_of_lib() - EXEMPT == {name.split()[0] for name in ACTIONS}


def test_every_callback_that_takes_an_id_is_driven():
    assert callbacks_of_screens() - EXEMPT == set(SCREENS)


# two clinics furnished alike -------------------------------------------------------------------------------------------


class Random(SimpleNamespace):
    """Whatever is asked for, with an id that nobody has."""

    def __getattr__(self, name: str) -> UUID | bytes:
        setattr(self, name, uuid4().bytes * 2 if name == "session" else uuid4())
        return getattr(self, name)


def furnish(boss: Identity, hire: Callable[..., Identity], word: str) -> SimpleNamespace:
    receptionist, clinician = hire(boss, "receptionist", "Ria Roe"), hire(boss, "clinician", "Clara Cole")
    with db.scope(clinician) as scope:
        credentials.submit(scope, word, "4711", credentials.Document("a.pdf", "application/pdf", PDF))
    with db.scope(boss) as scope:
        form = PatientForm(full_name=f"Ann {word}", email=f"{word}@example.org", medical_notes=word)
        patient = patients.register(scope, form)
        twin, sister, merged = (patients.register(scope, PatientForm(full_name=f"{name} {word}")) for name in ("Ann", "Sis", "Sister"))
        merges.merge(scope, sister, merged, versions=(1, 0, 1, 0), wins={})
        team.invite(scope, f"{uuid4().hex}@example.org", "receptionist")
        invitation = team.invitations(scope)[0].id
    asked = workflows.ask(boss, patient, ALARM)
    with db.scope(boss) as scope:
        running = answers.start(scope, chats.post_question(scope, asked.thread_id, word), CALL)
        drafts.keep_text(scope, f"question:{patient}", word)
        article = patients.new_id()
        clinic_articles.add(scope, clinic_articles.Wording(word, (), word), article_id=article)
        emergency = emergencies.waiting(scope).rows[0].id
        file = f"name\n{word}".encode()
        alert = clinic_alerts.test(scope)
        api_client, _token = api_clients.add(scope, api_clients.Wanted(word, "owner", ["patients.read"]))
        job = import_jobs.begin(scope, imports.read(file, f"{word}.csv"), file, {"full_name": ["name"]}, "ymd")
    return SimpleNamespace(patient=patient, twin=twin, sister=sister, merged=merged, thread=asked.thread_id, question=asked.question_id, answer=asked.answer_id,
                           running=running, article=article, emergency=emergency, alert=alert, job=job, member=receptionist.user_id, clinician=clinician.user_id,
                           boss=boss.user_id, invitation=invitation, clinic=boss.clinic_id, api_client=api_client)


@pytest.fixture
def staff(alice, bob, mona, rita) -> dict[str, Identity]:
    return {"owner": alice, "clinician": bob, "manager": mona, "receptionist": rita}


@pytest.fixture
def world(alice, charlie, staff, hire, open_clinic, owner, token_of) -> Iterator[SimpleNamespace]:
    """What is one's own, what is Charlie's, and what is nobody's."""
    own, foreign = furnish(alice, hire, "own"), furnish(charlie, hire, FOREIGN)
    with db.scope(staff["clinician"]) as scope:
        drafts.keep_text(scope, f"question:{own.patient}", "own")
    third = open_clinic("Dora Dunn", "Dunn Dental")
    with owner.begin() as connection:
        for who in staff.values():
            connection.execute(text("insert into memberships (clinic_id, user_id, role, display_name) values (:clinic, :id, :role, 'X')"),
                               {"clinic": third.clinic_id, "id": who.user_id, "role": who.role})
    own.clinic, foreign.session = third.clinic_id, tokens.digest(token_of(charlie))
    job = workers.Answering(foreign.running, charlie.user_id, iter(()), lambda _ending: None, FREE, 0.0)
    workers._running[foreign.running] = job
    yield SimpleNamespace(foreign=foreign, random=Random(), own=own)
    del workers._running[foreign.running]
    assert job._wanted is None


@pytest.fixture
def untouched(owner: Engine, charlie, world) -> Iterator[None]:
    """Nothing in Charlie's clinic is different afterwards."""
    before = contents(owner, charlie)
    assert len(set(before.values())) > 10
    yield
    assert contents(owner, charlie) == before


def contents(owner: Engine, boss: Identity) -> dict[str, str]:
    people = "select user_id from memberships where clinic_id = :clinic"
    where = dict.fromkeys(TENANTS - {"audit_log", "audit_seals", "clinics"} - ROLLUPS, "clinic_id = :clinic") | {
        "clinics": "id = :clinic", "users": f"id in ({people})", "sessions": f"user_id in ({people})",
        "password_resets": f"user_id in ({people})"}
    with owner.begin() as connection:
        connection.execute(text("select app.enter(:clinic, :user)"), {"clinic": boss.clinic_id, "user": boss.user_id})
        return {table: str(connection.execute(text(f"select md5(string_agg(t::text, '' order by t::text)) from {table} t where {rows}"),
                                              {"clinic": boss.clinic_id}).scalar()) for table, rows in where.items()}


def recorded(boss: Identity, who: Identity) -> list[tuple[object, ...]]:
    """What the log says somebody did, whatever it was done to."""
    with db.unwitnessed(boss) as scope:
        rows = scope.connection.execute(text("""
            select action, resource, resource_id, patient_id is null, fields, row_count from audit_log
            where clinic_id = :clinic and user_id = :user order by id
            """), {"clinic": boss.clinic_id, "user": who.user_id}).all()
    return [(row[0], row[1], nameless(row[2]), *row[3:]) for row in rows]


def nameless(words: str) -> str:
    """Without what differs from one call to the next: ids, hashes, moments."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|datetime\.datetime\([^)]*\)"
                  r"|\d{4}-\d\d-\d\d [\d:.+]+|b'[^']*'", "ID", words)


# driving ---------------------------------------------------------------------------------------------------------------


class Undo(Exception):
    """An own id was tried: the next role finds everything as it was."""


def outcome(name: str, who: Identity, of: SimpleNamespace, *, undo: bool) -> tuple[str, str]:
    drive, (module, function) = ACTIONS[name].call, name.split()[0].split(".")
    try:
        if next(iter(inspect.signature(getattr(importlib.import_module(f"lib.{module}"), function)).parameters)) == "identity":
            return "value", nameless(repr(drive(who, of)))
        with db.scope(who) as scope:
            value = nameless(repr(drive(scope, of)))
            if undo:
                raise Undo
    except Undo:
        pass
    except AppError as error:
        return type(error).__name__, str(error)
    return "value", value


@pytest.mark.parametrize("role", ROLES)
def test_actions_do_with_a_foreign_id_what_they_do_with_a_random_one(role, world, staff, alice, token_of, untouched):
    for name, drive in ACTIONS.items():
        world.own.session, seen = tokens.digest(token_of(staff[role])), {}
        for whose, of in vars(world).items():
            who, before = somebody(staff[role], name, token_of), len(recorded(alice, staff[role]))
            seen[whose] = outcome(name, who, of, undo=whose == "own")
            seen[whose] += (recorded(alice, who)[before:],)
        assert seen["foreign"] == seen["random"], name
        assert FOREIGN not in str(seen["foreign"]), name
        worth_more = seen["own"][:2] != seen["random"][:2]
        assert worth_more if role in drive.roles else not worth_more or seen["own"][0] in ("Forbidden", "NotFound"), (name, seen)


def somebody(who: Identity, name: str, token_of: Callable[[Identity], str]) -> Identity:
    """In a session of its own, because the log tells of the same look once a session; a real one where its row is what counts."""
    return auth.resume(token_of(who)) if name in ("account.sign_out", "auth.switch_clinic") else replace(who, session=uuid4().bytes * 2)


NOW: dict[str, object] = {}
"""What the script of a screen calls and with what; it runs in this process."""


def draw() -> None:
    module, function = str(NOW["name"]).split(".")
    SCREENS[str(NOW["name"])].call(getattr(importlib.import_module(f"ui.{module}"), function), NOW["of"])


def screen(name: str, token: str, of: SimpleNamespace, *, press: bool) -> str:
    """Everything that a callback sends to the browser, and then each button that stands in it, with every field filled."""
    NOW.update(name=name, of=of)
    at = AppTest.from_string("from tests import test_foreign_ids\ntest_foreign_ids.draw()")
    at.user = {"session": token}
    shown = [sent(at.run())]
    if press:
        for field in (*at.text_area, *at.text_input):
            field.set_value("X")
        shown.append(sent(at.run()))
    for position in range(len(at.button) if press else 0):
        if position == len(at.button):  # the one before took the rest away
            break
        shown.append(sent(at.button[position].click().run()))
    shown.append(str(at.session_state.get("notice", "")))
    return nameless("\n".join(shown))


@pytest.mark.parametrize("role", ROLES)
def test_callbacks_do_with_a_foreign_id_what_they_do_with_a_random_one(role, world, staff, alice, token_of, untouched):
    who, press = staff[role], role in ("owner", "manager")  # who is shown no button has none to press
    for name, drive in SCREENS.items():
        world.own.session, seen = tokens.digest(token_of(who)), {}
        for whose in ("foreign", "random"):
            before = len(recorded(alice, who))
            seen[whose] = screen(name, token_of(who), getattr(world, whose), press=press), recorded(alice, who)[before:]
        assert seen["foreign"] == seen["random"], name
        assert FOREIGN not in str(seen["foreign"]), name
        if role in drive.roles:
            start = len(recorded(alice, who))
            own = screen(name, token_of(who), world.own, press=False), recorded(alice, who)[start:]
            assert own != (screen(name, token_of(who), world.random, press=False), []), name


# the ids of an address -------------------------------------------------------------------------------------------------

# What a page takes from its address, of what that is an id, and who is shown it.
ADDRESSES = {"patient": ("audit", "patient", OWNER), "person": ("audit", "boss", OWNER),
             "emergency": ("emergencies", "emergency", CLINICAL)}
NO_IDS = {"action", "form", "section", "moved", "ended", "invite", "reset", "article"}  # the last in tests/pages/test_knowledge.py


def test_every_id_of_an_address_is_driven():
    code = "\n".join(path.read_text() for package in ("ui", "pages") for path in (ROOT / package).glob("*.py"))
    read = set(re.findall(r"""query_params(?:\.get\(|\.pop\(|\[)["'](\w+)["']""", code)) | set(re.findall(r'_select\("(\w+)"', code))
    assert read - NO_IDS <= set(ADDRESSES), read
    takers = {path.stem for path in (ROOT / "pages").glob("*.py") if "patient_in_address(" in path.read_text()}
    assert takers == set(OF_ONE_PATIENT)  # and the audit page, below


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("role", ROLES)
def test_a_page_of_a_foreign_id_is_that_of_a_random_one(role, name, world, staff, token_of, untouched):
    (page, kind, readers), seen = ADDRESSES[name], {}
    for whose, of in vars(world).items():
        at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=20)
        at.user = {"session": token_of(staff[role])}
        at.query_params[name] = str(getattr(of, kind))
        at.switch_page(f"../pages/{page}.py")
        seen[whose] = nameless(sent(at.run()))
    assert seen["foreign"] == seen["random"]
    assert FOREIGN not in seen["foreign"]
    assert (seen["own"] != seen["random"]) == (role in readers)
