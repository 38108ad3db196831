"""Questions and answers by program: whole or as they are written, and never past the red flags."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from lib import advice, ai, db, patients, workflows
from lib.errors import Unavailable
from lib.patient_form import PatientForm
from tests.lib.asking import UNKNOWN, switch
from tests.lib.fake_provider import chunk

QUESTION = {"text": "How long should a patient bite on gauze after an extraction?"}
ALARM = {"text": "My face is swelling and I can't breathe"}


@pytest.fixture
def as_bob(api, sign_in, bob):
    api.headers.update(sign_in(bob))
    return api


@pytest.fixture
def patient(bob):
    with db.scope(bob) as scope:
        return str(patients.register(scope, PatientForm(full_name="Ann Able")))


def events(text: str) -> list[tuple[str, dict]]:
    parts = [part.split("\n") for part in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]


def test_a_question_is_answered_whole(as_bob, patient):
    answer = as_bob.post("chats/messages", json={**QUESTION, "patient_id": patient})
    assert answer.status_code == 201
    told = answer.json()
    assert (told["role"], told["status"], told["patient_id"]) == ("assistant", "ok", patient)
    assert told["content"]
    (thread,) = as_bob.get("chats/threads").json()["data"]
    assert thread["patient_id"] == patient
    listed = as_bob.get(f"chats/threads/{thread['id']}/messages").json()["data"]
    assert [one["role"] for one in listed] == ["assistant", "user"]
    assert as_bob.get(f"chats/messages/{told['id']}").json()["content"] == told["content"]


def test_an_answer_comes_as_it_is_written(as_bob):
    streamed = as_bob.post("chats/messages", json={**QUESTION, "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    told = events(streamed.text)
    assert (told[0][0], told[-1][0]) == ("asked", "done")
    assert "".join(data["text"] for name, data in told if name == "delta") == told[-1][1]["content"]
    assert told[-1][1]["status"] == "ok"


def test_an_emergency_gets_the_card_at_once(as_bob, patient):
    told = as_bob.post("chats/messages", json={**ALARM, "patient_id": patient}).json()
    assert told["metadata"]["route"] == "emergency"
    assert "112" in told["content"]



def test_who_asked_states_that_it_was_a_general_question_and_gets_an_answer(as_bob, api, sign_in, alice, patient):
    card = as_bob.post("chats/messages", json={**ALARM, "patient_id": patient}).json()
    assert as_bob.post(f"chats/messages/{card['id']}/regenerate", json={}).status_code == 422
    other = api.post(f"chats/messages/{card['id']}/general", json={}, headers=sign_in(alice))
    assert (other.status_code, other.json()["detail"]) == (409, "Only who asked can say what was meant.")

    key = {"Idempotency-Key": uuid4().hex}
    told = [as_bob.post(f"chats/messages/{card['id']}/general", json={}, headers=key) for _time in range(2)]
    assert [one.status_code for one in told] == [201, 201]
    assert told[0].json() == told[1].json()
    assert (told[0].json()["question_id"], told[0].json()["metadata"]["route"]) == (card["question_id"], "fallback")
    [listed] = as_bob.get("emergencies", params={"state": "answered"}).json()["data"]
    assert (listed["message_id"], listed["general"]) == (card["question_id"], True)


@pytest.mark.one_process
def test_who_gets_an_answer_whole_waits_for_no_eye(as_bob, api, monkeypatch):
    pauses, sleep = [], time.sleep
    monkeypatch.setattr(ai, "PAUSE", 0.0)
    monkeypatch.setattr(ai.time, "sleep", lambda seconds: pauses.append(seconds) if seconds == 0.0 else sleep(seconds))
    whole = as_bob.post("chats/messages", json=QUESTION).json()
    assert pauses == []
    streamed = events(as_bob.post("chats/messages", json={"text": f"{QUESTION['text']} Please.", "stream": True}).text)[-1][1]
    assert len(pauses) > 3
    assert whole["content"] == streamed["content"]


def test_of_what_is_no_emergency_nobody_states_anything(as_bob):
    told = as_bob.post("chats/messages", json=QUESTION).json()
    assert as_bob.post(f"chats/messages/{told['id']}/general", json={}).status_code == 404


def test_the_checklist_is_read_and_ticked_off(as_bob, patient):
    asked = as_bob.get("chats/checklist").json()["data"]
    assert asked == advice.checklist()
    assert as_bob.post("chats/checklist", json={"patient_id": patient, "signs": []}).status_code == 204
    card = as_bob.post("chats/checklist", json={"patient_id": patient, "signs": ["airway", "bleeding"]}).json()
    assert (card["metadata"]["route"], "112" in card["content"]) == ("emergency", True)
    [waiting] = as_bob.get("emergencies").json()["data"]
    assert waiting["categories"] == ["airway", "bleeding"]
    assert as_bob.post("chats/checklist", json={"signs": ["hunger"]}).status_code == 422


def test_the_same_key_asks_once(as_bob):
    key = {"Idempotency-Key": uuid4().hex}
    first, again = (as_bob.post("chats/messages", json=QUESTION, headers=key).json()["id"] for _time in range(2))
    assert first == again


def test_who_loses_the_events_gets_that_answer_as_json_by_the_same_key(as_bob):
    key = {"Idempotency-Key": uuid4().hex}
    streamed = events(as_bob.post("chats/messages", json={**QUESTION, "stream": True}, headers=key).text)[-1][1]
    whole = as_bob.post("chats/messages", json=QUESTION, headers=key)
    assert (whole.status_code, whole.json()) == (201, streamed)
    again = [as_bob.post(f"chats/messages/{streamed['id']}/regenerate", json={"stream": stream}, headers=key) for stream in (False, True)]
    assert events(again[1].text)[-1][1] == again[0].json()
    assert as_bob.post("chats/messages", json={"text": "Another one?"}, headers=key).status_code == 422
    assert len(as_bob.get(f"chats/threads/{streamed['thread_id']}/messages").json()["data"]) == 3


@pytest.mark.one_process
def test_of_two_at_once_with_one_key_the_second_is_told_to_wait(as_bob, monkeypatch):
    begun, go_on, ask = threading.Event(), threading.Event(), workflows.ask

    def slowly(*question, **named):
        begun.set()
        assert go_on.wait(30)
        return ask(*question, **named)
    monkeypatch.setattr(workflows, "ask", slowly)
    key = {"Idempotency-Key": uuid4().hex}
    with ThreadPoolExecutor(1) as beside:
        first = beside.submit(as_bob.post, "chats/messages", json=QUESTION, headers=key)
        assert begun.wait(30)
        try:
            assert as_bob.post("chats/messages", json=QUESTION, headers=key).status_code == 409
        finally:
            go_on.set()
        told = first.result(30)
    assert told.status_code == 201
    assert as_bob.post("chats/messages", json=QUESTION, headers=key).json()["id"] == told.json()["id"]
    assert len(as_bob.get(f"chats/threads/{told.json()['thread_id']}/messages").json()["data"]) == 2


@pytest.mark.one_process
def test_a_key_whose_question_failed_is_free_again(as_bob, monkeypatch):
    key, ask = {"Idempotency-Key": uuid4().hex}, workflows.ask

    def fail(*_question, **_named):
        raise Unavailable
    monkeypatch.setattr(workflows, "ask", fail)
    assert as_bob.post("chats/messages", json=QUESTION, headers=key).status_code == 503
    monkeypatch.setattr(workflows, "ask", ask)
    assert as_bob.post("chats/messages", json=QUESTION, headers=key).status_code == 201


def test_two_questions_at_once_in_one_thread_are_both_answered(as_bob, patient):
    """Colleagues share a patient's thread, and none waits for another."""
    asked = [{"text": text, "patient_id": patient} for text in (QUESTION["text"], "Can my patient eat after a filling?")]
    with ThreadPoolExecutor(2) as people:
        told = list(people.map(lambda question: as_bob.post("chats/messages", json=question), asked))
    assert [one.status_code for one in told] == [201, 201]
    assert len({one.json()["thread_id"] for one in told}) == 1
    assert len({one.json()["question_id"] for one in told}) == 2


def test_another_answer_stands_beside_the_first(as_bob):
    first = as_bob.post("chats/messages", json=QUESTION).json()
    again = as_bob.post(f"chats/messages/{first['id']}/regenerate", json={})
    assert again.status_code == 201
    assert (again.json()["question_id"], again.json()["id"] != first["id"]) == (first["question_id"], True)


def test_an_answer_is_rated_and_stopped_by_who_may_read_it(as_bob, api, sign_in, rita, patient):
    told = as_bob.post("chats/messages", json={**QUESTION, "patient_id": patient}).json()
    assert as_bob.put(f"chats/messages/{told['id']}/feedback", json={"helpful": True}).status_code == 204
    assert as_bob.post(f"chats/messages/{told['id']}/stop").status_code == 204
    hers = sign_in(rita)
    for method, path in (("GET", ""), ("PUT", "/feedback"), ("POST", "/stop"), ("POST", "/regenerate")):
        answers = [api.request(method, f"chats/messages/{of}{path}", json={"helpful": True}, headers=hers) for of in (told["id"], uuid4())]
        assert [answer.status_code for answer in answers] == [404, 404], path
    assert api.post("chats/messages", json={**QUESTION, "patient_id": patient}, headers=hers).status_code == 403
    assert api.get("chats/threads", headers=hers).json()["data"] == []


@pytest.mark.one_process
@pytest.mark.parametrize("stream", [False, True])
def test_a_running_answer_ends_with_what_is_there_when_who_asked_stops_it(as_bob, alice, sign_in, patient, fake, stream):
    switch(alice)
    fake.says(chunk("Hello "), 30.0)
    with ThreadPoolExecutor(1) as asking:
        answered = asking.submit(as_bob.post, "chats/messages", json={"text": UNKNOWN, "patient_id": patient, "stream": stream})
        running = wait_for_text(as_bob)
        assert running["status"] == "started"
        assert as_bob.post(f"chats/messages/{running['id']}/stop", headers=sign_in(alice)).status_code == 204
        assert as_bob.get(f"chats/messages/{running['id']}").json()["status"] == "started"  # a colleague may read it, no more

        assert as_bob.post(f"chats/messages/{running['id']}/stop").status_code == 204

        answer = answered.result(10)
    assert answer.status_code == 201
    told = events(answer.text)[-1][1] if stream else answer.json()
    assert (told["id"], told["status"]) == (running["id"], "stopped")
    assert told["content"].startswith("Hello \n\n")


def wait_for_text(client) -> dict:
    """The newest message of the only thread, once it has any."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for thread in client.get("chats/threads").json()["data"]:
            newest = client.get(f"chats/threads/{thread['id']}/messages").json()["data"][0]
            if newest["role"] == "assistant" and newest["content"]:
                return newest
        time.sleep(0.05)
    raise AssertionError("no answer is being written")


def test_a_question_without_words_is_refused(as_bob):
    assert as_bob.post("chats/messages", json={"text": "  "}).status_code == 422
    assert as_bob.post("chats/messages", json={"text": "x" * 50_000}).status_code == 422
