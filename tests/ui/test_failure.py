"""What a person reads when a run fails."""

from streamlit.testing.v1 import AppTest

from lib.errors import Forbidden, Invalid
from ui import failure


def test_words_of_people_in_an_error_stay_words():
    def fail(error):
        from ui import failure
        failure.report(error)
    evil = "![x](http://evil.example/x.png) **bold**"
    refused, = AppTest.from_function(fail, args=(Invalid(evil),)).run().error
    assert refused.value.startswith("\\!\\[x\\]\\(http")
    assert "http://" not in refused.value
    assert "**" not in refused.value
    forbidden, = AppTest.from_function(fail, args=(Forbidden(evil),)).run().info
    assert forbidden.value == refused.value


def test_an_unknown_error_is_a_reference_and_never_its_text(monkeypatch):
    logged = []
    monkeypatch.setattr(failure, "log", type("Log", (), {"error": lambda _self, *args, **facts: logged.append(facts)})())

    def fail():
        from ui import failure
        try:
            raise ValueError("a patient's name")
        except ValueError as error:
            failure.report(error)
    shown, = AppTest.from_function(fail).run().error
    assert "a patient's name" not in shown.value
    assert logged[0]["reference"] in shown.value
    assert "a patient's name" not in str(logged)
