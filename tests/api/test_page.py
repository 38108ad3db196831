"""The page that a browser gets first."""

import hashlib
from email.utils import formatdate

import httpx
import pytest

from api.page import INDEX, page
from lib.settings import ROOT


@pytest.mark.parametrize("path", ["/", "/patients"])
def test_our_sheet_is_in_it_behind_streamlits_own_parts(server, path):
    answer = httpx.get(server + path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "etag" not in answer.headers  # the package's own, which knows nothing of the sheet
    sheet = answer.text.index(".st-key-welcome {")
    assert answer.text.index("</head>") < answer.text.index('<div id="root">') < sheet < answer.text.index("</body>")
    assert "/*" not in answer.text[sheet:]


@pytest.mark.parametrize("path", ["/", "/patients"])
def test_whoever_kept_the_packages_own_page_gets_ours(server, path):
    """As a browser asks that was here before the sheet was in it."""
    size, moment = INDEX.stat().st_size, INDEX.stat().st_mtime
    tag = f'"{hashlib.md5(f"{moment}-{size}".encode(), usedforsecurity=False).hexdigest()}"'  # as starlette makes it
    answer = httpx.get(server + path, headers={"If-None-Match": tag, "If-Modified-Since": formatdate(moment + 1, usegmt=True)})
    assert (answer.status_code, answer.text) == (200, page())


def test_scripts_are_not_sent_again(server):
    script = next(part for part in page().split('"') if part.endswith(".js"))
    first = httpx.get(f"{server}/{script.removeprefix('./')}")
    again = httpx.get(f"{server}/{script.removeprefix('./')}", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_a_head_request_is_answered_without_it(server):
    answer = httpx.head(server + "/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_compressed_answer_is_replaced_whole(server):
    answer = httpx.get(server + "/", headers={"Accept-Encoding": "gzip"})
    assert answer.text == page()


def test_scripts_stay_as_they_are(server):
    script = next(part for part in page().split('"') if part.endswith(".js"))
    assert httpx.get(f"{server}/{script.removeprefix('./')}").headers["content-type"].endswith("javascript")


def test_a_sheet_could_not_close_its_element():
    assert "</" not in (ROOT / "ui" / "style.css").read_text()
