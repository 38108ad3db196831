"""Screens without a browser: AppTest with a real session on the real database."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from lib.identity import Identity
from lib.settings import ROOT


@pytest.fixture
def open_page(token_of: Callable[[Identity], str]) -> Callable[..., AppTest]:
    """One page as somebody sees it; `query` is the address's."""
    def show(who: Identity | None, page: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=15)
        at.user = {"session": token_of(who)} if who else {}
        at.query_params.update(query)
        at.switch_page(f"../pages/{page}.py")
        return at.run()
    return show


def texts(at: AppTest) -> str:
    """Everything a person could read on it."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "info", "warning", "success", "text", "metric", "button")
    return "\n".join(f"{getattr(element, 'label', '')} {getattr(element, 'value', '')}" for kind in kinds for element in getattr(at, kind))
