"""`make bench` measures every route that an owner may read, a new one as well (benchmarks/routes.py)."""

import pytest

from benchmarks import routes


@pytest.fixture
def ask(api, sign_in, alice):
    api.headers.update(sign_in(alice))
    return lambda one: api.request(one.method, f"http://localhost{one.path}", json=one.body,
                                   headers=dict(header.split(": ") for header in one.headers))


@pytest.mark.one_process
def test_each_route_that_reads_is_asked_with_ids_that_are_there(working, api, ask, alice):
    written = {name: ask(next(iter(questions))) for name, questions in routes.writing(alice).items()}
    assert {name: answer.status_code for name, answer in written.items() if not answer.is_success} == {}
    reading = routes.reading(alice)
    assert {name: len(questions) for name, questions in reading.items() if not questions} == {}
    assert {one.path: status for questions in reading.values() for one in questions if (status := ask(one).status_code) != 200} == {}
    told = api.get("openapi.json").json()["paths"]
    assert {f"GET {path}" for path, methods in told.items() if "get" in methods} == reading.keys()


@pytest.mark.one_process
def test_the_question_is_one_that_an_article_answers(ask, alice):
    answered = [ask(question).json() for question, _number in zip(routes.writing(alice)["POST /v1/chats/messages"], range(2), strict=False)]
    assert [one["metadata"]["route"] for one in answered] == ["kb", "kb"]
