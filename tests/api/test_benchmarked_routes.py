"""`make bench` measures every route that an owner may read, a new one as well (benchmarks/routes.py), and every one that writes, but
those that say why not (benchmarks/changes.py)."""

from itertools import cycle, islice

import pytest

from benchmarks import changes, routes


@pytest.fixture
def ask(api, sign_in, alice):
    api.headers.update(sign_in(alice))
    return lambda one: api.request(one.method, f"http://localhost{one.path}", json=one.body,
                                   headers=dict(header.split(": ") for header in one.headers))


@pytest.mark.one_process
def test_each_route_that_reads_is_asked_with_ids_that_are_there(working, api, ask, alice):
    changes.of_patients(alice)
    ask(next(iter(changes.of_chats(alice, 1)["POST /v1/chats/messages"])))
    reading = routes.reading(alice)
    assert {name: len(questions) for name, questions in reading.items() if not questions} == {}
    assert {one.path: status for questions in reading.values() for one in questions if (status := ask(one).status_code) != 200} == {}
    told = api.get("openapi.json").json()["paths"]
    assert {f"GET {path}" for path, methods in told.items() if "get" in methods} == reading.keys()


@pytest.mark.one_process
def test_each_route_that_writes_is_asked_over_and_over_or_says_why_not(working, api, ask, alice, mona, rita):
    writing = changes.writing(alice, spare=4)
    answered = [(name, ask(one)) for name, questions in writing.items() for one in islice(cycle(questions), 4)]
    assert [(name, answer.status_code, answer.text) for name, answer in answered if not answer.is_success] == []
    asked = {name.replace("archive, /restore", verb).replace("deactivate, /reactivate", verb)
             for name in writing for verb in ("archive", "restore", "deactivate", "reactivate")}
    told = {f"{method.upper()} {path}" for path, methods in api.get("openapi.json").json()["paths"].items() for method in methods}
    assert {name for name in told if not name.startswith("GET")} <= asked | changes.NOT_ASKED.keys()
    assert changes.NOT_ASKED.keys() <= told - asked


@pytest.mark.one_process
def test_the_question_is_one_that_an_article_answers(ask, alice):
    answered = [ask(question).json() for question in islice(changes.of_chats(alice, 2)["POST /v1/chats/messages"], 2)]
    assert [one["metadata"]["route"] for one in answered] == ["kb", "kb"]
