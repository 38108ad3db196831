"""A clinic to look around in: invented staff and patients, and a year of questions up to this moment. `make demo`.

Everything follows from one seed and today's date. It goes through the restricted role wherever a member could have
written it; only colleagues' accounts and the dates of the history are the owner's work.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from lib import assistant, auth, countries, db, demo_plan, passwords, patients, redflags, settings, startup
from lib.db import Scope
from lib.demo_plan import CLINICAL, MODEL, OWNER, TEXTS, Ask, Plan, Registered, dice_for, id_at, plan
from lib.errors import AppError, Forbidden, SetUpError
from lib.identity import Identity

RULE_SET = redflags.check("").version


@dataclass(frozen=True)
class Person:
    role: str
    full_name: str
    email: str
    password: str


# the command ---------------------------------------------------------------------------------------------------------


def main() -> None:
    try:
        refuse_in_production()
        startup.start()
        try:
            made = fill(datetime.now(UTC))
        finally:
            startup.stop()
    except AppError as error:
        sys.exit(str(error))
    sys.stdout.write(("The demo clinic is filled." if made else "The demo clinic is there already; nothing was changed.") + "\n")
    sys.stdout.write("\n".join(f"  {one.role:<13} {one.email:<32} {one.password}" for one in staff()) + "\n")


def refuse_in_production() -> None:
    if settings.Settings().production:
        raise SetUpError("The demo clinic's passwords are known to everybody who can read its source, so it is not made where "
                         "CHAIRSIDE_ENV=production.")


def fill(now: datetime) -> bool:
    """Whether the clinic was filled now: one that holds patients is left alone."""
    team = employ()
    with db.scope(team[OWNER]) as scope:
        if patients.count(scope) or patients.count(scope, archived=True):
            return False
    write(plan(now), team)
    return True


# staff ---------------------------------------------------------------------------------------------------------------


def staff() -> list[Person]:
    dice = dice_for("staff")
    words = TEXTS["passwords"]["words"]
    return [Person(**one, password=f"{' '.join(dice.sample(words, 3))} {dice.randint(10, 99)}") for one in TEXTS["staff"]]


def employ() -> list[Identity]:
    """The team in the order of `staff`, hired if need be."""
    people, clinic = staff(), TEXTS["clinic"]
    boss = auth.find_account(people[OWNER].email)
    if boss.id is None:
        boss = auth.sign_up(full_name=people[OWNER].full_name, clinic_name=clinic["name"], email=people[OWNER].email,
                            password=people[OWNER].password, country=clinic["country"], time_zone=clinic["time_zone"],
                            only_first=False)
        with db.translated(), db.open_engine(_owner_url()).begin() as connection:
            for person in people[1:]:
                hire(connection, boss, person)
    return [_identify(person) for person in people]


def hire(connection: Connection, boss: auth.Account, person: Person) -> None:
    """As the owner of the tables: a colleague's account has no door of its own yet."""
    passwords.check(person.password, person.full_name, person.email)
    user_id = connection.execute(db.statement("""
        insert into users (email, full_name, password_hash)
        values (:email, :full_name, :password_hash)
        returning id
        """), {"email": person.email, "full_name": person.full_name,
               "password_hash": passwords.make_hash(person.password)}).scalar_one()
    connection.execute(db.statement("""
        insert into memberships (clinic_id, user_id, role, display_name)
        values (:clinic_id, :user_id, :role, :full_name)
        """), {"clinic_id": boss.clinic_id, "user_id": user_id, "role": person.role, "full_name": person.full_name})


def _identify(person: Person) -> Identity:
    account, clinic = auth.find_account(person.email), TEXTS["clinic"]
    if account.id is None or account.clinic_id is None:
        raise Forbidden(f"{person.email} has left the demo clinic. Start with a new data folder to get a fresh one.")
    place = countries.defaults(clinic["country"], clinic["time_zone"])
    return Identity(account.id, account.clinic_id, person.role, person.email, person.full_name, clinic["name"], place.code,
                    place.time_zone, place.currency, place.language, place.emergency_number)


def _owner_url() -> str:
    url = settings.owner_url() or (startup._server and startup._server.url("chairside_owner"))
    if not url:
        raise SetUpError("The demo clinic's staff needs DATABASE_OWNER_URL beside DATABASE_URL.")
    return url


# writing -------------------------------------------------------------------------------------------------------------


def write(planned: Plan, team: Sequence[Identity]) -> None:
    """In one transaction, entered as each member in turn, so that half a clinic never stays."""
    with db.nobody() as connection:
        connection.execute(db.statement("select app.make_partitions(:since)"), {"since": planned.asks[0].at.date()})
    with db.nobody() as connection:
        for by, scope in _each_member(connection, team):
            _write_patients(scope, [one for one in planned.patients if one.by == by])
        for by, scope in _each_member(connection, team):
            if by in CLINICAL:
                _write_notes(scope, planned.patients[CLINICAL.index(by)::len(CLINICAL)])
            _open_threads(scope, planned, by)
        for by, scope in _each_member(connection, team):
            asks = [ask for ask in planned.asks if ask.by == by]
            _write_messages(scope, planned, asks)
            _write_calls(scope, planned, asks)
            _write_emergencies(scope, planned, asks, team)
    _date_the_history(team, planned)


def _each_member(connection: Connection, team: Sequence[Identity]) -> Iterator[tuple[int, Scope]]:
    for by, identity in enumerate(team):
        connection.execute(db.statement("select app.enter(:clinic_id, :user_id)"),
                           {"clinic_id": identity.clinic_id, "user_id": identity.user_id})
        yield by, Scope(connection, identity)


def _write_patients(scope: Scope, registered: Sequence[Registered]) -> None:
    country = scope.identity.country
    scope.run_many("""
        insert into patients (clinic_id, id, user_id, changed_by, external_id, full_name, email, phone, date_of_birth, deceased,
                              deceased_on, name_key, phone_key, search, archived_at, created_at, updated_at)
        values (:clinic_id, :id, :user_id, :user_id, :external_id, :full_name, :email, :phone, :date_of_birth, :deceased,
                :deceased_on, :name_key, :phone_key, array_to_tsvector(cast(:search_words as text[])),
                :archived_at, :at, :changed_at)
        """, [{"id": one.id, "user_id": scope.identity.user_id, "archived_at": one.archived_at, "at": one.at,
               "changed_at": one.archived_at or one.at, **patients.contact(one.form), **patients.keys(one.form, country)}
              for one in registered])


def _write_notes(scope: Scope, registered: Sequence[Registered]) -> None:
    scope.run_many("""
        insert into patient_notes (clinic_id, patient_id, medical_notes, alerts, changed_by, updated_at)
        values (:clinic_id, :patient_id, :medical_notes, :alerts, :user_id, :at)
        """, [{"patient_id": one.id, "medical_notes": one.form.medical_notes, "alerts": one.form.alerts, "at": one.at,
               "user_id": scope.identity.user_id} for one in registered if one.form.medical_notes or one.form.alerts])


def _open_threads(scope: Scope, planned: Plan, by: int) -> None:
    """A patient's thread is opened by whoever asked first; a general one is everybody's own."""
    scope.run_many("""
        insert into chat_threads (clinic_id, id, patient_id, user_id, created_at)
        values (:clinic_id, :id, :patient_id, :user_id, :at)
        """, [{"id": first.id, "patient_id": planned.patient_id(first), "user_id": scope.identity.user_id, "at": first.at}
              for first in planned.threads.values() if first.by == by])


def _write_messages(scope: Scope, planned: Plan, asks: Sequence[Ask]) -> None:
    rows: list[dict[str, Any]] = []
    for ask in asks:
        row = {"thread_id": planned.threads[ask.thread].id, "patient_id": planned.patient_id(ask),
               "user_id": scope.identity.user_id, "at": ask.at}
        rows.append(row | {"id": ask.id, "question_id": None, "role": "user", "status": "ok", "content": ask.question,
                           "metadata": "{}", "finished_at": ask.at})
        rows.append(row | {"id": ask.answer_id, "question_id": ask.id, "role": "assistant", "status": ask.status,
                           "content": ask.answer, "metadata": json.dumps(metadata(ask)), "finished_at": ask.finished_at})
    scope.run_many("""
        insert into chat_messages (clinic_id, id, thread_id, patient_id, user_id, question_id, role, status, content, metadata,
                                   created_at, finished_at)
        values (:clinic_id, :id, :thread_id, :patient_id, :user_id, :question_id, :role, :status, :content,
                cast(:metadata as jsonb), :at, :finished_at)
        """, rows)


def metadata(ask: Ask) -> dict[str, Any]:
    """What an answer copies from its call, and what the page says about where it comes from."""
    facts: dict[str, Any] = {}
    if ask.article:
        facts = assistant.facts_of(ask.article)
    if ask.route == "emergency":
        facts = {"emergency_id": str(ask.id), "categories": demo_plan.categories(ask.question)}
    return {"route": ask.route, "tier": _tier(ask), "emergency": ask.route == "emergency",
            "article": ask.article.slug if ask.article else None, "model": _model(ask), "tokens_in": ask.tokens[0],
            "tokens_cached": None, "tokens_out": ask.tokens[1], "tokens_reasoning": None,
            "cost_usd": None if ask.cost is None else format(ask.cost, "f"), "cost_source": ask.cost_source,
            "saved_usd": None, "problem": "", "finish": "", "billed": True, "redactions": {},
            "left": ask.route == "provider", "instead": False, **facts}


def _write_calls(scope: Scope, planned: Plan, asks: Sequence[Ask]) -> None:
    scope.run_many("""
        insert into ai_calls (clinic_id, id, message_id, patient_id, user_id, route, status, provider, model_requested,
                              model_used, tokens_in, tokens_out, usage_source, cost_usd, cost_source, first_token_ms,
                              latency_ms, tier, rule_set, article, created_at, finished_at)
        values (:clinic_id, :id, :id, :patient_id, :user_id, :route, :status, :provider, :model, :model, :tokens_in, :tokens_out,
                :usage_source, :cost, :cost_source, :first_token_ms, :latency_ms, :tier, :rule_set, :article, :at, :finished_at)
        """, [{"id": ask.answer_id, "patient_id": planned.patient_id(ask), "user_id": scope.identity.user_id, "route": ask.route,
               "status": ask.status, "provider": "google" if ask.route == "provider" else None, "model": _model(ask),
               "tokens_in": ask.tokens[0], "tokens_out": ask.tokens[1], "usage_source": "provider" if ask.tokens[0] else None,
               "cost": ask.cost, "cost_source": ask.cost_source, "first_token_ms": ask.first_token_ms,
               "latency_ms": ask.latency_ms, "tier": _tier(ask), "rule_set": RULE_SET,
               "article": ask.article.slug if ask.article else None, "at": ask.at, "finished_at": ask.finished_at}
              for ask in asks])


def _write_emergencies(scope: Scope, planned: Plan, asks: Sequence[Ask], team: Sequence[Identity]) -> None:
    scope.run_many("""
        insert into emergencies (clinic_id, id, message_id, thread_id, patient_id, user_id, categories, rule_set, raised_at,
                                 acknowledged_by, acknowledged_at)
        values (:clinic_id, :id, :id, :thread_id, :patient_id, :user_id, :categories, :rule_set, :at, :answered_by, :answered_at)
        """, [{"id": ask.id, "thread_id": planned.threads[ask.thread].id, "patient_id": planned.patient_id(ask),
               "user_id": scope.identity.user_id, "categories": demo_plan.categories(ask.question), "rule_set": RULE_SET,
               "at": ask.at, "answered_by": team[ask.answered_by].user_id if ask.answered_after else None,
               "answered_at": ask.at + timedelta(seconds=ask.answered_after) if ask.answered_after else None}
              for ask in asks if ask.route == "emergency"])


def _write_actions(scope: Scope, asks: Sequence[Ask]) -> None:
    """What was done, which the app writes with the acknowledgement itself and at no other time."""
    scope.run_many("""
        insert into emergency_actions (clinic_id, emergency_id, action_taken, said_at)
        values (:clinic_id, :id, :action, :at)
        """, [{"id": ask.id, "action": ask.action, "at": ask.at + timedelta(seconds=ask.answered_after or 0)} for ask in asks])


def _write_audit(scope: Scope, planned: Plan, asks: Sequence[Ask]) -> None:
    """Signing in on each of their days, and every question."""
    dice = dice_for(f"audit {scope.identity.email}")
    mornings = {ask.at.date(): ask.at - timedelta(minutes=dice.randint(3, 20)) for ask in reversed(asks)}
    rows: list[dict[str, Any]] = [{"at": at, "action": "sign_in", "resource": "session", "resource_id": "", "patient_id": None}
                                  for at in mornings.values()]
    rows += [{"at": ask.at, "action": "ask", "resource": "chat_thread", "resource_id": str(planned.threads[ask.thread].id),
              "patient_id": planned.patient_id(ask)} for ask in asks]
    scope.run_many("""
        insert into audit_log (clinic_id, id, happened_at, user_id, action, resource, resource_id, patient_id, address)
        values (:clinic_id, :id, :at, :user_id, :action, :resource, :resource_id, :patient_id, '127.0.0.1')
        """, [row | {"id": id_at(row["at"], dice), "user_id": scope.identity.user_id} for row in rows])


def _date_the_history(team: Sequence[Identity], planned: Plan) -> None:
    """The triggers wrote today's date into the history of patients who came long ago; only the owner may put that right, and
    write what else is of the past: audit rows, sealed, and what was done about emergencies."""
    with db.translated(), db.open_engine(_owner_url()).begin() as connection:
        for by, scope in _each_member(connection, team):
            _write_audit(scope, planned, [ask for ask in planned.asks if ask.by == by])
            _write_actions(scope, [ask for ask in planned.asks if ask.answered_by == by and ask.answered_after and ask.action])
        connection.execute(db.statement("select pg_advisory_xact_lock(hashtext('chairside.seal'))"))  # a server may be sealing
        while connection.execute(db.statement("select app.seal_audit(true)")).scalar():
            pass
        connection.execute(db.statement("alter table patient_versions disable trigger keep"))
        connection.execute(db.statement("alter table patient_note_versions disable trigger keep"))
        for scope in (scope for _by, scope in _each_member(connection, [team[OWNER]])):
            scope.run("""
                update patient_versions v
                set changed_at = p.updated_at
                from patients p
                where p.clinic_id = :clinic_id
                  and v.clinic_id = :clinic_id
                  and v.patient_id = p.id
                """)
            scope.run("""
                update patient_note_versions v
                set changed_at = n.updated_at
                from patient_notes n
                where n.clinic_id = :clinic_id
                  and v.clinic_id = :clinic_id
                  and v.patient_id = n.patient_id
                """)
        connection.execute(db.statement("alter table patient_versions enable trigger keep"))
        connection.execute(db.statement("alter table patient_note_versions enable trigger keep"))


def _tier(ask: Ask) -> str | None:
    return "E" if ask.route == "emergency" else None


def _model(ask: Ask) -> str | None:
    return MODEL if ask.route == "provider" else None


if __name__ == "__main__":
    main()
