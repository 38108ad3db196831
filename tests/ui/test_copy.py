"""A restored copy says so on every page until it is released."""

from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from lib import quarantine


def warnings() -> list[str]:
    def draw():
        from ui import frame
        frame.warn_of_copy()
    quarantine._taken = (0.0, None)
    return [warning.value for warning in AppTest.from_function(draw).run().warning]


def test_it_names_the_moment_until_it_is_released(owner):
    with owner.begin() as connection:
        connection.execute(text("insert into restores (source, taken_at) values ('test', '2026-11-28T09:30Z')"))
    try:
        warned, = warnings()
        assert "restored copy of 2026-11-28 09:30" in warned
    finally:
        with owner.begin() as connection:
            assert quarantine.end(connection) == 1
    assert warnings() == []
