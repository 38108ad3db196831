"""Every run leaves one line and one duration, however it ends; and what that costs."""

import time

import pytest
import structlog
from streamlit.testing.v1 import AppTest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from lib import logs, metrics
from lib.settings import ROOT
from ui import runs


def page():
    import streamlit as st

    from lib import logs
    logs.note(page="testpage")
    how = st.query_params.get("how")
    st.button("again", on_click=lambda: logs.note(kind="answer"))
    if how == "stop":
        st.stop()
    if how == "rerun" and "again" not in st.session_state:
        st.session_state["again"] = True
        st.rerun()
    if how == "crash":
        raise ValueError("canary")


@pytest.fixture
def lines():
    with capture_logs(processors=[merge_contextvars]) as found:
        yield found


def count(kind: str) -> float:
    return next(sample.value for metric in metrics.reruns.labels("testpage", kind).collect() for sample in metric.samples
                if sample.name.endswith("_count"))


@pytest.mark.parametrize("how", ["", "stop", "rerun", "crash"])
def test_a_run_is_measured_however_it_ends(lines, how):
    before = count("page")
    at = AppTest.from_function(page)
    at.query_params["how"] = how
    at.run()
    assert count("page") - before == 1
    told = [line for line in lines if line["event"] == "rerun"]
    assert [(line["page"], line["kind"]) for line in told] == [("testpage", "page")]
    assert len(told[0]["request_id"]) == 16
    assert told[0]["duration_ms"] > 0
    assert "canary" not in str(lines)


def test_each_run_has_its_own_id_and_a_callback_belongs_to_its_run(lines):
    at = AppTest.from_function(page).run()
    at.button[0].click().run()
    first, second = [line for line in lines if line["event"] == "rerun"]
    assert first["request_id"] != second["request_id"]
    assert second["kind"] == "answer"


def test_a_real_page_names_who_where_and_which_request(lines, alice, token_of):
    at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=20)
    at.user = {"session": token_of(alice)}
    at.switch_page("../pages/patients.py").run()
    told = [line for line in lines if line["event"] == "rerun"][-1]
    assert (told["page"], told["user_id"], told["clinic_id"]) == ("patients", str(alice.user_id), str(alice.clinic_id))
    assert alice.email not in str(lines)


def test_a_stranger_is_at_the_sign_in(lines, database):
    AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=20).run()
    told = [line for line in lines if line["event"] == "rerun"][-1]
    assert (told["page"], told.get("user_id")) == ("sign_in", None)


def test_measuring_a_run_costs_less_than_adding_up_ten_thousand_numbers(tmp_path, alice, configured, capsys):
    """A quarter of it, some 0.02 ms of CPU, its line in a file included; a sum beside it tells how busy it is here."""
    def measure():
        for _ in range(100):
            with runs.measured("page"):
                logs.know(alice)
                logs.note(page="patients")

    with (tmp_path / "log").open("w") as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        run = cheapest(measure) / 100
    assert len((tmp_path / "log").read_text().splitlines()) == 1000
    with capsys.disabled():
        print(f" {run * 1000:.3f} ms a run", end="")
    assert run < cheapest(lambda: sum(range(10_000)))


def cheapest(work) -> float:
    """The least CPU seconds of ten."""
    def once():
        began = time.thread_time()
        work()
        return time.thread_time() - began
    return min(once() for _ in range(10))
