"""What the lists and figures hold, against rows that the test made; and that no row comes twice or gets lost between two pages."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from lib import audit, chats, db, patients, periods, rollups, workflows
from lib.patient_form import PatientForm

ALARM = "My face is swelling and I can't breathe"


@pytest.fixture
def as_alice(api, sign_in, alice):
    api.headers.update(sign_in(alice))
    return api


@pytest.fixture
def patient(alice):
    with db.scope(alice) as scope:
        return patients.register(scope, PatientForm(full_name="Ann Able"))


# figures -------------------------------------------------------------------------------------------------------------


def call(who, route="provider", cost="0.25", **values) -> None:
    row = {"message": uuid4(), "me": who.user_id, "route": route, "cost": Decimal(cost), "model": "large" if route == "provider" else None,
           "source": "price_table" if route == "provider" else "none", "status": "ok", "patient": None, **values}
    with db.scope(who) as scope:
        scope.run("""
            insert into ai_calls (clinic_id, message_id, user_id, route, status, model_requested, cost_usd, cost_source, tokens_in,
                                  tokens_out, latency_ms, patient_id, finished_at)
            values (:clinic_id, :message, :me, :route, :status, :model, :cost, :source, 10, 20, 900, :patient, now())
            """, **row)


@pytest.fixture
def called(alice, bob, charlie, patient):
    for who, values in ((alice, {}), (alice, {"cost": "0.5", "patient": patient}), (bob, {"route": "kb", "cost": "0"}),
                        (bob, {"status": "timeout", "cost": "0"}), (charlie, {"cost": "9"})):
        call(who, **values)


def rows(answer) -> list[dict[str, object]]:
    """Of a figure, by its keys; the first column under "name"."""
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert len(told["heads"]) == len(told["keys"]) + 1
    return [dict(zip(["name", *told["keys"]], row, strict=True)) for row in told["rows"]]


def test_figures_are_those_of_the_clinics_own_rows(as_alice, called, alice):
    """Today's four calls, of which one is Bob's from the knowledge base and one ran out of time."""
    today = str(periods.today(alice))
    (messages,) = rows(as_alice.get("analytics/messages", params={"period": "today"}))
    assert (messages["name"], messages["provider"], messages["kb"]) == (today, 3, 1)
    (cost,) = rows(as_alice.get("analytics/cost", params={"period": "today"}))
    assert (Decimal(cost["measured"]), cost["name"]) == (Decimal("0.75"), today)
    (model,) = rows(as_alice.get("analytics/models", params={"period": "today"}))
    assert (model["name"], model["calls"], Decimal(model["measured"])) == ("large", 3, Decimal("0.75"))
    (tokens,) = rows(as_alice.get("analytics/tokens", params={"period": "today"}))
    assert (tokens["tokens_in"], tokens["tokens_out"]) == (40, 80)
    assert [(row["name"], row["calls"]) for row in rows(as_alice.get("analytics/people", params={"period": "today"}))] == [
        ("Alice Adams", 2), ("Bob Brown", 2)]
    assert [(row["name"], row["calls"], Decimal(row["cost"])) for row in rows(as_alice.get("analytics/patients"))] == [
        ("Ann Able", 1, Decimal("0.5"))]
    assert [(row["now"], row["before"]) for row in rows(as_alice.get("analytics/errors"))] == [(1, 0)]


def test_a_figure_has_a_row_for_each_day_of_the_period_that_was_asked_for(as_alice, called, alice):
    today = periods.today(alice)
    first = today - timedelta(days=2)
    answer = as_alice.get("analytics/messages", params={"first": str(first), "last": str(today)})
    assert (answer.json()["figure"], answer.json()["first"], answer.json()["last"]) == ("messages", str(first), str(today))
    assert [(row["name"], row["provider"]) for row in rows(answer)] == [
        (str(first), 0), (str(today - timedelta(days=1)), 0), (str(today), 3)]
    assert as_alice.get("analytics/secrets").status_code == 404


@pytest.mark.parametrize("path", ["analytics/messages", "budgets"])
@pytest.mark.parametrize("end", ["first", "last"])
def test_one_end_of_a_period_alone_is_refused(as_alice, path, end):
    answer = as_alice.get(path, params={end: "2026-03-01"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "A period needs both of its ends: first and last.")


def test_budgets_are_those_of_days_with_questions(as_alice, alice, charlie):
    today = periods.today(alice)
    with db.scope(alice) as scope:
        scope.run("insert into assistant_settings (clinic_id, daily_budget_usd) values (:clinic_id, 12)")
    for who in (alice, charlie):
        call(who)
    while rollups.refresh():
        pass
    (budget,) = as_alice.get("budgets", params={"period": "7d"}).json()
    assert (budget["day"], Decimal(budget["limit_usd"]), budget["used_up"]) == (str(today), 12, 0)
    with db.scope(alice) as scope:
        scope.run("insert into ai_budgets (clinic_id, day, spent_usd, stopped_at) values (:clinic_id, :day, 12, now())", day=today)
    (budget,) = as_alice.get("budgets", params={"first": str(today), "last": str(today)}).json()
    assert budget["used_up"] == 1
    assert as_alice.get("budgets", params={"first": "2020-01-01", "last": "2020-01-31"}).json() == []


# emergencies ---------------------------------------------------------------------------------------------------------


def test_an_emergency_waits_until_somebody_answers_for_it(as_alice, sign_in, bob, charlie, patient):
    asked = workflows.ask(bob, patient, ALARM)
    (waiting,) = as_alice.get("emergencies").json()["data"]
    assert (waiting["patient_id"], waiting["patient_name"], waiting["raised_by"]) == (str(patient), "Ann Able", "Bob Brown")
    assert "airway" in waiting["categories"]
    assert (waiting["acknowledged_by"], waiting["acknowledged_at"], waiting["action_taken"]) == (None, None, "")
    assert as_alice.get(f"chats/messages/{asked.answer_id}").json()["question_id"] == waiting["message_id"]
    assert as_alice.get("emergencies", params={"state": "answered"}).json() == {"data": [], "next": None}

    here, done = f"emergencies/{waiting['id']}/acknowledge", {"action_taken": "Called 112."}
    assert as_alice.post(here, json={"action_taken": " "}).status_code == 422
    assert as_alice.post(here, json=done, headers=sign_in(charlie)).status_code == 404
    answered = as_alice.post(here, json=done)
    assert (answered.status_code, answered.json()["acknowledged_by"], answered.json()["action_taken"]) == (200, "Alice Adams", "Called 112.")
    late = as_alice.post(here, json={"false_alarm": True}, headers=sign_in(bob))
    assert (late.status_code, "Alice Adams" in late.json()["detail"]) == (409, True)
    assert as_alice.get("emergencies").json()["data"] == []
    assert as_alice.get("emergencies", params={"state": "answered"}).json()["data"] == [answered.json()]
    assert as_alice.get("emergencies", params={"state": "answered"}, headers=sign_in(charlie)).json()["data"] == []


# the audit log -------------------------------------------------------------------------------------------------------


def test_the_log_tells_who_did_what_to_whom(as_alice, sign_in, bob, charlie):
    made = as_alice.post("patients", json={"full_name": "Ann Able"}, headers=sign_in(bob))
    for chosen in ({"action": "register"}, {"person": str(bob.user_id), "action": "register"}, {"patient": made.json()["id"], "action": "register"}):
        (row,) = as_alice.get("audit", params=chosen).json()["data"]
        assert (row["person"], row["user_id"], row["resource"], row["patient"]) == ("Bob Brown", str(bob.user_id), "patient", "Ann Able")
        assert (row["patient_id"], row["request_id"], row["address"]) == (made.json()["id"], made.headers["x-request-id"], "127.0.0.1")
        assert "full_name" in row["fields"]
    assert as_alice.get("audit", params={"action": "register", "until": "2020-01-01T00:00:00Z"}).json() == {"data": [], "next": None}
    assert as_alice.get("audit", params={"action": "register"}, headers=sign_in(charlie)).json()["data"] == []
    assert as_alice.get("audit").json()["data"][0]["action"] == "list"  # this look stands in it too


# page by page --------------------------------------------------------------------------------------------------------


def walk(api, path: str, come: Callable[[], object], **chosen: object) -> list[str]:
    """The ids of all pages, while more come between each two."""
    seen: list[str] = []
    after: dict[str, str] = {}
    for _page in range(20):
        page = api.get(path, params={**chosen, **after}).json()
        seen += [row["id"] for row in page["data"]]
        if page["next"] is None:
            return seen
        after = {"cursor": page["next"]}
        come()
    raise AssertionError("the list never ends")


def test_newcomers_move_no_thread(as_alice, alice):
    def come() -> str:
        with db.scope(alice) as scope:
            return str(chats.open_thread(scope, patients.register(scope, PatientForm(full_name="Ann Able"))))
    there = [come() for _time in range(5)]
    assert walk(as_alice, "chats/threads", come, limit=2) == there[::-1]


def test_newcomers_move_no_message(as_alice, alice, patient):
    with db.scope(alice) as scope:
        thread = chats.open_thread(scope, patient)

    def come() -> str:
        with db.scope(alice) as scope:
            return str(scope.value("""
                insert into chat_messages (clinic_id, thread_id, patient_id, user_id, role, status, content)
                values (:clinic_id, :thread, :patient, :me, 'user', 'ok', 'x')
                returning id
                """, thread=thread, patient=patient, me=alice.user_id))
    there = [come() for _time in range(5)]
    assert walk(as_alice, f"chats/threads/{thread}/messages", come, limit=2) == there[::-1]


@pytest.fixture
def alarm(alice):
    with db.scope(alice) as scope:
        thread = chats.open_thread(scope, None)

    def come() -> str:
        with db.scope(alice) as scope:
            return str(scope.value("""
                insert into emergencies (clinic_id, message_id, thread_id, user_id, categories, rule_set)
                values (:clinic_id, :message, :thread, :me, '{airway}', 'test')
                returning id
                """, message=uuid4(), thread=thread, me=alice.user_id))
    return come


def acknowledge(api, emergency: str) -> None:
    assert api.post(f"emergencies/{emergency}/acknowledge", json={"false_alarm": True}).status_code == 200


def test_newcomers_move_no_emergency_that_waits_and_stand_behind_them(as_alice, alarm):
    """Also where one of those that were read is answered for in between."""
    there = [alarm() for _time in range(5)]
    came = []

    def come() -> None:
        came.append(alarm())
        acknowledge(as_alice, there[len(came) - 1])
    assert walk(as_alice, "emergencies", come, limit=2) == [*there, *came]


def test_newcomers_move_no_emergency_that_was_answered_for(as_alice, alarm):
    there = [alarm() for _time in range(5)]
    for one in there:
        acknowledge(as_alice, one)
    assert walk(as_alice, "emergencies", lambda: acknowledge(as_alice, alarm()), state="answered", limit=2) == there[::-1]


def test_newcomers_move_no_row_of_the_log(as_alice, alice):
    def come(times: int = 1) -> None:
        with db.scope(alice) as scope:
            for _time in range(times):
                audit.record(scope, "amend", "patient", fields=("phone",))
    come(120)
    with db.scope(alice) as scope:
        there = [str(row) for row in scope.value("""
            select array_agg(id order by id desc) from audit_log where clinic_id = :clinic_id and action = 'amend'
            """)]
    assert walk(as_alice, "audit", come, action="amend") == there
    assert len(there) == 120
