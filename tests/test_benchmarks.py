"""The table that `make bench` writes."""

from benchmarks import report
from benchmarks.rows import Row


def test_a_row_says_whether_its_goal_is_met_and_why_not():
    missed = report.line(Row("search", 50, 61.26, note="one letter"), 3.0)
    assert missed == "| search | ≤ 50 ms | – | 61.26 ms | **no**: one letter | 3.0 |"
    assert "| ≥ 1,000  |" in report.line(Row("API", 1000, 1200, "", at_least=True), 0.5)
    assert "| yes |" in report.line(Row("API", 1000, 1200, "", at_least=True), 0.5)


def test_the_table_takes_the_place_between_its_markers(tmp_path, monkeypatch):
    document = tmp_path / "performance.md"
    document.write_text(f"Before\n{report.BEGIN}old\n{report.END}After\n")
    monkeypatch.setattr(report, "DOCUMENT", document)
    monkeypatch.setattr(report, "run", lambda _names: [{"what": "start", "goal": 4, "result": 2.5, "unit": "s", "load": 0.5}])
    report.main([])
    assert document.read_text().startswith("Before\n")
    assert document.read_text().endswith("After\n")
    assert "old" not in document.read_text()
    assert "| start | ≤ 4 s | – | 2.5 s | yes | 0.5 |" in document.read_text()


def test_the_document_has_the_markers():
    assert report.DOCUMENT.read_text().index(report.BEGIN) < report.DOCUMENT.read_text().index(report.END)
