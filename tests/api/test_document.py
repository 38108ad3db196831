"""What the OpenAPI document shows is what the routes take and answer: who needs no token, and an example of everything."""

import re
from typing import Any, get_args, get_origin
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

from api import docs, main

ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture(scope="module")
def document() -> dict:
    return docs.describe(main.make())


def operations(document) -> list[tuple[str, str, dict]]:
    return [(method, path, route) for path, methods in document["paths"].items() for method, route in methods.items()]


def described(document, schema: dict) -> list[dict]:
    """The named schemas that a body or an answer is made of."""
    schema = schema.get("items", schema)
    return [document["components"]["schemas"][name] for name in re.findall(r"#/components/schemas/([^']+)", str(schema))] or [schema]


def models() -> dict[str, type[BaseModel]]:
    """Of every body and every answer, by the name of the route and what it is."""
    found: dict[str, Any] = {}
    for route in [route for module in main.ROUTERS for route in module.router.routes]:
        assert isinstance(route, APIRoute)
        place = f"{sorted(route.methods)[0]} {route.path}"
        found[f"{place} asks"] = route.body_field and route.body_field.field_info.annotation
        kind = route.response_model
        found[f"{place} answers"] = get_args(kind)[0] if get_origin(kind) is list else kind
    return {name: kind for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, BaseModel)}


@pytest.mark.one_process
def test_the_document_names_the_routes_that_need_no_token(api, document):
    """Who is asked is looked at before what was sent, so nobody gets 401 everywhere else."""
    told = {(method, path) for method, path, route in operations(document) if route.get("security") == []}
    answers = {(method, path): api.request(method, re.sub(r"{\w+}", str(uuid4()), path).removeprefix("/v1/"), headers=ORIGIN,
                                           **({"json": {}} if method != "get" else {})).status_code
               for method, path, route in operations(document)}
    assert told == {operation for operation, status in answers.items() if status != 401}
    assert document["security"] == [{"bearer": []}]
    assert all(route.get("security", []) == [] for _method, _path, route in operations(document))


def test_every_body_and_every_answer_of_the_document_has_an_example(document):
    bare = []
    for method, path, route in operations(document):
        kinds = {"body": route.get("requestBody", {}).get("content", {})}
        kinds |= {status: told.get("content", {}) for status, told in route["responses"].items() if status.startswith("2")}
        bare += [(method, path, place) for place, content in kinds.items() for kind, told in content.items()
                 if (place == "body" or kind == "application/json")
                 and not all(schema.get("examples") for schema in described(document, told["schema"]))]
    assert bare == []


def test_every_schema_of_the_document_but_fastapis_own_has_an_example(document):
    assert [name for name, schema in document["components"]["schemas"].items() if not schema.get("examples")] == []


@pytest.mark.parametrize("place", models())
def test_an_example_is_what_its_route_takes_or_answers(place):
    kind = models()[place]
    examples = kind.model_config["json_schema_extra"]["examples"]
    assert examples
    for example in examples:
        TypeAdapter(kind).validate_json(TypeAdapter(Any).dump_json(example))
        assert set(example) <= set(kind.model_fields)
        if place.endswith("answers"):
            assert set(example) == set(kind.model_fields)
