"""Connections that die are noticed before anybody gets one, without asking each time."""

import threading
from datetime import date
from typing import NamedTuple

import pytest
from sqlalchemy.pool import NullPool

from lib import db, errors


class Visit(NamedTuple):
    day: date
    room: str


def kill(backend):
    with db.open_engine(db._engine.url, poolclass=NullPool).connect() as another:
        another.execute(db.statement("select pg_terminate_backend(:pid)"), {"pid": backend})


def pid(identity):
    with db.scope(identity) as scope:
        return scope.value("select pg_backend_pid()")


def test_a_connection_killed_a_moment_ago_is_replaced_unnoticed(alice):
    before = pid(alice)
    kill(before)
    assert pid(alice) != before


def test_one_that_rested_too_long_is_asked_and_replaced_when_it_is_silent(alice, monkeypatch):
    answers, asked, me = iter([False]), [], threading.get_ident()  # other threads borrow connections, too

    def answer(driver):
        if threading.get_ident() != me:
            return True
        asked.append(driver)
        return next(answers, True)
    monkeypatch.setattr(db, "_answers", answer)
    monkeypatch.setattr(db, "ALIVE", -1.0)
    assert pid(alice)
    assert len(set(map(id, asked))) > 1  # the silent one, and the one that took its place


def test_one_that_dies_in_use_is_told_in_the_projects_words_and_the_next_try_works(alice):
    with pytest.raises(errors.Unavailable), db.scope(alice) as scope:
        kill(scope.value("select pg_backend_pid()"))
        scope.value("select 1")
    assert pid(alice)


def test_of_two_who_wait_for_each_other_one_is_told_to_try_again(alice):
    meet, told = threading.Barrier(2), []

    def lock(first, second):
        try:
            with db.scope(alice) as scope:
                scope.run("select pg_advisory_xact_lock(:key)", key=first)
                meet.wait(10)
                scope.run("select pg_advisory_xact_lock(:key)", key=second)
        except errors.Busy as error:
            told.append(str(error))
    threads = [threading.Thread(target=lock, args=keys) for keys in ((4711, 4712), (4712, 4711))]
    [thread.start() for thread in threads]
    [thread.join(20) for thread in threads]
    assert told == [str(errors.Busy())]


def test_a_database_that_falls_silent_is_given_up_in_seconds(alice):
    """What the system does with a line whose other end is gone can't be had on one machine; what it is told can."""
    with db.scope(alice) as scope:
        told = scope.connection.connection.driver_connection.info.get_parameters()
    assert {name: told[name] for name in db.SILENCE} == {name: str(value) for name, value in db.SILENCE.items()}


def test_a_statement_reaches_the_driver_with_its_values_bound(alice):
    with db.scope(alice) as scope:
        assert scope.value("select :text || '%' || cast(1 as text)::text", text="a%b:c") == "a%b:c%1"


@pytest.mark.parametrize("columns", ["cast('2026-11-29' as date) as day, 'two' as room", "'two' as room, cast('2026-11-29' as date) as day"])
def test_a_row_is_made_by_the_names_of_its_columns_in_whatever_order(alice, columns):
    with db.scope(alice) as scope:
        rows = scope.many(Visit, f"select {columns} from generate_series(1, 2)")
    assert rows == [Visit(date(2026, 11, 29), "two")] * 2
    assert {type(row) for row in rows} == {Visit}


def test_a_row_without_one_of_its_columns_is_refused(alice):
    with pytest.raises(TypeError, match="room"), db.scope(alice) as scope:
        scope.many(Visit, "select current_date as day")
