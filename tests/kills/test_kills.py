"""The database and the app are killed while people write: nothing that was acknowledged is lost or doubled, and nobody has to come
and start anything. What nobody acknowledged is there once or not at all."""

import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.kills.house import Alarmer, Asker, House, Importer, Registrar, Writer, all_write, writing


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    house = House(tmp_path / "house")
    yield house
    house.close()


@pytest.mark.parametrize("times", [3, pytest.param(50, marks=pytest.mark.long)])
def test_nothing_acknowledged_is_lost_or_doubled_however_often_they_are_killed(house, password_hash, times):
    with writing(house, password_hash) as writers:
        for kill in times * [house.kill_database, house.kill_app]:
            all_write(writers, 1)
            time.sleep(random.random() / 2)  # at any moment of whatever they do
            kill()
        all_write(writers, 1)
    print({type(writer).__name__: (len(writer.done), len(writer.unsure)) for writer in writers})
    for writer in writers:
        assert not writer.failure, writer.failure
        assert house.settle(writer._client) == ""
        CHECKS[type(writer)](house, writer)
    equal_figures(house)


def check_patients(house: House, writer: Writer) -> None:
    kept = dict(house.rows("select id::text, full_name from patients"))
    versions = Counter(one for one, in house.rows("select patient_id::text from patient_versions"))
    acts = Counter(house.rows("select patient_id::text, action from audit_log where action in ('register', 'amend')"))
    for patient, name in writer.done:
        assert kept[patient] == name
        assert versions[patient] == 3
        assert (acts[patient, "register"], acts[patient, "amend"]) == (1, 2)
    for patient in writer.unsure:
        assert versions[patient] == acts[patient, "register"] + acts[patient, "amend"]
        assert acts[patient, "register"] == (patient in kept)


def check_questions(house: House, writer: Writer) -> None:
    asked = Counter(text for text, in house.rows("select content from chat_messages where content like 'What is a root canal%%'"))
    answers = Counter(text for text, in house.rows("""
        select q.content from chat_messages q join chat_messages a on a.clinic_id = q.clinic_id and a.question_id = q.id
        """))
    assert all(asked[text] == answers[text] == 1 for text in writer.done)
    assert all(asked[text] == answers[text] <= 1 for text in writer.unsure)


def check_emergencies(house: House, writer: Writer) -> None:
    said = Counter(house.rows("""
        select e.id::text, a.action_taken
        from emergencies e join emergency_actions a on a.clinic_id = e.clinic_id and a.emergency_id = e.id
        where e.acknowledged_at is not null
        """))
    acts = Counter(one for one, in house.rows("select resource_id from audit_log where action = 'acknowledge_emergency'"))
    assert all(said[one] == acts[one[0]] == 1 for one in writer.done)
    assert all(said[one] == acts[one[0]] <= 1 for one in writer.unsure)


def check_imports(house: House, writer: Writer) -> None:
    kept = Counter(one for one, in house.rows("select external_id from patients where external_id is not null"))
    assert {status for status, in house.rows("select status from long_jobs")} == {"done"}
    assert all(kept[record] == 1 for record in writer.done)
    assert all(kept[record] <= 1 for record in writer.unsure)


def equal_figures(house: House) -> None:
    """The roll-ups of every clinic, and its calls one by one."""
    counted = house.rows("select clinic_id, sum(calls), sum(saved_usd) from usage_hours group by 1 order by 1")
    assert counted == house.rows("select clinic_id, count(*), sum(saved_usd) from ai_calls group by 1 order by 1")
    assert counted


CHECKS = {Registrar: check_patients, Asker: check_questions, Alarmer: check_emergencies, Importer: check_imports}
