"""What a failure leaves in the log: where it was, never what it was about."""

import logging
import traceback

import pytest

from lib import db, logs
from lib.errors import AppError, Invalid


@pytest.fixture
def configured():
    before = logging.getLogRecordFactory()
    logs.configure()
    yield
    logging.setLogRecordFactory(before)


def failing(alice) -> AppError:
    with pytest.raises(AppError) as failure, db.scope(alice) as scope:
        scope.value("select 1 / length('') from clinics where id = :clinic_id and name <> :term", term="canary")
    return failure.value


def test_a_database_error_ends_its_chain_before_the_statement(alice):
    text = "".join(traceback.format_exception(failing(alice)))
    assert "canary" not in text
    assert "select 1" not in text.replace('scope.value("select 1', "")
    assert isinstance(failing(alice), Invalid)


def test_a_logged_exception_keeps_its_place_and_loses_its_words(configured, caplog):
    try:
        raise ValueError("canary 100 %")
    except ValueError:
        logging.getLogger("streamlit.somewhere").exception("Uncaught app execution")
    text = caplog.text
    assert "canary" not in text
    assert "ValueError at" in text
    assert "test_logs.py" in text


def test_a_plain_message_stays_as_it_is(configured, caplog):
    logging.getLogger("streamlit.somewhere").warning("%s of %s", 1, 2)
    assert "1 of 2" in caplog.text
