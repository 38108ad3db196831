"""The API in words: its OpenAPI document, and the same as a page without a script, which the content policy would refuse."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from api.refusals import Problem
from api.route import OneHop

router = APIRouter(include_in_schema=False, route_class=OneHop)
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2733 }
code, pre { font: 13px/1.45 ui-monospace, monospace } pre { overflow: auto; background: #f3f5f7; padding: .6rem 1rem }
summary { cursor: pointer; padding: .25rem 0 } summary b { display: inline-block; min-width: 4.5rem }
td, th { text-align: left; vertical-align: top; padding: .1rem 1rem .1rem 0 }
"""


def describe(app: FastAPI) -> dict[str, Any]:
    """Made once. Where nothing else stands, everybody who signs in may ask; each route's own words say more."""
    if app.openapi_schema is None:
        document = get_openapi(title="Chairside", version="1", routes=app.routes, servers=[{"url": "/api"}],
                               description="Bearer tokens of people and of API clients; docs/api.md tells how.")
        parts = document["components"]
        parts["schemas"]["Problem"] = Problem.model_json_schema()
        parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"bearer": []}]
        app.openapi_schema = document
    return app.openapi_schema


@router.get("/openapi.json")
def openapi(request: Request) -> dict[str, Any]:
    return describe(request.app)


@router.get("/docs")
def page(request: Request) -> HTMLResponse:
    document = describe(request.app)
    body = "".join(_parts(document))
    return HTMLResponse(f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Chairside API</title>"
                        f"<style>{STYLE}</style></head><body><h1>Chairside API</h1>"
                        f"<p>{escape(document['info']['description'])} As a file: <a href='openapi.json'>openapi.json</a>.</p>"
                        f"{body}</body></html>")


def _parts(document: dict[str, Any]) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            yield (f"<details><summary><b>{method.upper()}</b> <code>/api{escape(path)}</code></summary>"
                   f"<p>{escape(route.get('description', ''))}</p>{_asked(document, route)}{_answers(route)}</details>")
    for name, schema in document["components"]["schemas"].items():
        words = escape(json.dumps(schema, indent=2))
        yield f"<details><summary><code>{escape(name)}</code></summary><pre>{words}</pre></details>"


def _asked(document: dict[str, Any], route: dict[str, Any]) -> str:
    rows = [f"<tr><td><code>{escape(one['name'])}</code></td><td>{one['in']}</td></tr>" for one in route.get("parameters", [])]
    kinds = route.get("requestBody", {}).get("content", {})
    body = kinds.get("application/json", {}).get("schema", {})
    examples = document["components"]["schemas"].get(_name(body), {}).get("examples", [])
    shown = "".join(f"<pre>{escape(json.dumps(one, indent=2))}</pre>" for one in examples)
    told = _name(body) or ", ".join(kinds)
    return f"<table>{''.join(rows)}</table><p>{escape(told)}</p>{shown}"


def _answers(route: dict[str, Any]) -> str:
    return "<table>" + "".join(f"<tr><td>{status}</td><td>{escape(told['description'])}</td></tr>"
                               for status, told in sorted(route["responses"].items())) + "</table>"


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
