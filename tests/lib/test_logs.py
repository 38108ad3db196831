"""What a failure leaves in the log: where it was, never what it was about."""

import asyncio
import json
import logging
import threading
import traceback

import pytest

from lib import db
from lib.errors import AppError, Forbidden, Invalid, NotFound, Unavailable


def failing(alice) -> AppError:
    with pytest.raises(AppError) as failure, db.scope(alice) as scope:
        scope.value("select 1 / length('') from clinics where id = :clinic_id and name <> :term", term="canary")
    return failure.value


def test_a_database_error_ends_its_chain_before_the_statement(alice):
    """SECURITY 19."""
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
    line = json.loads(caplog.messages[0])
    assert (line["event"], line["error"], line["level"]) == ("Uncaught app execution", "ValueError", "error")
    assert "test_logs.py" in line["places"]


@pytest.mark.parametrize(("error", "lines"), [(NotFound(), 0), (Forbidden("canary"), 0), (Invalid(), 0), (Unavailable(), 1), (KeyError("canary"), 1)],
                         ids=lambda value: type(value).__name__)
def test_a_refusal_is_no_crash_and_leaves_no_line(configured, caplog, error, lines):
    logging.getLogger("streamlit.error_util").addHandler(caplog.handler)
    logging.getLogger("streamlit.error_util").error("Uncaught app execution", exc_info=error)
    logging.getLogger("streamlit.error_util").removeHandler(caplog.handler)
    found = {json.loads(message)["error"] for message in caplog.messages}
    assert found == ({type(error).__name__} if lines else set())
    assert "canary" not in caplog.text


def test_a_message_whose_arguments_do_not_fit_is_logged_all_the_same(configured, caplog):
    logging.getLogger("streamlit.somewhere").error("%d of %d", "one")
    assert json.loads(caplog.messages[0])["event"] == "%d of %d"


def test_what_nobody_caught_loses_its_words_too(configured, caplog):
    def fail():
        raise ValueError("canary")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert json.loads(caplog.messages[0])["error"] == "ValueError"
    assert "canary" not in caplog.text


def test_a_task_that_nobody_awaits_is_named_without_what_it_was_given(configured, caplog):
    async def begin():
        asyncio.get_running_loop().call_exception_handler({
            "message": "Exception in callback fail('canary')", "exception": ValueError("canary"), "handle": "<Handle fail('canary')>"})
    asyncio.run(begin())
    assert json.loads(caplog.messages[0])["event"] == "Exception in callback fail"
    assert "canary" not in caplog.text


def test_an_exception_among_a_messages_words_is_only_named(configured, caplog):
    logging.getLogger("streamlit.somewhere").warning("ended with %s", ValueError("canary"))
    logging.getLogger("streamlit.somewhere").warning(KeyError("canary"))
    assert [json.loads(message)["event"] for message in caplog.messages] == ["ended with ValueError", "KeyError"]


def test_streamlit_itself_writes_lines_of_json(configured, capfd):
    from streamlit import config, logger
    config.get_config_options(force_reparse=True)
    logger.update_formatter()
    logger.get_logger("streamlit.error_util").error("Uncaught app execution", exc_info=KeyError("canary"))
    line, = capfd.readouterr().err.splitlines()
    assert json.loads(line)["error"] == "KeyError"


def test_a_plain_message_stays_as_it_is(configured, caplog):
    logging.getLogger("streamlit.somewhere").warning("%s of %s", 1, 2)
    assert "1 of 2" in caplog.text
