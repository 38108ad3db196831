"""The table that `make bench` writes."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import browser, capacity, client, report, reruns
from benchmarks.reruns import FRAGMENT, Cost
from benchmarks.rows import Row

LOADED = {"load": 0.5, "loop": 0.2}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What a benchmark has told so far, in the table's lines."""
    file = tmp_path / "rows"
    file.touch()
    monkeypatch.setenv("CHAIRSIDE_BENCH_ROWS", str(file))
    return lambda: list(report.lines({"browser": [json.loads(line) | LOADED for line in file.read_text().splitlines()]}))[1:]


def test_a_row_says_whether_its_goal_is_met_and_why_not():
    missed = report.line(Row("search", 50, 61.26, note="one letter"), 3.0, 0.2)
    assert missed == "| search | ≤ 50 ms | – | 61.26 ms | **no**: one letter | – | 3.0 | 0.20 |"
    assert "| ≥ 1,000 | – | 1,200 | yes |" in report.line(Row("API", 1000, 1200, "", at_least=True), 0.5, 0.2)
    assert "| ≥ 1,000 | – | 900 | **no** |" in report.line(Row("API", 1000, 900, "", at_least=True), 0.5, 0.2)


def test_a_figure_without_a_goal_stands_beside_the_others():
    row = Row("10 people: p50", None, 17.2, otherwise="40 ms")
    assert report.line(row, 0.5, 0.2) == "| 10 people: p50 | – | – | 17.2 ms | – | 40 ms | 0.5 | 0.20 |"


def test_the_table_takes_the_place_between_its_markers(tmp_path, monkeypatch):
    document = tmp_path / "performance.md"
    document.write_text(f"Before\n{report.BEGIN}old\n{report.END}After\n")
    monkeypatch.setattr(report, "DOCUMENT", document)
    monkeypatch.setattr(report, "run", lambda _names: {"start": [{"what": "start", "goal": 4, "result": 2.5, "unit": "s", **LOADED}]})
    report.main([])
    assert document.read_text().startswith("Before\n")
    assert document.read_text().endswith("After\n")
    assert "old" not in document.read_text()
    assert "| start | ≤ 4 s | – | 2.5 s | yes | – | 0.5 | 0.20 |" in document.read_text()


def test_neighbours_stand_under_one_heading_and_every_line_has_all_cells():
    row = {"what": "x", "goal": 1, "result": 1, **LOADED}
    found = report.table({"start": [row], "browser": [row], "search": [row]}, 120)
    lines = [line for line in found.splitlines() if line.startswith("|")]
    assert {line.replace("---", "").count("|") for line in lines} == {9}
    assert [line.strip("| ") for line in lines if "**" in line] == ["**What one person waits for**", "**Much data**"]
    assert "the run took 2 minutes" in found


def test_one_that_fails_is_in_the_table(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_arguments, **_options: subprocess.CompletedProcess([], 3))
    found = report.run(["search"])
    [line] = list(report.lines(found))[1:]
    assert line.startswith("| search | – | – | – | **not measured**: it ended with 3 | – |")


def test_one_that_fails_after_its_first_rows_keeps_them_and_says_so(monkeypatch):
    def fail(*_arguments, env, **_options):
        Path(env["CHAIRSIDE_BENCH_ROWS"]).write_text(json.dumps({"what": "one letter", "goal": 50, "result": 20, **LOADED}) + "\n")
        return subprocess.CompletedProcess([], 3)
    monkeypatch.setattr(subprocess, "run", fail)
    first, last = list(report.lines(report.run(["search"])))[1:]
    assert first.startswith("| one letter |")
    assert "**not measured**: it ended with 3" in last


def test_without_chromium_each_of_the_browser_s_rows_says_so(told, monkeypatch):
    monkeypatch.setattr(browser, "usable", lambda: False)
    monkeypatch.setattr("sys.argv", ["browser"])
    browser.main()
    assert len(told()) == len(browser.ROWS)
    assert all("**not measured**: no Chromium on this machine" in line for line in told())


def test_people_stand_beside_the_defaults(told):
    def reports(p50, p95, errors):
        return [{"sessions": people, "steps": {"ALL": {"p50": p50, "p95": p95}}, "errors": errors} for people in (1, 10, 50, 100, 200)]
    capacity.tell(reports(16, 160, {}), reports(2834, None, {"timeout": 3}))
    lines = told()
    assert len(lines) == 11
    assert "| 100 thinking 2 to 5 s: p50 | ≤ 40 ms | 18 ms | 16 ms | yes | 2,834 ms | 0.5 | 0.20 |" in lines
    assert "| 100 thinking 2 to 5 s: p95 | ≤ 150 ms | 52 ms | 160 ms | **no** | nothing was answered | 0.5 | 0.20 |" in lines
    assert "| 200 thinking 2 to 5 s: p95 | – | 805 ms | 160 ms | – | nothing was answered | 0.5 | 0.20 |" in lines
    assert "| errors, all of these rounds | ≤ 0 | – | 0 | yes | 15 | 0.5 | 0.20 |" in lines


def test_each_page_and_its_fragment_stand_beside_the_defaults(told):
    names = {"patients": 15.0, f"patients{FRAGMENT}": 8.0}
    reruns.tell(Cost(2, 9, 1), dict.fromkeys(names, Cost(9, 23, 8.6)), dict.fromkeys(names, Cost(26.7, 23, 8.6)), names)
    assert told()[:2] == [
        "| patients | ≤ 15 ms | 4.5 ms (now 2.0) | 9 ms | yes: 23 messages, 8.6 kB | 26.7 ms, 23 messages | 0.5 | 0.20 |",
        "| patients: its fragment alone | ≤ 8 ms | 3.8 ms | 9 ms | **no**: 23 messages, 8.6 kB | 26.7 ms, 23 messages | 0.5 | 0.20 |"]


def test_the_document_has_the_markers():
    assert report.DOCUMENT.read_text().index(report.BEGIN) < report.DOCUMENT.read_text().index(report.END)


@pytest.mark.parametrize(("head", "half", "whole"), [
    (b"http/1.1 204 no content\r\nserver: x", None, b""),
    (b"http/1.1 200 ok\r\ncontent-length: 4\r\nserver: x", b"abc", b"abcd"),
    (b"http/1.1 200 ok\r\ntransfer-encoding: chunked", b"4\r\nabc0\r\n", b"4\r\nabcd\r\n0\r\n\r\n")])
def test_an_answer_counts_when_all_of_it_is_there(head, half, whole):
    assert client.is_whole(head, whole)
    assert half is None or not client.is_whole(head, half)
